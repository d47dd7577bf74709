//! The page in Markdown.

use crate::cli::place::Place;

#[cfg(unix)]
const NAME: &str = "a|b`c<img src=x>&_d_ ,e:f%0A@nobody";
#[cfg(not(unix))]
const NAME: &str = "a`c&_d_ ,e%0A@nobody";
const LINE: &str = "=== | `x` <script>alert(1)</script> ]]> & \u{1b}[31m @someone";

fn markdown(place: &Place, code: i32, node: &str) -> String {
    let run = place.portenv(&["preview", node, "--format", "markdown"]);
    run.expect_code(code).stdout().to_owned()
}

#[test]
fn what_deserves_a_look_is_open_and_the_rest_is_folded() {
    let place = Place::synced();
    let node = place.offered("some-node", "gamma\nalpha<1.1\n");
    let text = markdown(&place, 0, &node);
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"));
    assert!(
        text.starts_with("## portenv preview: ok\n\n2 added, 1 downgraded\n"),
        "{text}"
    );
    assert!(
        at("- <code>alpha 1.1 → 1.0</code>: downgrade") < at("### Changes of what is installed")
    );
    assert!(
        at("| downgrade | <code>alpha</code> | <code>1.1</code> | <code>1.0</code> |")
            < at("<details>")
    );
    assert!(at("<summary>New packages (2)</summary>") < at("<code>delta</code>"));
    // The chain is told in full.
    let _ =
        at("<code>requirements.txt:1 gamma</code><br><code>→ gamma 1.0 needs delta&#62;=1</code>");
    assert_eq!(
        text.matches("<details>").count(),
        text.matches("</details>").count()
    );
}

#[test]
fn nothing_that_strangers_wrote_becomes_structure() {
    let place = Place::synced();
    place.node(NAME, "beta>=2\ndelta\n");
    let node = place.offered("some-node", &format!("gamma\nalpha<1.1\n{LINE}\n"));
    let dir = place.dir().join("offered/some-node");
    std::fs::write(dir.join("install.py"), format!("os.system('pip {LINE}')\n")).unwrap();
    let text = markdown(&place, 2, &node);
    assert!(text.starts_with("## portenv preview: error\n"), "{text}");
    let run = place
        .portenv(&["preview", &node, "--skip-invalid", "--format", "markdown"])
        .success();
    let text = run.stdout();
    for row in text.lines().filter(|line| line.starts_with("| ")) {
        // A table of changes has six cells, one of a script three.
        assert!([4, 7].contains(&row.matches('|').count()), "{row}");
    }
    let mut bare = text.to_owned();
    for tag in ["code", "details", "summary"] {
        bare = bare
            .replace(&format!("<{tag}>"), "")
            .replace(&format!("</{tag}>"), "");
    }
    let bare = bare.replace("<br>", "");
    assert!(
        !bare.contains(['<', '>', '*', '[', ']', '\\', '~', '$', '@', '`', '\u{1b}']),
        "{bare}"
    );
}

#[test]
fn a_conflict_and_a_failure_are_pages_too() {
    let place = Place::synced();
    let node = place.offered("new-beta", "beta>=2\n");
    let text = markdown(&place, 1, &node);
    assert!(text.starts_with("## portenv preview: conflict\n"), "{text}");
    assert!(text.contains("### Conflict: <code>beta</code>"), "{text}");
    assert!(
        text.contains("<code>custom_nodes/new-beta/requirements.txt:1</code>"),
        "{text}"
    );
    assert!(!text.contains("plan "), "{text}");
    let failed = markdown(&place, 2, "nothing-of-that-name");
    assert!(
        failed.starts_with("## portenv preview: error\n"),
        "{failed}"
    );
}
