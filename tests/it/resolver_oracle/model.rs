//! Small worlds with everything that decides about a version, and an enumerator of their answers.
//!
//! What the enumerator knows it knows from elsewhere than the resolver: which versions a specifier
//! admits from `corpus/specifiers.txt`, which `packaging` wrote, and everything else from the
//! tables below, which say in so many words what holds where.

use std::sync::OnceLock;

use portenv::package::Target;
use portenv::requirements::Line;
use portenv::workspace::settings::{Prerelease, Resolution as Order};

use crate::versions::grid;
use crate::worlds::{World, line, name, target};

pub(super) const PACKAGES: usize = 5;

/// Oldest first; the local version of a release stands just above it.
pub(super) const VERSIONS: [&str; 8] = [
    "1.0a1",
    "1.0",
    "1.0+cpu",
    "1.0.post1",
    "2.0rc1",
    "2.0",
    "2.0+cpu",
    "3.0",
];

/// The first six are what most requirements are.
pub(super) const SPECIFIERS: [&str; 23] = [
    "",
    ">=1.0",
    ">=2.0",
    "<2.0",
    "<=2.0",
    ">1.0",
    "<1.0",
    "<=1.0",
    ">2.0",
    "==1.0",
    "==2.0",
    "==1.0+cpu",
    "==1.0a1",
    "==2.0rc1",
    "==1.*",
    "==2.*",
    "!=2.0",
    "!=1.*",
    "~=1.0",
    ">=1.0a1",
    ">=2.0rc1",
    "<2.0rc1",
    "<=2.0rc1",
];

/// A platform and a minor version of Python 3.
pub(super) type Place = (&'static str, u64);

pub(super) const PLACES: [Place; 6] = [
    ("linux", 12),
    ("windows", 12),
    ("macos", 12),
    ("linux", 10),
    ("windows", 10),
    ("macos", 10),
];

/// Where a marker holds.
type Holds = fn(Place) -> bool;

pub(super) const MARKERS: [(&str, Holds); 8] = [
    ("", |_| true),
    ("sys_platform == 'linux'", |(os, _)| os == "linux"),
    ("sys_platform != 'win32'", |(os, _)| os != "windows"),
    ("platform_machine == 'AMD64'", |(os, _)| os == "windows"),
    (
        "platform_machine == 'arm64' or python_version < '3.11'",
        |(os, minor)| os == "macos" || minor < 11,
    ),
    ("python_version >= '3.12'", |(_, minor)| minor >= 12),
    ("python_version in '3.8, 3.10'", |(_, minor)| minor == 10),
    ("python_full_version > '3.10.4'", |(_, minor)| minor > 10),
];

/// The files of a version: as the index lists them, and where a wheel of them fits.
pub(super) const FILES: [(&[&str], Holds); 8] = [
    (&["tags=py3-none-any"], |_| true),
    (&["sdist"], |_| false),
    (&["tags=cp312-cp312-manylinux2014_x86_64"], |place| {
        place == ("linux", 12)
    }),
    (&["tags=cp39-abi3-win_amd64", "sdist"], |(os, _)| {
        os == "windows"
    }),
    (&["tags=cp312-abi3-macosx_11_0_universal2"], |place| {
        place == ("macos", 12)
    }),
    (
        &[
            "tags=cp310-cp310-win_amd64",
            "tags=cp312-cp312-manylinux_2_28_x86_64",
        ],
        |place| matches!(place, ("linux", 12) | ("windows", 10)),
    ),
    // Neither is what a wheel's name must be.
    (&["tags=py3-none"], |_| false),
    (&["tags=cp312-cp312-any"], |_| false),
];

/// Texts of requires-python, and the least minor version that each lets in.
pub(super) const PYTHONS: [(&str, u64); 4] =
    [("", 0), (">=3.11", 11), (">=3.8,<3.11", 8), ("~=3.10", 10)];

/// As asked for and as declared: both mean the same.
const EXTRAS: [(&str, &str); 3] = [("x", "x"), ("Y.y", "y_Y"), ("all", "ALL")];
pub(super) const ALL: usize = 2;

/// A package, the number of a specifier, and the extras wanted as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Req {
    pub(super) package: usize,
    pub(super) specifier: usize,
    pub(super) extras: u8,
}

impl Req {
    fn admits(self, version: usize) -> bool {
        facts().admits[self.specifier][version]
    }

    fn text(self) -> String {
        let extras: Vec<&str> = EXTRAS
            .iter()
            .enumerate()
            .filter(|(at, _)| self.extras & 1 << at != 0)
            .map(|(_, extra)| extra.0)
            .collect();
        let extras = if extras.is_empty() {
            String::new()
        } else {
            format!("[{}]", extras.join(","))
        };
        format!("p{}{extras}{}", self.package, SPECIFIERS[self.specifier])
    }

    /// Reports whether it admits one version and its local ones, which may then be withdrawn.
    pub(super) fn is_pin(self) -> bool {
        let text = SPECIFIERS[self.specifier];
        text.starts_with("==") && !text.ends_with('*')
    }

    fn names_prerelease(self) -> bool {
        let text = SPECIFIERS[self.specifier];
        text.contains(['a', 'r']) && !text.starts_with("!=") && !text.contains('+')
    }
}

/// A requirement that counts where its marker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) req: Req,
    pub(super) marker: usize,
}

impl Asked {
    pub(super) fn counts(self, place: Place) -> bool {
        MARKERS[self.marker].1(place)
    }

    fn text(self) -> String {
        match MARKERS[self.marker].0 {
            "" => self.req.text(),
            marker => format!("{}; {marker}", self.req.text()),
        }
    }
}

/// How an extra gates a requirement of metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// Not at all.
    Open,
    /// The extra is wanted and the marker holds.
    And(usize),
    /// The extra is wanted or the marker holds.
    Or(usize),
}

#[derive(Debug, Clone)]
pub(super) struct Release {
    pub(super) version: usize,
    pub(super) files: usize,
    pub(super) python: usize,
    pub(super) yanked: bool,
    /// One of its requirements cannot be read.
    pub(super) broken: bool,
    pub(super) requires: Vec<(Gate, Asked)>,
}

impl Release {
    /// Returns what it asks for with these extras: what it always does, and what they bring.
    fn asks(&self, place: Place, extras: u8) -> impl Iterator<Item = Req> {
        let wanted = move |extra: usize| extras & 1 << extra != 0;
        self.requires.iter().filter_map(move |(gate, asked)| {
            let holds = asked.counts(place);
            let counts = match *gate {
                Gate::Open => holds,
                Gate::And(extra) => wanted(extra) && holds,
                Gate::Or(extra) => wanted(extra) || holds,
            };
            counts.then_some(asked.req)
        })
    }

    /// Returns its requirements as metadata has them.
    pub(super) fn requires_dist(&self) -> Vec<String> {
        let mut requires: Vec<String> = self
            .requires
            .iter()
            .map(|(gate, asked)| {
                let marker = MARKERS[asked.marker].0;
                match *gate {
                    Gate::Open => asked.text(),
                    Gate::And(extra) if marker.is_empty() => {
                        format!("{}; extra == '{}'", asked.req.text(), EXTRAS[extra].1)
                    }
                    Gate::And(extra) => {
                        let extra = EXTRAS[extra].1;
                        format!("{}; ({marker}) and extra == '{extra}'", asked.req.text())
                    }
                    Gate::Or(_) if marker.is_empty() => asked.text(),
                    Gate::Or(extra) => {
                        let extra = EXTRAS[extra].1;
                        format!("{}; extra == '{extra}' or {marker}", asked.req.text())
                    }
                }
            })
            .collect();
        if self.broken {
            requires.push("p0~=1".to_owned());
        }
        requires
    }

    /// Returns its lines in the language of [`World`], one a file.
    fn lines(&self, package: usize) -> Vec<String> {
        let requires = self.requires_dist().join(" | ");
        let mut facts = String::new();
        if self.python > 0 {
            facts += &format!("; python={}", PYTHONS[self.python].0);
        }
        if self.yanked {
            facts += "; yanked=bad";
        }
        let version = VERSIONS[self.version];
        let files = FILES[self.files].0.iter();
        files
            .map(|file| format!("p{package} {version} {{{file}{facts}}} -> {requires}"))
            .collect()
    }
}

#[derive(Debug, Clone)]
pub(super) struct Wide {
    /// Ordered by version; a package without a release is unknown to the index.
    pub(super) packages: Vec<Vec<Release>>,
    /// Of ComfyUI or of a node.
    pub(super) lines: Vec<(bool, Asked)>,
    pub(super) constraints: Vec<Asked>,
    /// At most one a package.
    pub(super) overrides: Vec<Asked>,
    pub(super) places: Vec<Place>,
    pub(super) prerelease: Prerelease,
    pub(super) order: Order,
    pub(super) only_binary: bool,
    pub(super) no_binary: Option<usize>,
    pub(super) exclude: Option<usize>,
}

/// The release of each package that is there.
pub(super) type Picks = [Option<usize>; PACKAGES];

/// Where following the requirements led.
enum Walk {
    /// One does not hold.
    Broken,
    /// This package is wanted and not picked.
    Open(usize),
    /// All hold; these packages are wanted.
    Whole([bool; PACKAGES]),
}

struct Facts {
    /// By specifier and version.
    admits: Vec<Vec<bool>>,
    /// By two specifiers: no version that `packaging` was asked about is admitted by both.
    disjoint: Vec<Vec<bool>>,
    targets: Vec<Target>,
}

fn facts() -> &'static Facts {
    static FACTS: OnceLock<Facts> = OnceLock::new();
    FACTS.get_or_init(|| {
        let (all, rows) = grid();
        let row = |specifier: &str| -> Vec<&str> {
            if specifier.is_empty() {
                return all.clone();
            }
            let found = rows.iter().find(|(text, _)| *text == specifier);
            found
                .unwrap_or_else(|| panic!("{specifier} is not in the grid"))
                .1
                .clone()
        };
        let rows: Vec<Vec<&str>> = SPECIFIERS.iter().map(|text| row(text)).collect();
        let admits = |row: &Vec<&str>| VERSIONS.iter().map(|text| row.contains(text)).collect();
        let apart = |row: &Vec<&str>| {
            let apart = |other: &Vec<&str>| !row.iter().any(|text| other.contains(text));
            rows.iter().map(apart).collect()
        };
        Facts {
            admits: rows.iter().map(admits).collect(),
            disjoint: rows.iter().map(apart).collect(),
            targets: PLACES.iter().map(|&place| target_of(place)).collect(),
        }
    })
}

fn target_of((platform, minor): Place) -> Target {
    target(
        platform,
        &format!("3.{minor}.{}", if minor == 10 { 4 } else { 9 }),
    )
}

impl Wide {
    /// The lines that count on a target.
    pub(super) fn active(&self, place: Place) -> Vec<usize> {
        let counts = |asked: Asked| asked.counts(place) && self.exclude != Some(asked.req.package);
        (0..self.lines.len())
            .filter(|&at| counts(self.lines[at].1))
            .collect()
    }

    /// Every line that says something about a package on a target, whatever its role.
    fn said(&self, place: Place, package: usize) -> impl Iterator<Item = Req> {
        let lines = self.lines.iter().map(|line| &line.1);
        let all = lines.chain(&self.constraints).chain(&self.overrides);
        all.filter(move |asked| asked.req.package == package && asked.counts(place))
            .map(|asked| asked.req)
    }

    /// Reports whether a release may be used on a target at all.
    fn usable(&self, place: Place, package: usize, release: &Release) -> bool {
        let version = VERSIONS[release.version];
        let pin = format!("=={version}");
        let pinned = || {
            self.said(place, package)
                .any(|req| SPECIFIERS[req.specifier] == pin)
        };
        let is_pre = version.contains(['a', 'r']);
        let pre_fits = match self.prerelease {
            Prerelease::Allow | Prerelease::IfNecessary => true,
            Prerelease::Disallow => !is_pre,
            Prerelease::Explicit => !is_pre || self.said(place, package).any(Req::names_prerelease),
        };
        let (files, fits) = FILES[release.files];
        let wheel = fits(place) && self.no_binary != Some(package);
        let sdist = files.contains(&"sdist") && !self.only_binary;
        !release.broken
            && (!release.yanked || pinned())
            && pre_fits
            && place.1 >= PYTHONS[release.python].1
            && (wheel || sdist)
    }

    fn walk(&self, place: Place, picks: &Picks, lines: &[usize]) -> Walk {
        let mut wanted = [false; PACKAGES];
        let mut seen = [0_u8; PACKAGES];
        let mut open: Vec<Req> = lines.iter().map(|&at| self.lines[at].1.req).collect();
        while let Some(req) = open.pop() {
            if self.exclude == Some(req.package) {
                continue;
            }
            let Some(pick) = picks[req.package] else {
                return Walk::Open(req.package);
            };
            let release = &self.packages[req.package][pick];
            let instead = self
                .overrides
                .iter()
                .find(|other| other.req.package == req.package && other.counts(place));
            let bounds = instead.map_or(req, |other| other.req);
            let mut limits = self
                .constraints
                .iter()
                .filter(|limit| limit.req.package == req.package && limit.counts(place));
            if !bounds.admits(release.version)
                || limits.any(|limit| !limit.req.admits(release.version))
            {
                return Walk::Broken;
            }
            let extras = seen[req.package] | req.extras;
            if !std::mem::replace(&mut wanted[req.package], true) || extras != seen[req.package] {
                seen[req.package] = extras;
                open.extend(release.asks(place, extras));
            }
        }
        Walk::Whole(wanted)
    }

    /// Reports whether picks are an answer on a target, with nothing that nobody wants.
    pub(super) fn is_answer(&self, place: Place, picks: &Picks) -> bool {
        let usable = |at: usize| {
            picks[at].is_none_or(|pick| self.usable(place, at, &self.packages[at][pick]))
        };
        (0..PACKAGES).all(usable)
            && match self.walk(place, picks, &self.active(place)) {
                Walk::Whole(wanted) => (0..PACKAGES).all(|at| picks[at].is_some() == wanted[at]),
                Walk::Broken | Walk::Open(_) => false,
            }
    }

    /// Tries every release of whatever is wanted, for some of the lines. What lines allow besides
    /// (a withdrawn version, a pre-release) is by all lines, for a core is about requirements.
    pub(super) fn is_satisfiable(&self, place: Place, lines: &[usize]) -> bool {
        self.search(place, &mut [None; PACKAGES], lines)
    }

    fn search(&self, place: Place, picks: &mut Picks, lines: &[usize]) -> bool {
        match self.walk(place, picks, lines) {
            Walk::Whole(_) => true,
            Walk::Broken => false,
            Walk::Open(package) => {
                for (at, release) in self.packages[package].iter().enumerate() {
                    if self.usable(place, package, release) {
                        picks[package] = Some(at);
                        if self.search(place, picks, lines) {
                            return true;
                        }
                    }
                }
                picks[package] = None;
                false
            }
        }
    }

    /// Picks of everything that is wanted what comes first whatever others ask, and returns it if
    /// that is an answer.
    pub(super) fn first_choice(&self, place: Place) -> Option<Picks> {
        let mut picks = [None; PACKAGES];
        loop {
            let package = match self.walk(place, &picks, &self.active(place)) {
                Walk::Broken => return None,
                Walk::Whole(_) => return Some(picks),
                Walk::Open(package) => package,
            };
            let releases = &self.packages[package];
            let mut fit: Vec<usize> = (0..releases.len())
                .filter(|&at| self.usable(place, package, &releases[at]))
                .collect();
            let mut lines = self.lines.iter().map(|line| line.1);
            let lowest = match self.order {
                Order::Highest => false,
                Order::Lowest => true,
                Order::LowestDirect => {
                    lines.any(|asked| asked.req.package == package && asked.counts(place))
                }
            };
            if !lowest {
                fit.reverse();
            }
            let named = || self.said(place, package).any(Req::names_prerelease);
            let alike = match self.prerelease {
                Prerelease::Allow => true,
                Prerelease::Explicit => named(),
                Prerelease::IfNecessary | Prerelease::Disallow => false,
            };
            if !alike {
                fit.sort_by_key(|&at| VERSIONS[releases[at].version].contains(['a', 'r']));
            }
            picks[package] = Some(*fit.first()?);
        }
    }

    /// Reports whether two lines exclude each other as written, whatever there is.
    pub(super) fn contradict(&self, place: Place, lines: &[usize]) -> bool {
        let &[first, second] = lines else {
            return false;
        };
        let (first, second) = (self.lines[first].1.req, self.lines[second].1.req);
        let mut overrides = self.overrides.iter();
        first.package == second.package
            && facts().disjoint[first.specifier][second.specifier]
            && !overrides.any(|other| other.req.package == first.package && other.counts(place))
    }

    /// Returns the texts of all releases, one a file.
    pub(super) fn releases(&self) -> Vec<String> {
        let packages = self.packages.iter().enumerate();
        packages
            .flat_map(|(at, releases)| releases.iter().flat_map(move |release| release.lines(at)))
            .collect()
    }

    /// Returns all lines, each with the place that it keeps when they are shuffled.
    pub(super) fn questions(&self) -> Vec<Line> {
        let lines = self.lines.iter().enumerate().map(|(at, (core, asked))| {
            let who = if *core {
                "core".to_owned()
            } else {
                format!("node{at}")
            };
            format!("{who}: {}", asked.text())
        });
        let policy = |who: &'static str| move |asked: &Asked| format!("{who}: {}", asked.text());
        let constraints = self.constraints.iter().map(policy("constrain"));
        let overrides = self.overrides.iter().map(policy("override"));
        let all = lines.chain(constraints).chain(overrides);
        (1..)
            .zip(all)
            .map(|(number, text)| line(&text, number))
            .collect()
    }

    pub(super) fn world(&self) -> World {
        let mut world = World::new::<_, &str>(&self.releases(), &[]);
        world.lines = self.questions();
        world.targets = self
            .places
            .iter()
            .map(|place| {
                let at = PLACES.iter().position(|known| known == place).unwrap();
                facts().targets[at].clone()
            })
            .collect();
        let of = |package: Option<usize>| package.map(|at| name(&format!("p{at}")));
        world.options.prerelease = self.prerelease;
        world.options.resolution = self.order;
        world.options.only_binary.all = self.only_binary;
        world.options.no_binary.names = of(self.no_binary).into_iter().collect();
        world.options.exclude = of(self.exclude).into_iter().collect();
        world
    }

    /// Reads the picks of one target out of an answer, by the markers that it states.
    pub(super) fn picks(&self, place: Place, answer: &portenv::resolve::Resolution) -> Picks {
        let at = PLACES.iter().position(|&known| known == place).unwrap();
        let environment = facts().targets[at].environment();
        let mut picks = [None; PACKAGES];
        for package in &answer.packages {
            let counts = package.marker.as_ref().is_none_or(|text| {
                portenv::package::Marker::parse(text)
                    .unwrap()
                    .holds(environment)
            });
            if !counts {
                continue;
            }
            let at: usize = package.name.as_str()[1..].parse().unwrap();
            let version = package.version.to_string();
            let is_it = |release: &Release| VERSIONS[release.version] == version;
            assert!(
                picks[at].is_none(),
                "two versions of {} on {place:?}",
                package.name
            );
            picks[at] = Some(self.packages[at].iter().position(is_it).unwrap());
        }
        picks
    }
}
