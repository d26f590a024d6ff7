//! How much device memory a job needs, estimated before it is sent anywhere.
//!
//! What a step keeps is counted for each workload beside this. To the sum come a tenth for what the allocator cannot use,
//! and a fixed [`CONTEXT_MIB`]. A workload without an estimate here runs on every class of its list;
//! `resources.memory_mib` says what it needs.

mod classifier;
mod dit;

use contract::{
    MemoryNeed, MemorySource, SubmitJob,
    classifier::ClassifierParams,
    dit::DitParams,
    params::{Precision, WorkloadParams},
};

/// The CUDA context, the kernels of libtorch and cuDNN, and the work space of convolutions, in MiB. On a CPU the program
/// and its libraries come to about as much.
const CONTEXT_MIB: u64 = 1024;
const MIB: u64 = 1024 * 1024;

/// What a job needs: what it asks for, else what its workload is estimated at; `None` where neither is known.
pub fn memory_need(submission: &SubmitJob) -> Option<MemoryNeed> {
    if let Some(mib) = submission.resources.memory_mib {
        let basis = "as resources.memory_mib says".into();
        return Some(MemoryNeed { mib, source: MemorySource::Asked, basis });
    }
    let run = Run::of(submission)?;
    Some(MemoryNeed { mib: run.mib(), source: MemorySource::Estimated, basis: run.basis() })
}

/// The least `accumulation` with which a job fits into `mib`, and what it needs then.
pub(crate) fn accumulation_that_fits(submission: &SubmitJob, mib: u64) -> Option<(u32, u64)> {
    let run = Run::of(submission)?;
    let batch_size = run.batch_size();
    let divisors = (1..=batch_size).filter(|parts| batch_size.is_multiple_of(*parts));
    divisors
        .map(|accumulation| (accumulation, run.clone().in_parts(accumulation).mib()))
        .find(|(_, needed)| *needed <= mib)
}

/// A run whose memory can be estimated.
#[derive(Debug, Clone)]
enum Run {
    Classifier(ClassifierParams),
    Dit(DitParams),
}

impl Run {
    fn of(submission: &SubmitJob) -> Option<Self> {
        let params = &submission.params;
        match submission.workload.as_str() {
            ClassifierParams::WORKLOAD => ClassifierParams::parse(params).ok().map(Self::Classifier),
            DitParams::WORKLOAD => DitParams::parse(params).ok().map(Self::Dit),
            _ => None,
        }
    }

    fn mib(&self) -> u64 {
        let bytes = match self {
            Self::Classifier(params) => classifier::bytes(params),
            Self::Dit(params) => dit::bytes(params),
        };
        (bytes + bytes / 10).div_ceil(MIB) + CONTEXT_MIB
    }

    fn basis(&self) -> String {
        let (name, image_size, precision, part) = match self {
            Self::Classifier(params) => (
                classifier::name(params),
                params.image_size,
                params.precision,
                params.batch_size / params.accumulation,
            ),
            Self::Dit(params) => (
                dit::name(params),
                params.shape().image_size,
                params.precision,
                params.batch_size / params.accumulation,
            ),
        };
        let precision = match precision {
            Precision::Fp32 => "fp32",
            Precision::Bf16 => "bf16",
        };
        format!("{name}, {part} images of {image_size} pixels at a time, {precision}")
    }

    fn batch_size(&self) -> u32 {
        match self {
            Self::Classifier(params) => params.batch_size,
            Self::Dit(params) => params.batch_size,
        }
    }

    fn in_parts(self, accumulation: u32) -> Self {
        match self {
            Self::Classifier(params) => Self::Classifier(ClassifierParams { accumulation, ..params }),
            Self::Dit(params) => Self::Dit(DitParams { accumulation, ..params }),
        }
    }
}

/// How many bytes an activation takes, and the copy of a weight that layers see.
fn precision_bytes(precision: Precision) -> (u64, u64) {
    match precision {
        Precision::Fp32 => (4, 0),
        Precision::Bf16 => (2, 2),
    }
}

/// How many bytes a parameter's gradients take that are summed up over parts.
fn sum_bytes(accumulation: u32) -> u64 {
    if 1 < accumulation { 4 } else { 0 }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn submission(params: Value) -> SubmitJob {
        serde_json::from_value(json!({ "workload": "classifier", "params": params })).unwrap()
    }

    fn mib(params: Value) -> u64 {
        memory_need(&submission(params)).unwrap().mib
    }

    #[test]
    fn more_of_anything_needs_more() {
        let base = json!({ "data": "cats", "arch": "resnet34", "batch_size": 64, "image_size": 128 });
        let with = |key: &str, value: Value| {
            let mut params = base.clone();
            params[key] = value;
            mib(params)
        };
        let middle = mib(base.clone());
        assert!(with("arch", json!("resnet18")) < middle && middle < with("arch", json!("resnet50")));
        assert!(with("batch_size", json!(32)) < middle && middle < with("batch_size", json!(65)));
        assert!(with("image_size", json!(96)) < middle && middle < with("image_size", json!(224)));
        assert!(with("precision", json!("bf16")) < middle);
        assert!(with("stem", json!("small")) > middle);
        assert!(with("accumulation", json!(4)) < middle);
        assert_eq!(with("epochs", json!(7)), middle);
    }

    /// The figures of `docs/scheduler.md` and `docs/cli.md`.
    #[test]
    fn the_documentation_has_the_figures() {
        let resnet50 = |batch_size: u32| {
            mib(
                json!({ "data": "imagenet", "arch": "resnet50", "batch_size": batch_size, "image_size": 224 }),
            )
        };
        let small = json!({ "data": "digits", "batch_size": 60, "image_size": 16, "stem": "small" });
        assert_eq!(mib(small), 1303);
        assert_eq!((mib(json!({ "data": "digits" })), resnet50(64), resnet50(192)), (1877, 7743, 20_322));
    }

    /// What is known of ResNet-50 on ImageNet: 64 images fit into 8 GB and not into 6, 256 into 40 GB and not into 16.
    #[test]
    fn the_estimate_is_of_the_size_that_practice_knows() {
        let resnet50 = |batch_size: u32| {
            mib(
                json!({ "data": "imagenet", "arch": "resnet50", "batch_size": batch_size, "image_size": 224 }),
            )
        };
        assert!((6_000..8_192).contains(&resnet50(64)), "{}", resnet50(64));
        assert!((16_384..40_960).contains(&resnet50(256)), "{}", resnet50(256));
    }

    #[test]
    fn what_the_job_says_wins_and_what_nobody_knows_is_not_guessed() {
        let mut asked = submission(json!({ "data": "cats" }));
        asked.resources.memory_mib = Some(777);
        let need = memory_need(&asked).unwrap();
        assert_eq!((need.mib, need.source), (777, MemorySource::Asked));
        assert_eq!(memory_need(&submission(json!({ "data": "cats", "arch": "vgg" }))), None);
        let poetry: SubmitJob = serde_json::from_value(json!({ "workload": "poetry" })).unwrap();
        assert_eq!(memory_need(&poetry), None);
    }

    #[test]
    fn accumulation_makes_a_large_batch_fit() {
        let large = submission(json!({
            "data": "imagenet", "arch": "resnet50", "batch_size": 1024, "image_size": 224
        }));
        let (accumulation, needed) = accumulation_that_fits(&large, 40_960).unwrap();
        assert!(needed <= 40_960 && accumulation == 4, "{accumulation} {needed}");
        assert_eq!(accumulation_that_fits(&large, 900), None);
    }
}
