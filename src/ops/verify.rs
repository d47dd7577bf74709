//! `verify`: what is installed against what it says of itself. Changes nothing, unless it is
//! asked to repair.

mod fix;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use schemars::JsonSchema;
use serde::Serialize;

use super::context::{Context, Site};
use super::error::OpError;
use super::inputs::ResolveFlags;
use super::joint::excluded;
use super::lock::inputs;
use super::transaction::start;
use crate::environment::files::{Depth, FileFault, Flaw, Look, SharedFiles, look};
use crate::environment::health::{Health, check_metadata};
use crate::environment::{Distribution, Installed};
use crate::gate::find_unmet;
use crate::host::{DirLock, digest, fs};
use crate::lock::Lock;
use crate::package::artifact::printable;
use crate::package::target::Os;
use crate::package::{Name, Specifiers};
use crate::requirements::waiver::means;
use crate::requirements::{Asker, Line, Waiver};
use crate::snapshot::{Db, State};

pub use fix::Fixed;

/// How to verify.
#[derive(Debug, Clone, Copy, Default)]
pub struct VerifyRequest {
    /// Whether contents are read, or only sizes compared.
    pub depth: Depth,
    /// Install anew what is broken.
    pub fix: bool,
}

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProblemKind {
    /// A file is gone.
    Missing,
    /// A file is not the one that was installed.
    Changed,
    /// Several packages own it with different content.
    Shared,
    /// What describes a package is broken or left over.
    Metadata,
    /// What a package asks for is not there.
    Unmet,
}

/// Something wrong with what is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The package; of a leftover that is nobody's, its directory's name.
    pub package: String,
    /// Its version.
    pub version: Option<String>,
    /// The file, relative to site-packages.
    pub path: Option<String>,
    /// What kind of thing is wrong.
    pub kind: ProblemKind,
    /// What is wrong, in words.
    pub message: String,
    /// It fails the verification. A local patch does not, nor do files that nothing imports.
    pub fails: bool,
    /// `--fix` is of use: whether it can be had again shows only then.
    pub fixable: bool,
    /// Other packages that it concerns.
    pub others: Vec<Name>,
}

/// What a verification came to.
#[derive(Debug, Clone)]
pub struct Verification {
    /// How closely files were looked at.
    pub depth: Depth,
    /// How many packages were looked at.
    pub packages: usize,
    /// How many files.
    pub files: u64,
    /// What is wrong, by package, kind and path.
    pub problems: Vec<Problem>,
    /// Unmet requirements that the lock lets be.
    pub waived: Vec<Waiver>,
    /// The newest snapshot.
    pub snapshot: Option<String>,
    /// What was repaired, if that was asked for.
    pub fixed: Option<Fixed>,
}

impl Verification {
    /// Reports whether nothing fails it.
    pub fn pass(&self) -> bool {
        !self.problems.iter().any(|problem| problem.fails)
    }
}

/// Verifies the environment, and repairs what is broken if that is asked for.
///
/// # Errors
///
/// Fails if the environment cannot be read, or a repair could not be applied.
pub fn run(
    context: &Context,
    request: VerifyRequest,
    command: &str,
) -> Result<Verification, OpError> {
    let site = context.site()?;
    if !request.fix {
        let lock = site.installation.own_dir().join("lock");
        if let Some(busy) = DirLock::holder(&lock, &context.locks.machine) {
            context.progress.warning(&format!(
                "another portenv is at work here, and files may come and go: {}",
                busy.holder
            ));
        }
        return Ok(inspect(context, &site, request.depth, i128::MAX)?.0);
    }
    let held = start(context, &site, "verify --fix")?;
    let (before, mut evidence) = inspect(context, &site, request.depth, i128::MAX)?;
    // What is broken now is no patch only because the repair is recorded.
    let known = evidence.known.as_ref().map_or(0, |known| known.time);
    if request.depth == Depth::Sizes {
        evidence.look = read_broken(context, &site, &evidence)?;
    }
    let mut fixed = fix::run(context, &site, held, &evidence, command)?;
    let mut after = match fixed.operation {
        Some(_) => inspect(context, &site, request.depth, known)?.0,
        None => before,
    };
    for (name, _) in &fixed.reinstalled {
        let is_broken = |problem: &Problem| {
            let of_files = !matches!(problem.kind, ProblemKind::Shared | ProblemKind::Unmet);
            problem.fails && of_files && problem.package == name.as_str()
        };
        if after.problems.iter().any(is_broken) {
            let why = "it was installed anew and is still not whole: its source is broken";
            fixed.left.push((name.to_string(), why.to_owned()));
        }
    }
    fixed.left.sort();
    after.fixed = Some(fixed);
    Ok(after)
}

/// What the newest snapshot knows.
struct Known {
    id: String,
    /// When it was taken, in nanoseconds since 1970.
    time: i128,
    state: State,
}

/// What was found, as a repair needs it.
struct Evidence {
    installed: Installed,
    known: Option<Known>,
    look: Look,
    health: Health,
    lock: Option<Lock>,
}

impl Evidence {
    /// Reports whether a file was edited by hand before a snapshot first knew its package, and
    /// is as it was then. What arose later is damage, however many snapshots were taken since.
    ///
    /// A history of before says nothing of edits: there it counts when the file was written. What
    /// a failing disk damages keeps the time of its installation, and is no patch.
    fn is_patch(&self, fault: &FileFault) -> bool {
        let (Some(known), Some(found)) = (&self.known, self.installed.get(&fault.package)) else {
            return false;
        };
        let Some(package) = known.state.package(&fault.package).filter(|package| {
            package.version == found.version
                && package.digest.is_some()
                && package.digest == found.digest
        }) else {
            return false;
        };
        if !matches!(fault.flaw, Flaw::Size(..) | Flaw::Content) {
            return false;
        }
        if let Some(kept) = &package.kept {
            let recorded = kept.patches.get(&fault.path);
            return recorded.is_some()
                && recorded == digest::sha256_of_file(&fault.place).ok().as_ref();
        }
        let installed = fs::find_stamp(&found.dir.join("RECORD"));
        let (Some(stamp), Ok(Some(installed))) = (fault.stamp, installed) else {
            return false;
        };
        stamp.changed > installed.changed && stamp.changed <= known.time
    }
}

/// Looks at everything; what was changed after `until` is no local patch.
fn inspect(
    context: &Context,
    site: &Site,
    depth: Depth,
    until: i128,
) -> Result<(Verification, Evidence), OpError> {
    let installed = site.installed()?;
    let known = match Db::find(&site.installation.own_dir())? {
        Some(db) => db.head()?.map(|head| (db.state_of(&head), head)),
        None => None,
    };
    let known = match known {
        Some((state, head)) => {
            let ended = head.operation.ended.as_deref().unwrap_or("");
            Some(Known {
                time: (ended.parse::<jiff::Timestamp>())
                    .map_or(0, jiff::Timestamp::as_nanosecond)
                    .min(until),
                id: head.id,
                state: state?,
            })
        }
        None => None,
    };
    // A file of requirements that cannot be read is no reason not to look at what is installed.
    let flags = ResolveFlags {
        skip_invalid: true,
        ..ResolveFlags::default()
    };
    let (lines, lock) = match inputs(context, site, &flags) {
        Ok(inputs) => (inputs.set.lines, inputs.lock),
        Err(_) => (Vec::new(), None),
    };
    let health = check_metadata(&site.interpreter, &installed)?;
    let own: Vec<&Distribution> = installed.iter().filter(|it| !it.is_fixed()).collect();
    let looked = look_at_files(context, site, &own, depth)?;
    let evidence = Evidence {
        look: looked,
        health,
        lock,
        known,
        installed,
    };
    let mut problems = problems_of(&evidence);
    let waived = judge_requirements(site, &evidence, &lines, &mut problems);
    let key = |it: &Problem| (it.package.clone(), it.kind, it.path.clone());
    problems.sort_by_key(key);
    let verification = Verification {
        depth,
        packages: evidence.installed.len(),
        files: evidence.look.files,
        problems,
        waived,
        snapshot: evidence.known.as_ref().map(|known| known.id.clone()),
        fixed: None,
    };
    Ok((verification, evidence))
}

/// Reads the files of packages that are broken, where only sizes were compared: what has the
/// size it should have and another content is a local patch, or is to be kept, all the same.
fn read_broken(context: &Context, site: &Site, evidence: &Evidence) -> Result<Look, OpError> {
    let look = &evidence.look;
    let mixed = look.shared.iter().filter(|shared| shared.is_mixed);
    let names: BTreeSet<&Name> = (look.faults.iter().map(|fault| &fault.package))
        .chain(evidence.health.faults.iter().map(|fault| &fault.package))
        .chain(mixed.flat_map(|shared| &shared.owners))
        .collect();
    // Whose a shared file is shows only beside all that claim it.
    let is_near = |found: &&Distribution| {
        let mut shared = look.shared.iter().map(|shared| &shared.owners);
        names.contains(&found.name)
            || shared.any(|owners| {
                owners.contains(&found.name) && owners.iter().any(|it| names.contains(it))
            })
    };
    let own = evidence.installed.iter().filter(|it| !it.is_fixed());
    let own: Vec<&Distribution> = own.filter(is_near).collect();
    let closer = look_at_files(context, site, &own, Depth::Contents)?;
    let mut look = look.clone();
    let is_new = |fault: &FileFault| {
        let same = |it: &FileFault| it.place == fault.place;
        names.contains(&fault.package) && !look.faults.iter().any(same)
    };
    let new: Vec<FileFault> = closer.faults.into_iter().filter(is_new).collect();
    look.faults.extend(new);
    Ok(look)
}

fn look_at_files(
    context: &Context,
    site: &Site,
    own: &[&Distribution],
    depth: Depth,
) -> Result<Look, OpError> {
    /// A line of progress for each file would cost more than looking at it.
    const STRIDE: u64 = 64;
    let ignores_case = matches!(site.target.platform.os(), Os::Windows | Os::MacOs(..));
    let what = match depth {
        Depth::Sizes | Depth::Newer | Depth::Unpacked => "looking at installed files",
        Depth::Contents => "reading installed files",
    };
    let told = AtomicU64::new(u64::MAX);
    let watch = |done: u64, total: u64, path: &str| {
        let step = done / STRIDE;
        let before = told.load(Ordering::Relaxed);
        if before == u64::MAX || step > before {
            let mine = told.compare_exchange(before, step, Ordering::Relaxed, Ordering::Relaxed);
            match mine {
                Ok(u64::MAX) => context.progress.count(what, Some(total), "files"),
                Ok(_) => context.progress.at(done, path),
                Err(_) => {}
            }
        }
        !context.cancel.is_requested()
    };
    let found = look(own, ignores_case, depth, &watch);
    if told.load(Ordering::Relaxed) != u64::MAX {
        context.progress.end();
    }
    found.ok_or(OpError::Interrupted)
}

fn problems_of(evidence: &Evidence) -> Vec<Problem> {
    let version = |name: &Name| {
        let found = evidence.installed.get(name);
        found.map(|found| found.version.to_string())
    };
    // A part of the metadata that is gone is told once, and as that.
    let is_told = |fault: &FileFault| {
        let mut parts = evidence.health.faults.iter();
        parts.any(|part| part.package == fault.package && part.path == fault.path)
    };
    let mut problems = Vec::new();
    for fault in evidence.look.faults.iter().filter(|it| !is_told(it)) {
        let is_patch = evidence.is_patch(fault);
        let kind = match fault.flaw {
            Flaw::Missing | Flaw::NoFile => ProblemKind::Missing,
            Flaw::Size(..) | Flaw::Content | Flaw::Unreadable(_) => ProblemKind::Changed,
        };
        problems.push(Problem {
            package: fault.package.to_string(),
            version: version(&fault.package),
            path: Some(fault.path.clone()),
            kind,
            message: words_of(
                fault,
                is_patch.then_some(&evidence.known).and_then(Option::as_ref),
            ),
            fails: !is_patch,
            fixable: !is_patch,
            others: Vec::new(),
        });
    }
    for shared in &evidence.look.shared {
        problems.push(Problem {
            package: shared.owners[0].to_string(),
            version: version(&shared.owners[0]),
            path: None,
            kind: ProblemKind::Shared,
            message: shared_words(shared),
            fails: !is_harmless(shared),
            // Of two that are both wanted, one can only be made whole.
            fixable: shared.is_mixed,
            others: shared.owners[1..].to_vec(),
        });
    }
    for fault in &evidence.health.faults {
        problems.push(Problem {
            package: fault.package.to_string(),
            version: version(&fault.package),
            path: Some(fault.path.clone()),
            kind: if fault.is_missing {
                ProblemKind::Missing
            } else {
                ProblemKind::Metadata
            },
            message: printable(&fault.message),
            fails: true,
            fixable: !fault.is_missing,
            others: Vec::new(),
        });
    }
    let nameless = evidence.health.nameless.iter().map(|entry| {
        let message = format!("`{}` names no package and version", printable(entry));
        (entry, None, message, false)
    });
    let leftovers = evidence.health.leftovers.iter().map(|left| {
        let entry = printable(&left.entry);
        let message = format!("`{entry}` was left over by an installation that was cut short");
        (&left.entry, left.of.as_ref(), message, true)
    });
    for (entry, of, message, fixable) in nameless.chain(leftovers) {
        problems.push(Problem {
            package: of.map_or_else(|| entry.clone(), ToString::to_string),
            version: of.and_then(version),
            path: Some(entry.clone()),
            kind: ProblemKind::Metadata,
            message,
            fails: true,
            fixable,
            others: Vec::new(),
        });
    }
    problems
}

fn words_of(fault: &FileFault, patched_before: Option<&Known>) -> String {
    let path = printable(&fault.path);
    if let Some(known) = patched_before {
        return format!(
            "`{path}` differed at the snapshot {} already: a local patch, which is kept",
            known.id
        );
    }
    match &fault.flaw {
        Flaw::Missing => format!("`{path}` is missing"),
        Flaw::NoFile => format!("`{path}` is no file"),
        Flaw::Size(recorded, found) => {
            format!("`{path}` has {found} bytes where {recorded} were installed")
        }
        Flaw::Content => format!("`{path}` has another content than was installed"),
        Flaw::Unreadable(reason) => format!("`{path}` cannot be read: {}", printable(reason)),
    }
}

/// How many shared files are named.
const SHOWN: usize = 3;

fn shared_words(shared: &SharedFiles) -> String {
    let owners: Vec<&str> = shared.owners.iter().map(Name::as_str).collect();
    let paths: Vec<&str> = shared.paths.iter().map(String::as_str).collect();
    let more = match paths.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let first = printable(&paths[..paths.len().min(SHOWN)].join(", "));
    let fate = match &shared.winner {
        Some(winner) => format!("what is there is of {winner}"),
        None if shared.is_mixed => "what is there is a mixture, and none of them is whole".into(),
        None => "sizes do not tell whose files are there".into(),
    };
    format!(
        "{} own the same files ({first}{more}); {fate}",
        owners.join(" and ")
    )
}

/// Reports whether nothing imports what is shared: packages that carelessly install their
/// tests, or a licence, beside their modules.
fn is_harmless(shared: &SharedFiles) -> bool {
    const ASIDE: [&str; 7] = [
        "tests",
        "test",
        "docs",
        "doc",
        "examples",
        "example",
        "benchmarks",
    ];
    shared.paths.iter().all(|path| match path.split_once('/') {
        Some((dir, _)) => ASIDE.contains(&dir.to_lowercase().as_str()),
        None => ![".py", ".so", ".pyd", ".dll", ".pth"]
            .iter()
            .any(|ending| path.to_lowercase().ends_with(ending)),
    })
}

/// Judges what packages ask for, and returns what of it the lock lets be.
fn judge_requirements(
    site: &Site,
    evidence: &Evidence,
    lines: &[Line],
    problems: &mut Vec<Problem>,
) -> Vec<Waiver> {
    let installed = &evidence.installed;
    let exclude = excluded(&site.installation.settings);
    let standing = match evidence.lock.as_ref().filter(|lock| lock.is_own()) {
        Some(lock) => {
            lock.standing_waivers(lines, |name| Some(installed.seen_as(name)?.version.clone()))
        }
        None => Vec::new(),
    };
    let is_waived = |unmet: &Waiver| {
        standing.iter().any(|waiver| {
            waiver.asker == unmet.asker && means(&waiver.requirement) == means(&unmet.requirement)
        })
    };
    let mut waived = Vec::new();
    for unmet in find_unmet(lines, installed, &site.target, &exclude) {
        if is_waived(&unmet) {
            waived.push(unmet);
            continue;
        }
        let Asker::Package { name, version } = &unmet.asker else {
            continue;
        };
        problems.push(Problem {
            package: name.to_string(),
            version: Some(version.to_string()),
            path: None,
            kind: ProblemKind::Unmet,
            message: printable(&unmet.shown()),
            fails: true,
            fixable: false,
            others: vec![unmet.name.clone()],
        });
    }
    for found in installed.iter() {
        let Some(text) = found.metadata().requires_python else {
            continue;
        };
        let admits = Specifiers::parse(&text.replace(".*", ""))
            .map_or(true, |python| python.admits_python(&site.target.python));
        if !admits {
            problems.push(Problem {
                package: found.name.to_string(),
                version: Some(found.version.to_string()),
                path: None,
                kind: ProblemKind::Unmet,
                message: printable(&format!(
                    "{} {} asks for Python {text}, this is {}",
                    found.name, found.version, site.target.python
                )),
                fails: true,
                fixable: false,
                others: Vec::new(),
            });
        }
    }
    waived
}
