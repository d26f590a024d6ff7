use tempfile::TempDir;

use super::*;

/// A folder in which a life with one run was noted, with `kills` before it.
fn noted(kills: Option<u64>) -> (TempDir, Incarnation) {
    let folder = tempfile::tempdir().unwrap();
    let incarnation = Incarnation::generate();
    let (mut life, ended) = LastLife::begin(folder.path(), &worker(), incarnation);
    assert_eq!(ended, []);
    life.notes.kills = kills;
    let run = RunState::new(JobId::new("flowers").unwrap(), 3);
    run.resume_from(40);
    life.note(&[Arc::new(run)], 900);
    (folder, incarnation)
}

fn worker() -> WorkerId {
    WorkerId::new("host-0").unwrap()
}

fn ends(folder: &TempDir, kills: Option<u64>) -> Vec<AttemptEnded> {
    read(&folder.path().join("host-0.runs.json")).unwrap().ends(kills, Timestamp(7))
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
fn any_other_death_is_no_matter_of_memory() {
    let (folder, _) = noted(Some(2));
    assert_eq!(ends(&folder, Some(2)), []);
    assert_eq!(ends(&folder, None), []);
    // A container that is made anew counts from nothing.
    assert_eq!(ends(&folder, Some(0)), []);
    let (folder, _) = noted(None);
    assert_eq!(ends(&folder, Some(3)), []);
}

#[test]
fn what_is_over_is_no_longer_noted_and_damaged_notes_are_none() {
    let (folder, _) = noted(Some(2));
    let (mut life, _) = LastLife::begin(folder.path(), &worker(), Incarnation::generate());
    life.notes.kills = Some(2);
    life.note(&[Arc::new(RunState::new(JobId::generate(), 1))], 100);
    life.note(&[], 100);
    assert_eq!(ends(&folder, Some(3)), []);

    fs::write(folder.path().join("host-0.runs.json"), "{\"worker\"").unwrap();
    let (_, ended) = LastLife::begin(folder.path(), &worker(), Incarnation::generate());
    assert_eq!(ended, []);
}

#[test]
fn the_count_is_found_in_either_kind_of_control_group() {
    let v2 = files_of("0::/system.slice/rekindle.service\n");
    let shown: Vec<_> = v2.iter().map(|path| path.to_str().unwrap()).collect();
    assert_eq!(
        shown,
        ["/sys/fs/cgroup/system.slice/rekindle.service/memory.events", "/sys/fs/cgroup/memory.events"]
    );
    let v1 = files_of("5:cpu,cpuacct:/\n4:memory:/docker/af3\n");
    assert_eq!(v1[0].to_str().unwrap(), "/sys/fs/cgroup/memory/docker/af3/memory.oom_control");
    assert_eq!(count_in("low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 0\n"), Some(3));
    assert_eq!(count_in("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n"), Some(5));
    assert_eq!(count_in("oom_kill_disable 0\n"), None);
}
