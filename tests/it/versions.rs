//! Versions, specifiers and ranges, against the grid that `packaging` judged.

use std::str::FromStr;

use portenv::package::version::{show_range, successor, to_range};
use portenv::package::{Range, Specifiers, Version};
use proptest::prelude::*;

const GRID: &str = include_str!("../../corpus/specifiers.txt");

#[track_caller]
fn version(text: &str) -> Version {
    Version::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[track_caller]
fn specifiers(text: &str) -> Specifiers {
    Specifiers::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// One row of the grid: a specifier and the texts of the versions it admits.
pub(crate) type Row = (&'static str, Vec<&'static str>);

pub(crate) fn grid() -> (Vec<&'static str>, Vec<Row>) {
    let versions = GRID
        .lines()
        .find_map(|line| line.strip_prefix("# versions: "))
        .expect("the list of versions")
        .split(' ')
        .collect();
    let rows = GRID
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split_once('\t').expect("a tab"))
        .map(|(specifier, admitted)| (specifier, admitted.split_whitespace().collect()))
        .collect();
    (versions, rows)
}

#[test]
fn every_pair_of_the_grid_is_judged_as_packaging_judges_it() {
    let (versions, rows) = grid();
    let mut wrong = Vec::new();
    let mut judged = 0;
    for (specifier, admitted) in rows.iter().filter(|(text, _)| !text.starts_with("===")) {
        let all = specifiers(specifier).range();
        let parts = specifier
            .split(',')
            .map(|part| to_range(&pep440_rs::VersionSpecifier::from_str(part).unwrap()));
        let one = parts.reduce(|a, b| a.intersection(&b)).unwrap();
        for text in &versions {
            let expected = admitted.contains(text);
            judged += 1;
            for range in [&all, &one] {
                if range.contains(&version(text)) != expected {
                    wrong.push(format!("{specifier} and {text}: expected {expected}"));
                }
            }
        }
    }
    assert!(judged > 15_000, "only {judged} pairs");
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

/// PEP 440 compares the text behind `===`; a range can only compare versions. So `===1.0` admits
/// `1` too, which `packaging` denies: a version that an index spells otherwise is still that one.
#[test]
fn triple_equals_differs_from_packaging_in_comparing_versions_instead_of_texts() {
    let (versions, rows) = grid();
    let mut seen = 0;
    for (specifier, admitted) in &rows {
        let Some(wanted) = specifier.strip_prefix("===") else {
            continue;
        };
        seen += 1;
        let range = specifiers(specifier).range();
        for text in &versions {
            let same_text = text.eq_ignore_ascii_case(wanted);
            assert_eq!(admitted.contains(text), same_text, "{specifier} and {text}");
            let same_version = version(text) == version(wanted);
            assert_eq!(
                range.contains(&version(text)),
                same_version,
                "{specifier} and {text}"
            );
        }
    }
    assert!(seen > 5, "only {seen} rows");
}

#[test]
fn a_list_admits_what_all_its_parts_admit() {
    for (text, inside, outside) in [
        (">=1,<2", "1.5", "2.0"),
        (" >= 1 , < 2 ", "1.0", "2.0.dev1"),
        ("!=1.5,>1", "1.6", "1.5+cpu"),
        ("==1.*,!=1.5.*", "1.4.9", "1.5.9"),
        ("", "0.0.1.dev0", ""),
    ] {
        let range = specifiers(text).range();
        assert!(range.contains(&version(inside)), "{text} and {inside}");
        if !outside.is_empty() {
            assert!(!range.contains(&version(outside)), "{text} and {outside}");
        }
    }
}

#[test]
fn a_version_beyond_what_can_be_counted_is_refused() {
    for text in [
        ">=1.18446744073709551615",
        "==1.0.dev18446744073709551615",
        "~=1.18446744073709551615",
        "==1.0a18446744073709551615",
        ">1.0.post18446744073709551615",
        "==99999999999999999999",
    ] {
        assert!(Specifiers::parse(text).is_err(), "{text}");
    }
    assert!(Specifiers::parse("==1.18446744073709551614.*").is_ok());
}

#[test]
fn only_lower_bounds_on_python_count() {
    for (specifier, python, admitted, ignored) in [
        (">=3.8", "3.12.1", true, false),
        (">=3.13", "3.12.1", false, false),
        (">=3.8,<4.0.0a0", "3.12.1", true, false),
        (">=3.8,<3.12", "3.12.1", true, true),
        (">=3.8,<=3.11", "3.12.1", true, true),
        ("<3.11", "3.12.1", true, true),
        ("!=3.12.*", "3.12.1", true, true),
        (">3.11", "3.12.1", true, false),
        (">3.12.1", "3.12.1", false, false),
        ("~=3.8", "3.12.1", true, false),
        ("~=3.13", "3.12.1", false, false),
        ("==3.10.*", "3.12.1", true, true),
        ("==3.13.*", "3.12.1", false, false),
        (">=3.12.0rc1", "3.12.0", true, false),
        (">=3.13", "3.13.0rc2", true, false),
        ("", "3.12.1", true, false),
    ] {
        let parsed = specifiers(specifier);
        let python = version(python);
        assert_eq!(
            parsed.admits_python(&python),
            admitted,
            "{specifier} on {python}"
        );
        assert_eq!(
            parsed.ignores_python(&python),
            ignored,
            "{specifier} on {python}"
        );
    }
}

#[test]
fn ranges_are_shown_as_people_write_them() {
    for (text, shown) in [
        ("==2.9.0", "==2.9.0"),
        ("==2.9.0+cu126", "==2.9.0+cu126"),
        ("===2.9.0", "==2.9.0"),
        ("==1.0.post1", "==1.0.post1"),
        ("==1.0rc1", "==1.0rc1"),
        ("==1.0.dev3", "==1.0.dev3"),
        ("<=2.9.0", "<=2.9.0"),
        ("<=1.0.post1", "<=1.0.post1"),
        ("<2", "<2"),
        (">1.0", ">1.0"),
        (">1.0.post1", ">1.0.post1"),
        (">=1, <2", ">=1, <2"),
        (">=1,<=2", ">=1, <=2"),
        (">1,<=1.5", ">1, <=1.5"),
        ("~=1.4", ">=1.4, <2"),
        ("==1.*", "==1.*"),
        ("==1.2.*", "==1.2.*"),
        ("!=1.5", "<1.5 or >1.5"),
        ("", "any version"),
        (">2,<1", "no version"),
        ("==1!2.0", "==1!2.0"),
    ] {
        assert_eq!(show_range(&specifiers(text).range()), shown, "{text}");
    }
}

fn any_version() -> impl Strategy<Value = Version> {
    let number = 0u64..4;
    let release = prop::collection::vec(number.clone(), 1..4);
    let pre = prop::option::of((prop::sample::select(vec!["a", "b", "rc"]), number.clone()));
    let mark = || prop::option::of(0u64..4);
    let local = prop::option::of(prop::sample::select(vec!["cpu", "cu126", "1", "local.1"]));
    (0u64..2, release, pre, mark(), mark(), local).prop_map(
        |(epoch, release, pre, post, dev, local)| {
            let mut text = if epoch > 0 {
                format!("{epoch}!")
            } else {
                String::new()
            };
            let numbers: Vec<String> = release.iter().map(u64::to_string).collect();
            text += &numbers.join(".");
            text += &pre.map_or(String::new(), |(kind, number)| format!("{kind}{number}"));
            text += &post.map_or(String::new(), |number| format!(".post{number}"));
            text += &dev.map_or(String::new(), |number| format!(".dev{number}"));
            text += &local.map_or(String::new(), |label| format!("+{label}"));
            version(&text)
        },
    )
}

/// A pair that is often close together, where the mistakes are.
fn close_pair() -> impl Strategy<Value = (Version, Version)> {
    (any_version(), any_version(), any::<bool>()).prop_map(|(a, b, near)| {
        let b = if near {
            let same = b.with_epoch(a.epoch()).with_release(a.release().to_vec());
            if a.is_pre() {
                same.with_pre(a.pre())
            } else {
                same
            }
        } else {
            b
        };
        (a, b)
    })
}

#[test]
fn the_largest_number_is_counted_with_and_not_beyond() {
    for text in [
        "1.dev18446744073709551615",
        "1.post18446744073709551615",
        "18446744073709551615",
    ] {
        let largest = version(text);
        assert!(successor(&largest) >= largest, "{text}");
        assert!(
            Specifiers::exactly(&largest).range().contains(&largest),
            "{text}"
        );
        for operator in ["==", "<=", ">", "~=", "!="] {
            let refused = Specifiers::parse(&format!("{operator}{text}"));
            assert!(refused.is_err(), "{operator}{text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_successor_is_just_above_a_version_and_its_locals((v, other) in close_pair()) {
        let next = successor(&v);
        let public = v.clone().without_local();
        prop_assert!(next > v);
        let local = version(&format!("{public}+zzz.99999"));
        prop_assert!(local < next);
        // Whatever lies between is the version itself with a local label.
        if other >= public && other < next {
            prop_assert_eq!(other.without_local(), public);
        }
    }

    #[test]
    fn a_range_and_its_specifier_agree_with_the_order((v, other) in close_pair()) {
        let public = v.without_local();
        let base = other.clone().without_local();
        let range = |operator: &str| -> Range { specifiers(&format!("{operator}{public}")).range() };
        prop_assert_eq!(range("==").contains(&other), base == public);
        prop_assert_eq!(range("!=").contains(&other), base != public);
        prop_assert_eq!(range("<=").contains(&other), base <= public);
        prop_assert_eq!(range(">=").contains(&other), other >= public);
        prop_assert!(!range("<").contains(&other) || base < public);
        prop_assert!(!range(">").contains(&other) || base > public);
    }

    #[test]
    fn what_is_shown_of_one_specifier_means_the_same_without_technical_bounds(
        (v, other) in close_pair(),
        operator in prop::sample::select(vec!["==", "<=", ">=", "<", ">"]),
    ) {
        let public = v.clone().without_local();
        // `1.0.post1.dev0` is the technical bound itself; nobody releases one.
        prop_assume!(public.post().is_none() || public.dev() != Some(0));
        let range = specifiers(&format!("{operator}{public}")).range();
        let shown = show_range(&range);
        let again = specifiers(&shown).range();
        for one in [&v, &other, &successor(&v), &public] {
            prop_assert_eq!(again.contains(one), range.contains(one), "{} and {}", shown, one);
        }
        if public.post().is_none() && public.dev().is_none() {
            prop_assert!(!shown.contains("post") && !shown.contains("dev"), "{}", shown);
        }
    }
}
