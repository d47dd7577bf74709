//! Which ways out of a conflict there might be: none of them is tried yet.

use std::collections::BTreeSet;

use super::other_versions::{NodeVersion, Nodes, other_versions};
use crate::package::target::MachineFacts;
use crate::package::{Name, Requirement, Specifiers, Target, Version};
use crate::requirements::statement::Statement;
use crate::requirements::{IndexOption, Line, Origin, OriginKind, Role};
use crate::resolve::{Conflict, Edit, SuggestionKind};
use crate::workspace::settings::IndexTable;

/// How many lines of a conflict are relaxed at most, and nodes left out.
const MOST_OF_A_KIND: usize = 12;
/// The minor versions of Python 3 that ComfyUI and PyTorch have wheels for.
const PYTHONS: std::ops::RangeInclusive<u64> = 10..=14;

/// A way out before it is tried.
pub struct Way {
    /// Its kind.
    pub kind: SuggestionKind,
    /// What to do, in words.
    pub what: String,
    /// The packages whose versions are told with it, each once.
    pub shown: Vec<Name>,
    /// What it changes in `portenv.toml`.
    pub edit: Option<Edit>,
    /// Flags that do it.
    pub flags: Vec<String>,
    /// The command that does it.
    pub command: Vec<String>,
    /// How it is tried.
    pub how: How,
}

/// How a way out is tried.
pub enum How {
    /// Without some lines, by number, and with others.
    Lines(BTreeSet<u32>, Vec<Line>),
    /// The line of this number asks for any version, and so do the others that an override
    /// for its node replaces with it.
    AnyVersion(u32, BTreeSet<u32>, Box<Line>),
    /// With pre-releases.
    Prereleases,
    /// For another Python.
    Python(Box<Target>),
    /// With one more index.
    Index(IndexTable),
}

impl Way {
    fn new<'n>(
        kind: SuggestionKind,
        what: String,
        how: How,
        shown: impl IntoIterator<Item = &'n Name>,
    ) -> Self {
        let mut names: Vec<Name> = Vec::new();
        for name in shown {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        Self {
            kind,
            what,
            shown: names,
            edit: None,
            flags: Vec::new(),
            command: Vec::new(),
            how,
        }
    }
}

/// Where ways out are looked for.
pub struct Ground<'a> {
    /// Everything that was asked for when the conflicts were found, policy too.
    pub lines: &'a [Line],
    /// The targets, the one that counts most first.
    pub targets: &'a [Target],
    /// The nodes that may have other versions.
    pub nodes: Option<Nodes<'a>>,
    /// Indexes that nodes name, which count only where the policy says so.
    pub offered: &'a [IndexOption],
}

/// Lists the ways out of a conflict that may be worth trying, likely ones first.
pub fn ways_of(ground: &Ground<'_>, conflict: &Conflict) -> Vec<Way> {
    let lines = ground.lines;
    let contested = conflict.packages.as_slice();
    let core: Vec<u32> = (conflict.lines.iter().copied())
        .filter(|&at| (at as usize) < lines.len())
        .collect();
    let line = |at: u32| &lines[at as usize];
    let nodes: BTreeSet<&String> = core
        .iter()
        .filter(|&&at| is_of_node(line(at)))
        .filter_map(|&at| line(at).origin.name.as_ref())
        .collect();
    let mut ways: Vec<Way> = core
        .iter()
        .filter(|&&at| is_free(line(at)))
        .filter_map(|&at| any_version(lines, at, contested))
        .take(MOST_OF_A_KIND)
        .collect();
    ways.extend((nodes.iter()).filter_map(|node| one_file(lines, node, &core, contested)));
    for told in &conflict.requirements {
        match (told.origin.kind, &told.origin.name) {
            (OriginKind::Installed, Some(name)) => ways.push(unprotect(lines, name, contested)),
            (OriginKind::Policy, _) => ways.extend(unconstrain(lines, &told.origin, contested)),
            _ => {}
        }
    }
    if let [told] = conflict.requirements.as_slice() {
        ways.push(prerelease(contested));
        let line = core.first().map(|&at| line(at));
        ways.extend(indexes(ground, line, &told.origin, contested));
        if let [name] = contested {
            ways.extend(exclude(lines, name));
        }
    }
    for node in nodes.iter().take(MOST_OF_A_KIND) {
        ways.push(leave_out(lines, node, contested));
    }
    for node in nodes.iter().take(MOST_OF_A_KIND) {
        let versions = ground.nodes.map(|nodes| other_versions(nodes, node));
        let versions = versions.unwrap_or_default();
        ways.extend(
            versions
                .into_iter()
                .map(|version| node_version(lines, node, version, contested)),
        );
    }
    if conflict.requirements.len() == 1 {
        ways.extend(pythons(ground, contested));
    }
    ways
}

fn is_of_node(line: &Line) -> bool {
    line.origin.kind == OriginKind::Node
}

/// Reports whether a line is somebody's who can be asked for less: not ComfyUI's own.
pub fn is_free(line: &Line) -> bool {
    is_of_node(line) || line.origin.kind == OriginKind::File && line.role == Role::Require
}

/// Reports whether a line is one of this node's.
fn is_of(line: &Line, node: &str) -> bool {
    is_of_node(line) && line.origin.name.as_deref() == Some(node)
}

/// Tries it without the lines that `goes` names.
fn without(lines: &[Line], goes: impl Fn(&Line) -> bool) -> How {
    let numbered = (0u32..).zip(lines);
    let out = numbered.filter(|(_, line)| goes(line)).map(|(at, _)| at);
    How::Lines(out.collect(), Vec::new())
}

/// Lets one line ask for any version; what of it the answer meets may stay.
fn any_version(lines: &[Line], at: u32, contested: &[Name]) -> Option<Way> {
    let line = &lines[at as usize];
    let wanted = &line.requirement;
    if wanted.specifiers.is_empty() && wanted.url.is_none() {
        return None;
    }
    let relaxed = Line {
        text: wanted.name.to_string(),
        requirement: Requirement {
            specifiers: Specifiers::default(),
            url: None,
            ..wanted.clone()
        },
        hashes: Vec::new(),
        editable: false,
        ..line.clone()
    };
    let replaced = |(other, its): &(u32, &Line)| {
        let same_node = is_of_node(line) && its.origin.name == line.origin.name;
        *other == at || same_node && is_of_node(its) && its.requirement.name == wanted.name
    };
    let out = (0u32..).zip(lines).filter(replaced).map(|(at, _)| at);
    Some(Way::new(
        SuggestionKind::Relax,
        format!("let {} take", line.origin.owner()),
        How::AnyVersion(at, out.collect(), Box::new(relaxed)),
        std::iter::once(&wanted.name).chain(contested),
    ))
}

/// Says what of a relaxed line an answer still meets, and how that is written down.
pub fn relaxed(way: &mut Way, line: &Line, version: &Version) {
    let name = &line.requirement.name;
    let specifier = still_true(line.requirement.specifiers.text(), version);
    let wider = match specifier.as_str() {
        "" => format!("any {name}"),
        _ => format!("{name}{specifier}"),
    };
    let place = line.origin.place_of_line();
    way.what
        .push_str(&format!(" {wider}, not just {} ({place})", line.text));
    way.edit = line.origin.name.as_ref().map(|node| Edit::Override {
        name: name.clone(),
        specifier,
        nodes: vec![node.clone()],
    });
}

/// The parts of a specifier that admit a version.
fn still_true(specifier: &str, version: &Version) -> String {
    use crate::package::Range;
    use crate::package::version::show_range;
    let admits =
        |part: &&str| Specifiers::parse(part).is_ok_and(|one| one.range().contains(version));
    let parts: Vec<&str> = specifier.split(',').map(str::trim).filter(admits).collect();
    let text = parts.join(",");
    // `>=1,!=2` of `>=1,!=2,<3` says something; a lone `!=` does not say enough to keep.
    let range = Specifiers::parse(&text).map_or_else(|_| Range::full(), |all| all.range());
    if show_range(&range) == "any version" {
        String::new()
    } else {
        text
    }
}

/// Lets only `requirements.txt` of a node count where its pyproject takes part.
fn one_file(lines: &[Line], node: &str, core: &[u32], contested: &[Name]) -> Option<Way> {
    let of_project = |line: &Line| {
        let file = line.origin.file.as_deref();
        is_of(line, node) && file.is_some_and(|file| file.ends_with("pyproject.toml"))
    };
    let mut its = lines.iter().filter(|line| is_of(line, node));
    if its.all(of_project) || !core.iter().any(|&at| of_project(&lines[at as usize])) {
        return None;
    }
    let what = format!("read only requirements.txt of {node}, not its pyproject.toml");
    let how = without(lines, of_project);
    let node = node.to_owned();
    Some(Way {
        edit: Some(Edit::Sources { node }),
        ..Way::new(SuggestionKind::Sources, what, how, contested)
    })
}

fn unprotect(lines: &[Line], name: &str, contested: &[Name]) -> Way {
    let what = format!("let {name} change, which is protected");
    let own = Name::parse(name);
    let how = without(lines, |line| {
        line.role == Role::Protect && line.requirement.name.as_str() == name
    });
    Way {
        flags: vec!["--allow-change".to_owned(), name.to_owned()],
        ..Way::new(
            SuggestionKind::AllowChange,
            what,
            how,
            own.iter().chain(contested),
        )
    }
}

fn unconstrain(lines: &[Line], origin: &Origin, contested: &[Name]) -> Option<Way> {
    let is_it = |line: &&Line| line.origin == *origin && line.role == Role::Constrain;
    let line = lines.iter().find(is_it)?;
    let place = origin.place_of_line();
    let what = format!("take the constraint {} ({place}) out", line.text);
    let name = line.requirement.name.clone();
    let how = without(lines, |other| other == line);
    Some(Way {
        edit: Some(Edit::Unconstrain { name }),
        ..Way::new(SuggestionKind::Constraint, what, how, contested)
    })
}

fn prerelease(contested: &[Name]) -> Way {
    let what = "allow pre-releases".to_owned();
    Way {
        edit: Some(Edit::Prerelease),
        flags: vec!["--prerelease".to_owned(), "allow".to_owned()],
        ..Way::new(
            SuggestionKind::Prerelease,
            what,
            How::Prereleases,
            contested,
        )
    }
}

/// Indexes that may have what no other has: those that the node itself names, and that
/// of PyTorch for a local version.
fn indexes(
    ground: &Ground<'_>,
    line: Option<&Line>,
    origin: &Origin,
    contested: &[Name],
) -> Vec<Way> {
    let mut tables = Vec::new();
    for option in ground.offered {
        let (Statement::IndexUrl(url) | Statement::ExtraIndexUrl(url)) = &option.statement else {
            continue;
        };
        if option.origin.kind == OriginKind::Node && option.origin.name == origin.name {
            let packages = contested.iter().map(ToString::to_string).collect();
            let name = origin.name.clone().unwrap_or_default();
            tables.push((name, crate::package::redact(url), packages));
        }
    }
    let pinned = line.and_then(|line| line.requirement.specifiers.pinned());
    if let Some((label, url)) = pinned.and_then(super::backend::index_of_label) {
        tables.push((format!("pytorch-{label}"), url, vec!["@torch".to_owned()]));
    }
    let way = |(name, url, packages): (String, String, Vec<String>)| {
        let what = format!("take {} from {url}", packages.join(", "));
        let table = IndexTable {
            name: name.clone(),
            url: url.clone(),
            default: false,
            packages: packages.clone(),
        };
        let edit = Edit::Index {
            name,
            url,
            packages,
        };
        Way {
            edit: Some(edit),
            ..Way::new(SuggestionKind::Index, what, How::Index(table), contested)
        }
    };
    tables.into_iter().map(way).collect()
}

/// A package that nobody has may be one that nobody needs.
fn exclude(lines: &[Line], name: &Name) -> Option<Way> {
    let asks = |line: &Line| line.requirement.name == *name;
    if !lines.iter().any(asks) {
        return None;
    }
    let what = format!("go without {name}");
    Some(Way {
        edit: Some(Edit::Exclude { name: name.clone() }),
        ..Way::new(SuggestionKind::Exclude, what, without(lines, asks), [])
    })
}

fn leave_out(lines: &[Line], node: &str, contested: &[Name]) -> Way {
    let what = format!("leave {node} out");
    let edit = Edit::Ignore {
        node: node.to_owned(),
    };
    let how = without(lines, |line| is_of(line, node));
    Way {
        edit: Some(edit),
        ..Way::new(SuggestionKind::LeaveOut, what, how, contested)
    }
}

fn node_version(lines: &[Line], node: &str, version: NodeVersion, contested: &[Name]) -> Way {
    let what = format!("take {node} at {}", version.label);
    let How::Lines(out, _) = without(lines, |line| is_of(line, node)) else {
        unreachable!("BUG: `without` makes lines")
    };
    Way {
        command: version.command,
        ..Way::new(
            SuggestionKind::NodeVersion,
            what,
            How::Lines(out, version.lines),
            contested,
        )
    }
}

/// Other Pythons, nearest first, where there is one target.
fn pythons(ground: &Ground<'_>, contested: &[Name]) -> Vec<Way> {
    let [target] = ground.targets else {
        return Vec::new();
    };
    let [3, own, ..] = *target.python.release() else {
        return Vec::new();
    };
    let mut minors: Vec<u64> = PYTHONS.filter(|&minor| minor != own).collect();
    minors.sort_by_key(|&minor| minor.abs_diff(own));
    let way = |minor: u64| {
        let python = Version::new([3, minor]);
        let target = Target::new(target.platform.clone(), python, &MachineFacts::default());
        let what = format!("use Python 3.{minor}, in an environment made anew");
        let how = How::Python(Box::new(target));
        Way {
            flags: vec!["--python-version".to_owned(), format!("3.{minor}")],
            ..Way::new(SuggestionKind::Python, what, how, contested)
        }
    };
    minors.into_iter().map(way).collect()
}
