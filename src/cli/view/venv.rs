//! Environments beside the live one.

use camino::{Utf8Path, Utf8PathBuf};

use super::changes::counted;
use super::{show_document, show_warnings};
use crate::cli::document::venv::{
    VenvCreateDocument, VenvDocument, VenvListDocument, VenvRemoveDocument, VenvRemoveWord,
};
use crate::cli::failure::{Exit, Next};
use crate::cli::screen::{Format, Screen};
use crate::ops::venv::create::Created;
use crate::ops::venv::note::{Note, OriginKind};
use crate::package::artifact::show_bytes;

/// Shows an environment that was made.
pub fn show_created(screen: &Screen, created: &Created) -> Exit {
    let body = VenvCreateDocument::from(created);
    show_warnings(screen, &body.warnings, 1);
    // By path where it does not lie among the installation's.
    let name = &created.note.name;
    let is_inside = created
        .dir
        .ends_with(Utf8Path::new(".portenv/envs").join(name));
    let word = if is_inside {
        name.as_str()
    } else {
        created.dir.as_str()
    };
    let words = ["portenv", "run", word, "--", "python", "--version"];
    let next = [Next::of(words, false, "runs a command in it")];
    if screen.format == Format::Json {
        show_document(screen, "venv", &body, &next);
        return Exit::Done;
    }
    screen.result(created.dir.as_str());
    let own = body.bytes.saturating_sub(body.shared_bytes);
    let room = if body.shared_bytes == 0 {
        format!("{} in copies", show_bytes(body.bytes))
    } else {
        format!(
            "{} on the disk; {} more are links to what uv's cache has",
            show_bytes(own),
            show_bytes(body.shared_bytes)
        )
    };
    screen.note(&format!(
        "environment `{name}` with {} for Python {}: {room}",
        counted(created.note.packages, "package"),
        created.note.python,
    ));
    screen.hint(&format!("portenv run {word} -- python … runs in it"));
    Exit::Done
}

/// Shows the environments of an installation.
pub fn show_list(screen: &Screen, all: &[(Note, Utf8PathBuf)]) -> Exit {
    if screen.format == Format::Json {
        let environments = all.iter().map(|(note, dir)| VenvDocument::new(note, dir));
        let body = VenvListDocument {
            environments: environments.collect(),
        };
        show_document(screen, "venv", &body, &[]);
        return Exit::Done;
    }
    let width = all.iter().map(|(note, _)| note.name.len()).max();
    let line = |(note, _): &(Note, Utf8PathBuf)| {
        let origin = match note.kind {
            OriginKind::Lock => "the lock".to_owned(),
            OriginKind::Wheelhouse => format!("`{}`", note.origin),
            OriginKind::Snapshot => format!("snapshot {}", note.origin),
        };
        format!(
            "{:<width$}  Python {}  {} of {origin}",
            note.name,
            note.python,
            counted(note.packages, "package"),
            width = width.unwrap_or(0),
        )
    };
    let lines: Vec<String> = all.iter().map(line).collect();
    screen.result(&lines.join("\n"));
    if all.is_empty() {
        screen.note("there are no further environments; portenv venv create makes one");
    }
    Exit::Done
}

/// Shows where an environment went.
pub fn show_removed(screen: &Screen, name: &str, to: &Utf8Path) -> Exit {
    if screen.format == Format::Json {
        let body = VenvRemoveDocument {
            status: VenvRemoveWord::Removed,
            name: name.to_owned(),
            trash: to.to_string(),
        };
        show_document(screen, "venv", &body, &[]);
    } else {
        screen.note(&format!("`{name}` is in the trash: `{to}`"));
    }
    Exit::Done
}
