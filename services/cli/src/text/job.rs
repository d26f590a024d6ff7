//! One job in full.

use contract::{
    Seconds, Timeout,
    control::{AttemptView, Charge, JobState, JobView},
};

use super::{
    Clock, choice, dollars,
    happening::{figures, progress},
    length, seconds, size, steps, table, waiting,
};

/// Everything that the scheduler knows of a job. `path` says where an artifact lies on this machine.
pub(crate) fn describe(job: &JobView, clock: &Clock, path: impl Fn(&str) -> String) -> String {
    let mut sections = vec![super::fields(&summary(job, clock))];
    if !job.considered.is_empty() {
        sections.push(choice::considered(&job.considered));
    }
    if !job.attempts.is_empty() {
        sections.push(attempts(job, clock));
    }
    if let Some(result) = job.result.as_ref().filter(|result| !result.artifacts.is_empty()) {
        let rows = result
            .artifacts
            .iter()
            .map(|artifact| vec![artifact.name.clone(), size(artifact.bytes), path(&artifact.key)]);
        sections.push(table(&["ARTIFACT", "SIZE", "WHERE"], rows));
    }
    sections.join("\n")
}

fn summary(job: &JobView, clock: &Clock) -> Vec<(&'static str, String)> {
    let submission = &job.submission;
    let mut fields = vec![("job", job.job_id.to_string()), ("state", state(job, clock))];
    let profile = submission.profile.as_ref().map(|profile| format!(", profile {profile}"));
    fields.push(("workload", format!("{}{}", submission.workload, profile.unwrap_or_default())));
    fields.push(("owner", format!("{}, priority {}", submission.owner, submission.priority)));
    fields.extend(job.sweep.as_ref().map(|sweep| ("sweep", sweep.to_string())));
    if !submission.labels.is_empty() {
        let labels = submission.labels.iter().map(|(name, value)| format!("{name}={value}"));
        fields.push(("labels", labels.collect::<Vec<_>>().join(" ")));
    }
    let params = submission.params.iter().map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name}={text}"),
        None => format!("{name}={value}"),
    });
    fields.push(("params", params.collect::<Vec<_>>().join(" ")));
    if !job.edits.is_empty() {
        fields.push(("edited", job.edits.to_string()));
    }
    fields.push(("submitted", clock.moment_and_distance(job.submitted_at)));
    if let Some(ended) = job.ended_at {
        fields.push(("ended", clock.moment_and_distance(ended)));
    }
    if let Some(waiting) = &job.waiting {
        fields.extend(waiting::place(waiting).map(|place| ("place", place)));
        // When the next attempt of one that backs off is due stands beside its state.
        let foretold = waiting.starts.filter(|_| job.next_attempt_at.is_none());
        fields.extend(foretold.and_then(|_| waiting::begins(waiting, clock)).map(|begins| ("start", begins)));
    }
    fields.extend(job.run_until.map(|at| ("runs until", clock.moment_and_distance(at))));
    fields.extend(
        job.predicted_finish.map(|at| ("done", format!("{} as predicted", clock.moment_and_distance(at)))),
    );
    fields.extend(job.warnings.iter().map(|warning| ("warning", warning.clone())));
    fields.extend(limits(job).map(|limits| ("limits", limits)));
    fields.extend(job.memory.as_ref().map(|need| ("memory", choice::memory(need))));
    if let Some(last) = job.attempts.last() {
        fields.push(("progress", progress(&last.progress)));
        fields.extend(last.progress.checkpoint_step.map(|step| ("checkpoint", format!("step {step}"))));
    }
    fields.push(("spent", spent(job)));
    fields.extend(job.failure.as_ref().map(|failure| ("failure", failure.to_string())));
    if let Some(result) = job.result.as_ref().filter(|result| !result.metrics.is_empty()) {
        fields.push(("result", figures(&result.metrics)));
    }
    fields
}

/// The state, with what a person would ask next.
fn state(job: &JobView, clock: &Clock) -> String {
    let name = job.state.as_str().replace('_', " ");
    let mut parts = vec![match job.state {
        JobState::Running | JobState::Offered => format!("{name} on {} {}", job.gpu, job.tier),
        _ => name,
    }];
    parts.extend(job.stopping.map(|cause| format!("told to stop: {}", cause.as_str())));
    parts.extend(job.cause.map(|cause| format!("{} by its sweep", cause.as_str().replace('_', " "))));
    parts.extend(job.next_attempt_at.map(|at| format!("next attempt at {}", clock.moment_and_distance(at))));
    parts.extend(job.waiting_for.clone());
    parts.join(", ")
}

/// The limits that the job itself sets.
fn limits(job: &JobView) -> Option<String> {
    let submission = &job.submission;
    let mut limits = Vec::new();
    limits.extend(submission.timeout.map(|timeout| match timeout {
        Timeout::Auto => "as long an attempt as it is predicted to need".into(),
        Timeout::After(time) => format!("{} an attempt", seconds(time)),
    }));
    let total = [submission.total.time.map(seconds), submission.total.usd.map(dollars)];
    let total: Vec<String> = total.into_iter().flatten().collect();
    if !total.is_empty() {
        limits.push(format!("{} in total", total.join(" and ")));
    }
    limits.extend(submission.retry.max_retries.map(|retries| format!("{retries} retries")));
    limits.extend(submission.retry.max_losses.map(|losses| format!("{losses} losses")));
    (!limits.is_empty()).then(|| limits.join(", "))
}

fn spent(job: &JobView) -> String {
    let ledger = &job.ledger;
    let mut spent = vec![dollars(ledger.usd)];
    if 0.0 < ledger.saved_usd {
        spent.push(format!("{} less than on demand", dollars(ledger.saved_usd)));
    }
    spent.extend([
        format!("{} running", seconds(ledger.running)),
        format!("{} queued", seconds(ledger.queued)),
        format!("{} backing off", seconds(ledger.backing_off)),
    ]);
    if Seconds::ZERO < ledger.paused {
        spent.push(format!("{} paused", seconds(ledger.paused)));
    }
    let mut count = |number: u64, one: &str, many: &str| match number {
        0 => {}
        1 => spent.push(format!("1 {one}")),
        _ => spent.push(format!("{number} {many}")),
    };
    count(ledger.retries.into(), "retry", "retries");
    count(ledger.losses.into(), "loss", "losses");
    count(ledger.preemptions.into(), "preemption", "preemptions");
    count(ledger.steps_repeated, "step done twice", "steps done twice");
    spent.join(", ")
}

fn attempts(job: &JobView, clock: &Clock) -> String {
    let header = ["ATTEMPT", "WORKER", "GPU", "STARTED", "RAN", "FROM STEP", "TO STEP", "COST", "ENDED"];
    table(
        &header,
        job.attempts.iter().map(|attempt| {
            let end = attempt.ended_at.unwrap_or(clock.now);
            vec![
                attempt.attempt.to_string(),
                attempt.worker.to_string(),
                format!("{} {}", attempt.gpu, attempt.tier),
                clock.moment(attempt.leased_at),
                length(end.since(attempt.leased_at)),
                attempt.resumed_from_step.map_or_else(String::new, |step| step.to_string()),
                steps(&attempt.progress),
                dollars(attempt.usd),
                how_it_ended(job, attempt),
            ]
        }),
    )
}

fn how_it_ended(job: &JobView, attempt: &AttemptView) -> String {
    let Some(failure) = &attempt.failure else {
        let is_last = job.attempts.last().is_some_and(|last| last.attempt == attempt.attempt);
        return match (attempt.ended_at, attempt.stopped) {
            (None, _) => String::new(),
            (Some(_), Some(cause)) => cause.as_str().replace('_', " "),
            (Some(_), None) if is_last && job.state.is_end() => job.state.to_string(),
            (Some(_), None) => "stopped".into(),
        };
    };
    let charged = attempt.charged_to.map(|charge| match charge {
        Charge::Retries => "; cost a retry",
        Charge::Losses => "; cost a loss",
        Charge::Preemptions => "; cost no retry",
        Charge::Nothing => "; charged to nothing",
    });
    let backoff = attempt.backoff.filter(|backoff| *backoff != Seconds::ZERO);
    let backoff = backoff.map(|backoff| format!("; {} until the next", seconds(backoff)));
    format!("{failure}{}{}", charged.unwrap_or_default(), backoff.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use contract::Timestamp;
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_job_is_told_in_full() {
        let text = include_str!("../../../../shared/contract/golden/job.view.v1.json");
        let job: JobView = contract::decode(text.as_bytes()).unwrap();
        let clock = Clock { now: Timestamp(job.submitted_at.0 + 3_600_000), zone: jiff::tz::TimeZone::UTC };
        let text = describe(&job, &clock, |key| format!("/data/checkpoints/{key}"));
        expect![[r#"
            job         flowers-7
            state       running on l4 spot, told to stop: preempted, early stopped by its sweep, next attempt at 00:02:00 (58m ago), a worker of class l4
            workload    classifier, profile fast
            owner       vision-team, priority 7
            sweep       flowers-lr
            labels      experiment=baseline
            params      data=datasets/flowers epochs=20 lr=0.001
            edited      gpu=a100 memory_mib=16384 params.lr=0.01 prefer=cheapest priority=9 retry.max_retries=5 spot=never timeout=7200.0
            submitted   00:00:00 (1h ago)
            ended       00:10:00 (50m ago)
            place       number 2 in its line, 3 jobs ahead
            runs until  01:00:05 (in 5.0s)
            done        00:05:04 (54m 56s ago) as predicted
            warning     predicted to finish in 3m 44s
            limits      1h an attempt, 4h and $2.50 in total, 5 retries, 3 losses
            memory      8192 MiB: as resources.memory_mib says
            progress    step 1200/4000 (30 %), epoch 3, loss 0.4375, 12.5 steps/s, 3m 44s left
            checkpoint  step 1000
            spent       $0.01, $0.0060 less than on demand, 1m running, 5.0s queued, 10s backing off, 30s paused, 1 retry, 200 steps done twice
            failure     oom: out of memory at batch_size 64 in 4 parts
            result      val_accuracy 0.9375, val_loss 0.25

            CLASS         MEMORY     AN HOUR  CHOICE  WHY
            l4 spot       23034 MiB  $0.24    taken   the first of the classes the job asks for
            l4 on-demand  23034 MiB  $0.60    later   comes after l4 (spot)

            ATTEMPT  WORKER      GPU      STARTED   RAN  FROM STEP  TO STEP           COST   ENDED
            1        gpu-host-0  l4 spot  00:00:05  1m   0          1200/4000 (30 %)  $0.01  transient: cannot read data/datasets/flowers: connection reset by peer; cost a retry; 10s until the next

            ARTIFACT           SIZE   WHERE
            model.safetensors  47 MB  /data/checkpoints/jobs/flowers-7/artifacts/model.safetensors
        "#]].assert_eq(&text);
    }
}
