//! `rekindle cancel`: ends jobs.

use contract::control::{CancelJob, JobState, JobView};

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

const DEED: Deed = Deed {
    verb: "cancel",
    done: "cancelled",
    possible: &[
        JobState::Queued,
        JobState::Offered,
        JobState::Running,
        JobState::BackingOff,
        JobState::Paused,
    ],
};

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Exit> {
    each(&DEED, &arguments.selection, context, |job_id| CancelJob { job_id }, describe).await
}

fn describe(job: &JobView) -> String {
    match job.state {
        JobState::Cancelled => format!("job {} is cancelled", job.job_id),
        end if end.is_end() => format!("job {} had ended already: {end}", job.job_id),
        _ => format!("job {} is being cancelled: its attempt has been told to stop", job.job_id),
    }
}
