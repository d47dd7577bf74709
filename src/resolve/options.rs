//! What decides between answers.

use std::collections::BTreeSet;

use super::families::Family;
use crate::package::Name;
use crate::workspace::settings::{Prerelease, Resolution as Order};

/// Some names, or all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamesOrAll {
    /// All of them.
    pub all: bool,
    /// These.
    pub names: BTreeSet<Name>,
}

impl NamesOrAll {
    /// Reads `:all:`, `:none:` or names, several with commas.
    ///
    /// # Errors
    ///
    /// Returns the word that is no name.
    pub fn parse<'a>(words: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let mut found = Self::default();
        for word in words
            .flat_map(|word| word.split(','))
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            match word {
                ":all:" => found.all = true,
                ":none:" => found = Self::default(),
                _ => {
                    found
                        .names
                        .insert(Name::parse(word).ok_or_else(|| word.to_owned())?);
                }
            }
        }
        Ok(found)
    }

    /// Reports whether a name is among them.
    pub fn has(&self, name: &Name) -> bool {
        self.all || self.names.contains(name)
    }
}

/// What decides between answers. Plain data.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whether pre-releases may be taken.
    pub prerelease: Prerelease,
    /// Highest or lowest versions.
    pub resolution: Order,
    /// Nothing uploaded after this instant counts, in seconds since 1970.
    pub exclude_newer: Option<i64>,
    /// A file whose index tells no upload time counts as old enough: the instant was not
    /// asked for but follows from what is checked, and an index without times knows none.
    pub untimed_count: bool,
    /// Wheels of these are not used.
    pub no_binary: NamesOrAll,
    /// Sdists of these are not used.
    pub only_binary: NamesOrAll,
    /// Requirements on these are left out.
    pub exclude: BTreeSet<Name>,
    /// Distributions that own the same modules.
    pub families: Vec<Family>,
    /// Only whether there is an answer is asked: neither why there is none is looked for,
    /// nor which answer changes least.
    pub trial: bool,
}
