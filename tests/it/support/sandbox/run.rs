//! What one run of the program answered.

use std::{
    fmt::{self, Write},
    process::{ExitStatus, Output},
    sync::{Arc, Mutex},
};

use serde_json::Value;

/// Exit code and both streams of a run, already normalised.
///
/// Displayed it is the exit code and both streams, which suits an inline snapshot.
#[derive(Clone, Debug)]
#[must_use = "a run that nobody looks at proves nothing"]
pub(crate) struct Run {
    code: i32,
    stdout: String,
    stderr: String,
    /// Standard output with nothing hidden.
    said: String,
    ids: Arc<Mutex<Vec<String>>>,
}

impl Run {
    pub(super) fn new(
        output: &Output,
        normalise: impl Fn(&str) -> String,
        ids: Arc<Mutex<Vec<String>>>,
    ) -> Self {
        let text = |bytes| normalise(std::str::from_utf8(bytes).expect("output is UTF-8"));
        Self {
            code: code(output.status),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
            said: String::from_utf8_lossy(&output.stdout).into_owned(),
            ids,
        }
    }

    /// Returns the exit code; death by a signal counts as 128 and its number, as in shells.
    pub(crate) fn code(&self) -> i32 {
        self.code
    }

    /// Returns what went to standard output.
    pub(crate) fn stdout(&self) -> &str {
        &self.stdout
    }

    /// Returns what went to standard error.
    pub(crate) fn stderr(&self) -> &str {
        &self.stderr
    }

    /// Returns the run if it exited with 0.
    ///
    /// # Panics
    ///
    /// Panics otherwise, and shows both streams.
    #[track_caller]
    pub(crate) fn success(self) -> Self {
        self.expect_code(0)
    }

    /// Returns the run if it exited with this code.
    ///
    /// # Panics
    ///
    /// Panics otherwise, and shows both streams.
    #[track_caller]
    pub(crate) fn expect_code(self, code: i32) -> Self {
        assert!(self.code == code, "expected exit code {code}\n{self}");
        self
    }

    /// Reads standard output as the one JSON document that `--format json` promises.
    ///
    /// # Panics
    ///
    /// Panics if it is anything else, and shows both streams.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("stdout is not one JSON document: {error}\n{self}"))
    }

    /// Reads the document with nothing hidden, as a program does that acts on it.
    ///
    /// # Panics
    ///
    /// Panics if standard output is anything else.
    #[track_caller]
    pub(crate) fn document(&self) -> Value {
        serde_json::from_str(&self.said)
            .unwrap_or_else(|error| panic!("stdout is not one JSON document: {error}\n{self}"))
    }

    /// Replaces snapshot ids by placeholders of the same width, so that columns stay aligned.
    ///
    /// Ids are numbered in the order in which their sandbox saw them, across its runs.
    pub(crate) fn hide_ids(mut self) -> Self {
        let mut ids = self.ids.lock().unwrap();
        self.stdout = hidden(&self.stdout, &mut ids);
        self.stderr = hidden(&self.stderr, &mut ids);
        drop(ids);
        self
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit code: {}", self.code)?;
        writeln!(
            f,
            "----- stdout -----\n{}",
            self.stdout.trim_end_matches('\n')
        )?;
        write!(
            f,
            "----- stderr -----\n{}",
            self.stderr.trim_end_matches('\n')
        )
    }
}

/// Replaces words of exactly 12 hex digits. Commits and digests are longer words and stay.
fn hidden(text: &str, ids: &mut Vec<String>) -> String {
    let mut shown = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        if word.len() == 12 && word.chars().all(hex) {
            let known = ids.iter().position(|id| id == word);
            let at = known.unwrap_or_else(|| {
                ids.push(word.to_owned());
                ids.len() - 1
            });
            let number = (at + 1).to_string();
            // `[snapshot-1]`, `[snapsho-10]`: always twelve wide.
            write!(shown, "[{:.*}-{number}]", 9 - number.len(), "snapshot").unwrap();
            shown.push_str(&piece[word.len()..]);
        } else {
            shown.push_str(piece);
        }
    }
    shown
}

#[cfg(unix)]
fn code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    let killed = || 128 + status.signal().unwrap_or_default();
    status.code().unwrap_or_else(killed)
}

#[cfg(not(unix))]
fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or(-1)
}
