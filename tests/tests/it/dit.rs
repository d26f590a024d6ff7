//! The trainer of diffusion transformers: killed, it goes on, and what it leaves generates images.

use contract::{
    FailureClass, JobId, SubmitJob, Workload,
    control::{JobState, JobView},
    dit,
};
use serde_json::json;
use system_tests::{Program, System, draw_images};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_goes_on_and_its_checkpoints_generate() {
    let mut system = System::bare("dit", &[]).await;
    system.launch_all([Program::dit_trainer("host-0").with("OMP_NUM_THREADS", "1")]).await;
    draw_images(&system.path().join("datasets/colours"));

    let job = submit(&mut system).await;
    system
        .until(&job, "past a checkpoint", |view| {
            let progress = view.attempts.first().map(|attempt| &attempt.progress);
            progress
                .is_some_and(|progress| progress.checkpoint_step.is_some_and(|saved| saved < progress.step))
        })
        .await;
    system.restart("host-0").await;

    // Each wait has a limit of its own, and a busy machine takes its time for these steps.
    for step in [60, 90] {
        let is_past =
            |view: &JobView| view.attempts.get(1).is_some_and(|attempt| step < attempt.progress.step);
        system.until(&job, "past some steps of its second attempt", is_past).await;
    }
    let view = system.state(&job, JobState::Succeeded).await;
    assert_eq!(view.attempts.len(), 2, "{view:#?}");
    assert_eq!(view.attempts[0].failure.as_ref().map(|failure| failure.class), Some(FailureClass::Lost));
    assert!(view.attempts[1].resumed_from_step.is_some_and(|step| 0 < step), "{view:#?}");
    assert!(!artifact(&system, &view, "model.safetensors").is_empty());
    let grid = image::load_from_memory(&artifact(&system, &view, "samples.png"));
    assert!(grid.is_ok(), "samples.png is no picture: {grid:?}");

    sample(&system, &job).await;
    system.end().await;
}

async fn submit(system: &mut System) -> JobId {
    let params = json!({
        "data": "colours", "model": "tiny", "image_size": 8, "patch_size": 2, "batch_size": 16, "steps": 120,
        "validate_every_steps": 60, "sample_every_steps": 0, "solver_steps": 2, "checkpoint_every_steps": 20
    });
    let workload = Workload::new(dit::WORKLOAD).unwrap();
    let job_id = Some(JobId::new("killed").unwrap());
    let params = params.as_object().unwrap().clone();
    let submission = SubmitJob { job_id, ..SubmitJob::new(workload, params) };
    system.ask(&submission).await.unwrap_or_else(|error| panic!("{error}"));
    system.expect(submission)
}

/// What a job left under this name.
fn artifact(system: &System, view: &JobView, name: &str) -> Vec<u8> {
    let result = view.result.as_ref().expect("a success leaves a result");
    let artifact = result.artifacts.iter().find(|artifact| artifact.name == name);
    let artifact = artifact.unwrap_or_else(|| panic!("no {name} among {:?}", result.artifacts));
    std::fs::read(system.path().join("checkpoints").join(&artifact.key)).unwrap()
}

/// Has `rekindle sample` draw a picture, and each image as a file of its own.
async fn sample(system: &System, job: &JobId) {
    let output = |name: &str| system.path().join(name).display().to_string();
    let (picture, folder) = (output("drawn.png"), output("drawn"));
    let drawn = system.rekindle(&["sample", job.as_str(), "-n", "2", "-o", &picture]).await;
    assert!(drawn.status.success(), "{drawn:?}");
    assert!(image::open(&picture).is_ok(), "{picture} is no picture");

    let one_class = ["sample", job.as_str(), "--class", "orange", "--each", "-n", "3", "-o", &folder];
    let drawn = system.rekindle(&one_class).await;
    assert!(drawn.status.success(), "{drawn:?}");
    for file in ["00000.png", "00001.png", "00002.png"] {
        let file = system.path().join("drawn/orange").join(file);
        let image = image::open(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert_eq!((image.width(), image.height()), (8, 8), "{}", file.display());
    }
    let unknown = system.rekindle(&["sample", job.as_str(), "--class", "green", "-o", &picture]).await;
    let complaint = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(complaint.contains("there is no class \"green\"; there are blue, orange"), "{complaint}");
}
