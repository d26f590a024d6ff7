//! What stands in `docs/` is what the code says. `UPDATE=1 cargo test -p contract` writes it anew.

use std::{
    collections::BTreeSet,
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use contract::{classifier::ClassifierParams, dit::DitParams, params::WorkloadParams, schema};
use serde_json::{Map, Value, json};

const BEGIN: &str = "<!-- messages: written by `UPDATE=1 cargo test -p contract` -->\n";
const END: &str = "<!-- end of messages -->\n";

#[test]
fn schemas_are_up_to_date() {
    let folder = docs().join("schemas");
    let mut wanted: Vec<(String, Value)> =
        schema::messages().into_iter().map(|message| (message.kind.to_owned(), message.schema)).collect();
    wanted.push(("classifier-params".into(), schema::classifier_params()));
    wanted.push(("dit-params".into(), schema::dit_params()));

    for (name, schema) in &wanted {
        let text = serde_json::to_string_pretty(schema).unwrap() + "\n";
        hold_against(&folder.join(format!("{name}.json")), &text);
    }

    let known: BTreeSet<String> = wanted.into_iter().map(|(name, _)| format!("{name}.json")).collect();
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name), "docs/schemas/{name} describes no message; remove it");
    }
}

#[test]
fn the_guides_give_every_parameter_its_default() {
    let only_data = json!({ "data": "required" });
    let classifier: ClassifierParams = serde_json::from_value(only_data.clone()).unwrap();
    let classifier = ClassifierParams { init_from: Some("none".into()), ..classifier };
    guide_has("classifier.md", &classifier.by_name());

    let dit: DitParams = serde_json::from_value(only_data).unwrap();
    let mut defaults = dit.by_name();
    for set_by_another in ["image_size", "patch_size", "warmup_steps"] {
        defaults.insert(set_by_another.into(), "none".into());
    }
    guide_has("dit.md", &defaults);
}

fn guide_has(page: &str, defaults: &Map<String, Value>) {
    let guide = fs::read_to_string(docs().join(page)).unwrap();
    for (name, default) in defaults {
        let default = match default.as_str() {
            Some(word @ ("required" | "none")) if name != "augment" => word.to_owned(),
            _ => format!("`{default}`"),
        };
        let row = format!("| `{name}` | {default} |");
        assert!(guide.contains(&row), "docs/{page} lacks {row}");
    }
}

#[test]
fn the_guide_lists_every_message() {
    let path = docs().join("messages.md");
    let guide = fs::read_to_string(&path).unwrap();
    let (before, rest) = guide.split_once(BEGIN).expect("docs/messages.md has a place for the messages");
    let (_, after) = rest.split_once(END).expect("the list of messages has an end");
    hold_against(&path, &format!("{before}{BEGIN}{}{END}{after}", table()));
}

fn table() -> String {
    let messages = schema::messages();
    let mut table = String::from("\n| kind | version | meaning |\n| --- | --- | --- |\n");
    for message in &messages {
        let description = message.schema["description"].as_str().unwrap();
        let mut meaning = description.split("\n\n").next().unwrap().replace('\n', " ");
        // Readers of the guide know kinds, not the names of Rust types.
        for other in &messages {
            let title = other.schema["title"].as_str().unwrap();
            meaning = meaning.replace(&format!("`{title}`"), &format!("`{}`", other.kind));
        }
        let kind = message.kind;
        writeln!(table, "| [`{kind}`](schemas/{kind}.json) | {} | {meaning} |", message.version).unwrap();
    }
    table + "\n"
}

fn hold_against(path: &Path, wanted: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, wanted).unwrap();
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(
        found == wanted,
        "{} is not what the code says; write it anew with: UPDATE=1 cargo test -p contract",
        path.display()
    );
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}
