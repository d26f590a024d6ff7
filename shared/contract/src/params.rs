//! What the parameters of all workloads have in common.

use std::fmt::Display;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{Workload, classifier::ClassifierParams, dit::DitParams};

/// The parameters of one workload.
pub trait WorkloadParams: Serialize + DeserializeOwned {
    /// The workload's name.
    const WORKLOAD: &'static str;
    /// Parameters that do not change what is computed. The data counts by its content, not by its path.
    const IMMATERIAL: &'static [&'static str];

    /// Checks what their types leave open.
    ///
    /// # Errors
    /// Names the parameter, what it holds and what it may hold.
    fn validate(&self) -> Result<(), ParamsError>;

    /// Reads and checks the parameters of a submission.
    ///
    /// # Errors
    /// Names the parameter, what it holds and what it may hold.
    fn parse(params: &Map<String, Value>) -> Result<Self, ParamsError> {
        let parsed: Self = serde_json::from_value(Value::Object(params.clone()))
            .map_err(|error| ParamsError(error.to_string()))?;
        parsed.validate()?;
        Ok(parsed)
    }

    /// The parameters by name, defaults included.
    fn by_name(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(params)) => params,
            _ => unreachable!("parameters are read from a JSON object"),
        }
    }
}

/// A parameter that is missing, misspelt or out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("params: {0}")]
pub struct ParamsError(String);

/// The arithmetic of forward and backward; weights and optimiser state are always fp32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    Fp32,
    /// bfloat16 where it is safe.
    Bf16,
}

/// Checks the parameters of a job of this workload. Those of workloads that are not Rekindle's own are not known here.
///
/// # Errors
/// Names the parameter, what it holds and what it may hold.
pub fn check(workload: &Workload, params: &Map<String, Value>) -> Result<(), ParamsError> {
    match workload.as_str() {
        ClassifierParams::WORKLOAD => ClassifierParams::parse(params).map(drop),
        DitParams::WORKLOAD => DitParams::parse(params).map(drop),
        _ => Ok(()),
    }
}

/// Checks parameters that jobs get where they set none of that name: they have to be right beside every default.
///
/// # Errors
/// Names the parameter, what it holds and what it may hold.
pub fn check_defaults(workload: &Workload, params: &Map<String, Value>) -> Result<(), ParamsError> {
    let mut whole = params.clone();
    // What every job has to say itself.
    whole.entry("data").or_insert_with(|| "images".into());
    check(workload, &whole)
}

/// In what the parameters of two jobs of this workload differ so that neither goes on from the other's checkpoints;
/// nothing where that cannot be known.
pub fn differences(workload: &Workload, then: &Map<String, Value>, now: &Map<String, Value>) -> Vec<String> {
    fn of<P: WorkloadParams>(then: &Map<String, Value>, now: &Map<String, Value>) -> Vec<String> {
        match (P::parse(then), P::parse(now)) {
            (Ok(then), Ok(now)) => material_differences::<P>(&then.by_name(), &now.by_name()),
            _ => Vec::new(),
        }
    }
    match workload.as_str() {
        ClassifierParams::WORKLOAD => of::<ClassifierParams>(then, now),
        DitParams::WORKLOAD => of::<DitParams>(then, now),
        _ => Vec::new(),
    }
}

/// In what two runs' parameters, defaults included, differ so that neither goes on from the other's checkpoints:
/// `lr was 0.001 and is 0.01`.
pub fn material_differences<P: WorkloadParams>(
    then: &Map<String, Value>,
    now: &Map<String, Value>,
) -> Vec<String> {
    let mut names: Vec<&String> = then.keys().chain(now.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let material = names.into_iter().filter(|name| !P::IMMATERIAL.contains(&name.as_str()));
    let shown = |params: &Map<String, Value>, name: &str| {
        params.get(name).map_or("not set".to_owned(), Value::to_string)
    };
    let differing = material.map(|name| (name, shown(then, name), shown(now, name)));
    differing
        .filter(|(_, then, now)| then != now)
        .map(|(name, then, now)| format!("{name} was {then} and is {now}"))
        .collect()
}

/// That a parameter is right; else the error that says what it is and what it takes.
pub(crate) fn right(is_right: bool, name: &str, given: impl Display, takes: &str) -> Result<(), ParamsError> {
    if is_right { Ok(()) } else { Err(ParamsError(format!("{name} is {given}; it takes {takes}"))) }
}

/// Whether it is a number of 0 to `most`.
pub(crate) fn is_up_to(most: f64, value: f64) -> bool {
    (0.0..=most).contains(&value)
}
