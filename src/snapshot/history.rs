//! Naming a snapshot: by prefix, label, or place before the newest; and the line that
//! undo and redo walk.

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

/// The kind of an operation that goes back over another.
pub const UNDO: &str = "undo";
/// The kind of an operation that takes such a one back.
pub const REDO: &str = "redo";

/// The kind of an operation that tries a snapshot out.
pub const BISECT: &str = "bisect";
/// The kind of the operation that ends such trials where they began.
pub const BISECTED: &str = "bisected";
/// The kind of an operation that nobody asked for: what others changed is recorded.
const DRIFT: &str = "drift";

/// Returns the snapshot where a bisect began that has not ended; `snapshots` are newest
/// first. What a tried command changes is recorded in between.
pub fn bisect_origin(snapshots: &[Snapshot]) -> Option<&Snapshot> {
    let kind = |snapshot: &Snapshot| snapshot.operation.kind.clone();
    let open = snapshots
        .iter()
        .take_while(|snapshot| [BISECT, DRIFT].contains(&kind(snapshot).as_str()))
        .count();
    let first = snapshots[..open]
        .iter()
        .rposition(|snapshot| kind(snapshot) == BISECT)?;
    snapshots.get(first + 1)
}

/// The snapshots that undo and redo walk, oldest first, and where they stand.
///
/// The history itself only grows. An undo stands for the snapshot that it went back to,
/// so the next one goes further and not to and fro; what it went over stays ahead for redo
/// until another operation starts from here:
///
/// ```text
/// history:  a   b   c   undo→b   undo→a   redo→b   d      undo→b
/// line:     a   ab  abc abc      abc      abc      abd    abd
/// at:       a   b   c   b        a        b        d      b
/// ```
///
/// A bisect leaves the line as it was, once it has gone back to where it began.
#[derive(Debug, Clone, Default)]
pub struct Walk<'a> {
    line: Vec<&'a Snapshot>,
    /// How many of the line are behind, the one it stands at among them.
    behind: usize,
}

impl<'a> Walk<'a> {
    /// Works out the line of a history, given newest first.
    ///
    /// An undo or redo to a snapshot that is not in the line, for one that was pruned, is
    /// an operation like any other: it can still be gone back over.
    pub fn of(snapshots: &'a [Snapshot]) -> Self {
        let mut walk = Self::default();
        let mut before_bisect: Option<Self> = None;
        for snapshot in snapshots.iter().rev() {
            let operation = &snapshot.operation;
            match operation.kind.as_str() {
                BISECT => walk = before_bisect.get_or_insert(walk).clone(),
                BISECTED => {
                    if let Some(before) = before_bisect.take() {
                        walk = before;
                        continue;
                    }
                }
                DRIFT => {}
                _ => before_bisect = None,
            }
            let walks = [UNDO, REDO].contains(&operation.kind.as_str());
            let goal = operation.restores.as_deref().filter(|_| walks);
            let at = goal.and_then(|goal| walk.line.iter().position(|one| one.id == goal));
            if let Some(at) = at {
                walk.behind = at + 1;
            } else {
                walk.line.truncate(walk.behind);
                walk.line.push(snapshot);
                walk.behind = walk.line.len();
            }
        }
        walk
    }

    /// Returns the snapshot that it stands at.
    pub fn at(&self) -> Option<&'a Snapshot> {
        self.line.get(self.behind.checked_sub(1)?).copied()
    }

    /// Returns what undo may go to, nearest first. What was changed since by others is
    /// gone over like an operation.
    pub fn back(&self, drifted: bool) -> impl Iterator<Item = &'a Snapshot> {
        let behind = self.behind.saturating_sub(usize::from(!drifted));
        self.line[..behind].iter().rev().copied()
    }

    /// Returns what redo may go to, nearest first: nothing once something else was changed.
    pub fn ahead(&self, drifted: bool) -> impl Iterator<Item = &'a Snapshot> {
        let ahead = self.line[self.behind..].iter().copied();
        ahead.filter(move |_| !drifted)
    }
}
