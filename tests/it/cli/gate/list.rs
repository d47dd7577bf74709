//! `--with`: which nodes of a list can live with the one at hand.

use serde_json::Value;

use crate::cli::gate::core::Desk;
use crate::cli::gate::forms::annotations;
use crate::cli::place::{assert_error, strings};

/// A list with a node that fits, one that does not, and two that cannot be read; the one
/// that does not is at hand as a repository, the other as a directory.
fn with_list() -> Desk {
    let desk = Desk::new();
    let friend = desk.dir.join("others/friend");
    std::fs::create_dir_all(&friend).unwrap();
    std::fs::write(friend.join("__init__.py"), "").unwrap();
    std::fs::write(friend.join("requirements.txt"), "gamma\n").unwrap();
    let foe = desk.sandbox.git_remote("foe", "delta<2\n");
    let list = format!(
        "[[node]]\nsource = \"others/friend\"\nweight = 2\n\n\
         [[node]]\nsource = \"{foe}\"\nrev = \"main\"\nreason = \"many use it\"\n\n\
         [[node]]\nsource = \"{foe}-that-is-gone\"\n\n\
         [[node]]\nsource = \"others/friend\"\npin = \"v1\"\n"
    );
    std::fs::write(desk.dir.join("nodes.toml"), list).unwrap();
    desk
}

const WITH: [&str; 5] = [".", "--core", "v0.9.0", "--with", "nodes.toml"];

fn rows(document: &Value) -> Vec<String> {
    let rows = document["with"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let row = |row: &Value| format!("{} {}", text(&row["node"]), text(&row["status"]));
    let shorten = |text: String| text.rsplit('/').next().unwrap().to_owned();
    rows.map(row).map(shorten).collect()
}

#[test]
fn each_node_of_the_list_has_a_row_and_a_conflict_fails_the_check() {
    let desk = with_list();
    let document = desk.asks("alpha\ndelta>=2\n").json(1, &WITH);
    assert_eq!(
        rows(&document),
        [
            "friend fits",
            "foe conflicts",
            "foe-that-is-gone unread",
            "friend unread"
        ]
    );
    let foe = &document["with"][1];
    assert_eq!(
        (&foe["rev"], &foe["reason"]),
        (&"main".into(), &"many use it".into())
    );
    // The lines of both, and the same conflict among those of the check.
    let lines = foe["conflicts"][0]["requirements"].as_array().unwrap();
    let mut files: Vec<String> = lines
        .iter()
        .map(|line| format!("{}:{}", line["origin"]["file"], line["origin"]["line"]))
        .collect();
    files.sort();
    assert_eq!(
        files,
        [
            "\"custom_nodes/foe/requirements.txt\":1",
            "\"requirements.txt\":2"
        ]
    );
    assert_eq!(foe["conflicts"][0], document["conflicts"][0]);
    let finding = &document["findings"][0];
    assert_eq!(
        (
            &finding["code"],
            &finding["level"],
            &finding["origin"]["line"]
        ),
        (&"PE001".into(), &"error".into(), &2.into())
    );
    let message = finding["message"].as_str().unwrap();
    assert!(message.starts_with("not together with foe: "), "{message}");
    assert_eq!(document["findings"].as_array().unwrap().len(), 1);
    let unread = document["with"][3]["message"].as_str().unwrap();
    assert!(unread.contains("no repository"), "{unread}");
}

#[test]
fn the_rows_are_told_as_text_markdown_and_annotations() {
    let desk = with_list();
    desk.asks("alpha\ndelta>=2\n");
    let text = desk.run(&WITH).expect_code(1);
    assert!(
        text.stdout()
            .contains("1 of 4 nodes of the list fit\n  friend fits\n"),
        "{text}"
    );
    assert!(
        text.stdout().contains("foe@main conflicts: delta\n"),
        "{text}"
    );
    let form = |form: &str| desk.run(&[&WITH[..], &["--format", form]].concat());
    let markdown = form("markdown").expect_code(1);
    assert!(
        markdown.stdout().contains("| <code>friend</code> | fits |"),
        "{markdown}"
    );
    assert!(
        markdown.stdout().contains("| conflicts | delta |"),
        "{markdown}"
    );
    let github = form("github").expect_code(1);
    let found = annotations(github.stdout());
    assert_eq!(
        (found.len(), found[0].get("file"), found[0].get("line")),
        (1, Some("requirements.txt"), Some("2"))
    );
}

#[test]
fn a_policy_makes_it_a_report() {
    let desk = with_list();
    std::fs::write(desk.dir.join("portenv.toml"), "[check]\nPE001 = \"warn\"\n").unwrap();
    let document = desk.asks("delta>=2\n").json(0, &WITH);
    assert_eq!(rows(&document)[1], "foe conflicts");
    assert_eq!(document["findings"][0]["level"], "warn");
}

#[test]
fn what_a_listed_node_cannot_agree_on_with_the_core_is_its_own_affair() {
    let desk = Desk::new();
    let odd = desk.sandbox.git_remote("odd", "beta>=2\ndelta<2\n");
    let list = format!("[[node]]\nsource = \"{odd}\"\n");
    std::fs::write(desk.dir.join("nodes.toml"), list).unwrap();
    let document = desk.asks("alpha\n").json(0, &WITH);
    assert_eq!(rows(&document), ["odd fits"]);
    let message = document["with"][0]["message"].as_str().unwrap();
    assert!(message.contains("does not fit by itself"), "{message}");
    // What is left of it still counts.
    let document = desk.asks("delta>=2\n").json(1, &WITH);
    assert_eq!(rows(&document), ["odd conflicts"]);
}

#[test]
fn the_node_itself_is_in_the_list_and_a_node_without_an_answer_is_asked_about_nobody() {
    let desk = Desk::new();
    let list = "[[node]]\nsource = \"https://host.invalid/someone/checkout.git\"\n";
    std::fs::write(desk.dir.join("nodes.toml"), list).unwrap();
    let document = desk.asks("alpha\n").json(0, &WITH);
    assert_eq!(rows(&document), ["checkout itself"]);
    let document = desk.asks("beta>=2\n").json(1, &WITH);
    assert_eq!(rows(&document), ["checkout.git not-asked"]);
    assert_eq!(strings(&document["findings"], "code"), ["PE001"]);
}

#[test]
fn a_listed_node_whose_own_requirements_cannot_be_had_fails_nothing() {
    let desk = Desk::new();
    let gone = desk.sandbox.dir().join("gone");
    let lost = desk
        .sandbox
        .git_remote("lost", &format!("git+file://{gone}\n"));
    let list = format!("[[node]]\nsource = \"{lost}\"\n");
    std::fs::write(desk.dir.join("nodes.toml"), list).unwrap();
    let document = desk.asks("alpha\n").json(0, &WITH);
    assert_eq!(rows(&document), ["lost unread"]);
}

#[test]
fn a_list_that_cannot_be_read_is_bad_input_with_its_place() {
    let desk = Desk::new();
    std::fs::write(
        desk.dir.join("nodes.toml"),
        "[[node]]\nsource = \"a\"\ncolour = 1\n",
    )
    .unwrap();
    let json = ["--format", "json"];
    let run = desk.asks("").run(&[&WITH[..], &json[..]].concat());
    assert_error(&run, "invalid-file");
    let origin = &run.expect_code(2).json()["error"]["origin"];
    assert_eq!(
        (&origin["file"], &origin["line"]),
        (&"nodes.toml".into(), &3.into())
    );
    // It is judged beside something.
    let alone = desk.run(&[".", "--with", "nodes.toml", "--format", "json"]);
    assert_error(&alone.expect_code(2), "usage");
}
