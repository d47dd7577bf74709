//! One digest of what an installation is, equal on machines that are equal.
//!
//! A snapshot's state digest is of one machine: it holds paths, and where each package can be had
//! again from there. This one holds, a line each and sorted:
//!
//! ```text
//! portenv-state 1
//! python VERSION
//! platform TRIPLE
//! core COMMIT-OR-VERSION EDITS
//! node DIR KIND URL COMMIT-OR-CONTENT VERSION enabled|disabled EDITS
//! package NAME VERSION SOURCE RECORD
//! base NAME VERSION RECORD
//! ```
//!
//! with a tab between words and `-` for what is not there. RECORD is the digest of the files
//! that a package says it consists of, so two builds of one version differ and two indexes with
//! one file do not: SOURCE is named only where it is no index. EDITS is a digest over the changed
//! files of a checkout. CONTENT is that of a node without history.

use super::context::Site;
use crate::environment::{Distribution, Installed, Origination};
use crate::host::digest;
use crate::package::Source;
use crate::snapshot::State;
use crate::workspace::content::{content_digest, edits_digest};
use crate::workspace::{Node, NodeKind};

/// Returns the digest (SHA-256, hex) of what is here now.
pub(super) fn fingerprint(site: &Site, installed: &Installed, now: &State) -> String {
    let mut lines = vec![
        line(&["python", &now.python]),
        line(&["platform", &now.platform]),
    ];
    if let Some(core) = &now.core {
        let is = core.commit.as_ref().or(core.version.as_ref());
        let is = is.map_or("-", String::as_str);
        lines.push(line(&["core", is, &edits(site, core)]));
    }
    lines.extend(now.nodes.iter().map(|node| node_line(site, node)));
    lines.extend(installed.iter().map(package_line));
    for package in now.base.iter().flat_map(|base| &base.packages) {
        let version = package.version.to_string();
        let record = package.digest.as_deref().unwrap_or("-");
        lines.push(line(&["base", package.name.as_str(), &version, record]));
    }
    lines.sort();
    digest::sha256(format!("portenv-state 1\n{}", lines.concat()).as_bytes())
}

fn line(words: &[&str]) -> String {
    format!("{}\n", words.join("\t"))
}

fn node_line(site: &Site, node: &Node) -> String {
    let place = site.installation.root.join(&node.dir);
    // A directory beyond the root has another path on each machine.
    let dir = if camino::Utf8Path::new(&node.dir).is_absolute() {
        &node.name
    } else {
        &node.dir
    };
    let kind = match node.kind {
        NodeKind::Git => "git",
        NodeKind::Registry => "registry",
        NodeKind::File => "file",
        NodeKind::Plain => "plain",
    };
    let content = match (&node.commit, &node.content) {
        (Some(commit), _) => commit.clone(),
        (None, Some(content)) => content.clone(),
        (None, None) => content_digest(&place),
    };
    let state = if node.enabled { "enabled" } else { "disabled" };
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let (url, version) = (or_none(&node.url), or_none(&node.version));
    let edits = edits(site, node);
    line(&["node", dir, kind, &url, &content, &version, state, &edits])
}

/// Returns the digest over the changed files of a checkout.
fn edits(site: &Site, node: &Node) -> String {
    if !node.dirty {
        return "-".to_owned();
    }
    let known = node.content.clone();
    let found = known.or_else(|| edits_digest(&site.installation.root.join(&node.dir)));
    found.unwrap_or_else(|| "-".to_owned())
}

fn package_line(found: &Distribution) -> String {
    let record = found.digest.as_deref().unwrap_or("-");
    let (source, record) = match &found.origination {
        Origination::Direct(Source::Git(vcs)) => {
            let part = vcs.subdirectory.as_deref().unwrap_or("-");
            (format!("git {} {} {part}", vcs.url, vcs.commit), record)
        }
        Origination::Direct(Source::Url { url, .. }) => (format!("url {url}"), record),
        // Its RECORD holds the path of the directory.
        Origination::Direct(Source::Path { editable: true, .. }) => ("editable".to_owned(), "-"),
        Origination::Direct(Source::Path { .. } | Source::Index(_))
        | Origination::Index
        | Origination::GoneFile { .. } => ("-".to_owned(), record),
    };
    let (name, version) = (found.name.as_str(), found.version.to_string());
    line(&["package", name, &version, &source, record])
}
