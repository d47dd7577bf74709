//! Owns both streams: results on stdout, everything else on stderr.

use std::io::{self, IsTerminal, Write};

use super::line::Line;
use crate::package::artifact::printable;

/// The form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One document for programs.
    Json,
    /// For a pull request or a job's summary (`check` and `preview` only).
    Markdown,
    /// Annotations of GitHub Actions (`check` only).
    Github,
    /// For code scanning, SARIF 2.1.0 (`check` only).
    Sarif,
    /// For test reports (`check` only).
    Junit,
}

impl Format {
    /// Reports whether every command has it.
    pub fn is_general(self) -> bool {
        matches!(self, Self::Text | Self::Json)
    }
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The two streams, how to write to them, and what was typed.
#[derive(Debug, Clone)]
pub struct Screen {
    /// Text or JSON.
    pub format: Format,
    quiet: bool,
    color: bool,
    line: Line,
}

impl Screen {
    /// Decides about colour once.
    pub fn new(format: Format, choice: ColorChoice, quiet: bool) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => !plain && io::stderr().is_terminal() && io::stdout().is_terminal(),
        };
        Self {
            format,
            quiet,
            color,
            line: Line::default(),
        }
    }

    /// Takes over the command line that it shows the outcome of.
    pub fn of(mut self, line: Line) -> Self {
        self.line = line;
        self
    }

    /// Returns the command line that it shows the outcome of.
    pub fn line(&self) -> &Line {
        &self.line
    }

    /// Writes a result. A reader that has gone away ends it quietly.
    pub fn result(&self, text: &str) {
        if !text.is_empty() {
            let _ = write_line(&mut io::stdout().lock(), &printable(text));
        }
    }

    /// Writes something besides the result.
    pub fn note(&self, text: &str) {
        if !self.quiet && !text.is_empty() {
            let _ = write_line(&mut io::stderr().lock(), &printable(text));
        }
    }

    /// Writes a warning.
    pub fn warning(&self, text: &str) {
        if !self.quiet {
            self.lead("33;1", "warning", text);
        }
    }

    /// Writes an error; it is shown however quiet we are to be.
    pub fn error(&self, text: &str) {
        self.lead("31;1", "error", text);
    }

    /// Writes a hint.
    pub fn hint(&self, text: &str) {
        if !self.quiet {
            self.lead("36;1", "hint", text);
        }
    }

    /// Only the leading word is ours to colour; the text may come from strangers.
    fn lead(&self, color: &str, word: &str, text: &str) {
        let line = format!("{}: {}", self.paint(color, word), printable(text));
        let _ = write_line(&mut io::stderr().lock(), &line);
    }

    /// Asks a question on the terminal; `None` without one.
    pub fn ask(&self, question: &str) -> Option<bool> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        let mut stderr = io::stderr().lock();
        write!(stderr, "{question} [y/N] ")
            .and_then(|()| stderr.flush())
            .ok()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).ok()?;
        Some(matches!(
            answer.trim().to_ascii_lowercase().as_str(),
            "y" | "yes"
        ))
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// Returns how wide text may be.
    pub fn width() -> u16 {
        std::env::var("COLUMNS")
            .ok()
            .and_then(|text| text.parse().ok())
            .filter(|&width| width >= 40)
            .unwrap_or(80)
    }
}

fn write_line(stream: &mut impl Write, text: &str) -> io::Result<()> {
    // One call a line, or one of another process may come between its parts.
    if text.ends_with('\n') {
        stream.write_all(text.as_bytes())?;
    } else {
        stream.write_all(format!("{text}\n").as_bytes())?;
    }
    stream.flush()
}
