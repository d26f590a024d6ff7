//! Stdout: text for people, or JSON for programs.

use std::io::{self, Write};

use serde::Serialize;

/// Where a command's data goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// Whether a program reads it.
    pub(crate) json: bool,
}

impl Output {
    /// Writes a command's whole answer: `value` for a program, `text` for people.
    pub(crate) fn answer(self, value: &impl Serialize, text: impl FnOnce() -> String) -> io::Result<()> {
        if self.json {
            write(&format!("{}\n", serde_json::to_string_pretty(value)?))
        } else {
            write(&printable(&text()))
        }
    }

    /// Writes one of many lines: an event.
    pub(crate) fn line(self, value: &impl Serialize, text: impl FnOnce() -> String) -> io::Result<()> {
        if self.json {
            write(&format!("{}\n", serde_json::to_string(value)?))
        } else {
            write(&printable(&text()))
        }
    }
}

/// Writes to stderr, for the person at the terminal. Where nobody reads it any more, that is no failure.
pub(crate) fn tell(text: &str) {
    let _ = io::stderr().write_all(printable(text).as_bytes());
}

/// Not `println!`, which panics when the reader has gone.
fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// `text` with a newline at its end and without control characters: names and notes come from files and from other
/// people, and must not steer this terminal.
pub(crate) fn printable(text: &str) -> String {
    let mut clean: String = text
        .chars()
        .map(|c| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    if !clean.is_empty() && !clean.ends_with('\n') {
        clean.push('\n');
    }
    clean
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_steers_the_terminal(text: String) {
            let clean = printable(&text);
            prop_assert!(clean.chars().all(|c| c == '\n' || !c.is_control()));
            prop_assert_eq!(printable(&clean), clean);
        }
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(printable("a\n\u{1b}[31mred\u{7}\r"), "a\n\u{fffd}[31mred\u{fffd}\u{fffd}\n");
        assert_eq!(printable("ends\n"), "ends\n");
        assert_eq!(printable(""), "");
    }
}
