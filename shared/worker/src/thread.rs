//! Blocking work on threads of its own: training and writing take from seconds to days.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use tokio::sync::oneshot;
use tracing::Span;

/// Why a thread came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Died {
    /// The system had none to give.
    #[error("cannot start a thread")]
    NotStarted(#[source] io::Error),
    /// It panicked.
    #[error("panicked: {0}")]
    Panicked(String),
}

/// Does `work` on a thread named `name`, within the present span. Dropping the future does not end the thread.
pub(crate) async fn on_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Died> {
    let span = Span::current();
    let (sender, receiver) = oneshot::channel();
    let started = thread::Builder::new().name(name.into()).spawn(move || {
        let outcome = span.in_scope(|| catch_unwind(AssertUnwindSafe(work)));
        // Nobody waits any more when the run was given up.
        let _ = sender.send(outcome.map_err(|panic| Died::Panicked(text_of(panic.as_ref()))));
    });
    started.map_err(Died::NotStarted)?;
    receiver.await.expect("the thread sends whatever happens: panics are caught")
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_value_comes_back_and_a_panic_comes_back_as_its_text() {
        assert_eq!(on_thread("work", || 7).await.unwrap(), 7);
        let died = on_thread("work", || -> u8 { panic!("{} is too many", 3) }).await.unwrap_err();
        assert_eq!(died.to_string(), "panicked: 3 is too many");
    }
}
