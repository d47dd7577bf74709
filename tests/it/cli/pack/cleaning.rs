//! What rules leave out, and that packages stay what they were.

use std::fs;

use super::{asked, packed, printed, python_of, site_of, unpacked};
use crate::cli::place::{Place, strings};
use crate::support::Wheel;

/// A wheel with tests that nothing imports, and tests that its own code imports.
fn tested(name: &str, imports: bool) -> Wheel {
    let line = if imports {
        format!("from {name}.tests import helper\n")
    } else {
        String::new()
    };
    Wheel::new(name, "1.0")
        .file(&format!("{name}/__init__.py"), line)
        .file(&format!("{name}/tests/__init__.py"), "")
        .file(&format!("{name}/tests/helper.py"), "here = True\n")
}

/// An installation with a package whose tests can go, and one whose tests cannot.
fn place() -> Place {
    let place = Place::synced();
    place.server.add(tested("lone", false).build());
    place.server.add(tested("bound", true).build());
    let node = place.offered("tester", "lone\nbound\n");
    let _ = place.portenv(&["add", &node, "--yes"]).success();
    place
}

#[cfg(unix)]
#[test]
fn a_cleaned_package_is_whole_is_no_drift_and_is_taken_out_without_remains() {
    let place = place();
    let file = packed(&place, "a.tar.zst", &["--smoke"]);
    let there = place.dir().join("there");
    let _ = unpacked(&place, &file, &there);
    let site = site_of(&there);
    assert!(!site.join("lone/tests").exists());
    assert!(site.join("bound/tests/helper.py").exists());
    let _ = printed(
        python_of(&there),
        &["-I", "-B", "-c", "import lone, bound, alpha"],
    );

    let status = asked(&place, &there, 0, &["status"]);
    assert_eq!(
        status["drift"]["changes"].as_array().map(Vec::len),
        Some(0),
        "{status}"
    );
    let sync = asked(&place, &there, 0, &["sync", "--yes"]);
    assert_eq!(sync["status"], "nothing", "{sync}");
    let _ = asked(&place, &there, 0, &["remove", "tester", "--yes"]);
    assert_eq!(
        fs::metadata(site.join("lone")).ok().map(|data| data.len()),
        None
    );
    assert!(!site.join("lone-1.0.dist-info").exists());
    // And it comes back as it was before.
    let back = asked(&place, &there, 0, &["undo", "--yes"]);
    assert_eq!(back["status"], "done", "{back}");
    let verified = asked(&place, &there, 0, &["verify", "--deep"]);
    assert_eq!(verified["status"], "pass", "{verified}");
}

#[test]
fn a_rule_that_is_switched_off_leaves_nothing_out() {
    let place = place();
    let of_tests = |flags: &[&str]| {
        let mut all = vec!["pack", "--dry-run"];
        all.extend(flags);
        let document = place.json(0, &all);
        let rules = document["rules"].as_array().unwrap().clone();
        let found = rules.iter().find(|rule| rule["name"] == "tests").unwrap();
        (
            found["on"].as_bool().unwrap(),
            found["bytes"].as_u64().unwrap(),
        )
    };
    assert!(of_tests(&[]).1 > 0);
    assert_eq!(of_tests(&["--keep", "tests"]), (false, 0));
    let run = place.portenv(&["pack", "--dry-run", "--keep", "tset"]);
    super::assert_refused(&run, 2, "tset");
}

#[cfg(unix)]
#[test]
fn code_that_is_no_python_is_told_with_file_and_line() {
    let place = Place::synced();
    place.write("custom_nodes/broken/__init__.py", "x = 1\ndef f(:\n");
    let file = place.dir().join("out/a.zip");
    let document = place.json(0, &["pack", "--no-tools", "--output", file.as_str()]);
    assert_eq!(
        strings(&document["syntax"], "file"),
        ["custom_nodes/broken/__init__.py"]
    );
    assert_eq!(document["syntax"][0]["line"], 2);
}
