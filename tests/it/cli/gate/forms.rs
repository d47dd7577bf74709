//! What each form says of the same findings, and with which exit code.

use camino::Utf8PathBuf;
use serde_json::Value;

use crate::cli::place::{Place, strings};
use crate::support::{Run, Wheel};

const FORMS: [&str; 6] = ["text", "json", "markdown", "github", "sarif", "junit"];

/// An installation with a line that cannot be read, a conflict and a stale lock.
fn troubled() -> Place {
    let place = Place::synced();
    place.node("clash", "gamma\nbeta>=2\n");
    place.node("broken", "gamma\n=== what?\n");
    place
}

#[track_caller]
fn report(run: &Run) -> roxmltree::Document<'_> {
    roxmltree::Document::parse(run.stdout()).unwrap_or_else(|error| panic!("{error}\n{run}"))
}

/// One annotation, unescaped as the runner of GitHub Actions does it.
#[derive(Debug, PartialEq)]
pub(super) struct Annotation {
    pub(super) level: String,
    pub(super) properties: Vec<(String, String)>,
    pub(super) message: String,
}

impl Annotation {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.properties.iter();
        all.find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Reads the lines that are commands; all others are only shown.
pub(super) fn annotations(text: &str) -> Vec<Annotation> {
    let data = |text: &str| {
        text.replace("%0D", "\r")
            .replace("%0A", "\n")
            .replace("%25", "%")
    };
    let property = |text: &str| data(&text.replace("%3A", ":").replace("%2C", ","));
    let commands = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("::"));
    let parse = |line: &str| {
        let (head, message) = line.split_once("::").expect("a command has two parts");
        let (level, properties) = head.split_once(' ').unwrap_or((head, ""));
        let pairs = properties
            .split(',')
            .filter_map(|pair| pair.split_once('='));
        Annotation {
            level: level.to_owned(),
            properties: pairs
                .map(|(key, value)| (key.to_owned(), property(value)))
                .collect(),
            message: data(message),
        }
    };
    commands.map(parse).collect()
}

#[test]
fn every_form_has_the_same_exit_codes() {
    let place = Place::synced();
    for form in FORMS {
        let _ = place.portenv(&["check", "--format", form]).success();
    }
    let node = place.offered("clash", "beta>=2\n");
    let bad = ["check", "--platform", "abacus"];
    for form in FORMS {
        let _ = place
            .portenv(&["check", &node, "--format", form])
            .expect_code(1);
        let run = place.portenv(&[&bad[..], &["--format", form]].concat());
        let run = run.expect_code(2);
        assert!(run.stderr().contains("abacus"), "{run}");
    }
    let fine = place.offered("fine", "gamma\n");
    let nowhere = "http://127.0.0.1:9/simple";
    let index = format!("[[index]]\nname = \"gone\"\nurl = \"{nowhere}\"\ndefault = true\n");
    place.write("portenv.toml", index);
    for form in FORMS {
        let run = place
            .portenv(&["check", &fine, "--no-cache", "--format", form])
            .expect_code(3);
        match form {
            "text" => assert_eq!(run.stdout(), "", "{run}"),
            "json" => assert_eq!(run.json()["status"], "error"),
            "markdown" => assert!(run.stdout().starts_with("## portenv check: error"), "{run}"),
            "github" => {
                let found = annotations(run.stdout());
                assert_eq!(
                    (found.len(), found[0].level.as_str()),
                    (1, "error"),
                    "{run}"
                );
            }
            "sarif" => {
                let run = &run.json()["runs"][0];
                let invocation = &run["invocations"][0];
                assert_eq!(invocation["executionSuccessful"], false);
                assert_eq!(invocation["exitCode"], 3);
                let told = &invocation["toolExecutionNotifications"][0];
                assert_eq!(told["descriptor"]["id"], "network");
                assert_eq!(run["results"], serde_json::json!([]));
            }
            "junit" => {
                let report = report(&run);
                let error = report.descendants().find(|it| it.has_tag_name("error"));
                assert_eq!(error.unwrap().attribute("type"), Some("network"), "{run}");
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_form_of_the_gate_is_bad_usage_elsewhere() {
    let place = Place::new();
    for form in ["markdown", "github", "sarif", "junit"] {
        for command in [&["lock"][..], &["status"], &["resolve", "requirements.txt"]] {
            let run = place.portenv(&[command, &["--format", form]].concat());
            let run = run.expect_code(2);
            assert_eq!(run.stdout(), "", "{run}");
            assert!(run.stderr().contains(&format!("format `{form}`")), "{run}");
        }
    }
    assert!(!place.root().join("pylock.toml").exists());
    let run = place.portenv(&["check", "--no-such-flag", "--format", "junit"]);
    let run = run.expect_code(2);
    let report = report(&run);
    let error = report.descendants().find(|it| it.has_tag_name("error"));
    assert_eq!(error.unwrap().attribute("type"), Some("usage"), "{run}");
}

#[test]
fn annotations_name_file_line_and_column_of_every_line() {
    let place = troubled();
    let run = place
        .portenv(&["check", "--format", "github"])
        .expect_code(1);
    let found = annotations(run.stdout());
    let with = |code: &str| {
        let is_it = |it: &&Annotation| it.get("title").unwrap().starts_with(code);
        found.iter().find(is_it).unwrap_or_else(|| panic!("{run}"))
    };
    let broken = with("PE005");
    assert_eq!(broken.level, "error");
    assert_eq!(
        (broken.get("file"), broken.get("line"), broken.get("col")),
        (
            Some("custom_nodes/broken/requirements.txt"),
            Some("2"),
            Some("1")
        ),
        "{run}"
    );
    let clash = with("PE001");
    assert_eq!(
        (clash.get("file"), clash.get("line")),
        (Some("custom_nodes/clash/requirements.txt"), Some("2")),
        "{run}"
    );
    for part in ["requirements.txt:2: beta<2", "requirements.txt:2: beta>=2"] {
        assert_eq!(clash.message.matches(part).count(), 1, "{run}");
    }
    assert!(!clash.message.contains(" asks for "), "{run}");
    // Conflicts are told once, and not where a line could be a command.
    assert!(!run.stderr().contains("beta>=2"), "{run}");
    assert_eq!(run.stdout().lines().last(), Some("check: fail"));
}

#[test]
fn a_candidate_in_the_checkout_is_named_by_its_own_path() {
    let place = Place::synced();
    let _ = place.offered("clash", "gamma\nbeta>=2\n");
    let root = place.root().to_string();
    let arguments = ["check", "offered/clash", "--root", &root, "--format"];
    let run = |form| {
        let arguments = [&arguments[..], &[form]].concat();
        place.portenv_in(place.dir(), &arguments).expect_code(1)
    };
    let github = run("github");
    let found = annotations(github.stdout());
    let file = Some("offered/clash/requirements.txt");
    assert_eq!(
        (found[0].get("file"), found[0].get("line")),
        (file, Some("2")),
        "{github}"
    );
    let sarif = run("sarif").json();
    let physical = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(physical["artifactLocation"]["uri"].as_str(), file);
}

/// Returns what is against the schema of SARIF, if a copy is at hand: it is not ours to
/// keep here.
fn against_the_schema(document: &Value) -> Vec<String> {
    let Some(path) = std::env::var_os("PORTENV_SARIF_SCHEMA") else {
        return Vec::new();
    };
    let text = std::fs::read_to_string(path).unwrap();
    let mut schema: Value = serde_json::from_str(&text).unwrap();
    schema.as_object_mut().unwrap().remove("$id");
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors = validator.iter_errors(document);
    errors
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// What readers of SARIF 2.1.0 rely on, section by section.
#[track_caller]
pub(super) fn assert_sarif(document: &Value) -> Vec<Value> {
    assert_eq!(against_the_schema(document), Vec::<String>::new());
    assert_eq!(document["version"], "2.1.0");
    assert!(document["$schema"].as_str().unwrap().contains("2.1.0"));
    let runs = document["runs"].as_array().unwrap();
    let [run] = runs.as_slice() else {
        panic!("{document}");
    };
    let driver = &run["tool"]["driver"];
    assert_eq!(
        (&driver["name"], &driver["version"]),
        (&"portenv".into(), &env!("CARGO_PKG_VERSION").into())
    );
    assert!(
        driver["informationUri"]
            .as_str()
            .unwrap()
            .starts_with("https://")
    );
    let rules = driver["rules"].as_array().unwrap();
    for rule in rules {
        let text = |field: &str| rule[field]["text"].as_str().unwrap().to_owned();
        for field in ["shortDescription", "fullDescription", "help"] {
            assert!(!text(field).is_empty(), "{rule}");
        }
        assert!(rule.get("helpUri").is_none(), "{rule}");
        let level = &rule["defaultConfiguration"]["level"];
        assert!(["error", "warning"].contains(&level.as_str().unwrap()));
    }
    let results = run["results"].as_array().unwrap();
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"], "{result}");
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let fingerprints = result["partialFingerprints"].as_object().unwrap();
        assert_eq!(fingerprints.len(), 1);
        let related = result["relatedLocations"].as_array();
        let places = result["locations"].as_array().unwrap().iter();
        for place in places.chain(related.into_iter().flatten()) {
            let file = &place["physicalLocation"]["artifactLocation"];
            assert_eq!(file["uriBaseId"], "%SRCROOT%");
            let uri = file["uri"].as_str().unwrap();
            // It must be a relative reference, and stay below its base.
            let base = url::Url::parse("file:///base/").unwrap();
            let whole = base.join(uri).unwrap();
            assert!(whole.as_str().starts_with("file:///base/"), "{uri}");
            assert!(url::Url::parse(uri).is_err(), "{uri}");
            let region = &place["physicalLocation"]["region"];
            if !region.is_null() {
                assert!(region["startLine"].as_u64().unwrap() >= 1);
            }
        }
    }
    assert!(run["originalUriBaseIds"]["%SRCROOT%"].is_object());
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    results.clone()
}

fn fingerprints(results: &[Value]) -> Vec<String> {
    let of = |result: &Value| result["partialFingerprints"]["portenvFinding/v1"].to_string();
    let mut all: Vec<String> = results.iter().map(of).collect();
    all.sort();
    all
}

#[test]
fn sarif_has_a_result_for_each_finding_and_its_fingerprint_outlives_a_move() {
    let place = troubled();
    let sarif = |code| {
        let run = place.portenv(&["check", "--format", "sarif"]);
        assert_sarif(&run.expect_code(code).json())
    };
    let results = sarif(1);
    let document = place.json(1, &["check"]);
    assert_eq!(
        strings(&Value::from(results.clone()), "ruleId"),
        strings(&document["findings"], "code")
    );
    let lines = |results: &[Value]| {
        let regions = results.iter().map(|result| {
            result["locations"][0]["physicalLocation"]["region"]["startLine"].clone()
        });
        regions.collect::<Vec<Value>>()
    };
    let mut distinct = fingerprints(&results);
    distinct.dedup();
    assert_eq!(distinct.len(), results.len());

    place.node("clash", "# moved\n\ngamma\nbeta>=2\n");
    place.node("broken", "# moved\ngamma\n=== what?\n");
    let moved = sarif(1);
    assert_ne!(lines(&moved), lines(&results));
    assert_eq!(fingerprints(&moved), fingerprints(&results));
    // Another requirement is another finding.
    place.node("clash", "gamma\nbeta>=1.9\n");
    assert_ne!(fingerprints(&sarif(1)), fingerprints(&results));
}

#[test]
fn sarif_of_a_clean_installation_has_no_results() {
    let place = Place::synced();
    let run = place.portenv(&["check", "--format", "sarif"]).success();
    assert_eq!(assert_sarif(&run.json()), Vec::<Value>::new());
}

#[test]
fn junit_has_a_case_for_each_finding_and_each_code_without() {
    let place = troubled();
    place.settings("[check]\nPE003 = \"off\"\nPE005 = \"warn\"\n");
    let run = place
        .portenv(&["check", "--format", "junit"])
        .expect_code(1);
    let report = report(&run);
    let suite = report
        .descendants()
        .find(|it| it.has_tag_name("testsuite"))
        .unwrap();
    let cases: Vec<_> = suite
        .children()
        .filter(roxmltree::Node::is_element)
        .collect();
    let with = |tag: &str| {
        let has =
            |case: &&roxmltree::Node<'_, '_>| case.children().any(|inner| inner.has_tag_name(tag));
        cases.iter().filter(has).count().to_string()
    };
    let count = |name: &str| suite.attribute(name).unwrap().to_owned();
    assert_eq!(count("tests"), cases.len().to_string());
    assert_eq!(count("failures"), with("failure"));
    assert_eq!(count("skipped"), with("skipped"));
    assert_eq!(count("errors"), "0");
    assert!(cases.iter().all(|case| case.has_tag_name("testcase")));
    let of = |code: &str| {
        let class = format!("portenv.{code}");
        let mut found = cases.iter();
        *found
            .find(|case| case.attribute("classname") == Some(&class))
            .unwrap_or_else(|| panic!("{code} {run}"))
    };
    let inner = |code: &str| {
        let elements = of(code).children().filter(roxmltree::Node::is_element);
        elements.map(|it| it.tag_name().name()).collect::<Vec<_>>()
    };
    assert_eq!(inner("PE001"), ["failure"]);
    assert_eq!(inner("PE003"), ["skipped"]);
    assert_eq!(inner("PE005"), ["system-out"]);
    assert_eq!(inner("PE008"), Vec::<&str>::new());
    let broken = of("PE005");
    assert_eq!(
        (broken.attribute("file"), broken.attribute("line")),
        (Some("custom_nodes/broken/requirements.txt"), Some("2"))
    );
    let mut names: Vec<_> = cases.iter().map(|case| case.attribute("name")).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), cases.len(), "{run}");
}

#[test]
fn markdown_has_a_summary_a_table_and_each_conflict_with_its_ways_out() {
    let place = Place::synced();
    place.server.add(Wheel::new("beta", "2.5").build());
    let node = place.offered("clash", "gamma\nbeta>=2\n");
    let run = place
        .portenv(&["check", &node, "--format", "markdown"])
        .expect_code(1);
    let text = run.stdout();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "## portenv check: fail");
    assert!(lines[2].starts_with("1 error · 1 conflict"), "{run}");
    let rows: Vec<&&str> = lines
        .iter()
        .filter(|line| line.starts_with("| PE"))
        .collect();
    let [row] = rows.as_slice() else {
        panic!("{run}");
    };
    assert!(
        row.starts_with("| PE001 | error | <code>custom_nodes/clash/requirements.txt:2</code> | "),
        "{run}"
    );
    assert!(lines.contains(&"### Conflict: <code>beta</code>"), "{run}");
    assert!(
        lines.contains(
            &"- clash, <code>custom_nodes/clash/requirements.txt:2</code>: <code>beta&#62;=2</code>"
        ),
        "{run}"
    );
    let ways = lines.iter().position(|line| line.starts_with("Ways out"));
    assert!(lines[ways.unwrap() + 2].starts_with("1. "), "{run}");
    assert_eq!(
        text.matches("<details>").count(),
        text.matches("</details>").count(),
        "{run}"
    );
}

#[test]
fn markdown_unfolds_the_conflicts_of_an_installation_where_no_node_is_asked_about() {
    let place = troubled();
    let run = place.portenv(&["check", "--format", "markdown"]);
    let run = run.expect_code(1);
    let before_any_fold = run.stdout().split("<details>").next().unwrap_or_default();
    assert!(before_any_fold.contains("\n### Conflict: "), "{run}");
}

#[test]
fn the_files_of_findings_exist_below_the_working_directory() {
    let place = troubled();
    let run = place
        .portenv(&["check", "--format", "github"])
        .expect_code(1);
    let files: Vec<Utf8PathBuf> = annotations(run.stdout())
        .iter()
        .filter_map(|it| it.get("file").map(Utf8PathBuf::from))
        .collect();
    assert!(files.len() >= 3, "{run}");
    for file in files {
        assert!(place.root().join(&file).is_file(), "{file}\n{run}");
    }
}
