//! Targets against what `packaging` says of their markers and wheel tags.
//!
//! `corpus/targets.txt` is the table, `corpus/targets.py` beside it made it.

use std::collections::BTreeMap;

use portenv::package::{Marker, Target};

use crate::worlds::target;

const TABLE: &str = include_str!("../../corpus/targets.txt");

/// Returns the fields of the rows of one kind.
fn rows(kind: &str) -> Vec<Vec<&'static str>> {
    let fields = TABLE.lines().map(|line| line.split('\t').collect());
    let rows = fields.filter(|fields: &Vec<&str>| fields[0] == kind);
    rows.map(|fields| fields[1..].to_vec()).collect()
}

fn words(heading: &str) -> impl Iterator<Item = &'static str> + Clone {
    let found = TABLE.lines().find_map(|line| line.strip_prefix(heading));
    found.expect("the list").split_whitespace()
}

fn targets() -> Vec<Target> {
    let pythons = words("# pythons:");
    words("# platforms:")
        .flat_map(|platform| pythons.clone().map(move |python| target(platform, python)))
        .collect()
}

#[test]
fn markers_hold_on_every_target_where_packaging_says_so() {
    let targets = targets();
    let mut wrong = Vec::new();
    let mut judged = 0;
    for row in rows("marker") {
        let [text, digits] = row[..] else {
            panic!("{row:?}")
        };
        let marker = Marker::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        let holds = targets
            .iter()
            .map(|target| u8::from(marker.holds(target.environment())).to_string())
            .collect::<String>();
        judged += holds.len();
        if holds != digits {
            wrong.push(format!("{text}\n  {holds} here\n  {digits} there"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(targets.len(), 25);
    assert!(judged > 2000, "only {judged} pairs");
}

#[test]
fn wheels_fit_every_target_in_the_order_of_packaging() {
    let wheels: Vec<&str> = rows("wheels")[0][0].split(' ').collect();
    let mut wrong = Vec::new();
    let targets = targets();
    let rows = rows("fits");
    assert_eq!(rows.len(), targets.len());
    for (target, row) in targets.iter().zip(rows) {
        let [shown, expected] = row[..] else {
            panic!("{row:?}")
        };
        assert_eq!(target.to_string(), shown);
        let mut fits: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for (number, wheel) in wheels.iter().enumerate() {
            if let Some(rank) = target.tags().rank(wheel) {
                fits.entry(rank).or_default().push(number.to_string());
            }
        }
        let fits: Vec<String> = fits.values().map(|alike| alike.join("=")).collect();
        if fits.join(" ") != expected {
            wrong.push(format!(
                "{shown}\n  {} here\n  {expected} there",
                fits.join(" ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(wheels.len() > 70);
}

#[test]
fn the_whole_list_of_tags_is_that_of_packaging_in_its_order() {
    let list = |kind: &str, of: &str| -> Vec<&str> {
        let rows = rows(kind);
        let row = rows.iter().find(|row| row[0] == of).expect("a row");
        row[1].split(' ').collect()
    };
    let all_platforms: Vec<&str> = words("# platforms:")
        .flat_map(|platform| list("platform", platform))
        .collect();
    let all_codes: Vec<&str> = words("# pythons:")
        .flat_map(|python| [list("beside", python), list("any", python)].concat())
        .collect();
    for target in targets() {
        let python = target.python.to_string();
        let (beside, any) = (list("beside", &python), list("any", &python));
        let platforms = list("platform", &target.platform.triple());
        let rank = |code: &str, platform: &str| target.tags().rank(&format!("{code}-{platform}"));
        let own = beside
            .iter()
            .flat_map(|code| platforms.iter().map(|platform| rank(code, platform)));
        let ranks: Option<Vec<u32>> = own
            .chain(any.iter().map(|code| rank(code, "any")))
            .collect();
        let ranks = ranks.unwrap_or_else(|| panic!("a tag does not fit {target}"));
        assert!(
            ranks.is_sorted_by(|a, b| a < b),
            "another order on {target}"
        );
        for platform in &all_platforms {
            let fits = rank("py3-none", platform).is_some();
            assert_eq!(fits, platforms.contains(platform), "{platform} on {target}");
        }
        for code in &all_codes {
            let fits = rank(code, platforms[0]).is_some();
            assert_eq!(fits, beside.contains(code), "{code} on {target}");
            let fits = rank(code, "any").is_some();
            assert_eq!(fits, any.contains(code), "{code}-any on {target}");
        }
    }
}

#[test]
fn tags_that_are_no_tags_fit_nothing() {
    let targets = targets();
    for tags in [
        "",
        "-",
        "--",
        "py3",
        "py3-none",
        "py3--any",
        "-none-any",
        "py3-none-",
        "py3-none-any.exe",
        "py3-any-none",
        "none-py3-any",
        "py3 -none-any",
        "py3-none-linux",
        "cp312-cp312-any",
        "cp312-abi3-any",
        "cp312-cp313-manylinux_2_17_x86_64",
        "py312-cp312-win_amd64",
        "py3-abi3-manylinux2014_x86_64",
        "cp312-cp312-manylinux_x86_64",
        "cp312-cp312-manylinux_2_17",
        "cp312-cp312-macosx_11_arm64",
        "any-any-any",
    ] {
        for target in &targets {
            // Of a compressed set a part that fits is enough.
            let fits = target.tags().rank(tags).is_some();
            assert_eq!(fits, tags == "py3-none-any.exe", "{tags} on {target}");
        }
    }
}
