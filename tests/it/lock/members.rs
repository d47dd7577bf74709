//! What an installation consists of, as its lock names it.

use super::*;
use portenv::lock::{LockedCore, LockedNode, Members};

fn node(dir: &str) -> LockedNode {
    LockedNode {
        dir: dir.to_owned(),
        name: dir.rsplit('/').next().unwrap().to_owned(),
        kind: "git".to_owned(),
        url: Some("https://host/some.git".to_owned()),
        commit: Some("00aa".to_owned()),
        version: None,
        content: None,
        enabled: true,
    }
}

fn named(dirs: &[&str]) -> Lock {
    lock_of(&small()).with_members(Members {
        core: Some(LockedCore {
            commit: Some("11bb".to_owned()),
            ..LockedCore::default()
        }),
        nodes: dirs.iter().map(|dir| node(dir)).collect(),
    })
}

#[test]
fn a_lock_is_as_fresh_without_them_or_with_others() {
    let world = small();
    let bare = read(&lock_of(&world).to_toml());
    assert_eq!(bare.members, None, "as an older portenv wrote it");
    for lock in [
        bare,
        read(&named(&[]).to_toml()),
        read(&named(&["custom_nodes/x"]).to_toml()),
    ] {
        let stale = check_freshness(Some(&lock), &set_of(&world.lines), &world.targets);
        assert_eq!(stale, []);
    }
}

#[test]
fn no_node_is_told_from_not_knowing_any() {
    let lock = read(&named(&[]).to_toml());
    let members = lock.members.expect("it names ComfyUI and no node");
    assert_eq!(members.nodes, []);
    assert_eq!(
        members.core.and_then(|core| core.commit).as_deref(),
        Some("11bb")
    );
}

#[test]
fn they_are_written_in_one_order_a_line_each_and_without_passwords() {
    let dirs = ["custom_nodes/x", "custom_nodes/a", "custom_nodes/m"];
    let mut lock = named(&dirs);
    for node in lock.members.iter_mut().flat_map(|them| &mut them.nodes) {
        node.url = Some("https://me:secret@host/some.git".to_owned());
    }
    let text = lock.to_toml();
    let rows: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("{ dir = \"custom_nodes/"))
        .map(|rest| &rest[..1])
        .collect();
    assert_eq!(rows, ["a", "m", "x"]);
    assert!(!text.contains("secret"), "{text}");
    assert_eq!(read(&text).to_toml(), text);
}
