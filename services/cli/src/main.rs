//! The `rekindle` command.

use std::process::ExitCode;

// One thread is enough, and it outlives every process that `up` starts: they are told to die with the thread that
// started them.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    cli::run(std::env::args_os()).await
}
