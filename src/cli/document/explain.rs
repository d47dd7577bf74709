//! What a code of `check` means, and the last conflict.

use schemars::JsonSchema;
use serde::Serialize;

use super::ConflictDocument;
use crate::ops::explain::{Explanation, LastConflict, TakenBy, Taking};
use crate::workspace::settings::Level;

/// What a code of `check` means.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ExplainDocument {
    /// The code.
    #[schemars(regex(pattern = r"^PE[0-9]{3}$"))]
    pub code: &'static str,
    /// A few words.
    pub title: &'static str,
    /// How it counts unless `portenv.toml` says otherwise: `error` or `warn`.
    #[schemars(extend("enum" = ["error", "warn"]))]
    pub level: &'static str,
    /// What was found.
    pub meaning: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do about it.
    pub mend: &'static str,
    /// What switches it off, for `portenv.toml`.
    pub switch: String,
}

impl From<&Explanation> for ExplainDocument {
    fn from(found: &Explanation) -> Self {
        let code = found.code.as_str();
        Self {
            code,
            title: found.page.title,
            level: match found.level {
                Level::Error => "error",
                Level::Warn | Level::Off => "warn",
            },
            meaning: found.page.meaning,
            why: found.page.why,
            mend: found.page.mend,
            switch: format!("[check]\n{code} = \"off\"\n"),
        }
    }
}

/// The last conflict in full, and the way out of it that was taken.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LastConflictDocument {
    /// Whether it is only shown, or what taking a way out came to.
    pub status: LastWord,
    /// The words of the command that met it, the program first; without credentials.
    pub command: Vec<String>,
    /// The directory in which it was run.
    pub dir: String,
    /// The installation; the directory where there is none.
    pub root: String,
    /// When it was met, RFC 3339 in UTC.
    pub time: String,
    /// The version of the program that met it.
    pub version: String,
    /// Something else is asked for by now.
    pub stale: bool,
    /// The ways out that were written to `portenv.toml` since, by number.
    pub taken: Vec<usize>,
    /// How many of the conflicts no way out was taken of.
    pub open: usize,
    /// The conflicts, as the command showed them.
    pub conflicts: Vec<ConflictDocument>,
    /// The way out that was to be taken; null if none was.
    pub applied: Option<TakenWay>,
}

/// What an explanation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LastWord {
    /// The conflict is shown, nothing was changed.
    Conflict,
    /// The way out was written to `portenv.toml`.
    Applied,
    /// `portenv.toml` says so already.
    Nothing,
    /// A command does it; `next` has it.
    Command,
}

/// A way out that was to be taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TakenWay {
    /// Its number over all conflicts.
    pub number: usize,
    /// What it does, in words.
    pub text: String,
    /// The file that says so now, relative to the root; null where a command does it.
    pub file: Option<String>,
    /// The file was changed.
    pub written: bool,
    /// What changed in it, as a unified diff; null if nothing did.
    pub diff: Option<String>,
}

impl From<&LastConflict> for LastConflictDocument {
    fn from(last: &LastConflict) -> Self {
        let kept = &last.kept;
        let shown = |path: &camino::Utf8Path| path.as_str().replace('\\', "/");
        let words = std::iter::once("portenv".to_owned()).chain(kept.words.iter().cloned());
        Self {
            status: LastWord::Conflict,
            command: words.collect(),
            dir: shown(&kept.dir),
            root: shown(&kept.root),
            time: kept.time.clone(),
            version: kept.portenv.clone(),
            stale: last.stale,
            taken: kept.taken.clone(),
            open: kept.open(None),
            conflicts: ConflictDocument::of_kept(&kept.conflicts),
            applied: None,
        }
    }
}

impl From<&Taking> for LastConflictDocument {
    fn from(taking: &Taking) -> Self {
        let (status, file, diff) = match &taking.by {
            TakenBy::Written { file, diff } => (LastWord::Applied, Some(file), Some(diff)),
            TakenBy::Already { file } => (LastWord::Nothing, Some(file), None),
            TakenBy::Command => (LastWord::Command, None, None),
        };
        Self {
            status,
            applied: Some(TakenWay {
                number: taking.number,
                text: taking.way.text.clone(),
                file: file.cloned(),
                written: diff.is_some(),
                diff: diff.cloned(),
            }),
            ..Self::from(&taking.last)
        }
    }
}
