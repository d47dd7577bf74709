//! Walks `corpus/scenarios`: a tiny world each, with the answer that is right. Adding a case is
//! adding a file.

use serde::Deserialize;

use portenv::resolve::{Conflict, Outcome};

use crate::worlds::World;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// What it guards against.
    why: String,
    packages: Vec<String>,
    asks: Vec<String>,
    /// The answer on one line.
    picks: Option<String>,
    #[serde(default)]
    conflict: Vec<Expected>,
}

#[derive(Deserialize, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// The contested package.
    about: String,
    /// `OWNER: REQUIREMENT`, with ` -> PACKAGE VERSIONS needs REQUIREMENT` for each step.
    lines: Vec<String>,
    /// What the explanation must contain.
    #[serde(default)]
    says: Vec<String>,
}

fn lines_of(conflict: &Conflict) -> Vec<String> {
    let shown = conflict.requirements.iter().map(|line| {
        let steps = line.via.iter().map(|step| {
            format!(
                " -> {} {} needs {}",
                step.package, step.version, step.requirement
            )
        });
        format!("{}: {}", line.origin.owner(), line.requirement) + &steps.collect::<String>()
    });
    shown.collect()
}

#[test]
fn every_scenario_comes_out_as_its_file_says() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/scenarios");
    let mut files: Vec<_> = camino::Utf8Path::new(dir)
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().into_path())
        .collect();
    files.sort();
    let mut wrong = Vec::new();
    for file in &files {
        let name = file.file_stem().unwrap();
        let text = std::fs::read_to_string(file).unwrap();
        let scenario: Scenario =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!scenario.why.is_empty(), "{name}: why is it here?");
        let world = World::new(&scenario.packages, &scenario.asks);
        let conflicts = match world.outcome() {
            Outcome::Resolved(_) => Vec::new(),
            Outcome::Conflicts(conflicts) => conflicts,
        };
        let picks = conflicts.is_empty().then(|| world.answer());
        let found: Vec<(Vec<String>, Vec<String>)> = conflicts
            .iter()
            .map(|conflict| {
                let about = conflict.packages.iter().map(ToString::to_string).collect();
                (about, lines_of(conflict))
            })
            .collect();
        let expected: Vec<(Vec<String>, Vec<String>)> = scenario
            .conflict
            .iter()
            .map(|conflict| (vec![conflict.about.clone()], conflict.lines.clone()))
            .collect();
        if (&picks, &found) != (&scenario.picks, &expected) {
            wrong.push(format!("{name}: {picks:?} {found:#?}"));
        }
        for (conflict, expected) in conflicts.iter().zip(&scenario.conflict) {
            for says in &expected.says {
                if !conflict.explanation.contains(says) {
                    wrong.push(format!("{name}: {}", conflict.explanation));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(files.len() >= 15, "the corpus is incomplete");
}
