//! `enable` and `disable`: a node in or out of `.disabled/`, and what it asks for in or
//! out of the environment.

use super::changes::{NodeChange, NodeChangeKind};
use super::context::{Context, Site};
use super::error::OpError;
use super::graph::no_node;
use super::inputs::ResolveFlags;
use super::members::write_lock;
use super::outcome::{Applied, AppliedStatus, Consent, plan_digest};
use super::preview::{Preview, PreviewRequest, PreviewStatus, goal_of, preview_of};
use super::transaction::{Transaction, start};
use crate::host::fs;
use crate::lock::Lock;
use crate::nodes::Staged;
use crate::nodes::select::{Selected, disabled_places, enabled_place, select};
use crate::workspace::node::Node;
use crate::workspace::settings::BuildMode;

/// Which way nodes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// They are loaded again.
    Enable,
    /// They are loaded no more.
    Disable,
}

impl Switch {
    /// Returns the word that the user types.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enable => "enable",
            Self::Disable => "disable",
        }
    }
}

/// Which nodes go which way.
#[derive(Debug, Clone)]
pub struct SwitchRequest {
    /// Which way.
    pub switch: Switch,
    /// The nodes, by name or directory.
    pub nodes: Vec<String>,
    /// Protected packages that may change.
    pub allow_change: Vec<String>,
    /// What decides the answer.
    pub flags: ResolveFlags,
}

/// What it came to.
pub enum SwitchOutcome {
    /// It was done, or there was nothing to do.
    Done(Box<Applied>),
    /// It cannot be: conflict or block.
    No(Box<Preview>),
}

/// One node on its way.
struct Move {
    node: Node,
    to: String,
}

/// Enables or disables nodes.
///
/// # Errors
///
/// Fails if a node is not there or could be several, if something is in its way,
/// without consent, or if it could not be applied; the state before then stands or was
/// put back.
pub fn run(
    context: &Context,
    request: &SwitchRequest,
    command: &str,
    consent: &Consent<'_>,
) -> Result<SwitchOutcome, OpError> {
    let site = context.site()?;
    // Nothing is written for a name that means nothing.
    let (moves, warnings) = moves(&site, request)?;
    if moves.is_empty() {
        return Ok(SwitchOutcome::Done(Box::new(Applied {
            warnings,
            ..Applied::still(AppliedStatus::Nothing)
        })));
    }
    let kind = request.switch.as_str();
    let held = start(context, &site, kind)?;
    let (moves, warnings) = self::moves(&site, request)?;
    let preview = preview(context, &site, request, &moves)?;
    let (PreviewStatus::Ok, Some(lock)) = (preview.status, preview.lock.as_ref()) else {
        return Ok(SwitchOutcome::No(Box::new(preview)));
    };
    let changes: Vec<NodeChange> = moves.iter().map(|one| one.change(request.switch)).collect();
    let places = moves
        .iter()
        .map(|one| format!("{} {}", one.node.dir, one.to));
    let places: Vec<String> = places.collect();
    consent.get(
        &plan_digest(&[&preview.plan, &places.join("\n")]),
        &preview.changes,
        &changes,
    )?;
    let transaction = Transaction::prepare(context, &site, held)?;
    if !(moves.iter()).all(|one| transaction.before.has_node(&one.node)) {
        return Err(OpError::PlanStale);
    }
    let old_lock = Lock::find(&site.installation.lock_path())?;
    let goal = goal_of(&site, lock, old_lock.as_ref())?;
    let finished = transaction.run(|change| {
        change.open(kind, command)?;
        for one in &moves {
            change.move_path(&one.node.dir, &one.to)?;
        }
        context.check_cancel()?;
        change.packages(&goal)?;
        write_lock(change, lock)?;
        change.finish(Some(lock), None, None)
    })?;
    Ok(SwitchOutcome::Done(Box::new(Applied {
        conflicts: preview.conflicts,
        waivers: preview.waivers,
        warnings,
        ..Applied::done(finished)
    })))
}

impl Move {
    /// The node as it will be.
    fn after(&self, switch: Switch) -> Node {
        Node {
            dir: self.to.clone(),
            enabled: switch == Switch::Enable,
            ..self.node.clone()
        }
    }

    fn change(&self, switch: Switch) -> NodeChange {
        NodeChange {
            dir: self.to.clone(),
            kind: match switch {
                Switch::Enable => NodeChangeKind::Enable,
                Switch::Disable => NodeChangeKind::Disable,
            },
            from: Some(self.node.clone()),
            to: Some(self.after(switch)),
        }
    }
}

/// Works out what changes when the nodes go where they are to go.
fn preview(
    context: &Context,
    site: &Site,
    request: &SwitchRequest,
    moves: &[Move],
) -> Result<Preview, OpError> {
    let root = &site.installation.root;
    let dirs: Vec<String> = moves.iter().map(|one| one.node.dir.clone()).collect();
    let asked = PreviewRequest {
        nodes: dirs
            .iter()
            .map(|dir| root.join(dir).into_string())
            .collect(),
        allow_change: request.allow_change.clone(),
        flags: request.flags.clone(),
        build: BuildMode::Allow,
        ..PreviewRequest::default()
    };
    let staged = moves.iter().map(|one| Staged {
        node: one.after(request.switch),
        path: root.join(&one.node.dir),
        name: one.node.name.clone(),
    });
    match request.switch {
        Switch::Enable => preview_of(context, site, &asked, &[], |_| Ok(staged.collect())),
        Switch::Disable => preview_of(context, site, &asked, &dirs, |_| Ok(Vec::new())),
    }
}

/// What is worth knowing: a code and a sentence.
type Notes = Vec<(&'static str, String)>;

/// Finds the nodes that were named, and where each goes.
fn moves(site: &Site, request: &SwitchRequest) -> Result<(Vec<Move>, Notes), OpError> {
    let nodes = site.installation.nodes()?;
    let root = &site.installation.root;
    let (mut moves, mut notes): (Vec<Move>, _) = (Vec::new(), Vec::new());
    let enables = request.switch == Switch::Enable;
    for text in &request.nodes {
        let node = match select(&nodes, text, |node| node.enabled != enables) {
            Selected::One(node) => node,
            Selected::Several(ids) => {
                return Err(OpError::Ambiguous {
                    name: text.clone(),
                    ids,
                });
            }
            Selected::None => match select(&nodes, text, |node| node.enabled == enables) {
                Selected::None => {
                    return Err(no_node(text, &nodes));
                }
                _ => {
                    let message = format!("`{text}` is {}d already", request.switch.as_str());
                    notes.push(("already", message));
                    continue;
                }
            },
        };
        if moves.iter().any(|one| one.node.dir == node.dir) {
            continue;
        }
        let places = match request.switch {
            Switch::Enable => enabled_place(node).into_iter().collect(),
            Switch::Disable => disabled_places(node),
        };
        let is_free = |place: &&String| {
            !fs::exists(&root.join(place)) && !moves.iter().any(|one| one.to == **place)
        };
        let Some(to) = places.iter().find(is_free) else {
            return Err(OpError::InTheWay(
                places.first().unwrap_or(&node.dir).clone(),
            ));
        };
        moves.push(Move {
            node: node.clone(),
            to: to.clone(),
        });
    }
    Ok((moves, notes))
}
