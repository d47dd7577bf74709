//! Steps, in the order they are shown.

use crate::lock::{Change, ChangeKind};
use crate::package::Name;

/// One step: a change of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanStep {
    /// What changes.
    pub change: Change,
    /// Why a package that has the right version is installed anew.
    pub reason: Option<&'static str>,
}

/// The ordered difference between what is and what is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The steps: removals first, then by name.
    pub steps: Vec<PlanStep>,
    /// Installed packages that nothing wants and that stay.
    pub extra: Vec<Name>,
}

impl Plan {
    /// Reports whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Returns the packages that uv would take for satisfied but are not.
    pub fn reinstalls(&self) -> Vec<Name> {
        self.steps
            .iter()
            .filter(|step| step.change.kind == ChangeKind::Replace)
            .map(|step| step.change.name.clone())
            .collect()
    }

    /// Returns the packages that go.
    pub fn removed(&self) -> Vec<Name> {
        self.steps
            .iter()
            .filter(|step| step.change.kind == ChangeKind::Remove)
            .map(|step| step.change.name.clone())
            .collect()
    }
}
