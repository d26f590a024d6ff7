use tempfile::TempDir;

use super::*;

/// A folder in which a life with one run was noted, with `kills` before it.
fn noted(kills: Option<u64>) -> (TempDir, Incarnation) {
    let folder = tempfile::tempdir().unwrap();
    let incarnation = Incarnation::generate();
    let (mut life, ended) = LastLife::begin(folder.path(), &worker(), incarnation, &unlimited());
    assert_eq!(ended, []);
    life.notes.kills = kills.map(counted);
    let run = RunState::new(JobId::new("flowers").unwrap(), 3);
    run.resume_from(40);
    life.note(&[Arc::new(run)], 900);
    (folder, incarnation)
}

fn counted(count: u64) -> Kills {
    Kills { group: "/sys/fs/cgroup/docker/af3".into(), count }
}

fn unlimited() -> HostMemory {
    HostMemory::limited_to(None, &worker(), Path::new("."))
}

fn worker() -> WorkerId {
    WorkerId::new("host-0").unwrap()
}

fn ends(folder: &TempDir, kills: Option<u64>) -> Vec<AttemptEnded> {
    read(&folder.path().join("host-0.runs.json")).unwrap().ends(kills.map(counted).as_ref(), Timestamp(7))
}

#[test]
fn what_ran_when_the_kernel_killed_for_memory_is_told_with_the_peak() {
    let (folder, incarnation) = noted(Some(2));
    let ends = ends(&folder, Some(3));
    assert_eq!(ends.len(), 1);
    assert_eq!((ends[0].job_id.as_str(), ends[0].attempt, ends[0].incarnation), ("flowers", 3, incarnation));
    assert_eq!((ends[0].resumed_from_step, ends[0].progress.step), (40, 40));
    let AttemptEnd::Failed(failure) = &ends[0].end else { panic!("{ends:?}") };
    assert_eq!(failure.class, FailureClass::Oom);
    assert!(failure.message.ends_with("the process had used up to 900 MiB"), "{failure}");
}

#[test]
fn a_limit_that_the_workload_has_is_named() {
    let (folder, _) = noted(Some(2));
    let last = Notes { limit_mib: Some(800), ..read(&folder.path().join("host-0.runs.json")).unwrap() };
    let ends = last.ends(Some(&counted(3)), Timestamp(7));
    let AttemptEnd::Failed(failure) = &ends[0].end else { panic!("{ends:?}") };
    let text = "up to 900 MiB, and host_memory_mib of its workload is 800";
    assert!(failure.message.ends_with(text), "{failure}");
}

#[test]
fn any_other_death_is_no_matter_of_memory() {
    let (folder, _) = noted(Some(2));
    assert_eq!(ends(&folder, Some(2)), []);
    assert_eq!(ends(&folder, None), []);
    // A container that is made anew counts from nothing.
    assert_eq!(ends(&folder, Some(0)), []);
    let (folder, _) = noted(None);
    assert_eq!(ends(&folder, Some(3)), []);
    // What was killed elsewhere was none of this worker's.
    let (folder, _) = noted(Some(2));
    let elsewhere = Kills { group: "/sys/fs/cgroup".into(), count: 3 };
    assert_eq!(
        read(&folder.path().join("host-0.runs.json")).unwrap().ends(Some(&elsewhere), Timestamp(7)),
        []
    );
}

#[test]
fn what_is_over_is_no_longer_noted_and_damaged_notes_are_none() {
    let (folder, _) = noted(Some(2));
    let (mut life, _) = LastLife::begin(folder.path(), &worker(), Incarnation::generate(), &unlimited());
    life.notes.kills = Some(counted(2));
    life.note(&[Arc::new(RunState::new(JobId::generate(), 1))], 100);
    life.note(&[], 100);
    assert_eq!(ends(&folder, Some(3)), []);

    fs::write(folder.path().join("host-0.runs.json"), "{\"worker\"").unwrap();
    let (_, ended) = LastLife::begin(folder.path(), &worker(), Incarnation::generate(), &unlimited());
    assert_eq!(ended, []);
}
