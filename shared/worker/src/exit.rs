//! How a trainer's process leaves.

use std::{
    process::{ExitCode, Termination},
    thread,
    time::Duration,
};

/// How [`crate::run`] ended. Returned from `main`, it becomes the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Told to stop, and everything has been handed back: exit code 0.
    Stopped,
    /// A run did not stop in time, or hung. It has been reported, but a thread cannot be killed, so the process has to
    /// go and be started anew: exit code [`Exit::ABANDONED`].
    Abandoned,
}

impl Exit {
    /// The exit code after a run had to be abandoned (`EX_TEMPFAIL` of sysexits.h: try again).
    pub const ABANDONED: u8 = 75;
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        match self {
            Self::Stopped => ExitCode::SUCCESS,
            Self::Abandoned => {
                abort_unless_gone(Duration::from_secs(10));
                ExitCode::from(Self::ABANDONED)
            }
        }
    }
}

/// The thread that was left behind may hold a driver's lock which the process's own clean-up waits for.
fn abort_unless_gone(limit: Duration) {
    let watch = thread::Builder::new().name("exit".into()).spawn(move || {
        thread::park_timeout(limit);
        std::process::abort();
    });
    if let Err(error) = watch {
        tracing::warn!(error = &error as &dyn std::error::Error, "nothing watches over the exit");
    }
}
