//! What `portenv.resolve/1` promises, field by field.

use std::collections::BTreeSet;

use serde_json::Value;

/// A name, and what its value must be.
type Field<'a> = (&'a str, fn(&Value) -> bool);

/// Checks the fields of an object: all of them, in any order, each of its type.
#[track_caller]
fn check_fields(what: &str, value: &Value, fields: &[Field]) {
    let object = value
        .as_object()
        .unwrap_or_else(|| panic!("{what} is no object: {value}"));
    for (name, is_right) in fields {
        let field = object.get(*name);
        let field = field.unwrap_or_else(|| panic!("{what} lacks `{name}`: {value}"));
        assert!(is_right(field), "{what}.{name} has the wrong type: {field}");
    }
}

fn or_null(is_right: fn(&Value) -> bool, value: &Value) -> bool {
    value.is_null() || is_right(value)
}

fn text(value: &Value) -> bool {
    value.is_string()
}

fn list(value: &Value) -> bool {
    value.is_array()
}

fn texts(value: &Value) -> bool {
    value
        .as_array()
        .is_some_and(|list| list.iter().all(Value::is_string))
}

fn optional_text(value: &Value) -> bool {
    or_null(Value::is_string, value)
}

fn optional_number(value: &Value) -> bool {
    or_null(Value::is_u64, value)
}

fn digest(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        text.is_empty()
            || text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[track_caller]
fn check_origin(origin: &Value) {
    let kinds = ["core", "node", "file", "policy", "installed"];
    let kind = origin["kind"].as_str().unwrap_or_default();
    assert!(kinds.contains(&kind), "{origin}");
    check_fields(
        "origin",
        origin,
        &[
            ("name", optional_text),
            ("file", optional_text),
            ("line", optional_number),
            ("column", optional_number),
        ],
    );
    assert!(
        kind == "installed" || origin["file"].is_string(),
        "{origin}"
    );
}

#[track_caller]
fn check_package(package: &Value) {
    check_fields(
        "package",
        package,
        &[
            ("name", text),
            ("version", text),
            ("extras", texts),
            ("marker", optional_text),
            ("source", Value::is_object),
            ("files", list),
            ("required_by", list),
        ],
    );
    check_fields(
        "source",
        &package["source"],
        &[
            ("kind", |kind| {
                kind.as_str()
                    .is_some_and(|kind| ["index", "url", "git", "path"].contains(&kind))
            }),
            ("index", optional_text),
            ("url", optional_text),
            ("commit", optional_text),
            ("subdirectory", optional_text),
        ],
    );
    for file in package["files"].as_array().unwrap() {
        // An index may state no digest; it is told when the file is fetched.
        let fields: [Field; 4] = [
            ("filename", text),
            ("url", text),
            ("size", optional_number),
            ("sha256", digest),
        ];
        check_fields("file", file, &fields);
    }
    let required_by = package["required_by"].as_array().unwrap();
    assert!(!required_by.is_empty(), "nobody asks for {package}");
    for by in required_by {
        check_fields("required_by", by, &[("requirement", text)]);
        if by.get("origin").is_some() {
            check_origin(&by["origin"]);
        } else {
            check_fields("required_by", by, &[("package", text), ("version", text)]);
        }
    }
}

#[track_caller]
fn check_conflict(conflict: &Value) {
    check_fields(
        "conflict",
        conflict,
        &[
            ("packages", texts),
            ("requirements", list),
            ("explanation", text),
            ("new", |new| *new == true),
            ("suggestions", list),
        ],
    );
    let requirements = conflict["requirements"].as_array().unwrap();
    assert!(!requirements.is_empty(), "{conflict}");
    for line in requirements {
        check_fields("requirement", line, &[("requirement", text), ("via", list)]);
        check_origin(&line["origin"]);
        for step in line["via"].as_array().unwrap() {
            let fields: [Field; 3] = [("package", text), ("version", text), ("requirement", text)];
            check_fields("step", step, &fields);
        }
    }
}

/// Checks a whole `portenv.resolve/1`, answer or conflict.
#[track_caller]
pub(super) fn check_document(document: &Value) {
    assert_eq!(document["schema"], "portenv.resolve/1");
    check_fields(
        "document",
        document,
        &[
            ("status", |status| {
                *status == "resolved" || *status == "conflict"
            }),
            ("targets", list),
            ("packages", list),
            ("conflicts", list),
            ("warnings", list),
            ("stats", |stats| {
                stats
                    .as_object()
                    .is_some_and(|stats| stats.values().all(Value::is_u64))
            }),
            ("next", list),
        ],
    );
    let keys: Vec<&String> = document.as_object().unwrap().keys().collect();
    assert_eq!(keys[0], "schema");
    let resolved = document["status"] == "resolved";
    let conflicts = document["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.is_empty(), resolved, "{document}");
    for conflict in conflicts {
        check_conflict(conflict);
    }
    let targets = document["targets"].as_array().unwrap();
    assert!(!targets.is_empty());
    for target in targets {
        let fields: [Field; 3] = [("platform", text), ("python", text), ("marker", text)];
        check_fields("target", target, &fields);
    }
    for warning in document["warnings"].as_array().unwrap() {
        check_fields("warning", warning, &[("code", text), ("message", text)]);
        if !warning["origin"].is_null() {
            check_origin(&warning["origin"]);
        }
    }
    let packages = document["packages"].as_array().unwrap();
    let mut names = Vec::new();
    for package in packages {
        check_package(package);
        names.push(package["name"].as_str().unwrap());
        if resolved && targets.len() == 1 {
            assert!(
                package["marker"].is_null(),
                "one target needs no marker: {package}"
            );
        }
    }
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(names, sorted, "packages are sorted by name");
    let once: BTreeSet<_> = names.iter().collect();
    assert!(targets.len() > 1 || once.len() == names.len(), "{names:?}");
}
