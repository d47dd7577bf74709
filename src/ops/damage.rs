//! What of packages that a rollback would leave alone is not as it was recorded: files that
//! are gone or changed although name, version and RECORD are right.

use std::collections::{BTreeMap, BTreeSet};

use super::context::{Context, Site};
use super::error::OpError;
use super::keep::{faults_of, within};
use super::packages::PackageGoal;
use super::restore;
use super::supply::Supply;
use crate::environment::files::FileFault;
use crate::environment::{Distribution, Installed};
use crate::host::fs;
use crate::package::Name;
use crate::store::place_of;

/// What is not as it was.
#[derive(Debug, Default)]
pub(super) struct Damage {
    /// Packages that are installed anew.
    pub names: BTreeSet<Name>,
    /// Packages of which only files beside the wheel's own are put back, or edited ones.
    pub touched: BTreeSet<Name>,
    /// Packages that stay damaged: nobody has them.
    pub left: BTreeSet<Name>,
}

impl Damage {
    /// Reports whether all is as it was.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.touched.is_empty()
    }

    /// Leaves alone what can be had nowhere: it is no worse than before.
    pub(super) fn leave(&mut self, goal: &mut PackageGoal, supplies: &mut BTreeMap<Name, Supply>) {
        for name in self.names.clone() {
            if supplies.get(&name) == Some(&Supply::Nowhere) {
                self.names.remove(&name);
                goal.anew.names.remove(&name);
                supplies.remove(&name);
                self.left.insert(name);
            }
        }
    }

    /// Says what is put back that no change of a version shows, and what cannot be.
    pub(super) fn warnings(&self) -> Vec<(&'static str, String)> {
        let list = |names: Vec<&Name>| {
            let names: Vec<&str> = names.into_iter().map(Name::as_str).collect();
            names.join(", ")
        };
        let mut warnings = Vec::new();
        let back: Vec<&Name> = self.names.iter().chain(&self.touched).collect();
        if !back.is_empty() {
            let text = "files are not as they were recorded, and are put back";
            warnings.push(("damaged", format!("{text}: {}", list(back))));
        }
        if !self.left.is_empty() {
            let text = "files are not as they were recorded, and nobody has them";
            warnings.push((
                "damaged",
                format!("{text}: {}", list(self.left.iter().collect())),
            ));
        }
        warnings
    }
}

/// Finds what is damaged of what a goal leaves alone, and has it installed anew.
///
/// # Errors
///
/// Fails if it was interrupted.
pub(super) fn find_damage(
    context: &Context,
    site: &Site,
    goal: &mut PackageGoal,
    installed: &Installed,
) -> Result<Damage, OpError> {
    let plan = goal.plan(installed);
    let stays = |found: &&Distribution| {
        let changes = plan.steps.iter().any(|step| step.change.name == found.name);
        !changes && goal.wanted.contains_key(&found.name) && !found.is_fixed()
    };
    let own: Vec<&Distribution> = installed.iter().filter(stays).collect();
    let mut faults = faults_of(context, site, &own)?;
    if !faults.is_empty() {
        // What another package owns as well is judged beside that.
        let all: Vec<&Distribution> = installed.iter().filter(|it| !it.is_fixed()).collect();
        let really: Vec<FileFault> = faults_of(context, site, &all)?;
        faults.retain(|fault| really.iter().any(|other| other.place == fault.place));
    }
    let mut damage = Damage::default();
    for found in own {
        let Some(wanted) = goal.wanted.get(&found.name) else {
            continue;
        };
        // What no snapshot knows the files of is not judged.
        let Some(kept) = &wanted.kept else {
            continue;
        };
        let parts = restore::parts(site, kept).unwrap_or_default();
        let dir = found.dir.parent().unwrap_or(&found.dir);
        let mut own = faults.iter().filter(|fault| fault.package == found.name);
        if own.any(|fault| parts.iter().all(|part| part.path != fault.path)) {
            damage.names.insert(found.name.clone());
            continue;
        }
        let is_lost = parts.iter().any(|part| {
            let place = place_of(&part.path, dir, within(site));
            place.is_some_and(|place| {
                let now = fs::find_bytes(&place).ok().flatten();
                now.as_ref() != Some(&part.bytes)
            })
        });
        if is_lost {
            damage.touched.insert(found.name.clone());
        }
    }
    let linked = |fault: &FileFault| fault.stamp.is_some_and(|stamp| stamp.is_linked);
    let mut broken = (faults.iter()).filter(|fault| damage.names.contains(&fault.package));
    // Offline there is only the cache; what it gives is proved.
    goal.anew.past_cache = !context.offline && broken.any(linked);
    goal.anew.names.clone_from(&damage.names);
    Ok(damage)
}
