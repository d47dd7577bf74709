//! `portenv.toml`: the policy of an installation.

use std::collections::BTreeMap;
use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use crate::host::fs::{self, FsError};

/// A settings file that cannot be used, with the place.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file could not be read.
    #[error(transparent)]
    Read(#[from] FsError),
    /// The file is not as it should be.
    #[error("{file}:{line}:{column}: {message}")]
    Invalid {
        /// The file.
        file: Utf8PathBuf,
        /// The line, from 1.
        line: u32,
        /// The column, from 1.
        column: u32,
        /// What is wrong.
        message: String,
    },
}

/// A name as key, with its place in the file.
pub type Key = Spanned<String>;

/// The whole file; every part may be absent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// `[installation]`.
    pub installation: InstallationTable,
    /// `[resolve]`.
    pub resolve: ResolveTable,
    /// `[[index]]`.
    pub index: Vec<IndexTable>,
    /// `[policy]`.
    pub policy: PolicyTable,
    /// `[check]`.
    pub check: CheckTable,
    /// `[overrides]`.
    pub overrides: BTreeMap<Key, OverrideValue>,
    /// `[constraints]`.
    pub constraints: BTreeMap<Key, String>,
    /// `[[family]]`.
    pub family: Vec<FamilyTable>,
    /// `[nodes.NAME]`.
    pub nodes: BTreeMap<String, NodeTable>,
    /// `[environments.NAME]`.
    pub environments: BTreeMap<String, EnvironmentTable>,
    /// Where each line of the file begins; filled in after reading.
    #[serde(skip)]
    pub text: String,
}

/// `[installation]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct InstallationTable {
    /// The core's directory.
    pub comfyui: Option<Utf8PathBuf>,
    /// The interpreter.
    pub python: Option<Utf8PathBuf>,
    /// The directories of nodes.
    pub custom_nodes: Option<Vec<Utf8PathBuf>>,
    /// Allow an externally managed Python.
    pub allow_system: bool,
}

/// `[resolve]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ResolveTable {
    /// `TRIPLE` or `TRIPLE@PYTHON` each.
    pub targets: Option<Vec<String>>,
    /// The Python to resolve for.
    pub python_version: Option<String>,
    /// Whether pre-releases may be taken.
    pub prerelease: Option<Prerelease>,
    /// Highest or lowest versions.
    pub resolution: Option<Resolution>,
    /// Nothing uploaded later counts.
    pub exclude_newer: Option<String>,
    /// Which of a node's two files counts.
    pub node_sources: Option<NodeSources>,
    /// Whether metadata may be had by a build.
    pub build: Option<Build>,
    /// What becomes of a line that nothing can supply.
    pub unsupplied: Option<Unsupplied>,
}

/// Whether pre-releases may be taken, with uv's meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prerelease {
    /// Finals first, pre-releases only when no final fits.
    #[default]
    #[serde(alias = "if-necessary-or-explicit")]
    IfNecessary,
    /// Never.
    Disallow,
    /// Like any other version.
    Allow,
    /// Only where a line names one.
    Explicit,
}

/// Highest or lowest versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolution {
    /// The highest that fit.
    #[default]
    Highest,
    /// The lowest that fit.
    Lowest,
    /// The lowest of what is asked for directly.
    LowestDirect,
}

/// Which of a node's two files counts when it has both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeSources {
    /// Both.
    #[default]
    Merge,
    /// `requirements.txt`.
    Requirements,
    /// `pyproject.toml`.
    Pyproject,
}

/// Whether metadata may be had by running a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Build {
    /// `allow` or `static`.
    Mode(BuildMode),
    /// Only for these.
    Names(Vec<String>),
}

/// Whether metadata may be had by running a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BuildMode {
    /// A build may run.
    #[default]
    Allow,
    /// Nothing runs.
    Static,
}

/// What becomes of a line that nothing can supply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unsupplied {
    /// It is recorded and left out.
    #[default]
    Waive,
    /// It is an error.
    Error,
}

/// `[[index]]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct IndexTable {
    /// A name to speak of it.
    pub name: String,
    /// Its base URL.
    pub url: String,
    /// It replaces PyPI.
    #[serde(default)]
    pub default: bool,
    /// Packages that come from here and nowhere else.
    #[serde(default)]
    pub packages: Vec<String>,
}

/// `[policy]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PolicyTable {
    /// Packages that keep version, local tag and index.
    pub protect: Option<Vec<String>>,
    /// Packages never to install.
    pub exclude: Vec<String>,
    /// What the store keeps.
    pub store: Option<StoreMode>,
}

/// What the store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreMode {
    /// What cannot be had again.
    #[default]
    Needed,
    /// Everything.
    All,
    /// Nothing.
    None,
}

/// `[check]`.
#[derive(Debug, Clone, Default)]
pub struct CheckTable {
    /// How each code counts; which ones there are is the gate's to know.
    pub levels: BTreeMap<Key, Level>,
    /// Files and directories of advisories (OSV), from the root.
    pub advisories: Vec<Utf8PathBuf>,
}

impl CheckTable {
    /// Returns how a code counts, if that is set.
    pub fn level(&self, code: &str) -> Option<Level> {
        let mut levels = self.levels.iter();
        levels
            .find(|(key, _)| key.get_ref() == code)
            .map(|(_, level)| *level)
    }
}

/// How a finding of `check` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// It fails the check.
    Error,
    /// It is shown.
    Warn,
    /// It is not looked for.
    Off,
}

/// The overrides of one package: a specifier, a table with reason and scope, or several of
/// these for different nodes.
#[derive(Debug, Clone)]
pub struct OverrideValue(pub Vec<OverrideTable>);

/// An override with reason and scope.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OverrideTable {
    /// What holds instead.
    pub specifier: String,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// Only for lines of these nodes.
    #[serde(default, rename = "for")]
    pub only_for: Vec<String>,
}

/// `[[family]]`: distributions that own the same modules.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FamilyTable {
    /// Members, most capable first.
    pub members: Vec<String>,
    /// `report`, `error` or `unify`.
    #[serde(default)]
    pub mode: FamilyMode,
}

/// What is done about two members of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FamilyMode {
    /// Say so.
    #[default]
    Report,
    /// Refuse.
    Error,
    /// One member answers for all.
    Unify,
}

/// `[nodes.NAME]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct NodeTable {
    /// Which of its two files counts.
    pub sources: Option<NodeSources>,
    /// Extras of its pyproject that are wanted.
    pub extras: Vec<String>,
    /// It is left out of everything.
    pub ignore: bool,
    /// What it is worth where not all nodes can live together; 1 by default.
    pub weight: Option<u32>,
}

/// `[environments.NAME]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EnvironmentTable {
    /// The nodes that live there.
    pub nodes: Vec<String>,
}

impl Settings {
    /// Reads `portenv.toml` at the root; an absent file is all defaults.
    ///
    /// # Errors
    ///
    /// Fails with file, line and column on anything unknown or malformed.
    pub fn read(root: &Utf8Path) -> Result<Self, SettingsError> {
        match fs::find_text(&root.join("portenv.toml"))? {
            Some(text) => Self::parse(&text, Utf8Path::new("portenv.toml")),
            None => Ok(Self::default()),
        }
    }

    /// Lists what decides a resolution beside overrides and constraints, one text each;
    /// nothing for a part that is not set.
    pub fn deciding(&self) -> Vec<String> {
        let resolve = &self.resolve;
        let mut texts = Vec::new();
        texts.extend(
            resolve
                .prerelease
                .map(|kind| format!("prerelease {kind:?}")),
        );
        texts.extend(
            resolve
                .resolution
                .map(|kind| format!("resolution {kind:?}")),
        );
        let cut_off = resolve.exclude_newer.iter();
        texts.extend(cut_off.map(|text| format!("exclude-newer {text}")));
        for index in &self.index {
            let url = crate::package::redact(&index.url);
            let packages = index.packages.join(" ");
            texts.push(format!("index {url} {} {packages}", index.default));
        }
        let exclude = self.policy.exclude.iter();
        texts.extend(exclude.map(|name| format!("exclude {name}")));
        for family in &self.family {
            texts.push(format!(
                "family {:?} {}",
                family.mode,
                family.members.join(" ")
            ));
        }
        texts
    }

    /// Parses the text of a settings file.
    ///
    /// # Errors
    ///
    /// Fails with file, line and column on anything unknown or malformed.
    pub fn parse(text: &str, file: &Utf8Path) -> Result<Self, SettingsError> {
        let mut settings: Self = toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            let (line, column) = line_column(text, offset);
            let message = error
                .message()
                .lines()
                .next()
                .unwrap_or("invalid")
                .to_owned();
            SettingsError::Invalid {
                file: file.to_owned(),
                line,
                column,
                message,
            }
        })?;
        text.clone_into(&mut settings.text);
        Ok(settings)
    }

    /// Returns line and column of a key.
    pub fn place(&self, key: &Key) -> (u32, u32) {
        line_column(&self.text, key.span().start)
    }

    /// Returns what is set for a node.
    pub fn node(&self, name: &str) -> NodeTable {
        self.nodes
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, table)| table.clone())
            .unwrap_or_default()
    }
}

/// Returns line and column of a byte of a text, both from 1, columns in characters.
pub fn line_column(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (
        u32::try_from(line).unwrap_or(u32::MAX),
        u32::try_from(column).unwrap_or(u32::MAX),
    )
}

impl<'de> Deserialize<'de> for CheckTable {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = CheckTable;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("codes with their levels, and `advisories`")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut table = CheckTable::default();
                while let Some(key) = map.next_key::<Key>()? {
                    if key.get_ref() == "advisories" {
                        table.advisories = map.next_value::<Places>()?.0;
                    } else {
                        table.levels.insert(key, map.next_value()?);
                    }
                }
                Ok(table)
            }
        }
        input.deserialize_map(Table)
    }
}

/// One path or several.
struct Places(Vec<Utf8PathBuf>);

impl<'de> Deserialize<'de> for Places {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Places;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path or a list of paths")
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Places(vec![text.into()]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Places)
            }
        }
        input.deserialize_any(Either)
    }
}

// An untagged enum would say of any mistake only that no variant fits.
impl<'de> Deserialize<'de> for OverrideValue {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = OverrideValue;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a specifier, a table with `specifier`, or a list of these tables")
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(OverrideValue(vec![OverrideTable {
                    specifier: text.to_owned(),
                    reason: None,
                    only_for: Vec::new(),
                }]))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let table = OverrideTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(OverrideValue(vec![table]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(OverrideValue)
            }
        }
        input.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for Build {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Build;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`allow`, `static` or a list of names")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                match text {
                    "allow" => Ok(Build::Mode(BuildMode::Allow)),
                    "static" => Ok(Build::Mode(BuildMode::Static)),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Build::Names)
            }
        }
        input.deserialize_any(Either)
    }
}
