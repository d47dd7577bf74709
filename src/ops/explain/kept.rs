//! The last conflict of an installation, kept in the cache until the next one.
//!
//! One file for each root, `<cache>/conflicts/DIGEST.json`. What met a conflict outside of
//! an installation is kept for the working directory. A file that cannot be read is none.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::amend::{Amendment, amendments};
use crate::host::{digest, fs};
use crate::lock::model::input_digest;
use crate::ops::add::AddOutcome;
use crate::ops::check::CheckOutcome;
use crate::ops::context::Context;
use crate::ops::lock::LockOutcome;
use crate::ops::preview::{Preview, PreviewStatus};
use crate::ops::remove::RemoveOutcome;
use crate::ops::resolve::ResolveOutcome;
use crate::ops::switch::SwitchOutcome;
use crate::ops::update::UpdateOutcome;
use crate::package::{Name, redact};
use crate::requirements::Origin;
use crate::requirements::set::gather;
use crate::resolve::{Conflict, Outcome, Suggestion};
use crate::workspace::Installation;

/// A file of another number was written by a program that is not this one.
const FORMAT: u32 = 1;

/// The last conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    format: u32,
    /// The version of the program that met it.
    pub portenv: String,
    /// When, RFC 3339 in UTC.
    pub time: String,
    /// The installation's root, or the directory where files were resolved.
    pub root: Utf8PathBuf,
    /// The working directory.
    pub dir: Utf8PathBuf,
    /// The words of the command after the program's name, without credentials.
    pub words: Vec<String>,
    /// What was asked for then, by digest.
    inputs: Inputs,
    /// The conflicts.
    pub conflicts: Vec<KeptConflict>,
    /// The ways out that were taken since, by number.
    pub taken: Vec<usize>,
}

/// What tells whether something else is asked for by now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Inputs {
    /// The lines and the policy of an installation. What nodes ask for that are not in it yet
    /// is no part of this: they may be gone already.
    Installation(Option<String>),
    /// The files of the lines at fault.
    Files(BTreeMap<Utf8PathBuf, String>),
}

/// A conflict as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptConflict {
    /// The contested packages.
    pub packages: Vec<Name>,
    /// The lines that cannot hold together.
    pub requirements: Vec<KeptLine>,
    /// The whole in words.
    pub explanation: String,
    /// It is not there without the nodes that were named.
    pub new: bool,
    /// Ways out.
    pub ways: Vec<Way>,
    /// How many more there might be that were not tried.
    #[serde(default)]
    pub untried: usize,
}

/// One line of a conflict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptLine {
    /// The line.
    pub requirement: String,
    /// Where it stands.
    pub origin: Origin,
    /// How it reaches the contested package: package, version, what it asks for.
    pub via: Vec<(Name, String, String)>,
}

/// A way out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// A word for programs.
    pub kind: String,
    /// The whole in words.
    pub text: String,
    /// What would change: name, version before and after.
    pub changes: Vec<(Name, Option<String>, Option<String>)>,
    /// What it changes in `portenv.toml`.
    pub amendments: Vec<Amendment>,
    /// Flags that do it.
    pub flags: Vec<String>,
    /// The command that does it, without the program's name.
    pub command: Vec<String>,
    /// All of it was tried; else what only a build could tell was not.
    #[serde(default)]
    pub verified: bool,
}

/// An outcome that may be a conflict.
pub trait Ending {
    /// Returns the conflicts that it ends with, as they are shown; none if it does not.
    fn conflicts(&self) -> &[Conflict];

    /// Reports whether what was asked for is no matter of the installation around.
    fn is_apart(&self) -> bool {
        false
    }
}

impl Ending for ResolveOutcome {
    fn conflicts(&self) -> &[Conflict] {
        of_outcome(Some(&self.outcome))
    }

    fn is_apart(&self) -> bool {
        true
    }
}

impl Ending for LockOutcome {
    fn conflicts(&self) -> &[Conflict] {
        of_outcome(self.outcome.as_ref())
    }
}

impl Ending for Preview {
    fn conflicts(&self) -> &[Conflict] {
        match self.status {
            PreviewStatus::Ok => &[],
            PreviewStatus::Blocked | PreviewStatus::Conflict => &self.conflicts,
        }
    }
}

impl Ending for CheckOutcome {
    fn conflicts(&self) -> &[Conflict] {
        if self.pass { &[] } else { &self.conflicts }
    }

    fn is_apart(&self) -> bool {
        self.against.is_some()
    }
}

impl Ending for AddOutcome {
    fn conflicts(&self) -> &[Conflict] {
        match self {
            Self::Done(_) => &[],
            Self::No(preview, _) => preview.conflicts(),
        }
    }
}

impl Ending for RemoveOutcome {
    fn conflicts(&self) -> &[Conflict] {
        match self {
            Self::Done(_) => &[],
            Self::No(conflicts) => conflicts,
        }
    }
}

impl Ending for UpdateOutcome {
    fn conflicts(&self) -> &[Conflict] {
        match self.no {
            Some(_) => &self.applied.conflicts,
            None => &[],
        }
    }
}

impl Ending for SwitchOutcome {
    fn conflicts(&self) -> &[Conflict] {
        match self {
            Self::Done(_) => &[],
            Self::No(preview) => preview.conflicts(),
        }
    }
}

fn of_outcome(outcome: Option<&Outcome>) -> &[Conflict] {
    match outcome {
        Some(Outcome::Conflicts(conflicts)) => conflicts,
        _ => &[],
    }
}

/// Keeps the conflicts that an outcome ends with; `words` is the command. Returns what was
/// kept. Where nothing can be kept the outcome is the same without it.
pub fn keep(context: &Context, words: &[String], ending: &impl Ending) -> Option<Kept> {
    let conflicts = ending.conflicts();
    if conflicts.is_empty() {
        return None;
    }
    let cache = context.cache_dir.as_deref()?;
    let installation = context.installation().ok();
    let root = installation.as_ref().map_or(&context.dir, |it| &it.root);
    let apart = ending.is_apart() || installation.is_none();
    let mut conflicts: Vec<KeptConflict> = conflicts.iter().map(KeptConflict::from).collect();
    if apart {
        // The settings around say nothing of what was asked.
        let ways = conflicts.iter_mut().flat_map(|one| &mut one.ways);
        ways.for_each(|way| way.amendments.clear());
    }
    let inputs = match &installation {
        Some(installation) if !apart => Inputs::Installation(lines_of(context, installation)),
        _ => Inputs::Files(files_of(&context.dir, &conflicts)),
    };
    let kept = Kept {
        format: FORMAT,
        portenv: env!("CARGO_PKG_VERSION").to_owned(),
        time: context.clock.now().to_string(),
        root: root.clone(),
        dir: context.dir.clone(),
        words: words.to_vec(),
        inputs,
        conflicts,
        taken: Vec::new(),
    };
    kept.write(cache).then_some(kept)
}

/// Finds the last conflict of a root.
pub fn find(cache: &Utf8Path, root: &Utf8Path) -> Option<Kept> {
    let text = fs::find_text(&file_of(cache, root)).ok()??;
    let kept: Kept = serde_json::from_str(&text).ok()?;
    (kept.format == FORMAT).then_some(kept)
}

fn file_of(cache: &Utf8Path, root: &Utf8Path) -> Utf8PathBuf {
    let root = fs::canonical(root).unwrap_or_else(|_| root.to_owned());
    let name = digest::short(root.as_str().as_bytes());
    cache.join("conflicts").join(format!("{name}.json"))
}

/// What an installation asks for, by digest; nothing if it cannot be read.
fn lines_of(context: &Context, installation: &Installation) -> Option<String> {
    let set = gather(installation, &context.variables).ok()?;
    Some(input_digest(&set, &[]))
}

fn files_of(dir: &Utf8Path, conflicts: &[KeptConflict]) -> BTreeMap<Utf8PathBuf, String> {
    let lines = conflicts.iter().flat_map(|one| &one.requirements);
    let files = lines.filter_map(|line| line.origin.file.as_deref());
    files
        .map(|file| dir.join(file))
        .filter_map(|path| Some((path.clone(), digest::sha256_of_file(&path).ok()?)))
        .collect()
}

impl Kept {
    /// Writes the file; reports whether that could be done.
    fn write(&self, cache: &Utf8Path) -> bool {
        let Ok(text) = serde_json::to_string(self) else {
            return false;
        };
        fs::write_atomic(&file_of(cache, &self.root), text.as_bytes()).is_ok()
    }

    /// Reports whether it is a matter of an installation and its `portenv.toml`.
    pub fn is_of_installation(&self) -> bool {
        matches!(self.inputs, Inputs::Installation(_))
    }

    /// Reports whether something else is asked for by now.
    pub fn is_stale(&self, context: &Context, installation: Option<&Installation>) -> bool {
        match &self.inputs {
            Inputs::Installation(then) => {
                let now = installation.and_then(|it| lines_of(context, it));
                then.is_none() || now != *then
            }
            Inputs::Files(files) => (files.iter())
                .any(|(path, then)| digest::sha256_of_file(path).ok().as_ref() != Some(then)),
        }
    }

    /// Returns all ways out in the order of their numbers, which count from 1 over all
    /// conflicts, each with its conflict.
    pub fn ways(&self) -> impl Iterator<Item = (&KeptConflict, &Way)> {
        let conflicts = self.conflicts.iter();
        conflicts.flat_map(|conflict| conflict.ways.iter().map(move |way| (conflict, way)))
    }

    /// Counts the conflicts of which no way out was taken, be it by the number of another one
    /// that does the same; `number` counts as taken.
    pub fn open(&self, number: Option<usize>) -> usize {
        let is_taken = |at: usize| self.taken.contains(&at) || number == Some(at);
        let taken: Vec<&[Amendment]> = (self.ways().enumerate())
            .filter(|(at, _)| is_taken(at + 1))
            .map(|(_, (_, way))| way.amendments.as_slice())
            .filter(|amendments| !amendments.is_empty())
            .collect();
        let is_open = |conflict: &&KeptConflict| {
            let mut ways = conflict.ways.iter();
            !ways.any(|way| taken.contains(&way.amendments.as_slice()))
        };
        self.conflicts.iter().filter(is_open).count()
    }

    /// Notes that a way out was taken. What is asked for now is what that led to.
    pub fn take(&mut self, context: &Context, installation: &Installation, number: usize) {
        if !self.taken.contains(&number) {
            self.taken.push(number);
        }
        self.inputs = Inputs::Installation(lines_of(context, installation));
        if let Some(cache) = &context.cache_dir {
            // Without it the conflict counts as outdated, which is true as well.
            self.write(cache);
        }
    }
}

impl From<&Conflict> for KeptConflict {
    fn from(conflict: &Conflict) -> Self {
        let line = |line: &crate::resolve::CoreLine| KeptLine {
            requirement: hidden(&line.requirement),
            origin: line.origin.clone(),
            via: (line.via.iter())
                .map(|step| {
                    let asked = hidden(&step.requirement);
                    (step.package.clone(), step.version.clone(), asked)
                })
                .collect(),
        };
        Self {
            packages: conflict.packages.clone(),
            requirements: conflict.requirements.iter().map(line).collect(),
            explanation: hidden(&conflict.explanation),
            new: conflict.new,
            ways: conflict.suggestions.iter().map(Way::from).collect(),
            untried: conflict.untried,
        }
    }
}

impl From<&Suggestion> for Way {
    fn from(found: &Suggestion) -> Self {
        let text =
            |version: &Option<crate::package::Version>| version.as_ref().map(ToString::to_string);
        Self {
            kind: found.kind.as_str().to_owned(),
            text: hidden(&found.text),
            changes: (found.changes.iter())
                .map(|(name, from, to)| (name.clone(), text(from), text(to)))
                .collect(),
            amendments: found.edit.as_ref().map(amendments).unwrap_or_default(),
            flags: found.flags.clone(),
            command: found.command.iter().map(|word| redact(word)).collect(),
            verified: found.verified,
        }
    }
}

impl Way {
    /// Returns the words of the command that does it, the program first; none if none does.
    pub fn argv(&self) -> Vec<String> {
        let program = self.command.first().map(|_| "portenv".to_owned());
        program
            .into_iter()
            .chain(self.command.iter().cloned())
            .collect()
    }
}

/// A line may name an address with a password in it.
fn hidden(text: &str) -> String {
    let words: Vec<String> = text.split(' ').map(redact).collect();
    words.join(" ")
}
