//! Events of `--progress json`.

use schemars::JsonSchema;
use serde::Serialize;

/// The name of the schema.
pub const SCHEMA: &str = "portenv.progress/1";

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProgressWord {
    /// A step begins.
    Begin,
    /// The step has come so far.
    At,
    /// The step is over.
    End,
    /// Something worth knowing, in `note`.
    Warning,
}

/// One event of long work: a line of its own on stderr. Lines that begin with no `{` are
/// messages for people.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ProgressDocument {
    /// The name of this schema.
    #[schemars(extend("const" = SCHEMA))]
    schema: &'static str,
    /// What it is about.
    event: ProgressWord,
    /// The step, in words.
    what: String,
    /// How far it has come, in units; null where nothing is counted.
    done: Option<u64>,
    /// How long it is, in units; null where that is not known.
    total: Option<u64>,
    /// What is counted: `packages`, `pages`; null where nothing is.
    unit: Option<String>,
    /// The thing at hand.
    note: Option<String>,
}

impl ProgressDocument {
    /// Makes an event.
    pub fn new(
        event: ProgressWord,
        what: &str,
        done: Option<u64>,
        total: Option<u64>,
        unit: Option<&str>,
        note: Option<&str>,
    ) -> Self {
        Self {
            schema: SCHEMA,
            event,
            what: what.to_owned(),
            done: done.filter(|_| unit.is_some() || total.is_some()),
            total,
            unit: unit.map(str::to_owned),
            note: note.map(str::to_owned),
        }
    }

    /// Returns the event as one line, its end too.
    pub fn line(&self) -> String {
        let text = serde_json::to_string(self).expect("BUG: an event is not JSON");
        format!("{}\n", super::schemas::escaped(&text))
    }
}
