//! The stored JSON Schemas: what programs may rely on, made from the types themselves.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8PathBuf;
use portenv::cli::document::{ErrorCode, schemas};
use serde_json::{Value, json};

use super::place::Place;
use crate::support::{Sandbox, commands_of_help, faults_of};

/// Set to anything, it makes the test write what it would compare.
const REWRITE: &str = "PORTENV_REWRITE_SCHEMAS";

fn folder() -> Utf8PathBuf {
    Utf8PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus/schemas")
}

fn generated() -> BTreeMap<String, String> {
    let text = |schema: &Value| format!("{}\n", serde_json::to_string_pretty(schema).unwrap());
    let all = schemas();
    let named = all.iter();
    named
        .map(|(command, schema)| (format!("portenv.{command}.1.json"), text(schema)))
        .collect()
}

fn stored() -> BTreeMap<String, String> {
    let Ok(entries) = folder().read_dir_utf8() else {
        return BTreeMap::new();
    };
    let read = |path: Utf8PathBuf| {
        let name = path.file_name().unwrap().to_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    let paths = entries.map(|entry| entry.unwrap().into_path());
    paths.map(read).collect()
}

#[test]
fn the_stored_schemas_are_those_of_the_types() {
    let wanted = generated();
    if std::env::var_os(REWRITE).is_some() {
        let _ = std::fs::remove_dir_all(folder());
        std::fs::create_dir_all(folder()).unwrap();
        for (name, text) in &wanted {
            std::fs::write(folder().join(name), text).unwrap();
        }
    }
    let found = stored();
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<BTreeSet<_>>();
    let again = format!("{REWRITE}=1 cargo test --test it the_stored_schemas");
    assert_eq!(names(&found), names(&wanted), "to write them: {again}");
    for (name, text) in &wanted {
        assert!(found[name] == *text, "{name} differs; to write it: {again}");
    }
}

/// Returns what is wrong with a document after a change.
fn faults_after(document: &Value, change: impl FnOnce(&mut Value)) -> Option<String> {
    let mut changed = document.clone();
    change(&mut changed);
    faults_of(&changed)
}

#[test]
fn a_schema_refuses_what_lacks_a_field_or_knows_another_word_and_allows_new_fields() {
    let place = Place::synced();
    let node = place.offered("some-node", "gamma\n");
    let preview = place.json(0, &["preview", &node]);
    assert_eq!(faults_of(&preview), None);
    assert_eq!(faults_after(&preview, |it| it["more"] = json!(1)), None);

    let lacking = |field: &'static str| {
        faults_after(&preview, move |it| {
            it.as_object_mut().unwrap().remove(field);
        })
    };
    for field in preview.as_object().unwrap().keys() {
        let field: &'static str = field.clone().leak();
        assert!(lacking(field).is_some(), "{field}");
    }
    let change = |it: &mut Value, field: &str, value: Value| it["changes"][0][field] = value;
    for (field, value) in [
        ("kind", json!("move")),
        ("bytes", json!("1 kB")),
        ("name", json!("Gamma")),
    ] {
        let faults = faults_after(&preview, |it| change(it, field, value));
        let faults = faults.unwrap_or_else(|| panic!("{field} may be anything"));
        assert!(faults.contains(&format!("/changes/0/{field}")), "{faults}");
    }
    let faults = faults_after(&preview, |it| it["schema"] = json!("portenv.nonsense/1"));
    assert_eq!(
        faults.as_deref(),
        Some("the schema `portenv.nonsense/1` is not stored")
    );
}

#[test]
fn every_stored_schema_obeys_the_draft_that_it_names() {
    for (name, text) in stored() {
        let schema: Value = serde_json::from_str(&text).unwrap();
        let draft = "https://json-schema.org/draft/2020-12/schema";
        assert_eq!(schema["$schema"], draft, "{name}");
        assert!(jsonschema::meta::is_valid(&schema), "{name}");
    }
}

#[test]
fn every_command_of_help_has_a_schema() {
    let help = Sandbox::new().portenv(&["--help"]).success();
    let commands: BTreeSet<String> = commands_of_help(help.stdout())
        .into_iter()
        .map(|word| format!("portenv.{word}.1.json"))
        .collect();
    let stored: BTreeSet<String> = stored().into_keys().collect();
    let lacking: Vec<_> = commands.difference(&stored).collect();
    assert!(commands.len() > 10 && lacking.is_empty(), "{lacking:?}");
}

/// The error codes with their exit codes, as the contract with programs lists them.
const CODES: [(i32, &str); 7] = [
    (1, "refused dirty plan-stale"),
    (
        2,
        "usage no-installation ambiguous-installation no-python python-mismatch invalid-file \
         invalid-requirement invalid-policy invalid-lock newer-format not-found ambiguous-id confirm",
    ),
    (3, "network offline git integrity"),
    (4, "busy in-use disk permission uv apply"),
    (5, "broken"),
    (101, "internal"),
    (130, "interrupted"),
];

#[test]
fn every_error_code_has_the_exit_code_of_the_contract_and_no_other_exists() {
    let listed: BTreeSet<(i32, String)> = CODES
        .iter()
        .flat_map(|(exit, codes)| {
            codes
                .split_whitespace()
                .map(|code| (*exit, code.to_owned()))
        })
        .collect();
    let known = ErrorCode::ALL.iter().map(|code| {
        let word = serde_json::to_value(code).unwrap();
        (code.exit() as i32, word.as_str().unwrap().to_owned())
    });
    assert_eq!(known.collect::<BTreeSet<_>>(), listed);
    // The schema is made from the type itself, so it knows codes that `ALL` forgot.
    let (_, schema) = schemas()
        .into_iter()
        .find(|(name, _)| *name == "portenv")
        .unwrap();
    let in_schema = schema["$defs"]["ErrorCode"]["oneOf"]
        .as_array()
        .unwrap()
        .iter();
    let in_schema = in_schema.map(|one| one["const"].as_str().unwrap().to_owned());
    let words = listed.into_iter().map(|(_, word)| word);
    assert_eq!(in_schema.collect::<BTreeSet<_>>(), words.collect());
}
