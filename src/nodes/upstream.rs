//! What the repositories of nodes have that the nodes here have not.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use camino::{Utf8Path, Utf8PathBuf};

use crate::git::upstream::{
    Between, Upstream, Wish, compare, default_branch, fetch_aside, is_ancestor, read_upstream, tip,
};
use crate::git::{GitError, read_checkout};
use crate::host::fs;
use crate::progress::{Cancel, Progress};
use crate::workspace::NodeKind;
use crate::workspace::node::Node;

/// A node to look for something newer for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The node.
    pub node: Node,
    /// Where it lies.
    pub path: Utf8PathBuf,
    /// The branch, tag or commit that is wanted, if one was named.
    pub rev: Option<String>,
    /// It was asked for by name.
    pub named: bool,
    /// Changed files of its checkout are not in the way: they will be put aside.
    pub stash: bool,
}

/// How a node stands to its upstream.
#[derive(Debug)]
pub enum Standing {
    /// There is something newer, or what was named.
    Due,
    /// It has what there is.
    Current,
    /// It is at a commit that no branch leads on from.
    Pinned,
    /// It is no git checkout.
    NotGit,
    /// Its repository has no remote, or no commit.
    NoRemote,
    /// It has commits of its own, so that nothing leads straight to the newer ones.
    Diverged,
    /// It would be changed, and has changed files.
    Dirty,
    /// It would be changed, and these files of nobody's are in the way.
    InTheWay(Vec<String>),
    /// Its repository could not be asked.
    Failed(GitError),
}

/// What there is for a node.
#[derive(Debug)]
pub struct Offer {
    /// What was asked.
    pub ask: Ask,
    /// How it stands.
    pub standing: Standing,
    /// The commit that is there.
    pub from: Option<String>,
    /// The commit that would be there.
    pub to: Option<String>,
    /// The branch that would be moved along, if one would.
    pub branch: Option<String>,
    /// What lies between.
    pub between: Between,
    /// A repository with the wanted commit checked out.
    pub aside: Option<Utf8PathBuf>,
    /// The remote's name and branch that were seen at the wanted commit.
    pub seen: Option<(String, String)>,
}

const AT_ONCE: usize = 8;

/// Looks at the upstreams of several nodes at once; what is fetched goes below
/// `scratch`, and no checkout is touched.
pub fn look(
    asks: Vec<Ask>,
    scratch: &Utf8Path,
    offline: bool,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Vec<Offer> {
    let total = asks.len();
    progress.begin("asking upstream", Some(total as u64));
    let todo: Vec<Mutex<Option<Ask>>> = asks.into_iter().map(|ask| Mutex::new(Some(ask))).collect();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let found = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..total.min(AT_ONCE) {
            scope.spawn(|| {
                while !cancel.is_requested() {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(ask) = todo.get(at).and_then(|slot| slot.lock().ok()?.take()) else {
                        return;
                    };
                    let name = ask.node.name.clone();
                    let offer = offer(ask, &scratch.join(at.to_string()), offline);
                    if let Ok(mut found) = found.lock() {
                        found.push((at, offer));
                    }
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    progress.at(done as u64, &name);
                }
            });
        }
    });
    progress.end();
    let mut found = found.into_inner().unwrap_or_default();
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, offer)| offer).collect()
}

fn offer(ask: Ask, scratch: &Utf8Path, offline: bool) -> Offer {
    let mut offer = Offer {
        ask,
        standing: Standing::Current,
        from: None,
        to: None,
        branch: None,
        between: Between::default(),
        aside: None,
        seen: None,
    };
    offer.standing = match fill(&mut offer, scratch, offline) {
        Ok(standing) => standing,
        Err(error) => Standing::Failed(error),
    };
    offer
}

fn fill(offer: &mut Offer, scratch: &Utf8Path, offline: bool) -> Result<Standing, GitError> {
    let Ask {
        node,
        path,
        rev,
        named,
        stash,
    } = offer.ask.clone();
    if node.kind != NodeKind::Git {
        return Ok(Standing::NotGit);
    }
    let here = read_checkout(&path)?;
    let Some(from) = here.commit else {
        return Ok(Standing::NoRemote);
    };
    offer.from = Some(from.clone());
    let upstream = read_upstream(&path, here.branch.as_deref())?;
    if upstream.url.is_none() && rev.is_none() {
        return Ok(Standing::NoRemote);
    }
    let (wish, followed) = match (&rev, &here.branch, &upstream.branch) {
        (Some(rev), branch, _) => {
            let is_here = branch.is_some() && upstream.branch.as_ref() == Some(rev);
            let local = if is_here { branch } else { &Some(rev.clone()) };
            (Wish::Rev(rev.clone()), local.clone())
        }
        (None, Some(branch), Some(theirs)) => (Wish::Branch(theirs.clone()), Some(branch.clone())),
        _ if named => (Wish::Default, None),
        _ => return Ok(Standing::Pinned),
    };
    if offline && rev.is_none() {
        return Err(switched_off(&node));
    }
    let aside = scratch.join(path.file_name().unwrap_or(&node.name));
    if let Some(parent) = aside.parent() {
        let made = fs::create_dir_all(parent);
        made.map_err(|error| failed(format!("{error}: {}", error.source)))?;
    }
    let to = fetch_aside(&path, &upstream, &wish, &aside, offline)?;
    let followed = match (&wish, &upstream.url) {
        // Where the commit is already, there is nothing to follow.
        (Wish::Default, Some(url)) if to != from => default_branch(url).ok(),
        _ => followed,
    };
    offer.to = Some(to.clone());
    if to == from {
        return Ok(Standing::Current);
    }
    offer.seen = seen(&wish, &upstream, followed.as_deref());
    let is_on = here.branch.is_some() && here.branch == followed;
    if is_on && !is_ancestor(&aside, &from, &to) {
        return Ok(if is_ancestor(&aside, &to, &from) {
            // What is there already has all that is upstream, and more.
            offer.to = Some(from);
            Standing::Current
        } else {
            Standing::Diverged
        });
    }
    let moves_along = |branch: &String| {
        tip(&path, branch).is_some_and(|tip| is_on || is_ancestor(&aside, &tip, &to))
    };
    offer.branch = followed.filter(moves_along);
    offer.between = compare(&aside, &from, &to)?;
    offer.aside = Some(aside);
    if here.dirty && !stash {
        return Ok(Standing::Dirty);
    }
    let new = offer.between.new_files.iter();
    let in_the_way: Vec<String> = new
        // A directory in the way is git's own, or git refuses.
        .filter(|file| fs::exists(&path.join(file)) && !fs::is_dir(&path.join(file)))
        .cloned()
        .collect();
    if !in_the_way.is_empty() {
        return Ok(Standing::InTheWay(in_the_way));
    }
    Ok(Standing::Due)
}

/// What a fetch would have noted: the remote's branch is at the wanted commit.
fn seen(wish: &Wish, upstream: &Upstream, default: Option<&str>) -> Option<(String, String)> {
    let branch = match wish {
        Wish::Branch(name) => Some(name.as_str()),
        Wish::Default => default,
        Wish::Rev(_) => None,
    };
    Some((upstream.remote.clone()?, branch?.to_owned()))
}

fn failed(detail: String) -> GitError {
    GitError {
        action: "fetch".to_owned(),
        detail,
        remote: false,
        source: None,
    }
}

fn switched_off(node: &Node) -> GitError {
    GitError {
        remote: true,
        ..failed(format!(
            "the network is switched off, and `{}` has to be asked for",
            node.name
        ))
    }
}
