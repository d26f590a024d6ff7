//! The JSON Schema of every message, generated from the types.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use crate::{
    JobAccepted, Message, Refused, SubmitJob, checkpoints, classifier::ClassifierParams, control, events,
    lease,
};

/// One message's schema.
#[derive(Debug, Clone)]
pub struct MessageSchema {
    /// The message's kind.
    pub kind: &'static str,
    /// The version described.
    pub version: u32,
    /// The schema, draft 2020-12, envelope included.
    pub schema: Value,
}

/// The schemas of all messages, by kind.
pub fn messages() -> Vec<MessageSchema> {
    let mut schemas = vec![
        of::<SubmitJob>(),
        of::<JobAccepted>(),
        of::<Refused>(),
        of::<lease::OfferAttempt>(),
        of::<lease::Hello>(),
        of::<lease::Welcome>(),
        of::<lease::Goodbye>(),
        of::<lease::Done>(),
        of::<lease::Claim>(),
        of::<lease::ClaimAnswer>(),
        of::<lease::Heartbeat>(),
        of::<lease::HeartbeatAnswer>(),
        of::<events::AttemptStarted>(),
        of::<events::AttemptProgress>(),
        of::<events::AttemptMetrics>(),
        of::<events::AttemptNote>(),
        of::<events::AttemptCheckpointed>(),
        of::<events::AttemptEnded>(),
        of::<events::JobQueued>(),
        of::<events::JobLeased>(),
        of::<events::JobRetrying>(),
        of::<events::JobEnded>(),
        of::<events::DeadLetter>(),
        of::<control::GetJob>(),
        of::<control::JobView>(),
        of::<control::ListJobs>(),
        of::<control::JobList>(),
        of::<control::GetHistory>(),
        of::<control::History>(),
        of::<control::CancelJob>(),
        of::<control::RedriveJob>(),
        of::<control::EstimateJob>(),
        of::<control::EstimateReply>(),
        of::<control::ListWorkers>(),
        of::<control::WorkerList>(),
        of::<checkpoints::OpenHistory>(),
        of::<checkpoints::OpenedHistory>(),
        of::<checkpoints::CommitCheckpoint>(),
        of::<checkpoints::Committed>(),
        of::<checkpoints::ListCheckpoints>(),
        of::<checkpoints::CheckpointList>(),
    ];
    schemas.sort_by_key(|schema| schema.kind);
    schemas
}

/// The schema of the `classifier` workload's parameters.
pub fn classifier_params() -> Value {
    root::<ClassifierParams>()
}

fn of<M: Message>() -> MessageSchema {
    let mut schema = root::<M>();
    let object = schema.as_object_mut().expect("a message's schema is an object");
    let properties = object.entry("properties").or_insert_with(|| json!({}));
    properties["kind"] = json!({ "const": M::KIND });
    properties["version"] = json!({ "type": "integer", "minimum": 1, "maximum": M::VERSION });
    let required = object.entry("required").or_insert_with(|| json!([]));
    let names = required.as_array_mut().expect("required is a list");
    names.push("kind".into());
    names.push("version".into());
    MessageSchema { kind: M::KIND, version: M::VERSION, schema }
}

fn root<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}
