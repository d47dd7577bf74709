//! `status`: what differs from what was recorded. Changes nothing.

use schemars::JsonSchema;
use serde::Serialize;

use super::capture::{Knowledge, capture};
use super::changes::{ChangeInfo, Difference, NodeChange};
use super::context::{Context, Site};
use super::error::OpError;
use super::fingerprint::fingerprint;
use super::inputs::ResolveFlags;
use super::joint::violations;
use super::lock::inputs;
use super::preview::goal_of;
use super::sync::check_target;
use super::traces::{Trace, find_traces};
use crate::git::read_checkout;
use crate::host::{DirLock, fs};
use crate::lock::{LeftOutNode, StaleReason, check_freshness};
use crate::requirements::origin::show_path;
use crate::requirements::{Waiver, WaiverReason};
use crate::snapshot::{BaseState, Db, Operation, State, bisect_origin};
use crate::store::archive;
use crate::workspace::Layout;
use crate::workspace::NodeKind;
use crate::workspace::content::differing_code;
use crate::workspace::startup::parse_script;

/// The state of an installation.
#[derive(Debug, Clone)]
pub struct Status {
    /// The root.
    pub root: String,
    /// How it is laid out.
    pub layout: Layout,
    /// The core's directory.
    pub core: Option<String>,
    /// Why this core.
    pub core_reason: &'static str,
    /// The Python.
    pub python: String,
    /// Its version.
    pub python_version: String,
    /// Why this Python.
    pub python_reason: String,
    /// The read-only base beneath the environment.
    pub base: Option<BaseState>,
    /// The newest snapshot.
    pub snapshot: Option<String>,
    /// What is here now as one digest, equal on equal machines.
    pub state: String,
    /// When it was taken.
    pub snapshot_time: Option<String>,
    /// What differs from it.
    pub drift: Difference,
    /// Files that were changed in nodes.
    pub edited: Vec<Edited>,
    /// Who changed packages, as far as what they left tells.
    pub traces: Vec<Trace>,
    /// Why the lock is stale.
    pub stale: Vec<StaleReason>,
    /// What is violated and does not stand in the way: by the lock, else as things are.
    pub waivers: Vec<Waiver>,
    /// Nodes that the lock was made without.
    pub left_out: Vec<LeftOutNode>,
    /// There is a lock.
    pub locked: bool,
    /// What a sync would change, where the lock answers the requirements.
    pub unsynced: Vec<ChangeInfo>,
    /// An operation that was cut short.
    pub interrupted: Option<Operation>,
    /// What Manager will do at the next start.
    pub startup_scripts: Vec<String>,
    /// What these do, file by file.
    pub pending: Vec<Pending>,
    /// Packages, nodes.
    pub counts: (usize, usize),
    /// What to do next.
    pub hints: Vec<String>,
}

/// A node whose checkout has changed files, and had none or others when the newest snapshot was
/// taken, or a node without history whose code is not what it was then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Edited {
    /// The node's directory, relative to the root where it lies in it.
    pub dir: String,
    /// The changed files, relative to that directory.
    pub files: Vec<String>,
}

/// A start-up script of ComfyUI-Manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Pending {
    /// The file, relative to the root where it lies in it.
    pub file: String,
    /// What it does, in words, in its own order.
    pub actions: Vec<String>,
}

/// Reads the present state with the sources that the newest snapshot knows.
///
/// # Errors
///
/// Fails if something cannot be read.
pub fn present(context: &Context, site: &Site, db: &Db) -> Result<State, OpError> {
    let head = db.head()?.map(|head| db.state_of(&head)).transpose()?;
    let installed = site.installed()?;
    capture(
        context,
        site,
        &installed,
        &Knowledge {
            states: head.iter().collect(),
            lock: None,
            index: None,
        },
    )
}

/// Looks at an installation.
///
/// # Errors
///
/// Fails if there is none, or something cannot be read.
pub fn run(context: &Context) -> Result<Status, OpError> {
    let site = context.site()?;
    let installed = site.installed()?;
    let db = Db::find(&site.installation.own_dir())?;
    let head = db.as_ref().map(Db::head).transpose()?.flatten();
    let known = match (&db, &head) {
        (Some(db), Some(head)) => Some(db.state_of(head)?),
        _ => None,
    };
    let now = capture(
        context,
        &site,
        &installed,
        &Knowledge {
            states: known.iter().collect(),
            lock: None,
            index: None,
        },
    )?;
    let drift = known
        .as_ref()
        .map(|known| Difference::between(known, &now))
        .unwrap_or_default();
    let flags = ResolveFlags {
        skip_invalid: true,
        ..ResolveFlags::default()
    };
    let inputs = inputs(context, &site, &flags)?;
    // Without the core's lines every lock would look stale.
    let stale = match inputs.lock.as_ref().filter(|_| site.needs_core().is_ok()) {
        Some(lock) => check_freshness(Some(lock), &inputs.set, &inputs.targets),
        None => Vec::new(),
    };
    // A stale lock has to be made anew before it is worth a sync.
    let unsynced = match inputs.lock.as_ref().filter(|_| stale.is_empty()) {
        Some(lock) if check_target(lock, &site.target).is_ok() => {
            let goal = goal_of(&site, lock, Some(lock))?;
            ChangeInfo::all(&goal.plan(&installed))
        }
        _ => Vec::new(),
    };
    let mut waivers = match inputs.lock.as_ref().filter(|lock| lock.is_own()) {
        Some(lock) => lock.standing_waivers(&inputs.set.lines, |name| {
            Some(installed.seen_as(name)?.version.clone())
        }),
        None => violations(&site, &inputs.set, &installed),
    };
    waivers.retain(|waiver| waiver.reason != WaiverReason::LeftOut);
    let left_out = inputs.lock.as_ref().map(|lock| lock.left_out.clone());
    let busy = DirLock::holder(
        &site.installation.own_dir().join("lock"),
        &context.locks.machine,
    );
    // What a running process has open is not interrupted.
    let interrupted = match (&db, &busy) {
        (Some(db), None) => match db.unfinished_operation()? {
            // So is a bisect that did not end where it began.
            None => {
                let snapshots = db.snapshots()?;
                bisect_origin(&snapshots).and(snapshots.first().map(|it| it.operation.clone()))
            }
            found => found,
        },
        _ => None,
    };
    let startup_scripts = site.installation.startup_scripts();
    let pending = startup_scripts.iter().map(|file| {
        let name = file.rsplit('/').next().unwrap_or(file);
        let text = fs::find_text(&site.installation.root.join(file));
        Pending {
            file: file.clone(),
            actions: parse_script(name, &text.ok().flatten().unwrap_or_default()),
        }
    });
    let pending: Vec<Pending> = pending.collect();
    let edited = edited(&site, &drift);
    let state = fingerprint(&site, &installed, &now);
    let traces = find_traces(&site, &installed, &drift, &inputs.set);
    let mut hints = Vec::new();
    if let Some(busy) = busy {
        hints.push(format!("another portenv is at work here: {}", busy.holder));
    }
    if site.needs_core().is_err() {
        hints.push(
            "no ComfyUI is named for this base directory: [installation] comfyui in portenv.toml"
                .to_owned(),
        );
    }
    let recorded = known
        .as_ref()
        .map_or("", |known| known.python_path.as_str());
    if let Err(error) = site.needs_known_python(recorded) {
        hints.push(error.to_string());
    }
    for note in &site.installation.notes {
        hints.push(format!(
            "{}:{}:{}: {}; further directories of nodes are not known",
            note.file, note.line, note.column, note.message
        ));
    }
    if interrupted.is_some() {
        hints.push("portenv recover puts back what an interrupted operation left".to_owned());
    }
    if head.is_none() {
        hints.push("portenv init records this state as the first snapshot".to_owned());
    } else if !drift.is_empty() {
        hints.push(
            "portenv rollback goes back over these changes; portenv snapshot create keeps them"
                .to_owned(),
        );
    }
    if inputs.lock.is_none() {
        hints.push("portenv lock resolves core and nodes together".to_owned());
    } else if !stale.is_empty() {
        hints.push("portenv lock brings the lock up to date".to_owned());
    } else if drift.is_empty() && !unsynced.is_empty() {
        hints.push("portenv sync makes the packages what the lock says".to_owned());
    }
    if !startup_scripts.is_empty() {
        hints.push(
            "ComfyUI-Manager will change things at the next start; portenv snapshot create \
             records what is here before, and portenv rollback goes back"
                .to_owned(),
        );
    }
    Ok(Status {
        root: site.installation.root.to_string(),
        layout: site.installation.layout,
        core: now.core.as_ref().map(|core| core.dir.clone()),
        core_reason: site.installation.core_reason.shown(),
        python_version: now.python.clone(),
        python_reason: site.choice.why(),
        base: now.base,
        python: show_path(&site.installation.root, &site.interpreter.path),
        state,
        snapshot_time: head.as_ref().and_then(|head| head.operation.ended.clone()),
        snapshot: head.map(|head| head.id),
        drift,
        edited,
        traces,
        stale,
        waivers,
        left_out: left_out.unwrap_or_default(),
        locked: inputs.lock.is_some(),
        unsynced,
        interrupted,
        startup_scripts,
        pending,
        counts: (now.packages.len(), now.nodes.len()),
        hints,
    })
}

/// Asks git once more about the checkouts that have changed files since the newest snapshot,
/// and the store about nodes without history.
fn edited(site: &Site, drift: &Difference) -> Vec<Edited> {
    let read = |change: &NodeChange| {
        let node = change.to.as_ref()?;
        let path = site.installation.root.join(&node.dir);
        let files = if node.dirty {
            read_checkout(&path).ok()?.changed
        } else {
            let from = change.from.as_ref().filter(|_| node.commit.is_none())?;
            let kept = from.kept.as_ref().filter(|_| from.commit.is_none())?;
            let store = site.installation.own_dir().join("store");
            let file = archive::find(&store, kept.base.as_ref()?)?;
            let record = archive::digests(&file, from.kind == NodeKind::File).ok()?;
            let differing = differing_code(&path, &record).into_iter();
            let itself = node.dir.rsplit('/').next().unwrap_or(&node.dir);
            differing
                .map(|file| {
                    if file.is_empty() {
                        itself.to_owned()
                    } else {
                        file
                    }
                })
                .collect()
        };
        Some(Edited {
            dir: node.dir.clone(),
            files,
        })
    };
    drift.nodes.iter().filter_map(read).collect()
}
