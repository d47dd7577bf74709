//! Markers that ask for what a target leaves open.
//!
//! A target that is no real machine has no `platform_release` and no
//! `platform_version`, and one that names only `3.12` has no patch level. A marker
//! that would come out otherwise for another value is worth a warning.

use crate::package::{Extra, Marker, Target, Version};

/// Returns the attribute that the target leaves open and the marker depends on.
pub fn open_attribute(target: &Target, marker: &str, extras: &[Extra]) -> Option<&'static str> {
    let mentions = |attribute: &str| marker.contains(attribute);
    let may_be_open = !target.is_real()
        && (mentions("platform_release") || mentions("platform_version"))
        || !target.fixes_patch() && mentions("python_full_version");
    if !may_be_open {
        return None;
    }
    let parsed = Marker::parse(marker).ok()?;
    let environment = target.environment();
    let holds = parsed.holds_with(environment, extras);
    let literals = literals(marker);
    if !target.is_real() {
        for word in words(&literals) {
            let release = environment.clone().with_platform_release(word.as_str());
            if parsed.holds_with(&release, extras) != holds {
                return Some("platform_release");
            }
            let version = environment.clone().with_platform_version(word);
            if parsed.holds_with(&version, extras) != holds {
                return Some("platform_version");
            }
        }
    }
    if !target.fixes_patch() {
        for version in patches(&literals, &target.python) {
            // A parsed version always prints as one.
            let Ok(version) = version.to_string().parse::<pep508_rs::StringVersion>() else {
                continue;
            };
            let other = environment.clone().with_python_full_version(version);
            if parsed.holds_with(&other, extras) != holds {
                return Some("python_full_version");
            }
        }
    }
    None
}

/// Returns what stands in quotes.
fn literals(marker: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = marker;
    while let Some(open) = rest.find(['\'', '"']) {
        let quote = &rest[open..=open];
        let Some(length) = rest[open + 1..].find(quote) else {
            break;
        };
        found.push(&rest[open + 1..open + 1 + length]);
        rest = &rest[open + length + 2..];
    }
    found
}

/// Values around those that the marker names: each, one above it, and the ends.
fn words(literals: &[&str]) -> Vec<String> {
    let mut words = vec![String::new(), "~".to_owned()];
    for literal in literals {
        words.push((*literal).to_owned());
        words.push(format!("{literal}0"));
    }
    words
}

/// The patch levels of the minor version that the marker names, and the next.
fn patches(literals: &[&str], python: &Version) -> Vec<Version> {
    let minor = &python.release()[..python.release().len().min(2)];
    let mut found = Vec::new();
    for literal in literals {
        let Ok(version) = literal.trim_end_matches(".*").parse::<Version>() else {
            continue;
        };
        let release = version.release();
        if release.get(..2) != Some(minor) {
            continue;
        }
        let patch = release.get(2).copied().unwrap_or(0);
        let of = |patch: u64| Version::new(minor.iter().copied().chain([patch]));
        found.extend([of(patch), of(patch.saturating_add(1))]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::target::MachineFacts;

    fn of(python: &str, facts: &MachineFacts, marker: &str) -> Option<&'static str> {
        let python = python.parse().expect("a version");
        let platform = "linux".parse().expect("a platform");
        open_attribute(&Target::new(platform, python, facts), marker, &[])
    }

    #[test]
    fn only_what_would_decide_the_marker_is_open() {
        let none = MachineFacts::default();
        let facts = MachineFacts {
            release: "6.1.0".to_owned(),
            ..MachineFacts::default()
        };
        let release = "platform_release >= '20'";
        assert_eq!(of("3.12", &none, release), Some("platform_release"));
        assert_eq!(of("3.12.1", &facts, release), None);
        let elsewhere = "sys_platform == 'darwin' and platform_release >= '20'";
        assert_eq!(of("3.12", &none, elsewhere), None);
        let within = "'WSL' in platform_version";
        assert_eq!(of("3.12", &none, within), Some("platform_version"));

        let patch = "python_full_version < '3.12.4'";
        assert_eq!(of("3.12", &none, patch), Some("python_full_version"));
        assert_eq!(of("3.12.1", &none, patch), None);
        assert_eq!(of("3.11", &none, patch), None);
        let equal = "python_full_version == '3.12.4'";
        assert_eq!(of("3.12", &none, equal), Some("python_full_version"));
        assert_eq!(of("3.12", &none, "python_full_version >= '3.12.0'"), None);
        assert_eq!(of("3.12", &none, "python_full_version < '3.13'"), None);
    }
}
