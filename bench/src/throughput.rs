//! How many jobs a second pass through the whole of Rekindle, and how soon an idle one takes up a job.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use broker::{Broker, Consumer, Outgoing};
use contract::{
    JobId, SubmitJob, Workload,
    names::{JOBS_EXCHANGE, SUBMIT_KEY},
};
use system_tests::{Program, System, step::NOP};

use crate::{
    bare,
    figures::{Times, milliseconds, rate},
    report::Table,
};

/// The jobs of the main measurement.
const JOBS: usize = 10_000;
/// Jobs that wait while others are measured.
const BACKLOGS: [usize; 2] = [1_000, 100_000];
/// Jobs submitted one by one to an idle system.
const SINGLE_JOBS: usize = 200;
/// Submissions that are published in one window.
const WINDOW: usize = 500;
/// How long any one measurement may take.
const LIMIT: Duration = Duration::from_secs(900);

const CHANGES: [(&str, &str); 3] =
    [("workloads.nop.concurrency", "1000"), ("workloads.nop.slots", "32"), ("telemetry.filter", "warn")];

pub(crate) async fn measure() -> anyhow::Result<Table> {
    let mut table = Table::new(&["what", "Rekindle", "bare messages", "ratio"]);

    let mut system = System::bare("bench-throughput", &CHANGES).await;
    let bare_rate = bare::messages_per_second(system.broker_url(), JOBS, 256).await?;
    let bare_latency = bare::latency(system.broker_url(), SINGLE_JOBS).await?;
    system.launch_all([Program::nop_trainer("host-0")]).await;

    let claimed = submit_to_claim(&system).await?;
    let (ours, theirs) = (claimed.median(), bare_latency.median());
    table.row(&[
        &"idle: submit to claim (bare: publish to delivery), median",
        &milliseconds(ours),
        &milliseconds(theirs),
        &format!("{:.1}×", ours.as_secs_f64() / theirs.as_secs_f64()),
    ]);

    let throughput = submit_to_success(&system).await?;
    table.row(&[
        &format!("{JOBS} jobs, submit to success"),
        &format!("{throughput:.0}/s"),
        &format!("{bare_rate:.0}/s"),
        &format!("1 : {:.1}", bare_rate / throughput),
    ]);
    system.shut_down().await;

    for backlog in BACKLOGS {
        let drained = drain(backlog).await?;
        table.row(&[
            &format!("with {backlog} jobs waiting"),
            &format!("{drained:.0}/s"),
            &format!("{bare_rate:.0}/s"),
            &format!("1 : {:.1}", bare_rate / drained),
        ]);
    }
    Ok(table)
}

/// One job after the other, each submitted when the one before has ended.
async fn submit_to_claim(system: &System) -> anyhow::Result<Times> {
    let mut leased = system.broker.listen(&["job.*.leased"]).await?;
    let mut ended = system.broker.listen(&["job.*.ended"]).await?;
    let mut times = Vec::with_capacity(SINGLE_JOBS);
    for number in 0..SINGLE_JOBS {
        let began = Instant::now();
        system.broker.publish(submission(&format!("single-{number}"))).await?;
        leased.next().await.context("the broker went away")?;
        times.push(began.elapsed());
        ended.next().await.context("the broker went away")?;
    }
    Ok(Times::new(times))
}

async fn submit_to_success(system: &System) -> anyhow::Result<f64> {
    let mut ended = system.broker.listen(&["job.*.ended"]).await?;
    let began = Instant::now();
    let (submitted, counted) = tokio::join!(submit(&system.broker, "many", JOBS), count(&mut ended, JOBS));
    submitted?;
    counted?;
    Ok(rate(JOBS, began.elapsed()))
}

/// The rate at which the first thousand of `backlog` waiting jobs are done once a trainer comes.
async fn drain(backlog: usize) -> anyhow::Result<f64> {
    let mut system = System::bare("bench-backlog", &CHANGES).await;
    system.launch_all([]).await;
    let mut queued = system.broker.listen(&["job.*.queued"]).await?;
    let (submitted, counted) =
        tokio::join!(submit(&system.broker, "waiting", backlog), count(&mut queued, backlog));
    submitted?;
    counted?;

    let measured = backlog.min(1_000);
    let mut ended = system.broker.listen(&["job.*.ended"]).await?;
    system.launch(Program::nop_trainer("host-0")).await;
    ended.next().await.context("the broker went away")?;
    let began = Instant::now();
    count(&mut ended, measured - 1).await?;
    let taken = began.elapsed();
    system.kill("host-0").await;
    system.shut_down().await;
    Ok(rate(measured - 1, taken))
}

async fn submit(broker: &Broker, name: &str, jobs: usize) -> anyhow::Result<()> {
    for first in (0..jobs).step_by(WINDOW) {
        let window = (first..jobs.min(first + WINDOW)).map(|number| submission(&format!("{name}-{number}")));
        for published in broker.publish_all(window.collect()).await {
            published?;
        }
    }
    Ok(())
}

async fn count(events: &mut Consumer, jobs: usize) -> anyhow::Result<()> {
    let counted = async {
        let mut seen = 0;
        while seen < jobs {
            let batch = events.next_batch(1_000).await;
            ensure!(!batch.is_empty(), "the broker went away");
            seen += batch.len();
        }
        Ok(())
    };
    tokio::time::timeout(LIMIT, counted).await.context("the jobs did not come through in time")?
}

fn submission(name: &str) -> Outgoing {
    let workload = Workload::new(NOP).expect("the name is a valid one");
    let job_id = JobId::new(name).expect("names of measured jobs are valid");
    let submission = SubmitJob { job_id: Some(job_id), ..SubmitJob::new(workload, serde_json::Map::new()) };
    Outgoing::new(JOBS_EXCHANGE, SUBMIT_KEY, &submission)
}
