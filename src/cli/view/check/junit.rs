//! JUnit's XML, as test reports of CI systems read it: a case for each finding, and one
//! for each code that has none.

use std::fmt::Write;

use super::{Weight, in_full, page_of};
use crate::cli::failure::Failure;
use crate::gate::Finding;
use crate::ops::check::CheckOutcome;
use crate::package::Name;
use crate::package::artifact::printable;
use crate::requirements::Origin;
use crate::workspace::settings::Level;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAME: &str = "portenv check";

pub(super) fn of(found: &CheckOutcome) -> String {
    let mut cases = String::new();
    let (mut tests, mut failures, mut skipped) = (0, 0, 0);
    for (code, level) in &found.levels {
        let mut of_code = (found.findings.iter())
            .filter(|finding| finding.code == code.as_str())
            .peekable();
        let title = format!("{} {}", code.as_str(), code.page().title);
        if of_code.peek().is_none() {
            tests += 1;
            let inner = if *level == Level::Off {
                skipped += 1;
                "<skipped message=\"switched off in portenv.toml\"/>\n"
            } else {
                ""
            };
            case(&mut cases, code.as_str(), &title, "", inner);
        }
        for finding in of_code {
            tests += 1;
            let text = in_full(found, finding);
            let inner = match Weight::of(found, finding) {
                Weight::Error => {
                    failures += 1;
                    format!(
                        "<failure type=\"{}\" message=\"{}\">{}</failure>\n",
                        finding.code,
                        escaped(&finding.message),
                        escaped(&text)
                    )
                }
                Weight::Warning => {
                    format!("<system-out>{}</system-out>\n", escaped(&text))
                }
                Weight::Old => {
                    skipped += 1;
                    let message = escaped(&format!("there before: {}", finding.message));
                    format!("<skipped message=\"{message}\"/>\n")
                }
            };
            let place = place(found, finding);
            case(&mut cases, finding.code, &name(finding), &place, &inner);
        }
    }
    suite(&cases, tests, failures, 0, skipped)
}

pub(super) fn failed(failure: &Failure) -> String {
    let code = serde_json::to_value(failure.code).unwrap_or_default();
    let inner = format!(
        "<error type=\"{}\" message=\"{}\"/>\n",
        code.as_str().unwrap_or("error"),
        escaped(&failure.message)
    );
    let mut cases = String::new();
    case(&mut cases, "check", "the check could be done", "", &inner);
    suite(&cases, 1, 0, 1, 0)
}

fn suite(cases: &str, tests: u32, failures: u32, errors: u32, skipped: u32) -> String {
    let counts = format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"");
    format!(
        "{HEAD}<testsuites name=\"{NAME}\" {counts}>\n\
         <testsuite name=\"{NAME}\" {counts} skipped=\"{skipped}\">\n\
         {cases}</testsuite>\n</testsuites>"
    )
}

fn case(out: &mut String, class: &str, name: &str, place: &str, inner: &str) {
    let name = escaped(name);
    let open = format!("<testcase classname=\"portenv.{class}\" name=\"{name}\"{place}");
    let _ = if inner.is_empty() {
        writeln!(out, "{open}/>")
    } else {
        writeln!(out, "{open}>\n{inner}</testcase>")
    };
}

/// What a finding is called in every run, wherever its line stands.
fn name(finding: &Finding) -> String {
    let mut name = finding.code.to_owned();
    if let Some(page) = page_of(finding) {
        let _ = write!(name, " {}", page.title);
    }
    let owner = finding.origin.as_ref().map(Origin::owner);
    let packages: Vec<&str> = finding.packages.iter().map(Name::as_str).collect();
    let about = [owner.unwrap_or_default(), packages.join(", ")];
    let about: Vec<&String> = about.iter().filter(|part| !part.is_empty()).collect();
    for part in about {
        let _ = write!(name, ": {part}");
    }
    let short = finding.fingerprint.get(..8).unwrap_or_default();
    format!("{name} [{short}]")
}

fn place(found: &CheckOutcome, finding: &Finding) -> String {
    let Some(origin) = &finding.origin else {
        return String::new();
    };
    let file = found.places.file(origin).or_else(|| origin.file.clone());
    let mut text = String::new();
    if let Some(file) = file {
        let _ = write!(text, " file=\"{}\"", escaped(&file));
        if let Some(line) = origin.line {
            let _ = write!(text, " line=\"{line}\"");
        }
    }
    text
}

/// Text for an element or an attribute: what XML 1.0 has no word for is replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            // Else an attribute has spaces in their place.
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
