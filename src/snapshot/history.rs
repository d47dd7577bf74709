//! Naming a snapshot: by prefix, label, or place before the newest.

use super::model::Snapshot;

/// What a name came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved<'a> {
    /// One snapshot.
    One(&'a Snapshot),
    /// Several have this prefix.
    Ambiguous(Vec<&'a str>),
    /// None.
    None,
}

/// Finds a snapshot by label, `@`, `@~N` or a prefix of at least four digits;
/// `snapshots` are newest first.
///
/// A label wins over a prefix, so that a label that looks like hex still works.
pub fn find_snapshot<'a>(snapshots: &'a [Snapshot], name: &str) -> Resolved<'a> {
    if let Some(found) = snapshots
        .iter()
        .find(|snapshot| snapshot.labels.iter().any(|label| label == name))
    {
        return Resolved::One(found);
    }
    if let Some(rest) = name.strip_prefix('@') {
        let back = match rest.strip_prefix('~') {
            Some(number) => number.parse().ok(),
            None => rest.is_empty().then_some(0),
        };
        return back
            .and_then(|back: usize| snapshots.get(back))
            .map_or(Resolved::None, Resolved::One);
    }
    let prefix = name.to_ascii_lowercase();
    if prefix.len() < 4 || !prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Resolved::None;
    }
    let found: Vec<&Snapshot> = snapshots
        .iter()
        .filter(|snapshot| snapshot.id.starts_with(&prefix))
        .collect();
    match found.as_slice() {
        [] => Resolved::None,
        [one] => Resolved::One(one),
        several => Resolved::Ambiguous(
            several
                .iter()
                .map(|snapshot| snapshot.id.as_str())
                .collect(),
        ),
    }
}
