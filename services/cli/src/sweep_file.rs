//! Sweep files: a sweep in TOML or JSON, written by a person, so nothing misspelt is passed over.

use std::path::Path;

use contract::{SubmitSweep, SweepId};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::exit::UsageError;

/// Reads a sweep file, under `id` where one is given, under the file's own otherwise, else under a fresh one.
pub(crate) fn read(path: &Path, id: Option<SweepId>) -> Result<SubmitSweep, UsageError> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| UsageError(format!("cannot read the sweep file {name}: {error}")))?;
    parse(&text, id).map_err(|problem| UsageError(format!("the sweep file {name} is not valid: {problem}")))
}

/// Reads a sweep. JSON begins with a brace, and TOML cannot.
pub(crate) fn parse(text: &str, id: Option<SweepId>) -> Result<SubmitSweep, String> {
    let mut fields: Map<String, Value> = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|error| error.to_string())?
    } else {
        toml::from_str(text).map_err(|error| error.to_string())?
    };
    // A message as it stands on the wire is a sweep file too.
    fields.remove("kind");
    fields.remove("version");
    if let Some(id) = id {
        fields.insert("sweep_id".into(), Value::String(id.into()));
    }
    fields.entry("sweep_id").or_insert_with(|| Value::String(SweepId::generate().into()));
    let given = Value::Object(fields);
    let sweep = SubmitSweep::deserialize(&given).map_err(|error| error.to_string())?;
    let read = serde_json::to_value(&sweep).map_err(|error| error.to_string())?;
    match unknown(&given, &read, String::new()) {
        Some(key) => Err(format!("there is no {key:?} in a sweep; docs/sweeps.md lists what there is")),
        None => Ok(sweep),
    }
}

/// The path of a key that was given and not read.
fn unknown(given: &Value, read: &Value, path: String) -> Option<String> {
    match (given, read) {
        (Value::Object(given), Value::Object(read)) => given.iter().find_map(|(key, value)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match read.get(key) {
                Some(read) => unknown(value, read, path),
                None => Some(path),
            }
        }),
        (Value::Array(given), Value::Array(read)) => {
            given.iter().zip(read).find_map(|(given, read)| unknown(given, read, path.clone()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use contract::sweep::Search;

    use super::*;

    /// The example of the guide, as it stands there.
    fn example() -> &'static str {
        let page = include_str!("../../../docs/sweeps.md");
        let (_, rest) = page.split_once("```toml\n").unwrap();
        rest.split_once("```").unwrap().0
    }

    #[test]
    fn the_example_of_the_guide_is_a_sweep_with_the_trials_it_says() {
        let sweep = parse(example(), None).unwrap();
        assert_eq!(sweep.validate(), Ok(()));
        assert_eq!(policy::sweep::count(&sweep.search), Ok(40));
        let first = policy::sweep::trial_params(&sweep.search, 1);
        let page = include_str!("../../../docs/sweeps.md");
        let first = serde_json::to_string(&first).unwrap();
        assert!(page.contains(&first), "the guide names the first trial: {first}");
    }

    #[test]
    fn a_message_is_a_sweep_file_too() {
        let json = include_str!("../../../shared/contract/golden/sweep.submit.v1.json");
        let sweep = parse(json, None).unwrap();
        assert_eq!(sweep, contract::decode::<SubmitSweep>(json.as_bytes()).unwrap());
        assert_eq!(parse(json, Some("mine".parse().unwrap())).unwrap().sweep_id.as_str(), "mine");
    }

    #[test]
    fn a_name_is_made_where_there_is_none() {
        let text = "job = { workload = \"nop\" }\nsearch = { method = \"list\", trials = [{ a = 1 }] }\n";
        let sweep = parse(text, None).unwrap();
        assert_ne!(sweep.sweep_id, parse(text, None).unwrap().sweep_id);
        assert!(matches!(sweep.search, Search::List { trials } if trials.len() == 1));
    }

    #[test]
    fn a_misspelt_key_is_named() {
        let refused = |from: &str, to: &str| parse(&example().replace(from, to), None).unwrap_err();
        assert!(refused("seed", "sed").contains("there is no \"search.sed\" in a sweep"));
        assert!(refused("concurrency", "concurency").contains("there is no \"concurency\""));
        assert!(refused("workload", "wrkload").contains("missing field `workload`"));
        assert!(refused("log_uniform", "loguniform").contains("unknown variant `loguniform`"));
    }
}
