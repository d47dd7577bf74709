//! What an installation violates already, as one counted line or in full.

use crate::package::artifact::printable;
use crate::requirements::Waiver;

/// Counts waivers in a sentence; nothing for none.
pub fn counted(waivers: &[Waiver]) -> Option<String> {
    let (count, them) = match waivers.len() {
        0 => return None,
        1 => ("1 requirement is".to_owned(), "it"),
        count => (format!("{count} requirements are"), "them"),
    };
    Some(format!(
        "{count} not met, and this leaves {them} so; portenv status --waivers lists {them}"
    ))
}

/// Returns waivers as people read them, a line each.
pub fn text(waivers: &[Waiver]) -> String {
    let lines = waivers.iter().map(|waiver| {
        let shown = printable(&waiver.shown());
        format!("  {shown}\n")
    });
    lines.collect()
}
