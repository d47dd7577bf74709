//! What keeps a package from another version: each version tried in the solver.
//!
//! A version is asked for by one more line beside everything else. If there is an
//! answer, nothing holds the package; if not, the minimal cores name the lines that
//! do. Neighbouring versions mostly fail for the same lines, which a solve over just
//! these proves in a moment.

use camino::Utf8PathBuf;

use super::candidates::{Candidates, Unfit};
use super::conflict::{Conflict, CoreLine, Step};
use super::preferences::Preferences;
use super::targets::Task;
use super::trials::Trials;
use super::world::World;
use crate::index::IndexError;
use crate::package::{Name, Requirement, Specifiers, Version};
use crate::requirements::{Line, Origin, OriginKind, Role};
use crate::workspace::settings::Prerelease;

/// How many versions are tried at most.
const MOST_VERSIONS: usize = 80;

/// Another package that would change along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Its name.
    pub name: Name,
    /// The version before.
    pub from: Option<Version>,
    /// The version after.
    pub to: Option<Version>,
}

/// Lines that together exclude a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guilt {
    /// The lines of a minimal core, each followed by those that ask for the same.
    pub lines: Vec<CoreLine>,
    /// How the version itself comes to the contested package.
    pub asks: Vec<Step>,
    /// The contested packages.
    pub packages: Vec<Name>,
}

/// What became of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It fits, with these other changes.
    Fits(Vec<Move>),
    /// Lines exclude it; each core does by itself. What is found beside the first is
    /// proven for the newest version only, unless its text says it.
    Held(Vec<Guilt>),
    /// It cannot be used on the target.
    Unfit(Unfit, String),
    /// Its files are of no use.
    Unusable(String),
    /// It could not be found out.
    Unknown(String),
}

/// Versions with one verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// The newest of them.
    pub newest: Version,
    /// The oldest of them.
    pub oldest: Version,
    /// How many they are.
    pub count: usize,
    /// What became of them.
    pub verdict: Verdict,
    /// The target on which, where it is not the first one.
    pub target: Option<String>,
}

/// What keeps a package from other versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holds {
    /// Some index lists the package.
    pub listed: bool,
    /// The line that says where the package lies: there is no other version.
    pub address: Option<(String, Origin)>,
    /// The versions looked at, newest first; those of no use come last.
    pub stretches: Vec<Stretch>,
    /// How many more versions were not looked at.
    pub untried: usize,
    /// Conflicts that are there anyway; their lines were left out.
    pub conflicts: Vec<Conflict>,
}

impl Holds {
    /// Reports whether all that was tried could be found out.
    pub fn is_known(&self) -> bool {
        let mut stretches = self.stretches.iter();
        !stretches.any(|stretch| matches!(stretch.verdict, Verdict::Unknown(_)))
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'q> {
    /// The package.
    pub name: &'q Name,
    /// Its version of today: newer ones are tried.
    pub current: Option<&'q Version>,
    /// Only this version is tried.
    pub wanted: Option<&'q Version>,
}

/// Finds out what keeps a package from newer versions, or from a particular one. The
/// task's first target is the one that counts most.
///
/// # Errors
///
/// Fails if the answer of today could not be had, or the work was interrupted.
pub fn find_holds(task: &Task<'_>, question: Question<'_>) -> Result<Holds, IndexError> {
    let mut holds = Holds::default();
    let preferences = preferences_by_target(task);
    let (Some(target), Some(preferred)) = (task.targets.first(), preferences.first()) else {
        return Ok(holds);
    };
    let first = World::new(task.lines, target, task.options, preferred, task.index);
    let number = first.number(question.name);
    if let Some((_, at)) = first.url_of(number) {
        let line = &task.lines[at as usize];
        holds.listed = true;
        holds.address = Some((line.text.clone(), line.origin.clone()));
        return Ok(holds);
    }
    let Some(candidates) = first.candidates(number)? else {
        return Ok(holds);
    };
    holds.listed = !candidates.page().is_empty();
    let (mut usable, unfit) = sort_out(task, question, &candidates);
    if usable.len() > MOST_VERSIONS {
        holds.untried = usable.len() - MOST_VERSIONS;
        usable.truncate(MOST_VERSIONS);
    }
    drop((candidates, first));
    if !usable.is_empty() {
        let mut lines = task.lines.to_vec();
        lines.extend(usable.iter().map(|version| trial(question.name, version)));
        let trials = Trials::new(task, &lines, &preferences, &mut holds.conflicts)?;
        trials.walk(task, &usable, &mut holds)?;
    }
    holds
        .stretches
        .extend(unfit.into_iter().map(|(reason, all)| Stretch {
            newest: all[0].clone(),
            oldest: all[all.len() - 1].clone(),
            count: all.len(),
            verdict: Verdict::Unfit(reason, reason.shown(target)),
            target: None,
        }));
    Ok(holds)
}

fn preferences_by_target(task: &Task<'_>) -> Vec<Preferences> {
    task.targets
        .iter()
        .map(|target| {
            let mut preferences = task.preferences.on(target);
            // What is installed here cannot be kept elsewhere.
            if task.targets.len() > 1 && !target.is_real() {
                preferences.forget_installed();
            }
            preferences
        })
        .collect()
}

/// The line that asks for one version. It is of the policy, so no override replaces it.
fn trial(name: &Name, version: &Version) -> Line {
    let specifiers = Specifiers::exactly(version);
    Line {
        origin: Origin::file(OriginKind::Policy, None, "-"),
        text: format!("{name}{}", specifiers.text()),
        requirement: Requirement {
            specifiers,
            ..Requirement::any(name.clone())
        },
        hashes: Vec::new(),
        editable: false,
        role: Role::Require,
        base: Utf8PathBuf::new(),
    }
}

type Reasons = Vec<(Unfit, Vec<Version>)>;

/// Tells versions to try from those that are of no use, both newest first.
fn sort_out(
    task: &Task<'_>,
    question: Question<'_>,
    candidates: &Candidates,
) -> (Vec<Version>, Reasons) {
    let mut usable = Vec::new();
    let mut unfit: Reasons = Vec::new();
    let page = candidates.page();
    let takes_pre = task.options.prerelease == Prerelease::Allow
        || question.current.is_some_and(Version::any_prerelease);
    for version in (0..page.len()).map(|at| page.version(at)) {
        let is_meant = match question.wanted {
            Some(wanted) => wanted == version,
            None => question.current.is_none_or(|current| current < version),
        };
        if !is_meant {
            continue;
        }
        let is_pre = version.any_prerelease() && !takes_pre;
        let reason = match candidates.judge(version) {
            Err(reason) => reason,
            // One that is asked for by its name may be tried.
            Ok(_) if is_pre && question.wanted.is_none() => Unfit::Prerelease,
            Ok(_) if is_pre && task.options.prerelease == Prerelease::Disallow => Unfit::Prerelease,
            Ok(_) => {
                usable.push(version.clone());
                continue;
            }
        };
        match unfit.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, all)) => all.push(version.clone()),
            None => unfit.push((reason, vec![version.clone()])),
        }
    }
    (usable, unfit)
}
