//! Commands in words.

use contract::{
    Seconds, SweepView, Timestamp,
    control::{JobView, LedgerView, OwnerList, OwnerView, StartKind, WaitReason, Waiting, WorkerView},
    lease::{ClaimAnswer, Grant, Verdict},
};

use crate::core::{Answer, Command, JobEvent, Offer};

/// What a command says, for people; nothing for what is only saved.
pub(super) fn spell(command: &Command, start: Timestamp) -> Option<String> {
    let spelt = match command {
        Command::SaveJob(_) | Command::SaveSweep(_) | Command::SaveWorker(_) | Command::Record { .. } => {
            return None;
        }
        Command::RemoveJob(job) => format!("remove {}", job.id),
        Command::ForgetWorker(id) => format!("forget {id}"),
        Command::Offer(Offer { job_id, attempt, placement, due, .. }) => {
            format!("offer {job_id}.{attempt} to {placement} at {}", seconds(*due, start))
        }
        Command::Tell(event) => told(event, start),
        Command::Bury(letter) => {
            format!("bury {} with {} attempts", letter.job.job_id, letter.job.attempts.len())
        }
        Command::Answer(answer) => answered(answer, start)?,
    };
    Some(spelt)
}

fn told(event: &JobEvent, start: Timestamp) -> String {
    match event {
        JobEvent::Queued(event) => {
            let edits = if event.edits.is_empty() { String::new() } else { format!(" with {}", event.edits) };
            format!("tell queued {}{edits}{}", event.job_id, if event.fresh { ", fresh" } else { "" })
        }
        JobEvent::Leased(event) => {
            format!("tell leased {}.{} by {}", event.job_id, event.attempt, event.worker)
        }
        JobEvent::Retrying(event) => {
            let due = seconds(event.next_at, start);
            format!("tell retrying {}.{} at {due}, after {}", event.job_id, event.attempt, event.failure)
        }
        JobEvent::Warned(event) => {
            format!("tell warned {}.{}: {}", event.job_id, event.attempt, event.warning)
        }
        JobEvent::Paused(event) => format!("tell paused {}", event.job_id),
        JobEvent::Resumed(event) => format!("tell resumed {}", event.job_id),
        JobEvent::Ended(event) => match &event.failure {
            Some(failure) => format!("tell {} {}: {failure}", event.state, event.job_id),
            None => format!("tell {} {}", event.state, event.job_id),
        },
    }
}

fn answered(answer: &Answer, start: Timestamp) -> Option<String> {
    let spelt = match answer {
        Answer::Accepted(accepted) if accepted.duplicate => format!("known, {}", accepted.state),
        Answer::Accepted(_) => "accepted".into(),
        Answer::Refused(refused) => format!("refused: {refused}"),
        Answer::Estimate(estimate) => format!("estimate: {} USD", estimate.worst_usd),
        Answer::Job(view) => shown(view, start),
        Answer::Welcome(welcome) if welcome.draining => "welcome, draining".into(),
        Answer::Welcome(_) | Answer::Done => return None,
        Answer::Claim(answer) => match &**answer {
            ClaimAnswer::Granted(grant) => {
                let Grant { job_id, attempt, run_limit, run_limit_cause, fresh_after, micro_batches, .. } =
                    grant;
                let fresh = match fresh_after {
                    0 => String::new(),
                    attempt => format!(", afresh after {attempt}"),
                };
                let parts = micro_batches.map(|n| format!(" in {n} micro-batches")).unwrap_or_default();
                let cause = run_limit_cause.as_str();
                format!("grant {job_id}.{attempt} for {run_limit} ({cause}){parts}{fresh}")
            }
            ClaimAnswer::Refused { why, .. } => format!("no: {why}"),
        },
        Answer::Heartbeat(answer) => {
            let mut words = vec![if answer.known { "known" } else { "unknown" }];
            words.extend(answer.runs.iter().map(|verdict| match verdict {
                Verdict::Continue => "continue",
                Verdict::Stop { cause } => cause.as_str(),
            }));
            let limits = answer.limits.iter().map(|limit| {
                let cause = limit.run_limit_cause.as_str();
                format!("{}.{} for {} ({cause})", limit.job_id, limit.attempt, limit.run_limit)
            });
            words.extend(answer.draining.then_some("draining"));
            words.into_iter().map(str::to_owned).chain(limits).collect::<Vec<_>>().join(", ")
        }
        Answer::Sweep(view) => swept(view),
        Answer::Owners(list) => owners(list),
        Answer::Workers(list) if list.workers.is_empty() => "nobody".into(),
        Answer::Workers(list) => list.workers.iter().map(present).collect::<Vec<_>>().join("; "),
        Answer::Worker(view) => present(view),
    };
    Some(spelt)
}

/// `w1 runs a, draining`
fn present(view: &WorkerView) -> String {
    let running: Vec<&str> = view.running.iter().map(|job| job.as_str()).collect();
    let running = if running.is_empty() { "nothing".into() } else { running.join(" ") };
    let marks = [(view.draining, ", draining"), (view.gone, ", gone")];
    let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
    format!("{} runs {running}{marks}", view.worker)
}

/// `running, 2 of 6 launched: 1 running 0.5; 2 cancelled early_stopped 0.25`
fn swept(view: &SweepView) -> String {
    let trials = view.trials.iter().filter_map(|trial| {
        let state = trial.state?.to_string();
        let cause = trial.cause.map(|cause| format!(" {}", cause.as_str())).unwrap_or_default();
        let best = trial.best.map(|best| format!(" {best}")).unwrap_or_default();
        Some(format!("{} {state}{cause}{best}", trial.number))
    });
    let trials = trials.collect::<Vec<_>>().join("; ");
    let summary = &view.summary;
    let why = summary.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    let best = summary.best.as_ref().map(|best| format!("; best {}", best.number)).unwrap_or_default();
    format!("{}{why}, {} of {} launched: {trials}{best}", summary.state, summary.launched, summary.trials)
}

fn shown(view: &JobView, start: Timestamp) -> String {
    let LedgerView { queued, backing_off, running, paused, usd, steps_repeated, .. } = view.ledger;
    let mut words = vec![
        format!("{} on {}", view.state, view.gpu),
        format!("queued {queued}, backing off {backing_off}, running {running}, {usd:.6} USD"),
    ];
    words.extend((Seconds::ZERO < paused).then(|| format!("paused {paused}")));
    words.extend(view.predicted_finish.map(|at| format!("done at {}", seconds(at, start))));
    words.extend(view.warnings.iter().map(|warning| format!("warning: {warning}")));
    words.extend(view.stopping.map(|cause| format!("stopping: {}", cause.as_str())));
    words.extend(view.next_attempt_at.map(|at| format!("next attempt at {}", seconds(at, start))));
    words.extend(view.waiting_for.as_ref().map(|reason| format!("waiting: {reason}")));
    words.extend((!view.edits.is_empty()).then(|| format!("edited: {}", view.edits)));
    words.extend(view.waiting.as_ref().and_then(|waiting| placed(waiting, start)));
    words.extend((0 < steps_repeated).then(|| format!("{steps_repeated} steps repeated")));
    words.join("; ")
}

/// `place 2, 3 ahead, begins about 60s`; nothing for the first without a start.
fn placed(waiting: &Waiting, start: Timestamp) -> Option<String> {
    let mut words = Vec::new();
    if let (Some(position), Some(ahead)) = (waiting.position, waiting.ahead)
        && (position, ahead) != (1, 0)
    {
        words.push(format!("place {position}, {ahead} ahead"));
    }
    words.extend(waiting.starts.filter(|_| waiting.reason != WaitReason::Backoff).map(|begin| {
        let kind = match begin.kind {
            StartKind::About => "about",
            StartKind::NotBefore => "not before",
        };
        format!("begins {kind} {}", seconds(begin.at, start))
    }));
    (!words.is_empty()).then(|| words.join(", "))
}

/// Seconds since the beginning of the script.
fn seconds(at: Timestamp, start: Timestamp) -> String {
    format!("{}s", at.since(start).as_secs_f64())
}

fn owners(list: &OwnerList) -> String {
    let owners = list.owners.iter().map(|owner| {
        let OwnerView { owner, monthly_usd, spent_usd, reserved_usd, left_usd, waiting } = owner;
        let money = |usd: &Option<f64>| usd.map_or_else(|| "no limit".into(), |usd| format!("{usd:.4}"));
        let (cap, left) = (money(monthly_usd), money(left_usd));
        format!("{owner}: {spent_usd:.4} spent and {reserved_usd:.4} reserved of {cap}, {left} left, {waiting} wait")
    });
    format!("{}: {}", list.month, owners.collect::<Vec<_>>().join("; "))
}
