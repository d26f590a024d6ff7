//! The programs a system is made of.

use std::path::PathBuf;

use crate::MemoryGroup;

/// One program: what is started, again and again after each kill, under a name of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its name in this system; a trainer's is its worker id.
    pub name: String,
    /// The program's file.
    pub file: &'static str,
    /// Its command line.
    pub arguments: &'static [&'static str],
    /// What is set besides the settings file.
    pub variables: Vec<(String, String)>,
    /// The control group that its processes are in, where that is not the test's own.
    pub group: Option<PathBuf>,
}

/// The name of the one scheduler of most systems.
pub const SCHEDULER: &str = "scheduler";
/// The name of the checkpoint-store.
pub const STORE: &str = "checkpoint-store";

impl Program {
    /// A scheduler.
    pub fn scheduler(name: &str) -> Self {
        Self::plain(name, "scheduler", &[])
    }

    /// The checkpoint-store.
    pub fn store() -> Self {
        Self::plain(STORE, "checkpoint-store", &[])
    }

    /// A trainer of the step workload.
    pub fn step_trainer(worker: &str) -> Self {
        Self::trainer(worker, "step-trainer", &["step"])
    }

    /// A trainer of the nop workload.
    pub fn nop_trainer(worker: &str) -> Self {
        Self::trainer(worker, "step-trainer", &["nop"])
    }

    /// A trainer of images.
    pub fn classifier_trainer(worker: &str) -> Self {
        Self::trainer(worker, "classifier-trainer", &[])
    }

    /// A trainer of diffusion transformers.
    pub fn dit_trainer(worker: &str) -> Self {
        Self::trainer(worker, "dit-trainer", &[])
    }

    /// `rekindle up`: scheduler, checkpoint-store and one classifier-trainer, kept running.
    pub fn up() -> Self {
        Self::plain("up", "rekindle", &["up", "--trainers", "1"])
    }

    fn trainer(worker: &str, file: &'static str, arguments: &'static [&'static str]) -> Self {
        Self::plain(worker, file, arguments).with("REKINDLE__WORKER__ID", worker)
    }

    fn plain(name: &str, file: &'static str, arguments: &'static [&'static str]) -> Self {
        Self { name: name.into(), file, arguments, variables: Vec::new(), group: None }
    }

    /// The same, offering another class.
    pub fn on(self, class: &str) -> Self {
        self.with("REKINDLE__WORKER__GPU", class)
    }

    /// The same, on a machine that may be taken away.
    pub fn on_spot(self) -> Self {
        self.with("REKINDLE__WORKER__TIER", "spot")
    }

    /// The same in a control group.
    pub fn inside(mut self, group: &MemoryGroup) -> Self {
        self.group = Some(group.folder().into());
        self
    }

    /// The same with one more variable.
    pub fn with(mut self, variable: &str, value: &str) -> Self {
        self.variables.push((variable.into(), value.into()));
        self
    }
}
