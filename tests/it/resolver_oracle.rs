//! The resolver against an enumerator that tries everything, on small random worlds.

mod late;
mod model;
mod subset;
mod wide;

use portenv::requirements::OriginKind;
use portenv::resolve::Outcome;
use proptest::prelude::*;

use crate::worlds::{World, cases, name};

const PACKAGES: usize = 5;

/// A requirement: package, operator, version, and whether its extra is wanted.
#[derive(Debug, Clone)]
struct Req {
    package: usize,
    operator: &'static str,
    version: u32,
    extra: bool,
}

impl Req {
    fn admits(&self, version: u32) -> bool {
        match self.operator {
            "" => true,
            "==" => version == self.version,
            "!=" => version != self.version,
            ">=" => version >= self.version,
            "<=" => version <= self.version,
            ">" => version > self.version,
            _ => version < self.version,
        }
    }

    fn text(&self) -> String {
        let extra = if self.extra { "[x]" } else { "" };
        let version = match self.operator {
            "" => String::new(),
            _ => self.version.to_string(),
        };
        format!("p{}{extra}{}{version}", self.package, self.operator)
    }
}

/// What one version asks for: always, and with its extra.
#[derive(Debug, Clone)]
struct Release {
    base: Vec<Req>,
    extra: Vec<Req>,
}

/// Versions count from 1; a package may have none at all.
#[derive(Debug, Clone)]
struct Small {
    packages: Vec<Vec<Release>>,
    /// Requirements, of ComfyUI or a node.
    lines: Vec<(bool, Req)>,
    constraints: Vec<Req>,
}

/// A version for each package that is there.
type Picks = [Option<u32>; PACKAGES];

impl Small {
    /// Judges an answer to some of the lines; whatever is there must be asked for if `tight`.
    fn holds(&self, picks: &Picks, lines: &[usize], tight: bool) -> bool {
        let mut wanted = [false; PACKAGES];
        let mut extras = [false; PACKAGES];
        let mut open: Vec<&Req> = lines.iter().map(|&at| &self.lines[at].1).collect();
        while let Some(req) = open.pop() {
            let Some(version) = picks[req.package] else {
                return false;
            };
            if !req.admits(version) {
                return false;
            }
            let release = &self.packages[req.package][version as usize - 1];
            if !std::mem::replace(&mut wanted[req.package], true) {
                open.extend(&release.base);
            }
            if req.extra && !std::mem::replace(&mut extras[req.package], true) {
                open.extend(&release.extra);
            }
        }
        let bound = |req: &Req| picks[req.package].is_none_or(|version| req.admits(version));
        (0..PACKAGES).all(|at| picks[at].is_some() == wanted[at] || !tight && !wanted[at])
            && self.constraints.iter().all(bound)
    }

    /// Reports whether lines on one package exclude each other as written, whatever there is.
    /// Half versions stand for those in between.
    fn contradict(&self, lines: &[usize]) -> bool {
        let reqs: Vec<&Req> = lines.iter().map(|&at| &self.lines[at].1).collect();
        let admits = |req: &Req, half: u32| {
            let doubled = Req {
                version: req.version * 2,
                ..req.clone()
            };
            doubled.admits(half)
        };
        reqs.windows(2).all(|two| two[0].package == two[1].package)
            && !(0..12).any(|half| reqs.iter().all(|req| admits(req, half)))
    }

    /// Tries every answer there could be.
    fn is_satisfiable(&self, lines: &[usize]) -> bool {
        let mut picks = [None; PACKAGES];
        loop {
            if self.holds(&picks, lines, false) {
                return true;
            }
            let mut at = 0;
            loop {
                if at == PACKAGES {
                    return false;
                }
                let next = picks[at].unwrap_or(0) + 1;
                if next as usize <= self.packages[at].len() {
                    picks[at] = Some(next);
                    break;
                }
                picks[at] = None;
                at += 1;
            }
        }
    }

    fn world(&self) -> World {
        let mut packages = Vec::new();
        for (at, releases) in self.packages.iter().enumerate() {
            for (version, release) in (1..).zip(releases) {
                let base = release.base.iter().map(Req::text);
                let extra = release
                    .extra
                    .iter()
                    .map(|req| format!("{}; extra == 'x'", req.text()));
                let requires: Vec<String> = base.chain(extra).collect();
                packages.push(format!("p{at} {version} -> {}", requires.join(" | ")));
            }
        }
        let lines = self.lines.iter().enumerate().map(|(at, (core, req))| {
            let who = if *core {
                "core".to_owned()
            } else {
                format!("node{at}")
            };
            format!("{who}: {}", req.text())
        });
        let constraints = self
            .constraints
            .iter()
            .map(|req| format!("constrain: {}", req.text()));
        World::new(&packages, &lines.chain(constraints).collect::<Vec<_>>())
    }
}

fn req() -> impl Strategy<Value = Req> {
    let operator = prop_oneof![
        3 => Just(""), 2 => Just("=="), 1 => Just("!="), 3 => Just(">="), 1 => Just("<="), 1 => Just(">"), 3 => Just("<")
    ];
    (0..PACKAGES, operator, 1..5_u32, prop::bool::weighted(0.3)).prop_map(
        |(package, operator, version, extra)| Req {
            package,
            operator,
            version,
            extra,
        },
    )
}

fn release() -> impl Strategy<Value = Release> {
    let some = || prop::collection::vec(req(), 0..3);
    (some(), some()).prop_map(|(base, extra)| Release { base, extra })
}

fn small() -> impl Strategy<Value = Small> {
    let packages = prop::collection::vec(prop::collection::vec(release(), 0..5), PACKAGES);
    let lines = prop::collection::vec((prop::bool::weighted(0.3), req()), 1..6);
    let constraint = req().prop_map(|req| Req {
        extra: false,
        ..req
    });
    (packages, lines, prop::collection::vec(constraint, 0..3)).prop_map(
        |(packages, lines, constraints)| Small {
            packages,
            lines,
            constraints,
        },
    )
}

fn picks_of(outcome: &portenv::resolve::Resolution) -> Picks {
    std::array::from_fn(|at| {
        let package = outcome.get(&name(&format!("p{at}")))?;
        Some(u32::try_from(package.version.release()[0]).unwrap())
    })
}

proptest! {
    #![proptest_config(cases(1500))]

    /// The oracle knows versions as numbers, their requirements with and without one extra, and
    /// constraints. It tries every combination of versions there is.
    #[test]
    fn an_answer_is_found_exactly_if_there_is_one_and_conflicts_are_minimal(small in small()) {
        let all: Vec<usize> = (0..small.lines.len()).collect();
        let world = small.world();
        match world.outcome() {
            Outcome::Resolved(resolution) => {
                let picks = picks_of(&resolution);
                prop_assert!(small.holds(&picks, &all, true), "{picks:?} is no answer");

                let mut again = small.world();
                for package in &resolution.packages {
                    again.preferences.add_locked(package.name.clone(), package.version.clone());
                }
                prop_assert_eq!(again.answer(), world.answer(), "an answer that is locked stays");
            }
            Outcome::Conflicts(conflicts) => {
                prop_assert!(!small.is_satisfiable(&all), "there is an answer");
                prop_assert!(!conflicts.is_empty());
                let mut rest = all.clone();
                for conflict in &conflicts {
                    let core: Vec<usize> = conflict.lines.iter().map(|&at| at as usize).collect();
                    prop_assert!(!core.is_empty());
                    prop_assert!(!small.is_satisfiable(&core), "{core:?} holds");
                    for out in &core {
                        let less: Vec<usize> = core.iter().copied().filter(|at| at != out).collect();
                        let needed = if small.contradict(&core) { !small.contradict(&less) } else { small.is_satisfiable(&less) };
                        prop_assert!(needed, "{core:?} does not need {out}");
                    }
                    let named = conflict.requirements.iter().filter(|line| line.origin.kind != OriginKind::Policy);
                    prop_assert_eq!(named.count(), core.len());
                    prop_assert_eq!(conflict.packages.len(), 1);
                    rest.retain(|at| !core.contains(at));
                }
                prop_assert!(small.is_satisfiable(&rest), "a conflict among {rest:?} is not told");
            }
        }
    }
}
