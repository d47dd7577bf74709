//! What a code of `check` means.

use std::fmt::Write;

use super::show_document;
use crate::cli::document::ExplainDocument;
use crate::cli::failure::Exit;
use crate::cli::screen::{Format, Screen};
use crate::ops::explain::Explanation;

/// Shows the page of a code.
pub fn show_explanation(screen: &Screen, found: &Explanation) -> Exit {
    let page = ExplainDocument::from(found);
    if screen.format == Format::Json {
        show_document(screen, "explain", &page, &[]);
        return Exit::Done;
    }
    let width = usize::from(Screen::width());
    let mut text = format!("{}: {}\n", page.code, page.title);
    for (head, body) in [
        ("what it means", page.meaning),
        ("why it matters", page.why),
        ("how to mend it", page.mend),
    ] {
        let _ = write!(text, "\n{head}\n{}", wrapped(body, width));
    }
    let _ = write!(
        text,
        "\nhow to switch it off\n  It counts as `{}` by default. In portenv.toml:\n\n",
        page.level
    );
    for line in page.switch.lines() {
        let _ = writeln!(text, "    {line}");
    }
    let _ = write!(
        text,
        "\n  \"warn\" shows it only, \"error\" lets it fail the check."
    );
    screen.result(&text);
    Exit::Done
}

/// Fills lines with words, two spaces in.
fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut line = String::from(" ");
    for word in text.split_whitespace() {
        if line.trim() != "" && line.chars().count() + 1 + word.chars().count() > width {
            let _ = writeln!(out, "{line}");
            line = String::from(" ");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
    out
}
