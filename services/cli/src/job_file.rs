//! Job files: a submission in TOML or JSON, written by a person, so nothing misspelt is passed over.

use std::{io::Read, path::Path};

use contract::{Message, SubmitJob};
use serde_json::Value;

use crate::exit::UsageError;

/// Reads a job file; `-` is stdin.
pub(crate) fn read(path: &Path) -> Result<SubmitJob, UsageError> {
    let name = if path == Path::new("-") { "stdin".into() } else { path.display().to_string() };
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|error| UsageError(format!("cannot read the job file {name}: {error}")))?;
    parse(&text).map_err(|problem| UsageError(format!("the job file {name} is not valid: {problem}")))
}

/// Reads a submission. JSON begins with a brace, and TOML cannot.
fn parse(text: &str) -> Result<SubmitJob, String> {
    let mut unknown = Vec::new();
    let note = |path: serde_ignored::Path<'_>| unknown.push(path.to_string());
    let submission: SubmitJob = if text.trim_start().starts_with('{') {
        let mut reader = serde_json::Deserializer::from_str(text);
        let submission = serde_ignored::deserialize(&mut reader, note).map_err(|error| error.to_string())?;
        reader.end().map_err(|error| error.to_string())?;
        submission
    } else {
        let reader = toml::Deserializer::parse(text).map_err(|error| error.to_string())?;
        serde_ignored::deserialize(reader, note).map_err(|error| error.to_string())?
    };
    // A message as it stands on the wire is a job file too.
    unknown.retain(|key| key != "kind" && key != "version");
    match unknown.first() {
        Some(key) => Err(explain_unknown(key)),
        None => Ok(submission),
    }
}

/// What is wrong with a key that no submission has, and which keys there are in its place.
fn explain_unknown(key: &str) -> String {
    let (parent, name) = key.rsplit_once('.').unwrap_or(("", key));
    let place = if parent.is_empty() { "a job".into() } else { format!("{parent:?}") };
    format!("there is no {name:?} in {place}; it takes {}", known_keys(parent).join(", "))
}

/// The keys below `parent`, from the message's own schema.
fn known_keys(parent: &str) -> Vec<String> {
    let schemas = contract::schema::messages();
    let Some(root) = schemas.iter().find(|schema| schema.kind == SubmitJob::KIND) else { return Vec::new() };
    let mut place = &root.schema;
    for name in parent.split('.').filter(|name| !name.is_empty()) {
        place = &place["properties"][name];
        let reference = place["$ref"].as_str().or_else(|| place["allOf"][0]["$ref"].as_str());
        if let Some(pointer) = reference.and_then(|reference| reference.strip_prefix('#')) {
            place = root.schema.pointer(pointer).unwrap_or(&Value::Null);
        }
    }
    let keys = place["properties"].as_object().into_iter().flat_map(|properties| properties.keys());
    keys.filter(|key| !["kind", "version"].contains(&key.as_str())).cloned().collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const TOML: &str = r#"
        job_id = "flowers-7"
        workload = "classifier"
        profile = "fast"
        timeout = "1h"
        priority = 7
        owner = "vision-team"

        [params]
        data = "datasets/flowers"
        epochs = 20
        lr = 0.001

        [resources]
        gpu = ["l4", "t4"]
        spot = "allow"
        prefer = "cheapest"
        memory_mib = 8192

        [total]
        time = "4h"
        usd = 2.5

        [retry]
        max_retries = 5
        max_losses = 3
        initial_delay = "10s"
        backoff_coefficient = 2.0
        max_delay = "5m"
        jitter = "equal"

        [labels]
        experiment = "baseline"
    "#;

    #[test]
    fn both_forms_say_the_same() {
        let json = include_str!("../../../shared/contract/golden/job.submit.v1.json");
        let submission = parse(json).unwrap();
        assert_eq!(submission, contract::decode::<SubmitJob>(json.as_bytes()).unwrap());
        assert_eq!(parse(TOML).unwrap(), submission);
    }

    fn check_refusal(text: &str, expected: &Expect) {
        expected.assert_eq(&parse(text).unwrap_err());
    }

    #[test]
    fn a_misspelt_key_is_named_with_those_there_are() {
        check_refusal(
            &TOML.replace("timeout", "tiemout"),
            &expect![[
                r#"there is no "tiemout" in a job; it takes job_id, labels, owner, params, priority, profile, resources, retry, timeout, total, workload"#
            ]],
        );
        check_refusal(
            &TOML.replace("usd = ", "dollars = "),
            &expect![[r#"there is no "dollars" in "total"; it takes time, usd"#]],
        );
        check_refusal(
            r#"{"workload": "dit", "retry": {"max": 3}}"#,
            &expect![[
                r#"there is no "max" in "retry"; it takes backoff_coefficient, initial_delay, jitter, max_delay, max_losses, max_retries"#
            ]],
        );
    }

    #[test]
    fn a_wrong_value_is_named_with_its_place() {
        check_refusal(
            "priority = 5",
            &expect![[r#"
            TOML parse error at line 1, column 1
              |
            1 | priority = 5
              | ^
            missing field `workload`
        "#]],
        );
        check_refusal(
            &TOML.replace("\"1h\"", "\"one hour\""),
            &expect![[r#"
                TOML parse error at line 5, column 19
                  |
                5 |         timeout = "one hour"
                  |                   ^^^^^^^^^^
                "one hour" is not a length of time (expected number at 0); write 90, "90s" or "1h 30m", or "auto"
            "#]],
        );
        check_refusal(
            &TOML.replace("priority = 7", "priority = \"high\""),
            &expect![[r#"
            TOML parse error at line 6, column 20
              |
            6 |         priority = "high"
              |                    ^^^^^^
            invalid type: string "high", expected u8
        "#]],
        );
        check_refusal(
            &TOML.replace("priority = 7", "priority 7"),
            &expect![[r#"
            TOML parse error at line 6, column 18
              |
            6 |         priority 7
              |                  ^
            key with no value, expected `=`
        "#]],
        );
        check_refusal(
            "{\n  \"workload\": \"cats and dogs\"\n}",
            &expect![[
                r#"workload "cats and dogs" is not valid: it takes 1 to 32 characters of a-z, A-Z, 0-9, '-' and '_' at line 3 column 1"#
            ]],
        );
        check_refusal("{\n  \"workload\": \"dit\",\n}", &expect!["trailing comma at line 3 column 1"]);
        check_refusal(r#"{"workload": "dit"} trailing"#, &expect!["trailing characters at line 1 column 21"]);
        check_refusal(
            "",
            &expect![[r#"
            TOML parse error at line 1, column 1
              |
            1 | 
              | ^
            missing field `workload`
        "#]],
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = read(Path::new("/nowhere/job.toml")).unwrap_err().to_string();
        expect!["cannot read the job file /nowhere/job.toml: No such file or directory (os error 2)"]
            .assert_eq(&error);
    }
}
