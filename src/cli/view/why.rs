//! Who asked for a package, through whom, and what holds its version down.

use std::fmt::Write;

use super::tree::{graph_warnings, short_place, unknown_requirement};
use super::{show_document, show_warnings};
use crate::cli::document::WarningDocument;
use crate::cli::document::why::document;
use crate::cli::failure::{Exit, Failure, Next};
use crate::cli::screen::{Format, Screen};
use crate::index::IndexError;
use crate::ops::OpError;
use crate::ops::graph::Evidence;
use crate::ops::why::{Chain, Held, Standing, Why};
use crate::requirements::OriginKind;
use crate::resolve::holds::{Guilt, Holds, Stretch, Verdict};
use crate::resolve::{CoreLine, Step};

/// Shows who asked for a package.
pub fn show_why(screen: &Screen, why: Why, verbose: u8) -> Exit {
    let mut warnings = graph_warnings(&why.graph, &why.problems);
    let mut edges = why.chains.iter().flat_map(|chain| &chain.steps);
    if let Some((edge, _)) = edges.find(|(edge, _)| edge.requirement.is_none()) {
        warnings.push(unknown_requirement(&edge.from, &edge.to));
    }
    if let Held::Unknown(error) = &why.held {
        let text = format!("what holds its version could not be found out: {error}");
        warnings.push(WarningDocument::new("unknown-holds", text));
    }
    show_warnings(screen, &warnings, verbose);
    let is_unknown = matches!(why.standing, Standing::Unknown(_));
    if screen.format != Format::Json && !is_unknown {
        screen.result(text(&why, verbose > 0).trim_end());
    }
    if let Standing::Unknown(near) = &why.standing {
        screen.error(&format!(
            "nobody asks for `{}`, and it is not installed",
            why.name
        ));
        if !near.is_empty() {
            screen.hint(&format!("did you mean `{}`?", near.join("` or `")));
        }
    }
    let mut next = Vec::new();
    for (line, changes, what) in ways_on(&why) {
        if screen.format != Format::Json {
            screen.hint(&format!("{line} {what}"));
        }
        next.push(Next::of(line.split(' '), changes, what));
    }
    if screen.format == Format::Json {
        show_document(screen, "why", &document(&why, warnings), &next);
    }
    if is_unknown {
        return Exit::No;
    }
    match why.held {
        // Who wants to work off line knows that not everything can be had.
        Held::Unknown(IndexError::Offline { .. }) => Exit::Done,
        Held::Unknown(error) => {
            let failure = Failure::from(OpError::Index(error));
            for hint in &failure.hints {
                screen.hint(hint);
            }
            failure.exit()
        }
        _ => Exit::Done,
    }
}

/// What can be done about it: command, whether it changes anything, what for.
fn ways_on(why: &Why) -> Vec<(String, bool, &'static str)> {
    let name = &why.name;
    let way = |line: String, changes, what| vec![(line, changes, what)];
    match &why.standing {
        Standing::Extra => return way("portenv sync --prune".to_owned(), true, "removes it"),
        Standing::Unknown(_) => {
            return way(
                "portenv tree".to_owned(),
                false,
                "shows all nodes and packages",
            );
        }
        Standing::Missing => {
            return way(
                "portenv lock".to_owned(),
                true,
                "resolves it with everything else",
            );
        }
        _ => {}
    }
    let holds = match &why.held {
        Held::Known(holds) => holds,
        Held::Unknown(IndexError::Offline { .. }) | Held::NotAsked => return Vec::new(),
        Held::Unknown(_) => {
            let line = format!("portenv why {name} --offline");
            return way(line, false, "answers from the cache");
        }
    };
    let Some(first) = holds.stretches.first() else {
        return Vec::new();
    };
    match &first.verdict {
        Verdict::Fits(moves) if why.wanted.is_none() && !why.lowest => {
            let mut line = format!("portenv lock --upgrade-package {name}");
            for other in moves.iter().filter(|other| other.from.is_some()) {
                line.push_str(&format!(" --upgrade-package {}", other.name));
            }
            way(
                line,
                true,
                "moves it in the lock; `portenv sync` then installs it",
            )
        }
        Verdict::Held(guilts) if guilts.iter().all(is_protected) && why.wanted.is_none() => {
            let line = format!("portenv lock --upgrade-package {name} --allow-change {name}");
            let own = |line: &CoreLine| line.origin.name.as_deref() == Some(name.as_str());
            if guilts.iter().flat_map(|guilt| &guilt.lines).all(own) {
                return way(line, true, "lets the protected package move");
            }
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Only the protection of installed packages is in the way.
fn is_protected(guilt: &Guilt) -> bool {
    let mut kinds = guilt.lines.iter().map(|line| line.origin.kind);
    kinds.all(|kind| kind == OriginKind::Installed)
}

fn text(why: &Why, all: bool) -> String {
    let mut text = headline(why);
    for (origin, requirement) in &why.policy {
        let _ = writeln!(text, "  {}  {requirement}", origin.place_of_line());
    }
    tell_chains(&mut text, why, all);
    if let Held::Known(holds) = &why.held {
        tell_holds(&mut text, why, holds);
    }
    text
}

fn headline(why: &Why) -> String {
    let name = &why.name;
    let version = why.version.as_ref().or(why.installed.as_ref());
    let shown = version.map_or(name.to_string(), |version| format!("{name} {version}"));
    let installed = match (&why.version, &why.installed) {
        (Some(locked), Some(installed)) if locked == installed => "locked and installed".to_owned(),
        (Some(_), Some(installed)) => format!("locked; {installed} is installed"),
        (Some(_), None) => "locked, not installed".to_owned(),
        _ => "installed".to_owned(),
    };
    match &why.standing {
        Standing::There if why.graph.evidence == Evidence::Lock => {
            format!("{shown} ({installed})\n")
        }
        Standing::There => format!("{shown} (installed)\n"),
        Standing::Missing => format!("{name} is asked for, but neither locked nor installed yet\n"),
        Standing::Excluded => format!("{name} is left out by [policy] exclude in portenv.toml\n"),
        Standing::Elsewhere(marker) => {
            format!("{name} is not needed here; it is locked only where {marker}\n")
        }
        Standing::Extra => format!(
            "{shown} is installed, but nobody asks for it: neither ComfyUI, nor a node, nor a package of theirs\n\
             Who installed it is recorded nowhere; most likely `pip install` by hand or by a node's script.\n"
        ),
        Standing::Seed => format!(
            "{shown} is installed, and nobody asks for it; it is a tool that always stays\n"
        ),
        Standing::Unknown(_) => String::new(),
    }
}

/// How many rows of one kind people are shown.
const ROWS: usize = 12;
/// How many ways through other packages.
const WAYS: usize = 8;
/// How many lines are shown for one way.
const LINES_OF_WAY: usize = 3;

fn tell_chains(text: &mut String, why: &Why, all: bool) {
    let (direct, through): (Vec<&Chain>, Vec<&Chain>) =
        why.chains.iter().partition(|chain| chain.steps.is_empty());
    // Who asks about one version wants the answer below, not everyone who asks.
    let most_ways = if why.wanted.is_some() { 3 } else { WAYS };
    let rows = |most: usize| if all { usize::MAX } else { most };
    if !direct.is_empty() {
        text.push_str("\nasked for by\n");
        tell_lines(text, why, &direct, "  ", rows(ROWS));
    }
    if through.is_empty() {
        return;
    }
    text.push_str("\nthrough other packages\n");
    let mut ways: Vec<(String, Vec<&Chain>)> = Vec::new();
    for chain in through {
        let way = way_of(chain);
        match ways.iter_mut().find(|(known, _)| *known == way) {
            Some((_, chains)) => chains.push(chain),
            None => ways.push((way, vec![chain])),
        }
    }
    ways.sort_by_key(|(_, chains)| (chains[0].steps.len(), std::cmp::Reverse(chains.len())));
    for (way, chains) in ways.iter().take(rows(most_ways)) {
        let _ = writeln!(text, "  {way}");
        tell_lines(text, why, chains, "    ", rows(LINES_OF_WAY));
    }
    let hidden = ways.len().saturating_sub(rows(most_ways));
    if hidden > 0 {
        let plural = if hidden == 1 { "" } else { "s" };
        let _ = writeln!(text, "  and {hidden} more way{plural} (-v shows them)");
    }
    if why.left_out > 0 {
        let _ = writeln!(
            text,
            "  and {} further ways of the same length",
            why.left_out
        );
    }
}

/// `timm 1.0 needs torchvision; torchvision 0.24 needs numpy`.
fn way_of(chain: &Chain) -> String {
    let steps = chain.steps.iter().map(|(edge, version)| {
        let version = version
            .as_ref()
            .map_or(String::new(), |version| format!(" {version}"));
        let wanted = edge.requirement.as_deref().map(without_marker);
        let wanted = wanted.unwrap_or_else(|| edge.to.to_string());
        format!("{}{version} needs {wanted}", edge.from)
    });
    steps.collect::<Vec<_>>().join("; ")
}

fn without_marker(requirement: &str) -> String {
    match crate::package::requirement::split(requirement) {
        Ok(parts) => parts.without_marker(requirement).trim_end().to_owned(),
        Err(_) => requirement.to_owned(),
    }
}

fn tell_lines(text: &mut String, why: &Why, chains: &[&Chain], indent: &str, most: usize) {
    let rows: Vec<[String; 3]> = chains
        .iter()
        .take(most)
        .map(|chain| {
            let origin = &chain.line.origin;
            let place = short_place(&why.graph, origin);
            [
                origin.owner(),
                place,
                without_marker(&chain.line.requirement),
            ]
        })
        .collect();
    table(text, indent, &rows);
    if chains.len() > most {
        let _ = writeln!(
            text,
            "{indent}and {} more (-v shows them)",
            chains.len() - most
        );
    }
}

/// Writes rows in columns that are no wider than what stands in them, nor than 40.
fn table(text: &mut String, indent: &str, rows: &[[String; 3]]) {
    let width = |at: usize| {
        let widths = rows.iter().map(|row| row[at].chars().count());
        widths.max().unwrap_or(0).min(40)
    };
    let (first, second) = (width(0), width(1));
    for [owner, place, requirement] in rows {
        let row = format!("{indent}{owner:first$}  {place:second$}  {requirement}");
        let _ = writeln!(text, "{}", row.trim_end());
    }
}

fn tell_holds(text: &mut String, why: &Why, holds: &Holds) {
    let name = &why.name;
    text.push('\n');
    if let Some((line, origin)) = &holds.address {
        let place = origin.place_of_line();
        let _ = writeln!(text, "its address decides its version: {line} ({place})");
        return;
    }
    if !holds.listed {
        let _ = writeln!(
            text,
            "no index lists it, so there is no other version to be had"
        );
        return;
    }
    if !holds.conflicts.is_empty() {
        let _ = writeln!(
            text,
            "what is asked for conflicts already, whatever {name} is ({} conflicts; `portenv lock`\n\
             tells them); the versions were tried without those lines",
            holds.conflicts.len()
        );
    }
    match (&why.wanted, holds.stretches.first()) {
        (Some(wanted), None) => {
            let _ = writeln!(text, "the index has no {name} {wanted}");
            return;
        }
        (Some(wanted), Some(_)) => {
            let _ = writeln!(text, "what about {wanted}?");
        }
        (None, None) => {
            let _ = writeln!(text, "nothing holds it: the index has nothing newer");
            return;
        }
        (None, Some(first)) if matches!(first.verdict, Verdict::Unfit(..)) => {
            text.push_str("nothing holds it: of what is newer nothing is of use here\n");
        }
        (None, Some(_)) => text.push_str("newer versions\n"),
    }
    for stretch in &holds.stretches {
        tell_stretch(text, why, stretch);
    }
    if holds.untried > 0 {
        let _ = writeln!(text, "  {} older ones were not tried", holds.untried);
    }
}

fn tell_stretch(text: &mut String, why: &Why, stretch: &Stretch) {
    let mut label = stretch.newest.to_string();
    if stretch.count > 1 {
        label = format!("{} to {label} ({} versions)", stretch.oldest, stretch.count);
    }
    if let Some(target) = &stretch.target {
        label.push_str(&format!(" on {target}"));
    }
    match &stretch.verdict {
        Verdict::Fits(moves) => {
            let keeps = match (&why.version, &why.installed, why.graph.evidence) {
                _ if why.lowest => "; the lowest versions are asked for",
                _ if why.wanted.is_some() => "",
                (Some(_), _, Evidence::Lock) => "; only the lock keeps the older one",
                (_, Some(_), _) => "; only what is installed keeps the older one",
                _ => "",
            };
            let _ = writeln!(text, "  {label} fits, nothing is in its way{keeps}");
            for change in moves.iter().take(ROWS) {
                let shown = match (&change.from, &change.to) {
                    (Some(from), Some(to)) => format!("{from} → {to}"),
                    (None, Some(to)) => format!("{to} would come"),
                    (Some(from), None) => format!("{from} would go"),
                    (None, None) => continue,
                };
                let _ = writeln!(text, "    with {} {shown}", change.name);
            }
            if moves.len() > ROWS {
                let _ = writeln!(text, "    and {} more changes", moves.len() - ROWS);
            }
        }
        Verdict::Held(guilts) => {
            for (at, guilt) in guilts.iter().enumerate() {
                if at == 0 {
                    let _ = writeln!(text, "  {label}: excluded by");
                } else {
                    let newest = &stretch.newest;
                    let _ = writeln!(text, "    and {newest} even without these by");
                }
                tell_guilt(text, why, guilt);
            }
        }
        Verdict::Unfit(_, reason) if stretch.count > 1 => {
            let _ = writeln!(text, "  {label}: each {reason}");
        }
        Verdict::Unfit(_, reason) => {
            let _ = writeln!(text, "  {label} {reason}");
        }
        Verdict::Unusable(reason) => {
            let _ = writeln!(text, "  {label} is of no use: {reason}");
        }
        Verdict::Unknown(reason) => {
            let _ = writeln!(text, "  {label}: could not be found out: {reason}");
        }
    }
}

fn tell_guilt(text: &mut String, why: &Why, guilt: &Guilt) {
    for step in &guilt.asks {
        let _ = writeln!(
            text,
            "    {} needs {}",
            version_of(step),
            without_marker(&step.requirement)
        );
    }
    let rows: Vec<[String; 3]> = guilt
        .lines
        .iter()
        .map(|line| {
            let place = short_place(&why.graph, &line.origin);
            [line.origin.owner(), place, line.requirement.clone()]
        })
        .collect();
    let mut from = 0;
    while from < rows.len() {
        // Lines that come the same way stand together, and the way once below them.
        let via = &guilt.lines[from].via;
        let same = guilt.lines[from..]
            .iter()
            .take_while(|line| line.via == *via);
        let to = from + same.count();
        let most = to.min(from + ROWS);
        table(text, "    ", &rows[from..most]);
        if to > most {
            let _ = writeln!(text, "    and {} more", to - most);
        }
        for step in via {
            let wanted = without_marker(&step.requirement);
            let _ = writeln!(text, "      {} needs {wanted}", version_of(step));
        }
        from = to;
    }
}

/// `numba ==0.60` reads better as `numba 0.60`.
fn version_of(step: &Step) -> String {
    let version = step.version.trim_start_matches("==");
    if version == "any version" {
        return format!("every version of {}", step.package);
    }
    format!("{} {version}", step.package)
}
