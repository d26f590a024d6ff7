//! What the words of a failure mean: libtorch, CUDA and the system report in text, and the text decides the class.

use contract::FailureClass::{self, Lost, Oom, Permanent, Preempted, Transient};
use serde::{Deserialize, Deserializer, de::Error};

/// `[[failure_rules]]`: what an operator knows about failures of their own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureRule {
    /// What the failure's text contains, in any case of letters.
    pub pattern: String,
    /// The class that such a failure has.
    #[serde(deserialize_with = "rule_class")]
    pub class: FailureClass,
}

/// Reads one of [`RULE_CLASSES`]; the error says which these are.
fn rule_class<'de, D: Deserializer<'de>>(deserializer: D) -> Result<FailureClass, D::Error> {
    let name = String::deserialize(deserializer)?;
    RULE_CLASSES.into_iter().find(|class| class.as_str() == name).ok_or_else(|| {
        let right = RULE_CLASSES.map(FailureClass::as_str).join(", ");
        D::Error::custom(format!("{name} is no class for a rule; it takes one of {right}"))
    })
}

/// The classes that a rule may give. The others are known from what was done, never from words.
pub const RULE_CLASSES: [FailureClass; 3] = [Permanent, Transient, Oom];

/// One line of the built-in table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownFailure {
    /// What its text contains, in small letters.
    pub pattern: &'static str,
    /// Its class.
    pub class: FailureClass,
    /// What happened, for people.
    pub what: &'static str,
}

const fn known(pattern: &'static str, class: FailureClass, what: &'static str) -> KnownFailure {
    KnownFailure { pattern, class, what }
}

/// What is known of texts. The first that fits decides, so the particular stand before the general.
pub const KNOWN_FAILURES: &[KnownFailure] = &[
    // Memory, of the device and of the host.
    known("out of memory", Oom, "out of memory"),
    known("not enough memory", Oom, "out of memory"),
    known("alloc_failed", Oom, "out of memory"),
    known("cannot allocate memory", Oom, "out of memory"),
    known("memory allocation failed", Oom, "out of memory"),
    // A kernel that met an index out of range meets it again: the order of the data is fixed.
    known("device-side assert", Permanent, "the GPU met an index out of range"),
    // The device, its driver and its libraries; a new process or another machine may do better.
    known("illegal memory access", Transient, "the GPU failed"),
    known("misaligned address", Transient, "the GPU failed"),
    known("uncorrectable ecc", Transient, "the GPU's memory is damaged"),
    known("ecc error", Transient, "the GPU's memory is damaged"),
    known("fallen off the bus", Transient, "the GPU is gone"),
    known("no kernel image is available", Transient, "this libtorch does not know the GPU"),
    known("driver version is insufficient", Transient, "the GPU's driver is too old"),
    known("cuda-capable device", Transient, "the GPU is gone or taken"),
    known("cuda error", Transient, "the GPU failed"),
    known("cudnn", Transient, "cuDNN failed"),
    known("cublas", Transient, "cuBLAS failed"),
    known("nccl", Transient, "NCCL failed"),
    known("nvml", Transient, "NVML failed"),
    // The signal that a trainer's process died of. Which of its runs is to blame is not known, so none is permanent.
    known("killed by sigkill", Lost, "somebody killed the process"),
    known("killed by sigsegv", Transient, "the process used an address that is not its own"),
    known("killed by sigbus", Transient, "memory or a file in use was gone"),
    known("killed by sigabrt", Transient, "a library gave up"),
    known("killed by sigill", Transient, "this machine does not know an instruction"),
    known("killed by sigfpe", Transient, "a library divided by zero"),
    known("killed by sigterm", Preempted, "the process was told to go"),
    known("killed by sigint", Preempted, "the process was told to go"),
    known("killed by sighup", Preempted, "the process was told to go"),
    // The system: what is away or full today may be there tomorrow.
    known("no space left on device", Transient, "a disk is full"),
    known("disk quota exceeded", Transient, "a disk quota is used up"),
    known("read-only file system", Transient, "a disk cannot be written"),
    known("input/output error", Transient, "a disk failed"),
    known("stale file handle", Transient, "a network disk went away"),
    known("too many open files", Transient, "the process has too many files open"),
    known("connection reset", Transient, "the network failed"),
    known("connection refused", Transient, "the network failed"),
    known("connection timed out", Transient, "the network failed"),
    known("broken pipe", Transient, "the network failed"),
    known("network is unreachable", Transient, "the network failed"),
];

/// The first of the operator's rules that a text fits.
pub fn ruled<'a>(text: &str, rules: &'a [FailureRule]) -> Option<&'a FailureRule> {
    let text = text.to_lowercase();
    rules.iter().find(|rule| text.contains(&rule.pattern.to_lowercase()))
}

/// The first line of the built-in table that a text fits.
pub fn known_failure(text: &str) -> Option<&'static KnownFailure> {
    let text = text.to_lowercase();
    KNOWN_FAILURES.iter().find(|known| text.contains(known.pattern))
}
