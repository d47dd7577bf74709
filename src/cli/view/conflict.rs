//! Conflicts: the lines at fault, each with node, file and line.

use std::fmt::Write;

use crate::resolve::Conflict;

/// Returns the conflicts as people read them.
pub fn to_text(conflicts: &[Conflict]) -> String {
    let mut text = String::new();
    for conflict in conflicts {
        let is_supply = conflict.requirements.len() == 1;
        let headline = if is_supply {
            "this requirement cannot be met"
        } else {
            "these requirements cannot hold together"
        };
        let _ = writeln!(text, "{headline}\n");
        if let Some(name) = conflict.packages.first() {
            let _ = writeln!(text, "  {name}");
        }
        let owner = conflict
            .requirements
            .iter()
            .map(|line| line.origin.owner().chars().count())
            .max()
            .unwrap_or(0)
            .min(32);
        let place = conflict
            .requirements
            .iter()
            .map(|line| line.origin.place_of_line().chars().count())
            .max()
            .unwrap_or(0)
            .min(60);
        for line in &conflict.requirements {
            let _ = writeln!(
                text,
                "    {:owner$}  {:place$}  {}",
                line.origin.owner(),
                line.origin.place_of_line(),
                line.requirement
            );
            for step in &line.via {
                let _ = writeln!(
                    text,
                    "    {:owner$}  {} {} needs {}",
                    "",
                    step.package,
                    step.version.trim_start_matches("=="),
                    step.requirement
                );
            }
        }
        if is_supply {
            let _ = writeln!(text, "    {}", conflict.explanation);
        }
        text.push('\n');
        ways_out(&mut text, conflict);
    }
    crate::package::artifact::printable(&text)
}

/// Shows the ways out that change least; programs read all of them.
fn ways_out(text: &mut String, conflict: &Conflict) {
    const MOST: usize = 3;
    if conflict.suggestions.is_empty() {
        return;
    }
    text.push_str("  ways out (each was tried)\n");
    for (at, way) in conflict.suggestions.iter().take(MOST).enumerate() {
        let flags = match (way.command.is_empty(), way.flags.is_empty()) {
            (false, _) => format!(": portenv {}", way.command.join(" ")),
            (true, false) => format!(": {}", way.flags.join(" ")),
            (true, true) => String::new(),
        };
        let _ = writeln!(text, "    {}. {}{flags}", at + 1, way.text);
    }
    text.push('\n');
}
