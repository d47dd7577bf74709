//! Where a requirement stands, and what was wrong with one.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

/// Who asks.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum OriginKind {
    /// ComfyUI itself.
    Core,
    /// A custom node.
    Node,
    /// A file given on the command line.
    File,
    /// `portenv.toml` or a flag.
    Policy,
    /// What is installed.
    Installed,
}

/// The place of a requirement: who asks, in which file, line and column.
///
/// Lines and columns count from 1, columns in characters. The order is that of
/// reading: core first, then nodes by name, then file and line.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Origin {
    /// Who asks.
    pub kind: OriginKind,
    /// The node's directory name, or the installed distribution's.
    pub name: Option<String>,
    /// The file, relative to the root where it lies in it, with `/`; null only for `installed`.
    // Of an installed distribution that is not ours to change it says who has it.
    pub file: Option<String>,
    /// The line, from 1.
    #[schemars(range(min = 1))]
    pub line: Option<u32>,
    /// The column in characters, from 1.
    #[schemars(range(min = 1))]
    pub column: Option<u32>,
}

impl Origin {
    /// Makes the origin of a whole file.
    pub fn file(kind: OriginKind, name: Option<&str>, file: &str) -> Self {
        Self {
            kind,
            name: name.map(str::to_owned),
            file: Some(file.to_owned()),
            line: None,
            column: None,
        }
    }

    /// Makes the origin of an installed distribution.
    pub fn installed(name: &str) -> Self {
        Self {
            kind: OriginKind::Installed,
            name: Some(name.to_owned()),
            file: None,
            line: None,
            column: None,
        }
    }

    /// Returns the same file at a line and column.
    pub fn at(&self, line: u32, column: u32) -> Self {
        Self {
            line: Some(line),
            column: Some(column),
            ..self.clone()
        }
    }

    /// Returns the same owner with another file.
    pub fn in_file(&self, file: &str) -> Self {
        Self::file(self.kind, self.name.as_deref(), file)
    }

    /// Returns who has an installed distribution that is not ours to change.
    pub fn not_ours(&self) -> Option<&str> {
        let file = self.file.as_deref();
        file.filter(|_| self.kind == OriginKind::Installed)
    }

    /// Returns who asks, in one word: the node's name, `ComfyUI`, or the file.
    pub fn owner(&self) -> String {
        match (self.kind, &self.name) {
            (OriginKind::Core, _) => "ComfyUI".to_owned(),
            (OriginKind::Installed, _) => "installed".to_owned(),
            (_, Some(name)) => name.clone(),
            (OriginKind::Policy, None) => "policy".to_owned(),
            (_, None) => self
                .file
                .clone()
                .unwrap_or_else(|| "requirements".to_owned()),
        }
    }

    /// Returns `file:line:column` as far as it is known.
    pub fn place(&self) -> String {
        let mut text = self.file.clone().unwrap_or_else(|| self.owner());
        for number in [self.line, self.column].into_iter().flatten() {
            text.push(':');
            text.push_str(&number.to_string());
        }
        text
    }

    /// Returns `file:line`, which is enough to find a requirement.
    pub fn place_of_line(&self) -> String {
        if self.kind == OriginKind::Installed {
            let place = self.not_ours().unwrap_or("the environment");
            return format!("in {place}");
        }
        let text = self.file.clone().unwrap_or_else(|| self.owner());
        self.line
            .map_or(text.clone(), |line| format!("{text}:{line}"))
    }
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The line or file cannot be used; an error unless invalid ones are skipped.
    Error,
    /// Worth knowing; the line was used or rightly has no effect.
    Warning,
}

/// Something in a requirement file that a person should know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// A word for programs: `invalid-requirement`, `invalid-file`, `index-ignored`, …
    pub code: &'static str,
    /// Where it is.
    pub origin: Origin,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Problem {
    /// Makes a problem that forbids using the line or file.
    pub fn error(code: &'static str, origin: Origin, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            origin,
            message: message.into(),
            fix: None,
        }
    }

    /// Makes a problem that is only worth knowing.
    pub fn warning(code: &'static str, origin: Origin, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, origin, message)
        }
    }

    /// Adds what to do about it.
    pub fn with_fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Returns the problem as one line: place, message, fix.
    pub fn shown(&self) -> String {
        let fix = self
            .fix
            .as_ref()
            .map_or(String::new(), |fix| format!(" ({fix})"));
        format!("{}: {}{fix}", self.origin.place(), self.message)
    }
}

/// Shows a path relative to the root where it lies in it, with `/`.
pub fn show_path(root: &Utf8Path, path: &Utf8Path) -> String {
    let shown: Utf8PathBuf = path.strip_prefix(root).unwrap_or(path).to_owned();
    shown.as_str().replace('\\', "/")
}
