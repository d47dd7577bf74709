//! `explain CODE`.

use portenv::gate::Code;

use super::place::{assert_error, assert_fields};
use crate::support::Sandbox;

#[test]
fn every_code_has_a_page_and_no_installation_is_needed() {
    let sandbox = Sandbox::new();
    for code in Code::ALL {
        let word = code.as_str();
        let run = sandbox
            .portenv(&["explain", word, "--format", "json"])
            .success();
        let document = run.json();
        assert_eq!(document["schema"], "portenv.explain/1");
        assert_eq!(document["code"], word);
        assert_fields(&document, "title level meaning why mend switch");
        for field in ["title", "meaning", "why", "mend"] {
            let text = document[field].as_str().unwrap();
            assert!(!text.contains("  ") && !text.is_empty(), "{text:?}");
        }
        let text = sandbox
            .portenv(&["explain", &word.to_lowercase()])
            .success();
        let title = document["title"].as_str().unwrap();
        let first = format!("{word}: {title}");
        assert_eq!(text.stdout().lines().next(), Some(first.as_str()));
        assert!(
            text.stdout().contains(&format!("{word} = \"off\"")),
            "{text}"
        );
        let long = text.stdout().lines().find(|line| line.chars().count() > 80);
        assert_eq!(long, None, "{text}");
    }
}

#[test]
fn the_switch_of_a_page_is_one_that_the_settings_take() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("");
    for code in Code::ALL {
        let arguments = ["explain", code.as_str(), "--format", "json"];
        let document = sandbox.portenv(&arguments).success().json();
        let text = document["switch"].as_str().unwrap().to_owned();
        let read = portenv::workspace::Settings::parse(&text, "portenv.toml".into()).unwrap();
        let level = code.level(&read.check);
        assert_eq!(level, portenv::workspace::settings::Level::Off);
    }
}

#[test]
fn the_table_of_the_readme_says_what_the_pages_say() {
    let readme = include_str!("../../../README.md");
    let rows: Vec<&str> = readme.lines().filter(|it| it.starts_with("| PE")).collect();
    let wanted = Code::ALL.map(|code| {
        let level = match code.default_level() {
            portenv::workspace::settings::Level::Error => "error",
            _ => "warn",
        };
        format!("| {} | {level} | {} |", code.as_str(), code.page().title)
    });
    assert_eq!(rows, wanted);
}

#[test]
fn a_code_that_is_none_is_bad_usage() {
    let sandbox = Sandbox::new();
    for arguments in [&["explain", "PE999"][..], &["explain", "PE"]] {
        let arguments = [arguments, &["--format", "json"]].concat();
        let run = sandbox.portenv(&arguments).expect_code(2);
        assert_error(&run, "usage");
        assert!(run.stderr().contains("PE001 to PE0"), "{run}");
    }
}
