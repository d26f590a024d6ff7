//! What runs, in which order, with which settings.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, ensure};
use contract::WorkerId;
use settings::Settings;

use super::gpus::Gpu;

/// How long a service without runs of its own may take to stop.
const SERVICE_GRACE: Duration = Duration::from_secs(10);
/// What a trainer gets beyond its runs' grace, to say how they ended.
const FAREWELL: Duration = Duration::from_secs(5);

/// One process to keep running.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// What its log lines begin with.
    pub(crate) name: String,
    /// What it is, for people.
    pub(crate) description: String,
    /// Its program.
    pub(crate) program: PathBuf,
    /// Its command line.
    pub(crate) arguments: Vec<String>,
    /// What is set for it besides this process's own variables.
    pub(crate) variables: Vec<(String, String)>,
    /// How long it may take to stop once it is told to.
    pub(crate) grace: Duration,
}

/// Everything that `up` keeps running besides the broker.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Started first to last, stopped last to first.
    pub(crate) stages: Vec<Vec<Service>>,
    /// The trainers' names.
    pub(crate) workers: Vec<WorkerId>,
}

/// The trainers of one workload.
struct TrainerKind {
    workload: &'static str,
    program: &'static str,
    /// What their log lines begin with.
    service: &'static str,
    /// What is put behind a machine's name to name the worker.
    suffix: &'static str,
}

const TRAINERS: [TrainerKind; 2] = [
    TrainerKind { workload: "classifier", program: "classifier-trainer", service: "trainer", suffix: "" },
    TrainerKind { workload: "dit", program: "dit-trainer", service: "dit", suffix: "-dit" },
];

impl TrainerKind {
    fn worker(&self, name: &WorkerId) -> anyhow::Result<WorkerId> {
        WorkerId::new(format!("{name}{}", self.suffix)).context("worker.id is too long to be numbered")
    }
}

impl Plan {
    /// Scheduler and checkpoint-store, and a trainer of each workload for each GPU, or one of each on the CPU; `trainers`
    /// sets another number, and more trainers than GPUs take turns at them. A trainer holds nothing of a GPU until it has
    /// work, and takes none while another holds it.
    ///
    /// # Errors
    /// When a program is missing.
    pub(crate) fn make(settings: &Settings, trainers: Option<u32>, gpus: &[Gpu]) -> anyhow::Result<Self> {
        let is_cpu_wanted = settings.worker.gpu.as_ref().is_some_and(|class| class.as_str() == "cpu");
        let gpus = if is_cpu_wanted { &[] } else { gpus };
        let number = trainers.unwrap_or_else(|| u32::try_from(gpus.len()).unwrap_or(u32::MAX).max(1));
        let names = worker_names(settings.worker.id.as_ref(), number)?;

        let here = std::env::current_exe().context("cannot tell where this program lies")?;
        let programs = Programs { folder: here.parent().unwrap_or(Path::new("/")), settings };
        let database = settings.scheduler.database.display();
        let scheduler = programs.service("scheduler", format!("its state is in {database}"))?;
        let store = programs
            .service("checkpoint-store", format!("checkpoints are in {}", settings.checkpoints.url))?;
        let (mut trainers, mut workers) = (Vec::new(), Vec::new());
        for kind in &TRAINERS {
            for (index, name) in names.iter().enumerate() {
                let gpu = (!gpus.is_empty()).then(|| &gpus[index % gpus.len()]);
                let service =
                    if number == 1 { kind.service.into() } else { format!("{}-{index}", kind.service) };
                let worker = kind.worker(name)?;
                trainers.push(Service { name: service, ..programs.trainer(kind, &worker, gpu)? });
                workers.push(worker);
            }
        }
        Ok(Self { stages: vec![vec![scheduler], vec![store], trainers], workers })
    }

    /// All services, in the order of their start.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Service> {
        self.stages.iter().flatten()
    }

    /// How many letters the longest name has.
    pub(crate) fn longest_name(&self) -> usize {
        self.services().map(|service| service.name.len()).max().unwrap_or_default()
    }
}

/// The services' programs, which lie beside this one.
struct Programs<'a> {
    folder: &'a Path,
    settings: &'a Settings,
}

impl Programs<'_> {
    fn service(&self, name: &str, description: String) -> anyhow::Result<Service> {
        let program = self.folder.join(name);
        ensure!(
            program.is_file(),
            "the program {name} is missing: it belongs beside `rekindle`, in {}; `cargo build` builds all of them",
            self.folder.display()
        );
        let file = self.settings.file.as_ref();
        Ok(Service {
            name: name.into(),
            description,
            program,
            arguments: Vec::new(),
            variables: file
                .map(|file| ("REKINDLE_CONFIG".into(), file.display().to_string()))
                .into_iter()
                .collect(),
            grace: SERVICE_GRACE,
        })
    }

    fn trainer(&self, kind: &TrainerKind, worker: &WorkerId, gpu: Option<&Gpu>) -> anyhow::Result<Service> {
        let device = gpu.map_or("the CPU", |gpu| &gpu.name);
        let description = format!("{} on {device}, worker {worker}", kind.workload);
        let mut trainer = self.service(kind.program, description)?;
        trainer.variables.push(("REKINDLE__WORKER__ID".into(), worker.to_string()));
        if let Some(gpu) = gpu {
            trainer.variables.push(("CUDA_VISIBLE_DEVICES".into(), gpu.uuid.clone()));
        }
        trainer.grace = self.settings.scheduler.grace.to_duration() + FAREWELL;
        Ok(trainer)
    }
}

/// The same names at every start, so that a trainer's new process ends what its old one still held.
fn worker_names(set: Option<&WorkerId>, number: u32) -> anyhow::Result<Vec<WorkerId>> {
    if let (Some(name), 1) = (set, number) {
        return Ok(vec![name.clone()]);
    }
    let base = match set {
        Some(name) => name.to_string(),
        None => host_name(),
    };
    (0..number)
        .map(|index| WorkerId::new(format!("{base}-{index}")).context("worker.id is too long to be numbered"))
        .collect()
}

/// This machine's name, with what a worker's name may not hold replaced.
fn host_name() -> String {
    let host = nix::unistd::gethostname().unwrap_or_default();
    let fits = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '-' };
    let host: String = host.to_string_lossy().chars().map(fits).take(48).collect();
    if host.is_empty() { "worker".into() } else { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trainers_keep_their_names() {
        let set = WorkerId::new("gpu").unwrap();
        let names = |set, number| -> Vec<String> {
            worker_names(set, number).unwrap().iter().map(ToString::to_string).collect()
        };
        assert_eq!(names(Some(&set), 1), ["gpu"]);
        assert_eq!(names(Some(&set), 2), ["gpu-0", "gpu-1"]);
        assert_eq!(names(None, 2), [format!("{}-0", host_name()), format!("{}-1", host_name())]);
        assert!(worker_names(Some(&WorkerId::new("w".repeat(64)).unwrap()), 2).is_err());
    }

    #[test]
    fn each_gpu_gets_a_trainer_that_sees_it_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("classifier-trainer"), "").unwrap();
        std::fs::write(folder.path().join("rekindle.toml"), settings::BUILT_IN).unwrap();
        let settings = settings::load(&folder.path().join("rekindle.toml"), []).unwrap();
        let programs = Programs { folder: folder.path(), settings: &settings };
        let gpu = Gpu { name: "NVIDIA L4".into(), uuid: "GPU-5a3f".into() };
        let [classifier, dit] = &TRAINERS;
        let name = WorkerId::new("host-0").unwrap();
        assert_eq!(
            [classifier, dit].map(|kind| kind.worker(&name).unwrap().to_string()),
            ["host-0", "host-0-dit"]
        );
        let trainer = programs.trainer(classifier, &name, Some(&gpu)).unwrap();
        assert_eq!(trainer.description, "classifier on NVIDIA L4, worker host-0");
        assert!(trainer.variables.contains(&("CUDA_VISIBLE_DEVICES".into(), "GPU-5a3f".into())));
        assert!(trainer.variables.contains(&("REKINDLE__WORKER__ID".into(), "host-0".into())));
        assert_eq!(trainer.grace, Duration::from_secs(35));

        let error = programs.service("scheduler", String::new()).unwrap_err().to_string();
        assert!(error.starts_with("the program scheduler is missing"), "{error}");
    }
}
