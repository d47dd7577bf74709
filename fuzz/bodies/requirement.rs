//! Requirement files: what parses prints and parses again equal, and every error
//! points into its line.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use camino::Utf8Path;
use portenv::index::direct::understand;
use portenv::index::netrc::find;
use portenv::nodes::source::parse_node;
use portenv::package::artifact::{printable, redact, without_credentials};
use portenv::package::requirement::split;
use portenv::package::target::MachineFacts;
use portenv::package::{Platform, Requirement, Target, Version};
use portenv::requirements::file::{Reading, parse_requirements};
use portenv::requirements::line::logical_lines;
use portenv::requirements::statement::{Statement, parse};
use portenv::requirements::text::{decode, position};
use portenv::requirements::{Origin, OriginKind};

pub(crate) fn run(data: &[u8]) {
    let text = match decode(data) {
        Ok(text) => text,
        Err(error) => {
            assert!(error.line > 0 && error.column > 0);
            return;
        }
    };
    let variables = BTreeMap::from([("TOKEN".to_owned(), "s#cret\\".to_owned())]);
    let (last, _) = position(&text, text.len());
    let mut includes = false;
    for line in logical_lines(&text, &variables) {
        let length = line.text.chars().count();
        for at in (0..=length).step_by(1 + length / 256) {
            let (number, column) = line.position(at);
            assert!((1..=last).contains(&number) && column > 0);
        }
        match parse(&line.text) {
            Ok(Statement::Include(_) | Statement::Constrain(_)) => includes = true,
            Ok(_) => {}
            Err(error) => within(&line.text, error.column),
        }
        requirement(&line.text);
        place(&line.text);
    }
    // What is included lies on the machine, which is none of this target's.
    if !includes {
        let owner = Origin::file(OriginKind::File, None, "r.txt");
        let reading = Reading {
            root: Utf8Path::new("/nowhere"),
            owner: &owner,
            variables: &variables,
        };
        let content = parse_requirements(&text, Utf8Path::new("/nowhere"), &reading);
        assert!(content.entries.len() <= content.lines);
    }
}

fn target() -> &'static Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let platform: Platform = "x86_64-pc-windows-msvc".parse().expect("a platform");
        Target::new(platform, Version::new([3, 11]), &MachineFacts::default())
    })
}

fn within(text: &str, column: usize) {
    let length = text.chars().count();
    assert!(column <= length, "column {column} of {length}: {text:?}");
}

/// A text in place of an address or a node.
fn place(text: &str) {
    let nowhere = Utf8Path::new("/nowhere");
    let _ = understand(text, nowhere);
    let _ = parse_node(text, nowhere);
    let _ = (redact(text), without_credentials(text));
    let _ = (find("host.test", text), find(text, text));
    assert_eq!(printable(&printable(text)), printable(text));
}

fn requirement(text: &str) {
    let _ = split(text);
    let parsed = match Requirement::parse_noting(text) {
        Ok((parsed, _)) => parsed,
        Err(error) => return within(text, error.column),
    };
    let _ = parsed.marker.holds(target().environment());
    let _ = parsed
        .marker
        .holds_with(target().environment(), &parsed.extras);
    let printed = parsed.to_string();
    // Credentials are never printed.
    if parsed
        .url
        .as_ref()
        .is_some_and(|url| !printed.contains(url))
    {
        return;
    }
    match Requirement::parse_noting(&printed) {
        Ok((again, None)) => assert_eq!(again, parsed, "printed as {printed:?}"),
        Ok((_, Some(repair))) => panic!("{printed:?} needs a repair: {repair}"),
        Err(error) => panic!("{printed:?} of {text:?}: {error}"),
    }
}
