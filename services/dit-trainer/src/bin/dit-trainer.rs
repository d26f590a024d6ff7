//! The trainer of the `dit` workload, as a process.

use contract::dit;
use dit_trainer::DitTrainer;
use settings::{Settings, stop_on_signal};
use worker::Exit;

#[tokio::main]
async fn main() -> anyhow::Result<Exit> {
    let settings = Settings::of_service(std::env::args().skip(1))?;
    let _telemetry = telemetry::init("dit-trainer", &settings.telemetry)?;
    torch::set_up();
    let policy = settings.workload(dit::WORKLOAD)?;
    if let Some(share) = policy.gpu_memory_share {
        torch::limit_gpu_memory(share)?;
    }
    let cuda_graphs = policy.cuda_graphs && torch::device().is_cuda();
    let stop = stop_on_signal()?;

    let trainer = DitTrainer { cuda_graphs, ..DitTrainer::new(torch::default_threads()) };
    worker::run(settings, trainer, stop).await
}
