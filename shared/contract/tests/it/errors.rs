//! Each way a message can be wrong is told apart, and says what would be right.

use std::error::Error;

use contract::{
    DecodeError, MAX_MESSAGE_BYTES, SubmitJob, Workload, control::GetJob, decode, kind_of,
    lease::OfferAttempt,
};
use serde_json::{Map, json};

/// The whole chain of an error in one line.
fn told(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line = format!("{line}: {cause}");
        source = cause.source();
    }
    line
}

fn refused(bytes: &[u8]) -> String {
    told(&decode::<OfferAttempt>(bytes).expect_err("these bytes are no offer"))
}

#[test]
fn bytes_that_are_no_message() {
    let not_an_envelope = "the message is not a JSON object with \"kind\" and \"version\": ";
    for (bytes, why) in [
        (&b"\xff\x00garbage"[..], "expected value at line 1 column 1"),
        (b"", "EOF while parsing a value at line 1 column 0"),
        (b"{\"kind\": \"attempt.offer\"", "EOF while parsing an object at line 1 column 24"),
        (b"[\"attempt.offer\", 1]", "invalid type: sequence, expected a map at line 1 column 0"),
        (b"{\"version\": 1}", "missing field `kind`"),
        (b"{\"kind\": \"attempt.offer\"}", "missing field `version`"),
        (b"{\"kind\": \"attempt.offer\", \"version\": \"1\"}", "invalid type: string \"1\", expected u32"),
    ] {
        assert_eq!(refused(bytes), format!("{not_an_envelope}{why}"));
        assert!(matches!(kind_of(bytes), Err(DecodeError::NotAnEnvelope(_))));
    }
}

#[test]
fn a_message_of_another_kind() {
    let other = contract::encode(&GetJob { job_id: "a".parse().unwrap() });
    assert_eq!(refused(&other), "the message is a \"job.get\"; \"attempt.offer\" was expected here");
    assert_eq!(kind_of(&other).unwrap(), "job.get");
}

#[test]
fn a_message_of_a_newer_release() {
    let newer = json!({ "kind": "attempt.offer", "version": 2, "job_id": "a", "attempt": 1 }).to_string();
    assert_eq!(
        refused(newer.as_bytes()),
        "attempt.offer version 2 is newer than 1, the newest this release reads; upgrade this service"
    );
}

#[test]
fn a_message_with_wrong_fields() {
    let body = |fields: serde_json::Value| {
        let mut message = json!({ "kind": "attempt.offer", "version": 1 });
        message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        refused(message.to_string().as_bytes())
    };
    let wrong = "attempt.offer does not have the right fields: ";
    assert_eq!(body(json!({ "job_id": "a" })), format!("{wrong}missing field `attempt`"));
    assert_eq!(
        body(json!({ "job_id": "../etc", "attempt": 1 })),
        format!(
            "{wrong}job id \"../etc\" is not valid: it takes 1 to 64 characters of a-z, A-Z, 0-9, '-' and '_'"
        )
    );
    assert_eq!(
        body(json!({ "job_id": "a", "attempt": -1 })),
        format!("{wrong}invalid value: integer `-1`, expected u32")
    );
}

#[test]
fn a_message_that_is_too_large_is_not_parsed() {
    let fits = vec![b'x'; MAX_MESSAGE_BYTES];
    assert!(matches!(decode::<OfferAttempt>(&fits), Err(DecodeError::NotAnEnvelope(_))));
    let larger = vec![b'x'; MAX_MESSAGE_BYTES + 1];
    assert_eq!(refused(&larger), "the message has 65537 bytes; at most 65536 are read");
}

#[test]
fn a_submission_that_breaks_a_rule() {
    let workload = Workload::new("classifier").unwrap();
    let told = |change: &dyn Fn(&mut SubmitJob)| {
        let mut submission = SubmitJob::new(workload.clone(), Map::new());
        change(&mut submission);
        submission.validate().map_err(|error| error.to_string())
    };

    assert_eq!(told(&|_| {}), Ok(()));
    assert_eq!(told(&|s| s.owner = "é".repeat(64)), Ok(()));
    for (change, problem) in [
        (&|s: &mut SubmitJob| s.priority = 10, "priority is 10; it goes from 0 to 9"),
        (&|s: &mut SubmitJob| s.owner.clear(), "owner has 0 characters; it takes 1 to 64"),
        (
            &|s: &mut SubmitJob| s.labels = (0..33).map(|n| (n.to_string(), String::new())).collect(),
            "labels has 33 entries; at most 32 are kept",
        ),
        (
            &|s: &mut SubmitJob| s.timeout = Some("0".parse().unwrap()),
            "timeout is zero; leave it out for the workload's default",
        ),
        (
            &|s: &mut SubmitJob| s.total.usd = Some(-1.0),
            "total.usd is not an amount of money; write a number of dollars, 0 or more",
        ),
        (
            &|s: &mut SubmitJob| s.retry.backoff_coefficient = Some(0.5),
            "retry.backoff_coefficient is outside 1 to 100",
        ),
    ] as [(&dyn Fn(&mut SubmitJob), &str); 6]
    {
        assert_eq!(told(change), Err(problem.to_owned()));
    }

    let large = told(&|s| {
        s.params.insert("notes".into(), "x".repeat(contract::MAX_SUBMISSION_BYTES).into());
    });
    assert!(large.unwrap_err().ends_with("bytes; at most 24576 are taken"));
}
