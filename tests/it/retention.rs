//! What of a history is kept, and where undo and redo go: the pure functions, on histories of
//! any shape.

use std::collections::BTreeSet;

use portenv::snapshot::retention::{Policy, needed, to_prune};
use portenv::snapshot::{Operation, Outcome, Snapshot, Walk, bisect_origin};
use proptest::prelude::*;

const NONE: Policy = Policy {
    newest: 0,
    daily: 0,
    weekly: 0,
    monthly: 0,
};

fn snapshot(n: i64, time: &str, label: Option<&str>) -> Snapshot {
    let id = format!("{n:012x}");
    let operation = Operation {
        number: n,
        id: Some(id.clone()),
        parent: None,
        before: None,
        after: Some("state".to_owned()),
        kind: "sync".to_owned(),
        command: "sync".to_owned(),
        started: time.to_owned(),
        ended: Some(time.to_owned()),
        outcome: Outcome::Done,
        restores: None,
    };
    Snapshot {
        id,
        operation,
        labels: label.map(str::to_owned).into_iter().collect(),
    }
}

/// Snapshots at these times, given newest first.
fn history(times: &[&str]) -> Vec<Snapshot> {
    let count = i64::try_from(times.len()).unwrap();
    let numbered = (1..=count).rev().zip(times);
    numbered.map(|(n, time)| snapshot(n, time, None)).collect()
}

#[track_caller]
fn check(times: &[&str], policy: Policy, kept: &[&str]) {
    let all = history(times);
    let gone: BTreeSet<i64> = to_prune(&all, policy, &BTreeSet::new())
        .iter()
        .map(|one| one.operation.number)
        .collect();
    let left: Vec<&str> = all
        .iter()
        .filter(|one| !gone.contains(&one.operation.number))
        .map(|one| one.operation.started.as_str())
        .collect();
    assert_eq!(left, kept);
}

#[test]
fn of_each_stretch_the_newest_stays() {
    let times = [
        "2026-11-21T18:00:00Z",
        "2026-11-21T09:00:00Z",
        "2026-11-20T23:59:59Z",
        "2026-11-20T00:00:00Z",
        "2026-10-31T12:00:00Z",
        "2026-10-26T12:00:00Z",
        "2025-12-31T12:00:00Z",
        "2025-12-29T12:00:00Z",
    ];
    check(&times, NONE, &[]);
    check(&times, Policy { newest: 2, ..NONE }, &times[..2]);
    let daily = [times[0], times[2], times[4]];
    check(&times, Policy { daily: 3, ..NONE }, &daily);
    // 26 to 31 October are one ISO week; 29 and 31 December 2025 are in week 1 of 2026.
    let weekly = [times[0], times[4], times[6]];
    check(&times, Policy { weekly: 9, ..NONE }, &weekly);
    check(&times, Policy { monthly: 2, ..NONE }, &[times[0], times[4]]);
}

#[test]
fn a_year_without_a_change_costs_nothing_and_a_time_that_is_none_stays() {
    let times = ["2026-11-21T18:00:00Z", "not a time", "2021-01-01T00:00:00Z"];
    check(&times, Policy { daily: 2, ..NONE }, &times);
}

#[test]
fn labels_and_what_is_needed_stay_whatever_the_policy() {
    let mut all = history(&[
        "2026-11-21T18:00:00Z",
        "2026-11-21T17:00:00Z",
        "2026-11-21T16:00:00Z",
        "2026-11-21T15:00:00Z",
    ]);
    all[3].labels.push("as found".to_owned());
    let mut open = all[0].operation.clone();
    open.parent = Some(all[1].id.clone());
    let gone = to_prune(&all, NONE, &needed(&all, Some(&open)));
    let gone: Vec<i64> = gone.iter().map(|one| one.operation.number).collect();
    assert_eq!(gone, [2]);
}

#[test]
fn what_redo_would_go_to_stays() {
    let mut all = history(&["2026-11-21T18:00:00Z"; 5]);
    // Numbers 5 to 1: an undo of 3 back to 2, then one back to 1.
    for (at, to) in [(0, 4), (1, 3)] {
        all[at].operation.kind = "undo".to_owned();
        all[at].operation.restores = Some(all[to].id.clone());
    }
    let gone = to_prune(&all, NONE, &needed(&all, None));
    let gone: Vec<i64> = gone.iter().map(|one| one.operation.number).collect();
    assert_eq!(gone, [4]);
}

prop_compose! {
    fn any_history()(
        // Seconds between two: from one moment to three months, and a clock that goes back.
        gaps in proptest::collection::vec((-100_000i64..8_000_000, any::<bool>()), 1..60),
    ) -> Vec<Snapshot> {
        let mut now = 1_700_000_000i64;
        let mut all = Vec::new();
        for (n, (gap, labelled)) in (1..).zip(gaps) {
            now += gap;
            let time = jiff::Timestamp::from_second(now).unwrap().to_string();
            all.insert(0, snapshot(n, &time, (labelled && n % 7 == 0).then_some("kept")));
        }
        all
    }
}

prop_compose! {
    fn any_policy()(newest in 0..8usize, daily in 0..8usize, weekly in 0..8usize, monthly in 0..8usize) -> Policy {
        Policy { newest, daily, weekly, monthly }
    }
}

fn left(all: &[Snapshot], policy: Policy) -> Vec<Snapshot> {
    let needed = needed(all, None);
    let gone = to_prune(all, policy, &needed);
    let stays = |one: &&Snapshot| !gone.iter().any(|gone| gone.id == one.id);
    all.iter().filter(stays).cloned().collect()
}

proptest! {
    #[test]
    fn the_newest_the_labelled_and_enough_stay_and_pruning_twice_is_pruning_once(
        all in any_history(), policy in any_policy()
    ) {
        let kept = left(&all, policy);
        prop_assert_eq!(&kept[0], &all[0]);
        for one in &all[..policy.newest.min(all.len())] {
            prop_assert!(kept.contains(one));
        }
        for one in all.iter().filter(|one| !one.labels.is_empty()) {
            prop_assert!(kept.contains(one));
        }
        prop_assert_eq!(left(&kept, policy), kept);
    }

    #[test]
    fn who_keeps_more_loses_nothing_by_it(
        all in any_history(), policy in any_policy(), more in any_policy()
    ) {
        let wider = Policy {
            newest: policy.newest + more.newest,
            daily: policy.daily + more.daily,
            weekly: policy.weekly + more.weekly,
            monthly: policy.monthly + more.monthly,
        };
        let kept = left(&all, wider);
        for one in left(&all, policy) {
            prop_assert!(kept.contains(&one));
        }
    }
}

/// A step of somebody at work.
#[derive(Debug, Clone, Copy)]
enum Act {
    Change,
    Undo,
    Redo,
    /// Three trials, and back.
    Bisect,
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => Just(Act::Change),
        4 => Just(Act::Undo),
        3 => Just(Act::Redo),
        1 => Just(Act::Bisect),
    ]
}

/// Adds a snapshot as the newest.
fn push(all: &mut Vec<Snapshot>, kind: &str, restores: Option<&str>) -> String {
    let n = i64::try_from(all.len()).unwrap() + 1;
    let mut one = snapshot(n, "2026-11-21T18:00:00Z", None);
    kind.clone_into(&mut one.operation.kind);
    one.operation.restores = restores.map(str::to_owned);
    all.insert(0, one);
    all[0].id.clone()
}

proptest! {
    #[test]
    fn undo_and_redo_walk_as_two_stacks_do(acts in proptest::collection::vec(any_act(), 0..60)) {
        let mut all = Vec::new();
        // The usual two stacks: what is behind, the present last, and what is ahead.
        let mut behind = vec![push(&mut all, "init", None)];
        let mut ahead: Vec<String> = Vec::new();
        for act in acts {
            let walk = Walk::of(&all);
            let id = |one: &Snapshot| one.id.clone();
            let (at, back) = (walk.at().map(id), walk.back(false).next().map(id));
            let forward = walk.ahead(false).next().map(id);
            prop_assert_eq!(at.as_ref(), behind.last());
            prop_assert_eq!(back.as_ref(), behind.iter().rev().nth(1));
            prop_assert_eq!(forward.as_ref(), ahead.last());
            // With drift it goes back to where it stands, and nowhere ahead.
            prop_assert_eq!(walk.back(true).next().map(id), at.clone());
            prop_assert!(walk.ahead(true).next().is_none());
            match act {
                Act::Change => {
                    behind.push(push(&mut all, "add", None));
                    ahead.clear();
                }
                Act::Undo => if let Some(to) = back {
                    push(&mut all, "undo", Some(&to));
                    ahead.extend(behind.pop());
                },
                Act::Redo => if let Some(to) = forward {
                    push(&mut all, "redo", Some(&to));
                    behind.extend(ahead.pop());
                },
                Act::Bisect => {
                    let origin = all[0].id.clone();
                    for kind in ["bisect", "drift", "bisect"] {
                        push(&mut all, kind, None);
                        prop_assert_eq!(bisect_origin(&all).map(id), Some(origin.clone()));
                    }
                    push(&mut all, "bisected", Some(&origin));
                    prop_assert!(bisect_origin(&all).is_none());
                }
            }
        }
    }
}
