//! Tiny package worlds written as text, and the question put to each.
//!
//! A package is `NAME VERSION [{KEY=VALUE; …}] [-> REQUIREMENT | REQUIREMENT …]`; the keys are
//! `tags`, `python`, `yanked`, `uploaded` (seconds) and `sdist`.
//! What is asked for is `WHO: REQUIREMENT`; `WHO` is `core`, `constrain`, `override`,
//! `override for NODE`, `protect`, or the name of a node.

use camino::Utf8PathBuf;
use portenv::index::{Index, MemoryIndex};
use portenv::package::target::MachineFacts;
use portenv::package::{Metadata, Name, Requirement, Target, Version};
use portenv::progress::Cancel;
use portenv::requirements::{Line, Origin, OriginKind, Role};
use portenv::resolve::targets::Task;
use portenv::resolve::{Conflict, Kept, Options, Outcome, Preferences, Resolution, resolve};
use proptest::test_runner::Config;

/// Returns how often a property of worlds is tried: as `PROPTEST_CASES` says, else the usual number.
pub(crate) fn cases(usual: u32) -> Config {
    let told = std::env::var("PROPTEST_CASES").ok();
    Config {
        cases: told.and_then(|text| text.parse().ok()).unwrap_or(usual),
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..Config::default()
    }
}

/// A world and what is asked of it.
pub(crate) struct World {
    pub(crate) index: MemoryIndex,
    pub(crate) lines: Vec<Line>,
    pub(crate) targets: Vec<Target>,
    pub(crate) options: Options,
    pub(crate) preferences: Preferences,
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// Makes a target, as in `target("linux", "3.12.9")`.
pub(crate) fn target(platform: &str, python: &str) -> Target {
    Target::new(
        platform.parse().unwrap(),
        python.parse().unwrap(),
        &MachineFacts::default(),
    )
}

/// Makes the line that stands at a place of `requirements.txt` of its owner.
pub(crate) fn line(text: &str, number: u32) -> Line {
    let (who, text) = text.split_once(": ").unwrap();
    let policy = |role| (OriginKind::Policy, None, "portenv.toml".to_owned(), role);
    let (kind, owner, file, role) = match who {
        "core" => (
            OriginKind::Core,
            None,
            "requirements.txt".to_owned(),
            Role::Require,
        ),
        "constrain" => policy(Role::Constrain),
        "protect" => policy(Role::Protect),
        _ if who == "override" || who.starts_with("override for ") => policy(Role::Override {
            reason: None,
            only_for: who
                .strip_prefix("override for ")
                .map(str::to_owned)
                .into_iter()
                .collect(),
        }),
        node => (
            OriginKind::Node,
            Some(node),
            format!("custom_nodes/{node}/requirements.txt"),
            Role::Require,
        ),
    };
    Line {
        origin: Origin::file(kind, owner, &file).at(number, 1),
        text: text.to_owned(),
        requirement: Requirement::parse(text.split(" #").next().unwrap()).unwrap(),
        hashes: Vec::new(),
        editable: false,
        role,
        base: Utf8PathBuf::new(),
    }
}

fn add(index: &mut MemoryIndex, text: &str) {
    let (head, requires) = text.split_once("->").unwrap_or((text, ""));
    let (head, facts) = head.split_once('{').unwrap_or((head, ""));
    let (package, version) = head.trim().split_once(' ').unwrap();
    let requires: Vec<&str> = requires
        .split(" | ")
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .collect();
    let facts: Vec<(&str, &str)> = facts
        .trim()
        .trim_end_matches('}')
        .split(';')
        .map(|fact| fact.split_once('=').unwrap_or((fact, "")))
        .map(|(key, value)| (key.trim(), value.trim()))
        .collect();
    let get = |key: &str| facts.iter().find(|fact| fact.0 == key).map(|fact| fact.1);
    let (version, python) = (version.trim(), get("python"));
    if get("sdist").is_some() {
        index.sdist(package, version, &requires, python);
    } else {
        let tags = get("tags").unwrap_or("py3-none-any");
        index.wheel_tagged(package, version, &requires, tags, python);
    }
    index.edit(package, |file| {
        file.yanked = get("yanked").map(str::to_owned);
        file.upload_time = get("uploaded").map(|text| text.parse().unwrap());
    });
}

impl World {
    /// Makes a world for Python 3.12 on Linux.
    pub(crate) fn new<P: AsRef<str>, L: AsRef<str>>(packages: &[P], lines: &[L]) -> Self {
        let mut index = MemoryIndex::new();
        for package in packages {
            add(&mut index, package.as_ref());
        }
        Self {
            index,
            lines: (1..)
                .zip(lines)
                .map(|(number, text)| line(text.as_ref(), number))
                .collect(),
            targets: vec![target("linux", "3.12.9")],
            options: Options::default(),
            preferences: Preferences::default(),
        }
    }

    pub(crate) fn on(mut self, platform: &str, python: &str) -> Self {
        self.targets = vec![target(platform, python)];
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.options);
        self
    }

    pub(crate) fn locked(mut self, package: &str, version: &str) -> Self {
        self.preferences
            .add_locked(name(package), version.parse().unwrap());
        self
    }

    /// Says that a version is installed, with these requirements.
    pub(crate) fn installed(mut self, package: &str, version: &str, requires: &[&str]) -> Self {
        let metadata = Metadata {
            name: package.to_owned(),
            version: version.to_owned(),
            requires_dist: requires.iter().map(|&text| text.to_owned()).collect(),
            ..Metadata::default()
        };
        let version: Version = version.parse().unwrap();
        self.preferences.add_installed(
            name(package),
            Kept {
                version,
                metadata: std::sync::Arc::new(metadata),
            },
        );
        self
    }

    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome_from(&self.index)
    }

    /// Resolves with another index than the world's own.
    pub(crate) fn outcome_from(&self, index: &dyn Index) -> Outcome {
        let task = Task {
            lines: &self.lines,
            targets: &self.targets,
            options: &self.options,
            preferences: &self.preferences,
            index,
            cancel: &Cancel::default(),
        };
        resolve(&task).unwrap()
    }

    #[track_caller]
    pub(crate) fn resolution(&self) -> Resolution {
        match self.outcome() {
            Outcome::Resolved(resolution) => *resolution,
            Outcome::Conflicts(conflicts) => panic!("{}", shown(&conflicts)),
        }
    }

    #[track_caller]
    pub(crate) fn conflicts(&self) -> Vec<Conflict> {
        match self.outcome() {
            Outcome::Resolved(resolution) => panic!("resolved: {}", picks(&resolution).join(", ")),
            Outcome::Conflicts(conflicts) => conflicts,
        }
    }

    /// Returns the answer on one line: `a 1.0, b 2.0`, or `conflict: a<2 + a>=2`.
    pub(crate) fn answer(&self) -> String {
        match self.outcome() {
            Outcome::Resolved(resolution) => picks(&resolution).join(", "),
            Outcome::Conflicts(conflicts) => shown(&conflicts),
        }
    }

    /// Returns the codes of the warnings, in order.
    #[track_caller]
    pub(crate) fn warnings(&self) -> Vec<(&'static str, String)> {
        let warnings = self.resolution().warnings;
        warnings
            .into_iter()
            .map(|warning| (warning.code, warning.message))
            .collect()
    }
}

fn picks(resolution: &Resolution) -> Vec<String> {
    let packages = resolution.packages.iter();
    packages
        .map(|package| format!("{} {}", package.name, package.version))
        .collect()
}

/// Shows conflicts as the lines of their cores.
pub(crate) fn shown(conflicts: &[Conflict]) -> String {
    let cores: Vec<String> = conflicts
        .iter()
        .map(|conflict| {
            let lines: Vec<&str> = conflict
                .requirements
                .iter()
                .map(|line| line.requirement.as_str())
                .collect();
            format!("conflict: {}", lines.join(" + "))
        })
        .collect();
    cores.join("; ")
}
