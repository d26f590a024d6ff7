//! `rekindle checkpoints`: a job's history of states, and one of them as a file.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use anyhow::Context as _;
use contract::{
    JobId,
    checkpoints::{CheckpointList, CheckpointRole, ListCheckpoints, ListedCheckpoint, Manifest},
};
use serde_json::json;

use crate::{
    client::Client,
    context::Context,
    exit::{Exit, NotFound},
    output::tell,
    text::{Clock, happening::figures, size, table},
};

/// How long reading every byte of every checkpoint may take.
const VERIFY_LIMIT: Duration = Duration::from_secs(600);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The job's id, or the beginning or end of one that is unique.
    job: JobId,
    /// Read every byte and say which are damaged; ends with code 1 if any is.
    #[arg(long)]
    verify: bool,
    /// Fetch one: a step, latest, best or final.
    #[arg(long, value_name = "WHICH")]
    fetch: Option<Which>,
    /// Where to put it.
    #[arg(long, short, value_name = "FILE", requires = "fetch")]
    output: Option<PathBuf>,
}

/// One of a job's checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Step(u64),
    Latest,
    Best,
    Final,
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "latest" => Ok(Self::Latest),
            "best" => Ok(Self::Best),
            "final" => Ok(Self::Final),
            step => step.parse().map(Self::Step).map_err(|_| "give a step, latest, best or final".into()),
        }
    }
}

impl Which {
    /// Of `checkpoints`, which are newest first.
    fn choose(self, checkpoints: &[ListedCheckpoint]) -> Option<&Manifest> {
        let fits = |manifest: &&Manifest| match self {
            Self::Step(step) => manifest.step == step,
            Self::Latest => true,
            Self::Best => manifest.role == CheckpointRole::Best,
            Self::Final => manifest.role == CheckpointRole::Final,
        };
        checkpoints.iter().map(|listed| &listed.manifest).find(fits)
    }
}

pub(crate) async fn run(arguments: &Arguments, context: &Context) -> anyhow::Result<Exit> {
    let client = context.connect().await?;
    let job_id = client.job_id(&arguments.job).await?;
    let list = list(&job_id, arguments.verify, &client).await?;
    if let Some(which) = arguments.fetch {
        let manifest = chosen(which, &job_id, &list)?;
        fetch(manifest, arguments.output.as_deref(), context).await?;
        return Ok(Exit::Success);
    }
    context.output.answer(&list, || describe(&list, arguments.verify, &context.clock()))?;
    let is_damaged = list.checkpoints.iter().any(|listed| listed.damage.is_some());
    Ok(if is_damaged { Exit::Failure } else { Exit::Success })
}

pub(super) async fn list(job: &JobId, verify: bool, client: &Client) -> anyhow::Result<CheckpointList> {
    let request = ListCheckpoints { job_id: job.clone(), verify };
    if verify {
        Ok(client.ask_within(VERIFY_LIMIT, &request).await?)
    } else {
        Ok(client.ask(&request).await?)
    }
}

/// The checkpoint that is meant.
pub(super) fn chosen<'a>(
    which: Which,
    job: &JobId,
    list: &'a CheckpointList,
) -> Result<&'a Manifest, NotFound> {
    which.choose(&list.checkpoints).ok_or_else(|| {
        NotFound(format!("job {job} has no such checkpoint; `rekindle checkpoints {job}` lists them"))
    })
}

/// Copies the bytes, verified, to `output` or to a name of their own in the working folder.
async fn fetch(manifest: &Manifest, output: Option<&Path>, context: &Context) -> anyhow::Result<()> {
    let own_name = format!("{}-step{}.safetensors", manifest.job_id, manifest.step);
    let output = output.map_or_else(|| PathBuf::from(own_name), Path::to_owned);
    let stored = context.object_store()?.fetch(manifest).await?;
    tokio::fs::copy(&stored, &output).await.with_context(|| format!("cannot write {}", output.display()))?;
    let fetched = json!({ "manifest": manifest, "file": output });
    tell(&format!("the checkpoint of step {}, {}, verified", manifest.step, size(manifest.bytes)));
    Ok(context.output.answer(&fetched, || output.display().to_string())?)
}

fn describe(list: &CheckpointList, verified: bool, clock: &Clock) -> String {
    if list.checkpoints.is_empty() {
        return "no checkpoints\n".into();
    }
    let header = ["STEP", "ROLE", "ATTEMPT", "SIZE", "COMMITTED", "FIGURES", "BYTES"];
    table(
        &header,
        list.checkpoints.iter().map(|ListedCheckpoint { manifest, damage }| {
            vec![
                manifest.step.to_string(),
                manifest.role.as_str().into(),
                manifest.token.to_string(),
                size(manifest.bytes),
                clock.moment_and_distance(manifest.committed_at),
                figures(&manifest.metrics),
                match damage {
                    Some(damage) => format!("DAMAGED: {damage}"),
                    None if verified => "verified".into(),
                    None => "not read".into(),
                },
            ]
        }),
    )
}

#[cfg(test)]
mod tests {
    use contract::Timestamp;
    use expect_test::expect;

    use super::*;

    fn golden() -> CheckpointList {
        let text = include_str!("../../../../shared/contract/golden/checkpoint.list_reply.v1.json");
        contract::decode(text.as_bytes()).unwrap()
    }

    #[test]
    fn checkpoints_are_a_table() {
        let mut list = golden();
        let mut whole = list.checkpoints[0].clone();
        whole.damage = None;
        whole.manifest.role = CheckpointRole::Best;
        list.checkpoints.push(whole);
        let now = Timestamp(list.checkpoints[0].manifest.committed_at.0 + 60_000);
        let clock = Clock { now, zone: jiff::tz::TimeZone::UTC };
        expect![[r#"
            STEP  ROLE      ATTEMPT  SIZE    COMMITTED          FIGURES             BYTES
            1000  periodic  2        140 MB  00:01:30 (1m ago)  val_accuracy 0.875  DAMAGED: 12 bytes are missing
            1000  best      2        140 MB  00:01:30 (1m ago)  val_accuracy 0.875  verified
            STEP  ROLE      ATTEMPT  SIZE    COMMITTED          FIGURES             BYTES
            1000  periodic  2        140 MB  00:01:30 (1m ago)  val_accuracy 0.875  DAMAGED: 12 bytes are missing
            1000  best      2        140 MB  00:01:30 (1m ago)  val_accuracy 0.875  not read
        "#]].assert_eq(&(describe(&list, true, &clock) + &describe(&list, false, &clock)));
    }

    #[test]
    fn one_is_chosen_by_step_or_role() {
        let listed = golden().checkpoints.remove(0);
        let at = |step, role| {
            let manifest = Manifest { step, role, ..listed.manifest.clone() };
            ListedCheckpoint { manifest, damage: None }
        };
        use CheckpointRole::{Best, Periodic};
        let newest_first = [at(30, Periodic), at(20, Best), at(10, Best)];
        let choose =
            |which: &str| which.parse::<Which>().unwrap().choose(&newest_first).map(|manifest| manifest.step);
        assert_eq!(choose("latest"), Some(30));
        assert_eq!(choose("best"), Some(20));
        assert_eq!(choose("10"), Some(10));
        assert_eq!(choose("11"), None);
        assert_eq!(choose("final"), None);
        assert_eq!("newest".parse::<Which>(), Err("give a step, latest, best or final".into()));
    }
}
