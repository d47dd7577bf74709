//! `install_requires` of a static `setup.cfg` (setuptools, declarative form).

use camino::Utf8Path;

use super::file::{Entry, FileContent, Reading, shown_text, unreadable};
use super::origin::{Problem, show_path};
use super::pyproject::{place_at, same_extra};
use super::statement::{Statement, parse};
use super::text::decode;
use crate::host::fs;

/// Reads `[options] install_requires` and the wanted `[options.extras_require]`.
pub fn read_setup_cfg(path: &Utf8Path, extras: &[String], reading: &Reading<'_>) -> FileContent {
    let file = reading.owner.in_file(&show_path(reading.root, path));
    let mut content = FileContent::default();
    let text = match fs::read_bytes(path).map(|bytes| decode(&bytes)) {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => {
            content.problems.push(Problem::error(
                "invalid-file",
                file.at(error.line, error.column),
                error.message,
            ));
            return content;
        }
        Err(error) => {
            content.problems.push(Problem::error(
                "invalid-file",
                file,
                format!("cannot read: {}", error.source),
            ));
            return content;
        }
    };
    let (mut section, mut key) = (String::new(), String::new());
    for (number, raw) in (1u32..).zip(text.lines()) {
        let line = raw.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            name.trim().clone_into(&mut section);
            key.clear();
            continue;
        }
        let is_header = line.starts_with('[') && !raw.starts_with([' ', '\t']);
        if section.is_empty() || is_header {
            let message = if is_header {
                "this section has no `]`"
            } else {
                "this stands before the first `[section]`"
            };
            content.problems.push(
                Problem::error("invalid-file", file.at(number, 1), message)
                    .with_fix("mend the file: setuptools cannot read it either"),
            );
            return content;
        }
        let value = if raw.starts_with([' ', '\t']) {
            line
        } else {
            let (name, value) = line.split_once(['=', ':']).unwrap_or((line, ""));
            name.trim().clone_into(&mut key);
            value.trim()
        };
        let wanted = (section == "options" && key == "install_requires")
            || (section == "options.extras_require"
                && extras.iter().any(|extra| same_extra(extra, &key)));
        if !wanted || value.is_empty() {
            continue;
        }
        let indent = raw.find(value).map_or(0, |at| raw[..at].chars().count());
        let origin = file.at(number, u32::try_from(indent).unwrap_or(0) + 1);
        content.lines += 1;
        if let Some(named) = value.strip_prefix("file:") {
            for name in named.split(',').map(str::trim) {
                let target = path.with_file_name(name);
                let mut read = super::file::read_named(&target, &origin, reading);
                place_at(&mut read, &origin);
                content.lines += read.lines;
                content.entries.extend(read.entries);
                content.options.extend(read.options);
                content.problems.extend(read.problems);
            }
            continue;
        }
        match parse(value) {
            Ok(Statement::Require {
                wanted,
                hashes,
                editable,
                repair,
            }) => {
                content.problems.extend(repair.map(|repair| {
                    Problem::warning("repaired-requirement", origin.clone(), repair)
                }));
                content.entries.push(Entry {
                    origin,
                    text: shown_text(value, &wanted),
                    wanted,
                    hashes,
                    editable,
                    constraint: false,
                    base: path.parent().unwrap_or(Utf8Path::new("")).to_owned(),
                });
            }
            Ok(_) => content.problems.push(Problem::warning(
                "not-a-requirement",
                origin,
                "an option cannot stand here",
            )),
            Err(error) => {
                let column = u32::try_from(indent + error.column).unwrap_or(0) + 1;
                let at = file.at(number, column);
                content
                    .problems
                    .push(unreadable(at, value, &error.message, error.fix));
            }
        }
    }
    content
}
