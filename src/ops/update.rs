//! `update`: nodes and, where that is said, ComfyUI to their upstreams' commits: what
//! changed there, preview, consent, then one operation.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

use super::bring::check_still;
use super::changes::{NodeChange, NodeChangeKind};
use super::context::{Context, Site};
use super::error::OpError;
use super::graph::no_node;
use super::inputs::ResolveFlags;
use super::members::write_lock;
use super::outcome::{Applied, AppliedStatus, Consent, plan_digest};
use super::preview::{Preview, PreviewRequest, PreviewStatus, goal_of, preview_of};
use super::transaction::{Transaction, scratch_dir, start};
use super::update_core::{CoreAsk, CoreUpdate, CoreWish, ask_core};
use super::upstream::{NodeUpdate, bare, describe, reason};
use crate::git::GitError;
use crate::git::upstream::{note_seen, take_over};
use crate::index::IndexError;
use crate::lock::Lock;
use crate::nodes::NodeError;
use crate::nodes::Staged;
use crate::nodes::select::{Selected, select};
use crate::nodes::upstream::{Ask, Offer, Standing, look};
use crate::workspace::node::Node;
use crate::workspace::settings::BuildMode;

/// What to update.
#[derive(Debug, Clone, Default)]
pub struct UpdateRequest {
    /// `NODE` or `NODE@REV`; all enabled nodes if empty and ComfyUI is not meant.
    pub nodes: Vec<String>,
    /// ComfyUI itself, if it is meant.
    pub core: Option<CoreWish>,
    /// Only show what there is.
    pub dry_run: bool,
    /// Put changed files of checkouts that are in the way aside, under a name.
    pub stash: bool,
    /// Protected packages that may change.
    pub allow_change: Vec<String>,
    /// What decides the answer.
    pub flags: ResolveFlags,
}

/// What `update` came to.
pub struct UpdateOutcome {
    /// The nodes, by directory: those that change and those that do not.
    pub updates: Vec<NodeUpdate>,
    /// ComfyUI, if it was meant.
    pub core: Option<CoreUpdate>,
    /// What was done, or would be.
    pub applied: Applied,
    /// The plan's digest, if there is something to do.
    pub plan: Option<String>,
    /// Why it cannot be: a conflict or a block.
    pub no: Option<Box<Preview>>,
    /// What it does to packages, if nothing is in the way.
    pub preview: Option<Box<Preview>>,
}

/// Brings nodes to their upstreams' commits. `tell` hears what changed upstream before
/// anybody is asked.
///
/// # Errors
///
/// Fails if a node that was named cannot be updated, if changed files are in the way,
/// without consent, or if it could not be applied; the state before then stands or was
/// put back.
pub fn run(
    context: &Context,
    request: &UpdateRequest,
    command: &str,
    consent: &Consent<'_>,
    tell: &dyn Fn(&UpdateOutcome),
) -> Result<UpdateOutcome, OpError> {
    let site = context.site()?;
    let asks = asks(context, &site, request)?;
    if request.dry_run {
        let scratch = tempfile::tempdir().map_err(|source| crate::host::FsError {
            verb: "create directory in",
            path: "temporary directory".into(),
            source,
        })?;
        let dir = Utf8PathBuf::from_path_buf(scratch.path().to_owned())
            .map_err(|path| OpError::Usage(format!("`{}` is not UTF-8", path.display())))?;
        let found = Found::look(context, &site, asks, &dir)?;
        found.refuse(context.offline)?;
        return found.outcome(context, &site, request);
    }
    let held = start(context, &site, "update")?;
    let (_guard, scratch) = scratch_dir(&site)?;
    let found = Found::look(context, &site, asks, &scratch)?;
    found.refuse(context.offline)?;
    found.refuse_overwriting()?;
    let mut outcome = found.outcome(context, &site, request)?;
    let Some(plan) = outcome.plan.clone().filter(|_| outcome.no.is_none()) else {
        return Ok(outcome);
    };
    let ask = |_: &[_], _: &[_]| {
        tell(&outcome);
        (consent.ask)(&[], &[])
    };
    let planned = &outcome.applied;
    Consent {
        ask: &ask,
        ..*consent
    }
    .get(&plan, &planned.changes, &planned.nodes)?;
    let transaction = Transaction::prepare(context, &site, held)?;
    let root = &site.installation.root;
    let all = planned.nodes.iter().chain(&planned.core);
    check_still(&transaction.before, all)?;
    let due: Vec<&Offer> = found.due().collect();
    for offer in &due {
        if let (Some(aside), Some(to)) = (&offer.aside, &offer.to) {
            take_over(&root.join(&offer.ask.node.dir), aside, to)?;
        }
    }
    let lock = found.lock.borrow_mut().take();
    let goal = match &lock {
        Some(lock) => {
            let before = Lock::find(&site.installation.lock_path())?;
            Some(goal_of(&site, lock, before.as_ref())?)
        }
        None => None,
    };
    let mut stashed = Vec::new();
    let finished = transaction.run(|change| {
        change.open("update", command)?;
        for offer in &due {
            let dir = &offer.ask.node.dir;
            if offer.ask.node.dirty {
                stashed.extend(change.stash(dir)?);
            }
            match (&offer.branch, &offer.to) {
                (Some(branch), Some(to)) => change.advance(dir, branch, to)?,
                (None, Some(to)) => drop(change.detach(dir, to)?),
                _ => {}
            }
        }
        context.check_cancel()?;
        if let (Some(goal), Some(lock)) = (&goal, &lock) {
            change.packages(goal)?;
            write_lock(change, lock)?;
        }
        prove(&site, &due)?;
        change.finish(lock.as_ref(), None, None)
    })?;
    for offer in &due {
        if let (Some((remote, branch)), Some(to)) = (&offer.seen, &offer.to) {
            note_seen(&root.join(&offer.ask.node.dir), remote, branch, to);
        }
    }
    let told = stashed.into_iter().map(|text| ("stashed", text));
    outcome.applied.warnings.extend(told);
    outcome.applied = Applied {
        conflicts: std::mem::take(&mut outcome.applied.conflicts),
        warnings: std::mem::take(&mut outcome.applied.warnings),
        waivers: std::mem::take(&mut outcome.applied.waivers),
        ..Applied::done(finished)
    };
    Ok(outcome)
}

/// Reads the nodes back: each at its commit, or the whole is undone.
fn prove(site: &Site, due: &[&Offer]) -> Result<(), OpError> {
    for offer in due {
        let found = crate::git::read_checkout(&site.installation.root.join(&offer.ask.node.dir))?;
        if found.commit != offer.to || found.dirty {
            return Err(OpError::Refused(format!(
                "`{}` is not what was wanted after its update",
                offer.ask.node.dir
            )));
        }
    }
    Ok(())
}

/// Understands what was named; without names all nodes are meant.
fn asks(context: &Context, site: &Site, request: &UpdateRequest) -> Result<Asks, OpError> {
    let core = request.core.as_ref();
    let core = core
        .map(|wish| ask_core(context, site, wish, request.stash))
        .transpose()?;
    let nodes = match &core {
        Some(_) if request.nodes.is_empty() => Vec::new(),
        _ => node_asks(site, request)?,
    };
    Ok(Asks { nodes, core })
}

/// What is asked for.
struct Asks {
    nodes: Vec<Ask>,
    core: Option<CoreAsk>,
}

fn node_asks(site: &Site, request: &UpdateRequest) -> Result<Vec<Ask>, OpError> {
    let root = &site.installation.root;
    let nodes = site.installation.nodes()?;
    let ask = |node: &Node, rev: Option<&str>, named| Ask {
        node: node.clone(),
        path: root.join(&node.dir),
        rev: rev.map(str::to_owned),
        named,
        stash: request.stash,
    };
    if request.nodes.is_empty() {
        return Ok(nodes.iter().map(|node| ask(node, None, false)).collect());
    }
    let mut asks: BTreeMap<String, Ask> = BTreeMap::new();
    for text in &request.nodes {
        let (node, rev) = named(&nodes, text)?;
        let new = ask(node, rev, true);
        let same = |old: &Ask| old.rev == new.rev;
        if asks.get(&node.dir).is_some_and(|old| !same(old)) {
            return Err(OpError::Usage(format!(
                "`{}` is named twice, with different revisions",
                node.name
            )));
        }
        asks.insert(node.dir.clone(), new);
    }
    Ok(asks.into_values().collect())
}

/// Finds the node that a word names, and the revision behind an `@`.
fn named<'a>(nodes: &'a [Node], text: &'a str) -> Result<(&'a Node, Option<&'a str>), OpError> {
    let several = |ids| OpError::Ambiguous {
        name: text.to_owned(),
        ids,
    };
    // What is loaded is meant before what is not.
    for enabled in [true, false] {
        let found = select(nodes, text, |node| node.enabled == enabled);
        let behind = text
            .split_once('@')
            .filter(|(name, rev)| !name.is_empty() && !rev.is_empty());
        match (found, behind) {
            (Selected::One(node), _) => return Ok((node, None)),
            (Selected::Several(ids), _) => return Err(several(ids)),
            (Selected::None, Some((name, rev))) => {
                match select(nodes, name, |node| node.enabled == enabled) {
                    Selected::One(node) => return Ok((node, Some(rev))),
                    Selected::Several(ids) => return Err(several(ids)),
                    Selected::None => {}
                }
            }
            (Selected::None, None) => {}
        }
    }
    if text.split('@').next() == Some("ComfyUI") {
        return Err(OpError::Refused(
            "ComfyUI itself is no custom node; portenv update --core updates it, and --core=TAG goes \
             to a version"
                .to_owned(),
        ));
    }
    Err(no_node(text, nodes))
}

/// What there is upstream.
struct Found {
    /// Of nodes.
    offers: Vec<Offer>,
    updates: Vec<NodeUpdate>,
    /// Of ComfyUI, if it is meant.
    core: Option<(Offer, CoreUpdate)>,
    /// Made by the preview, taken by the change.
    lock: std::cell::RefCell<Option<Lock>>,
}

impl Found {
    fn look(
        context: &Context,
        site: &Site,
        asks: Asks,
        scratch: &camino::Utf8Path,
    ) -> Result<Self, OpError> {
        let (mut meant, disabled): (Vec<Ask>, Vec<Ask>) =
            (asks.nodes.into_iter()).partition(|ask| ask.named || ask.node.enabled);
        meant.extend(asks.core.iter().map(|core| core.ask.clone()));
        let mut offers = look(
            meant,
            scratch,
            context.offline,
            context.progress.as_ref(),
            &context.cancel,
        );
        context.check_cancel()?;
        let core = asks.core.and_then(|asked| {
            // It was asked last.
            let offer = asked.settle(offers.pop()?);
            let update = asked.describe(context, site, &offer);
            Some((offer, update))
        });
        let mut updates: Vec<NodeUpdate> = Vec::new();
        for offer in &offers {
            updates.push(describe(context, site, offer));
        }
        for ask in disabled {
            updates.push(NodeUpdate {
                reason: Some("it is disabled; name it to update it".to_owned()),
                ..bare(&ask.node)
            });
        }
        updates.sort_by(|a, b| a.dir.cmp(&b.dir));
        Ok(Self {
            offers,
            updates,
            core,
            lock: std::cell::RefCell::default(),
        })
    }

    /// All of nodes, and ComfyUI's.
    fn all(&self) -> impl Iterator<Item = &Offer> {
        let core = self.core.iter().map(|(offer, _)| offer);
        core.chain(&self.offers)
    }

    fn due(&self) -> impl Iterator<Item = &Offer> {
        self.all()
            .filter(|offer| matches!(offer.standing, Standing::Due))
    }

    /// Reports whether an offer is ComfyUI's.
    fn is_core(&self, offer: &Offer) -> bool {
        let core = self.core.as_ref();
        core.is_some_and(|(core, _)| core.ask.path == offer.ask.path)
    }

    /// Refuses what was named and would overwrite something.
    fn refuse_overwriting(&self) -> Result<(), OpError> {
        let named = || self.all().filter(|offer| offer.ask.named);
        let dirty: Vec<&str> = named()
            .filter(|offer| matches!(offer.standing, Standing::Dirty))
            .map(|offer| offer.ask.node.dir.as_str())
            .collect();
        if !dirty.is_empty() {
            return Err(OpError::Dirty(dirty.join("`, `")));
        }
        for offer in named() {
            if let Standing::InTheWay(files) = &offer.standing {
                let first = files.first().map_or("", String::as_str);
                let place = match offer.ask.node.dir.as_str() {
                    "." => first.to_owned(),
                    dir => format!("{dir}/{first}"),
                };
                return Err(OpError::InTheWay(place));
            }
        }
        Ok(())
    }

    /// Refuses what was named and cannot be had, and to be silent where nobody answers.
    fn refuse(&self, offline: bool) -> Result<(), OpError> {
        let failed = |node: &Node, error: &GitError| {
            if offline && error.remote {
                let what = format!("the repository of {}", node.name);
                return OpError::Index(IndexError::Offline { what });
            }
            // A revision that is not there is a name that was given, not a change that failed.
            OpError::Node(NodeError::Git(GitError {
                detail: format!("{}: {}", node.name, error.detail),
                action: error.action.clone(),
                remote: error.remote,
                source: None,
            }))
        };
        let mut answered = false;
        let mut silent = None;
        for offer in self.all() {
            let node = &offer.ask.node;
            match &offer.standing {
                Standing::Failed(error) if offer.ask.named => return Err(failed(node, error)),
                Standing::Failed(error) => silent = silent.or(Some((node, error))),
                Standing::Pinned | Standing::NotGit | Standing::NoRemote | Standing::Diverged
                    if offer.ask.named =>
                {
                    let reason = reason(offer).unwrap_or_default();
                    return Err(OpError::Refused(format!(
                        "`{}` cannot be updated: {reason}",
                        node.name
                    )));
                }
                Standing::Pinned | Standing::NotGit | Standing::NoRemote => {}
                _ => answered = true,
            }
        }
        // Some repositories are gone for ever; where all are silent, it is the network.
        match silent {
            Some((node, error)) if !answered => Err(failed(node, error)),
            _ => Ok(()),
        }
    }

    /// Works out what would change; nothing is changed.
    fn outcome(
        &self,
        context: &Context,
        site: &Site,
        request: &UpdateRequest,
    ) -> Result<UpdateOutcome, OpError> {
        let mut outcome = UpdateOutcome {
            updates: self.updates.clone(),
            core: self.core.as_ref().map(|(_, update)| update.clone()),
            applied: Applied::still(AppliedStatus::Nothing),
            plan: None,
            no: None,
            preview: None,
        };
        for update in &self.updates {
            if let Some(reason) = (update.reason.as_ref()).filter(|_| is_unreachable(self, update))
            {
                let message = format!("`{}` is left as it is: {reason}", update.node);
                outcome.applied.warnings.push(("unreachable", message));
            }
        }
        outcome.applied.warnings.extend(self.left_out());
        for offer in self.due().filter(|offer| offer.between.submodules) {
            let message = format!(
                "`{}` has submodules that differ, and those are never touched: run git submodule update in it",
                offer.ask.node.dir
            );
            outcome.applied.warnings.push(("submodules", message));
        }
        let mut digest = Vec::new();
        let mut staged = Vec::new();
        let mut new_core = None;
        for offer in self.due() {
            let (Some(aside), Some(to)) = (&offer.aside, &offer.to) else {
                continue;
            };
            let known = &offer.ask.node;
            let is_core = self.is_core(offer);
            let node = Node {
                commit: Some(to.clone()),
                version: match &self.core {
                    Some((_, core)) if is_core => core.to_version.clone(),
                    _ => known.version.clone(),
                },
                // Its changed files are put aside before it moves.
                dirty: false,
                ..known.clone()
            };
            digest.push(format!(
                "{} {} {to} {}",
                node.dir,
                known.commit.as_deref().unwrap_or(""),
                offer.branch.as_deref().unwrap_or("")
            ));
            let change = NodeChange {
                dir: node.dir.clone(),
                kind: NodeChangeKind::Update,
                from: Some(known.clone()),
                to: Some(node.clone()),
            };
            if is_core {
                outcome.applied.core = Some(change);
                new_core = Some(aside.clone());
            } else {
                outcome.applied.nodes.push(change);
            }
            if node.enabled && !is_core {
                staged.push(Staged {
                    name: node.name.clone(),
                    node,
                    path: aside.clone(),
                });
            }
        }
        if digest.is_empty() {
            return Ok(outcome);
        }
        outcome.applied.status = AppliedStatus::DryRun;
        if !staged.is_empty() || new_core.is_some() {
            let asked = PreviewRequest {
                nodes: request.nodes.clone(),
                allow_change: request.allow_change.clone(),
                flags: request.flags.clone(),
                build: if request.dry_run {
                    BuildMode::Static
                } else {
                    BuildMode::Allow
                },
                core: new_core,
                ..PreviewRequest::default()
            };
            let preview = preview_of(context, site, &asked, &[], |_| Ok(staged))?;
            digest.push(preview.plan.clone());
            outcome.applied.changes.clone_from(&preview.changes);
            outcome.applied.conflicts.clone_from(&preview.conflicts);
            outcome.applied.waivers.clone_from(&preview.waivers);
            if preview.status == PreviewStatus::Ok {
                self.lock.borrow_mut().clone_from(&preview.lock);
                outcome.preview = Some(Box::new(preview));
            } else {
                outcome.no = Some(Box::new(preview));
            }
        }
        let parts: Vec<&str> = digest.iter().map(String::as_str).collect();
        outcome.plan = Some(plan_digest(&parts));
        Ok(outcome)
    }
}

impl Found {
    /// Says which checkouts of all are left out, for what would be overwritten in them.
    fn left_out(&self) -> impl Iterator<Item = (&'static str, String)> {
        let all = self.offers.iter().filter(|offer| !offer.ask.named);
        all.filter_map(|offer| {
            let code = match &offer.standing {
                Standing::Dirty => "dirty",
                Standing::InTheWay(_) => "in-the-way",
                _ => return None,
            };
            let reason = reason(offer).unwrap_or_default();
            let message = format!("`{}` is left out: {reason}", offer.ask.node.dir);
            Some((code, message))
        })
    }
}

fn is_unreachable(found: &Found, update: &NodeUpdate) -> bool {
    found.offers.iter().any(|offer| {
        offer.ask.node.dir == update.dir && matches!(offer.standing, Standing::Failed(_))
    })
}
