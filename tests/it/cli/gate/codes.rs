//! The codes: when each is found, where, how it counts, and that it can be switched off.

use serde_json::Value;

use crate::cli::place::{Place, assert_error, strings};
use crate::support::{Sdist, Wheel};

/// Demands that a check finds a code at this level and place (`file:line:column`), that
/// `error` makes it fail and that `off` silences it. Returns the finding.
#[track_caller]
fn found(place: &Place, arguments: &[&str], code: &str, level: &str, at: Option<&str>) -> Value {
    let check = |switch: &str, exit| {
        place.settings(&format!(
            "[check]\nPE002 = \"off\"\nPE003 = \"off\"\n{switch}"
        ));
        let document = place.json(exit, &[&["check"], arguments].concat());
        let findings = document["findings"].as_array().unwrap().clone();
        let mut of_code = findings.into_iter().filter(|it| it["code"] == code);
        (of_code.next(), of_code.next())
    };
    let (Some(finding), None) = check("", i32::from(level == "error")) else {
        panic!("there is not one {code}");
    };
    assert_eq!(finding["level"], level);
    let origin = &finding["origin"];
    let number = |field: &str| origin[field].as_u64().map(|it| format!(":{it}"));
    let place = origin["file"].as_str().map(|file| {
        let [line, column] = ["line", "column"].map(|field| number(field).unwrap_or_default());
        format!("{file}{line}{column}")
    });
    assert_eq!(place.as_deref(), at);
    assert!(check(&format!("{code} = \"error\"\n"), 1).0.is_some());
    assert_eq!(check(&format!("{code} = \"off\"\n"), 0).0, None);
    finding
}

#[test]
fn a_repository_without_a_commit_is_told_at_its_line() {
    let place = Place::synced();
    let pinned = "0123456789abcdef0123456789abcdef01234567";
    // Nothing is fetched: the lines are for another platform.
    let other = "; sys_platform == 'nowhere'";
    place.node(
        "loose",
        &format!(
            "gamma\na @ git+https://me@example.invalid/a@{pinned} {other}\n\
             b @ git+https://me@example.invalid/b {other}\n\
             c @ https://example.invalid/c/archive/v1.zip {other}\n"
        ),
    );
    let at = Some("custom_nodes/loose/requirements.txt:3:1");
    let finding = found(&place, &[], "PE009", "warn", at);
    assert!(finding["message"].as_str().unwrap().contains("no commit"));
    place.settings("");
    for (address, why) in [
        ("git+https://example.invalid/b@main", "`main`"),
        ("git+https://example.invalid/b@v1.2#egg=b", "`v1.2`"),
        (
            "https://example.invalid/b/archive/refs/heads/x.zip",
            "branch",
        ),
    ] {
        place.node("loose", &format!("b @ {address} {other}\n"));
        let document = place.json(1, &["check"]);
        let told = document["findings"].to_string();
        assert!(told.contains("PE009") && told.contains(why), "{told}");
    }
}

#[test]
fn an_index_that_only_a_node_names_is_told_until_the_policy_names_it() {
    let place = Place::synced();
    let url = "https://me:secret@elsewhere.invalid/simple/";
    place.node("greedy", &format!("gamma\n--extra-index-url {url}\n"));
    let at = Some("custom_nodes/greedy/requirements.txt:2:1");
    let finding = found(&place, &[], "PE010", "warn", at);
    assert!(!finding.to_string().contains("secret"), "{finding}");
    place.settings(
        "[[index]]\nname = \"e\"\nurl = \"https://elsewhere.invalid/simple\"\npackages = [\"x\"]\n",
    );
    let document = place.json(1, &["check"]);
    let codes = strings(&document["findings"], "code");
    assert!(!codes.contains(&"PE010".to_owned()), "{document}");
}

#[test]
fn a_package_without_a_wheel_is_told_at_the_line_that_leads_to_it() {
    let place = Place::synced();
    place.server.add(Sdist::new("sourced", "1.0").build());
    place
        .server
        .add(Wheel::new("leads", "1.0").requires("sourced").build());
    let node = place.offered("node", "gamma\nleads\n");
    let at = Some("custom_nodes/node/requirements.txt:2:1");
    let finding = found(&place, &[&node], "PE011", "warn", at);
    assert_eq!(finding["packages"], serde_json::json!(["sourced"]));
    place.server.add(Wheel::new("sourced", "1.0").build());
    let document = place.json(0, &["check", &node, "--refresh"]);
    assert_eq!(document["findings"], serde_json::json!([]));
}

#[test]
fn a_node_that_moves_what_the_core_asks_for_down_is_told_at_its_line() {
    let place = Place::synced();
    let node = place.offered("old", "gamma\nalpha<1.1\n");
    let at = Some("custom_nodes/old/requirements.txt:2:1");
    let finding = found(&place, &[&node], "PE012", "warn", at);
    let message = finding["message"].as_str().unwrap();
    assert!(message.contains("from 1.1 to 1.0"), "{message}");
    place.settings("");
    let lock = place.root().join("pylock.toml");
    let against = place.json(0, &["check", &node, "--against", lock.as_str()]);
    assert_eq!(strings(&against["findings"], "code"), ["PE012"]);
    // What only the node's own packages ask for may go where it likes.
    let other = place.offered("other", "delta<2\n");
    assert_eq!(
        place.json(0, &["check", &other])["findings"],
        serde_json::json!([])
    );
}

const ADVISORY: &str = r#"{"id": "GHSA-1", "aliases": ["CVE-1"], "summary": "alpha is open",
 "affected": [{"package": {"ecosystem": "PyPI", "name": "Alpha"},
  "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.2"}]}]}]}"#;

#[test]
fn a_version_that_an_advisory_is_about_fails_the_check() {
    let place = Place::synced();
    let same = ADVISORY.replace("GHSA-1", "PYSEC-1");
    place.write("advisories.json", format!("[{ADVISORY}, {same}]"));
    place.settings("[check]\nadvisories = \"advisories.json\"\n");
    let document = place.json(1, &["check"]);
    // One matter under two names is told once.
    assert_eq!(strings(&document["findings"], "code"), ["PE013"]);
    let message = document["findings"][0]["message"].as_str().unwrap();
    assert_eq!(
        message,
        "alpha 1.1: GHSA-1 (CVE-1): alpha is open; mended in 1.2"
    );
    assert_eq!(
        document["findings"][0]["origin"]["file"],
        "requirements.txt"
    );
    let dir = place.dir().join("osv");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("a.json"), ADVISORY).unwrap();
    let flag = ["--advisories", dir.as_str()];
    let _ = found(
        &place,
        &flag,
        "PE013",
        "error",
        Some("requirements.txt:1:1"),
    );
    // It was there before, so it does not fail a node that has nothing to do with it.
    place.settings("");
    let node = place.offered("fine", "gamma\n");
    let arguments = [&["check", node.as_str(), "--only-new"], &flag[..]].concat();
    assert_eq!(place.json(0, &arguments)["findings"][0]["new"], false);
    let withdrawn = ADVISORY.replacen('{', "{\"withdrawn\": \"2026-01-01T00:00:00Z\", ", 1);
    std::fs::write(dir.join("a.json"), withdrawn).unwrap();
    let _ = place.json(0, &[&["check"], &flag[..]].concat());
}

#[test]
fn advisories_that_cannot_be_read_are_bad_input_with_their_place() {
    let place = Place::synced();
    for (text, at) in [("[\n{,}]", "bad.json:2:2"), ("[1]", "bad.json:1:1")] {
        place.write("bad.json", text);
        let run = place.portenv(&["check", "--advisories", "bad.json", "--format", "json"]);
        let run = run.expect_code(2);
        assert_error(&run, "invalid-file");
        assert!(run.stderr().contains(at), "{run}");
    }
    let run = place.portenv(&["check", "--advisories", "none.json", "--format", "json"]);
    assert_error(&run.expect_code(2), "invalid-file");
}

#[test]
fn a_line_that_nobody_can_supply_has_a_code_of_its_own() {
    let place = Place::synced();
    place.server.add(
        Wheel::new("winonly", "1.0")
            .tag("py3-none-win_amd64")
            .build(),
    );
    let node = place.offered("node", "gamma\nwinonly\n");
    let at = Some("custom_nodes/node/requirements.txt:2:1");
    let finding = found(&place, &[&node], "PE014", "error", at);
    assert_eq!(finding["packages"], serde_json::json!(["winonly"]));
}

#[test]
fn installed_packages_that_overwrite_each_other_are_told_and_equal_files_are_not() {
    let place = Place::synced();
    let with = |name: &str, more: &str| {
        let wheel = Wheel::new(name, "1.0").file("space/__init__.py", "");
        wheel
            .file("both/inner.py", format!("who = '{more}'\n"))
            .build()
    };
    place.install_behind_its_back(&with("one", "same"));
    place.install_behind_its_back(&with("two", "same"));
    let document = place.json(0, &["check"]);
    assert_eq!(document["findings"], serde_json::json!([]));
    place.install_behind_its_back(&with("zwei", "other"));
    let finding = found(&place, &[], "PE006", "warn", None);
    assert_eq!(
        finding["packages"],
        serde_json::json!(["one", "two", "zwei"])
    );
    let message = finding["message"].as_str().unwrap();
    assert!(
        message.contains("both/inner.py") && !message.contains("space"),
        "{message}"
    );
}

#[test]
fn a_code_that_is_none_is_an_error_of_the_policy_and_not_silence() {
    let place = Place::synced();
    for key in ["PE099", "pe001", "advisory"] {
        place.settings(&format!("[check]\n{key} = \"off\"\n"));
        let run = place.portenv(&["check", "--format", "json"]).expect_code(2);
        assert_error(&run, "invalid-policy");
        let document = run.json();
        let origin = &document["error"]["origin"];
        assert_eq!(
            (&origin["file"], &origin["line"], &origin["column"]),
            (&"portenv.toml".into(), &6.into(), &1.into()),
            "{run}"
        );
    }
}
