//! Which of the nodes that are here a word on the command line means.

use super::source::is_safe;
use crate::workspace::node::Node;

/// What a word came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selected<'n> {
    /// No node has the name.
    None,
    /// One has.
    One(&'n Node),
    /// Several have; the words that tell them apart.
    Several(Vec<String>),
}

/// Finds a node by name or by directory, among those that `may` be meant.
pub fn select<'n>(nodes: &'n [Node], text: &str, may: impl Fn(&Node) -> bool) -> Selected<'n> {
    let bare = text.trim_end_matches(['/', '\\']);
    let may = |node: &&Node| may(node);
    let by_dir = |node: &&Node| {
        node.dir == bare || (bare.contains('/') && node.dir.ends_with(&format!("/{bare}")))
    };
    if let Some(node) = nodes.iter().filter(may).find(by_dir) {
        return Selected::One(node);
    }
    let named: Vec<&Node> = nodes
        .iter()
        .filter(may)
        .filter(|node| is_called(node, bare))
        .collect();
    match named.as_slice() {
        [] => Selected::None,
        [one] => Selected::One(one),
        several => Selected::Several(several.iter().map(|node| node.dir.clone()).collect()),
    }
}

/// Reports whether a word is a node's name, its directory's last part, or its name with
/// the version behind an `@`: `foo@1.4.0` is `foo@1_4_0` and a `foo` of that version.
fn is_called(node: &Node, text: &str) -> bool {
    let last = node.dir.rsplit('/').next().unwrap_or(&node.dir);
    let last = last.strip_suffix(".disabled").unwrap_or(last);
    if node.name == text || last == text {
        return true;
    }
    let Some((name, version)) = text.split_once('@') else {
        return false;
    };
    let in_name = last
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('@'));
    node.name == name
        && (in_name.is_some_and(|found| found.replace('_', ".") == version.replace('_', "."))
            || (in_name.is_none() && node.version.as_deref() == Some(version)))
}

/// Returns the directory that holds a node's own when it is enabled: `custom_nodes`,
/// whether or not the node lies in `.disabled/` there.
fn home(dir: &str) -> &str {
    let parent = dir.rsplit_once('/').map_or("", |(parent, _)| parent);
    parent
        .strip_suffix("/.disabled")
        .or((parent == ".disabled").then_some(""))
        .unwrap_or(parent)
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() {
        name.to_owned()
    } else {
        format!("{parent}/{name}")
    }
}

/// Returns where a disabled node goes to be loaded; `None` if its name is not one that
/// can be.
pub fn enabled_place(node: &Node) -> Option<String> {
    let last = node.dir.rsplit('/').next().unwrap_or(&node.dir);
    let in_disabled = node.dir.ends_with(&format!(".disabled/{last}"));
    let mut bare = last.strip_suffix(".disabled").unwrap_or(last);
    if in_disabled {
        bare = bare.split('@').next().unwrap_or(bare);
    }
    is_safe(bare).then(|| join(home(&node.dir), bare))
}

/// Returns where a node may go to be loaded no more, the plain place first. The others
/// are for a name that is taken by another version of the node.
pub fn disabled_places(node: &Node) -> Vec<String> {
    let last = node.dir.rsplit('/').next().unwrap_or(&node.dir);
    let parent = join(home(&node.dir), ".disabled");
    let tag = match (&node.commit, &node.version) {
        (Some(_), _) => Some("nightly".to_owned()),
        (None, Some(version)) => Some(version.replace('.', "_")),
        (None, None) => None,
    };
    let tagged = tag.map(|tag| format!("{last}@{tag}"));
    [Some(last.to_owned()), tagged.filter(|name| is_safe(name))]
        .into_iter()
        .flatten()
        .map(|name| join(&parent, &name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::node::NodeKind;

    fn node(dir: &str, name: &str, version: Option<&str>, enabled: bool) -> Node {
        Node {
            name: name.to_owned(),
            dir: dir.to_owned(),
            kind: NodeKind::Registry,
            url: None,
            commit: None,
            version: version.map(str::to_owned),
            enabled,
            dirty: false,
            content: None,
            kept: None,
        }
    }

    #[test]
    fn every_form_of_disabled_goes_back_to_one_name() {
        for (dir, place) in [
            ("custom_nodes/foo.disabled", "custom_nodes/foo"),
            ("custom_nodes/foo.py.disabled", "custom_nodes/foo.py"),
            ("custom_nodes/.disabled/foo", "custom_nodes/foo"),
            ("custom_nodes/.disabled/foo@1_4_0", "custom_nodes/foo"),
            ("more/nodes/.disabled/foo@nightly", "more/nodes/foo"),
            ("custom_nodes/.disabled/foo.py", "custom_nodes/foo.py"),
        ] {
            let found = enabled_place(&node(dir, "foo", None, false));
            assert_eq!(found.as_deref(), Some(place), "{dir}");
        }
    }

    #[test]
    fn a_version_behind_the_name_selects_one_of_several() {
        let nodes = [
            node("c/.disabled/foo@1_4_0", "foo", Some("1.4.0"), false),
            node("c/.disabled/foo@nightly", "foo", None, false),
            node("c/foo.disabled", "foo", Some("2.0"), false),
        ];
        let dir = |text| match select(&nodes, text, |_| true) {
            Selected::One(node) => node.dir.clone(),
            other => format!("{other:?}"),
        };
        assert_eq!(dir("foo@1.4.0"), nodes[0].dir);
        assert_eq!(dir("foo@1_4_0"), nodes[0].dir);
        assert_eq!(dir("foo@nightly"), nodes[1].dir);
        assert_eq!(dir("foo@2.0"), nodes[2].dir);
        assert_eq!(dir("c/foo.disabled"), nodes[2].dir);
        assert!(matches!(
            select(&nodes, "foo", |_| true),
            Selected::Several(dirs) if dirs.len() == 3
        ));
    }
}
