//! The rules that are written down, checked.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use crate::support::{Sandbox, commands_of_help};

/// What a top-level module may import besides itself. Rows are ordered: a module only uses those
/// above it, but for the exceptions, which say why.
const IMPORTS: [(&str, &[&str]); 20] = [
    ("progress", &[]),
    ("host", &[]),
    ("package", &[]),
    ("git", &["host", "progress"]),
    ("workspace", &["host", "git", "package"]),
    ("environment", &["host", "git", "package"]),
    ("requirements", &["host", "package", "workspace"]),
    ("index", &["host", "progress", "git", "package"]),
    ("resolve", &["progress", "package", "requirements", "index"]),
    ("lock", &["host", "package", "requirements", "resolve"]),
    (
        "gate",
        &[
            "package",
            "workspace",
            "environment",
            "requirements",
            "resolve",
            "lock",
        ],
    ),
    ("plan", &["package", "environment", "lock"]),
    ("uv", &["host", "progress", "package", "index"]),
    (
        "sync",
        &[
            "host",
            "progress",
            "package",
            "environment",
            "lock",
            "plan",
            "uv",
        ],
    ),
    (
        "nodes",
        &["host", "progress", "git", "package", "workspace", "index"],
    ),
    ("store", &["host", "git", "package", "environment"]),
    (
        "snapshot",
        &["host", "package", "workspace", "environment", "lock"],
    ),
    (
        "wheelhouse",
        &[
            "host", "progress", "package", "index", "lock", "uv", "store",
        ],
    ),
    ("pack", &["host", "package", "environment"]),
    ("ops", EVERYTHING_BELOW),
];

const EVERYTHING_BELOW: &[&str] = &[
    "host",
    "progress",
    "package",
    "git",
    "workspace",
    "environment",
    "requirements",
    "index",
    "resolve",
    "lock",
    "gate",
    "plan",
    "uv",
    "sync",
    "nodes",
    "store",
    "snapshot",
    "wheelhouse",
    "pack",
];

/// Imports beyond the table: module, what it imports, and the only items of it that it may use.
const EXCEPTIONS: [(&str, &str, &[&str]); 3] = [
    // A child process that is waited for must end when the user interrupts.
    ("host", "progress", &["Cancel"]),
    // What git says may hold an address with a password, or terminal escapes.
    ("git", "package", &["redact", "artifact"]),
    // The three words that people write in `portenv.toml` are the solver's options too.
    ("resolve", "workspace", &["settings"]),
];

fn repository() -> &'static Utf8Path {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns all files below a directory, relative to the repository, with `/`, sorted.
fn files_in(dir: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut todo = vec![repository().join(dir)];
    while let Some(dir) = todo.pop() {
        for entry in dir.read_dir_utf8().unwrap() {
            let path = entry.unwrap().into_path();
            if path.is_dir() {
                todo.push(path);
            } else {
                let shown = path.strip_prefix(repository()).unwrap();
                found.push(shown.as_str().replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

fn rust_files(dir: &str) -> Vec<String> {
    let mut files = files_in(dir);
    files.retain(|file| file.ends_with(".rs"));
    assert!(!files.is_empty(), "no Rust files in {dir}");
    files
}

fn read(file: &str) -> String {
    std::fs::read_to_string(repository().join(file))
        .unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Returns the code without comments: a link in a doc comment imports nothing.
fn code_of(file: &str) -> String {
    let text = read(file);
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// `src/lock/read.rs` → `lock`; `src/progress.rs` → `progress`.
fn module_of(file: &str) -> &str {
    let rest = file.strip_prefix("src/").unwrap();
    let end = rest.find(['/', '.']).unwrap();
    &rest[..end]
}

/// Returns what stands behind each `crate::` of the code: module, then the item or items in it.
fn imports_of(code: &str) -> Vec<(String, Vec<String>)> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(is_word) {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        assert!(
            !rest.starts_with('{'),
            "write `use crate::module::…`, one module a line: {}",
            rest.lines().next().unwrap_or("")
        );
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (module, rest) = rest.split_at(end);
        let items = match rest.strip_prefix("::") {
            Some(rest) => match rest.strip_prefix('{') {
                Some(list) => {
                    let list = &list[..list.find(';').unwrap_or(list.len())];
                    let heads = list
                        .split(',')
                        .map(|item| item.trim().trim_end_matches('}'));
                    let head = |item: &str| item.split("::").next().unwrap_or("").to_owned();
                    heads.map(head).filter(|item| !item.is_empty()).collect()
                }
                None => vec![rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())].to_owned()],
            },
            None => Vec::new(),
        };
        found.push((module.to_owned(), items));
    }
    found
}

/// What a module imports → the files that do, each with the items it names.
type Imports = BTreeMap<String, Vec<(String, Vec<String>)>>;

/// Module → its imports, for everything below `src`.
fn all_imports() -> BTreeMap<String, Imports> {
    let mut all: BTreeMap<String, Imports> = BTreeMap::new();
    for file in rust_files("src") {
        let module = module_of(&file).to_owned();
        let entry = all.entry(module.clone()).or_default();
        for (used, items) in imports_of(&code_of(&file)) {
            if used != module {
                entry.entry(used).or_default().push((file.clone(), items));
            }
        }
    }
    all
}

#[test]
fn imports_are_read_from_code_as_people_write_it() {
    let code = "use crate::host::{FsError, fs::{self, write}};\nlet x = crate::package::redact(y);\n\
        pub(crate) fn z() -> crate::progress::Cancel;\nuse other_crate::host;\n";
    let list = |items: &[&str]| {
        items
            .iter()
            .map(|&item| item.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        imports_of(code),
        [
            ("host".to_owned(), list(&["FsError", "fs", "write"])),
            ("package".to_owned(), list(&["redact"])),
            ("progress".to_owned(), list(&["Cancel"])),
        ]
    );
}

#[test]
fn modules_import_only_what_the_table_allows() {
    let mut wrong = Vec::new();
    let mut needed = BTreeSet::new();
    for (module, used) in all_imports() {
        if matches!(module.as_str(), "cli" | "lib" | "main") {
            continue;
        }
        let row = IMPORTS.iter().find(|(name, _)| *name == module);
        let Some((_, allowed)) = row else {
            wrong.push(format!("{module} has no row in the import table"));
            continue;
        };
        for (target, places) in used {
            if allowed.contains(&target.as_str()) {
                continue;
            }
            let exception = EXCEPTIONS
                .iter()
                .find(|(from, to, _)| *from == module && *to == target);
            for (file, items) in places {
                let fine = exception.is_some_and(|(_, _, only)| {
                    items.iter().all(|item| only.contains(&item.as_str()))
                });
                if fine {
                    needed.insert((module.clone(), target.clone()));
                } else {
                    wrong.push(format!("{file} may not import {target}::{items:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let stale = EXCEPTIONS
        .iter()
        .filter(|(from, to, _)| !needed.contains(&((*from).to_owned(), (*to).to_owned())));
    let stale: Vec<_> = stale.collect();
    assert!(stale.is_empty(), "exceptions nothing needs: {stale:?}");
}

#[test]
fn the_import_table_names_modules_that_exist() {
    let modules: BTreeSet<String> = rust_files("src")
        .iter()
        .map(|file| module_of(file).to_owned())
        .filter(|name| !matches!(name.as_str(), "cli" | "lib" | "main"))
        .collect();
    let named: BTreeSet<String> = IMPORTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(named, modules);
}

#[test]
fn nothing_below_the_edge_imports_the_edge() {
    for (module, used) in all_imports() {
        if module != "lib" && module != "main" {
            assert!(!used.contains_key("cli"), "{module} imports cli: {used:?}");
            assert!(
                module == "cli" || !used.contains_key("ops"),
                "{module} imports ops: {used:?}"
            );
        }
    }
}

#[test]
fn top_level_modules_form_no_cycle() {
    let mut edges: BTreeMap<String, BTreeSet<String>> = all_imports()
        .into_iter()
        .filter(|(module, _)| module != "lib" && module != "main")
        .map(|(module, used)| (module, used.into_keys().collect()))
        .collect();
    // Whatever imports nothing that is left can be taken away; a cycle is what stays.
    while let Some(leaf) = edges
        .iter()
        .find(|(_, used)| used.iter().all(|name| !edges.contains_key(name)))
        .map(|(name, _)| name.clone())
    {
        edges.remove(&leaf);
    }
    assert!(edges.is_empty(), "a cycle among {edges:?}");
}

#[test]
#[expect(
    clippy::print_stdout,
    reason = "seen with --nocapture, by whoever looks"
)]
fn no_file_is_longer_than_700_lines() {
    let mut long = Vec::new();
    for file in rust_files("src").into_iter().chain(rust_files("tests")) {
        let lines = read(&file).lines().count();
        if lines > 500 {
            println!("{file} has {lines} lines: look whether it should be split");
        }
        if lines > 700 {
            long.push(format!("{file}: {lines}"));
        }
    }
    assert!(long.is_empty(), "split these: {long:?}");
}

#[test]
fn only_the_screen_prints() {
    for file in rust_files("src") {
        if file == "src/cli/screen.rs" {
            continue;
        }
        let code = code_of(&file);
        for name in ["println!", "eprintln!", "print!(", "eprint!(", "dbg!("] {
            assert!(!code.contains(name), "{file} uses {name}");
        }
    }
}

#[test]
fn the_machine_is_asked_only_by_host_and_the_edge() {
    for file in rust_files("src") {
        if matches!(module_of(&file), "host" | "cli" | "main") {
            continue;
        }
        // `std::env::consts` is what the compiler knows, not what the machine says.
        let code = code_of(&file).replace("std::env::consts", "");
        for name in ["std::env", "env::var", "current_dir("] {
            assert!(!code.contains(name), "{file} uses {name}");
        }
        // A handle is handed on to a child; opening one is host's.
        let rest = code.replace("std::fs::File;", "");
        let names_files = rest.contains("std::fs") || rest.contains("File::open");
        assert!(!names_files, "{file} goes past host::fs");
        assert!(
            !code.contains("Command::new"),
            "{file} goes past host::process"
        );
    }
}

#[test]
fn every_test_file_is_reached_from_main() {
    let mut reached = BTreeSet::new();
    let mut todo = vec![("tests/it/main.rs".to_owned(), Utf8PathBuf::from("tests/it"))];
    while let Some((file, dir)) = todo.pop() {
        let text = read(&file);
        let before = std::iter::once("").chain(text.lines());
        for (before, line) in before.zip(text.lines()) {
            // What lies elsewhere and is shared is no file of this folder.
            if before.starts_with("#[path") {
                continue;
            }
            let line = line
                .trim_start_matches("pub(crate) ")
                .trim_start_matches("pub ");
            let Some(name) = line
                .strip_prefix("mod ")
                .and_then(|rest| rest.strip_suffix(';'))
            else {
                continue;
            };
            let flat = dir.join(format!("{name}.rs"));
            let nested = dir.join(name).join("mod.rs");
            let path = if repository().join(&flat).exists() {
                flat
            } else {
                nested
            };
            todo.push((path.into_string(), dir.join(name)));
        }
        reached.insert(file);
    }
    let all: BTreeSet<String> = rust_files("tests/it").into_iter().collect();
    let forgotten: Vec<_> = all.difference(&reached).collect();
    assert!(forgotten.is_empty(), "no `mod` line leads to {forgotten:?}");
}

fn real_commands() -> BTreeSet<String> {
    let sandbox = Sandbox::new();
    let help = sandbox.portenv(&["--help"]).success();
    let commands: BTreeSet<String> = commands_of_help(help.stdout()).into_iter().collect();
    assert!(commands.contains("resolve"), "{commands:?}");
    commands
}

#[test]
fn the_readme_lists_exactly_the_commands_of_help() {
    let readme = read("README.md");
    let rows = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `portenv "));
    let words = rows.filter_map(|row| row.split([' ', '`']).next());
    let listed: BTreeSet<String> = words.map(str::to_owned).collect();
    assert_eq!(listed, real_commands());
}

#[test]
fn the_readme_lists_the_exit_codes_of_help() {
    let codes = |text: &str, row: fn(&str) -> Option<&str>| {
        let found = text.lines().filter_map(row);
        found
            .filter_map(|word| word.parse::<u8>().ok())
            .collect::<BTreeSet<_>>()
    };
    let sandbox = Sandbox::new();
    let help = sandbox.portenv(&["--help"]).success();
    let (_, help) = help
        .stdout()
        .split_once("Exit codes:")
        .expect("--help lists exit codes");
    let in_help = codes(help, |line| line.split_whitespace().next());
    let in_readme = codes(&read("README.md"), |line| {
        line.strip_prefix("| ")?.split(' ').next()
    });
    assert_eq!(in_readme, in_help);
    assert_eq!(in_help, BTreeSet::from([0, 1, 2, 3, 4, 5, 130]));
}

/// Commands that are planned: naming one before it exists sends people into the void.
const PLANNED: [&str; 23] = [
    "apply",
    "bisect",
    "cache",
    "disable",
    "doctor",
    "enable",
    "explain",
    "export",
    "freeze",
    "guard",
    "pack",
    "redo",
    "repair",
    "run",
    "search",
    "tree",
    "undo",
    "unpack",
    "update",
    "venv",
    "verify",
    "wheelhouse",
    "why",
];

#[test]
fn every_command_that_a_message_names_exists() {
    let commands = real_commands();
    let mut seen = BTreeSet::new();
    for file in rust_files("src") {
        let code = code_of(&file);
        for (at, lead) in code.match_indices("portenv ") {
            let rest = &code[at + lead.len()..];
            let end = rest
                .find(|c: char| !c.is_ascii_lowercase())
                .unwrap_or(rest.len());
            let word = &rest[..end];
            let planned = PLANNED.contains(&word) && !commands.contains(word);
            assert!(
                !planned,
                "{file} names `portenv {word}`, which does not exist"
            );
            if commands.contains(word) {
                seen.insert(word.to_owned());
            }
        }
    }
    assert!(
        seen.contains("recover") && seen.contains("lock"),
        "{seen:?}"
    );
}

#[test]
fn every_folder_of_modules_says_what_it_never_does() {
    let mods = rust_files("src")
        .into_iter()
        .filter(|file| file.ends_with("/mod.rs"));
    for file in mods {
        let text = read(&file);
        let doc: Vec<&str> = text
            .lines()
            .take_while(|line| line.starts_with("//!"))
            .collect();
        let says = doc.iter().any(|line| line.starts_with("//! Never: "));
        assert!(says, "{file} has no `Never:` line");
    }
}

#[test]
fn no_file_names_a_place_on_one_machine() {
    // Put together here, or this file would be the first to fail.
    let places = [["/wo", "rk/"], ["/ro", "ot/"], ["/opt/", "uvenv"]].map(|parts| parts.concat());
    let mut files: Vec<String> = ["src", "tests", "corpus", ".ci"]
        .into_iter()
        .flat_map(files_in)
        .collect();
    files.extend(["README.md", "CHANGELOG.md", "Cargo.toml"].map(str::to_owned));
    for file in files {
        let bytes = std::fs::read(repository().join(&file)).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for place in &places {
            assert!(!text.contains(place.as_str()), "{file} names {place}");
        }
    }
}

#[test]
fn both_licences_of_the_manifest_lie_in_the_repository() {
    assert!(read("Cargo.toml").contains("license = \"MIT OR Apache-2.0\""));
    assert!(read("LICENSE-MIT").contains("Permission is hereby granted, free of charge"));
    assert!(read("LICENSE-APACHE").contains("Apache License"));
}
