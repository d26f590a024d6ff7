//! What the texts of failures come to, a line of the table each.

use contract::FailureClass::{self, Lost, Oom, Permanent, Preempted, Transient};

use crate::{FailureRule, KNOWN_FAILURES, known_failure, ruled};

/// A text as it is met, the pattern that has to decide, and the class.
const MET: &[(&str, &str, FailureClass)] = &[
    ("CUDA out of memory. Tried to allocate 2.00 GiB", "out of memory", Oom),
    ("CUDA error: out of memory", "out of memory", Oom),
    ("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes", "not enough memory", Oom),
    ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate", "alloc_failed", Oom),
    ("mmap: Cannot allocate memory (os error 12)", "cannot allocate memory", Oom),
    (
        "memory allocation failed because the memory allocator returned an error",
        "memory allocation failed",
        Oom,
    ),
    ("CUDA error: device-side assert triggered", "device-side assert", Permanent),
    ("CUDA error: an illegal memory access was encountered", "illegal memory access", Transient),
    ("CUDA error: misaligned address", "misaligned address", Transient),
    ("CUDA error: uncorrectable ECC error encountered", "uncorrectable ecc", Transient),
    ("double bit ECC error on device 0", "ecc error", Transient),
    ("GPU 0000:3b:00.0 has fallen off the bus", "fallen off the bus", Transient),
    ("CUDA error: no kernel image is available for execution", "no kernel image is available", Transient),
    ("CUDA driver version is insufficient for the runtime", "driver version is insufficient", Transient),
    ("CUDA error: no CUDA-capable device is detected", "cuda-capable device", Transient),
    ("CUDA error: unspecified launch failure", "cuda error", Transient),
    ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", "cudnn", Transient),
    ("CUBLAS_STATUS_EXECUTION_FAILED when calling sgemm", "cublas", Transient),
    ("NCCL communicator was aborted", "nccl", Transient),
    ("NVML: Driver/library version mismatch", "nvml", Transient),
    ("the trainer's process was killed by SIGKILL", "killed by sigkill", Lost),
    ("the trainer's process was killed by SIGSEGV", "killed by sigsegv", Transient),
    ("the trainer's process was killed by SIGBUS", "killed by sigbus", Transient),
    ("the trainer's process was killed by SIGABRT", "killed by sigabrt", Transient),
    ("the trainer's process was killed by SIGILL", "killed by sigill", Transient),
    ("the trainer's process was killed by SIGFPE", "killed by sigfpe", Transient),
    ("the trainer's process was killed by SIGTERM", "killed by sigterm", Preempted),
    ("the trainer's process was killed by SIGINT", "killed by sigint", Preempted),
    ("the trainer's process was killed by SIGHUP", "killed by sighup", Preempted),
    ("write /scratch/x: No space left on device (os error 28)", "no space left on device", Transient),
    ("Disk quota exceeded (os error 122)", "disk quota exceeded", Transient),
    ("Read-only file system (os error 30)", "read-only file system", Transient),
    ("Input/output error (os error 5)", "input/output error", Transient),
    ("Stale file handle (os error 116)", "stale file handle", Transient),
    ("Too many open files (os error 24)", "too many open files", Transient),
    ("Connection reset by peer (os error 104)", "connection reset", Transient),
    ("Connection refused (os error 111)", "connection refused", Transient),
    ("Connection timed out (os error 110)", "connection timed out", Transient),
    ("Broken pipe (os error 32)", "broken pipe", Transient),
    ("Network is unreachable (os error 101)", "network is unreachable", Transient),
];

#[test]
fn each_line_of_the_table_decides_the_text_it_is_for() {
    for (text, pattern, class) in MET {
        let found = known_failure(text).map(|known| (known.pattern, known.class));
        assert_eq!(found, Some((*pattern, *class)), "{text}");
    }
}

#[test]
fn no_line_of_the_table_goes_without_a_text() {
    for known in KNOWN_FAILURES {
        assert!(MET.iter().any(|(_, pattern, _)| *pattern == known.pattern), "{}", known.pattern);
        assert_eq!(known.pattern, known.pattern.to_lowercase(), "patterns are compared in small letters");
    }
}

#[test]
fn what_nobody_knows_has_no_class_of_its_own() {
    assert_eq!(known_failure("index out of bounds: the len is 3 but the index is 3"), None);
}

#[test]
fn the_first_rule_that_fits_decides_whatever_its_letters() {
    let rule = |pattern: &str, class| FailureRule { pattern: pattern.into(), class };
    let rules = [rule("Licence SERVER", Transient), rule("licence", Permanent)];
    assert_eq!(ruled("the licence server is away", &rules), Some(&rules[0]));
    assert_eq!(ruled("no LICENCE", &rules), Some(&rules[1]));
    assert_eq!(ruled("something else", &rules), None);
}
