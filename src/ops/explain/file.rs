//! `portenv.toml` as a text with places: where a key stands, and how one is put in or taken
//! out without moving anything else.

use toml_edit::{
    Array, ArrayOfTables, Document, DocumentMut, InlineTable, Item, Key, Table, TableLike, Value,
    value,
};

use super::amend::{Clash, one_line};
use crate::package::Name;
use crate::workspace::settings::line_column;

/// A file that is read, with places.
pub(super) struct File<'t> {
    text: &'t str,
    read: Document<&'t str>,
}

/// Where a key stands or would stand.
pub(super) struct Place<'f> {
    text: &'f str,
    /// The key's path as the file spells it.
    pub(super) path: Vec<String>,
    /// Where the key begins.
    start: usize,
    /// What it is now, if it is there.
    pub(super) item: Option<&'f Item>,
}

impl Place<'_> {
    pub(super) fn clash(&self, item: &Item, wanted: &Value) -> Clash {
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
    pub(super) fn read(text: &'t str) -> Result<Self, Clash> {
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

    pub(super) fn find(&self, table: &[String], key: &str) -> Place<'_> {
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
    pub(super) fn insert(&self, path: &[String], new: Value, comment: &str) -> String {
        let (key, table) = path.split_last().expect("BUG: a key without a name");
        let mut inner = Some(self.read.as_item());
        for part in table {
            inner = inner.and_then(|item| item.as_table_like()?.get(part));
        }
        if inner.is_none() {
            let section = section(table, key, new.clone(), comment);
            if let Some(whole) = self.with_section(&section) {
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

    /// Puts a section below all that is there. A table that is written within braces cannot
    /// be opened again further down.
    fn with_section(&self, section: &str) -> Option<String> {
        let lead = match self.text.trim_end() {
            "" => self.text.to_owned(),
            _ if self.text.ends_with('\n') => format!("{}\n", self.text),
            _ => format!("{}\n\n", self.text),
        };
        let whole = format!("{lead}{section}");
        Document::parse(whole.as_str()).is_ok().then_some(whole)
    }

    /// Adds an index, or packages to the one of the same address.
    pub(super) fn index(
        &self,
        name: &str,
        url: &str,
        packages: &[String],
        comment: &str,
    ) -> String {
        let mut document = self.read.clone().into_mut();
        let mut tables: Vec<&mut dyn TableLike> = match document.get_mut("index") {
            Some(Item::ArrayOfTables(tables)) => {
                (tables.iter_mut().map(|table| table as &mut dyn TableLike)).collect()
            }
            Some(Item::Value(Value::Array(list))) => (list.iter_mut())
                .filter_map(Value::as_inline_table_mut)
                .map(|table| table as &mut dyn TableLike)
                .collect(),
            _ => Vec::new(),
        };
        let says = |table: &dyn TableLike, key: &str| {
            let text = table.get(key).and_then(Item::as_str);
            text.map(|text| text.trim_end_matches('/').to_owned())
        };
        let wanted = Some(url.trim_end_matches('/').to_owned());
        let same = tables
            .iter()
            .position(|table| says(&**table, "url") == wanted);
        if let Some(at) = same {
            let list = tables[at].get_mut("packages").and_then(Item::as_array_mut);
            // Without a list it is asked for every package.
            let Some(list) = list.filter(|list| !list.is_empty()) else {
                return self.text.to_owned();
            };
            let missing = |text: &&String| !list.iter().any(|it| it.as_str() == Some(text));
            let more: Vec<&String> = packages.iter().filter(missing).collect();
            if more.is_empty() {
                return self.text.to_owned();
            }
            for text in more {
                push_alike(list, text);
            }
            match document.get_mut("index") {
                Some(Item::ArrayOfTables(tables)) => {
                    if let Some(table) = tables.get_mut(at) {
                        annotate(table, &["packages".to_owned()], comment);
                    }
                }
                _ => annotate(document.as_table_mut(), &["index".to_owned()], comment),
            }
            return document.to_string();
        }
        let taken = |name: &str| {
            tables
                .iter()
                .any(|it| says(&**it, "name").as_deref() == Some(name))
        };
        let others = (2..).map(|number: u32| format!("{name}-{number}"));
        let mut names = std::iter::once(name.to_owned()).chain(others);
        let name = names.find(|name| !taken(name)).unwrap_or_default();
        let pairs = [
            ("name", Value::from(name)),
            ("url", Value::from(url)),
            ("packages", packages.iter().collect::<Array>().into()),
        ];
        let mut table = Table::new();
        for (key, new) in pairs.clone() {
            table.insert(key, value(new));
        }
        table.decor_mut().set_prefix(comment);
        let mut section = DocumentMut::new();
        let section_tables: ArrayOfTables = [table].into_iter().collect();
        section.insert("index", Item::ArrayOfTables(section_tables));
        if let Some(whole) = self.with_section(&section.to_string()) {
            return whole;
        }
        if let Some(list) = document.get_mut("index").and_then(Item::as_array_mut) {
            list.push(InlineTable::from_iter(pairs));
        }
        annotate(document.as_table_mut(), &["index".to_owned()], comment);
        document.to_string()
    }

    /// Makes a table that is there the first of a list, if it is none yet, and adds one.
    pub(super) fn join(&self, path: &[String], more: InlineTable) -> String {
        let mut document = self.read.clone().into_mut();
        let mut item = Some(document.as_item_mut());
        for part in path {
            item = item.and_then(|item| item.as_table_like_mut()?.get_mut(part));
        }
        let Some(item) = item else {
            return self.text.to_owned();
        };
        match item {
            // A table with a heading of its own keeps its comments as one of several.
            Item::Table(table) => {
                let tables = [std::mem::take(table), more.into_table()];
                *item = Item::ArrayOfTables(tables.into_iter().collect());
            }
            Item::ArrayOfTables(tables) => tables.push(more.into_table()),
            Item::Value(Value::Array(list)) => list.push(more),
            Item::Value(one) => {
                let decor = std::mem::take(one.decor_mut());
                let mut list: Array = [one.clone(), more.into()].into_iter().collect();
                *list.decor_mut() = decor;
                *one = list.into();
            }
            Item::None => return self.text.to_owned(),
        }
        document.to_string()
    }

    /// Puts more texts into a list that is there.
    pub(super) fn push(&self, path: &[String], more: &[&str], comment: &str) -> String {
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
    pub(super) fn remove(&self, place: &Place<'_>, comment: &str) -> String {
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
