//! The texts of a folder: the lock with relative paths, and the same for pip.

use std::collections::{BTreeMap, BTreeSet};

use super::manifest::HouseFile;
use crate::lock::export::to_constraints;
use crate::lock::{Lock, LockedPackage};
use crate::package::target::markers;
use crate::package::{DistFile, FileKind, Hashes, Name, Source, Target, Version};

/// Which wheels stand for a package of a lock: by name and version, in the lock's order.
pub type Wheels<'a> = BTreeMap<(Name, Option<Version>), Vec<&'a HouseFile>>;

/// Makes the lock of a folder: the packages that count on the targets, each with its wheels
/// by relative path and nothing else.
pub fn house_lock(lock: &Lock, targets: &[(String, Target)], wheels: &Wheels<'_>) -> Lock {
    let plain: Vec<Target> = targets.iter().map(|(_, target)| target.clone()).collect();
    let mut house = Lock {
        environments: lock.environments.clone(),
        targets: targets.iter().map(|(name, _)| name.clone()).collect(),
        packages: Vec::new(),
        kept: Vec::new(),
        ..lock.clone()
    };
    // Those of the targets that were left out would promise what is not here.
    if !lock.targets.is_empty() {
        let positions = house.targets.iter().map(|name| {
            let mut known = lock.targets.iter();
            known.position(|known| known == name)
        });
        let kept: Option<Vec<String>> = positions
            .map(|at| lock.environments.get(at?).cloned())
            .collect();
        house.environments = kept.unwrap_or_else(|| markers(&plain));
    }
    for package in &lock.packages {
        if !plain.iter().any(|target| package.counts_on(target)) {
            continue;
        }
        let key = (package.name.clone(), package.version.clone());
        let Some(files) = wheels.get(&key) else {
            continue;
        };
        house.packages.push(LockedPackage {
            version: version_of(package.version.as_ref(), files),
            source: Source::Index(String::new()),
            files: files.iter().map(|file| dist_file(file)).collect(),
            ..package.clone()
        });
    }
    for (name, version) in &lock.kept {
        let key = (name.clone(), Some(version.clone()));
        let Some(files) = wheels.get(&key) else {
            continue;
        };
        house.packages.push(LockedPackage {
            name: name.clone(),
            version: Some(version.clone()),
            marker: None,
            source: Source::Index(String::new()),
            files: files.iter().map(|file| dist_file(file)).collect(),
            dependencies: Vec::new(),
            required_by: Vec::new(),
        });
    }
    let order = |package: &LockedPackage| (package.name.clone(), package.version.clone());
    house.packages.sort_by_key(order);
    house
}

/// A directory's version is known only once its wheel is.
fn version_of(known: Option<&Version>, files: &[&HouseFile]) -> Option<Version> {
    let built = || files.first().and_then(|file| file.version.parse().ok());
    known.cloned().or_else(built)
}

fn dist_file(file: &HouseFile) -> DistFile {
    DistFile {
        filename: file.name.clone(),
        url: file.name.clone(),
        hashes: Hashes::from([("sha256".to_owned(), file.sha256.clone())]),
        size: Some(file.size),
        upload_time: None,
        kind: FileKind::Wheel,
    }
}

/// Returns `requirements-frozen.txt`: versions with the hashes of the wheels here, in the
/// words of pip's requirements format.
pub fn requirements(house: &Lock) -> String {
    let mut text = String::from(
        "# Made by portenv wheelhouse build. Install offline, in this folder, with:\n\
         # python -m pip install --no-index --find-links . --no-deps --require-hashes -r requirements-frozen.txt\n",
    );
    for package in &house.packages {
        let Some(version) = &package.version else {
            continue;
        };
        text.push_str(&format!("{}=={version}", package.name));
        if let Some(marker) = package.marker.as_deref().filter(|text| !text.is_empty()) {
            text.push_str(&format!(" ; {}", marker.replace(['\n', '\r'], " ")));
        }
        let hashes: BTreeSet<&str> = package.files.iter().filter_map(DistFile::sha256).collect();
        for hash in hashes {
            text.push_str(&format!(" \\\n    --hash=sha256:{hash}"));
        }
        text.push('\n');
    }
    text
}

/// Returns `constraints.txt`.
pub fn constraints(house: &Lock) -> String {
    to_constraints(house).text
}
