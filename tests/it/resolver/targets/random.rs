//! Small random worlds for two or three targets.

use std::collections::{BTreeMap, BTreeSet};

use portenv::package::{Marker, Name, Target, Version};
use portenv::resolve::Outcome;
use proptest::prelude::*;

use super::{entries, of, one_by_one, parted, selected};
use crate::worlds::{World, name};

const PACKAGES: usize = 5;
const TARGETS: [&str; 5] = [
    "linux@3.12.9",
    "windows@3.12.9",
    "linux@3.11.4",
    "macos@3.12.9",
    "linux@3.12.4",
];
const MARKERS: [&str; 6] = [
    "",
    "; sys_platform == 'linux'",
    "; sys_platform != 'darwin'",
    "; python_version < '3.12'",
    "; python_full_version >= '3.12.6'",
    "; sys_platform == 'win32' or python_version < '3.12'",
];
/// Tags of wheels, with a word that tells the targets they fit.
const TAGS: [(&str, &str); 4] = [
    ("py3-none-any", ""),
    ("py3-none-manylinux2014_x86_64", "linux"),
    ("py3-none-win_amd64", "windows"),
    ("cp312-cp312-manylinux2014_x86_64", "linux@3.12"),
];

#[derive(Debug, Clone)]
struct Req {
    package: usize,
    bound: &'static str,
    version: u32,
    marker: &'static str,
}

impl Req {
    fn text(&self) -> String {
        let Self {
            package,
            bound,
            version,
            marker,
        } = self;
        let version = if bound.is_empty() {
            String::new()
        } else {
            version.to_string()
        };
        format!("p{package}{bound}{version}{marker}")
    }

    fn counts(&self, target: &Target) -> bool {
        let marker = Marker::parse(self.marker.trim_start_matches("; ")).unwrap();
        marker.holds(target.environment())
    }

    fn admits(&self, version: u32) -> bool {
        match self.bound {
            "" => true,
            ">=" => version >= self.version,
            "<" => version < self.version,
            _ => version == self.version,
        }
    }
}

#[derive(Debug, Clone)]
struct Release {
    tags: usize,
    requires: Vec<Req>,
}

#[derive(Debug, Clone)]
struct Small {
    packages: Vec<Vec<Release>>,
    lines: Vec<Req>,
    targets: Vec<usize>,
}

impl Small {
    fn world(&self) -> World {
        let mut packages = Vec::new();
        for (at, releases) in self.packages.iter().enumerate() {
            for (version, release) in (1..).zip(releases) {
                let requires: Vec<String> = release.requires.iter().map(Req::text).collect();
                let tags = TAGS[release.tags].0;
                packages.push(format!(
                    "p{at} {version} {{tags={tags}}} -> {}",
                    requires.join(" | ")
                ));
            }
        }
        let lines: Vec<String> = self
            .lines
            .iter()
            .map(|req| format!("n: {}", req.text()))
            .collect();
        let mut world = World::new(&packages, &lines);
        world.targets = self.targets.iter().map(|&at| of(TARGETS[at])).collect();
        world
    }

    /// Says what is wrong with an answer for one target.
    fn check(&self, at: usize, answer: &[(Name, Version)]) -> Result<(), String> {
        let text = TARGETS[self.targets[at]];
        let target = of(text);
        let mut picks: BTreeMap<usize, u32> = BTreeMap::new();
        for (package, version) in answer {
            let number = (0..PACKAGES)
                .find(|at| name(&format!("p{at}")) == *package)
                .unwrap();
            let version = u32::try_from(version.release()[0]).unwrap();
            if picks.insert(number, version).is_some() {
                return Err(format!("two versions of {package} on {text}"));
            }
            let fits = TAGS[self.packages[number][version as usize - 1].tags].1;
            if !text.contains(fits) {
                return Err(format!("{package} {version} has no wheel for {text}"));
            }
        }
        let mut open: Vec<&Req> = self.lines.iter().collect();
        let mut wanted = BTreeSet::new();
        while let Some(req) = open.pop() {
            if !req.counts(&target) {
                continue;
            }
            match picks.get(&req.package) {
                Some(&version) if req.admits(version) => {
                    if wanted.insert(req.package) {
                        open.extend(&self.packages[req.package][version as usize - 1].requires);
                    }
                }
                _ => return Err(format!("{req:?} does not hold on {text}")),
            }
        }
        if wanted.len() < picks.len() {
            return Err(format!("more than is wanted on {text}: {picks:?}"));
        }
        Ok(())
    }
}

fn req() -> impl Strategy<Value = Req> {
    let bound = prop_oneof![4 => Just(""), 3 => Just(">="), 3 => Just("<"), 1 => Just("==")];
    let marker = prop_oneof![3 => Just(""), 2 => prop::sample::select(&MARKERS)];
    (0..PACKAGES, bound, 1..5_u32, marker).prop_map(|(package, bound, version, marker)| Req {
        package,
        bound,
        version,
        marker,
    })
}

fn small() -> impl Strategy<Value = Small> {
    let tags = prop_oneof![3 => Just(0), 2 => 0..TAGS.len()];
    let release = (tags, prop::collection::vec(req(), 0..3))
        .prop_map(|(tags, requires)| Release { tags, requires });
    let packages = prop::collection::vec(prop::collection::vec(release, 1..5), PACKAGES);
    let lines = prop::collection::vec(req(), 1..5);
    let targets = prop::sample::subsequence((0..TARGETS.len()).collect::<Vec<_>>(), 2..=3);
    (packages, lines, targets.prop_shuffle()).prop_map(|(packages, lines, targets)| Small {
        packages,
        lines,
        targets,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 800, max_shrink_iters: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn markers_select_a_sound_answer_on_each_target_that_is_as_alike_as_can_be(small in small()) {
        let world = small.world();
        let alone = one_by_one(&mut small.world());
        match world.outcome() {
            Outcome::Conflicts(_) => prop_assert!(alone.is_none(), "each target has an answer"),
            Outcome::Resolved(resolution) => {
                let Some(alone) = alone else {
                    return Err(TestCaseError::fail("one target has no answer"));
                };
                for (at, target) in world.targets.iter().enumerate() {
                    let checked = small.check(at, &selected(&resolution, target));
                    prop_assert!(checked.is_ok(), "{checked:?}\n{:?}", entries(&world));
                }
                let mut versions: BTreeMap<Name, BTreeSet<Version>> = BTreeMap::new();
                for (name, version) in alone.into_iter().flatten() {
                    versions.entry(name).or_default().insert(version);
                }
                let before = versions.values().filter(|versions| versions.len() > 1).count();
                prop_assert!(parted(&resolution) <= before, "{:?} instead of {versions:?}", entries(&world));

                let mut again = small.world();
                for package in &resolution.packages {
                    let marker = Marker::parse(package.marker.as_deref().unwrap_or("")).unwrap();
                    again.preferences.add_locked_where(package.name.clone(), package.version.clone(), marker);
                }
                prop_assert!(parted(&again.resolution()) <= parted(&resolution), "a lock parts no names");
            }
        }
    }

    #[test]
    fn the_order_of_lines_and_releases_changes_no_entry_and_no_marker(
        (small, seed) in (small(), any::<prop::sample::Index>())
    ) {
        let mut other = small.clone();
        let middle = seed.index(other.lines.len());
        other.lines.rotate_left(middle);
        let (first, second) = (small.world(), other.world());
        if let Outcome::Resolved(_) = first.outcome() {
            prop_assert_eq!(entries(&first), entries(&second));
        } else {
            prop_assert!(matches!(second.outcome(), Outcome::Conflicts(_)));
        }
    }
}
