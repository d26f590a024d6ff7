//! The real trainer on real images: killed, it ends with the same bytes.

use contract::{JobId, SubmitJob, Workload, classifier, control::JobState};
use serde_json::json;
use system_tests::{Program, System, draw_images};

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_ends_with_the_same_bytes() {
    let mut system = System::bare("classifier", &[]).await;
    system.launch_all([Program::classifier_trainer("host-0")]).await;
    draw_images(&system.path().join("datasets/colours"));

    let undisturbed = submit(&mut system, "undisturbed").await;
    system.state(&undisturbed, JobState::Succeeded).await;

    let killed = submit(&mut system, "killed").await;
    system
        .until(&killed, "past a checkpoint", |view| {
            let progress = view.attempts.first().map(|attempt| &attempt.progress);
            progress
                .is_some_and(|progress| progress.checkpoint_step.is_some_and(|saved| saved < progress.step))
        })
        .await;
    system.restart("host-0").await;
    let view = system.state(&killed, JobState::Succeeded).await;
    assert_eq!(view.attempts.len(), 2, "{view:#?}");
    assert!(view.attempts[1].resumed_from_step.is_some_and(|step| 0 < step), "{view:#?}");

    assert!(model(&system, &undisturbed).await == model(&system, &killed).await, "the models differ");
    system.end().await;
}

async fn submit(system: &mut System, name: &str) -> JobId {
    let params = json!({
        "data": "colours", "stem": "small", "image_size": 16, "batch_size": 8, "epochs": 3,
        "augment": "medium", "seed": 7, "checkpoint_every_steps": 4
    });
    let workload = Workload::new(classifier::WORKLOAD).unwrap();
    let job_id = Some(JobId::new(name).unwrap());
    let params = params.as_object().unwrap().clone();
    let submission = SubmitJob { job_id, ..SubmitJob::new(workload, params) };
    system.ask(&submission).await.unwrap_or_else(|error| panic!("{error}"));
    system.expect(submission)
}

/// The bytes of a job's final model.
async fn model(system: &System, job: &JobId) -> Vec<u8> {
    let result = system.view(job).await.result.expect("a success leaves a result");
    let model = result.artifacts.iter().find(|artifact| artifact.name.ends_with(".safetensors"));
    let model = model.unwrap_or_else(|| panic!("no model among {:?}", result.artifacts));
    std::fs::read(system.path().join("checkpoints").join(&model.key)).unwrap()
}
