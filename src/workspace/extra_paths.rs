//! `extra_model_paths.yaml`: further directories of nodes, as ComfyUI reads them.
//!
//! The file is a mapping of sections; a section may name `base_path`, `is_default` and,
//! per kind of file, one path a line. Only `custom_nodes` matters here:
//!
//! ```yaml
//! comfyui:
//!   base_path: ~/shared
//!   custom_nodes: |
//!     custom_nodes
//!     more_nodes
//! ```
//!
//! `~`, `$NAME` and `${NAME}` are put in for `base_path` alone. What is relative is meant
//! from `base_path`, and that, or a path without it, from the directory of the file. The
//! events of the parser are walked without recursion and no alias is followed, so a file
//! cannot take more memory than it has bytes.

use std::collections::BTreeMap;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use crate::host::fs;

/// The file's name, beside `main.py`.
pub const FILE: &str = "extra_model_paths.yaml";

/// Something in a file of the installation that could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The file, as it is to be shown.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
}

/// Further directories of nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExtraPaths {
    /// The directories, and whether each is to come before the default one.
    pub dirs: Vec<(Utf8PathBuf, bool)>,
    /// What could not be used.
    pub notes: Vec<Note>,
}

impl ExtraPaths {
    /// Reads the file beside `main.py`; an absent one names nothing.
    pub fn read(core: &Utf8Path, shown: &str, variables: &BTreeMap<String, String>) -> Self {
        match fs::find_text(&core.join(FILE)) {
            Ok(None) => Self::default(),
            Ok(Some(text)) => Self::parse(&text, core, shown, variables),
            Err(error) => Self {
                dirs: Vec::new(),
                notes: vec![Note {
                    file: shown.to_owned(),
                    line: 1,
                    column: 1,
                    message: format!("it cannot be read ({})", error.source),
                }],
            },
        }
    }

    /// Parses the file's text; `dir` is where it lies.
    pub fn parse(
        text: &str,
        dir: &Utf8Path,
        shown: &str,
        variables: &BTreeMap<String, String>,
    ) -> Self {
        let mut found = Self::default();
        let mut reader = Reader {
            parser: Parser::new_from_str(text.trim_start_matches('\u{feff}')),
            notes: Vec::new(),
        };
        let sections = match reader.sections() {
            Ok(sections) => sections,
            Err(error) => {
                // What stands before the mistake is not used either: ComfyUI stops here.
                let (line, column) = place(error.marker());
                reader.notes.push((line, column, error.info().to_owned()));
                Vec::new()
            }
        };
        for section in sections {
            let base = section.base.map(|text| {
                let text = with_variables(&with_home(&text, variables), variables);
                normal(&dir.join(text))
            });
            let base = base.as_deref().unwrap_or(dir);
            let paths = section.nodes.iter().flat_map(|text| text.split('\n'));
            for path in paths.filter(|path| !path.is_empty()) {
                found.dirs.push((normal(&base.join(path)), section.first));
            }
        }
        found.notes = reader
            .notes
            .into_iter()
            .map(|(line, column, message)| Note {
                file: shown.to_owned(),
                line,
                column,
                message,
            })
            .collect();
        found
    }
}

/// What a section says that matters here.
#[derive(Default)]
struct Section {
    base: Option<String>,
    first: bool,
    nodes: Vec<String>,
}

struct Reader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    notes: Vec<(u32, u32, String)>,
}

/// A value: text with its place, or anything else.
enum Value {
    Text(String),
    Other,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), ScanError> {
        self.parser
            .next_event()
            .unwrap_or(Ok((Event::StreamEnd, Span::default())))
    }

    fn note(&mut self, span: Span, message: impl Into<String>) {
        let (line, column) = place(&span.start);
        self.notes.push((line, column, message.into()));
    }

    fn sections(&mut self) -> Result<Vec<Section>, ScanError> {
        let mut sections = Vec::new();
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd | Event::DocumentEnd => return Ok(sections),
                Event::MappingStart(..) => break,
                Event::Scalar(text, ..) if text.is_empty() => {}
                Event::Scalar(..) | Event::SequenceStart(..) | Event::Alias(_) => {
                    self.note(span, "it is not a mapping of sections");
                    return Ok(sections);
                }
                _ => {}
            }
        }
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::MappingEnd | Event::StreamEnd => break,
                key => self.skip(&key)?,
            }
            let (event, at) = self.next()?;
            match event {
                Event::MappingStart(..) => sections.push(self.section()?),
                Event::Scalar(text, style, ..) if is_null(&text, style) => {}
                other => {
                    self.note(at, "the section is not a mapping");
                    self.skip(&other)?;
                }
            }
            let _ = span;
        }
        // The rest is read for its mistakes: a file that breaks later does so for ComfyUI.
        while self.next()?.0 != Event::StreamEnd {}
        Ok(sections)
    }

    fn section(&mut self) -> Result<Section, ScanError> {
        let mut section = Section::default();
        loop {
            let (event, at) = self.next()?;
            let key = match event {
                Event::MappingEnd | Event::StreamEnd => return Ok(section),
                Event::Scalar(text, ..) => text.into_owned(),
                other => {
                    self.skip(&other)?;
                    String::new()
                }
            };
            let (event, _) = self.next()?;
            let value = match event {
                Event::Scalar(text, style, ..) if !is_null(&text, style) => {
                    Value::Text(text.into_owned())
                }
                other => {
                    self.skip(&other)?;
                    Value::Other
                }
            };
            match (key.as_str(), value) {
                ("base_path", Value::Text(text)) => section.base = Some(text),
                ("custom_nodes", Value::Text(text)) => section.nodes.push(text),
                ("is_default", Value::Text(text)) => {
                    let text = text.to_ascii_lowercase();
                    section.first = matches!(text.as_str(), "true" | "yes" | "on");
                }
                ("base_path" | "custom_nodes", Value::Other) => {
                    self.note(at, format!("`{key}` is not a text with one path a line"));
                }
                ("<<", _) => self.note(at, "merged sections (`<<`) are not followed"),
                _ => {}
            }
        }
    }

    /// Passes over what an event begins.
    fn skip(&mut self, first: &Event<'_>) -> Result<(), ScanError> {
        let step = |event: &Event<'_>| match event {
            Event::MappingStart(..) | Event::SequenceStart(..) => 1i64,
            Event::MappingEnd | Event::SequenceEnd => -1,
            _ => 0,
        };
        let mut depth = step(first);
        while depth > 0 {
            let (event, _) = self.next()?;
            if event == Event::StreamEnd {
                break;
            }
            depth += step(&event);
        }
        Ok(())
    }
}

fn place(marker: &saphyr_parser::Marker) -> (u32, u32) {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (number(marker.line()), number(marker.col() + 1))
}

fn is_null(text: &str, style: ScalarStyle) -> bool {
    style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// Puts the home in for a leading `~`, as `os.path.expanduser` does.
fn with_home(text: &str, variables: &BTreeMap<String, String>) -> String {
    let home = ["HOME", "USERPROFILE"]
        .iter()
        .find_map(|name| variables.get(*name));
    match (text.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with(['/', '\\']) => {
            format!("{}{rest}", home.trim_end_matches(['/', '\\']))
        }
        _ => text.to_owned(),
    }
}

/// Puts values in for `$NAME` and `${NAME}`, as `os.path.expandvars` does: what has no
/// value stays as it is written.
fn with_variables(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let (name, length) = match after.strip_prefix('{').and_then(|t| t.split_once('}')) {
            Some((name, _)) => (name, name.len() + 2),
            None => {
                let end = after.find(|c| !is_word(c)).unwrap_or(after.len());
                (&after[..end], end)
            }
        };
        match variables.get(name) {
            Some(value) => {
                out.push_str(value);
                rest = &after[length..];
            }
            None => {
                out.push('$');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// Takes `.` and `..` out of a path by its text, as `os.path.normpath` does.
fn normal(path: &Utf8Path) -> Utf8PathBuf {
    let mut out = Utf8PathBuf::new();
    for part in path.components() {
        match part {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

#[cfg(test)]
mod tests;
