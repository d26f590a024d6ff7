//! The programs a system is made of.

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
}

/// The name of the one scheduler of most systems.
pub const SCHEDULER: &str = "scheduler";
/// The name of the checkpoint-store.
pub const STORE: &str = "checkpoint-store";

impl Program {
    /// A scheduler.
    pub fn scheduler(name: &str) -> Self {
        Self { name: name.into(), file: "scheduler", arguments: &[], variables: Vec::new() }
    }

    /// The checkpoint-store.
    pub fn store() -> Self {
        Self { name: STORE.into(), file: "checkpoint-store", arguments: &[], variables: Vec::new() }
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

    /// `rekindle up`: scheduler, checkpoint-store and one classifier-trainer, kept running.
    pub fn up() -> Self {
        let arguments = &["up", "--trainers", "1"];
        Self { name: "up".into(), file: "rekindle", arguments, variables: Vec::new() }
    }

    fn trainer(worker: &str, file: &'static str, arguments: &'static [&'static str]) -> Self {
        let id = ("REKINDLE__WORKER__ID".to_owned(), worker.to_owned());
        Self { name: worker.into(), file, arguments, variables: vec![id] }
    }

    /// The same, offering another class.
    pub fn on(mut self, class: &str) -> Self {
        self.variables.push(("REKINDLE__WORKER__GPU".into(), class.into()));
        self
    }

    /// The same, on a machine that may be taken away.
    pub fn on_spot(mut self) -> Self {
        self.variables.push(("REKINDLE__WORKER__TIER".into(), "spot".into()));
        self
    }
}
