//! With real processes.

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;

const LIMIT: Duration = Duration::from_secs(20);

/// A shell script under supervision, and its lines.
struct Script {
    lines: UnboundedReceiver<String>,
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Script {
    fn run(script: &str, grace: Duration) -> Self {
        let (sink, lines) = unbounded_channel();
        let console = Console::to(move |line| {
            let _ = sink.send(line.trim().to_owned());
        });
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(keep_running(service(script, grace), Arc::new(console), stop.clone()));
        Self { lines, stop, tasks }
    }

    async fn line(&mut self) -> String {
        timeout(LIMIT, self.lines.recv()).await.expect("no line came").expect("the supervisor ended")
    }

    /// The process whose number the script has printed.
    async fn process(&mut self) -> Pid {
        let line = self.line().await;
        Pid::from_raw(line.strip_prefix("it ").unwrap().parse().unwrap())
    }

    async fn end(&mut self) {
        self.stop.cancel();
        timeout(LIMIT, self.tasks.join_next()).await.expect("it did not stop").unwrap().unwrap().unwrap();
    }
}

fn service(script: &str, grace: Duration) -> Service {
    Service {
        name: "it".into(),
        description: "a script".into(),
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        variables: vec![("REKINDLE__WORKER__ID".into(), "host-0".into())],
        grace,
    }
}

#[tokio::test]
async fn a_service_that_dies_is_started_again_under_its_name() {
    let mut script = Script::run("echo $REKINDLE__WORKER__ID; kill -9 $$", LIMIT);
    assert_eq!(script.line().await, "it host-0");
    assert_eq!(script.line().await, "it was killed by SIGKILL; starting it again");
    assert_eq!(script.line().await, "it host-0");
    assert_eq!(script.line().await, "it was killed by SIGKILL; starting it again in 200ms");
    assert_eq!(script.line().await, "it host-0");
    script.end().await;
}

#[tokio::test]
async fn a_service_is_told_what_its_last_process_died_of() {
    let mut script = Script::run("echo ${REKINDLE_LAST_DEATH:-nothing}; kill -SEGV $$", LIMIT);
    assert_eq!(script.line().await, "it nothing");
    assert_eq!(script.line().await, "it was killed by SIGSEGV; starting it again");
    assert_eq!(script.line().await, "it SIGSEGV");
    script.end().await;

    let mut script = Script::run("echo ${REKINDLE_LAST_DEATH:-nothing}; exit 3", LIMIT);
    assert_eq!(script.line().await, "it nothing");
    assert_eq!(script.line().await, "it ended with code 3; starting it again");
    assert_eq!(script.line().await, "it nothing");
    script.end().await;
}

#[tokio::test]
async fn a_service_is_told_to_stop_and_its_last_words_are_heard() {
    let mut script =
        Script::run("trap 'echo farewell; exit 0' TERM; echo here; while :; do sleep 0.01; done", LIMIT);
    assert_eq!(script.line().await, "it here");
    script.end().await;
    assert_eq!(script.line().await, "it farewell");
    assert_eq!(script.lines.recv().await, None);
}

#[tokio::test]
async fn a_service_that_does_not_stop_is_killed_with_all_it_started() {
    let child = "sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.01; done'";
    let mut script = Script::run(&format!("trap '' TERM; {child}; :"), Duration::from_millis(50));
    let grandchild = script.process().await;
    script.end().await;
    assert_eq!(script.line().await, "it did not stop within 50ms; killing it");
    gone(grandchild).await;
}

#[tokio::test]
async fn what_a_service_that_dies_by_itself_has_started_dies_with_it() {
    // What it started holds the pipes open, as data loaders do; a second life begins nonetheless.
    for death in ["kill -9 $$", "kill -SEGV $$", "exit 3"] {
        let mut script = Script::run(&format!("sleep 600 & echo $!; {death}"), LIMIT);
        for _ in 0..2 {
            gone(script.process().await).await;
            let ended = script.line().await;
            assert!(ended.contains("; starting it again"), "{death}: {ended}");
        }
        script.end().await;
    }
}

#[tokio::test]
async fn what_a_service_that_stops_has_left_behind_is_killed() {
    let script = "sleep 600 & echo $!; trap 'exit 0' TERM; while :; do sleep 0.01; done";
    let mut script = Script::run(script, LIMIT);
    let left_behind = script.process().await;
    script.end().await;
    gone(left_behind).await;
}

/// Waits until a process that is nobody's child here has died.
async fn gone(process: Pid) {
    let gone = async {
        while nix::sys::signal::kill(process, None).is_ok() && !is_zombie(process) {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, gone).await.expect("a grandchild lives on");
}

/// Whether the process has died and waits for its new parent to notice.
fn is_zombie(process: Pid) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

/// The kernel watches the thread that started the process; here it ends, as all threads do when `up` is killed.
#[tokio::test]
async fn a_service_dies_with_whoever_started_it() {
    let service = service("echo here; exec sleep 600", LIMIT);
    let handle = tokio::runtime::Handle::current();
    let start = move || {
        let _runtime = handle.enter();
        command(&service).kill_on_drop(false).spawn().unwrap()
    };
    let mut child = std::thread::spawn(start).join().unwrap();
    let status = timeout(LIMIT, child.wait()).await.expect("it lives on").unwrap();
    assert_eq!(ended(status), "was killed by SIGKILL");
}

#[tokio::test]
async fn a_program_that_is_not_there_ends_it() {
    let missing = Service { program: "/nowhere/scheduler".into(), ..service("", LIMIT) };
    let console = Arc::new(Console::to(|_| ()));
    let error = keep_running(missing, console, CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot start /nowhere/scheduler");
}

#[test]
fn pauses_grow_up_to_a_limit() {
    let pauses = [1, 2, 3, 4, 20, u32::MAX].map(|ends| pause_after(ends).as_millis());
    assert_eq!(pauses, [0, 200, 400, 800, 10_000, 10_000]);
}
