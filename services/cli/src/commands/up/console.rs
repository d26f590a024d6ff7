//! Many services' log lines in one terminal.

use std::{
    fmt,
    io::{self, IsTerminal, Write},
};

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// The colours of names, one service after the other.
const COLOURS: [u8; 6] = [36, 35, 33, 32, 34, 31];

/// Takes whole lines.
type Sink = Box<dyn Fn(&str) + Send + Sync>;

/// Where log lines go, each with its service's name before it.
pub(crate) struct Console {
    sink: Sink,
    colour: bool,
    width: usize,
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("colour", &self.colour).field("width", &self.width).finish()
    }
}

impl Console {
    /// Lines on stderr, behind names of at most `width` letters; in colour where it is a terminal.
    pub(crate) fn on_stderr(width: usize) -> Self {
        let sink = |line: &str| {
            // A terminal that has gone is no reason to stop training.
            let _ = io::stderr().lock().write_all(line.as_bytes());
        };
        Self { sink: Box::new(sink), colour: io::stderr().is_terminal(), width }
    }

    /// Lines without colour, for whoever takes them.
    #[cfg(test)]
    pub(crate) fn to(sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { sink: Box::new(sink), colour: false, width: 0 }
    }

    /// One line of the service called `name`.
    pub(crate) fn line(&self, name: &str, line: &str) {
        let width = self.width;
        let line = line.trim_end();
        if self.colour {
            let colour = colour_of(name);
            (self.sink)(&format!("\u{1b}[{colour}m{name:width$}\u{1b}[0m {line}\n"));
        } else {
            (self.sink)(&format!("{name:width$} {line}\n"));
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
