//! Advisories in the form of OSV (<https://ossf.github.io/osv-schema/>), read from files.
//!
//! What counts is the ecosystem `PyPI`: `versions`, and `ranges` of the type `ECOSYSTEM`
//! compared by PEP 440. A local label says who built a version, not what is in it: 2.9.1
//! being affected, 2.9.1+cu128 is too. A withdrawn advisory says nothing. A bound that is
//! no version is taken as none, so that a damaged advisory is rather seen than not.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Deserialize;

use crate::package::{Name, Version};

/// What an advisory says of one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advisory {
    /// Its own name, such as `GHSA-…`.
    pub id: String,
    /// Other names of the same matter.
    pub aliases: Vec<String>,
    /// What it is about.
    pub summary: Option<String>,
    /// The package.
    pub package: Name,
    versions: Vec<Version>,
    ranges: Vec<Vec<Event>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    /// `None` is the beginning.
    Introduced(Option<Version>),
    Fixed(Version),
    LastAffected(Version),
    Limit(Version),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum File {
    Many(Vec<Raw>),
    One(Raw),
}

#[derive(Deserialize)]
struct Raw {
    id: String,
    #[serde(default)]
    aliases: Vec<String>,
    summary: Option<String>,
    withdrawn: Option<String>,
    #[serde(default)]
    affected: Vec<Affected>,
}

#[derive(Deserialize)]
struct Affected {
    package: Option<Package>,
    #[serde(default)]
    versions: Vec<String>,
    #[serde(default)]
    ranges: Vec<Range>,
}

#[derive(Deserialize)]
struct Package {
    ecosystem: String,
    name: String,
}

#[derive(Deserialize)]
struct Range {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    events: Vec<BTreeMap<String, String>>,
}

/// Reads one advisory or a list of them, one entry for each package concerned.
///
/// # Errors
///
/// Returns what is wrong with the text, with line and column.
pub fn parse_advisories(text: &str) -> Result<Vec<Advisory>, (u32, u32, String)> {
    let place = |error: &serde_json::Error| {
        let number = |at: usize| u32::try_from(at.max(1)).unwrap_or(u32::MAX);
        (number(error.line()), number(error.column()))
    };
    let text = text.trim_start_matches('\u{feff}');
    // First as JSON alone: an untagged enum would not say where it is wrong.
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
        let (line, column) = place(&error);
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or("").to_owned();
        (line, column, format!("it is not JSON: {message}"))
    })?;
    let file: File = serde_json::from_value(value).map_err(|_| {
        let message = "it is neither an advisory of OSV nor a list of them";
        (1, 1, message.to_owned())
    })?;
    let raws = match file {
        File::Many(raws) => raws,
        File::One(raw) => vec![raw],
    };
    let mut found = Vec::new();
    for raw in raws.into_iter().filter(|raw| raw.withdrawn.is_none()) {
        for affected in raw.affected {
            let Some(package) = affected.package else {
                continue;
            };
            // `PyPI:suffix` is a part of it.
            let ecosystem = package.ecosystem.split(':').next();
            let (Some("PyPI"), Some(name)) = (ecosystem, Name::parse(&package.name)) else {
                continue;
            };
            let versions = affected.versions.iter();
            let versions = versions.filter_map(|text| Version::from_str(text).ok());
            let ranges = affected.ranges.iter().filter(|it| it.kind == "ECOSYSTEM");
            found.push(Advisory {
                id: raw.id.clone(),
                aliases: raw.aliases.clone(),
                summary: raw.summary.clone(),
                package: name,
                versions: versions.map(|version| public(&version)).collect(),
                ranges: ranges.map(|range| events(&range.events)).collect(),
            });
        }
    }
    Ok(found)
}

fn events(raw: &[BTreeMap<String, String>]) -> Vec<Event> {
    let pairs = raw.iter().flatten();
    pairs
        .filter_map(|(kind, text)| {
            let version = Version::from_str(text).ok();
            match kind.as_str() {
                "introduced" => Some(Event::Introduced(version.filter(|_| text != "0"))),
                "fixed" => version.map(Event::Fixed),
                "last_affected" => version.map(Event::LastAffected),
                "limit" => version.map(Event::Limit),
                _ => None,
            }
        })
        .collect()
}

fn public(version: &Version) -> Version {
    version.clone().without_local()
}

impl Advisory {
    /// Reports whether it is about a version.
    pub fn is_about(&self, version: &Version) -> bool {
        let version = public(version);
        self.versions.contains(&version) || self.ranges.iter().any(|range| is_in(&version, range))
    }

    /// Returns its names and what it is about.
    pub fn shown(&self) -> String {
        let mut text = self.id.clone();
        if !self.aliases.is_empty() {
            text.push_str(&format!(" ({})", self.aliases.join(", ")));
        }
        if let Some(summary) = &self.summary {
            text.push_str(&format!(": {summary}"));
        }
        text
    }

    /// Returns the first version after this one that mends it.
    pub fn mended_in(&self, version: &Version) -> Option<&Version> {
        let version = public(version);
        let fixed = self
            .ranges
            .iter()
            .flatten()
            .filter_map(|event| match event {
                Event::Fixed(fixed) => Some(fixed),
                _ => None,
            });
        fixed.filter(|fixed| **fixed > version).min()
    }

    /// Reports whether two are about one matter.
    pub fn is_same(&self, other: &Self) -> bool {
        let names = |it: &Self| {
            let mut names = it.aliases.clone();
            names.push(it.id.clone());
            names
        };
        let theirs = names(other);
        self.package == other.package && names(self).iter().any(|name| theirs.contains(name))
    }
}

/// The last event at or before a version decides.
fn is_in(version: &Version, range: &[Event]) -> bool {
    let mut limits = range.iter().filter_map(|event| match event {
        Event::Limit(limit) => Some(limit),
        _ => None,
    });
    let limited = limits.clone().next().is_some();
    if limited && !limits.any(|limit| version < limit) {
        return false;
    }
    let at = |event: &Event| match event {
        Event::Introduced(at) => at.clone(),
        Event::Fixed(at) | Event::LastAffected(at) | Event::Limit(at) => Some(at.clone()),
    };
    let mut events: Vec<&Event> = range.iter().collect();
    events.sort_by_key(|event| at(event));
    let mut affected = false;
    for event in events {
        match event {
            Event::Introduced(from) if from.as_ref().is_none_or(|from| version >= from) => {
                affected = true;
            }
            Event::Fixed(at) if version >= at => affected = false,
            Event::LastAffected(at) if version > at => affected = false,
            _ => {}
        }
    }
    affected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(affected: &str, version: &str) -> bool {
        let text = format!(r#"{{"id": "X-1", "affected": [{affected}]}}"#);
        let found = parse_advisories(&text).expect("an advisory");
        let version = Version::from_str(version).expect("a version");
        found.iter().any(|it| it.is_about(&version))
    }

    fn range(events: &str) -> String {
        format!(
            r#"{{"package": {{"ecosystem": "PyPI", "name": "Some_Name"}},
               "ranges": [{{"type": "ECOSYSTEM", "events": [{events}]}}]}}"#
        )
    }

    #[test]
    fn ranges_are_compared_as_pep_440_has_it() {
        let one = range(r#"{"introduced": "1.9"}, {"fixed": "1.10"}"#);
        for (version, expected) in [
            ("1.8", false),
            ("1.9", true),
            ("1.9.5", true),
            ("1.10rc1", true),
            ("1.10", false),
            ("1.9+cu128", true),
            ("1.9rc1", false),
            ("1!1.9", false),
        ] {
            assert_eq!(about(&one, version), expected, "{version}");
        }
        let two = range(
            r#"{"introduced": "3"}, {"last_affected": "3.4"}, {"introduced": "0"}, {"fixed": "2"}"#,
        );
        for (version, expected) in [
            ("0.1", true),
            ("2", false),
            ("3", true),
            ("3.4", true),
            ("3.4+local", true),
            ("3.4.1", false),
        ] {
            assert_eq!(about(&two, version), expected, "{version}");
        }
        assert!(about(&range(r#"{"introduced": "0"}, {"limit": "2"}"#), "1"));
        assert!(!about(
            &range(r#"{"introduced": "0"}, {"limit": "2"}"#),
            "2"
        ));
        // A bound that is no version closes nothing.
        assert!(about(
            &range(r#"{"introduced": "0"}, {"fixed": "soon"}"#),
            "9"
        ));
    }

    #[test]
    fn other_ecosystems_and_commits_say_nothing() {
        let listed = |ecosystem: &str| {
            format!(
                r#"{{"package": {{"ecosystem": "{ecosystem}", "name": "a"}}, "versions": ["1.0"]}}"#
            )
        };
        assert!(about(&listed("PyPI"), "1"));
        assert!(!about(&listed("npm"), "1"));
        let commits = range(r#"{"introduced": "0"}"#).replace("ECOSYSTEM", "GIT");
        assert!(!about(&commits, "1"));
    }
}
