//! `rekindle sample`: images from a checkpoint of a `dit` job. The network runs in the program `dit-sample`, which is built
//! with libtorch; this one finds the checkpoint and shows how far it is.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context as _, ensure};
use contract::{
    JobId,
    dit::{SampleProgress, SampleRequest, Solver},
};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
};

use super::checkpoints::{Which, chosen, list};
use crate::{context::Context, exit::Exit};

const PROGRAM: &str = "dit-sample";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The job's id, or the beginning or end of one that is unique.
    job: JobId,
    /// A class to generate; repeat it for several. Left out: all of them.
    #[arg(long = "class", short, value_name = "NAME")]
    classes: Vec<String>,
    /// How many images of each class.
    #[arg(long, short = 'n', default_value_t = 8)]
    count: u32,
    /// The picture to write, a row for each class; with --each, a folder.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write each image as a file of its own, in a folder for each class.
    #[arg(long)]
    each: bool,
    /// Which checkpoint: a step, latest, best or final.
    #[arg(long, value_name = "WHICH", default_value = "latest")]
    checkpoint: Which,
    /// The seed of the noise; left out, the job's.
    #[arg(long)]
    seed: Option<u64>,
    /// How strongly images are drawn towards their class, 1 not at all; left out, as the job says.
    #[arg(long)]
    guidance: Option<f64>,
    /// How a step is taken, euler or heun; left out, as the job says.
    #[arg(long, value_parser = solver)]
    solver: Option<Solver>,
    /// Steps from noise to image; left out, as the job says.
    #[arg(long, value_name = "STEPS")]
    solver_steps: Option<u32>,
}

fn solver(text: &str) -> Result<Solver, String> {
    serde_json::from_value(text.into()).map_err(|_| "give euler or heun".into())
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let program = program()?;
    let client = context.connect().await?;
    let job = client.job_id(&arguments.job).await?;
    let list = list(&job, false, &client).await?;
    let manifest = chosen(arguments.checkpoint, &job, &list)?;
    let checkpoint = context.object_store()?.fetch(manifest).await?;
    let output = arguments.output.unwrap_or_else(|| {
        let name = format!("{job}-step{}-samples", manifest.step);
        if arguments.each { name.into() } else { format!("{name}.png").into() }
    });
    let request = SampleRequest {
        checkpoint,
        classes: arguments.classes,
        count: arguments.count,
        output: output.clone(),
        each: arguments.each,
        seed: arguments.seed,
        guidance: arguments.guidance,
        solver: arguments.solver,
        solver_steps: arguments.solver_steps,
    };
    generate(&program, &request).await?;
    let sampled = json!({ "job_id": job, "step": manifest.step, "output": output });
    context.output.answer(&sampled, || output.display().to_string())?;
    Ok(Exit::Success)
}

/// Runs the program to its end.
async fn generate(program: &Path, request: &SampleRequest) -> anyhow::Result<()> {
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let mut input = child.stdin.take().context("it has no input")?;
    // When it has ended already, its last words say more than the failed write.
    let _ = input.write_all(&serde_json::to_vec(request)?).await;
    drop(input);
    let mut complaint = String::new();
    let mut errors = child.stderr.take().context("it has no errors")?;
    let (shown, read) = tokio::join!(show(&mut child), errors.read_to_string(&mut complaint));
    shown?;
    read?;
    let status = child.wait().await?;
    ensure!(status.success(), "{}", last_words(&complaint));
    Ok(())
}

/// Shows how far it is until it closes its output.
async fn show(child: &mut Child) -> anyhow::Result<()> {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} steps, {per_sec}, {eta} left")?;
    let bar = ProgressBar::no_length().with_style(style);
    let mut lines = BufReader::new(child.stdout.take().context("it has no output")?).lines();
    while let Some(line) = lines.next_line().await? {
        if let Ok(SampleProgress { done, of }) = serde_json::from_str(&line) {
            bar.set_length(of);
            bar.set_position(done);
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// What went wrong, of all that the program wrote.
fn last_words(complaint: &str) -> String {
    match complaint.trim().strip_prefix("Error: ") {
        // A chain of causes, as anyhow writes it.
        Some(chain) => {
            let line = |line: &str| line.trim().trim_start_matches(|c: char| c.is_ascii_digit()).to_owned();
            let lines = chain.lines().map(line).filter(|line| !line.is_empty() && line != "Caused by:");
            lines.map(|line| line.trim_start_matches(": ").to_owned()).collect::<Vec<_>>().join(": ")
        }
        None if complaint.trim().is_empty() => format!("{PROGRAM} ended without a word"),
        None => complaint.trim().to_owned(),
    }
}

fn program() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe().context("cannot tell where this program lies")?;
    let program = here.with_file_name(PROGRAM);
    ensure!(
        program.is_file(),
        "the program {PROGRAM} is missing: it belongs beside `rekindle`, where `cargo build` and the dit-trainer's image have \
         it; it needs libtorch"
    );
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_last_words_become_one_line() {
        let chain = "Error: cannot write x.png\n\nCaused by:\n    0: it cannot be drawn\n    1: no room\n";
        assert_eq!(last_words(chain), "cannot write x.png: it cannot be drawn: no room");
        assert_eq!(
            last_words("Error: there is no class \"cow\"; there are cat, dog\n"),
            "there is no class \"cow\"; there are cat, dog"
        );
        assert_eq!(last_words(" \n"), "dit-sample ended without a word");
    }

    #[test]
    fn a_solver_is_named() {
        assert_eq!(solver("heun"), Ok(Solver::Heun));
        assert_eq!(solver("rk4"), Err("give euler or heun".into()));
    }
}
