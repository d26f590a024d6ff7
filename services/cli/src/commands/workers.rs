//! `rekindle workers`: the trainers that the scheduler knows.

use contract::{
    JobId,
    control::{ListWorkers, WorkerList, WorkerView},
};

use crate::{
    context::Context,
    exit::Exit,
    text::{Clock, table},
};

pub(crate) async fn run(context: &Context) -> anyhow::Result<Exit> {
    let list = context.connect().await?.ask(&ListWorkers {}).await?;
    context.output.answer(&list, || describe(&list, &context.clock()))?;
    Ok(Exit::Success)
}

fn describe(list: &WorkerList, clock: &Clock) -> String {
    if list.workers.is_empty() {
        return "no workers; `rekindle up` starts some\n".into();
    }
    let header =
        ["WORKER", "STATE", "WORKLOAD", "GPU", "SLOTS", "RUNNING", "HEARD", "HOST", "PID", "RELEASE"];
    table(&header, list.workers.iter().map(|worker| row(worker, clock)))
}

fn row(worker: &WorkerView, clock: &Clock) -> Vec<String> {
    vec![
        worker.worker.to_string(),
        state(worker).into(),
        worker.workload.to_string(),
        format!("{} {}", worker.gpu, worker.tier),
        worker.slots.to_string(),
        running(worker),
        clock.distance(worker.heard_at),
        worker.host.clone(),
        worker.pid.to_string(),
        worker.release.clone(),
    ]
}

/// What it runs, or why it takes nothing.
fn running(worker: &WorkerView) -> String {
    let jobs = worker.running.iter().map(JobId::as_str);
    let paused = worker.paused.iter().map(|why| format!("takes nothing: {why}"));
    jobs.map(str::to_owned).chain(paused).collect::<Vec<_>>().join(" ")
}

/// Whether it takes jobs, as far as that was settled with it: whether it lives is told by when it was heard.
fn state(worker: &WorkerView) -> &'static str {
    match (worker.draining, worker.gone, worker.running.is_empty()) {
        (_, true, _) => "gone, draining",
        (true, false, true) => "drained",
        (true, false, false) => "draining",
        (false, false, true) => "idle",
        (false, false, false) => "busy",
    }
}

#[cfg(test)]
mod tests {
    use contract::Timestamp;
    use expect_test::expect;

    use super::*;

    #[test]
    fn workers_are_a_table() {
        let text = include_str!("../../../../shared/contract/golden/worker.list_reply.v1.json");
        let list: WorkerList = contract::decode(text.as_bytes()).unwrap();
        let now = Timestamp(list.workers[0].heard_at.0 + 1_500);
        let clock = Clock { now, zone: jiff::tz::TimeZone::UTC };
        expect![[r#"
            WORKER      STATE     WORKLOAD    GPU      SLOTS  RUNNING    HEARD     HOST      PID   RELEASE
            gpu-host-0  draining  classifier  l4 spot  1      flowers-7  1.5s ago  gpu-host  4242  0.1.0
        "#]]
        .assert_eq(&describe(&list, &clock));
        let paused = Some("gpu 0: 9.1 GiB held by others (pid 4711)".into());
        let waiting = WorkerView { running: vec![], paused, ..list.workers[0].clone() };
        assert_eq!(running(&waiting), "takes nothing: gpu 0: 9.1 GiB held by others (pid 4711)");
    }
}
