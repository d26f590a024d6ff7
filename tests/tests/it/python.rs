//! The Python example in `docs/messages.md`, exactly as it stands there.

use std::{fs, path::Path, process::Stdio};

use contract::{SubmitJob, Workload, control::JobState};
use system_tests::{StepParams, System};
use tokio::process::Command;

const GUIDE: &str = include_str!("../../../docs/messages.md");

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_the_guide_runs() {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.deps/python");
    let mut import = Command::new("python3");
    import.args(["-c", "import pika"]).env("PYTHONPATH", &packages).stderr(Stdio::null());
    if !import.status().await.is_ok_and(|status| status.success()) {
        eprintln!("skipped: python3 cannot import pika; `make setup` brings it");
        return;
    }

    let mut system = System::start("python", &[]).await;
    let script = system.path().join("train.py");
    fs::write(&script, example()).unwrap();
    let params = StepParams::steps(20).of_ms(50);
    let text = serde_json::to_string(&params.to_map()).unwrap();
    let output = Command::new("python3")
        .arg(&script)
        .args(["step", &text, "from-python"])
        .env("PYTHONPATH", &packages)
        .env("REKINDLE_AMQP_URL", system.broker_url())
        .output()
        .await
        .unwrap();

    let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}{errors}");
    for line in ["job.accepted_reply", "job.queued", "attempt.started", "step ", "succeeded "] {
        assert!(told.lines().any(|told| told.starts_with(line)), "{line:?} is missing in:\n{told}{errors}");
    }

    let workload = Workload::new("step").unwrap();
    let submission = SubmitJob {
        job_id: Some("from-python".parse().unwrap()),
        ..SubmitJob::new(workload, params.to_map())
    };
    let job = system.expect(submission);
    system.state(&job, JobState::Succeeded).await;

    // An unreadable submission is answered with its reason.
    let refused = Command::new("python3")
        .arg(&script)
        .args(["no-such-workload", "{}"])
        .env("PYTHONPATH", &packages)
        .env("REKINDLE_AMQP_URL", system.broker_url())
        .output()
        .await
        .unwrap();
    let errors = String::from_utf8_lossy(&refused.stderr);
    assert!(errors.starts_with("refused: ") && errors.contains("no-such-workload"), "{errors}");
    system.end().await;
}

fn example() -> &'static str {
    let (_, rest) = GUIDE.split_once("```python\n").expect("the guide has an example in Python");
    let (example, _) = rest.split_once("```\n").expect("the example ends");
    example
}
