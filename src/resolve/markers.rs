//! The least marker that tells some targets from the others.
//!
//! The list of targets is finite, so a formula is the set of targets where it is
//! true, and looking for a marker is looking for a set. What is written down is
//! exact for these targets and says nothing of others.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use crate::package::Target;

/// A set of targets by their places in the list.
pub type Places = u128;

/// The most targets that one resolution can have.
pub const MOST_TARGETS: usize = Places::BITS as usize;

/// Comparisons up to which every formula is tried.
const TRIED: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    And,
    Or,
}

#[derive(Debug, Clone)]
enum Formula {
    Atom(usize),
    Join(Joint, Vec<Formula>),
}

impl Formula {
    /// Joins two formulas; what is joined alike stays flat.
    fn join(joint: Joint, first: &Self, second: &Self) -> Self {
        let mut parts = Vec::new();
        for part in [first, second] {
            match part {
                Self::Join(inner, more) if *inner == joint => parts.extend(more.iter().cloned()),
                other => parts.push(other.clone()),
            }
        }
        Self::Join(joint, parts)
    }
}

/// Finds markers for sets of targets.
#[derive(Debug)]
pub struct Markers {
    all: Places,
    /// One comparison each, those to prefer first.
    atoms: Vec<(Places, String)>,
    /// Formulas by their number of comparisons, each set of targets once.
    levels: Vec<Vec<(Places, Formula)>>,
    found: FxHashMap<Places, Formula>,
    /// Conjunctions of comparisons on few enough targets to build others from.
    conjunctions: Option<Vec<(Places, Formula, usize)>>,
}

impl Markers {
    /// Prepares the comparisons that can tell these targets apart.
    ///
    /// # Panics
    ///
    /// Panics if there are more than [`MOST_TARGETS`].
    pub fn new(targets: &[Target]) -> Self {
        assert!(targets.len() <= MOST_TARGETS, "BUG: too many targets");
        let all = match targets.len() {
            MOST_TARGETS => Places::MAX,
            count => (1 << count) - 1,
        };
        let mut atoms: Vec<(Places, String)> = Vec::new();
        for (text, holds) in comparisons(targets) {
            let places = (0..targets.len())
                .filter(|&at| holds(&targets[at]))
                .fold(0, |places, at| places | 1 << at);
            let is_new = !atoms.iter().any(|(known, _)| *known == places);
            if places != 0 && places != all && is_new {
                atoms.push((places, text));
            }
        }
        let first: Vec<(Places, Formula)> = atoms
            .iter()
            .enumerate()
            .map(|(at, (places, _))| (*places, Formula::Atom(at)))
            .collect();
        Self {
            all,
            atoms,
            found: first.iter().cloned().collect(),
            levels: vec![first],
            conjunctions: None,
        }
    }

    /// Returns the least marker that is true on exactly these targets: the one of
    /// the fewest comparisons. `None` if that is all of them, or if no marker can.
    pub fn of(&mut self, places: Places) -> Option<String> {
        if places == self.all || places == 0 {
            return None;
        }
        while !self.found.contains_key(&places) && self.levels.len() < TRIED {
            self.grow();
        }
        if !self.found.contains_key(&places) {
            let formula = self.cover(places)?;
            self.found.insert(places, formula);
        }
        self.found
            .get(&places)
            .map(|formula| self.text(formula, None))
    }

    /// Tries all formulas with one comparison more: conjunctions, then disjunctions.
    fn grow(&mut self) {
        let mut next = Vec::new();
        for joint in [Joint::And, Joint::Or] {
            for (known, formula) in self.levels.last().into_iter().flatten() {
                for (atom, (places, _)) in self.atoms.iter().enumerate() {
                    let both = match joint {
                        Joint::And => known & places,
                        Joint::Or => known | places,
                    };
                    if both == 0 || both == self.all || self.found.contains_key(&both) {
                        continue;
                    }
                    let joined = Formula::join(joint, formula, &Formula::Atom(atom));
                    self.found.insert(both, joined.clone());
                    next.push((both, joined));
                }
            }
        }
        self.levels.push(next);
    }

    /// Builds a disjunction of conjunctions: each time the one that adds the most
    /// targets for its length.
    fn cover(&mut self, places: Places) -> Option<Formula> {
        let all = self
            .conjunctions
            .take()
            .unwrap_or_else(|| self.all_conjunctions());
        let usable: Vec<&(Places, Formula, usize)> =
            all.iter().filter(|(at, ..)| at & !places == 0).collect();
        let mut picked: Vec<&(Places, Formula, usize)> = Vec::new();
        let mut open = places;
        while open != 0 {
            // Fewest comparisons per target added; of these, the one found first.
            let score = |(at, _, length): &(Places, Formula, usize)| {
                let added = u64::from((at & open).count_ones());
                (added > 0).then(|| (*length as u64 * 1000) / added)
            };
            let best = usable
                .iter()
                .filter_map(|candidate| Some((score(candidate)?, *candidate)))
                .min_by_key(|(score, _)| *score)
                .map(|(_, candidate)| candidate);
            let Some(best) = best else { break };
            open &= !best.0;
            picked.push(best);
        }
        // What later ones made needless goes.
        for at in (0..picked.len()).rev() {
            let others = picked.iter().enumerate().filter(|(other, _)| *other != at);
            let covered = others.fold(0, |places, (_, (more, ..))| places | more);
            if picked.len() > 1 && covered == places {
                picked.remove(at);
            }
        }
        let formula = (open == 0).then(|| {
            let mut parts = picked.iter().map(|(_, formula, _)| formula.clone());
            let first = parts.next().unwrap_or(Formula::Join(Joint::Or, Vec::new()));
            parts.fold(first, |all, part| Formula::join(Joint::Or, &all, &part))
        });
        self.conjunctions = Some(all);
        formula
    }

    /// Lists a conjunction for each set of targets that has one, short ones first.
    fn all_conjunctions(&self) -> Vec<(Places, Formula, usize)> {
        let mut seen: BTreeSet<Places> = BTreeSet::new();
        let mut all: Vec<(Places, Formula, usize)> = Vec::new();
        for (at, (places, _)) in self.atoms.iter().enumerate() {
            seen.insert(*places);
            all.push((*places, Formula::Atom(at), 1));
        }
        let mut at = 0;
        while at < all.len() {
            let (known, formula, length) = all[at].clone();
            for (atom, (places, _)) in self.atoms.iter().enumerate() {
                let both = known & places;
                if both != 0 && seen.insert(both) {
                    let joined = Formula::join(Joint::And, &formula, &Formula::Atom(atom));
                    all.push((both, joined, length + 1));
                }
            }
            at += 1;
        }
        all
    }

    fn text(&self, formula: &Formula, around: Option<Joint>) -> String {
        match formula {
            Formula::Atom(at) => self.atoms[*at].1.clone(),
            Formula::Join(joint, parts) => {
                let word = match joint {
                    Joint::And => " and ",
                    Joint::Or => " or ",
                };
                let texts: Vec<String> = parts
                    .iter()
                    .map(|part| self.text(part, Some(*joint)))
                    .collect();
                let text = texts.join(word);
                if around.is_some_and(|around| around != *joint) {
                    format!("({text})")
                } else {
                    text
                }
            }
        }
    }
}

type Comparison = (String, Box<dyn Fn(&Target) -> bool>);

/// Lists the comparisons that might tell targets apart, those to prefer first.
/// Their order and texts do not depend on the order of the targets.
fn comparisons(targets: &[Target]) -> Vec<Comparison> {
    let mut all: Vec<Comparison> = Vec::new();
    words(&mut all, targets, "sys_platform", |target| {
        target.environment().sys_platform()
    });
    words(&mut all, targets, "platform_machine", |target| {
        target.environment().platform_machine()
    });
    pythons(&mut all, targets);
    words(&mut all, targets, "implementation_name", |target| {
        target.environment().implementation_name()
    });
    all
}

fn words(
    all: &mut Vec<Comparison>,
    targets: &[Target],
    attribute: &str,
    value: fn(&Target) -> &str,
) {
    let values: BTreeSet<&str> = targets.iter().map(value).collect();
    for is_equal in [true, false] {
        for &word in &values {
            let sign = if is_equal { "==" } else { "!=" };
            let wanted = word.to_owned();
            all.push((
                format!("{attribute} {sign} '{word}'"),
                Box::new(move |target| (value(target) == wanted) == is_equal),
            ));
        }
    }
}

/// Minor versions where these differ, full ones only within one minor version: the
/// marker must hold for every patch level of a Python.
fn pythons(all: &mut Vec<Comparison>, targets: &[Target]) {
    let full = |target: &Target| -> [u64; 3] {
        let release = target.python.release();
        std::array::from_fn(|part| release.get(part).copied().unwrap_or(0))
    };
    let minor = |[major, minor, _]: [u64; 3]| [major, minor];
    let versions: BTreeSet<[u64; 3]> = targets.iter().map(full).collect();
    let versions: Vec<[u64; 3]> = versions.into_iter().collect();
    let shown = |version: [u64; 3], is_full: bool| {
        let [major, minor, patch] = version;
        if is_full {
            ("python_full_version", format!("{major}.{minor}.{patch}"))
        } else {
            ("python_version", format!("{major}.{minor}"))
        }
    };
    for sign in ["<", ">="] {
        for pair in versions.windows(2) {
            let bound = pair[1];
            let (attribute, text) = shown(bound, minor(pair[0]) == minor(bound));
            all.push((
                format!("{attribute} {sign} '{text}'"),
                Box::new(move |target| (full(target) < bound) == (sign == "<")),
            ));
        }
    }
    for sign in ["==", "!="] {
        for &version in &versions {
            let (attribute, text) = shown(version, false);
            all.push((
                format!("{attribute} {sign} '{text}'"),
                Box::new(move |target| (minor(full(target)) == minor(version)) == (sign == "==")),
            ));
            let alike = versions
                .iter()
                .filter(|&&other| minor(other) == minor(version));
            if alike.count() > 1 {
                let (attribute, text) = shown(version, true);
                all.push((
                    format!("{attribute} {sign} '{text}'"),
                    Box::new(move |target| (full(target) == version) == (sign == "==")),
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::target::{Implementation, MachineFacts};
    use crate::package::{Marker, Platform, Version};

    fn target(text: &str) -> Target {
        let (platform, python) = text.split_once('@').expect("PLATFORM@PYTHON");
        let platform: Platform = platform.parse().expect("a platform");
        match python.strip_prefix("pypy") {
            Some(python) => {
                let python: Version = python.parse().expect("a version");
                Target::for_any_wheel(platform, python, Implementation::PyPy)
            }
            None => Target::new(
                platform,
                python.parse().expect("a version"),
                &MachineFacts::default(),
            ),
        }
    }

    /// Asks for the marker of the targets whose text has one of the words.
    #[track_caller]
    fn check(targets: &[&str], words: &[&str], expected: &str) {
        let places = |texts: &[&str]| {
            let counts = |text: &str| words.iter().any(|word| text.contains(word));
            let bits = texts.iter().enumerate().filter(|(_, text)| counts(text));
            bits.fold(0, |places: Places, (at, _)| places | 1 << at)
        };
        let mut order = targets.to_vec();
        for _ in 0..targets.len() {
            order.rotate_left(1);
            let made: Vec<Target> = order.iter().map(|text| target(text)).collect();
            let wanted = places(&order);
            let marker = Markers::new(&made).of(wanted).expect("a marker");
            assert_eq!(marker, expected, "{order:?} {words:?}");
            let parsed = Marker::parse(&marker).expect("PEP 508");
            for (at, target) in made.iter().enumerate() {
                let counts = wanted & (1 << at) != 0;
                assert_eq!(
                    parsed.holds(target.environment()),
                    counts,
                    "{marker} on {target}"
                );
            }
        }
    }

    #[test]
    fn the_least_comparison_is_taken_in_the_order_of_the_attributes() {
        let desktop = ["linux@3.12", "windows@3.12", "macos@3.12"];
        check(&desktop, &["linux"], "sys_platform == 'linux'");
        check(&desktop, &["linux", "macos"], "sys_platform != 'win32'");
        let machines = ["aarch64-apple-darwin@3.12", "x86_64-apple-darwin@3.12"];
        check(&machines, &["x86_64"], "platform_machine == 'x86_64'");
        let pythons = ["linux@3.10", "linux@3.11", "linux@3.12"];
        check(&pythons, &["3.10", "3.11"], "python_version < '3.12'");
        check(&pythons, &["3.11", "3.12"], "python_version >= '3.11'");
        check(&pythons, &["3.11"], "python_version == '3.11'");
        check(&pythons, &["3.10", "3.12"], "python_version != '3.11'");
        let implementations = ["linux@3.11", "linux@pypy3.11"];
        check(&implementations, &["pypy"], "implementation_name == 'pypy'");
    }

    #[test]
    fn the_patch_level_is_named_only_within_one_minor_version() {
        let patches = ["linux@3.12.1", "linux@3.12.4", "linux@3.13.2"];
        check(&patches, &["3.12.1"], "python_full_version < '3.12.4'");
        check(&patches, &["3.13.2"], "python_version >= '3.13'");
        check(&patches, &["3.12.4"], "python_full_version == '3.12.4'");
    }

    #[test]
    fn comparisons_are_joined_where_one_is_not_enough() {
        let four = ["linux@3.11", "windows@3.11", "linux@3.12", "windows@3.12"];
        check(
            &four,
            &["linux@3.12"],
            "sys_platform == 'linux' and python_version >= '3.12'",
        );
        check(
            &four,
            &["linux", "windows@3.11"],
            "sys_platform == 'linux' or python_version < '3.12'",
        );
        check(
            &four,
            &["linux@3.11", "windows@3.12"],
            "(sys_platform == 'linux' and python_version < '3.12') or \
             (sys_platform == 'win32' and python_version >= '3.12')",
        );
        let platforms = [
            "x86_64-unknown-linux-gnu@3.12",
            "aarch64-unknown-linux-gnu@3.12",
            "x86_64-apple-darwin@3.12",
            "x86_64-pc-windows-msvc@3.12",
        ];
        check(
            &platforms,
            &["x86_64-unknown"],
            "sys_platform == 'linux' and platform_machine == 'x86_64'",
        );
    }

    #[test]
    fn every_set_of_targets_has_a_marker_that_is_true_there_only() {
        let mut targets = Vec::new();
        for python in ["3.10", "3.11", "3.12"] {
            for platform in ["linux", "windows", "macos"] {
                targets.push(target(&format!("{platform}@{python}")));
            }
        }
        targets.push(target("linux@pypy3.11"));
        let mut markers = Markers::new(&targets);
        assert_eq!(markers.of((1 << targets.len()) - 1), None);
        let mut parsed: FxHashMap<String, Marker> = FxHashMap::default();
        for places in 1..(1 << targets.len()) - 1 {
            let text = markers.of(places).expect("a marker");
            let marker = parsed
                .entry(text.clone())
                .or_insert_with(|| Marker::parse(&text).expect("PEP 508"));
            for (at, target) in targets.iter().enumerate() {
                let counts = places & (1 << at) != 0;
                assert_eq!(
                    marker.holds(target.environment()),
                    counts,
                    "{text} on {target}"
                );
            }
        }
    }

    #[test]
    fn no_marker_tells_two_c_libraries_apart() {
        let targets = [
            "x86_64-unknown-linux-gnu@3.12",
            "x86_64-unknown-linux-musl@3.12",
        ];
        let targets = targets.map(target);
        assert_eq!(Markers::new(&targets).of(1), None);
        assert!(!targets[0].differs_from(&targets[1]));
    }
}
