//! What a run came to: from what its thread returned, or threw, to the end that is reported.

use contract::{
    Failure, FailureClass, StopCause,
    events::{AttemptEnd, RunResult},
};
use policy::{FailureRule, RULE_CLASSES, known_failure, ruled};

use crate::{RunError, notice::Notice, thread::Died};

/// The longest explanation that is passed on; a message has to stay small.
const LONGEST_TEXT: usize = 8 * 1024;

/// The end of a run whose thread came to `returned`, and which had been asked to stop or not. What went wrong is judged
/// by the operator's `rules` before anything else.
pub(crate) fn end_of(
    returned: Result<Result<RunResult, RunError>, Died>,
    asked: Option<StopCause>,
    rules: &[FailureRule],
) -> AttemptEnd {
    let error = match returned {
        Ok(Ok(_)) if asked == Some(StopCause::Superseded) => return AttemptEnd::Superseded,
        Ok(Ok(mut result)) => {
            result.metrics.retain(|_, figure| figure.is_finite());
            return AttemptEnd::Succeeded(result);
        }
        Ok(Err(error)) => error,
        Err(died) => RunError::Failed(failure_of(&died)),
    };
    let error = match error {
        RunError::Failed(failure) => RunError::Failed(as_ruled(failure, rules)),
        stopped @ RunError::Stopped(_) => stopped,
    };
    match (error, asked) {
        (RunError::Stopped(_), Some(cause)) => stopped(cause, None),
        (RunError::Stopped(cause), None) => stopped(cause, None),
        // What would fail again must not pass for a stop; all else that goes wrong while stopping is the stop's.
        (RunError::Failed(failure), asked) => match (failure.class, asked) {
            (FailureClass::Permanent | FailureClass::Oom, _) | (_, None) => {
                AttemptEnd::Failed(shortened(failure))
            }
            (_, Some(cause)) => stopped(cause, Some(&shortened(failure).message)),
        },
    }
}

/// The end of a run that stopped for `cause`, with what else there is to say.
pub(crate) fn stopped(cause: StopCause, detail: Option<&str>) -> AttemptEnd {
    let (class, text) = match cause {
        StopCause::Cancelled | StopCause::EarlyStopped => return AttemptEnd::Cancelled,
        StopCause::Paused => return AttemptEnd::Paused,
        StopCause::Superseded => return AttemptEnd::Superseded,
        StopCause::Preempted => (FailureClass::Preempted, "the worker was told to stop"),
        StopCause::Timeout => (FailureClass::Timeout, "the attempt used up its time"),
        StopCause::Budget => {
            (FailureClass::Budget, "going on would have passed a cap of money, or the job's total time")
        }
    };
    let message = detail.map_or_else(|| text.to_owned(), |detail| format!("{text}; {detail}"));
    AttemptEnd::Failed(Failure::new(class, message))
}

/// The end of a run on a machine of which the cloud has given `notice`. Only what was stopped for it is told of it.
pub(crate) fn because_of(notice: &Notice, end: AttemptEnd) -> AttemptEnd {
    match end {
        AttemptEnd::Failed(failure) if failure.class == FailureClass::Preempted => {
            AttemptEnd::Failed(Failure::new(failure.class, format!("{notice}: {}", failure.message)))
        }
        end => end,
    }
}

/// What a thread's death means for the next attempt. libtorch reports by panicking, so its words are looked at.
fn failure_of(died: &Died) -> Failure {
    let text = match died {
        Died::NotStarted(error) => return Failure::transient(format!("no thread for the run: {error}")),
        Died::Panicked(text) => text,
    };
    match known_failure(text) {
        Some(known) if text.to_lowercase().contains(known.what) => Failure::new(known.class, text),
        Some(known) => Failure::new(known.class, format!("{}: {text}", known.what)),
        None => Failure::transient(format!("the trainer panicked: {text}")),
    }
}

/// What the death of a trainer's process by a signal, such as `SIGSEGV`, means for what it ran. One that nobody knows
/// leaves that lost, as a death does of which nothing is known.
pub(crate) fn killed_by(signal: &str, rules: &[FailureRule]) -> Failure {
    let text = format!("the trainer's process was killed by {signal}");
    let failure = match known_failure(&text) {
        Some(known) => Failure::new(known.class, format!("{}: {text}", known.what)),
        None => Failure::new(FailureClass::Lost, text),
    };
    as_ruled(failure, rules)
}

/// Whether libtorch's words say that memory did not suffice.
pub fn is_out_of_memory(text: &str) -> bool {
    known_failure(text).is_some_and(|known| known.class == FailureClass::Oom)
}

/// The failure as the operator's rules see it. They judge what went wrong, not why a run was told to stop.
fn as_ruled(failure: Failure, rules: &[FailureRule]) -> Failure {
    match ruled(&failure.message, rules).filter(|_| RULE_CLASSES.contains(&failure.class)) {
        Some(rule) => {
            let text = format!("failure rule {:?} says {}: {}", rule.pattern, rule.class, failure.message);
            Failure { class: rule.class, ..failure.reworded(text) }
        }
        None => failure,
    }
}

fn shortened(mut failure: Failure) -> Failure {
    failure.message = shorten(failure.message);
    failure
}

/// Cuts a text that is too long to be passed on.
pub(crate) fn shorten(mut text: String) -> String {
    if LONGEST_TEXT < text.len() {
        text.truncate(text.floor_char_boundary(LONGEST_TEXT));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(class: FailureClass, message: &str) -> AttemptEnd {
        AttemptEnd::Failed(Failure::new(class, message))
    }

    fn panicked(text: &str) -> AttemptEnd {
        end_of(Err(Died::Panicked(text.into())), None, &[])
    }

    #[test]
    fn a_panic_is_judged_by_its_words() {
        assert_eq!(
            panicked("index out of bounds"),
            failed(FailureClass::Transient, "the trainer panicked: index out of bounds")
        );
        let oom = "CUDA out of memory. Tried to allocate 2.00 GiB";
        assert_eq!(panicked(oom), failed(FailureClass::Oom, oom));
        let host = "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: not enough memory";
        assert_eq!(panicked(host), failed(FailureClass::Oom, &format!("out of memory: {host}")));
        let cuda = "CUDA error: an illegal memory access was encountered";
        assert_eq!(panicked(cuda), failed(FailureClass::Transient, &format!("the GPU failed: {cuda}")));
        let full = "write /scratch/x: No space left on device (os error 28)";
        assert_eq!(panicked(full), failed(FailureClass::Transient, &format!("a disk is full: {full}")));
    }

    #[test]
    fn the_signal_that_a_process_died_of_is_judged_by_the_table_and_by_rules() {
        let rule = |pattern: &str, class| FailureRule { pattern: pattern.into(), class };
        let rules = [rule("sigbus", FailureClass::Oom), rule("sigkill", FailureClass::Permanent)];
        let told = |signal| killed_by(signal, &rules).to_string();
        assert_eq!(
            told("SIGSEGV"),
            "transient: the process used an address that is not its own: the trainer's process was killed by SIGSEGV"
        );
        assert_eq!(
            told("SIGBUS"),
            "oom: failure rule \"sigbus\" says oom: memory or a file in use was gone: the trainer's process was killed \
             by SIGBUS"
        );
        // What was done to the process is no matter of words.
        assert_eq!(
            told("SIGKILL"),
            "lost: somebody killed the process: the trainer's process was killed by SIGKILL"
        );
        assert_eq!(told("SIGSYS"), "lost: the trainer's process was killed by SIGSYS");
    }

    #[test]
    fn an_operators_rule_comes_before_the_table_and_is_named() {
        let rule = |pattern: &str, class| FailureRule { pattern: pattern.into(), class };
        let rules =
            [rule("Launch Failure", FailureClass::Permanent), rule("told to", FailureClass::Permanent)];
        let cuda = "CUDA error: unspecified launch failure";
        assert_eq!(
            end_of(Err(Died::Panicked(cuda.into())), None, &rules),
            failed(
                FailureClass::Permanent,
                "failure rule \"Launch Failure\" says permanent: the GPU failed: CUDA error: unspecified launch failure"
            )
        );
        // What a trainer returns is judged as well, but not a stop.
        let told = Failure::transient("the licence server told to wait");
        let AttemptEnd::Failed(failure) = end_of(Ok(Err(RunError::Failed(told))), None, &rules) else {
            panic!("it failed");
        };
        assert_eq!(failure.class, FailureClass::Permanent);
        let stop = Ok(Err(RunError::Stopped(StopCause::Preempted)));
        assert_eq!(
            end_of(stop, None, &rules),
            failed(FailureClass::Preempted, "the worker was told to stop")
        );
    }

    #[test]
    fn a_run_that_was_asked_to_stop_ends_by_what_it_was_asked_for() {
        let stop = |cause| end_of(Ok(Err(RunError::Stopped(cause))), Some(cause), &[]);
        assert_eq!(stop(StopCause::Cancelled), AttemptEnd::Cancelled);
        assert_eq!(stop(StopCause::EarlyStopped), AttemptEnd::Cancelled);
        assert_eq!(stop(StopCause::Paused), AttemptEnd::Paused);
        assert_eq!(stop(StopCause::Superseded), AttemptEnd::Superseded);
        assert_eq!(stop(StopCause::Timeout), failed(FailureClass::Timeout, "the attempt used up its time"));

        // The cause may have changed after the trainer looked.
        let end = end_of(Ok(Err(RunError::Stopped(StopCause::Preempted))), Some(StopCause::Superseded), &[]);
        assert_eq!(end, AttemptEnd::Superseded);
    }

    #[test]
    fn trouble_while_stopping_does_not_cost_a_retry_but_what_would_fail_again_is_told() {
        let end = |failure| end_of(Ok(Err(RunError::Failed(failure))), Some(StopCause::Preempted), &[]);
        assert_eq!(
            end(Failure::transient("the store is away")),
            failed(FailureClass::Preempted, "the worker was told to stop; the store is away")
        );
        assert_eq!(end(Failure::permanent("no images")), AttemptEnd::Failed(Failure::permanent("no images")));
    }

    #[test]
    fn work_that_is_done_is_done_unless_another_attempt_does_it() {
        let mut result = RunResult::default();
        result.metrics.insert("loss".into(), f64::NAN);
        result.metrics.insert("accuracy".into(), 0.9);
        let end = end_of(Ok(Ok(result.clone())), Some(StopCause::Preempted), &[]);
        result.metrics.remove("loss");
        assert_eq!(end, AttemptEnd::Succeeded(result.clone()));
        assert_eq!(end_of(Ok(Ok(result)), Some(StopCause::Superseded), &[]), AttemptEnd::Superseded);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = shorten("é".repeat(LONGEST_TEXT));
        assert!(text.len() <= LONGEST_TEXT + '…'.len_utf8());
        assert!(text.ends_with('…'));
        assert_eq!(shorten("short".into()), "short");
    }
}
