//! What is printed about the program itself.

use crate::support::Sandbox;

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
fn help_lists_the_commands_of_the_readme_and_no_others() {
    let run = Sandbox::new().portenv(&["--help"]).success();
    let (_, rest) = run.stdout().split_once("Commands:\n").unwrap();
    let listed: Vec<&str> = rest
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            line.strip_prefix("  ")?
                .split(' ')
                .next()
                .filter(|word| !word.is_empty())
        })
        .collect();
    assert_eq!(listed, commands());
    for code in ["0 ", "1 ", "2 ", "3 ", "4 ", "5 ", "130 "] {
        assert!(
            rest.lines()
                .any(|line| line.starts_with(&format!("  {code}"))),
            "{code} {run}"
        );
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
