//! Ways out of a conflict. Each is tried with everything that is asked for before it is
//! offered, so that none leads into the next conflict.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::error::OpError;
use crate::environment::Installed;
use crate::index::IndexError;
use crate::package::version::show_range;
use crate::package::{Name, Range, Requirement, Specifiers, Version};
use crate::requirements::{Line, Origin, OriginKind, Role};
use crate::resolve::{Conflict, Edit, Outcome, Resolution, Suggestion, SuggestionKind};

/// How long ways out are looked for. What was found till then is offered.
const PATIENCE: Duration = Duration::from_secs(4);
/// How many tries are made for one conflict.
const TRIES: usize = 24;

/// Resolves lines once more, with pre-releases allowed or not.
pub type Try<'a> = dyn Fn(&[Line], bool) -> Result<Outcome, OpError> + 'a;

/// What a search for ways out rests on.
pub struct Search<'a> {
    /// Everything that was asked for when the conflicts were found, policy too.
    pub lines: &'a [Line],
    /// Resolves lines once more.
    pub resolve: &'a Try<'a>,
    /// What is installed.
    pub installed: &'a Installed,
    /// Settings can be changed: there is an installation.
    pub settled: bool,
}

/// Finds ways out of conflicts and puts them into these, least change first.
///
/// Each conflict is looked at alone: the lines of nodes in the others are left out.
///
/// # Errors
///
/// Fails if the network could not be asked.
pub fn find_ways_out(search: &Search<'_>, conflicts: &mut [Conflict]) -> Result<(), OpError> {
    let begun = Instant::now();
    let removable: Vec<BTreeSet<usize>> = conflicts
        .iter()
        .map(|conflict| {
            let lines = conflict.lines.iter();
            let lines = lines.filter_map(|&at| usize::try_from(at).ok());
            lines.filter(|&at| is_free(&search.lines[at])).collect()
        })
        .collect();
    for (at, conflict) in conflicts.iter_mut().enumerate() {
        let others: BTreeSet<usize> = (removable.iter().enumerate())
            .filter(|(other, _)| *other != at)
            .flat_map(|(_, lines)| lines.difference(&removable[at]).copied())
            .collect();
        let mut tries = Tries {
            search,
            others,
            begun,
            left: TRIES,
            found: Vec::new(),
        };
        tries.of(conflict)?;
        conflict.suggestions = tries.ranked();
    }
    Ok(())
}

fn is_of_node(line: &Line) -> bool {
    line.origin.kind == OriginKind::Node
}

/// Reports whether a line is somebody's who can be asked for less: not ComfyUI's own.
fn is_free(line: &Line) -> bool {
    is_of_node(line) || line.origin.kind == OriginKind::File && line.role == Role::Require
}

/// Reports whether a line is one of this node's.
fn is_of(line: &Line, node: &str) -> bool {
    is_of_node(line) && line.origin.name.as_deref() == Some(node)
}

/// A way out before it is tried.
struct Way {
    kind: SuggestionKind,
    what: String,
    /// The packages whose versions are told with it, each once.
    shown: Vec<Name>,
    edit: Option<Edit>,
    flags: Vec<String>,
}

impl Way {
    fn new<'n>(
        kind: SuggestionKind,
        what: String,
        shown: impl IntoIterator<Item = &'n Name>,
    ) -> Self {
        let mut names: Vec<Name> = Vec::new();
        for name in shown {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        Self {
            kind,
            what,
            shown: names,
            edit: None,
            flags: Vec::new(),
        }
    }
}

/// The tries for one conflict.
struct Tries<'a> {
    search: &'a Search<'a>,
    others: BTreeSet<usize>,
    begun: Instant,
    left: usize,
    /// Each with how much of what is installed it moves.
    found: Vec<(usize, Suggestion)>,
}

impl Tries<'_> {
    fn of(&mut self, conflict: &Conflict) -> Result<(), OpError> {
        let lines = self.search.lines;
        let at = conflict.lines.iter();
        let core: Vec<usize> = at.filter_map(|&at| usize::try_from(at).ok()).collect();
        for &at in core.iter().filter(|&&at| is_free(&lines[at])) {
            self.relax(at, &conflict.packages)?;
        }
        let nodes: BTreeSet<&String> = core
            .iter()
            .filter(|&&at| is_of_node(&lines[at]))
            .filter_map(|&at| lines[at].origin.name.as_ref())
            .collect();
        for &node in &nodes {
            self.one_file(node, &core, &conflict.packages)?;
        }
        for line in &conflict.requirements {
            match (line.origin.kind, &line.origin.name) {
                (OriginKind::Installed, Some(name)) => self.unprotect(name, &conflict.packages)?,
                (OriginKind::Policy, _) => self.unconstrain(&line.origin, &conflict.packages)?,
                _ => {}
            }
        }
        if conflict.requirements.len() == 1 {
            self.prerelease(&conflict.packages)?;
            if let [name] = conflict.packages.as_slice() {
                self.exclude(name)?;
            }
        }
        for node in nodes {
            self.leave_out(node, &conflict.packages)?;
        }
        Ok(())
    }

    /// Resolves the lines that `keep` lets through, and one more.
    fn attempt(
        &mut self,
        keep: impl Fn(usize, &Line) -> bool,
        more: Option<Line>,
        prereleases: bool,
    ) -> Result<Option<Box<Resolution>>, OpError> {
        if self.left == 0 || self.begun.elapsed() > PATIENCE {
            return Ok(None);
        }
        self.left -= 1;
        let lines = self.search.lines.iter().enumerate();
        let lines = lines.filter(|(at, line)| !self.others.contains(at) && keep(*at, line));
        let all: Vec<Line> = lines.map(|(_, line)| line.clone()).chain(more).collect();
        match (self.search.resolve)(&all, prereleases) {
            Ok(Outcome::Resolved(answer)) => Ok(Some(answer)),
            Ok(Outcome::Conflicts(_)) => Ok(None),
            // What cannot be asked for is no way out; the conflict stands all the same.
            Err(OpError::Index(IndexError::Interrupted)) => Err(OpError::Interrupted),
            Err(OpError::Index(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Offers a way that leaves out lines, if there is an answer without them.
    fn try_without(&mut self, way: Way, goes: impl Fn(&Line) -> bool) -> Result<(), OpError> {
        let prereleases = way.kind == SuggestionKind::Prerelease;
        if let Some(answer) = self.attempt(|_, line| !goes(line), None, prereleases)? {
            self.offer(way, &answer);
        }
        Ok(())
    }

    /// Lets one line of a node ask for less: the parts that the answer would break go.
    fn relax(&mut self, at: usize, contested: &[Name]) -> Result<(), OpError> {
        let line = &self.search.lines[at];
        let wanted = &line.requirement;
        if wanted.specifiers.is_empty() && wanted.url.is_none() {
            return Ok(());
        }
        let Some(answer) = self.attempt(|other, _| other != at, Some(relaxed(line, "")), false)?
        else {
            return Ok(());
        };
        let Some(version) = answer.get(&wanted.name).map(|found| found.version.clone()) else {
            return Ok(());
        };
        let kept = still_true(wanted.specifiers.text(), &version);
        let (specifier, answer) = if kept.is_empty() {
            (kept, answer)
        } else {
            match self.attempt(|other, _| other != at, Some(relaxed(line, &kept)), false)? {
                Some(better) => (kept, better),
                None => (String::new(), answer),
            }
        };
        let to = if specifier.is_empty() {
            "any version".to_owned()
        } else {
            format!("{}{specifier}", wanted.name)
        };
        let place = line.origin.place_of_line();
        let what = format!("relax {} ({place}) to {to}", line.text);
        let edit = line.origin.name.as_ref().map(|node| Edit::Override {
            name: wanted.name.clone(),
            specifier,
            nodes: vec![node.clone()],
        });
        let shown = std::iter::once(&wanted.name).chain(contested);
        let way = Way {
            edit,
            ..Way::new(SuggestionKind::Relax, what, shown)
        };
        self.offer(way, &answer);
        Ok(())
    }

    /// Lets only `requirements.txt` of a node count where its pyproject takes part.
    fn one_file(&mut self, node: &str, core: &[usize], contested: &[Name]) -> Result<(), OpError> {
        let of_project = |line: &Line| {
            let file = line.origin.file.as_deref();
            is_of(line, node) && file.is_some_and(|file| file.ends_with("pyproject.toml"))
        };
        let lines = self.search.lines;
        let mut its = lines.iter().filter(|line| is_of(line, node));
        if its.all(of_project) || !core.iter().any(|&at| of_project(&lines[at])) {
            return Ok(());
        }
        let what = format!("read only requirements.txt of {node}, not its pyproject.toml");
        let node = node.to_owned();
        let way = Way {
            edit: Some(Edit::Sources { node }),
            ..Way::new(SuggestionKind::Sources, what, contested)
        };
        self.try_without(way, of_project)
    }

    fn unprotect(&mut self, name: &str, contested: &[Name]) -> Result<(), OpError> {
        let what = format!("let {name} change, which is protected");
        let own = Name::parse(name);
        let way = Way {
            flags: vec!["--allow-change".to_owned(), name.to_owned()],
            ..Way::new(
                SuggestionKind::AllowChange,
                what,
                own.iter().chain(contested),
            )
        };
        self.try_without(way, |line| {
            line.role == Role::Protect && line.requirement.name.as_str() == name
        })
    }

    fn unconstrain(&mut self, origin: &Origin, contested: &[Name]) -> Result<(), OpError> {
        let lines = self.search.lines.iter();
        let mut same = lines.filter(|line| line.origin == *origin && line.role == Role::Constrain);
        let Some(line) = same.next() else {
            return Ok(());
        };
        let place = origin.place_of_line();
        let what = format!("take the constraint {} ({place}) out", line.text);
        let name = line.requirement.name.clone();
        let way = Way {
            edit: Some(Edit::Unconstrain { name }),
            ..Way::new(SuggestionKind::Constraint, what, contested)
        };
        self.try_without(way, |other| other == line)
    }

    fn prerelease(&mut self, contested: &[Name]) -> Result<(), OpError> {
        let what = "allow pre-releases".to_owned();
        let way = Way {
            edit: Some(Edit::Prerelease),
            flags: vec!["--prerelease".to_owned(), "allow".to_owned()],
            ..Way::new(SuggestionKind::Prerelease, what, contested)
        };
        self.try_without(way, |_| false)
    }

    /// A package that nobody has may be one that nobody needs.
    fn exclude(&mut self, name: &Name) -> Result<(), OpError> {
        let asks = |line: &Line| line.requirement.name == *name;
        if !self.search.lines.iter().any(asks) {
            return Ok(());
        }
        let what = format!("go without {name}");
        let way = Way {
            edit: Some(Edit::Exclude { name: name.clone() }),
            ..Way::new(SuggestionKind::Exclude, what, [])
        };
        self.try_without(way, asks)
    }

    fn leave_out(&mut self, node: &str, contested: &[Name]) -> Result<(), OpError> {
        let what = format!("leave {node} out");
        let edit = Edit::Ignore {
            node: node.to_owned(),
        };
        let way = Way {
            edit: Some(edit),
            ..Way::new(SuggestionKind::LeaveOut, what, contested)
        };
        self.try_without(way, |line| is_of(line, node))
    }

    fn offer(&mut self, way: Way, answer: &Resolution) {
        let changes = self.changes(answer);
        let mut comes: Vec<String> = (way.shown.iter())
            .filter_map(|name| answer.get(name))
            .map(|package| format!("{} {}", package.name, package.version))
            .collect();
        if !self.search.installed.is_empty() {
            let others = changes
                .iter()
                .filter(|(name, ..)| !way.shown.contains(name));
            comes.push(match others.count() {
                0 => "nothing else changes".to_owned(),
                1 => "1 other change".to_owned(),
                count => format!("{count} other changes"),
            });
        }
        let text = if comes.is_empty() {
            way.what
        } else {
            format!("{} → {}", way.what, comes.join(", "))
        };
        let moved = changes.iter().filter(|(_, from, _)| from.is_some()).count();
        let suggestion = Suggestion {
            kind: way.kind,
            text,
            changes,
            edit: way.edit.filter(|_| self.search.settled),
            flags: way.flags,
        };
        self.found.push((moved, suggestion));
    }

    fn changes(&self, answer: &Resolution) -> Vec<(Name, Option<Version>, Option<Version>)> {
        if self.search.installed.is_empty() {
            return Vec::new();
        }
        let packages = answer.packages.iter();
        packages
            .filter_map(|package| {
                let from = self.search.installed.seen_as(&package.name);
                let from = from.map(|found| found.version.clone());
                let same = from.as_ref() == Some(&package.version);
                (!same).then(|| (package.name.clone(), from, Some(package.version.clone())))
            })
            .collect()
    }

    /// Least change first, what takes a whole node away after that, and last what lets
    /// something protected change.
    fn ranked(mut self) -> Vec<Suggestion> {
        self.found.sort_by_key(|(moved, suggestion)| {
            let protected = suggestion.kind == SuggestionKind::AllowChange;
            let whole = suggestion.kind == SuggestionKind::LeaveOut;
            (protected, whole, *moved, suggestion.kind)
        });
        let found = self.found.into_iter();
        found.map(|(_, suggestion)| suggestion).collect()
    }
}

/// A line that asks for other versions, wherever they come from.
fn relaxed(line: &Line, specifier: &str) -> Line {
    let name = &line.requirement.name;
    Line {
        text: format!("{name}{specifier}"),
        requirement: Requirement {
            specifiers: Specifiers::parse(specifier).unwrap_or_default(),
            url: None,
            ..line.requirement.clone()
        },
        hashes: Vec::new(),
        editable: false,
        ..line.clone()
    }
}

/// The parts of a specifier that admit a version.
fn still_true(specifier: &str, version: &Version) -> String {
    let admits =
        |part: &&str| Specifiers::parse(part).is_ok_and(|one| one.range().contains(version));
    let parts: Vec<&str> = specifier.split(',').map(str::trim).filter(admits).collect();
    let text = parts.join(",");
    // `>=1,!=2` of `>=1,!=2,<3` says something; a lone `!=` does not say enough to keep.
    let range = Specifiers::parse(&text).map_or_else(|_| Range::full(), |all| all.range());
    if show_range(&range) == "any version" {
        String::new()
    } else {
        text
    }
}
