//! `rekindle estimate`: what a job would come to at worst.

use std::time::Duration;

use contract::{Estimate, control::EstimateJob};

use crate::{
    context::Context,
    exit::Exit,
    submission::SubmissionArguments,
    text::{
        choice::{considered, memory},
        dollars, fields, length,
    },
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    submission: SubmissionArguments,
}

pub(crate) async fn run(arguments: Arguments, context: &Context) -> anyhow::Result<Exit> {
    let submission = arguments.submission.into_submission()?;
    let reply = context.connect().await?.ask(&EstimateJob { submission }).await?;
    context.output.answer(&reply.estimate, || describe(&reply.estimate))?;
    Ok(Exit::Success)
}

/// An estimate in full: its fields, and every class that was considered.
fn describe(estimate: &Estimate) -> String {
    let rows = fields(&rows(estimate));
    match estimate.considered.is_empty() {
        true => rows,
        false => format!("{rows}\n{}", considered(&estimate.considered)),
    }
}

/// An estimate's fields.
pub(crate) fn rows(estimate: &Estimate) -> Vec<(&'static str, String)> {
    let longest = Duration::try_from_secs_f64(estimate.worst_seconds).unwrap_or(Duration::MAX);
    let mut rows = vec![
        (
            "gpu",
            format!("{}, {} an hour: {}", estimate.gpu, dollars(estimate.usd_per_hour), estimate.gpu_reason),
        ),
        (
            "at worst",
            format!(
                "{} attempts, {}, {}",
                estimate.worst_attempts,
                length(longest),
                dollars(estimate.worst_usd)
            ),
        ),
    ];
    rows.extend(estimate.memory.as_ref().map(|need| ("memory", memory(need))));
    rows.extend(estimate.warnings.iter().map(|warning| ("warning", warning.clone())));
    rows
}
