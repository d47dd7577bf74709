//! What deserves a look before anything else on a preview: of the changes, of what the gate
//! found, of what breaks. One entry a package; every form of the page shows the same.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::changes::ChangeInfo;
use super::preview::Preview;
use crate::gate::{Code, Finding};
use crate::lock::ChangeKind;
use crate::package::Name;
use crate::requirements::script::ActKind;
use crate::requirements::{InstallScript, Origin};

/// Something that deserves a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Attention {
    /// Nothing is done without a flag that allows it.
    pub stops: bool,
    /// The package; null if it is about a file.
    pub package: Option<Name>,
    /// Its version before; null if it is not installed.
    pub from: Option<String>,
    /// Its version after; null if it goes or stays.
    pub to: Option<String>,
    /// What there is to say of it, most important first, a few words each.
    pub notes: Vec<String>,
    /// The codes of `check` that say the same.
    pub codes: Vec<&'static str>,
    /// Where it is written.
    pub origin: Option<Origin>,
}

/// How much something matters; less is more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Protected,
    Rebuild,
    Vulnerable,
    Yanked,
    Breaks,
    Label,
    Downgrade,
    Major,
    Core,
    Shared,
    Script,
    Unreadable,
    Built,
    Index,
    Loose,
    Waiver,
}

/// What is said of one thing while it is collected.
#[derive(Debug, Default)]
struct Entry {
    notes: Vec<(Rank, String)>,
    codes: Vec<&'static str>,
    origin: Option<Origin>,
}

/// Lists what deserves a look, most important first.
pub fn attention(preview: &Preview) -> Vec<Attention> {
    let mut packages: BTreeMap<Name, Entry> = BTreeMap::new();
    let mut others: Vec<Entry> = Vec::new();
    for change in &preview.changes {
        let notes = of_change(change);
        if !notes.is_empty() {
            packages.entry(change.name.clone()).or_default().notes = notes;
        }
    }
    for broken in &preview.breaks {
        let becomes = match &broken.to {
            Some(to) => format!("becomes {to}"),
            None => "goes".to_owned(),
        };
        let note = format!(
            "breaks: it needs {}, and {} {becomes}",
            broken.requirement, broken.name
        );
        let entry = packages.entry(broken.package.clone()).or_default();
        entry.notes.push((Rank::Breaks, note));
    }
    for shared in &preview.shared {
        let more = match shared.files {
            1 => String::new(),
            files => format!(" and {} more", files - 1),
        };
        let note = format!(
            "{} stays and has files of it too: {}{more}",
            shared.with, shared.first
        );
        let entry = packages.entry(shared.package.clone()).or_default();
        entry.notes.push((Rank::Shared, note));
    }
    let is_known = |finding: &&Finding| finding.new || moves(preview, finding);
    for finding in preview.findings.iter().filter(is_known) {
        let Some((rank, note)) = of_finding(preview, finding) else {
            continue;
        };
        let mut alone = Entry::default();
        let entry = match finding.packages.as_slice() {
            [name] => packages.entry(name.clone()).or_default(),
            _ => &mut alone,
        };
        entry.notes.push((rank, note));
        entry.codes.push(finding.code);
        if entry.origin.is_none() {
            entry.origin.clone_from(&finding.origin);
        }
        if !alone.notes.is_empty() {
            others.push(alone);
        }
    }
    for waiver in &preview.new_waivers {
        let note = format!("is not met and left aside: {}", waiver.shown());
        let entry = packages.entry(waiver.name.clone()).or_default();
        entry.notes.push((Rank::Waiver, note));
    }
    let named = packages
        .into_iter()
        .map(|(name, entry)| (Some(name), entry));
    let mut all: Vec<(Rank, Attention)> = named
        .chain(others.into_iter().map(|entry| (None, entry)))
        .map(|(name, entry)| entry.finish(preview, name))
        .collect();
    all.sort_by_key(|(rank, _)| *rank);
    all.into_iter().map(|(_, one)| one).collect()
}

impl Entry {
    fn finish(mut self, preview: &Preview, package: Option<Name>) -> (Rank, Attention) {
        self.notes.sort();
        let rank = self.notes.first().map_or(Rank::Waiver, |(rank, _)| *rank);
        let mut changes = preview.changes.iter();
        let change = changes.find(|change| Some(&change.name) == package.as_ref());
        let line = change.and_then(|change| change.line.as_ref());
        let version =
            |part: fn(&ChangeInfo) -> &Option<String>| change.and_then(|it| part(it).clone());
        let attention = Attention {
            stops: rank <= Rank::Rebuild,
            from: version(|change| &change.from),
            to: version(|change| &change.to),
            origin: line.map(|line| line.origin.clone()).or(self.origin),
            notes: self.notes.into_iter().map(|(_, note)| note).collect(),
            codes: self.codes,
            package,
        };
        (rank, attention)
    }
}

/// Reports whether the plan changes a package that was found fault with before.
fn moves(preview: &Preview, finding: &Finding) -> bool {
    let mut changes = preview.changes.iter();
    changes
        .any(|change| change.kind != ChangeKind::Remove && finding.packages.contains(&change.name))
}

/// What a change of what is installed means; what comes anew is no surprise.
fn of_change(change: &ChangeInfo) -> Vec<(Rank, String)> {
    let mut notes = Vec::new();
    let mut add = |rank, text: String| notes.push((rank, text));
    if change.protected && !change.needs_rebuild {
        add(Rank::Protected, "protected".to_owned());
    }
    if change.needs_rebuild {
        add(
            Rank::Rebuild,
            "needs a rebuild for another torch".to_owned(),
        );
    }
    // What happens anyway is not for these nodes to answer for.
    if change.pending {
        return notes;
    }
    if change.local_change {
        let label = |version: &Option<String>| {
            let label = version.as_deref().and_then(|text| text.split_once('+'));
            label.map_or("none".to_owned(), |(_, label)| format!("+{label}"))
        };
        let (from, to) = (label(&change.from), label(&change.to));
        add(Rank::Label, format!("another build: label {from} → {to}"));
    }
    if change.kind == ChangeKind::Downgrade {
        let word = if change.major {
            "major downgrade"
        } else {
            "downgrade"
        };
        add(Rank::Downgrade, word.to_owned());
    } else if change.major && change.kind == ChangeKind::Upgrade {
        add(Rank::Major, "major upgrade".to_owned());
    }
    if change.new_index {
        let index = change.index.as_deref().unwrap_or_default();
        add(
            Rank::Index,
            format!("from an index that is new here: {index}"),
        );
    }
    notes
}

/// What the gate found, in the words of a page that has package and versions already. What
/// the page shows as conflict or change is not said twice.
fn of_finding(preview: &Preview, finding: &Finding) -> Option<(Rank, String)> {
    let message = finding.message.as_str();
    let rest = match finding.packages.as_slice() {
        // `name version`, then a colon or a verb.
        [name] => (message.strip_prefix(&format!("{name} ")))
            .and_then(|rest| rest.split_once(' '))
            .map_or(message, |(_, rest)| rest),
        _ => message,
    };
    let rest = rest.to_owned();
    Some(match Code::named(finding.code)? {
        Code::Conflict | Code::Stale | Code::Environment | Code::Protected | Code::Unsupplied => {
            return None;
        }
        Code::Vulnerable => (Rank::Vulnerable, rest),
        Code::Yanked => (Rank::Yanked, rest),
        Code::Family => (Rank::Shared, rest),
        Code::SdistOnly => {
            let mut changes = preview.changes.iter();
            let here = changes.any(|it| it.sdist && finding.packages.contains(&it.name));
            let built = "built from source, by code of its own".to_owned();
            (Rank::Built, if here { built } else { rest })
        }
        Code::CoreDowngrade => (Rank::Core, "ComfyUI uses it".to_owned()),
        Code::InstallScript => {
            let mut scripts = preview.set.install_scripts.iter();
            let script = scripts.find(|script| finding.origin.as_ref() == Some(&script.origin));
            (Rank::Script, script.map_or(rest, summary))
        }
        Code::ForeignIndex => (Rank::Index, rest),
        Code::Unpinned => (Rank::Loose, rest),
        Code::Invalid => (Rank::Unreadable, format!("left out: {rest}")),
    })
}

/// Says what a script seems to do: `install.py seems to change packages (line 12)`.
pub fn summary(script: &InstallScript) -> String {
    let mut kinds: Vec<ActKind> = script.acts.iter().map(|act| act.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let parts: Vec<String> = kinds
        .into_iter()
        .map(|kind| {
            let lines = script.acts.iter().filter(|act| act.kind == kind);
            let lines: Vec<u32> = lines.map(|act| act.line).collect();
            format!("{} ({})", kind.shown(), numbers(&lines))
        })
        .collect();
    if parts.is_empty() {
        return "install.py: nothing known to change packages or files".to_owned();
    }
    format!("install.py {}", parts.join(", "))
}

fn numbers(lines: &[u32]) -> String {
    const MOST: usize = 3;
    let word = if lines.len() == 1 { "line" } else { "lines" };
    let shown: Vec<String> = lines.iter().take(MOST).map(u32::to_string).collect();
    let more = if lines.len() > MOST { ", …" } else { "" };
    format!("{word} {}{more}", shown.join(", "))
}
