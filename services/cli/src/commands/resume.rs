//! `rekindle resume`: lets paused jobs go on.

use contract::control::{JobState, JobView, ResumeJob};

use super::{
    each::{Deed, each},
    selection::Selection,
};
use crate::{context::Context, exit::Exit};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    selection: Selection,
}

const DEED: Deed = Deed { verb: "resume", done: "resumed", possible: &[JobState::Paused] };

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Exit> {
    each(&DEED, &arguments.selection, context, |job_id| ResumeJob { job_id }, describe).await
}

fn describe(job: &JobView) -> String {
    format!("job {} is {} again", job.job_id, job.state)
}
