//! What of an installation goes into an archive, and what each rule leaves out.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::PackRequest;
use crate::environment::record::{CLEANED, Cleaned};
use crate::host::tree::{Entry, Kind, walk};
use crate::host::{digest, fs};
use crate::ops::context::{Context, Site};
use crate::ops::error::OpError;
use crate::pack::cleaned::{renewed, without};
use crate::pack::imports::Imports;
use crate::pack::relocate::{Place, may_hold_credentials, may_tell, without_secrets};
use crate::pack::rules::{Rule, Zone, rule_of};
use crate::pack::{Content, Item};

/// Where the Python beneath a virtual environment lies in the archive.
pub(super) const BASE: &str = "python";

/// Parts of the root that no archive holds: they are of this machine, or of this moment.
const OF_HERE: [&str; 5] = [
    // Environments are made again from lock and wheelhouse sooner than they are mended.
    ".portenv/envs",
    ".portenv/tmp",
    ".portenv/trash",
    ".portenv/lock",
    ".portenv/portenv.db",
];

/// The Python that a virtual environment was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beneath {
    /// There is none: the interpreter lies in the installation itself.
    None,
    /// It is packed too.
    Packed,
    /// It is the system's, and has to be there where the archive is unpacked.
    Needed,
}

/// What one rule leaves out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// How many files.
    pub files: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// What was gathered.
pub(super) struct Members {
    /// The members, by path.
    pub(super) items: Vec<Item>,
    /// What each rule in force leaves out.
    pub(super) shares: BTreeMap<&'static str, Share>,
    /// Files that say where the installation lies.
    pub(super) relocate: Vec<String>,
    /// Links to the Python beneath: their path, and where they lead to below its prefix.
    pub(super) links: BTreeMap<String, String>,
    /// Directories of packages, relative to the root.
    pub(super) packages: Vec<String>,
    /// Links that lead out of the installation.
    pub(super) lost: Vec<String>,
    /// Files without the credentials that they hold here.
    pub(super) bared: Vec<String>,
    /// How the interpreter is had.
    pub(super) beneath: Beneath,
}

/// Where zones begin, relative to the archive's top: the longest that fits decides.
struct Map(Vec<(String, Zone)>);

impl Map {
    /// Returns the zone of a file and its path there.
    fn find<'p>(&self, path: &'p str) -> (Zone, &'p str) {
        let within = |base: &str| {
            if base.is_empty() {
                return Some(path);
            }
            path.strip_prefix(base)?.strip_prefix('/')
        };
        let fitting = self.0.iter();
        let fitting = fitting.filter_map(|(base, zone)| Some((base.len(), *zone, within(base)?)));
        let best = fitting.max_by_key(|(length, ..)| *length);
        best.map_or((Zone::Other, path), |(_, zone, rest)| (zone, rest))
    }
}

/// Returns a path relative to the root, if it lies in it.
fn below(root: &Utf8Path, path: &Utf8Path) -> Option<String> {
    let rest = path.strip_prefix(root).ok()?;
    Some(rest.as_str().replace('\\', "/"))
}

/// Reports whether a Python belongs to the system: it is of no use elsewhere.
fn is_of_system(prefix: &Utf8Path) -> bool {
    let system = ["/usr", "/opt/homebrew", "/System", "/Library", "/nix"];
    system.iter().any(|top| prefix.starts_with(top))
        || prefix.as_str().contains("WindowsApps")
        || !fs::exists(prefix)
}

/// Gathers all members.
pub(super) fn gather(
    context: &Context,
    site: &Site,
    request: &PackRequest,
    rules: &[&'static Rule],
    output: &Utf8Path,
) -> Result<Members, OpError> {
    let root = &site.installation.root;
    let prefix = &site.interpreter.prefix;
    let home = site.interpreter.home();
    if below(root, &home).is_none() {
        return Err(OpError::Refused(format!(
            "the environment `{home}` lies outside the installation `{root}`, and only what lies \
             in it can be packed; make an environment there, and portenv sync installs the lock in it"
        )));
    }
    let beneath = if below(root, prefix).is_some() {
        Beneath::None
    } else if is_of_system(prefix) {
        Beneath::Needed
    } else {
        Beneath::Packed
    };
    let map = zones(site, beneath)?;
    let archive = output.as_str().to_owned();
    let skip = |path: &str| {
        let here = OF_HERE.iter().any(|own| {
            path == *own
                || path
                    .strip_prefix(own)
                    .is_some_and(|rest| rest.starts_with(['-', '.']))
        });
        let store = !request.history && path == ".portenv/store";
        // An earlier archive, also of another form or in volumes.
        let place = root.join(path);
        let same = place.as_str().strip_prefix(&archive);
        here || store || same.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    context.progress.begin("looking at the installation", None);
    let mut found: Vec<(Entry, Utf8PathBuf)> = Vec::new();
    for entry in walk(root, &skip)? {
        context.check_cancel()?;
        let place = root.join(&entry.path);
        found.push((entry, place));
    }
    if beneath == Beneath::Packed {
        // Packages of the base are invisible from above, or a base that stays where it is.
        let hidden =
            |path: &str| path.ends_with("/site-packages") || path.ends_with("/dist-packages");
        for mut entry in walk(prefix, &hidden)? {
            let place = prefix.join(&entry.path);
            entry.path = format!("{BASE}/{}", entry.path);
            found.push((entry, place));
        }
        found.sort_by(|a, b| a.0.path.cmp(&b.0.path));
    }
    let mut kept = Vec::new();
    let mut out: Vec<(Entry, Utf8PathBuf, &'static Rule)> = Vec::new();
    for (entry, place) in found {
        let (zone, path) = map.find(&entry.path);
        match rule_of(rules, zone, path) {
            Some(rule) => out.push((entry, place, rule)),
            None => kept.push((entry, place)),
        }
    }
    bring_back_imported(&map, &mut kept, &mut out);
    let mut shares: BTreeMap<&'static str, Share> = rules
        .iter()
        .map(|rule| (rule.name, Share::default()))
        .collect();
    for (entry, _, rule) in &out {
        if let Kind::File { size, .. } = entry.kind {
            let share = shares.entry(rule.name).or_default();
            share.files += 1;
            share.bytes += size;
        }
    }
    let mut members = Members {
        items: Vec::new(),
        shares,
        relocate: Vec::new(),
        links: BTreeMap::new(),
        packages: (map.0.iter())
            .filter(|(_, zone)| *zone == Zone::Packages)
            .map(|(base, _)| base.clone())
            .collect(),
        lost: Vec::new(),
        bared: Vec::new(),
        beneath,
    };
    let places = [
        Place::new("root", root.as_str()),
        Place::new("base", prefix.as_str()),
    ];
    for (entry, place) in kept {
        members.add(&map, root, prefix, &places, entry, place)?;
    }
    let gone: Vec<&str> = out.iter().map(|(entry, ..)| entry.path.as_str()).collect();
    members.rewrite_records(root, &gone)?;
    members.items.sort_by(|a, b| a.path.cmp(&b.path));
    context.progress.end();
    Ok(members)
}

/// Tells where the parts of an installation begin.
fn zones(site: &Site, beneath: Beneath) -> Result<Map, OpError> {
    let installation = &site.installation;
    let (root, interpreter) = (&installation.root, &site.interpreter);
    let mut map = Vec::new();
    let mut add = |path: &Utf8Path, zone: Zone| {
        if let Some(path) = below(root, path) {
            map.push((path, zone));
        }
    };
    if let Some(core) = &installation.comfyui {
        add(core, Zone::Core);
    }
    for node in installation.nodes()? {
        add(&root.join(&node.dir), Zone::Node);
    }
    add(&interpreter.home(), Zone::Prefix);
    for dir in interpreter.site_packages() {
        add(&dir, Zone::Packages);
        // Python's library is what site-packages lies in.
        if let Some(library) = dir.parent() {
            add(library, Zone::Library);
        }
    }
    let base = match beneath {
        Beneath::None => below(root, &interpreter.prefix),
        Beneath::Packed => Some(BASE.to_owned()),
        Beneath::Needed => None,
    };
    if let Some(base) = base.filter(|base| !base.is_empty()) {
        let version = interpreter.version.split('.').take(2);
        let version = version.collect::<Vec<_>>().join(".");
        map.push((format!("{base}/lib/python{version}"), Zone::Library));
        map.push((format!("{base}/Lib"), Zone::Library));
        map.push((base, Zone::Prefix));
    }
    Ok(Map(map))
}

/// Takes code back in that a rule would leave out although other code imports it.
fn bring_back_imported(
    map: &Map,
    kept: &mut Vec<(Entry, Utf8PathBuf)>,
    out: &mut Vec<(Entry, Utf8PathBuf, &'static Rule)>,
) {
    if !out.iter().any(|(_, _, rule)| rule.code) {
        return;
    }
    let mut imports = Imports::default();
    for (entry, place) in kept.iter() {
        let (zone, path) = map.find(&entry.path);
        let read = matches!(zone, Zone::Packages | Zone::Core | Zone::Node);
        if read
            && path.ends_with(".py")
            && let Ok(bytes) = fs::read_bytes(place)
        {
            imports.read(path, &String::from_utf8_lossy(&bytes));
        }
    }
    // What is taken back may import more of what was left out.
    loop {
        let (back, still): (Vec<_>, Vec<_>) = std::mem::take(out).into_iter().partition(|found| {
            let (entry, _, rule) = found;
            let (_, path) = map.find(&entry.path);
            rule.code && is_imported(&imports, path, rule)
        });
        *out = still;
        if back.is_empty() {
            break;
        }
        for (entry, place, _) in back {
            let (_, path) = map.find(&entry.path);
            if path.ends_with(".py")
                && let Ok(bytes) = fs::read_bytes(&place)
            {
                imports.read(path, &String::from_utf8_lossy(&bytes));
            }
            kept.push((entry, place));
        }
    }
}

/// Reports whether the directory that a rule is about is imported: that of `tests` in
/// `a/tests/data/b` is `a.tests`, of a part of Python's library its name.
fn is_imported(imports: &Imports, path: &str, rule: &Rule) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let names: &[&str] = match rule.name {
        "tests" => &["tests", "test"],
        "examples" => &["examples", "example", "demos"],
        _ => return imports.names(parts[0]),
    };
    let at = parts.iter().rposition(|part| names.contains(part));
    at.is_some_and(|at| imports.names(&parts[..=at].join(".")))
}

impl Members {
    fn add(
        &mut self,
        map: &Map,
        root: &Utf8Path,
        prefix: &Utf8Path,
        places: &[Place; 2],
        entry: Entry,
        place: Utf8PathBuf,
    ) -> Result<(), OpError> {
        let (zone, path) = map.find(&entry.path);
        match entry.kind {
            Kind::Empty => self.items.push(Item {
                path: entry.path,
                content: Content::Empty,
                size: 0,
                program: false,
            }),
            Kind::Link(target) => self.add_link(root, prefix, entry.path, &target),
            Kind::File { size, program } => {
                let told = may_tell(zone, path, size)
                    && !fs::read_start(&place, 4)?.starts_with(b"\x7fELF");
                if told {
                    let bytes = fs::read_bytes(&place)?;
                    // The base first: it may lie beside, never below the root's name.
                    let first = places[1].hide(&bytes);
                    let second = places[0].hide(first.as_deref().unwrap_or(&bytes));
                    if let Some(hidden) = second.or(first) {
                        self.relocate.push(entry.path.clone());
                        self.items.push(Item::bytes(entry.path, hidden, program));
                        return Ok(());
                    }
                }
                if may_hold_credentials(zone, path)
                    && let Ok(text) = fs::read_text(&place)
                    && let Some(bare) = without_secrets(&text)
                {
                    self.bared.push(entry.path.clone());
                    self.items.push(Item::bytes(entry.path, bare, program));
                    return Ok(());
                }
                self.items.push(Item {
                    path: entry.path,
                    content: Content::File(place),
                    size,
                    program,
                });
            }
        }
        Ok(())
    }

    /// Makes links relative; one to the Python beneath leads to where that will lie.
    fn add_link(&mut self, root: &Utf8Path, prefix: &Utf8Path, path: String, target: &str) {
        let from = path.rsplit_once('/').map_or("", |(dir, _)| dir).to_owned();
        let up = |to: &str| {
            let depth = from.split('/').filter(|part| !part.is_empty()).count();
            format!("{}{to}", "../".repeat(depth))
        };
        let target_path = Utf8Path::new(target);
        let real = fs::canonical(prefix).ok();
        let in_base =
            |path: &Utf8Path| below(prefix, path).or_else(|| below(real.as_deref()?, path));
        let target = if !target_path.is_absolute() {
            if !path.starts_with(&format!("{BASE}/")) && is_outside(&path, target) {
                self.lost.push(path);
                return;
            }
            target.to_owned()
        } else if let Some(inside) = below(root, target_path) {
            up(&inside)
        } else if let Some(inside) = in_base(target_path) {
            if self.beneath == Beneath::Packed {
                up(&format!("{BASE}/{inside}"))
            } else {
                self.links.insert(path, inside);
                return;
            }
        } else {
            self.lost.push(path);
            return;
        };
        self.items.push(Item {
            path,
            content: Content::Link(target),
            size: 0,
            program: false,
        });
    }

    /// Lets each RECORD tell only of what is left, and as it is packed.
    fn rewrite_records(&mut self, root: &Utf8Path, gone: &[&str]) -> Result<(), OpError> {
        let hidden: Vec<(String, (String, usize))> = (self.items.iter())
            .filter_map(|item| match &item.content {
                Content::Bytes(bytes) => {
                    Some((item.path.clone(), (digest::record_hash(bytes), bytes.len())))
                }
                _ => None,
            })
            .collect();
        let mut notes = Vec::new();
        for packages in &self.packages {
            let gone: BTreeSet<String> =
                gone.iter().map(|path| from_there(packages, path)).collect();
            let hidden: BTreeMap<String, &(String, usize)> = (hidden.iter())
                .map(|(path, new)| (from_there(packages, path), new))
                .collect();
            for item in &mut self.items {
                let Some(info) = info_of_record(packages, &item.path) else {
                    continue;
                };
                let place = root.join(packages).join(&info);
                let bytes = fs::read_bytes(&place.join("RECORD"))?;
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let was = fs::find_bytes(&place.join(CLEANED))?;
                let was: Option<Cleaned> =
                    was.and_then(|bytes| serde_json::from_slice(&bytes).ok());
                let cleaned = without(&text, &info, &gone, was.as_ref());
                let (record, note) = match cleaned {
                    Some(new) => (Some(new.record), new.note),
                    None => (None, None),
                };
                let renewed = renewed(record.as_deref().unwrap_or(&text), &hidden);
                if let Some(record) = renewed.or(record) {
                    *item = Item::bytes(item.path.clone(), record, false);
                }
                if let Some(note) = note {
                    let path = format!("{packages}/{info}/{CLEANED}");
                    notes.push(Item::bytes(path, note, false));
                }
            }
        }
        for note in notes {
            self.items.retain(|item| item.path != note.path);
            self.items.push(note);
        }
        Ok(())
    }
}

/// Returns the dist-info directory whose RECORD a path is.
fn info_of_record(packages: &str, path: &str) -> Option<String> {
    let inner = path.strip_prefix(packages)?.trim_start_matches('/');
    let info = inner.strip_suffix("/RECORD")?;
    (info.ends_with(".dist-info") && !info.contains('/')).then(|| info.to_owned())
}

/// Reports whether a relative link leads out of the top.
fn is_outside(path: &str, target: &str) -> bool {
    let mut depth = path.split('/').count() - 1;
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

/// Returns a path as it stands in a RECORD: relative to the directory of packages.
pub(in crate::ops) fn from_there(packages: &str, path: &str) -> String {
    let (from, to): (Vec<&str>, Vec<&str>) =
        (packages.split('/').collect(), path.split('/').collect());
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut text = "../".repeat(from.len() - same);
    text.push_str(&to[same..].join("/"));
    text
}
