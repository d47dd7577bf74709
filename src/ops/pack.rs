//! `pack`: the installation as one archive that works elsewhere.

mod members;
mod scripts;
mod tried;

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

pub use members::Share;
pub(super) use members::from_there;
pub use tried::SyntaxFault;

use self::members::{Beneath, Members, gather};
use super::context::{Context, Site};
use super::error::OpError;
use super::transaction::{scratch_dir, start};
use super::unpack;
use crate::host::tree::Draft;
use crate::host::{digest, fs, volume};
use crate::pack::manifest::{MANIFEST, Manifest, PackedPython, SCHEMA, VERSION_FILE};
use crate::pack::rules::{RULES, Rule, chosen};
use crate::pack::write::{Form, Written, keep, write};
use crate::pack::{Content, Item, PackError};
use crate::requirements::origin::show_path;
use crate::snapshot::Db;

/// What to pack, and how.
#[derive(Debug, Clone, Default)]
pub struct PackRequest {
    /// A file or a directory; the working directory by default.
    pub output: Option<Utf8PathBuf>,
    /// The kind of archive.
    pub form: Form,
    /// What it is called; the root's name by default.
    pub name: Option<String>,
    /// Its own version; ComfyUI's by default.
    pub version: Option<String>,
    /// Snapshots, and what rolling back to them needs, go in.
    pub history: bool,
    /// Rules that are put in force.
    pub clean: Vec<String>,
    /// Rules that are switched off.
    pub keep: Vec<String>,
    /// Volumes of at most so many bytes.
    pub split: Option<u64>,
    /// All that could be imported is imported from the archive.
    pub smoke: bool,
    /// Only tell.
    pub dry_run: bool,
    /// The time that all members have, in seconds since 1970.
    pub epoch: i64,
    /// The program to put in.
    pub program: Option<Utf8PathBuf>,
}

/// A rule, and what it leaves out.
#[derive(Debug, Clone, Copy)]
pub struct Cleaning {
    /// The rule.
    pub rule: &'static Rule,
    /// It is in force.
    pub on: bool,
    /// What it leaves out, if it is in force.
    pub share: Share,
}

/// What was packed, or would be.
#[derive(Debug)]
pub struct Packed {
    /// Nothing was written.
    pub dry_run: bool,
    /// The archive, or its volumes.
    pub written: Vec<Written>,
    /// Where it is or would be.
    pub path: Utf8PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// All rules, in their order.
    pub rules: Vec<Cleaning>,
    /// Code of ComfyUI and nodes that does not parse.
    pub syntax: Vec<SyntaxFault>,
    /// What could be imported here and no longer from the archive, with what it said last; `None`
    /// if that was not tried.
    pub smoke: Option<BTreeMap<String, String>>,
    /// What a person should know.
    pub warnings: Vec<(&'static str, String)>,
}

/// Packs an installation.
///
/// # Errors
///
/// Fails if a rule is unknown, a file cannot be read or written, or, with `smoke`, if something
/// can no longer be imported; then no archive is left.
pub fn run(context: &Context, request: &PackRequest) -> Result<Packed, OpError> {
    let rules = chosen(&request.clean, &request.keep).map_err(OpError::Usage)?;
    let site = context.site()?;
    // Nobody changes what is being read; a dry run only looks.
    let _held = if request.dry_run {
        None
    } else {
        Some(start(context, &site, "pack")?)
    };
    let mut manifest = describe(&site, request)?;
    let path = output_path(context, request, &manifest);
    let mut members = gather(context, &site, request, &rules, &path)?;
    let mut warnings = warnings(&site, &members);
    let scratch = (!request.dry_run).then(|| scratch_dir(&site)).transpose()?;
    if let Some((_, scratch)) = &scratch {
        add_own(context, &site, request, &mut members, scratch)?;
    }
    complete(&mut manifest, &members);
    let rules = (RULES.iter())
        .map(|rule| Cleaning {
            rule,
            on: members.shares.contains_key(rule.name),
            share: members.shares.get(rule.name).copied().unwrap_or_default(),
        })
        .collect();
    let mut packed = Packed {
        dry_run: request.dry_run,
        written: Vec::new(),
        path,
        manifest,
        rules,
        syntax: Vec::new(),
        smoke: None,
        warnings: Vec::new(),
    };
    if let Some((_, scratch)) = &scratch {
        packed.syntax = syntax(&site, &members, scratch)?;
        let draft = write_draft(context, &packed, &members, request)?;
        if request.smoke {
            packed.smoke = Some(smoke(
                context,
                &site,
                &packed,
                &draft,
                request.form,
                scratch,
            )?);
        }
        if packed.smoke.as_ref().is_none_or(BTreeMap::is_empty) {
            packed.written = keep(draft, &packed.path, request.split)?;
        }
    }
    if let Some(failed) = packed.smoke.as_ref().filter(|failed| !failed.is_empty()) {
        let names: Vec<String> = failed
            .iter()
            .map(|(name, said)| format!("{name} ({said})"))
            .collect();
        return Err(OpError::Refused(format!(
            "no archive was written, for it could not import what can be imported here: {}",
            names.join(", ")
        )));
    }
    if !packed.syntax.is_empty() {
        let shown: Vec<String> = packed.syntax.iter().take(8).map(shown_fault).collect();
        let more = packed.syntax.len() - shown.len();
        let more = if more > 0 {
            format!(", and {more} more")
        } else {
            String::new()
        };
        warnings.push((
            "syntax",
            format!("Python cannot read {}{more}", shown.join(", ")),
        ));
    }
    packed.warnings = warnings;
    Ok(packed)
}

fn shown_fault(fault: &SyntaxFault) -> String {
    let line = fault
        .line
        .map(|line| format!(":{line}"))
        .unwrap_or_default();
    format!("{}{line} ({})", fault.file, fault.message)
}

/// Says who the archive is, before it is known what is in it.
fn describe(site: &Site, request: &PackRequest) -> Result<Manifest, OpError> {
    let installation = &site.installation;
    let core = installation.core();
    let comfyui = core.as_ref().and_then(|core| core.version.clone());
    let lock = fs::find_bytes(&installation.lock_path())?;
    let name = request.name.clone();
    let name = name.or_else(|| installation.root.file_name().map(str::to_owned));
    let version = request.version.clone().or_else(|| comfyui.clone());
    Ok(Manifest {
        schema: SCHEMA,
        name: name.unwrap_or_else(|| "ComfyUI".to_owned()),
        version: version.unwrap_or_else(|| "0".to_owned()),
        portenv: env!("CARGO_PKG_VERSION").to_owned(),
        platform: site.target.platform.triple(),
        python: PackedPython {
            version: site.target.python.to_string(),
            interpreter: show_path(&installation.root, &site.interpreter.path),
            base: None,
            needs_base: false,
        },
        comfyui,
        commit: core.and_then(|core| core.commit),
        lock: lock.map(|bytes| digest::sha256(&bytes)),
        files: 0,
        bytes: 0,
        cleaned: BTreeMap::new(),
        relocate: Vec::new(),
        links: BTreeMap::new(),
        packages: Vec::new(),
    })
}

fn output_path(context: &Context, request: &PackRequest, manifest: &Manifest) -> Utf8PathBuf {
    let name = format!("{}.{}", manifest.title(), request.form.ending());
    match &request.output {
        None => context.dir.join(name),
        Some(path) => {
            let path = context.dir.join(path);
            if fs::is_dir(&path) {
                path.join(name)
            } else {
                path
            }
        }
    }
}

fn warnings(site: &Site, members: &Members) -> Vec<(&'static str, String)> {
    let mut warnings = Vec::new();
    if !members.lost.is_empty() {
        let text = format!(
            "links that lead out of the installation stay behind: {}",
            members.lost.join(", ")
        );
        warnings.push(("links", text));
    }
    if !members.bared.is_empty() {
        let text = format!("credentials stay behind: {}", members.bared.join(", "));
        warnings.push(("credentials", text));
    }
    if members.beneath == Beneath::Needed {
        let text = format!(
            "the Python beneath (`{}`) belongs to the system and is not packed: where the archive \
             is unpacked, there must be a Python {}",
            site.interpreter.prefix, site.target.python
        );
        warnings.push(("python", text));
    }
    if site.interpreter.path.as_str().ends_with(".exe") {
        let text =
            "programs in Scripts name the old place of Python; python -m NAME works anywhere";
        warnings.push(("programs", text.to_owned()));
    }
    warnings
}

/// Adds what is not a file of the installation: the history as one consistent copy, and scripts.
fn add_own(
    context: &Context,
    site: &Site,
    request: &PackRequest,
    members: &mut Members,
    scratch: &Utf8Path,
) -> Result<(), OpError> {
    if request.history
        && let Some(db) = Db::find(&site.installation.own_dir())?
    {
        let copy = scratch.join("history.db");
        db.copy_to(&copy)?;
        members.items.push(Item {
            path: ".portenv/portenv.db".to_owned(),
            size: fs::stamp(&copy)?.0,
            content: Content::File(copy),
            program: false,
        });
    }
    if let Some(program) = &request.program {
        let windows = site.interpreter.path.as_str().ends_with(".exe");
        let own = scripts::scripts(fs::read_bytes(program)?, windows);
        for item in own {
            // What the user made under that name stays.
            if members.items.iter().all(|there| there.path != item.path) {
                members.items.push(item);
            }
        }
    }
    context.check_cancel()?;
    members.items.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(())
}

fn complete(manifest: &mut Manifest, members: &Members) {
    manifest.files = members.items.len() as u64;
    manifest.bytes = members.items.iter().map(|item| item.size).sum();
    let cleaned = members.shares.iter();
    manifest.cleaned = cleaned
        .map(|(name, share)| ((*name).to_owned(), share.bytes))
        .collect();
    manifest.relocate.clone_from(&members.relocate);
    manifest.links.clone_from(&members.links);
    manifest.packages.clone_from(&members.packages);
    let base = (members.beneath == Beneath::Packed).then(|| members::BASE.to_owned());
    manifest.python.base = base;
    manifest.python.needs_base = members.beneath == Beneath::Needed;
}

fn syntax(site: &Site, members: &Members, scratch: &Utf8Path) -> Result<Vec<SyntaxFault>, OpError> {
    let inside = |path: &str| {
        let mut packages = members.packages.iter();
        packages.any(|packages| path.starts_with(&format!("{packages}/")))
            || path.starts_with(&format!("{}/", members::BASE))
    };
    let home = show_path(&site.installation.root, &site.interpreter.home());
    let files: Vec<String> = (members.items.iter())
        .filter(|item| matches!(item.content, Content::File(_)) && item.path.ends_with(".py"))
        .filter(|item| !inside(&item.path) && !item.path.starts_with(&format!("{home}/")))
        .map(|item| item.path.clone())
        .collect();
    tried::parse(&site.interpreter, &site.installation.root, &files, scratch)
}

fn write_draft(
    context: &Context,
    packed: &Packed,
    members: &Members,
    request: &PackRequest,
) -> Result<Draft, OpError> {
    let manifest = &packed.manifest;
    let own = serde_json::to_vec_pretty(manifest)
        .map_err(|error| OpError::Refused(format!("the manifest cannot be written: {error}")))?;
    let mut items = vec![
        Item::bytes(VERSION_FILE, manifest.to_yaml(), false),
        Item::bytes(MANIFEST, own, false),
    ];
    let is_own = |item: &&Item| item.path != VERSION_FILE && item.path != MANIFEST;
    items.extend(members.items.iter().filter(is_own).cloned());
    let dir = packed.path.parent().unwrap_or(Utf8Path::new("."));
    fs::create_dir_all(dir)?;
    // Most of it packs to less than half; a disk with less than a third is full before the end.
    let needed = manifest.bytes / 3;
    if let Some(free) = volume::free_bytes(dir).filter(|free| *free < needed) {
        return Err(OpError::NoRoom {
            path: dir.to_owned(),
            needed,
            free,
        });
    }
    let mut draft = Draft::begin(&packed.path)?;
    context
        .progress
        .count("packing", Some(manifest.bytes), "bytes");
    let tell = |done: u64, path: &str| {
        context.progress.at(done, path);
        !context.cancel.is_requested()
    };
    let title = manifest.title();
    let result = write(
        &items,
        &title,
        request.form,
        request.epoch,
        &mut draft,
        &tell,
    );
    context.progress.end();
    result?;
    Ok(draft)
}

/// Unpacks what was written, and imports there what can be imported here.
fn smoke(
    context: &Context,
    site: &Site,
    packed: &Packed,
    draft: &Draft,
    form: Form,
    scratch: &Utf8Path,
) -> Result<BTreeMap<String, String>, OpError> {
    let installed = site.installed()?;
    let modules: BTreeSet<String> = installed.iter().flat_map(tried::modules_of).collect();
    context.progress.begin("importing all packages here", None);
    let here = tried::import(&site.interpreter.path, &modules, scratch)?;
    let fine: BTreeSet<String> = modules
        .into_iter()
        .filter(|name| !here.contains_key(name))
        .collect();
    context
        .progress
        .begin("importing all packages from the archive", None);
    let trial = scratch.join("trial");
    let place = unpack::place_draft(context, site, draft, form, &trial)?;
    let there = tried::import(
        &place.join(&packed.manifest.python.interpreter),
        &fine,
        scratch,
    )?;
    context.progress.end();
    Ok(there)
}

impl From<PackError> for OpError {
    fn from(error: PackError) -> Self {
        match error {
            PackError::File(error) => Self::File(error),
            PackError::Interrupted => Self::Interrupted,
            PackError::Damaged(text) | PackError::Unsafe(text) => Self::Archive(text),
        }
    }
}
