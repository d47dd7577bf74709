//! Policies judged on a set of names.

use std::collections::{BTreeMap, BTreeSet};

use crate::environment::Installed;
use crate::package::Name;
use crate::resolve::families::Family;

/// How many shared files are named.
const SHOWN: usize = 3;

/// Finds members of one family that are there together.
pub fn find_families(names: &[&Name], families: &[Family]) -> Vec<Vec<Name>> {
    families
        .iter()
        .map(|family| family.among(names.iter().copied()))
        .filter(|there| there.len() > 1)
        .collect()
}

/// Says which files several installed packages own in common; `None` if they own none.
pub fn shared_files(members: &[Name], installed: &Installed) -> Option<String> {
    let mut seen = BTreeSet::new();
    let mut shared = BTreeSet::new();
    for distribution in members.iter().filter_map(|name| installed.seen_as(name)) {
        let paths: BTreeSet<String> = distribution
            .rows()
            .into_iter()
            .map(|row| row.path)
            .filter(|path| !path.contains(".dist-info/"))
            .collect();
        shared.extend(paths.intersection(&seen).cloned());
        seen.extend(paths);
    }
    let first: Vec<&str> = shared.iter().take(SHOWN).map(String::as_str).collect();
    let more = if shared.len() > SHOWN {
        " and more"
    } else {
        ""
    };
    let shown = crate::package::artifact::printable(&first.join(", "));
    (!shared.is_empty()).then(|| format!("{} files, {shown}{more}", shared.len()))
}

/// Packages that claim the same paths with different content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    /// The packages, by name.
    pub owners: Vec<Name>,
    /// The paths, relative to site-packages.
    pub paths: Vec<String>,
}

impl Shared {
    /// Returns it in words.
    pub fn shown(&self) -> String {
        let owners: Vec<&str> = self.owners.iter().map(Name::as_str).collect();
        let first: Vec<&str> = (self.paths.iter().take(SHOWN))
            .map(String::as_str)
            .collect();
        let more = if self.paths.len() > SHOWN {
            " and more"
        } else {
            ""
        };
        let paths = crate::package::artifact::printable(&first.join(", "));
        format!(
            "{} overwrite each other: {paths}{more}",
            owners.join(" and ")
        )
    }
}

/// Finds paths that several installed packages claim with different content. The same
/// content is harmless: namespaces are often made of equal, empty files.
pub fn find_shared(installed: &Installed) -> Vec<Shared> {
    let mut claims: BTreeMap<String, Vec<(&Name, String)>> = BTreeMap::new();
    for distribution in installed.iter() {
        for row in distribution.rows() {
            let counts = !row.path.contains(".dist-info/") && !row.path.ends_with(".pyc");
            if counts && !row.hash.is_empty() {
                let claim = (&distribution.name, row.hash);
                claims.entry(row.path).or_default().push(claim);
            }
        }
    }
    let mut found: BTreeMap<Vec<Name>, Vec<String>> = BTreeMap::new();
    for (path, claims) in claims {
        let differs = claims.iter().any(|(_, hash)| *hash != claims[0].1);
        let owners: BTreeSet<&Name> = claims.iter().map(|(name, _)| *name).collect();
        if differs && owners.len() > 1 {
            let owners = owners.into_iter().cloned().collect();
            found.entry(owners).or_default().push(path);
        }
    }
    found
        .into_iter()
        .map(|(owners, paths)| Shared { owners, paths })
        .collect()
}

/// Says why what an address leads to may change, if it may: a repository without a
/// commit, or the archive of a branch.
pub fn find_loose(url: &str) -> Option<String> {
    let (address, _) = url.split_once('#').unwrap_or((url, ""));
    if let Some(repository) = address.strip_prefix("git+") {
        let path = repository.find("://").map_or(0, |at| at + 3);
        let path = &repository[path..];
        // A user stands before the first slash, a revision after the last `@` behind it.
        let path = &path[path.find('/').unwrap_or(path.len())..];
        return match path.rsplit_once('@') {
            None => Some("names no commit".to_owned()),
            Some((_, rev)) if is_commit(rev) => None,
            Some((_, rev)) => Some(format!("names `{rev}`, which is no commit")),
        };
    }
    let branch = address
        .split_once("/archive/")
        .map(|(_, rest)| rest)
        .and_then(|rest| rest.strip_suffix(".zip").or(rest.strip_suffix(".tar.gz")));
    let branch = branch?;
    let is_branch = branch.starts_with("refs/heads/")
        || ["main", "master", "develop", "dev"].contains(&branch)
        || ["main/", "master/"]
            .iter()
            .any(|head| branch.starts_with(head));
    is_branch.then(|| "is the archive of a branch".to_owned())
}

/// A commit, in full or as abbreviated as git shows it.
fn is_commit(rev: &str) -> bool {
    (7..=64).contains(&rev.len()) && rev.bytes().all(|byte| byte.is_ascii_hexdigit())
}
