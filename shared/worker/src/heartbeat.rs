//! Telling the scheduler that this worker lives and how far its runs are, and hearing what to do with them.

use std::{sync::Arc, time::Duration};

use broker::{Outgoing, RequestError};
use contract::{
    Timestamp,
    events::AttemptProgress,
    lease::{Heartbeat, HeartbeatAnswer, Verdict, Welcome},
};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::{run_state::RunState, worker::Worker};

/// How long the scheduler may take to answer one question: short enough that another one is asked before a lease runs
/// out.
pub(crate) fn patience(welcome: &Welcome) -> Duration {
    (welcome.lease.to_duration() / 2).max(Duration::from_millis(100))
}

/// Reports until `end`. Unanswered reports change nothing: the runs go on, and the fencing token judges in the end.
pub(crate) async fn beat(worker: &Worker, welcome: &Welcome, end: &CancellationToken) {
    let patience = patience(welcome);
    let mut ticks = interval(welcome.heartbeat.to_duration().max(Duration::from_millis(10)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let beats = async {
        let mut heard = true;
        loop {
            ticks.tick().await;
            let runs = worker.runs.all();
            let (answer, ()) =
                tokio::join!(ask(worker, &runs, patience), tell_watchers(worker, &runs, patience));
            match answer {
                Ok(answer) => {
                    if !heard {
                        tracing::info!("the scheduler answers again");
                    }
                    heard = true;
                    obey(&runs, &answer);
                    if answer.known {
                        worker.rest(answer.draining);
                    } else {
                        tracing::info!("the scheduler does not know this worker; introducing it again");
                        worker.introduce_again(patience).await;
                    }
                }
                Err(error) if heard => {
                    heard = false;
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the scheduler does not answer; what runs goes on"
                    );
                }
                Err(_) => {}
            }
        }
    };
    end.run_until_cancelled(beats).await;
}

async fn ask(
    worker: &Worker,
    runs: &[Arc<RunState>],
    patience: Duration,
) -> Result<HeartbeatAnswer, RequestError> {
    let heartbeat = Heartbeat {
        worker: worker.hello.worker.clone(),
        incarnation: worker.hello.incarnation,
        runs: runs.iter().map(|run| run.as_report()).collect(),
    };
    worker.broker.request(&heartbeat, patience).await
}

/// Progress for whoever watches. It is not kept, so none is owed while the broker is away.
async fn tell_watchers(worker: &Worker, runs: &[Arc<RunState>], patience: Duration) {
    if runs.is_empty() || !*worker.broker.online().borrow() {
        return;
    }
    let event = |run: &Arc<RunState>| {
        let at = Timestamp::now();
        let progress = run.progress();
        let event = AttemptProgress { job_id: run.job_id.clone(), attempt: run.attempt, progress, at };
        Outgoing::event(&event).transient()
    };
    let events = runs.iter().map(event).collect();
    if timeout(patience, worker.broker.publish_all(events)).await.is_err() {
        tracing::debug!("progress was not published in time");
    }
}

/// Does what the scheduler says of each run. An answer that does not fit the runs asked about says nothing.
fn obey(runs: &[Arc<RunState>], answer: &HeartbeatAnswer) {
    if answer.runs.len() != runs.len() {
        if answer.known {
            tracing::error!(
                asked = runs.len(),
                answered = answer.runs.len(),
                "the scheduler's answer does not fit the heartbeat"
            );
        }
        return;
    }
    for limit in &answer.limits {
        if let Some(run) = runs.iter().find(|run| run.is_attempt(&limit.job_id, limit.attempt)) {
            run.move_limit(limit.run_limit.to_duration(), limit.run_limit_cause);
        }
    }
    for (run, verdict) in runs.iter().zip(&answer.runs) {
        match verdict {
            Verdict::Continue => {}
            Verdict::Stop { cause } => run.request_stop(*cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::{JobId, StopCause, lease::MovedLimit};

    use super::*;

    fn stop(cause: StopCause) -> Verdict {
        Verdict::Stop { cause }
    }

    #[test]
    fn each_run_hears_its_own_verdict() {
        let runs = [1, 2, 3].map(|attempt| Arc::new(RunState::new(JobId::generate(), attempt)));
        let verdicts = vec![Verdict::Continue, stop(StopCause::Cancelled), stop(StopCause::Superseded)];
        obey(&runs, &HeartbeatAnswer { known: true, runs: verdicts, limits: vec![], draining: false });
        let causes = runs.each_ref().map(|run| run.stop().map(|stop| stop.cause));
        assert_eq!(causes, [None, Some(StopCause::Cancelled), Some(StopCause::Superseded)]);
    }

    #[test]
    fn a_question_is_asked_twice_within_any_lease() {
        for lease in [Duration::from_secs(3), Duration::from_secs(10), Duration::from_secs(3600)] {
            let welcome = Welcome { heartbeat: lease.into(), lease: lease.into(), draining: false };
            assert!(2 * patience(&welcome) <= lease);
        }
    }

    #[test]
    fn a_run_hears_of_its_moved_limit() {
        let runs = [1, 2].map(|attempt| Arc::new(RunState::new(JobId::generate(), attempt)));
        let limit = MovedLimit {
            job_id: runs[1].job_id.clone(),
            attempt: 2,
            run_limit: Duration::from_secs(90).into(),
            run_limit_cause: StopCause::Timeout,
        };
        let runs_go_on = vec![Verdict::Continue; 2];
        let answer = HeartbeatAnswer { known: true, runs: runs_go_on, limits: vec![limit], draining: false };
        obey(&runs, &answer);
        let limits = runs.each_ref().map(|run| run.signs().moved_limit);
        assert_eq!(limits, [None, Some((Duration::from_secs(90), StopCause::Timeout))]);
    }

    #[test]
    fn an_answer_about_other_runs_stops_none() {
        let runs = [1, 2].map(|attempt| Arc::new(RunState::new(JobId::generate(), attempt)));
        let verdicts = vec![stop(StopCause::Cancelled)];
        obey(&runs, &HeartbeatAnswer { known: true, runs: verdicts, limits: vec![], draining: false });
        assert!(runs.iter().all(|run| run.stop().is_none()));
    }
}
