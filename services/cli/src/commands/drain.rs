//! `rekindle drain`: a trainer takes nothing new.

use contract::{
    WorkerId,
    control::{DrainMode, DrainWorker, WorkerView},
};

use crate::{context::Context, exit::Exit};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The trainer, as `rekindle workers` names it.
    worker: WorkerId,
    /// What it runs writes a checkpoint and goes on elsewhere, instead of finishing there.
    #[arg(long, conflicts_with = "undo")]
    hand_back: bool,
    /// It takes jobs again.
    #[arg(long)]
    undo: bool,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let Arguments { worker, hand_back, undo } = arguments;
    let mode = match (hand_back, undo) {
        (_, true) => DrainMode::Undo,
        (true, false) => DrainMode::HandBack,
        (false, false) => DrainMode::Finish,
    };
    let view = context.connect().await?.ask(&DrainWorker { worker, mode }).await?;
    context.output.answer(&view, || describe(&view, mode))?;
    Ok(Exit::Success)
}

fn describe(view: &WorkerView, mode: DrainMode) -> String {
    let worker = &view.worker;
    let (runs, goes_on) = match view.running.len() {
        1 => ("the job that it runs".to_owned(), "checkpoints and goes on elsewhere"),
        several => (format!("the {several} jobs that it runs"), "checkpoint and go on elsewhere"),
    };
    match mode {
        DrainMode::Undo => format!("worker {worker} takes jobs again"),
        _ if view.running.is_empty() => {
            format!("worker {worker} is drained: it runs nothing and takes nothing new")
        }
        DrainMode::Finish => format!("worker {worker} takes nothing new; {runs} may finish"),
        DrainMode::HandBack => format!("worker {worker} takes nothing new; {runs} {goes_on}"),
    }
}
