//! One thing that was looked at.

use std::fmt;

use serde::Serialize;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// As it should be.
    Ok,
    /// It works, but something will surprise.
    Warn,
    /// It does not work.
    Fail,
}

/// One thing that was looked at, what was found and, unless all is well, what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    pub(crate) what: String,
    pub(crate) verdict: Verdict,
    pub(crate) found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) advice: Option<String>,
}

impl Check {
    pub(crate) fn ok(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what: what.into(), verdict: Verdict::Ok, found: found.into(), advice: None }
    }

    pub(crate) fn warn(what: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, advice: Some(advice.into()), ..Self::ok(what, found) }
    }

    pub(crate) fn fail(what: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, ..Self::warn(what, found, advice) }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
        };
        writeln!(f, "{verdict:4}  {:18}  {}", self.what, self.found)?;
        match &self.advice {
            Some(advice) => writeln!(f, "{:4}  {:18}  -> {advice}", "", ""),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_a_line_and_its_advice_another() {
        assert_eq!(Check::ok("disk", "12 GB free").to_string(), "ok    disk                12 GB free\n");
        assert_eq!(
            Check::fail("broker", "no answer", "start it").to_string(),
            "FAIL  broker              no answer\n                          -> start it\n"
        );
    }
}
