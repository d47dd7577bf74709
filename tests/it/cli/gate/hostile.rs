//! Names and lines that strangers wrote, in forms that give signs a meaning.

use crate::cli::gate::forms::{annotations, assert_sarif};
use crate::cli::place::Place;

/// A node's directory may have any name that the file system takes.
#[cfg(unix)]
const NAME: &str = "a|b`c<img src=x>&_d_ ,e:f%0A::error::g@nobody";
#[cfg(not(unix))]
const NAME: &str = "a`c&_d_ ,e%0A@nobody";
const LINE: &str =
    "=== | `x` <script>alert(1)</script> ]]> & \u{1b}[31m \u{7} %0A::error::y @someone";

fn place() -> Place {
    let place = Place::synced();
    place.node(NAME, &format!("gamma\n{LINE}\nbeta>=2\n"));
    place
}

#[test]
fn annotations_stay_one_line_each_and_say_what_was_written() {
    let place = place();
    let run = place
        .portenv(&["check", "--format", "github"])
        .expect_code(1);
    let found = annotations(run.stdout());
    let document = place.json(1, &["check"]);
    assert_eq!(found.len(), document["findings"].as_array().unwrap().len());
    let file = format!("custom_nodes/{NAME}/requirements.txt");
    let broken = found.iter().find(|it| it.get("line") == Some("2")).unwrap();
    assert_eq!(broken.get("file"), Some(file.as_str()), "{run}");
    assert!(broken.message.contains("%0A::error::y"), "{run}");
    assert!(found.iter().all(|it| it.level != "error::y"));
    // Nothing else that the runner would obey, on either stream.
    assert_eq!(annotations(run.stderr()), [], "{run}");
}

#[test]
fn junit_stays_xml_and_says_what_was_written() {
    let place = place();
    let run = place
        .portenv(&["check", "--format", "junit"])
        .expect_code(1);
    let report = roxmltree::Document::parse(run.stdout()).unwrap();
    let failures = report.descendants().filter(|it| it.has_tag_name("failure"));
    let texts: Vec<&str> = failures.filter_map(|it| it.text()).collect();
    assert!(
        texts
            .iter()
            .any(|text| text.contains("<script>alert(1)</script> ]]> & \u{fffd}[31m")),
        "{texts:?}"
    );
    let controls = |c: char| c.is_control() && c != '\n';
    assert!(!run.stdout().contains(controls), "{run}");
}

#[test]
fn sarif_stays_a_document_with_relative_addresses() {
    let place = place();
    let run = place
        .portenv(&["check", "--format", "sarif"])
        .expect_code(1);
    let results = assert_sarif(&run.json());
    let uris: Vec<&str> = results
        .iter()
        .filter_map(|it| it["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str())
        .collect();
    let base = url::Url::from_directory_path(place.root()).unwrap();
    let wanted = place
        .root()
        .join(format!("custom_nodes/{NAME}/requirements.txt"));
    let leads = |uri: &&str| base.join(uri).unwrap().to_file_path().unwrap() == wanted;
    assert!(uris.iter().any(leads), "{uris:?}");
}

/// Undoes numeric references, as every reader of Markdown does.
fn decoded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("&#") {
        let (number, after) = after.split_once(';').unwrap();
        out.push_str(before);
        out.push(char::from_u32(number.parse().unwrap()).unwrap());
        rest = after;
    }
    out + rest
}

#[test]
fn markdown_keeps_its_cells_and_lets_nothing_become_structure() {
    let place = place();
    let run = place
        .portenv(&["check", "--format", "markdown"])
        .expect_code(1);
    let text = run.stdout();
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("| PE"))
        .collect();
    assert!(rows.len() >= 3, "{run}");
    for row in &rows {
        assert_eq!(row.matches('|').count(), 5, "{row}");
    }
    assert!(decoded(text).contains("<script>alert(1)</script>"), "{run}");
    // Only our own tags and no other sign with a meaning.
    let mut bare = text.to_owned();
    for tag in [
        "<code>",
        "</code>",
        "<details>",
        "</details>",
        "<summary>",
        "</summary>",
    ] {
        bare = bare.replace(tag, "");
    }
    assert!(
        !bare.contains(['<', '>', '*', '[', ']', '\\', '~', '$', '@']),
        "{bare}"
    );
    // Ours: the hint at the end, and nothing else.
    assert_eq!(bare.matches('`').count(), 2, "{bare}");
    let outside = text.replace("&#64;\u{200b}", "");
    let mentions = outside
        .split("<code>")
        .filter_map(|part| part.split_once("</code>"));
    assert!(
        mentions
            .into_iter()
            .all(|(_, after)| !after.contains("&#64;")),
        "{run}"
    );
}
