//! Which command answers with which documents, and their JSON Schemas.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::ops::self_info::SelfInfo;

use super::{
    AppliedDocument, CacheDocument, CheckDocument, DiffDocument, ExplainDocument, ExportDocument,
    FailureDocument, InitDocument, LastConflictDocument, LockDocument, Next, PackDocument,
    PreviewDocument, ResolveDocument, SnapshotDocument, StatusDocument, StoppedDocument,
    TextDocument, TreeDocument, UnpackDocument, UpdateDocument, VerifyDocument, WhyDocument,
    bisect::BisectDocument, demo::DemoDocument, progress::ProgressDocument, prune::PruneDocument,
    venv::VenvCreateDocument, venv::VenvListDocument, venv::VenvRemoveDocument,
    wheelhouse::WheelhouseBuildDocument, wheelhouse::WheelhouseCheckDocument,
};

/// A document as it is written: its schema first, what to run next last.
#[derive(Serialize)]
struct Envelope<'a, D: Serialize> {
    schema: String,
    #[serde(flatten)]
    body: &'a D,
    next: &'a [Next],
}

/// Returns a document as one line of JSON.
pub fn document(command: &str, body: &impl Serialize, next: &[Next]) -> String {
    let envelope = Envelope {
        schema: name_of(command),
        body,
        next,
    };
    // Maps have texts as keys and nothing else can fail.
    escaped(&serde_json::to_string(&envelope).expect("BUG: a document is not JSON"))
}

/// JSON escapes the control characters of ASCII; those beyond it and the marks
/// that turn the direction of text reach a terminal just as well.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '\u{7f}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

fn name_of(command: &str) -> String {
    format!("portenv.{command}/1")
}

/// The schema of one document's body, as a part of its command's.
type Part = fn(&mut SchemaGenerator) -> Value;

fn part<D: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    D::json_schema(generator).to_value()
}

/// Every command with its results. What is a text by nature has none but failures.
const COMMANDS: [(&str, &[Part]); 35] = [
    ("add", &[part::<AppliedDocument>, part::<StoppedDocument>]),
    ("bisect", &[part::<BisectDocument>]),
    ("cache", &[part::<CacheDocument>]),
    ("check", &[part::<CheckDocument>]),
    ("completions", &[part::<TextDocument>]),
    ("demo", &[part::<DemoDocument>]),
    ("diff", &[part::<DiffDocument>]),
    ("disable", &[part::<AppliedDocument>]),
    (
        "enable",
        &[part::<AppliedDocument>, part::<PreviewDocument>],
    ),
    (
        "explain",
        &[part::<ExplainDocument>, part::<LastConflictDocument>],
    ),
    ("export", &[part::<ExportDocument>]),
    ("init", &[part::<InitDocument>]),
    ("lock", &[part::<LockDocument>]),
    ("man", &[part::<TextDocument>]),
    ("pack", &[part::<PackDocument>]),
    // What is wrong before a command is known.
    ("portenv", &[]),
    ("preview", &[part::<PreviewDocument>]),
    ("recover", &[part::<AppliedDocument>]),
    ("redo", &[part::<AppliedDocument>]),
    ("remove", &[part::<AppliedDocument>]),
    ("resolve", &[part::<ResolveDocument>]),
    ("rollback", &[part::<AppliedDocument>]),
    // What it runs prints for itself.
    ("run", &[]),
    ("self", &[part::<SelfInfo>]),
    (
        "snapshot",
        &[part::<SnapshotDocument>, part::<PruneDocument>],
    ),
    ("status", &[part::<StatusDocument>]),
    ("sync", &[part::<AppliedDocument>]),
    ("tree", &[part::<TreeDocument>]),
    ("undo", &[part::<AppliedDocument>]),
    ("unpack", &[part::<UnpackDocument>]),
    ("update", &[part::<UpdateDocument>]),
    (
        "venv",
        &[
            part::<VenvCreateDocument>,
            part::<VenvListDocument>,
            part::<VenvRemoveDocument>,
        ],
    ),
    ("verify", &[part::<VerifyDocument>]),
    (
        "wheelhouse",
        &[
            part::<WheelhouseBuildDocument>,
            part::<WheelhouseCheckDocument>,
            part::<AppliedDocument>,
        ],
    ),
    ("why", &[part::<WhyDocument>]),
];

/// Schemas by command, in the order of their names.
pub type Schemas = Vec<(&'static str, Value)>;

/// Returns the JSON Schema (draft 2020-12) of every command's document: one of its
/// results, or a failure; and that of an event of `--progress json`.
pub fn schemas() -> Schemas {
    let mut all: Schemas = COMMANDS
        .iter()
        .map(|(command, results)| (*command, schema_of(command, results)))
        .collect();
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let event = SchemaGenerator::new(settings).into_root_schema_for::<ProgressDocument>();
    all.push(("progress", event.to_value()));
    all
}

fn schema_of(command: &str, results: &[Part]) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut generator = SchemaGenerator::new(settings);
    let mut bodies: Vec<Value> = results.iter().map(|part| part(&mut generator)).collect();
    bodies.push(part::<FailureDocument>(&mut generator));
    let next = generator.subschema_for::<Vec<Next>>().to_value();
    let any: Vec<Value> = bodies
        .into_iter()
        .map(|body| enclosed(body, command, &next))
        .collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:portenv:{command}:1"),
        "title": format!("portenv {command} --format json"),
        "anyOf": any,
        "$defs": generator.take_definitions(true),
    })
}

/// Adds what every document has to the schema of a body.
fn enclosed(mut body: Value, command: &str, next: &Value) -> Value {
    let Some(schema) = body.as_object_mut() else {
        return body;
    };
    let mut properties = Map::new();
    properties.insert("schema".to_owned(), json!({"const": name_of(command)}));
    if let Some(Value::Object(own)) = schema.remove("properties") {
        properties.extend(own);
    }
    properties.insert("next".to_owned(), next.clone());
    let mut required = vec![json!("schema")];
    if let Some(Value::Array(own)) = schema.remove("required") {
        required.extend(own);
    }
    required.push(json!("next"));
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema.insert("required".to_owned(), Value::Array(required));
    body
}
