//! Reads an environment back: exit 0 of an installer is no proof.

use std::collections::BTreeMap;

use camino::Utf8Path;

use crate::environment::record::is_of_installer;
use crate::environment::{Distribution, Installed};
use crate::host::fs;
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

/// Checks that everything wanted is there and whole, and that what was to stay is
/// as it was; `changed` packages have their files looked at too.
pub fn verify(
    installed: &Installed,
    wanted: &BTreeMap<Name, Goal>,
    stays: &[Distribution],
    gone: &[Name],
    changed: &[Name],
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
                if changed.contains(name)
                    && let Err(message) = check_distribution(found)
                {
                    fault(name, message);
                }
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

/// Checks one distribution against its RECORD: each file there, each of its size.
///
/// # Errors
///
/// Returns what is wrong first.
pub fn check_distribution(distribution: &Distribution) -> Result<(), String> {
    if let Some(part) = distribution.lacks.first() {
        return Err(format!("its metadata lacks {part}"));
    }
    let site = distribution.dir.parent().unwrap_or(Utf8Path::new(""));
    for row in distribution.rows() {
        if is_of_installer(&row.path) {
            continue;
        }
        match fs::stamp(&site.join(&row.path)) {
            Err(error) if error.is_not_found() => return Err(format!("`{}` is missing", row.path)),
            Err(error) => return Err(error.to_string()),
            Ok((size, _)) if row.size.is_some_and(|recorded| recorded != size) => {
                return Err(format!("`{}` has another size than recorded", row.path));
            }
            Ok(_) => {}
        }
    }
    Ok(())
}
