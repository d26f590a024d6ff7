//! The scheduler's process.

use settings::Settings;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let settings = Settings::of_service(std::env::args().skip(1))?;
    let _telemetry = telemetry::init("scheduler", &settings.telemetry)?;
    let stop = settings::stop_on_signal()?;

    scheduler::run(settings, stop).await
}
