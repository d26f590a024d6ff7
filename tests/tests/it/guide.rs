//! The examples in `docs/messages.md`, as they stand there.

use std::{fs, path::Path, process::Stdio};

use contract::{SubmitJob, Workload, control::JobState};
use system_tests::{StepParams, System};
use tokio::process::Command;

const GUIDE: &str = include_str!("../../../docs/messages.md");

#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_python_runs() {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.deps/python");
    let mut import = Command::new("python3");
    import.args(["-c", "import pika"]).env("PYTHONPATH", &packages).stderr(Stdio::null());
    if !import.status().await.is_ok_and(|status| status.success()) {
        eprintln!("skipped: python3 cannot import pika; `make setup` brings it");
        return;
    }

    let mut system = System::start("python", &[]).await;
    let script = system.path().join("train.py");
    fs::write(&script, example("```python\n", "import")).unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn the_example_for_the_shell_submits_a_job() {
    if !Command::new("curl").arg("--version").stdout(Stdio::null()).status().await.is_ok_and(|s| s.success())
    {
        eprintln!("skipped: there is no curl");
        return;
    }
    let mut system = System::start("shell", &[]).await;
    let params = StepParams::steps(20).of_ms(50).to_map();
    let text = serde_json::to_string(&params).unwrap();
    // Only what a reader puts in too is put in: where RabbitMQ is, and what is to run.
    let management = system.management_url();
    let (user, address) = management.trim_start_matches("http://").split_once('@').unwrap();
    let address = format!("http://{address}");
    let mut command = example("```sh\n", "curl").to_owned();
    for (before, now) in [
        ("guest:guest", user),
        ("http://localhost:15672", &address),
        ("%2f", system.vhost()),
        ("classifier", "step"),
        (r#"{\"data\":\"datasets/flowers\"}"#, &text.replace('"', r#"\""#)),
    ] {
        assert!(command.contains(before), "{before:?} is missing in:\n{command}");
        command = command.replace(before, now);
    }
    let output = Command::new("sh").args(["-c", &command]).output().await.unwrap();

    assert_eq!(String::from_utf8_lossy(&output.stdout), r#"{"routed":true}"#);
    let submission = SubmitJob {
        job_id: Some("flowers-7".parse().unwrap()),
        ..SubmitJob::new(Workload::new("step").unwrap(), params)
    };
    let job = system.expect(submission);
    system.state(&job, JobState::Succeeded).await;
    system.end().await;
}

/// The block of the guide that opens with `fence` and has `word` in it.
fn example(fence: &str, word: &str) -> &'static str {
    let blocks = GUIDE.split(fence).skip(1).filter_map(|rest| Some(rest.split_once("```\n")?.0));
    blocks.into_iter().find(|block| block.contains(word)).expect("the guide has this example")
}
