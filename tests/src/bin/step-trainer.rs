//! A trainer of the step workload, or of the nop workload: `step-trainer step|nop`.

use anyhow::bail;
use settings::Settings;
use system_tests::step::{NOP, NopTrainer, StepTrainer, WORKLOAD};
use worker::Exit;

#[tokio::main]
async fn main() -> anyhow::Result<Exit> {
    let mut arguments = std::env::args().skip(1);
    let workload = arguments.next().unwrap_or_default();
    let settings = Settings::of_service(arguments)?;
    let _telemetry = telemetry::init("step-trainer", &settings.telemetry)?;
    let stop = settings::stop_on_signal()?;

    match workload.as_str() {
        WORKLOAD => worker::run(settings, StepTrainer, stop).await,
        NOP => worker::run(settings, NopTrainer, stop).await,
        _ => bail!("{workload:?} is not a workload of this trainer; there are {WORKLOAD:?} and {NOP:?}"),
    }
}
