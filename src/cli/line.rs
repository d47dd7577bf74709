//! The command line as it was typed, to say what to type next.

use std::ffi::OsString;

use clap::CommandFactory;

use super::args::Cli;
use super::args::update::is_place;
use super::document::Next;

/// Global flags that hold for the next command too: where it works and what it prints.
const KEPT: [&str; 9] = [
    "--root",
    "--core",
    "--python",
    "--uv",
    "--offline",
    "--cache-dir",
    "--no-cache",
    "--format",
    "--progress",
];

/// Commands that change nothing, whatever their flags.
const LOOKING: [&str; 14] = [
    "preview",
    "resolve",
    "check",
    "explain",
    "status",
    "diff",
    "why",
    "tree",
    "self",
    "export",
    "doctor",
    "demo",
    "completions",
    "man",
];

/// The words after the program's name, addresses without credentials.
#[derive(Debug, Clone, Default)]
pub struct Line {
    words: Vec<String>,
    /// Where the command's name stands.
    command: Option<usize>,
}

impl Line {
    /// Reads the arguments of the process, its own name first.
    pub fn read(args: &[OsString]) -> Self {
        let words = args.iter().skip(1);
        Self::of(words.map(|arg| crate::package::redact(&arg.to_string_lossy())))
    }

    /// Makes the line of words that were kept.
    pub fn of(words: impl Iterator<Item = String>) -> Self {
        let words: Vec<String> = words.collect();
        Self {
            command: command_in(&words),
            words,
        }
    }

    /// Returns the words in one line, as the history keeps them.
    pub fn shown(&self) -> String {
        self.words.join(" ")
    }

    /// Returns the words after the program's name.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Returns the name of the command as it was typed.
    pub fn named(&self) -> Option<&str> {
        self.command.map(|at| self.words[at].as_str())
    }

    /// Returns the name of the command; `status` is meant where none is named.
    pub fn command(&self) -> &str {
        self.named().unwrap_or("status")
    }

    /// Reports whether a flag was given, as a word or by its variable.
    pub fn gives(&self, flag: &str) -> bool {
        let variable = format!(
            "PORTENV_{}",
            flag.trim_start_matches('-')
                .replace('-', "_")
                .to_uppercase()
        );
        !self.spans(flag, true).is_empty() || std::env::var_os(variable).is_some()
    }

    /// Reports whether the command changes something.
    pub fn changes(&self) -> bool {
        let looks = |flag: &str| !self.spans(flag, false).is_empty();
        let inner = self.command.and_then(|at| self.words.get(at + 1));
        let looking = match self.command() {
            "snapshot" => inner.is_some_and(|word| word == "list" || word == "show"),
            "verify" => !looks("--fix"),
            command => LOOKING.contains(&command),
        };
        let writes = self.command() == "explain" && !self.spans("--apply", true).is_empty();
        writes || !looking && !looks("--dry-run") && !looks("--check")
    }

    /// Returns the same command with another name.
    pub fn renamed(mut self, name: &str) -> Self {
        if let Some(at) = self.command {
            name.clone_into(&mut self.words[at]);
        }
        self
    }

    /// Takes a flag out, with its value if it takes one.
    pub fn without(mut self, flag: &str, takes_value: bool) -> Self {
        while let Some(&(at, length)) = self.spans(flag, takes_value).first() {
            self.words.drain(at..at + length);
            self.command = command_in(&self.words);
        }
        self
    }

    /// Takes out every consent that was given: it was for what was known then.
    pub fn unsigned(self) -> Self {
        let mut line = self
            .without("--plan", true)
            .without("--yes", false)
            .without("-y", false);
        let end = end_of_flags(&line.words);
        for word in &mut line.words[..end] {
            // Short flags may stand in one word: `-qy`.
            let together = word.len() > 2 && word.starts_with('-');
            if together && word.chars().skip(1).all(|c| "qvy".contains(c)) {
                word.retain(|c| c != 'y');
            }
        }
        line
    }

    /// Adds words, before a `--` if there is one.
    pub fn with(mut self, words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        insert(&mut self.words, words.into_iter().map(Into::into));
        self
    }

    /// Puts a flag's value in place of the one it has.
    pub fn set(self, flag: &str, value: &str) -> Self {
        self.without(flag, true).with([flag, value])
    }

    /// Puts a word in place of another.
    pub fn replaced(mut self, word: &str, by: &str) -> Self {
        for own in self.words.iter_mut().filter(|own| *own == word) {
            by.clone_into(own);
        }
        self
    }

    /// Returns the whole as a command to run.
    pub fn next(self, why: impl Into<String>) -> Next {
        let changes = self.changes();
        let words = std::iter::once("portenv".to_owned()).chain(self.words);
        Next::of(words, changes, why).as_typed()
    }

    /// Completes a command of this program's own making: it works where this one did.
    pub fn complete(&self, next: &Next) -> Next {
        let mut next = next.clone();
        if !next.is_as_typed() {
            let kept = KEPT.iter().flat_map(|flag| {
                let takes_value = !matches!(*flag, "--offline" | "--no-cache");
                let spans = self.spans(flag, takes_value).into_iter();
                let spans = spans.filter(|(at, _)| !self.is_wish(*at));
                let words = spans.flat_map(|(at, length)| &self.words[at..at + length]);
                words.cloned()
            });
            insert(&mut next.argv, kept);
        }
        next
    }

    /// Reports whether `update` was told which ComfyUI to go to: on the line itself, for the
    /// variable of the flag says where ComfyUI lies.
    pub fn wants_core(&self) -> bool {
        (0..end_of_flags(&self.words)).any(|at| self.is_wish(at))
    }

    /// Reports whether a word says which ComfyUI `update` is to go to, and not where it lies.
    fn is_wish(&self, at: usize) -> bool {
        let behind = self.command.is_some_and(|command| command < at);
        let value = match self.words[at].strip_prefix("--core") {
            Some(rest) if behind && self.command() == "update" => rest.strip_prefix('='),
            _ => return false,
        };
        value.is_none_or(|value| !is_place(value.into()))
    }

    /// Where a flag stands: its index and how many words it takes.
    fn spans(&self, flag: &str, takes_value: bool) -> Vec<(usize, usize)> {
        let end = end_of_flags(&self.words);
        let length = |at: usize| {
            let rest = self.words[at].strip_prefix(flag)?;
            match rest {
                "" if takes_value => Some((end - at).min(2)),
                "" => Some(1),
                rest => rest.starts_with('=').then_some(1),
            }
        };
        (0..end).filter_map(|at| Some((at, length(at)?))).collect()
    }
}

fn end_of_flags(words: &[String]) -> usize {
    words
        .iter()
        .position(|word| word == "--")
        .unwrap_or(words.len())
}

fn insert(words: &mut Vec<String>, more: impl Iterator<Item = String>) {
    let at = end_of_flags(words);
    words.splice(at..at, more);
}

/// Finds the command's name: the first word that is no flag and no flag's value.
fn command_in(words: &[String]) -> Option<usize> {
    let cli = Cli::command();
    let takes_value = |word: &str| {
        let found = cli
            .get_arguments()
            .find(|arg| match word.strip_prefix("--") {
                Some(long) => arg.get_long() == Some(long),
                None => arg.get_short() == word.chars().last(),
            });
        found.is_some_and(|arg| arg.get_action().takes_values())
    };
    let mut words = words.iter().enumerate();
    while let Some((at, word)) = words.next() {
        if word == "--" {
            return None;
        }
        if !word.starts_with('-') || word == "-" {
            return cli.find_subcommand(word).map(|_| at);
        }
        if takes_value(word) {
            words.next();
        }
    }
    None
}
