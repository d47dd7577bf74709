//! What a lock needs of a folder: which file for which target, and how it can be had.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::error::HouseError;
use super::manifest::Gap;
use super::names::{check_name, colliding};
use crate::index::folder::path_of;
use crate::lock::{Lock, LockedPackage};
use crate::package::{DistFile, FileKind, Name, Source, Target, Vcs, Version, WheelName};

/// How a wheel can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Get {
    /// It is fetched from an address.
    Fetch(DistFile),
    /// It lies on this machine.
    Copy(Utf8PathBuf, DistFile),
    /// It is built from an sdist at an address or, by path, on this machine.
    BuildFile {
        /// The sdist.
        file: DistFile,
        /// The project's directory in it.
        subdirectory: Option<String>,
        /// Where it lies, if it need not be fetched.
        path: Option<Utf8PathBuf>,
    },
    /// It is built from a commit.
    BuildCommit(Vcs),
    /// It is built from a directory.
    BuildDirectory(Utf8PathBuf),
    /// It is packed again from what is installed: no index has it.
    Repack,
}

/// One wheel that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The package.
    pub name: Name,
    /// Its version; a directory's may be unknown until it is built.
    pub version: Option<Version>,
    /// The index that lists it.
    pub index: Option<String>,
    /// How it can be had.
    pub get: Get,
    /// For which of the targets, by number.
    pub targets: Vec<usize>,
}

impl Item {
    /// Returns the name of the wheel, where that is known beforehand.
    pub fn wheel(&self) -> Option<&str> {
        match &self.get {
            Get::Fetch(file) | Get::Copy(_, file) => Some(&file.filename),
            _ => None,
        }
    }
}

/// All that a lock needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The wheels, in the order of the lock.
    pub items: Vec<Item>,
    /// What cannot be had for a target at all.
    pub gaps: Vec<Gap>,
}

/// Works out what a lock needs for targets, named as the lock names them. `own` is the one
/// of them that this machine is: only that can take what is installed here.
///
/// # Errors
///
/// Fails if a file cannot have its name in a folder, or two would have one.
pub fn wanted(
    lock: &Lock,
    targets: &[(String, Target)],
    own: Option<usize>,
    root: &Utf8Path,
) -> Result<Wanted, HouseError> {
    let mut found = Wanted::default();
    for package in &lock.packages {
        // A name that climbs is no accident, whether this target would take the file or not.
        for file in package.files.iter().filter(|_| is_of_index(package)) {
            check_name(&file.filename).map_err(|message| HouseError::Name {
                package: package.name.to_string(),
                message,
            })?;
        }
        let mut items: Vec<Item> = Vec::new();
        for (at, (name, target)) in targets.iter().enumerate() {
            if !package.counts_on(target) {
                continue;
            }
            let Some(get) = get(package, target, root)? else {
                found.gaps.push(Gap {
                    target: name.clone(),
                    package: package.name.clone(),
                    version: package.version.as_ref().map(ToString::to_string),
                    reason: "the lock has no file of it for this target".to_owned(),
                });
                continue;
            };
            match items.iter_mut().find(|item| item.get == get) {
                Some(item) => item.targets.push(at),
                None => items.push(Item {
                    name: package.name.clone(),
                    version: package.version.clone(),
                    index: match &package.source {
                        Source::Index(index) if !index.is_empty() => {
                            Some(crate::package::artifact::without_credentials(index))
                        }
                        _ => None,
                    },
                    get,
                    targets: vec![at],
                }),
            }
        }
        found.items.extend(items);
    }
    for (name, version) in &lock.kept {
        for (at, (target, _)) in targets.iter().enumerate() {
            if Some(at) != own {
                found.gaps.push(Gap {
                    target: target.clone(),
                    package: name.clone(),
                    version: Some(version.to_string()),
                    reason: "it is installed on one machine, and no index has it".to_owned(),
                });
            }
        }
        if let Some(own) = own {
            found.items.push(Item {
                name: name.clone(),
                version: Some(version.clone()),
                index: None,
                get: Get::Repack,
                targets: vec![own],
            });
        }
    }
    check_collisions(&found)?;
    Ok(found)
}

fn is_of_index(package: &LockedPackage) -> bool {
    matches!(package.source, Source::Index(_))
}

fn get(
    package: &LockedPackage,
    target: &Target,
    root: &Utf8Path,
) -> Result<Option<Get>, HouseError> {
    Ok(match &package.source {
        Source::Index(_) => match package.file_for(target) {
            Some(file) => Some(of_file(package, file, None, root)?),
            None => None,
        },
        Source::Url { subdirectory, .. } => match package.files.first() {
            Some(file) => fitting(of_file(package, file, subdirectory.clone(), root)?, target),
            None => None,
        },
        Source::Git(vcs) => Some(Get::BuildCommit(vcs.clone())),
        Source::Path { path, .. } => match package.files.first() {
            Some(file) => fitting(of_file(package, file, None, root)?, target),
            None => Some(Get::BuildDirectory(root.join(path))),
        },
    })
}

/// A wheel named by address is the only one there is: it fits or there is none.
fn fitting(get: Get, target: &Target) -> Option<Get> {
    let fits = match &get {
        Get::Fetch(file) | Get::Copy(_, file) => {
            WheelName::parse(&file.filename).is_some_and(|wheel| target.rank(&wheel.tags).is_some())
        }
        _ => true,
    };
    fits.then_some(get)
}

fn of_file(
    package: &LockedPackage,
    file: &DistFile,
    subdirectory: Option<String>,
    root: &Utf8Path,
) -> Result<Get, HouseError> {
    let wrong = |message: String| HouseError::Name {
        package: package.name.to_string(),
        message,
    };
    check_name(&file.filename).map_err(wrong)?;
    let path = match path_of(&file.url) {
        Some(path) => Some(path),
        None if file.url.contains("://") => None,
        None => Some(root.join(&file.url)),
    };
    if file.kind == FileKind::Sdist {
        return Ok(Get::BuildFile {
            file: file.clone(),
            subdirectory,
            path,
        });
    }
    let wheel = WheelName::parse(&file.filename)
        .ok_or_else(|| wrong(format!("`{}` is not the name of a wheel", file.filename)))?;
    if wheel.name != package.name {
        return Err(wrong(format!(
            "`{}` is a wheel of another package",
            file.filename
        )));
    }
    Ok(match path {
        Some(path) => Get::Copy(path, file.clone()),
        None => Get::Fetch(file.clone()),
    })
}

/// Two files of one name and other content cannot lie in one folder.
fn check_collisions(found: &Wanted) -> Result<(), HouseError> {
    let mut by_name: BTreeMap<&str, (&Item, &DistFile)> = BTreeMap::new();
    let collide = |item: &Item, one: &str, other: &str| HouseError::Name {
        package: item.name.to_string(),
        message: format!("`{one}` and `{other}` are two files, but would be one in a folder"),
    };
    for item in &found.items {
        let (Get::Fetch(file) | Get::Copy(_, file)) = &item.get else {
            continue;
        };
        if let Some((_, first)) = by_name.get(file.filename.as_str())
            && first.hashes != file.hashes
        {
            return Err(collide(item, &first.url, &file.url));
        }
        by_name.insert(&file.filename, (item, file));
    }
    if let Some((one, other)) = colliding(by_name.keys().copied()).first() {
        let (item, _) = by_name[other];
        return Err(collide(item, one, other));
    }
    Ok(())
}
