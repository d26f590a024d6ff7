//! The trainer of the `classifier` workload, as a process.

use classifier_trainer::Classifier;
use contract::classifier;
use settings::{Settings, stop_on_signal};
use worker::Exit;

#[tokio::main]
async fn main() -> anyhow::Result<Exit> {
    let settings = Settings::of_service(std::env::args().skip(1))?;
    let _telemetry = telemetry::init("classifier-trainer", &settings.telemetry)?;
    torch::set_up();
    let policy = settings.workload(classifier::WORKLOAD)?;
    if let Some(share) = policy.gpu_memory_share {
        torch::limit_gpu_memory(share)?;
    }
    let cuda_graphs = policy.cuda_graphs && torch::device().is_cuda();
    let stop = stop_on_signal()?;

    let trainer = Classifier { cuda_graphs, ..Classifier::new(torch::default_threads()) };
    worker::run(settings, trainer, stop).await
}
