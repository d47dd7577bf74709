//! Steps, in the order they are shown.

use std::collections::BTreeSet;

use crate::environment::Installed;
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
    /// Adds that these are installed anew, as far as they are there and nothing else happens to
    /// them.
    pub fn replace_too(&mut self, installed: &Installed, names: &BTreeSet<Name>) {
        for found in names.iter().filter_map(|name| installed.get(name)) {
            if self.steps.iter().any(|step| step.change.name == found.name) {
                continue;
            }
            let after = |step: &PlanStep| {
                step.change.kind != ChangeKind::Remove && step.change.name > found.name
            };
            let at = self.steps.iter().position(after);
            let step = PlanStep {
                change: Change {
                    name: found.name.clone(),
                    kind: ChangeKind::Replace,
                    from: Some(found.version.clone()),
                    to: Some(found.version.clone()),
                },
                reason: Some("its files are broken"),
            };
            self.steps.insert(at.unwrap_or(self.steps.len()), step);
        }
    }

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
