//! Whether a lock still answers what is asked.

use super::*;

fn with_line(lines: &[Line], text: &str) -> Vec<Line> {
    let mut lines = lines.to_vec();
    lines.push(line(text, 99));
    lines
}

#[track_caller]
fn reasons(lock: &Lock, lines: &[Line], targets: &[portenv::package::Target]) -> Vec<String> {
    let found = check_freshness(Some(lock), &set_of(lines), targets);
    found.iter().map(StaleReason::shown).collect()
}

#[test]
fn a_lock_is_fresh_while_the_same_is_asked_wherever_in_the_file() {
    let world = small();
    let lock = read(&lock_of(&world).to_toml());
    let none = Vec::<String>::new();
    assert_eq!(reasons(&lock, &world.lines, &world.targets), none);
    // A comment above and behind, other lines first, blanks within.
    let mut moved = world.lines.clone();
    moved.rotate_left(1);
    for line in &mut moved {
        line.origin.line = line.origin.line.map(|number| number + 40);
        line.origin.column = Some(3);
        line.text = format!("{}   # why", line.text);
    }
    assert_eq!(reasons(&lock, &moved, &world.targets), none);
    let protected = with_line(&world.lines, "protect: torch==2.9.0+cu126");
    assert_eq!(
        reasons(&lock, &protected, &world.targets),
        none,
        "what is installed is no input"
    );
}

#[test]
fn each_way_to_be_stale_has_its_reason() {
    let world = small();
    let lock = read(&lock_of(&world).to_toml());
    let added = with_line(&world.lines, "Node-Y: d>=0.5");
    assert_eq!(
        reasons(&lock, &added, &world.targets),
        ["`d>=0.5` is new (custom_nodes/Node-Y/requirements.txt:99)"]
    );
    let mut removed = world.lines.clone();
    removed.remove(1);
    assert_eq!(
        reasons(&lock, &removed, &world.targets),
        ["`b==2.0` is gone (custom_nodes/Node-X/requirements.txt)"]
    );
    let mut changed = world.lines.clone();
    changed[1] = line("Node-X: b>=2.0", 2);
    assert_eq!(
        reasons(&lock, &changed, &world.targets),
        [
            "`b>=2.0` is new (custom_nodes/Node-X/requirements.txt:2)",
            "`b==2.0` is gone (custom_nodes/Node-X/requirements.txt)"
        ]
    );
    assert_eq!(
        reasons(&lock, &world.lines, &world.targets[..1]),
        [
            "the lock is for x86_64-unknown-linux-gnu@3.12.9, x86_64-pc-windows-msvc@3.12.9, wanted is x86_64-unknown-linux-gnu@3.12.9"
        ]
    );
    for policy in [
        "constrain: c<2",
        "override: c>=1",
        "core: gone; sys_platform == 'darwin'",
    ] {
        assert_eq!(
            reasons(&lock, &with_line(&world.lines, policy), &world.targets),
            ["the policy or lines for other platforms changed"],
            "{policy}"
        );
    }
    assert_eq!(
        check_freshness(None, &set_of(&[]), &[]),
        [StaleReason::Missing]
    );
    let all = with_line(&removed, "Node-Y: d>=0.5");
    let kinds: Vec<_> = check_freshness(Some(&lock), &set_of(&all), &[target("linux", "3.13.0")]);
    assert!(
        matches!(
            kinds.as_slice(),
            [
                StaleReason::Targets { .. },
                StaleReason::Added { .. },
                StaleReason::Removed { .. }
            ]
        ),
        "{kinds:?}"
    );
}

#[test]
fn a_line_said_twice_is_not_new_when_something_else_changes() {
    let mut world = small();
    world.lines.push(line("core: a", 7));
    let lock = read(&lock_of(&world).to_toml());
    let added = with_line(&world.lines, "Node-Y: d");
    assert_eq!(
        reasons(&lock, &added, &world.targets),
        ["`d` is new (custom_nodes/Node-Y/requirements.txt:99)"]
    );
}

type Change<'a> = &'a dyn Fn(&mut Vec<Line>);

#[test]
fn the_digest_depends_on_all_that_decides_and_on_nothing_else() {
    let world = small();
    let digest = |change: &dyn Fn(&mut Vec<Line>)| {
        let mut lines = world.lines.clone();
        change(&mut lines);
        input_digest(&set_of(&lines), &world.targets)
    };
    let plain = digest(&|_| {});
    assert_eq!(plain, digest(&|lines| lines.reverse()));
    assert_eq!(plain, digest(&|lines| lines[0].origin.line = Some(77)));
    let other_file = |lines: &mut Vec<Line>| lines[0].origin.file = Some("other.txt".to_owned());
    let other_node = |lines: &mut Vec<Line>| lines[1].origin.name = Some("Node-Z".to_owned());
    let other_text =
        |lines: &mut Vec<Line>| lines[1] = line("Node-X: b==2.0; python_version > '3'", 2);
    let other_scope = |lines: &mut Vec<Line>| lines[3] = line("override: b>=1", 4);
    let changes: [Change; 4] = [&other_file, &other_node, &other_text, &other_scope];
    for (at, change) in changes.into_iter().enumerate() {
        assert_ne!(plain, digest(change), "{at}");
    }
    assert_ne!(
        plain,
        input_digest(&set_of(&world.lines), &world.targets[..1])
    );
}
