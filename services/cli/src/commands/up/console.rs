//! Many services' log lines in one terminal.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
};

use telemetry::LogFormat;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// The colours of names, one service after the other.
const COLOURS: [u8; 6] = [36, 35, 33, 32, 34, 31];

/// Takes whole lines.
type Sink = Box<dyn Fn(&str) + Send + Sync>;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Behind their service's name.
    Named,
    /// The same, in colour.
    Coloured,
    /// As they come: JSON lines name their service themselves.
    Bare,
}

/// Where log lines go.
pub(crate) struct Console {
    sink: Sink,
    look: Look,
    width: usize,
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("look", &self.look).field("width", &self.width).finish()
    }
}

impl Console {
    /// Lines on stderr, behind names of at most `width` letters unless they are JSON; in colour where it is a terminal.
    pub(crate) fn on_stderr(format: LogFormat, width: usize) -> Self {
        let sink = |line: &str| {
            // A terminal that has gone is no reason to stop training.
            let _ = io::stderr().lock().write_all(line.as_bytes());
        };
        let look = match format {
            LogFormat::Json => Look::Bare,
            LogFormat::Text if io::stderr().is_terminal() => Look::Coloured,
            LogFormat::Text => Look::Named,
        };
        Self { sink: Box::new(sink), look, width }
    }

    /// Lines without colour, for whoever takes them.
    #[cfg(test)]
    pub(crate) fn to(sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { sink: Box::new(sink), look: Look::Named, width: 0 }
    }

    /// One line that the service called `name` printed.
    pub(crate) fn line(&self, name: &str, line: &str) {
        let width = self.width;
        let line = line.trim_end();
        (self.sink)(&match self.look {
            Look::Bare => format!("{line}\n"),
            Look::Named => format!("{name:width$} {line}\n"),
            Look::Coloured => format!("\u{1b}[{}m{name:width$}\u{1b}[0m {line}\n", colour_of(name)),
        });
    }

    /// What is to be said about the service called `name`.
    pub(crate) fn say(&self, name: &str, text: &str) {
        match self.look {
            Look::Bare => tracing::warn!(about = name, "{text}"),
            Look::Named | Look::Coloured => self.line(name, text),
        }
    }

    /// Passes on every line of `output` until it ends.
    pub(crate) async fn relay(&self, name: &str, output: impl AsyncRead + Unpin) {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        // What a service prints need not be Unicode, and a pipe that breaks has ended.
        while output.read_until(b'\n', &mut line).await.is_ok_and(|read| 0 < read) {
            self.line(name, &String::from_utf8_lossy(&line));
            line.clear();
        }
    }
}

/// The same colour for the same name.
fn colour_of(name: &str) -> u8 {
    let sum: usize = name.bytes().map(usize::from).sum();
    COLOURS[sum % COLOURS.len()]
}
