//! What a way out changes in `portenv.toml`, as values, and how it is written so that all
//! else of the file stays: comments, order, line ends.

use serde::{Deserialize, Serialize};
use toml_edit::{Array, InlineTable, Item, TableLike, Value};

use super::file::File;
use crate::package::Name;
use crate::package::artifact::printable;
use crate::resolve::Edit;

/// A change of `portenv.toml`. Kept on disk: variants are added and none is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Amendment {
    /// A key gets a value.
    Set {
        /// The table, from the root.
        table: Vec<String>,
        /// The key in it.
        key: String,
        /// Its value.
        value: Scalar,
    },
    /// A list gets one more name of a package.
    Add {
        /// The table, from the root.
        table: Vec<String>,
        /// The key in it.
        key: String,
        /// The name.
        name: Name,
    },
    /// What nodes ask of a package is replaced.
    Override {
        /// The package.
        name: Name,
        /// What will do; everything if empty.
        specifier: String,
        /// The nodes.
        nodes: Vec<String>,
    },
    /// One more index is asked.
    Index {
        /// Its name.
        name: String,
        /// Its base URL, without credentials.
        url: String,
        /// The packages that come from it.
        packages: Vec<String>,
    },
    /// A key goes; it stays in the file as a comment.
    Remove {
        /// The table, from the root.
        table: Vec<String>,
        /// The key in it.
        key: String,
    },
}

/// A value that a key may get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// `true` or `false`.
    Flag(bool),
    /// A text.
    Word(String),
}

/// Why a file is changed, for those who read it later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// What it is about.
    pub about: String,
    /// The lines at fault.
    pub lines: Vec<String>,
}

/// The file says something else already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
    /// What stands there, and what would.
    pub message: String,
}

/// Returns what an edit changes in the file. Everything else goes by what this returns.
pub fn amendments(edit: &Edit) -> Vec<Amendment> {
    let table = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let set = |names: &[&str], key: &str, value: Scalar| Amendment::Set {
        table: table(names),
        key: key.to_owned(),
        value,
    };
    vec![match edit {
        Edit::Override {
            name,
            specifier,
            nodes,
        } => Amendment::Override {
            name: name.clone(),
            specifier: specifier.clone(),
            nodes: nodes.clone(),
        },
        Edit::Sources { node } => {
            let word = Scalar::Word("requirements".to_owned());
            set(&["nodes", node], "sources", word)
        }
        Edit::Ignore { node } => set(&["nodes", node], "ignore", Scalar::Flag(true)),
        Edit::Exclude { name } => Amendment::Add {
            table: table(&["policy"]),
            key: "exclude".to_owned(),
            name: name.clone(),
        },
        Edit::Unconstrain { name } => Amendment::Remove {
            table: table(&["constraints"]),
            key: name.as_str().to_owned(),
        },
        Edit::Prerelease => {
            let word = Scalar::Word("allow".to_owned());
            set(&["resolve"], "prerelease", word)
        }
        Edit::Index {
            name,
            url,
            packages,
        } => Amendment::Index {
            name: name.clone(),
            url: url.clone(),
            packages: packages.clone(),
        },
    }]
}

/// Returns what is to be added to the file as a text of its own; what takes something away
/// has none.
pub fn fragment(amendments: &[Amendment]) -> Option<String> {
    let takes = |one: &Amendment| matches!(one, Amendment::Remove { .. });
    if amendments.is_empty() || amendments.iter().any(takes) {
        return None;
    }
    amend("", amendments, None).ok()
}

/// Writes changes into the text of a file. Where the file says all of it already, the text
/// comes back as it was.
///
/// # Errors
///
/// Fails if the file says something that contradicts.
pub fn amend(
    text: &str,
    amendments: &[Amendment],
    reason: Option<&Reason>,
) -> Result<String, Clash> {
    // The writer knows neither a mark at the start nor the line ends of Windows.
    let (mark, body) = match text.strip_prefix('\u{feff}') {
        Some(body) => ("\u{feff}", body),
        None => ("", text),
    };
    let plain = body.replace("\r\n", "\n");
    let mut amended = plain.clone();
    for one in amendments {
        amended = one.write(&amended, reason)?;
    }
    if amended == plain {
        return Ok(text.to_owned());
    }
    if body.contains("\r\n") {
        amended = amended.replace('\n', "\r\n");
    }
    Ok(format!("{mark}{amended}"))
}

impl Reason {
    fn comment(&self) -> String {
        let first = format!("# {}\n", one_line(&self.about));
        let lines = self.lines.iter();
        lines.fold(first, |text, line| {
            format!("{text}#   {}\n", one_line(line))
        })
    }

    fn sentence(&self) -> String {
        let lines: Vec<String> = self.lines.iter().map(|line| one_line(line)).collect();
        format!("{}: {}", one_line(&self.about), lines.join("; "))
    }
}

/// A comment ends with its line, and what strangers wrote may hold any character.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    printable(&words.join(" "))
}

impl Amendment {
    fn write(&self, text: &str, reason: Option<&Reason>) -> Result<String, Clash> {
        let file = File::read(text)?;
        let comment = reason.map(Reason::comment).unwrap_or_default();
        match self {
            Self::Set { table, key, value } => {
                let at = file.find(table, key);
                match at.item {
                    Some(item) if value.is(item) => Ok(text.to_owned()),
                    Some(item) => Err(at.clash(item, &value.to_value())),
                    None => Ok(file.insert(&at.path, value.to_value(), &comment)),
                }
            }
            Self::Add { table, key, name } => {
                let at = file.find(table, key);
                let Some(item) = at.item else {
                    let names: Array = [name.as_str()].into_iter().collect();
                    return Ok(file.insert(&at.path, names.into(), &comment));
                };
                let Some(list) = item.as_array() else {
                    return Err(at.clash(item, &Value::from(name.as_str())));
                };
                let is_it = |it: &Value| it.as_str().and_then(Name::parse).as_ref() == Some(name);
                if list.iter().any(is_it) {
                    return Ok(text.to_owned());
                }
                Ok(file.push(&at.path, &[name.as_str()], &comment))
            }
            Self::Override {
                name,
                specifier,
                nodes,
            } => {
                let at = file.find(&["overrides".to_owned()], name.as_str());
                let mut wanted = InlineTable::new();
                wanted.insert("specifier", specifier.as_str().into());
                wanted.insert("for", nodes.iter().collect::<Array>().into());
                let Some(item) = at.item else {
                    if let Some(reason) = reason {
                        wanted.insert("reason", reason.sentence().into());
                    }
                    return Ok(file.insert(&at.path, wanted.into(), ""));
                };
                let existing = overrides(item);
                let missing = |node: &&String| {
                    let same = existing.iter().filter(|it| it.says(specifier));
                    !same.clone().any(|it| it.covers(node))
                };
                let more: Vec<&str> = (nodes.iter().filter(missing)).map(String::as_str).collect();
                if more.is_empty() {
                    return Ok(text.to_owned());
                }
                let taken = |node: &&str| existing.iter().any(|it| it.covers(node));
                if more.iter().any(taken) {
                    return Err(at.clash(item, &wanted.into()));
                }
                if item.as_table_like().is_some() && existing.iter().all(|it| it.says(specifier)) {
                    let path = [&at.path[..], &["for".to_owned()]].concat();
                    return Ok(file.push(&path, &more, &comment));
                }
                if let Some(reason) = reason {
                    wanted.insert("reason", reason.sentence().into());
                }
                Ok(file.join(&at.path, wanted))
            }
            Self::Index {
                name,
                url,
                packages,
            } => Ok(file.index(name, url, packages, &comment)),
            Self::Remove { table, key } => {
                let at = file.find(table, key);
                Ok(match at.item {
                    Some(_) => file.remove(&at, &comment),
                    None => text.to_owned(),
                })
            }
        }
    }
}

/// One of the overrides of a package.
struct Scoped<'f> {
    specifier: &'f str,
    /// Its nodes; all if there is no list, or an empty one.
    nodes: Option<&'f Array>,
}

impl<'f> Scoped<'f> {
    fn of(table: &'f dyn TableLike) -> Self {
        Self {
            specifier: table.get("specifier").and_then(Item::as_str).unwrap_or(""),
            nodes: table.get("for").and_then(Item::as_array),
        }
    }

    fn says(&self, specifier: &str) -> bool {
        squeezed(self.specifier) == squeezed(specifier)
    }

    fn covers(&self, node: &str) -> bool {
        let holds = |it: &Value| it.as_str().is_some_and(|it| it.eq_ignore_ascii_case(node));
        self.nodes
            .is_none_or(|list| list.is_empty() || list.iter().any(holds))
    }
}

/// Reads the overrides of a package: a specifier, a table, or a list of tables.
fn overrides(item: &Item) -> Vec<Scoped<'_>> {
    match item {
        Item::Value(Value::String(specifier)) => vec![Scoped {
            specifier: specifier.value(),
            nodes: None,
        }],
        Item::Value(Value::Array(list)) => {
            let tables = list.iter().filter_map(Value::as_inline_table);
            tables.map(|table| Scoped::of(table)).collect()
        }
        Item::ArrayOfTables(tables) => tables.iter().map(|table| Scoped::of(table)).collect(),
        _ => item.as_table_like().map(Scoped::of).into_iter().collect(),
    }
}

fn squeezed(specifier: &str) -> String {
    specifier.split_whitespace().collect()
}

impl Scalar {
    fn to_value(&self) -> Value {
        match self {
            Self::Flag(flag) => (*flag).into(),
            Self::Word(word) => word.as_str().into(),
        }
    }

    fn is(&self, item: &Item) -> bool {
        match self {
            Self::Flag(flag) => item.as_bool() == Some(*flag),
            Self::Word(word) => item.as_str() == Some(word),
        }
    }
}
