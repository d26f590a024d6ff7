//! Doing the same with each of several jobs.

use contract::{JobId, Request, control::JobView};

use crate::{client::Client, context::Context, exit::Exit, output::tell};

/// Asks for the same with each job, and says with `describe` what became of it. One that is refused is no reason to
/// leave the others.
pub(crate) async fn each<R: Request<Reply = JobView>>(
    names: &[JobId],
    context: &Context,
    request: impl Fn(JobId) -> R,
    describe: impl Fn(&JobView) -> String,
) -> anyhow::Result<Exit> {
    let client = context.connect().await?;
    let mut exit = Exit::Success;
    for name in names {
        match ask(name, &client, &request).await {
            Ok(job) => context.output.line(&job, || describe(&job))?,
            Err(error) if 1 < names.len() => {
                tell(&format!("{name}: {error:#}"));
                exit = Exit::of(&error);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(exit)
}

async fn ask<R: Request<Reply = JobView>>(
    name: &JobId,
    client: &Client,
    request: impl Fn(JobId) -> R,
) -> anyhow::Result<JobView> {
    let job_id = client.job_id(name).await?;
    Ok(client.ask(&request(job_id)).await?)
}
