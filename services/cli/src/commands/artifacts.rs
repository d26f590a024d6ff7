//! `rekindle artifacts`: the models, pictures and tables that a job left.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use contract::{JobId, control::JobView, events::Artifact};
use serde_json::json;

use crate::{
    context::Context,
    exit::{Exit, NotFound},
    text::{size, table},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The job's id, or the beginning or end of one that is unique.
    job: JobId,
    /// The files to fetch; all of them when only --output is given.
    names: Vec<String>,
    /// The folder to put them into.
    #[arg(long, short, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Exit> {
    let job = context.connect().await?.job(&arguments.job).await?;
    let artifacts = job.result.as_ref().map_or(&[][..], |result| &result.artifacts);
    if arguments.names.is_empty() && arguments.output.is_none() {
        let place = context.artifact_place();
        context.output.answer(&artifacts, || describe(&job, artifacts, place))?;
        return Ok(Exit::Success);
    }
    let folder = arguments.output.as_deref().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let store = context.object_store()?;
    for artifact in chosen(&job.job_id, artifacts, &arguments.names)? {
        let file = folder.join(&artifact.name);
        store.download(&artifact.key, &file).await?;
        let fetched = json!({ "artifact": artifact, "file": file });
        context.output.line(&fetched, || file.display().to_string())?;
    }
    Ok(Exit::Success)
}

/// Those of `artifacts` that are called by `names`; all of them when none is.
fn chosen<'a>(
    job: &JobId,
    artifacts: &'a [Artifact],
    names: &[String],
) -> Result<Vec<&'a Artifact>, NotFound> {
    if names.is_empty() {
        return Ok(artifacts.iter().collect());
    }
    let find = |name: &String| {
        artifacts.iter().find(|artifact| artifact.name == *name).ok_or_else(|| {
            let present = artifacts.iter().map(|artifact| artifact.name.as_str()).collect::<Vec<_>>();
            NotFound(format!("job {job} left no {name:?}; it left: {}", present.join(", ")))
        })
    };
    names.iter().map(find).collect()
}

fn describe(job: &JobView, artifacts: &[Artifact], place: impl Fn(&str) -> String) -> String {
    if artifacts.is_empty() {
        return format!("job {} is {} and has left nothing\n", job.job_id, job.state);
    }
    let row = |artifact: &Artifact| vec![artifact.name.clone(), size(artifact.bytes), place(&artifact.key)];
    table(&["ARTIFACT", "SIZE", "WHERE"], artifacts.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_chosen_by_name() {
        let artifact = |name: &str| Artifact { name: name.into(), key: format!("jobs/a/{name}"), bytes: 1 };
        let artifacts = [artifact("curves.png"), artifact("model.safetensors")];
        let job = JobId::new("a").unwrap();
        let choose = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).into()).collect();
            chosen(&job, &artifacts, &names).map(|found| found.len()).map_err(|error| error.to_string())
        };
        assert_eq!(choose(&[]), Ok(2));
        assert_eq!(choose(&["curves.png"]), Ok(1));
        let problem = "job a left no \"weights\"; it left: curves.png, model.safetensors";
        assert_eq!(choose(&["curves.png", "weights"]), Err(problem.into()));
    }
}
