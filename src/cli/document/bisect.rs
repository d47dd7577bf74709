//! Which snapshot broke a command.

use schemars::JsonSchema;
use serde::Serialize;

use super::snapshot::SnapshotEntry;
use crate::ops::bisect::{BisectOutcome, Verdict};

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BisectWord {
    /// The first bad snapshot is known.
    Found,
    /// It is one of several, for the rest could not be told.
    Undecided,
}

/// One snapshot that was tried.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TrialDocument {
    /// The snapshot's id.
    pub snapshot: String,
    /// What came of it.
    pub verdict: Verdict,
    /// The command's exit code, or the signal of a crash; null if it could not be run there.
    pub code: Option<i32>,
}

/// Which snapshot broke a command.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct BisectDocument {
    /// How the search ended.
    pub status: BisectWord,
    /// The newest snapshot known to be good.
    pub good: String,
    /// The first bad snapshot, with its command and what it changed; null if it is undecided.
    pub first_bad: Option<SnapshotEntry>,
    /// What the first bad one is among, newest first; one if it was found.
    pub suspects: Vec<SnapshotEntry>,
    /// What was tried, in order.
    pub trials: Vec<TrialDocument>,
    /// Where the search began and ended.
    pub start: String,
}

impl From<&BisectOutcome> for BisectDocument {
    fn from(outcome: &BisectOutcome) -> Self {
        let entries = || {
            outcome
                .suspects
                .iter()
                .map(|it| SnapshotEntry::new(it, false))
        };
        let found = outcome.suspects.len() == 1;
        Self {
            status: if found {
                BisectWord::Found
            } else {
                BisectWord::Undecided
            },
            good: outcome.good.clone(),
            first_bad: entries().next().filter(|_| found),
            suspects: entries().collect(),
            trials: (outcome.trials.iter())
                .map(|trial| TrialDocument {
                    snapshot: trial.snapshot.clone(),
                    verdict: trial.verdict,
                    code: trial.code,
                })
                .collect(),
            start: outcome.start.clone(),
        }
    }
}
