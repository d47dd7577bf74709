//! Reads an environment back: exit 0 of an installer is no proof.

use std::collections::BTreeMap;

use crate::environment::files::{Depth, FileFault, Flaw, look};
use crate::environment::record::is_of_installer;
use crate::environment::{Distribution, Installed};
use crate::package::Name;
use crate::plan::{Goal, rests_on_base};

/// A difference between what is and what should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The package.
    pub package: Name,
    /// What is wrong with it.
    pub message: String,
}

/// Checks that everything wanted is there, and that what was to stay is as it was.
pub fn verify(
    installed: &Installed,
    wanted: &BTreeMap<Name, Goal>,
    stays: &[Distribution],
    gone: &[Name],
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |package: &Name, message: String| {
        faults.push(Fault {
            package: package.clone(),
            message,
        });
    };
    for (name, goal) in wanted {
        match installed.get(name) {
            None if rests_on_base(installed, name, goal) => {}
            None => fault(name, "it is not installed".to_owned()),
            Some(found) if found.version != goal.version => fault(
                name,
                format!(
                    "{} is installed, {} was wanted",
                    found.version, goal.version
                ),
            ),
            Some(found) => {
                if let (Some(wanted), Some(found)) = (&goal.digest, &found.digest)
                    && wanted != found
                {
                    fault(
                        name,
                        "its files are not those that were recorded".to_owned(),
                    );
                }
            }
        }
    }
    for before in stays {
        match installed.get(&before.name) {
            None => fault(&before.name, "it was to stay and is gone".to_owned()),
            Some(now) if now.version != before.version || now.digest != before.digest => {
                fault(&before.name, "it was to stay and changed".to_owned());
            }
            Some(_) => {}
        }
    }
    for name in gone {
        if installed.get(name).is_some() {
            fault(name, "it was to go and is still there".to_owned());
        }
    }
    faults
}

/// Checks one distribution against its RECORD: each file there and of its size, and, with
/// [`Depth::Unpacked`], with its digest if it was written later than the rest. What an installer
/// links or copies from its cache has the time at which it was unpacked there: what is newer
/// was written since, into the cache too where that is the same file.
///
/// # Errors
///
/// Returns what is wrong first.
pub fn check_distribution(distribution: &Distribution, depth: Depth) -> Result<(), String> {
    if let Some(part) = distribution.lacks.first() {
        return Err(format!("its metadata lacks {part}"));
    }
    let never = |_: u64, _: u64, _: &str| true;
    let Some(look) = look(&[distribution], false, depth, &never) else {
        return Ok(());
    };
    let fault = (look.faults.iter()).find(|fault| !is_of_installer(&fault.path));
    match fault {
        None => Ok(()),
        Some(FileFault { path, flaw, .. }) => Err(match flaw {
            Flaw::Missing | Flaw::NoFile => format!("`{path}` is missing"),
            Flaw::Size(..) => format!("`{path}` has another size than recorded"),
            Flaw::Content => format!("`{path}` has another content than recorded"),
            Flaw::Unreadable(reason) => format!("`{path}`: {reason}"),
        }),
    }
}
