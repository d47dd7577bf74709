//! Policies judged on a set of names.

use std::collections::BTreeSet;

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
