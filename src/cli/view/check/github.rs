//! Workflow commands of GitHub Actions: one annotation a finding.
//!
//! A line `::error file=F,line=N,col=N,title=T::MESSAGE`. In a message `%`, CR and LF are
//! escaped as `%25`, `%0D`, `%0A`; in a property `:` and `,` too. So nothing that strangers
//! wrote can begin a line and be taken for a command.

use super::{Weight, in_full, page_of, status};
use crate::cli::failure::Failure;
use crate::ops::check::CheckOutcome;

pub(super) fn of(found: &CheckOutcome) -> String {
    let mut text = String::new();
    for finding in &found.findings {
        let level = match Weight::of(found, finding) {
            Weight::Error => "error",
            Weight::Warning => "warning",
            Weight::Old => "notice",
        };
        let mut properties = Vec::new();
        let mut message = in_full(found, finding);
        if let Some(origin) = &finding.origin {
            if let Some(file) = found.places.file(origin) {
                properties.push(("file", file));
                let line = origin.line.map(|line| ("line", line.to_string()));
                let column = origin.column.map(|column| ("col", column.to_string()));
                properties.extend(line);
                properties.extend(column);
            } else {
                message = format!("{}: {message}", origin.place_of_line());
            }
        }
        let title = page_of(finding).map_or("", |page| page.title);
        properties.push(("title", format!("{} {title}", finding.code)));
        text.push_str(&command(level, &properties, &message));
    }
    text.push_str("check: ");
    text.push_str(status(found));
    text
}

pub(super) fn failed(failure: &Failure) -> String {
    let mut properties = Vec::new();
    if let Some(origin) = &failure.origin
        && let Some(file) = &origin.file
    {
        properties.push(("file", file.clone()));
        let line = origin.line.map(|line| ("line", line.to_string()));
        let column = origin.column.map(|column| ("col", column.to_string()));
        properties.extend(line);
        properties.extend(column);
    }
    properties.push(("title", "the check could not be done".to_owned()));
    command("error", &properties, &failure.message)
}

fn command(level: &str, properties: &[(&str, String)], message: &str) -> String {
    let shown: Vec<String> = properties
        .iter()
        .map(|(name, value)| {
            let value = data(value).replace(':', "%3A").replace(',', "%2C");
            format!("{name}={value}")
        })
        .collect();
    format!("::{level} {}::{}\n", shown.join(","), data(message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}
