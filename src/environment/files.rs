//! Installed files held against the RECORDs that claim them.
//!
//! A RECORD (PEP 376, PEP 427) names each file with digest and size. Left out are what an
//! installer makes anew (`__pycache__`, INSTALLER and its kin), and of files outside
//! site-packages, launchers above all, only whether they are there: they hold the path
//! of the interpreter and change when an environment is moved.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use camino::{Utf8Path, Utf8PathBuf};

use super::installed::Distribution;
use super::record::{Row, is_of_installer};
use crate::host::digest::{self, Algorithm};
use crate::host::fs::{self, Stamp};
use crate::package::Name;

/// How closely files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Depth {
    /// They are there, with the size recorded.
    #[default]
    Sizes,
    /// Besides, what was written later than its package was installed has the digest recorded.
    Newer,
    /// Besides, what was written later than its package was unpacked has the digest recorded.
    Unpacked,
    /// Their content has the digest recorded.
    Contents,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// It is not there.
    Missing,
    /// Something else is there, such as a directory.
    NoFile,
    /// It has another size: recorded, found.
    Size(u64, u64),
    /// It has the size recorded, and another content.
    Content,
    /// It cannot be read.
    Unreadable(String),
}

/// A file that is not what the RECORD of its package says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFault {
    /// The package.
    pub package: Name,
    /// The file, relative to site-packages, as RECORD has it.
    pub path: String,
    /// Where it lies.
    pub place: Utf8PathBuf,
    /// What is wrong.
    pub flaw: Flaw,
    /// What is there.
    pub stamp: Option<Stamp>,
}

/// Files that several packages claim with different content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedFiles {
    /// The packages, by name.
    pub owners: Vec<Name>,
    /// The files, relative to site-packages.
    pub paths: Vec<String>,
    /// Whose files these are, as far as that can be told.
    pub winner: Option<Name>,
    /// Some are of one package and some of another, so that none is whole.
    pub is_mixed: bool,
}

/// What became of looking at files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// Files that are not as recorded, by package and path.
    pub faults: Vec<FileFault>,
    /// Files that several packages claim, by packages.
    pub shared: Vec<SharedFiles>,
    /// How many files were looked at.
    pub files: u64,
}

/// Hears how many files of how many are done and which comes now, and says whether to go on.
pub type Watch<'a> = dyn Fn(u64, u64, &str) -> bool + Sync + 'a;

/// Most threads that read at once: more only make a disk seek.
const THREADS: usize = 8;

/// Up to this size a file is read even where only sizes are asked for, if sizes cannot tell
/// whose it is.
const SMALL: u64 = 1 << 20;

/// Writes a path of a RECORD in its one form: `/` between parts, no `.`, no empty part, `..`
/// resolved as far as the path itself allows; lower case where the file system ignores case.
///
/// ```
/// use portenv::environment::files::normal;
/// assert_eq!(normal(r"Numpy\.\core\..\LICENSE", true), "numpy/license");
/// assert_eq!(normal("../../bin/f2py", false), "../../bin/f2py");
/// ```
pub fn normal(path: &str, ignores_case: bool) -> String {
    let slashed = path.replace('\\', "/");
    let mut parts: Vec<&str> = Vec::new();
    for part in slashed.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let mut joined = parts.join("/");
    if slashed.starts_with('/') {
        joined.insert(0, '/');
    }
    if ignores_case {
        joined.to_lowercase()
    } else {
        joined
    }
}

/// Reports whether a normal path leads out of the directory that it is relative to.
fn leads_out(normal: &str) -> bool {
    let drive = normal.as_bytes().get(1) == Some(&b':');
    normal.starts_with('/') || normal == ".." || normal.starts_with("../") || drive
}

/// Reports whether nothing needs a file: caches, and what an installer writes for itself.
fn is_spare(normal: &str) -> bool {
    let compiled = normal.contains("__pycache__/") || normal.ends_with(".pyc");
    compiled || (is_of_installer(normal) && !leads_out(normal))
}

/// A row of one package.
struct Claim {
    owner: usize,
    row: Row,
}

/// What is to be looked at: one place, and all that claim it.
struct Job {
    site: usize,
    outside: bool,
    /// When the package was installed, where that matters.
    since: Option<i128>,
    claims: Vec<Claim>,
}

/// What one place was found to be.
#[derive(Default)]
struct Finding {
    fault: Option<(usize, Flaw, Option<Stamp>)>,
    /// It is claimed with different content.
    is_shared: bool,
    /// Whose it is then, if that can be told.
    winner: Option<usize>,
}

/// Looks at the files of distributions; `None` if `watch` ended it.
///
/// Jobs are handed out to a few threads, the largest files first where contents are read; a
/// file is read in pieces, so memory does not grow with it.
pub fn look(
    distributions: &[&Distribution],
    ignores_case: bool,
    depth: Depth,
    watch: &Watch<'_>,
) -> Option<Look> {
    let mut sites: Vec<&Utf8Path> = Vec::new();
    let mut places: BTreeMap<(usize, String), Job> = BTreeMap::new();
    for (owner, distribution) in distributions.iter().enumerate() {
        let site = distribution.dir.parent().unwrap_or(Utf8Path::new(""));
        let site = sites
            .iter()
            .position(|known| *known == site)
            .unwrap_or_else(|| {
                sites.push(site);
                sites.len() - 1
            });
        // An installer writes RECORD last, and the wheel's own WHEEL as it is.
        let anchor = match depth {
            Depth::Newer => Some("RECORD"),
            Depth::Unpacked => Some("WHEEL"),
            Depth::Sizes | Depth::Contents => None,
        };
        let since = anchor
            .and_then(|file| fs::find_stamp(&distribution.dir.join(file)).ok().flatten())
            .map(|stamp| stamp.changed);
        for row in distribution.rows() {
            let key = normal(&row.path, ignores_case);
            if key.is_empty() || is_spare(&normal(&row.path, false)) {
                continue;
            }
            let outside = leads_out(&key);
            let new = || Job {
                site,
                outside,
                since,
                claims: Vec::new(),
            };
            let job = places.entry((site, key)).or_insert_with(new);
            // A RECORD that names a file twice means the later row.
            job.claims.retain(|claim| claim.owner != owner);
            job.claims.push(Claim { owner, row });
        }
    }
    let jobs: Vec<Job> = places.into_values().collect();
    let found = work_off(&jobs, &sites, depth, watch)?;
    Some(gather(distributions, &sites, &jobs, found))
}

fn work_off(
    jobs: &[Job],
    sites: &[&Utf8Path],
    depth: Depth,
    watch: &Watch<'_>,
) -> Option<Vec<(usize, Finding)>> {
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    if depth == Depth::Contents {
        let size = |job: &Job| job.claims.iter().filter_map(|claim| claim.row.size).max();
        order.sort_by_key(|&at| std::cmp::Reverse(size(&jobs[at])));
    }
    let total = jobs.len() as u64;
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let worker = || {
        let mut found = Vec::new();
        loop {
            let Some(&at) = order.get(next.fetch_add(1, Ordering::Relaxed)) else {
                return Some(found);
            };
            let job = &jobs[at];
            let path = &job.claims[0].row.path;
            let so_far = done.load(Ordering::Relaxed) as u64;
            if !watch(so_far, total, path) {
                return None;
            }
            let go_on = |_| watch(so_far, total, path);
            let finding = inspect(job, &sites[job.site].join(path), depth, &go_on)?;
            if finding.fault.is_some() || finding.is_shared {
                found.push((at, finding));
            }
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let threads = threads.clamp(1, THREADS).min(jobs.len().max(1));
    let parts: Vec<Option<Vec<_>>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(worker)).collect();
        let mut parts = vec![worker()];
        // A thread ends early only by a bug; what it had to say is missing then.
        parts.extend(others.into_iter().map(|it| it.join().unwrap_or(None)));
        parts
    });
    let mut all = Vec::new();
    for part in parts {
        all.extend(part?);
    }
    all.sort_by_key(|(at, _)| *at);
    Some(all)
}

/// Looks at one place; `None` if it was ended.
fn inspect(
    job: &Job,
    path: &Utf8Path,
    depth: Depth,
    go_on: &dyn Fn(u64) -> bool,
) -> Option<Finding> {
    let first = &job.claims[0];
    let fault = |flaw, stamp| {
        Some(Finding {
            fault: Some((first.owner, flaw, stamp)),
            ..Finding::default()
        })
    };
    let stamp = match fs::find_stamp(path) {
        Ok(Some(stamp)) => stamp,
        Ok(None) => return fault(Flaw::Missing, None),
        Err(error) => return fault(Flaw::Unreadable(error.source.to_string()), None),
    };
    if !stamp.is_file {
        return fault(Flaw::NoFile, None);
    }
    if job.outside {
        return Some(Finding::default());
    }
    let is_claimed_alike = (job.claims.iter())
        .all(|claim| (&claim.row.hash, claim.row.size) == (&first.row.hash, first.row.size));
    let sized: Vec<&Claim> = job
        .claims
        .iter()
        .filter(|claim| claim.row.size.is_none_or(|size| size == stamp.size))
        .collect();
    let mut flaw = match (sized.is_empty(), first.row.size) {
        (true, Some(size)) => Some(Flaw::Size(size, stamp.size)),
        (true, None) => Some(Flaw::Content),
        (false, _) => None,
    };
    let mut fitting = sized;
    let undecided = !is_claimed_alike && fitting.len() > 1 && stamp.size <= SMALL;
    let is_newer = job.since.is_some_and(|since| stamp.changed > since);
    if flaw.is_none() && (depth == Depth::Contents || undecided || is_newer) {
        let mut kept = Vec::new();
        for claim in fitting {
            match has_digest(path, &claim.row.hash, go_on) {
                Ok(fits) => {
                    if fits? {
                        kept.push(claim);
                        // Those that claim the same need not be read once more.
                        if is_claimed_alike {
                            break;
                        }
                    }
                }
                Err(reason) => return fault(Flaw::Unreadable(reason), Some(stamp)),
            }
        }
        fitting = kept;
        if fitting.is_empty() {
            flaw = Some(Flaw::Content);
        }
    }
    let owners: BTreeSet<usize> = fitting.iter().map(|claim| claim.owner).collect();
    let winner = owners.first().copied().filter(|_| owners.len() == 1);
    Some(Finding {
        fault: flaw.map(|flaw| (first.owner, flaw, Some(stamp))),
        is_shared: !is_claimed_alike,
        winner,
    })
}

/// Reports whether a file has a recorded digest; one that is not recorded, or in a way that
/// nobody uses, says nothing against it. The inner is `None` if it was ended.
fn has_digest(
    path: &Utf8Path,
    recorded: &str,
    go_on: &dyn Fn(u64) -> bool,
) -> Result<Option<bool>, String> {
    let Some((word, text)) = recorded.split_once('=') else {
        return Ok(Some(true));
    };
    let algorithm = match word {
        "sha256" => Algorithm::Sha256,
        "sha384" => Algorithm::Sha384,
        "sha512" => Algorithm::Sha512,
        _ => return Ok(Some(true)),
    };
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let wanted = engine.decode(text.trim_end_matches('='));
    let found =
        digest::of_file(path, algorithm, go_on).map_err(|error| error.source.to_string())?;
    // A digest that cannot be read is one that no file has.
    Ok(found.map(|found| wanted.is_ok_and(|wanted| wanted == found)))
}

fn gather(
    distributions: &[&Distribution],
    sites: &[&Utf8Path],
    jobs: &[Job],
    found: Vec<(usize, Finding)>,
) -> Look {
    let mut look = Look {
        files: jobs.len() as u64,
        ..Look::default()
    };
    let mut shared: BTreeMap<Vec<&Name>, (Vec<String>, BTreeSet<usize>)> = BTreeMap::new();
    for (at, finding) in found {
        let job = &jobs[at];
        let path = &job.claims[0].row.path;
        if let Some((owner, flaw, stamp)) = finding.fault {
            look.faults.push(FileFault {
                package: distributions[owner].name.clone(),
                path: path.clone(),
                place: sites[job.site].join(path),
                flaw,
                stamp,
            });
        }
        if finding.is_shared {
            let claims = job.claims.iter();
            let mut owners: Vec<&Name> = claims
                .map(|claim| &distributions[claim.owner].name)
                .collect();
            owners.sort();
            let (paths, winners) = shared.entry(owners).or_default();
            paths.push(path.clone());
            winners.extend(finding.winner);
        }
    }
    look.faults
        .sort_by(|a, b| (&a.package, &a.path).cmp(&(&b.package, &b.path)));
    look.shared = shared
        .into_iter()
        .map(|(owners, (paths, winners))| SharedFiles {
            owners: owners.into_iter().cloned().collect(),
            paths,
            is_mixed: winners.len() > 1,
            winner: winners
                .first()
                .filter(|_| winners.len() == 1)
                .map(|&winner| distributions[winner].name.clone()),
        })
        .collect();
    look
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_has_one_normal_path_however_it_is_written() {
        for (path, shown) in [
            ("a/b.py", "a/b.py"),
            (r"a\b.py", "a/b.py"),
            ("./a//b.py", "a/b.py"),
            ("a/c/../b.py", "a/b.py"),
            ("../../../bin/x", "../../../bin/x"),
            ("a/../../x", "../x"),
            ("/usr/bin/x", "/usr/bin/x"),
            ("", ""),
        ] {
            assert_eq!(normal(path, false), shown, "{path}");
        }
        assert_eq!(
            normal(r"CV2\Data\X.XML", true),
            normal("cv2/data/x.xml", true)
        );
        assert_ne!(normal("A.py", false), normal("a.py", false));
    }

    #[test]
    fn a_path_leads_out_by_dots_by_a_root_or_by_a_drive() {
        for path in ["../x", "..", "/x", r"C:\x", r"..\..\Scripts\f2py.exe"] {
            assert!(leads_out(&normal(path, true)), "{path}");
        }
        for path in ["x", "..x", "a/..b", "a/../b", "c"] {
            assert!(!leads_out(&normal(path, true)), "{path}");
        }
    }

    #[test]
    fn caches_and_notes_of_installers_are_spare_and_launchers_are_not() {
        for path in ["a/__pycache__/b.pyc", "b.pyc", "a-1.dist-info/INSTALLER"] {
            assert!(is_spare(path), "{path}");
        }
        for path in ["../../../bin/x", "a/b.py", "a-1.dist-info/METADATA"] {
            assert!(!is_spare(path), "{path}");
        }
    }
}
