//! SARIF 2.1.0 (OASIS), for code scanning: rules are the codes, results the findings.
//!
//! Fingerprints are made without line numbers, so that a result stays the same one when
//! its line moves. Files are relative to `%SRCROOT%`, the working directory; a finding
//! without a file of its own is told of the lock, since readers demand a file.

use serde_json::{Map, Value, json};

use super::{Weight, conflict_of, in_full};
use crate::cli::document::schemas::escaped;
use crate::cli::failure::Failure;
use crate::gate::{Code, Finding};
use crate::ops::check::CheckOutcome;
use crate::package::artifact::printable;
use crate::requirements::Origin;
use crate::workspace::settings::Level;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

pub(super) fn of(found: &CheckOutcome) -> String {
    let rules: Vec<Value> = found
        .levels
        .iter()
        .map(|(code, level)| rule(*code, *level))
        .collect();
    let results = found.findings.iter();
    let results: Vec<Value> = results.map(|finding| result(found, finding)).collect();
    log(&json!({
        "tool": {"driver": driver(&rules)},
        "invocations": [{
            "executionSuccessful": true,
            "exitCode": i32::from(!found.pass),
        }],
        "originalUriBaseIds": {
            "%SRCROOT%": {"description": {"text": "The directory that portenv was run in."}},
        },
        "columnKind": "unicodeCodePoints",
        "results": results,
    }))
}

pub(super) fn failed(failure: &Failure) -> String {
    let code = serde_json::to_value(failure.code).unwrap_or_default();
    let rules = Code::ALL.map(|code| rule(code, code.default_level()));
    log(&json!({
        "tool": {"driver": driver(&rules)},
        "invocations": [{
            "executionSuccessful": false,
            "exitCode": failure.exit() as i32,
            "toolExecutionNotifications": [{
                "level": "error",
                "descriptor": {"id": code},
                "message": {"text": printable(&failure.message)},
            }],
        }],
        "results": [],
    }))
}

fn log(run: &Value) -> String {
    escaped(&json!({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}).to_string())
}

fn driver(rules: &[Value]) -> Value {
    // A fork that names its own home is told of by that.
    let home = match env!("CARGO_PKG_REPOSITORY") {
        "" => concat!("https://crates.io/crates/", env!("CARGO_PKG_NAME")),
        named => named,
    };
    json!({
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "informationUri": home,
        "rules": rules,
    })
}

fn rule(code: Code, level: Level) -> Value {
    let page = code.page();
    let full = format!("{} {}", page.meaning, page.why);
    json!({
        "id": code.as_str(),
        "shortDescription": {"text": page.title},
        "fullDescription": {"text": full},
        "help": {"text": format!("{} {}", full, page.mend)},
        "defaultConfiguration": {
            "enabled": level != Level::Off,
            "level": if level == Level::Error { "error" } else { "warning" },
        },
    })
}

fn result(found: &CheckOutcome, finding: &Finding) -> Value {
    let code = found.levels.iter();
    let index = code.map(|(code, _)| code.as_str());
    let index = index.into_iter().position(|code| code == finding.code);
    let level = match Weight::of(found, finding) {
        Weight::Error => "error",
        Weight::Warning => "warning",
        Weight::Old => "note",
    };
    let mut result = json!({
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": level,
        "message": {"text": printable(&in_full(found, finding))},
        "locations": [location(found, finding.origin.as_ref())],
        "partialFingerprints": {"portenvFinding/v1": finding.fingerprint},
    });
    if found.has_candidates {
        let state = if finding.new { "new" } else { "unchanged" };
        result["baselineState"] = json!(state);
    }
    let lines = conflict_of(found, finding).into_iter();
    let lines = lines.flat_map(|conflict| &conflict.requirements);
    let related: Vec<Value> = lines
        .filter(|line| Some(&line.origin) != finding.origin.as_ref())
        .map(|line| {
            let mut place = location(found, Some(&line.origin));
            let text = format!("{}: {}", line.origin.owner(), line.requirement);
            place["message"] = json!({"text": printable(&text)});
            place
        })
        .collect();
    if !related.is_empty() {
        result["relatedLocations"] = json!(related);
    }
    result
}

fn location(found: &CheckOutcome, origin: Option<&Origin>) -> Value {
    let mut location = Map::new();
    let own = origin.and_then(|origin| found.places.file(origin));
    let mut physical = Map::new();
    if let Some(file) = own.clone().or_else(|| found.places.lock()) {
        let artifact = json!({"uri": uri(&file), "uriBaseId": "%SRCROOT%"});
        physical.insert("artifactLocation".to_owned(), artifact);
    }
    if let (Some(_), Some(line)) = (&own, origin.and_then(|origin| origin.line)) {
        let mut region = json!({"startLine": line});
        if let Some(column) = origin.and_then(|origin| origin.column) {
            region["startColumn"] = json!(column);
        }
        physical.insert("region".to_owned(), region);
    }
    if !physical.is_empty() {
        location.insert("physicalLocation".to_owned(), Value::Object(physical));
    }
    if let Some(origin) = origin {
        let names = [
            ("name", origin.owner()),
            ("fullyQualifiedName", origin.place_of_line()),
        ];
        let logical: Map<String, Value> = (names.into_iter())
            .map(|(key, text)| (key.to_owned(), json!(printable(&text))))
            .collect();
        location.insert("logicalLocations".to_owned(), json!([logical]));
    }
    Value::Object(location)
}

/// A relative reference (RFC 3986): what has a meaning in an address is escaped.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/+@!$&'()*,;=".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
