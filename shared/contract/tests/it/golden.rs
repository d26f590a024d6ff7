//! One example of every message with every field, as release 0.1 writes it. Later releases must read them all.

use std::{error::Error, fs, path::Path};

use contract::{
    DecodeError, Message,
    classifier::ClassifierParams,
    decode,
    dit::DitParams,
    encode,
    params::WorkloadParams,
    schema::{self, Visitor},
};
use serde_json::{Map, Value};

#[test]
fn every_example_reads_and_writes_back_the_same() {
    struct SameAgain;

    impl Visitor for SameAgain {
        fn visit<M: Message>(&mut self) {
            let example = example::<M>();
            let again: Value = serde_json::from_slice(&encode(&read::<M>(&example))).unwrap();
            assert_eq!(again, Value::Object(example), "{}", M::KIND);
        }
    }

    schema::visit_messages(&mut SameAgain);
}

#[test]
fn every_example_is_valid_and_shows_every_field() {
    for message in schema::messages() {
        let example = load(message.kind);
        let validator = jsonschema::validator_for(&message.schema).unwrap();
        let whole = Value::Object(example.clone());
        let problems: Vec<String> = validator.iter_errors(&whole).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{}: {problems:?}", message.kind);

        for field in message.schema["properties"].as_object().unwrap().keys() {
            assert!(example.contains_key(field), "the example of {} lacks {field}", message.kind);
        }
    }
}

#[test]
fn fields_of_a_later_release_are_passed_over() {
    struct Later;

    impl Visitor for Later {
        fn visit<M: Message>(&mut self) {
            let example = example::<M>();
            let mut later = example.clone();
            later.insert("of_a_later_release".into(), serde_json::json!({ "nested": [1, null] }));
            assert_eq!(encode(&read::<M>(&later)), encode(&read::<M>(&example)), "{}", M::KIND);
        }
    }

    schema::visit_messages(&mut Later);
}

#[test]
fn optional_fields_may_be_absent_and_required_ones_are_missed_by_name() {
    struct Earlier;

    impl Visitor for Earlier {
        fn visit<M: Message>(&mut self) {
            let example = example::<M>();
            let schemas = schema::messages();
            let schema = &schemas.iter().find(|schema| schema.kind == M::KIND).unwrap().schema;
            let required: Vec<&str> =
                schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            for field in schema["properties"].as_object().unwrap().keys() {
                let mut without = example.clone();
                without.remove(field);
                match decode::<M>(&bytes(&without)) {
                    Ok(_) => assert!(!required.contains(&field.as_str()), "{} without {field}", M::KIND),
                    Err(DecodeError::NotAnEnvelope(error) | DecodeError::Body { error, .. }) => {
                        assert!(required.contains(&field.as_str()), "{} without {field}: {error}", M::KIND);
                        assert!(error.to_string().contains(field), "{error} does not name {field}");
                    }
                    Err(error) => panic!("{} without {field}: {error}", M::KIND),
                }
            }
        }
    }

    schema::visit_messages(&mut Earlier);
}

#[test]
fn the_workloads_parameters_are_valid_and_refuse_a_misspelt_name() {
    parameters_of::<ClassifierParams>("classifier-params.json", "epochs", &schema::classifier_params());
    parameters_of::<DitParams>("dit-params.json", "steps", &schema::dit_params());
}

fn parameters_of<P: WorkloadParams>(file: &str, name: &str, schema: &Value) {
    let mut params = load_file(file);
    let validator = jsonschema::validator_for(schema).unwrap();
    assert!(validator.is_valid(&Value::Object(params.clone())));

    let parsed = P::parse(&params).unwrap();
    assert_eq!(serde_json::to_value(parsed).unwrap(), Value::Object(params.clone()));

    let misspelt = name.strip_suffix('s').unwrap();
    params.insert(misspelt.into(), 3.into());
    assert!(!validator.is_valid(&Value::Object(params.clone())));
    let error = P::parse(&params).err().unwrap().to_string();
    let expected = format!("params: unknown field `{misspelt}`, expected one of `data`");
    assert!(error.starts_with(&expected), "{error}");
}

fn example<M: Message>() -> Map<String, Value> {
    load(M::KIND)
}

fn load(kind: &str) -> Map<String, Value> {
    load_file(&format!("{kind}.v1.json"))
}

fn load_file(name: &str) -> Map<String, Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    let text = fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read<M: Message>(fields: &Map<String, Value>) -> M {
    decode(&bytes(fields)).unwrap_or_else(|error| panic!("{}: {error}: {:?}", M::KIND, error.source()))
}

fn bytes(fields: &Map<String, Value>) -> Vec<u8> {
    serde_json::to_vec(fields).unwrap()
}
