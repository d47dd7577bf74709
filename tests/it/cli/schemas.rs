//! The stored JSON Schemas: what programs may rely on, made from the types themselves.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8PathBuf;
use portenv::cli::document::schemas;
use serde_json::Value;

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
