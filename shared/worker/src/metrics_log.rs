//! A run's figures on this machine's disk: `metrics.jsonl`, one JSON object a line.
//!
//! Every attempt adds to the same file and its lines carry its number. What an earlier attempt wrote beyond the step
//! that a later one went on from stays: for a step told twice, the line of the higher attempt holds.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

/// The file's name in a run's folder.
const FILE: &str = "metrics.jsonl";

/// Appends to the file. It is opened at the first line.
pub(crate) struct MetricsLog {
    path: PathBuf,
    attempt: u32,
    file: Option<File>,
}

#[derive(Serialize)]
struct Line<'a> {
    attempt: u32,
    step: u64,
    metrics: &'a BTreeMap<String, f64>,
}

impl MetricsLog {
    pub(crate) fn new(folder: &Path, attempt: u32) -> Self {
        Self { path: folder.join(FILE), attempt, file: None }
    }

    /// Adds a line.
    pub(crate) fn append(&mut self, step: u64, metrics: &BTreeMap<String, f64>) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(open(&self.path)?);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut line = serde_json::to_vec(&Line { attempt: self.attempt, step, metrics })?;
        line.push(b'\n');
        file.write_all(&line)
    }
}

/// Opens the file for appending; a line that a killed process left unfinished is ended, so that it spoils no other.
fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    if 0 < file.metadata()?.len() {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_add_to_one_file_and_a_torn_line_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let loss = |loss: f64| BTreeMap::from([("loss".to_owned(), loss)]);
        MetricsLog::new(folder.path(), 1).append(10, &loss(0.5)).unwrap();
        let path = folder.path().join(FILE);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"attempt\":1,\"st").unwrap();
        let mut second = MetricsLog::new(folder.path(), 2);
        second.append(10, &loss(0.25)).unwrap();
        second.append(20, &loss(0.125)).unwrap();

        let expected = "{\"attempt\":1,\"step\":10,\"metrics\":{\"loss\":0.5}}\n\
                        {\"attempt\":1,\"st\n\
                        {\"attempt\":2,\"step\":10,\"metrics\":{\"loss\":0.25}}\n\
                        {\"attempt\":2,\"step\":20,\"metrics\":{\"loss\":0.125}}\n";
        assert_eq!(std::fs::read_to_string(path).unwrap(), expected);
    }
}
