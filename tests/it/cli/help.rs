//! What is printed about the program itself.

use crate::support::{Sandbox, commands_of_help, examples_of_help};

/// The commands of the README's table.
fn commands() -> Vec<String> {
    let readme = include_str!("../../../README.md");
    let rows = readme
        .lines()
        .filter_map(|line| line.strip_prefix("| `portenv "));
    let mut names: Vec<String> = rows
        .map(|row| row.split([' ', '`']).next().unwrap().to_owned())
        .collect();
    names.dedup();
    names
}

#[test]
fn help_lists_the_commands_of_the_readme_and_no_others_each_once() {
    for page in ["--help", "-h"] {
        let run = Sandbox::new().portenv(&[page]).success();
        let mut listed = commands_of_help(run.stdout());
        let mut all = commands();
        assert_eq!(listed[..2], ["demo", "init"], "what to try first is first");
        listed.sort();
        all.sort();
        assert_eq!(listed, all, "{page}");
    }
}

#[test]
fn the_long_help_has_all_exit_codes() {
    let run = Sandbox::new().portenv(&["--help"]).success();
    let (_, codes) = run.stdout().split_once("Exit codes:\n").unwrap();
    for code in ["0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "130 "] {
        let mut lines = codes.lines();
        assert!(
            lines.any(|line| line.starts_with(&format!("  {code}"))),
            "{code} {run}"
        );
    }
}

#[test]
fn the_long_help_of_a_command_says_what_it_changes_and_how_to_go_back() {
    let sandbox = Sandbox::new();
    for name in commands() {
        let run = sandbox.portenv(&[&name, "--help"]).success();
        let says = run.stdout().to_lowercase();
        assert!(says.contains("\nchanges: "), "{name}: {run}");
        let changes =
            "init lock sync add update enable disable remove undo bisect rollback snapshot";
        if changes.split(' ').any(|one| one == name) {
            assert!(says.contains("\ngoing back: "), "{name}: {run}");
        }
    }
}

#[test]
fn every_example_of_help_is_a_command_that_the_parser_takes() {
    let sandbox = Sandbox::new();
    let mut without = Vec::new();
    for name in commands() {
        let run = sandbox.portenv(&[&name, "--help"]).success();
        let examples = examples_of_help(run.stdout());
        if examples.is_empty() {
            without.push(name);
        }
        for example in examples {
            let mut words = example.split(' ');
            assert_eq!(words.next(), Some("portenv"), "{example}");
            // The parser reads one word after another, and shows help if all is well.
            // What follows two dashes is another program's.
            let words: Vec<&str> = words.collect();
            let own = words.iter().position(|word| *word == "--");
            let (own, others) = words.split_at(own.unwrap_or(words.len()));
            let words: Vec<&str> = [own, &["--help"], others].concat();
            let parsed = sandbox.portenv(&words).success();
            assert!(parsed.stdout().contains("Usage: portenv"), "{example}");
        }
    }
    assert_eq!(without, ["self"], "the others have examples");
}

#[test]
fn help_fits_eighty_columns_and_its_examples_are_never_wrapped() {
    let pages = |width: &str| {
        let sandbox = Sandbox::new().with_env("COLUMNS", width);
        let names = commands().into_iter().map(Some).chain([None]);
        let page = |name: Option<String>, flag: &str| {
            let words = name.iter().map(String::as_str).chain([flag]);
            let words: Vec<&str> = words.collect();
            sandbox.portenv(&words).success().stdout().to_owned()
        };
        let both = names.flat_map(|name| [page(name.clone(), "-h"), page(name, "--help")]);
        both.collect::<Vec<_>>()
    };
    let below = |page: &str| {
        let starts = ["\nChanges:", "\nExample", "\nportenv alone"];
        let start = starts.iter().filter_map(|start| page.find(start)).min();
        start.map(|start| page[start..].to_owned())
    };
    for (narrow, wide) in pages("80").iter().zip(pages("100")) {
        for line in narrow.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
        assert_eq!(below(narrow), below(&wide));
    }
}

#[test]
fn completions_and_the_manual_page_name_the_commands() {
    let sandbox = Sandbox::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = sandbox.portenv(&["completions", shell]).success();
        assert!(
            commands().iter().all(|name| run.stdout().contains(name)),
            "{shell}"
        );
    }
    let man = sandbox.portenv(&["man"]).success();
    assert!(man.stdout().contains(".TH portenv 1"), "{man}");
    assert!(man.stdout().contains("portenv\\-rollback(1)"), "{man}");
}

#[test]
fn bad_usage_is_2_and_one_json_document_where_that_was_asked_for() {
    let sandbox = Sandbox::new();
    let _ = sandbox.portenv(&["no-such-command"]).expect_code(2);
    let run = sandbox
        .portenv(&["rollback", "--no-such-flag", "--format", "json"])
        .expect_code(2);
    let document = run.json();
    assert_eq!(
        (&document["schema"], &document["error"]["code"]),
        (&"portenv.rollback/1".into(), &"usage".into())
    );
    let nowhere = sandbox
        .portenv(&["status", "--format", "json"])
        .expect_code(2);
    assert_eq!(nowhere.json()["error"]["code"], "no-installation");
}
