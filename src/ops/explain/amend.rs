//! What a way out changes in `portenv.toml`, as values, and how it is written so that all
//! else of the file stays: comments, order, line ends.

use serde::{Deserialize, Serialize};
use toml_edit::{
    Array, Document, DocumentMut, InlineTable, Item, Key, Table, TableLike, Value, value,
};

use crate::package::Name;
use crate::package::artifact::printable;
use crate::resolve::Edit;
use crate::workspace::settings::line_column;

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
fn one_line(text: &str) -> String {
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
                let existing = item.as_table_like();
                let says = existing.map_or(item.as_str(), |table| table.get("specifier")?.as_str());
                if says.map(squeezed) != Some(squeezed(specifier)) {
                    return Err(at.clash(item, &wanted.into()));
                }
                // Without `for` it holds for all nodes.
                let scope = existing.and_then(|table| table.get("for")?.as_array());
                let has = |node: &String| {
                    let holds = |it: &Value| it.as_str() == Some(node);
                    scope.is_none_or(|list| list.is_empty() || list.iter().any(holds))
                };
                let more: Vec<&str> = (nodes.iter())
                    .filter(|node| !has(node))
                    .map(String::as_str)
                    .collect();
                if more.is_empty() {
                    return Ok(text.to_owned());
                }
                let path = [&at.path[..], &["for".to_owned()]].concat();
                Ok(file.push(&path, &more, &comment))
            }
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

/// A file that is read, with places.
struct File<'t> {
    text: &'t str,
    read: Document<&'t str>,
}

/// Where a key stands or would stand.
struct Place<'f> {
    text: &'f str,
    /// The key's path as the file spells it.
    path: Vec<String>,
    /// Where the key begins.
    start: usize,
    item: Option<&'f Item>,
}

impl Place<'_> {
    fn clash(&self, item: &Item, wanted: &Value) -> Clash {
        let (line, column) = line_column(self.text, self.start);
        let shown = |text: String| one_line(&text);
        Clash {
            line,
            column,
            message: format!(
                "`{}` is `{}` here, and this way out would make it `{}`",
                self.path.join("."),
                shown(item.to_string()),
                shown(wanted.to_string())
            ),
        }
    }
}

impl<'t> File<'t> {
    fn read(text: &'t str) -> Result<Self, Clash> {
        let read = Document::parse(text).map_err(|error| {
            let (line, column) = line_column(text, error.span().map_or(0, |span| span.start));
            Clash {
                line,
                column,
                message: one_line(error.message()),
            }
        })?;
        Ok(Self { text, read })
    }

    fn find(&self, table: &[String], key: &str) -> Place<'_> {
        let mut place = Place {
            text: self.text,
            path: Vec::new(),
            start: 0,
            item: Some(self.read.as_item()),
        };
        for part in table.iter().map(String::as_str).chain([key]) {
            let inner = place.item.and_then(Item::as_table_like);
            let same = |spelled: &str| match place.path.first().map(String::as_str) {
                Some("nodes") if place.path.len() == 1 => spelled.eq_ignore_ascii_case(part),
                Some("overrides" | "constraints") => Name::parse(spelled) == Name::parse(part),
                _ => spelled == part,
            };
            let found = inner.and_then(|inner| {
                let (key, item) = inner.iter().find(|(key, _)| same(key))?;
                let start = inner.key(key).and_then(Key::span);
                Some((key, start.map_or(0, |span| span.start), item))
            });
            match found {
                Some((key, start, item)) => {
                    place.path.push(key.to_owned());
                    (place.start, place.item) = (start, Some(item));
                }
                None => {
                    place.path.push(part.to_owned());
                    place.item = None;
                }
            }
        }
        place
    }

    /// Puts a key that is not there into its table: at the table's end, or with the table at
    /// the file's end, where nothing that stands there is touched.
    fn insert(&self, path: &[String], new: Value, comment: &str) -> String {
        let (key, table) = path.split_last().expect("BUG: a key without a name");
        let mut inner = Some(self.read.as_item());
        for part in table {
            inner = inner.and_then(|item| item.as_table_like()?.get(part));
        }
        if inner.is_none() {
            let section = section(table, key, new.clone(), comment);
            let lead = match self.text.trim_end() {
                "" => self.text.to_owned(),
                _ if self.text.ends_with('\n') => format!("{}\n", self.text),
                _ => format!("{}\n\n", self.text),
            };
            let whole = format!("{lead}{section}");
            // A table written within braces cannot be opened again further down.
            if Document::parse(whole.as_str()).is_ok() {
                return whole;
            }
        }
        let mut document = self.read.clone().into_mut();
        let mut within: &mut dyn TableLike = document.as_table_mut();
        for part in table {
            let next = within.entry(part).or_insert_with(|| {
                let mut dotted = Table::new();
                dotted.set_dotted(true);
                Item::Table(dotted)
            });
            match next.as_table_like_mut() {
                Some(next) => within = next,
                None => return self.text.to_owned(),
            }
        }
        within.insert(key, value(new));
        annotate(document.as_table_mut(), path, comment);
        document.to_string()
    }

    /// Puts more texts into a list that is there.
    fn push(&self, path: &[String], more: &[&str], comment: &str) -> String {
        let mut document = self.read.clone().into_mut();
        let mut item = Some(document.as_item_mut());
        for part in path {
            item = item.and_then(|item| item.as_table_like_mut()?.get_mut(part));
        }
        let Some(list) = item.and_then(Item::as_array_mut) else {
            return self.text.to_owned();
        };
        for text in more {
            push_alike(list, text);
        }
        annotate(document.as_table_mut(), path, comment);
        document.to_string()
    }

    /// Makes a key a comment where it has lines of its own, and takes it out where not.
    fn remove(&self, place: &Place<'_>, comment: &str) -> String {
        let end = place.item.and_then(Item::span).map(|span| span.end);
        if let Some(end) = end.filter(|end| *end > place.start) {
            let text = self.text;
            let begin = text[..place.start].rfind('\n').map_or(0, |at| at + 1);
            let finish = text[end..].find('\n').map_or(text.len(), |at| end + at);
            let (before, after) = (&text[begin..place.start], text[end..finish].trim_start());
            if before.trim().is_empty() && (after.is_empty() || after.starts_with('#')) {
                let lines: Vec<String> = text[begin..finish]
                    .lines()
                    .map(|line| format!("# {line}"))
                    .collect();
                let (head, tail) = (&text[..begin], &text[finish..]);
                return format!("{head}{comment}{}{tail}", lines.join("\n"));
            }
        }
        let mut document = self.read.clone().into_mut();
        if let Some((key, table)) = place.path.split_last() {
            let mut item = Some(document.as_item_mut());
            for part in table {
                item = item.and_then(|item| item.as_table_like_mut()?.get_mut(part));
            }
            if let Some(inner) = item.and_then(Item::as_table_like_mut) {
                inner.remove(key);
            }
            annotate(document.as_table_mut(), table, comment);
        }
        document.to_string()
    }
}

/// Returns a table of one key as a text of its own.
fn section(path: &[String], key: &str, new: Value, comment: &str) -> String {
    let mut document = DocumentMut::new();
    let mut table = document.as_table_mut();
    for part in path {
        let mut inner = Table::new();
        // Only the last of `[nodes.NAME]` has a line of its own.
        inner.set_implicit(true);
        let item = table.entry(part).or_insert(Item::Table(inner));
        table = item.as_table_mut().expect("BUG: a table just made is none");
    }
    table.insert(key, value(new));
    let path = [path, &[key.to_owned()]].concat();
    annotate(document.as_table_mut(), &path, comment);
    document.to_string()
}

/// Puts a comment above a key, or above the innermost that has a line of its own.
fn annotate(table: &mut Table, path: &[String], comment: &str) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if let (false, Some(Item::Table(inner))) = (rest.is_empty(), table.get_mut(first)) {
        return annotate(inner, rest, comment);
    }
    if let Some(mut key) = table.key_mut(first) {
        let decor = key.leaf_decor_mut();
        let before = decor.prefix().and_then(|text| text.as_str()).unwrap_or("");
        decor.set_prefix(format!("{before}{comment}"));
    }
}

/// Adds a text to a list as the others stand in it: behind them, or on a line of its own.
fn push_alike(list: &mut Array, text: &str) {
    let tail = list.trailing().as_str().unwrap_or("").to_owned();
    let lead = list.iter().last().and_then(|last| last.decor().prefix());
    let lead = lead.and_then(|text| text.as_str()).unwrap_or("").to_owned();
    list.push(text);
    if let (Some((_, indent)), Some((kept, end))) = (lead.rsplit_once('\n'), tail.rsplit_once('\n'))
    {
        if let Some(last) = list.iter_mut().last() {
            last.decor_mut().set_prefix(format!("{kept}\n{indent}"));
        }
        list.set_trailing(format!("\n{end}"));
    }
}
