//! What can be asked of this service.

use contract::{
    DecodeError, Message, Refusal, Refused,
    checkpoints::{CommitCheckpoint, ListCheckpoints, OpenHistory, RemoveHistory},
};

use checkpoints::{HistoryError, StoreError};

/// A request, read.
#[derive(Debug)]
pub(crate) enum Request {
    Open(OpenHistory),
    Commit(CommitCheckpoint),
    List(ListCheckpoints),
    Remove(RemoveHistory),
}

impl Request {
    /// Reads whichever request it is.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let kind = contract::kind_of(body)?;
        match kind.as_str() {
            OpenHistory::KIND => contract::decode(body).map(Self::Open),
            CommitCheckpoint::KIND => contract::decode(body).map(Self::Commit),
            ListCheckpoints::KIND => contract::decode(body).map(Self::List),
            RemoveHistory::KIND => contract::decode(body).map(Self::Remove),
            _ => Err(DecodeError::WrongKind {
                found: kind,
                expected: "checkpoint.open, checkpoint.commit, checkpoint.list or checkpoint.remove",
            }),
        }
    }
}

/// What an error means to whoever asked.
pub(crate) fn refused(error: HistoryError) -> Refused {
    let reason = match &error {
        HistoryError::Fenced { .. } => Refusal::Fenced,
        HistoryError::Late { .. } => Refusal::Conflict,
        HistoryError::NotOpened { .. }
        | HistoryError::Foreign { .. }
        | HistoryError::Store(StoreError::Damaged { .. }) => Refusal::Invalid,
        HistoryError::Store(_) => Refusal::Unavailable,
    };
    Refused::new(reason, format!("{:#}", anyhow::Error::from(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_request_of_ours_is_told_what_would_be() {
        let job_id = contract::JobId::new("a").unwrap();
        let list = contract::encode(&ListCheckpoints { job_id, verify: true });
        assert!(matches!(Request::decode(&list), Ok(Request::List(list)) if list.verify));

        let goodbye = br#"{ "kind": "worker.goodbye", "version": 1 }"#;
        let told = Request::decode(goodbye).unwrap_err().to_string();
        assert!(told.contains("checkpoint.commit, checkpoint.list or checkpoint.remove"), "{told}");
        assert!(matches!(Request::decode(b"what?"), Err(DecodeError::NotAnEnvelope(_))));
    }

    #[test]
    fn who_is_refused_is_told_whether_to_ask_again() {
        let job = || contract::JobId::new("a").unwrap();
        let key = || "jobs/a/data/x".to_owned();
        let check = |error: HistoryError, expected: (Refusal, &str)| {
            let Refused { reason, message } = refused(error);
            assert_eq!((reason, message.as_str()), expected);
        };
        check(
            HistoryError::Fenced { job: job(), token: 1, newest: 2 },
            (Refusal::Fenced, "attempt 1 was overtaken: attempt 2 has opened the history of job a"),
        );
        check(
            HistoryError::Late { job: job(), token: 1, step: 10, newest: 20 },
            (Refusal::Conflict, "step 10 of job a comes too late: attempt 1 has already committed step 20"),
        );
        check(
            StoreError::Damaged { key: key(), problem: "the file is missing".into() }.into(),
            (Refusal::Invalid, "jobs/a/data/x is damaged: the file is missing"),
        );
        check(
            StoreError::Full { key: key() }.into(),
            (Refusal::Unavailable, "no space left to write jobs/a/data/x"),
        );
    }
}
