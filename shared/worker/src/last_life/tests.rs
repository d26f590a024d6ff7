use tempfile::TempDir;

use super::*;

/// A folder in which a life with one run was noted, with `kills` before it.
fn noted(kills: Option<u64>) -> (TempDir, Incarnation) {
    let folder = tempfile::tempdir().unwrap();
    let incarnation = Incarnation::generate();
    let (mut life, ended) = LastLife::begin(folder.path(), &worker(), incarnation, &unlimited(), None);
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

fn begin(folder: &TempDir) -> (LastLife, Vec<AttemptEnded>) {
    LastLife::begin(folder.path(), &worker(), Incarnation::generate(), &unlimited(), None)
}

fn ends(folder: &TempDir, kills: Option<u64>) -> Vec<AttemptEnded> {
    notes(folder).ends(kills.map(counted).as_ref(), None, Timestamp(7))
}

/// What the last life left in a folder.
fn notes(folder: &TempDir) -> Notes {
    read(&folder.path().join("host-0.runs.json")).unwrap()
}

/// How the noted run ended whose process died of a signal.
fn end_by(signal: &str, kills: Option<u64>) -> Failure {
    let (folder, _) = noted(Some(2));
    let died = Death::by(signal.into(), &[]);
    let ends = notes(&folder).ends(kills.map(counted).as_ref(), Some(died), Timestamp(7));
    let [AttemptEnded { end: AttemptEnd::Failed(failure), .. }] = ends.as_slice() else { panic!("{ends:?}") };
    failure.clone()
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
    let last = Notes { limit_mib: Some(800), ..notes(&folder) };
    let ends = last.ends(Some(&counted(3)), None, Timestamp(7));
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
    assert_eq!(notes(&folder).ends(Some(&elsewhere), None, Timestamp(7)), []);
}

#[test]
fn what_ran_when_a_signal_ended_the_process_is_told_with_the_signal() {
    let crashed = end_by("SIGSEGV", Some(2));
    assert_eq!(crashed.class, FailureClass::Transient);
    assert!(crashed.message.ends_with("the trainer's process was killed by SIGSEGV"), "{crashed}");
    assert_eq!(end_by("SIGKILL", Some(2)).class, FailureClass::Lost);
    assert_eq!(end_by("SIGKILL", None).class, FailureClass::Lost);
    // The kernel kills for memory with this one only; with another one it was another process of the group.
    assert_eq!(end_by("SIGKILL", Some(3)).class, FailureClass::Oom);
    assert_eq!(end_by("SIGABRT", Some(3)).class, FailureClass::Transient);
}

#[test]
fn what_is_over_is_no_longer_noted_and_damaged_notes_are_none() {
    let (folder, _) = noted(Some(2));
    let (mut life, _) = begin(&folder);
    life.notes.kills = Some(counted(2));
    life.note(&[Arc::new(RunState::new(JobId::generate(), 1))], 100);
    life.note(&[], 100);
    assert_eq!(ends(&folder, Some(3)), []);

    fs::write(folder.path().join("host-0.runs.json"), "{\"worker\"").unwrap();
    let (_, ended) = begin(&folder);
    assert_eq!(ended, []);
}
