//! Dependencies declared in `pyproject.toml`: `[project]`, setuptools' dynamic
//! files, and the older `[tool.poetry]`.

use camino::Utf8Path;
use toml_edit::{Document, Item, TableLike, Value};

use super::file::{Entry, FileContent, Reading, read_named, shown_text, unreadable};
use super::origin::{Origin, Problem, show_path};
use super::statement::{Statement, Wanted, parse};
use super::text::{Places, decode, position};
use super::{poetry, setupcfg};
use crate::host::fs;
use crate::package::Name;

/// What a `pyproject.toml` declares.
#[derive(Debug, Clone, Default)]
pub struct Project {
    /// The requirements and the problems met.
    pub content: FileContent,
    /// `project.name`.
    pub name: Option<String>,
    /// `project.version`.
    pub version: Option<String>,
    /// `project.requires-python`.
    pub requires_python: Option<String>,
    /// The frontend versions it says it works with (`comfyui-frontend-package…`).
    pub frontend: Vec<Entry>,
    /// The file declares dependencies at all, if only an empty list.
    pub declares: bool,
}

/// Reads a `pyproject.toml` and, where it says so, the files it takes its
/// dependencies from; `extras` are the optional groups that are wanted too.
pub fn read_pyproject(path: &Utf8Path, extras: &[String], reading: &Reading<'_>) -> Project {
    let file = reading.owner.in_file(&show_path(reading.root, path));
    let mut project = Project::default();
    let text = match fs::read_bytes(path) {
        Ok(bytes) => match decode(&bytes) {
            Ok(text) => text,
            Err(error) => {
                let origin = file.at(error.line, error.column);
                project.content.problems.push(
                    Problem::error("invalid-file", origin, error.message)
                        .with_fix("save the file as UTF-8"),
                );
                return project;
            }
        },
        Err(error) => {
            project.content.problems.push(Problem::error(
                "invalid-file",
                file,
                format!("cannot read: {}", error.source),
            ));
            return project;
        }
    };
    let document = match Document::parse(text.as_str()) {
        Ok(document) => document,
        Err(error) => {
            let (line, column) = position(&text, error.span().map_or(0, |span| span.start));
            let message = error
                .message()
                .lines()
                .next()
                .unwrap_or("invalid TOML")
                .to_owned();
            project.content.problems.push(
                Problem::error("invalid-file", file.at(line, column), format!("this is not TOML: {message}"))
                    .with_fix("mend the file, or set sources = \"requirements\" for this node in portenv.toml"),
            );
            return project;
        }
    };
    let mut walk = Walk {
        path,
        file: &file,
        places: Places::new(&text),
        reading,
        project,
    };
    walk.project(document.as_table(), extras);
    if !walk.project.declares {
        walk.poetry(document.as_table(), extras);
    }
    project = walk.project;
    project
}

struct Walk<'a> {
    path: &'a Utf8Path,
    file: &'a Origin,
    places: Places<'a>,
    reading: &'a Reading<'a>,
    project: Project,
}

impl Walk<'_> {
    fn origin(&self, span: Option<std::ops::Range<usize>>) -> Origin {
        match span {
            Some(span) => {
                let (line, column) = self.places.position(span.start);
                self.file.at(line, column)
            }
            None => self.file.clone(),
        }
    }

    fn problem(&mut self, problem: Problem) {
        self.project.content.problems.push(problem);
    }

    fn project(&mut self, document: &dyn TableLike, extras: &[String]) {
        let Some(table) = document.get("project").and_then(Item::as_table_like) else {
            return;
        };
        let text = |key: &str| table.get(key).and_then(Item::as_str).map(str::to_owned);
        self.project.name = text("name");
        self.project.version = text("version");
        self.project.requires_python = text("requires-python");
        if let Some(item) = table.get("dependencies") {
            self.project.declares = true;
            self.list(item, "project.dependencies");
        }
        self.optional(table, extras);
        let dynamic = table
            .get("dynamic")
            .and_then(Item::as_array)
            .and_then(|list| {
                list.iter()
                    .find(|value| value.as_str() == Some("dependencies"))
            });
        if let Some(value) = dynamic {
            self.project.declares = true;
            let origin = self.origin(value.span());
            self.dynamic(document, &origin);
        }
    }

    /// Reads the chosen groups, and those that they choose in turn (`all = ["node[gpu]"]`).
    fn optional(&mut self, table: &dyn TableLike, extras: &[String]) {
        let item = table.get("optional-dependencies");
        let groups = item.and_then(Item::as_table_like);
        let mut wanted: Vec<String> = self.own_extras();
        wanted.extend_from_slice(extras);
        let mut read: Vec<&str> = Vec::new();
        while let Some(extra) = wanted.pop() {
            let mut all = groups.into_iter().flat_map(TableLike::iter);
            let Some((group, item)) = all.find(|(group, _)| same_extra(&extra, group)) else {
                let is_elsewhere = table.get("dynamic").is_some() || groups.is_none();
                if !is_elsewhere {
                    let origin = self.origin(item.and_then(Item::span));
                    let message = format!("there is no extra `{extra}` in this project");
                    self.problem(Problem::warning("unknown-extra", origin, message));
                }
                continue;
            };
            if !read.contains(&group) {
                read.push(group);
                self.list(item, "project.optional-dependencies");
                wanted.extend(self.own_extras());
            }
        }
    }

    /// Takes out the entries that are the project itself, and returns their extras.
    fn own_extras(&mut self) -> Vec<String> {
        let Some(own) = self.project.name.as_deref().and_then(Name::parse) else {
            return Vec::new();
        };
        let mut extras = Vec::new();
        self.project
            .content
            .entries
            .retain(|entry| match &entry.wanted {
                Wanted::Named(wanted) if wanted.name == own && !wanted.extras.is_empty() => {
                    extras.extend(wanted.extras.iter().map(ToString::to_string));
                    false
                }
                _ => true,
            });
        extras
    }

    fn list(&mut self, item: &Item, what: &str) {
        let Some(array) = item.as_array() else {
            let origin = self.origin(item.span());
            self.problem(
                Problem::error(
                    "invalid-requirement",
                    origin,
                    format!("`{what}` is not a list of requirements"),
                )
                .with_fix("write it as an array of PEP 508 strings"),
            );
            return;
        };
        for value in array {
            self.project.content.lines += 1;
            let origin = self.origin(value.span());
            match value.as_str() {
                Some(text) => self.entry(text, origin, true),
                None => self.problem(Problem::error(
                    "invalid-requirement",
                    origin,
                    format!("an entry of `{what}` is not a string"),
                )),
            }
        }
    }

    /// Reads one entry; `written` tells that the file holds this very text, so
    /// that a column in it means something.
    fn entry(&mut self, text: &str, origin: Origin, written: bool) {
        let indent = text.chars().take_while(|c| c.is_whitespace()).count();
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            let message = if text.is_empty() {
                "an empty entry is no requirement".to_owned()
            } else {
                let shown = crate::package::artifact::printable(text);
                format!("`{shown}` is a comment, not a requirement")
            };
            self.problem(
                Problem::warning("not-a-requirement", origin, message)
                    .with_fix("remove it: builds of this project fail on it"),
            );
            return;
        }
        match parse(text) {
            Ok(Statement::Require {
                wanted,
                hashes,
                editable,
                repair,
            }) => {
                if let Some(repair) = repair {
                    self.problem(Problem::warning(
                        "repaired-requirement",
                        origin.clone(),
                        repair,
                    ));
                }
                if matches!(wanted, Wanted::Unnamed { .. }) {
                    let shown = shown_text(text, &wanted);
                    let message = format!("`{shown}` does not begin with a name (PEP 508)");
                    self.problem(
                        Problem::warning("repaired-requirement", origin.clone(), message)
                            .with_fix(format!("write `NAME @ {shown}`")),
                    );
                }
                let entry = Entry {
                    origin,
                    text: shown_text(text, &wanted),
                    wanted,
                    hashes,
                    editable,
                    constraint: false,
                    base: self.path.parent().unwrap_or(Utf8Path::new("")).to_owned(),
                };
                if is_frontend_statement(&entry) {
                    self.project.frontend.push(entry);
                } else {
                    self.project.content.entries.push(entry);
                }
            }
            Ok(Statement::Include(_) | Statement::Constrain(_)) => {
                let message = format!("`{text}` cannot stand among dependencies");
                self.problem(
                    Problem::error("invalid-requirement", origin, message).with_fix(
                        "list the requirements here, or name the file under [tool.setuptools.dynamic]",
                    ),
                );
            }
            Ok(statement) => {
                let shown = text.split_whitespace().next().unwrap_or(text);
                let message = format!("the option `{shown}` cannot stand among dependencies");
                self.problem(Problem::warning(
                    "not-a-requirement",
                    origin.clone(),
                    message,
                ));
                self.project
                    .content
                    .options
                    .push(super::file::IndexOption { origin, statement });
            }
            Err(error) => {
                // One more for the quote before the text.
                let within = u32::try_from(indent + error.column + 1).unwrap_or(0);
                let at = Origin {
                    column: origin.column.map(|c| if written { c + within } else { c }),
                    ..origin
                };
                // In an array the comment belongs behind the entry.
                let bare = text.split(" #").next().unwrap_or(text).trim_end();
                if bare.len() < text.len() && parse(bare).is_ok() {
                    let message = "a comment cannot stand within an entry";
                    let fix = Some(format!("write `{bare}`"));
                    self.problem(unreadable(at, text, message, fix));
                } else {
                    self.problem(unreadable(at, text, &error.message, error.fix));
                }
            }
        }
    }

    /// `[tool.setuptools.dynamic] dependencies = {file = […]}`.
    fn dynamic(&mut self, document: &dyn TableLike, origin: &Origin) {
        let found = document
            .get("tool")
            .and_then(|tool| tool.get("setuptools"))
            .and_then(|setuptools| setuptools.get("dynamic"))
            .and_then(|dynamic| dynamic.get("dependencies"))
            .and_then(|dependencies| dependencies.get("file"));
        let files: Vec<String> = match found {
            Some(Item::Value(Value::Array(list))) => list
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            Some(item) => item.as_str().map(str::to_owned).into_iter().collect(),
            None => {
                let setup = self.path.with_file_name("setup.cfg");
                if !fs::is_file(&setup) {
                    self.problem(Problem::warning(
                        "dynamic-dependencies",
                        origin.clone(),
                        "the dependencies are computed by the build and not known",
                    ));
                }
                return;
            }
        };
        let base = self.path.parent().unwrap_or(Utf8Path::new("")).to_owned();
        for file in files {
            let mut read = read_named(&base.join(file), origin, self.reading);
            place_at(&mut read, origin);
            self.project.content.lines += read.lines;
            self.project.content.entries.extend(read.entries);
            self.project.content.options.extend(read.options);
            self.project.content.problems.extend(read.problems);
        }
    }

    fn poetry(&mut self, document: &dyn TableLike, extras: &[String]) {
        let table = document
            .get("tool")
            .and_then(|tool| tool.get("poetry"))
            .and_then(|poetry| poetry.get("dependencies"))
            .and_then(Item::as_table_like);
        let Some(table) = table else { return };
        self.project.declares = true;
        let groups = document
            .get("tool")
            .and_then(|tool| tool.get("poetry"))
            .and_then(|poetry| poetry.get("extras"))
            .and_then(Item::as_table_like);
        let chosen: Vec<&str> = groups
            .into_iter()
            .flat_map(TableLike::iter)
            .filter(|(group, _)| extras.iter().any(|wanted| same_extra(wanted, group)))
            .filter_map(|(_, names)| names.as_array())
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for (name, item) in table.iter() {
            self.project.content.lines += 1;
            let origin = self.origin(
                table
                    .key(name)
                    .and_then(toml_edit::Key::span)
                    .or(item.span()),
            );
            if name.eq_ignore_ascii_case("python") {
                continue;
            }
            if poetry::is_optional(item) && !chosen.contains(&name) {
                continue;
            }
            match poetry::to_requirement(name, item) {
                Ok(text) => self.entry(&text, origin, false),
                Err(message) => {
                    self.problem(Problem::error("invalid-requirement", origin, message));
                }
            }
        }
    }
}

pub(super) fn same_extra(a: &str, b: &str) -> bool {
    use crate::package::Extra;
    Extra::parse(a).is_some_and(|a| Some(a) == Extra::parse(b))
}

/// A file that could not be read at all is reported where it is named.
pub(super) fn place_at(content: &mut FileContent, origin: &Origin) {
    for problem in &mut content.problems {
        if problem.origin.line.is_none() {
            problem.origin.clone_from(origin);
        }
    }
}

/// A dependency on the frontend says which frontend the node works with; it is
/// lifted out by the node registry too and never installed for the node.
fn is_frontend_statement(entry: &Entry) -> bool {
    matches!(&entry.wanted, Wanted::Named(requirement) if requirement.name.as_str() == "comfyui-frontend-package")
}

/// Reads what a project directory declares outside requirement files:
/// `pyproject.toml`, else a static `setup.cfg`.
pub fn read_project(dir: &Utf8Path, extras: &[String], reading: &Reading<'_>) -> Option<Project> {
    let pyproject = dir.join("pyproject.toml");
    let setup = dir.join("setup.cfg");
    let mut project = fs::is_file(&pyproject).then(|| read_pyproject(&pyproject, extras, reading));
    if fs::is_file(&setup)
        && !project
            .as_ref()
            .is_some_and(|p| p.declares && !p.content.entries.is_empty())
    {
        let content = setupcfg::read_setup_cfg(&setup, extras, reading);
        let into = project.get_or_insert_default();
        into.content.lines += content.lines;
        into.content.entries.extend(content.entries);
        into.content.options.extend(content.options);
        into.content.problems.extend(content.problems);
    }
    project
}
