//! What a worker's process leaves for the next one of its name, should a signal end it: the next one reports what ran, as
//! `oom` if the kernel killed for memory, else as what the signal means. It would count as lost without a reason otherwise.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use contract::{
    Failure, FailureClass, Incarnation, JobId, Timestamp, WorkerId,
    events::{AttemptEnd, AttemptEnded},
    lease::Progress,
};
use policy::FailureRule;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::{control_group::Kills, host_memory::HostMemory, outcome::killed_by, run_state::RunState};

/// What has grown is written again: the peak by so much, or the runs for so long.
const GROWTH_MIB: u64 = 64;
const GROWTH_TIME: Duration = Duration::from_secs(5);

/// The signal that a process died of, and what that means for what it ran.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Death {
    signal: String,
    failure: Failure,
}

impl Death {
    /// What this process was told of the last one's death, judged by the operator's `rules` before anything else.
    pub(crate) fn told(rules: &[FailureRule]) -> Option<Self> {
        std::env::var(settings::LAST_DEATH).ok().map(|signal| Self::by(signal, rules))
    }

    fn by(signal: String, rules: &[FailureRule]) -> Self {
        let failure = killed_by(&signal, rules);
        Self { signal, failure }
    }
}

/// This life's notes.
#[derive(Debug)]
pub(crate) struct LastLife {
    path: PathBuf,
    notes: Notes,
    written_at: Instant,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Notes {
    worker: WorkerId,
    incarnation: Incarnation,
    /// What had been killed for memory in this control group when the life began.
    kills: Option<Kills>,
    /// `host_memory_mib` of the workload.
    #[serde(default)]
    limit_mib: Option<u64>,
    peak_mib: u64,
    runs: Vec<NotedRun>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct NotedRun {
    job_id: JobId,
    attempt: u32,
    resumed_from: u64,
    progress: Progress,
}

impl LastLife {
    /// Begins the notes of this life, and tells how the runs of the last one ended if the kernel killed it for memory, or
    /// if it `died` of a signal of which this process was told.
    pub(crate) fn begin(
        folder: &Path,
        worker: &WorkerId,
        incarnation: Incarnation,
        memory: &HostMemory,
        died: Option<Death>,
    ) -> (Self, Vec<AttemptEnded>) {
        let path = folder.join(format!("{worker}.runs.json"));
        let (kills, limit_mib) = (memory.kills(), memory.limit_mib());
        let ended = match read(&path) {
            Some(last) => last.ends(kills.as_ref(), died, Timestamp::now()),
            None => Vec::new(),
        };
        let worker = worker.clone();
        let notes = Notes { worker, incarnation, kills, limit_mib, peak_mib: 0, runs: Vec::new() };
        let mut this = Self { path, notes, written_at: Instant::now() };
        this.write();
        (this, ended)
    }

    /// Notes what runs, if it is news: other runs than before, or some that have grown.
    pub(crate) fn note(&mut self, runs: &[Arc<RunState>], peak_mib: u64) {
        let is_same = runs.len() == self.notes.runs.len()
            && runs
                .iter()
                .zip(&self.notes.runs)
                .all(|(run, noted)| run.is_attempt(&noted.job_id, noted.attempt));
        let has_grown =
            self.notes.peak_mib + GROWTH_MIB <= peak_mib || GROWTH_TIME <= self.written_at.elapsed();
        if is_same && (runs.is_empty() || !has_grown) {
            return;
        }
        self.notes.peak_mib = peak_mib;
        self.notes.runs = runs.iter().map(|run| NotedRun::of(run)).collect();
        self.write();
    }

    fn write(&mut self) {
        self.written_at = Instant::now();
        if let Err(error) = write(&self.path, &self.notes) {
            tracing::debug!(error = &error as &dyn std::error::Error, "what runs could not be noted");
        }
    }
}

impl NotedRun {
    fn of(run: &RunState) -> Self {
        Self {
            job_id: run.job_id.clone(),
            attempt: run.attempt,
            resumed_from: run.resumed_from(),
            progress: run.progress(),
        }
    }
}

impl Notes {
    /// The ends of what ran, if a process of the same group has been killed for memory since, of which there are `kills` now,
    /// or if this one `died` of a signal. Where both are so and the signal is another one, somebody else was killed for
    /// memory.
    fn ends(self, kills: Option<&Kills>, died: Option<Death>, at: Timestamp) -> Vec<AttemptEnded> {
        let is_for_memory = self.kills.as_ref().zip(kills).is_some_and(|(then, now)| then.grew_to(now));
        let failure = match died {
            Some(Death { signal, failure }) if signal != "SIGKILL" || !is_for_memory => failure,
            _ if is_for_memory => self.killed_for_memory(),
            _ => return Vec::new(),
        };
        let ended = |run: NotedRun| AttemptEnded {
            job_id: run.job_id,
            attempt: run.attempt,
            worker: self.worker.clone(),
            incarnation: self.incarnation,
            end: AttemptEnd::Failed(failure.clone()),
            progress: run.progress,
            resumed_from_step: run.resumed_from,
            at,
        };
        self.runs.into_iter().map(ended).collect()
    }

    fn killed_for_memory(&self) -> Failure {
        let limit = match self.limit_mib {
            Some(limit_mib) => format!(", and host_memory_mib of its workload is {limit_mib}"),
            None => String::new(),
        };
        let text = format!(
            "host memory: the kernel killed the trainer's process because its control group ran out of memory; the \
             process had used up to {} MiB{limit}",
            self.peak_mib
        );
        Failure::new(FailureClass::Oom, text)
    }
}

/// Notes that cannot be read are none: whoever was killed while it wrote them is lost, as without them.
fn read(path: &Path) -> Option<Notes> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Replaces the file as a whole.
fn write(path: &Path, notes: &Notes) -> io::Result<()> {
    let new = path.with_extension("json.new");
    fs::write(&new, serde_json::to_vec(notes)?)?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests;
