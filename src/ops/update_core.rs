//! ComfyUI's part of `update`: which commit is meant, and why that one.

use super::bring::check_own_core;
use super::context::{Context, Site};
use super::error::OpError;
use super::release::{LATEST, released};
use super::upstream::{NodeUpdate, bare, describe};
use crate::git::read_checkout;
use crate::git::remote::list_refs;
use crate::git::upstream::{Upstream, is_ancestor, read_upstream};
use crate::index::IndexError;
use crate::nodes::upstream::{Ask, Offer, Standing};
use crate::package::{Version, redact};

/// Which commit of ComfyUI is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoreWish {
    /// The newest of the branch that the checkout follows, else the newest version tag.
    Newest,
    /// This branch, tag or commit; `latest` is the newest version tag.
    Rev(String),
}

/// What an update of ComfyUI is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct CoreUpdate {
    /// As of a node.
    #[serde(flatten)]
    pub update: NodeUpdate,
    /// Why this commit is meant.
    pub because: String,
    /// The version that is there, as `comfyui_version.py` says.
    pub from_version: Option<String>,
    /// The version that there is upstream.
    pub to_version: Option<String>,
}

/// What is asked of ComfyUI's repository.
pub(super) struct CoreAsk {
    pub(super) ask: Ask,
    because: String,
    /// It was not named: an older one is not gone back to.
    only_ahead: bool,
}

/// Understands a wish; a branch is followed, else the remote is asked for its tags.
///
/// # Errors
///
/// Fails if ComfyUI's checkout is not ours to move, or nothing says where it would go.
pub(super) fn ask_core(
    context: &Context,
    site: &Site,
    wish: &CoreWish,
    stash: bool,
) -> Result<CoreAsk, OpError> {
    site.needs_core()?;
    let installation = &site.installation;
    let (Some(node), Some(path)) = (installation.core(), &installation.comfyui) else {
        return Err(OpError::NotFound("there is no ComfyUI here".to_owned()));
    };
    check_own_core(site, &node)?;
    let here = read_checkout(path)?;
    let upstream = read_upstream(path, here.branch.as_deref())?;
    let (rev, because) = match (wish, &here.branch, &upstream.branch) {
        (CoreWish::Newest, Some(_), Some(theirs)) if has_branch(context, &upstream, theirs) => {
            let remote = upstream.remote.as_deref().unwrap_or("its remote");
            (
                None,
                format!("the checkout follows the branch {theirs} of {remote}"),
            )
        }
        (CoreWish::Newest, _, _) => {
            let tag = newest_tag(context, &upstream)?;
            let because = format!(
                "the checkout follows no branch of a remote, and {tag} is the newest version tag"
            );
            (Some(tag), because)
        }
        (CoreWish::Rev(word), _, _) if word == LATEST => {
            let tag = newest_tag(context, &upstream)?;
            let because = format!("{tag} is the newest version tag");
            (Some(tag), because)
        }
        (CoreWish::Rev(word), _, _) => {
            let rev = tag_of(context, &upstream, word).unwrap_or_else(|| word.clone());
            let because = format!("{rev} was named");
            (Some(rev), because)
        }
    };
    Ok(CoreAsk {
        ask: Ask {
            node,
            path: path.clone(),
            rev,
            named: true,
            stash,
        },
        because,
        only_ahead: *wish == CoreWish::Newest,
    })
}

/// Reports whether a remote has the branch that the checkout's own would follow: nothing
/// tracks one that is only here. What cannot be asked now is told by the fetch.
fn has_branch(context: &Context, upstream: &Upstream, branch: &str) -> bool {
    let Some(url) = &upstream.url else {
        return false;
    };
    let name = format!("refs/heads/{branch}");
    context.offline || list_refs(url, &[name]).map_or(true, |found| !found.is_empty())
}

/// Finds the newest version tag of a remote, pre-releases left out.
fn newest_tag(context: &Context, upstream: &Upstream) -> Result<String, OpError> {
    let Some(url) = &upstream.url else {
        return Err(OpError::Refused(
            "ComfyUI's checkout has no remote to ask for something newer; name a commit that is in \
             it with --core=COMMIT"
                .to_owned(),
        ));
    };
    if context.offline {
        let what = "the repository of ComfyUI".to_owned();
        return Err(OpError::Index(IndexError::Offline { what }));
    }
    context
        .progress
        .begin("asking for releases of ComfyUI", None);
    let tags = list_refs(url, &["refs/tags/*".to_owned()]);
    context.progress.end();
    let tags = tags?.into_iter();
    let versions = tags.filter_map(|(name, _)| Some((released(&name)?, name)));
    let newest: Option<(Version, String)> = versions.max();
    let newest = newest.and_then(|(_, name)| name.strip_prefix("refs/tags/").map(str::to_owned));
    newest.ok_or_else(|| {
        OpError::NotFound(format!(
            "`{}` has no version tag; name a commit with --core=COMMIT",
            redact(url)
        ))
    })
}

/// Returns the tag of a version: `0.3.40` is `v0.3.40` where that is the only one.
fn tag_of(context: &Context, upstream: &Upstream, word: &str) -> Option<String> {
    let is_version = word.contains('.') && word.parse::<Version>().is_ok();
    let url = upstream.url.as_ref()?;
    if context.offline || !is_version || word.starts_with('v') {
        return None;
    }
    let (plain, tag) = (format!("refs/tags/{word}"), format!("refs/tags/v{word}"));
    let found = list_refs(url, &[plain.clone(), tag.clone()]).ok()?;
    let has = |name: &str| found.iter().any(|(full, _)| full == name);
    (has(&tag) && !has(&plain)).then(|| format!("v{word}"))
}

impl CoreAsk {
    /// Looks at what was offered: without being told to, nobody goes back.
    pub(super) fn settle(&self, mut offer: Offer) -> Offer {
        if let (Some(aside), Some(from), Some(to)) = (&offer.aside, &offer.from, &offer.to)
            && self.only_ahead
            && is_ancestor(aside, to, from)
        {
            offer.to = offer.from.clone();
            offer.standing = Standing::Current;
            offer.aside = None;
        }
        offer
    }

    /// Describes what is new, and why that is meant.
    pub(super) fn describe(&self, context: &Context, site: &Site, offer: &Offer) -> CoreUpdate {
        let to_version = match &offer.aside {
            Some(aside) => crate::workspace::node::core_version(aside),
            None => offer.ask.node.version.clone(),
        };
        CoreUpdate {
            update: match offer.standing {
                Standing::Failed(_) => bare(&offer.ask.node),
                _ => describe(context, site, offer),
            },
            because: self.because.clone(),
            from_version: offer.ask.node.version.clone(),
            to_version,
        }
    }
}
