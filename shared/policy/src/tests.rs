//! The policy's promises, against the `rekindle.toml` that ships.

mod backing_off;
mod choosing;
mod classifying;
mod conformance;
mod costing;
mod deciding;
mod expecting;
mod forecasting;
mod resolving;
mod sweeping;

use std::collections::BTreeMap;

use contract::{GpuClass, SubmitJob, Workload};
use serde::Deserialize;
use serde_json::json;

use crate::{GpuPrice, Terms, Unresolved, WorkloadPolicy, profile_params, resolve};

/// The part of `rekindle.toml` that is policy.
#[derive(Deserialize)]
struct Shipped {
    gpu: BTreeMap<GpuClass, GpuPrice>,
    workloads: BTreeMap<Workload, WorkloadPolicy>,
}

fn shipped() -> Shipped {
    toml::from_str(include_str!("../../../rekindle.toml")).unwrap()
}

/// A submission written as JSON, with what its profile says of parameters.
fn filled_in(submission: serde_json::Value) -> SubmitJob {
    let submission: SubmitJob = serde_json::from_value(submission).unwrap();
    let params = profile_params(&submission, &shipped().workloads);
    submission.with_default_params(params)
}

/// Resolves a submission written as JSON against the shipped policy.
fn resolved(submission: serde_json::Value) -> Result<Terms, Unresolved> {
    let Shipped { gpu, workloads } = shipped();
    resolve(&filled_in(submission), &workloads, &gpu)
}

/// The terms of a classifier job with everything left to the policy.
fn classifier() -> Terms {
    resolved(json!({ "workload": "classifier" })).unwrap()
}

fn classes(terms: &Terms) -> String {
    let names: Vec<&str> = terms.candidates.iter().map(|candidate| candidate.gpu.as_str()).collect();
    names.join(" ")
}
