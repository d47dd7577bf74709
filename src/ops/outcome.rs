//! What every changing command comes to.

use serde::Serialize;

use super::changes::{ChangeInfo, NodeChange};
use super::context::Site;
use super::error::OpError;
use super::transaction::Finished;
use crate::environment::Installed;
use crate::host::{digest, fs};
use crate::requirements::Waiver;
use crate::resolve::Conflict;

/// How a changing command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppliedStatus {
    /// It was done.
    Done,
    /// There was nothing to do.
    Nothing,
    /// Only shown.
    DryRun,
    /// An interrupted operation was undone.
    Undone,
}

/// Where a node is had that comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct NodeOrigin {
    /// The node's directory, relative to the root where it lies in it.
    pub dir: String,
    /// `moved` (it lies elsewhere in the installation), `trash`, `checkout` (the commit is in the
    /// repository at its place), `store`, `remote`, or `nowhere`.
    pub from: String,
}

/// What a changing command came to.
#[derive(Debug, Clone)]
pub struct Applied {
    /// How it ended.
    pub status: AppliedStatus,
    /// The operation's number.
    pub operation: Option<i64>,
    /// The snapshot before.
    pub before: Option<String>,
    /// The snapshot after.
    pub after: Option<String>,
    /// Packages that changed.
    pub changes: Vec<ChangeInfo>,
    /// Nodes that changed.
    pub nodes: Vec<NodeChange>,
    /// ComfyUI, if it changed.
    pub core: Option<NodeChange>,
    /// Where the nodes come from that have to be had again, by directory.
    pub node_origins: Vec<NodeOrigin>,
    /// Conflicts that were there before.
    pub conflicts: Vec<Conflict>,
    /// Things worth knowing: code and message.
    pub warnings: Vec<(&'static str, String)>,
    /// What is not met and did not stand in the way.
    pub waivers: Vec<Waiver>,
    /// The plan that was only shown.
    pub plan: Option<String>,
}

impl Applied {
    /// Makes an outcome in which nothing happened.
    pub fn still(status: AppliedStatus) -> Self {
        Self {
            status,
            operation: None,
            before: None,
            after: None,
            changes: Vec::new(),
            nodes: Vec::new(),
            core: None,
            node_origins: Vec::new(),
            conflicts: Vec::new(),
            warnings: Vec::new(),
            waivers: Vec::new(),
            plan: None,
        }
    }

    /// Makes the outcome of a change that ended well.
    pub fn done(finished: Finished) -> Self {
        Self {
            operation: Some(finished.operation),
            before: Some(finished.before),
            after: Some(finished.after),
            changes: finished.difference.changes,
            nodes: finished.difference.nodes,
            core: finished.difference.core,
            ..Self::still(AppliedStatus::Done)
        }
    }
}

/// Shows what would happen and asks; `None` if nobody can be asked.
pub type Question<'a> = dyn Fn(&[ChangeInfo], &[NodeChange]) -> Option<bool> + 'a;

/// How a yes is had: given beforehand, for one plan, or by asking.
pub struct Consent<'a> {
    /// `--yes`.
    pub yes: bool,
    /// `--plan ID`.
    pub plan: Option<&'a str>,
    /// Shows what would happen and asks; `None` if nobody can be asked.
    pub ask: &'a Question<'a>,
}

impl Consent<'_> {
    /// Gets a yes for a plan.
    ///
    /// # Errors
    ///
    /// Fails if the plan is another, nobody can be asked, or the answer is no.
    pub fn get(
        &self,
        plan: &str,
        changes: &[ChangeInfo],
        nodes: &[NodeChange],
    ) -> Result<(), OpError> {
        match self.plan {
            Some(wanted) if wanted != plan => return Err(OpError::PlanStale),
            Some(_) => return Ok(()),
            None if self.yes => return Ok(()),
            None => {}
        }
        match (self.ask)(changes, nodes) {
            Some(true) => Ok(()),
            Some(false) => Err(OpError::Refused(
                "not confirmed; nothing was changed".to_owned(),
            )),
            None => Err(OpError::Confirm {
                plan: plan.to_owned(),
            }),
        }
    }
}

/// Returns what a plan stands on, as text: packages, nodes, core, lock and policy. Another
/// text means that the plan is another one, whatever it would change.
///
/// # Errors
///
/// Fails if something cannot be read.
pub fn plan_basis(site: &Site, installed: &Installed) -> Result<String, OpError> {
    let installation = &site.installation;
    let mut text = format!("{}\n", site.target);
    for distribution in installed.seen() {
        let digest = distribution.digest.as_deref().unwrap_or("");
        text.push_str(&format!(
            "{} {} {digest}\n",
            distribution.name, distribution.version
        ));
    }
    for node in installation.nodes()?.into_iter().chain(installation.core()) {
        text.push_str(&format!(
            "{} {:?} {:?} {} {}\n",
            node.dir, node.commit, node.version, node.enabled, node.dirty
        ));
    }
    for path in [
        installation.lock_path(),
        installation.root.join("portenv.toml"),
    ] {
        let content = fs::find_text(&path)?.unwrap_or_default();
        text.push_str(&format!("{}\n", digest::sha256(content.as_bytes())));
    }
    Ok(text)
}

/// Returns the digest of a list of changes, as a plan's name.
pub fn plan_digest(parts: &[&str]) -> String {
    let mut digest = digest::sha256(parts.join("\n").as_bytes());
    digest.truncate(16);
    digest
}
