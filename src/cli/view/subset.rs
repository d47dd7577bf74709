//! The most nodes that can live together, as people read it.

use std::fmt::Write;

use crate::ops::subset::{NodeLeftOut, Subset};
use crate::package::artifact::printable;

/// Says how good a set is: the best there is, or between what and what.
pub fn verdict(found: &Subset) -> String {
    let all = found.nodes.len() + found.left_out.len();
    let of = format!("{} of {all} nodes can live together", found.nodes.len());
    let by_count = u64::try_from(found.nodes.len()) == Ok(found.weight);
    match (found.is_proved(), by_count) {
        (true, true) => format!("{of}; no set of them is larger"),
        (true, false) => format!("{of}, worth {}; no set of them is worth more", found.weight),
        (false, true) => format!(
            "{of}; the largest set has between {} and {}",
            found.weight, found.bound
        ),
        (false, false) => format!(
            "{of}; the best set is worth between {} and {}",
            found.weight, found.bound
        ),
    }
}

/// Lists nodes that are left out, a line each.
pub fn left_out(left: &[NodeLeftOut]) -> String {
    let lines = left.iter().map(|left| {
        let text = format!("{}: {}", left.node, left.reason);
        format!("  {}\n", printable(&text))
    });
    lines.collect()
}

/// Returns a set as people read it.
pub fn text(found: Option<&Subset>) -> String {
    let Some(found) = found else {
        return "no nodes can live together: the core itself has no answer\n".to_owned();
    };
    let mut text = format!("{}\n", verdict(found));
    if !found.left_out.is_empty() {
        let _ = write!(text, "left out\n{}", left_out(&found.left_out));
    }
    if !found.groups.is_empty() {
        text.push_str("these can live with the core in environments of their own\n");
        for group in &found.groups {
            let _ = writeln!(text, "  {}", printable(&group.join(", ")));
        }
    }
    text
}
