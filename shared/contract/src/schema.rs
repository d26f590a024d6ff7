//! The JSON Schema of every message, generated from the types.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use crate::{
    JobAccepted, Message, Refused, SubmitJob, checkpoints, classifier::ClassifierParams, control,
    dit::DitParams, events, lease, sweep,
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

/// Something to do with the type of every message.
pub trait Visitor {
    /// Is called once for each.
    fn visit<M: Message>(&mut self);
}

/// Shows `visitor` every message there is: the one list of them.
pub fn visit_messages(visitor: &mut impl Visitor) {
    visitor.visit::<SubmitJob>();
    visitor.visit::<JobAccepted>();
    visitor.visit::<Refused>();
    visitor.visit::<lease::OfferAttempt>();
    visitor.visit::<lease::Hello>();
    visitor.visit::<lease::Welcome>();
    visitor.visit::<lease::Goodbye>();
    visitor.visit::<lease::Done>();
    visitor.visit::<lease::Claim>();
    visitor.visit::<lease::ClaimAnswer>();
    visitor.visit::<lease::Heartbeat>();
    visitor.visit::<lease::HeartbeatAnswer>();
    visitor.visit::<events::AttemptStarted>();
    visitor.visit::<events::AttemptProgress>();
    visitor.visit::<events::AttemptMetrics>();
    visitor.visit::<events::AttemptNote>();
    visitor.visit::<events::AttemptCheckpointed>();
    visitor.visit::<events::AttemptEnded>();
    visitor.visit::<events::JobQueued>();
    visitor.visit::<events::JobLeased>();
    visitor.visit::<events::JobRetrying>();
    visitor.visit::<events::JobWarned>();
    visitor.visit::<events::JobPaused>();
    visitor.visit::<events::JobResumed>();
    visitor.visit::<events::JobEnded>();
    visitor.visit::<events::DeadLetter>();
    visitor.visit::<control::GetJob>();
    visitor.visit::<control::JobView>();
    visitor.visit::<control::ListJobs>();
    visitor.visit::<control::JobList>();
    visitor.visit::<control::GetHistory>();
    visitor.visit::<control::History>();
    visitor.visit::<control::CancelJob>();
    visitor.visit::<control::PauseJob>();
    visitor.visit::<control::ResumeJob>();
    visitor.visit::<control::RedriveJob>();
    visitor.visit::<control::RemoveJob>();
    visitor.visit::<control::EstimateJob>();
    visitor.visit::<control::EstimateReply>();
    visitor.visit::<control::GetCost>();
    visitor.visit::<control::Cost>();
    visitor.visit::<control::ListOwners>();
    visitor.visit::<control::OwnerList>();
    visitor.visit::<sweep::SubmitSweep>();
    visitor.visit::<sweep::SweepView>();
    visitor.visit::<sweep::GetSweep>();
    visitor.visit::<sweep::ListSweeps>();
    visitor.visit::<sweep::SweepList>();
    visitor.visit::<sweep::CancelSweep>();
    visitor.visit::<sweep::ResumeSweep>();
    visitor.visit::<control::ListWorkers>();
    visitor.visit::<control::WorkerList>();
    visitor.visit::<control::DrainWorker>();
    visitor.visit::<control::WorkerView>();
    visitor.visit::<checkpoints::OpenHistory>();
    visitor.visit::<checkpoints::OpenedHistory>();
    visitor.visit::<checkpoints::CommitCheckpoint>();
    visitor.visit::<checkpoints::Committed>();
    visitor.visit::<checkpoints::ListCheckpoints>();
    visitor.visit::<checkpoints::CheckpointList>();
    visitor.visit::<checkpoints::RemoveHistory>();
    visitor.visit::<checkpoints::Removed>();
}

/// The schemas of all messages, by kind.
pub fn messages() -> Vec<MessageSchema> {
    struct Schemas(Vec<MessageSchema>);

    impl Visitor for Schemas {
        fn visit<M: Message>(&mut self) {
            self.0.push(of::<M>());
        }
    }

    let mut schemas = Schemas(Vec::new());
    visit_messages(&mut schemas);
    schemas.0.sort_by_key(|schema| schema.kind);
    schemas.0
}

/// The schema of the `classifier` workload's parameters.
pub fn classifier_params() -> Value {
    root::<ClassifierParams>()
}

/// The schema of the `dit` workload's parameters.
pub fn dit_params() -> Value {
    root::<DitParams>()
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
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
    unlink(&mut schema);
    schema
}

/// Descriptions come from the types' documentation, whose links mean nothing outside of it.
fn unlink(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(text)) = fields.get_mut("description") {
                *text = text.replace("[`", "`").replace("`]", "`").replace("`crate::", "`");
            }
            fields.values_mut().for_each(unlink);
        }
        Value::Array(items) => items.iter_mut().for_each(unlink),
        _ => {}
    }
}
