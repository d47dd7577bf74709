//! What of the history may be pruned, as a pure function of its list.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::history::{Walk, bisect_origin};
use super::model::{Operation, Snapshot};

/// How much of the history is kept, beside what always is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The newest so many.
    pub newest: usize,
    /// The newest of each of the last so many days that have any (UTC).
    pub daily: usize,
    /// The same for weeks (ISO 8601).
    pub weekly: usize,
    /// The same for months.
    pub monthly: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            newest: 30,
            daily: 14,
            weekly: 8,
            monthly: 12,
        }
    }
}

/// Returns the ids of the snapshots that something at hand needs: the newest one, what
/// an unfinished operation or bisect goes back to, and what undo and redo stand at and have ahead.
pub fn needed(snapshots: &[Snapshot], unfinished: Option<&Operation>) -> BTreeSet<String> {
    let walk = Walk::of(snapshots);
    let walked = walk.at().into_iter().chain(walk.ahead(false));
    let mut needed: BTreeSet<String> = snapshots
        .first()
        .into_iter()
        .chain(walked)
        .chain(bisect_origin(snapshots))
        .map(|snapshot| snapshot.id.clone())
        .collect();
    if let Some(operation) = unfinished {
        needed.extend(operation.parent.iter().chain(&operation.restores).cloned());
    }
    needed
}

/// Returns the snapshots that may go; `snapshots` and the answer are newest first.
///
/// Days, weeks and months count only where they have a snapshot, and back from the newest
/// one: an installation that rested for a year, or a clock that was wrong, loses nothing.
/// Labelled ones stay, the first one *as found* among them, and so does one whose time
/// cannot be read.
pub fn to_prune<'a>(
    snapshots: &'a [Snapshot],
    policy: Policy,
    needed: &BTreeSet<String>,
) -> Vec<&'a Snapshot> {
    let mut days = Buckets::new(policy.daily);
    let mut weeks = Buckets::new(policy.weekly);
    let mut months = Buckets::new(policy.monthly);
    let mut gone = Vec::new();
    for (at, snapshot) in snapshots.iter().enumerate() {
        let time = snapshot.operation.ended.as_deref().unwrap_or_default();
        let Ok(time) = time.parse::<Timestamp>() else {
            continue;
        };
        let date = time.to_zoned(TimeZone::UTC).date();
        let week = date.iso_week_date();
        // Every list counts, whether another one keeps the snapshot or not.
        let by_day = days.takes((date.year(), date.day_of_year()));
        let by_week = weeks.takes((week.year(), week.week().into()));
        let by_month = months.takes((date.year(), date.month().into()));
        let kept = at < policy.newest
            || by_day
            || by_week
            || by_month
            || !snapshot.labels.is_empty()
            || needed.contains(&snapshot.id);
        if !kept {
            gone.push(snapshot);
        }
    }
    gone
}

/// Stretches of time, of which the newest so many take one snapshot each.
struct Buckets {
    most: usize,
    seen: BTreeSet<(i16, i16)>,
}

impl Buckets {
    fn new(most: usize) -> Self {
        let seen = BTreeSet::new();
        Self { most, seen }
    }

    /// Reports whether the stretch takes this snapshot: its newest, and it is not too old.
    fn takes(&mut self, stretch: (i16, i16)) -> bool {
        self.seen.insert(stretch) && self.seen.len() <= self.most
    }
}
