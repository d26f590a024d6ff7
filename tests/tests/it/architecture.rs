//! The arrows between the crates point one way, and some libraries have one door each.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// What each crate may name of ours in production; a new arrow is a change to this table.
const ARROWS: &[(&str, &[&str])] = &[
    ("contract", &[]),
    ("policy", &["contract"]),
    ("telemetry", &[]),
    ("local-broker", &[]),
    ("local-cloud", &[]),
    ("local-collector", &[]),
    ("jpeg", &[]),
    ("torch", &["jpeg"]),
    ("settings", &["contract", "policy", "telemetry", "local-broker"]),
    ("broker", &["contract", "telemetry"]),
    ("checkpoints", &["contract"]),
    ("worker", &["contract", "policy", "broker", "checkpoints", "settings", "telemetry"]),
    ("scheduler", &["contract", "policy", "broker", "settings", "telemetry"]),
    ("checkpoint-store", &["contract", "broker", "checkpoints", "settings", "telemetry"]),
    ("training", &["contract", "worker", "torch"]),
    ("local-worker", &["contract", "worker"]),
    ("classifier-trainer", &["contract", "worker", "settings", "telemetry", "torch", "training"]),
    ("dit-trainer", &["contract", "worker", "settings", "telemetry", "torch", "training"]),
    ("cli", &["contract", "policy", "broker", "local-broker", "checkpoints", "settings", "telemetry"]),
];

/// Crates that test and measure the others: they may name all of them, and nothing but they leans on them.
const OBSERVERS: &[&str] = &["system-tests", "bench"];

/// Who may name a library that the rest must not know.
const DOORS: &[(&str, &[&str])] = &[
    ("lapin", &["broker", "bench"]),
    ("object_store", &["checkpoints"]),
    ("tch", &["torch", "training", "classifier-trainer", "dit-trainer", "bench"]),
    ("rusqlite", &["scheduler"]),
    ("config", &["settings"]),
    ("tracing-subscriber", &["telemetry"]),
    ("opentelemetry", &["telemetry"]),
    ("clap", &["cli"]),
    ("nvml-wrapper", &["worker"]),
];

/// Libraries that would give a pure crate a clock, a disk or a network.
const EFFECTS: &[&str] = &["tokio", "lapin", "rusqlite", "object_store", "ureq", "tracing", "anyhow", "tch"];

#[test]
fn arrows_point_one_way() {
    let crates = crates();
    let allowed: BTreeMap<_, BTreeSet<_>> =
        ARROWS.iter().map(|(name, below)| (*name, below.iter().copied().collect())).collect();
    for (name, uses) in &crates {
        let ours: BTreeSet<&str> =
            uses.iter().map(String::as_str).filter(|used| crates.contains_key(*used)).collect();
        if OBSERVERS.contains(&name.as_str()) {
            continue;
        }
        let Some(allowed) = allowed.get(name.as_str()) else {
            panic!("{name} has no place in the map: add it to ARROWS and to docs/architecture.md");
        };
        let strangers: Vec<&&str> = ours.difference(allowed).collect();
        assert!(strangers.is_empty(), "{name} must not depend on {strangers:?}");
    }
}

#[test]
fn some_libraries_have_one_door() {
    let crates = crates();
    for (library, doors) in DOORS {
        for (name, uses) in &crates {
            let through_the_door = doors.contains(&name.as_str());
            assert!(through_the_door || !uses.contains(*library), "{name} must not name {library}");
        }
    }
}

#[test]
fn contract_and_policy_have_no_effects() {
    let crates = crates();
    for pure in ["contract", "policy"] {
        for effect in EFFECTS {
            assert!(!crates[pure].contains(*effect), "{pure} must not name {effect}");
        }
    }
}

#[test]
fn versions_and_lints_have_one_place() {
    for package in metadata().workspace_packages() {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        let (_, after) = manifest.split_once("[lints]").unwrap_or_default();
        assert!(after.trim_start().starts_with("workspace = true"), "{} has lints of its own", package.name);
        let numbered: Vec<&str> =
            manifest.lines().filter(|line| line.contains("version = \"") || line.contains("= \"=")).collect();
        assert!(
            numbered.is_empty(),
            "{} names versions: {numbered:?}; name them in the workspace",
            package.name
        );
    }
}

/// Each crate of the workspace with what it names in production.
fn crates() -> BTreeMap<String, BTreeSet<String>> {
    let production = |package: &cargo_metadata::Package| {
        let normal = package.dependencies.iter().filter(|used| used.kind == DependencyKind::Normal);
        normal.map(|used| used.name.clone()).collect()
    };
    let metadata = metadata();
    metadata
        .workspace_packages()
        .into_iter()
        .map(|package| (package.name.to_string(), production(package)))
        .collect()
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo knows its workspace")
}
