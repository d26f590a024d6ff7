//! Properties: no bytes break the reader, and what is written is what is read.

use contract::{
    Failure, Seconds, SubmitJob, Timeout, TotalLimits, Workload, control::JobView, decode, encode,
    events::AttemptEnded, lease::Progress,
};
use proptest::prelude::*;
use serde_json::Value;

proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(decode::<SubmitJob>(&bytes).is_err());
    }

    #[test]
    fn no_damage_to_a_message_breaks_the_reader(at in 0usize..2000, byte in any::<u8>(), cut in any::<bool>()) {
        let mut bytes = include_bytes!("../../golden/job.view.v1.json").to_vec();
        let at = at % bytes.len();
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        if let Ok(view) = decode::<JobView>(&bytes) {
            prop_assert_eq!(decode::<JobView>(&encode(&view)).unwrap(), view);
        }
        prop_assert!(decode::<AttemptEnded>(&bytes).is_err());
    }

    #[test]
    fn a_submission_is_read_as_it_was_written(
        params in proptest::collection::btree_map("[a-z_]{1,12}", value(), 0..8),
        usd in proptest::option::of(0.0..1e9),
        seconds in proptest::option::of(1e-9..1e9),
        priority in 0u8..=9,
        owner in "\\PC{1,64}",
        labels in proptest::collection::btree_map("\\PC{0,16}", "\\PC{0,16}", 0..8),
    ) {
        let submission = SubmitJob {
            total: TotalLimits { time: seconds.and_then(Seconds::new), usd },
            timeout: seconds.and_then(Seconds::new).map(Timeout::After),
            priority,
            owner,
            labels,
            ..SubmitJob::new(Workload::new("classifier").unwrap(), params.into_iter().collect())
        };
        prop_assert_eq!(submission.validate(), Ok(()));
        prop_assert_eq!(decode::<SubmitJob>(&encode(&submission)).unwrap(), submission);
    }

    #[test]
    fn a_length_of_time_is_read_as_it_was_written(seconds in 0.0..1e12) {
        let time = Seconds::new(seconds).unwrap();
        let text = serde_json::to_string(&time).unwrap();
        prop_assert_eq!(serde_json::from_str::<Seconds>(&text).unwrap(), time);
        prop_assert_eq!(text.parse::<Seconds>().unwrap(), time);
    }

    #[test]
    fn a_failure_fits_whatever_it_says(message in "\\PC{0,2000}") {
        let failure = Failure::permanent(message.clone());
        prop_assert!(failure.message.len() <= Failure::MAX_MESSAGE_BYTES);
        let kept = failure.message.strip_suffix('…').unwrap_or(&failure.message);
        prop_assert!(message.starts_with(kept));
    }
}

#[test]
fn lengths_of_time_that_are_none() {
    for text in ["-1", "nan", "inf", "1e999", "soon", ""] {
        assert!(text.parse::<Seconds>().is_err(), "{text}");
    }
    assert!(serde_json::from_str::<Seconds>("-0.5").is_err());
    assert_eq!(serde_json::from_str::<Seconds>("\"1h 30m\"").unwrap().as_f64(), 5400.0);
}

/// A figure that is not finite must never make a report unreadable, so it is left out before it is sent.
#[test]
fn a_loss_that_is_left_out_reads_as_absent() {
    let progress: Progress = serde_json::from_value(serde_json::json!({ "step": 3, "loss": null })).unwrap();
    assert_eq!(progress, Progress { step: 3, ..Progress::default() });
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9f64).prop_map(Value::from),
        "\\PC{0,16}".prop_map(Value::from),
    ]
}
