//! `bisect run`.

use super::place::{Place, assert_error, assert_fields, strings, strings_of};
use crate::support::Wheel;

/// A synced place with a snapshot for each version of `mark` from 1 to 6, and a script that is
/// given an expression over `N`, that version or 0, as its exit code.
fn marked() -> Place {
    let place = Place::synced();
    for n in 1..=6 {
        let wheel = Wheel::new("mark", &format!("{n}.0"));
        let wheel = wheel.file("mark/__init__.py", format!("N = {n}\n"));
        place.install_behind_its_back(&wheel.build());
        let _ = place.portenv(&["snapshot", "create"]).success();
    }
    place.write(
        "check.py",
        "import os, signal, sys, time\n\
         try:\n    from mark import N\nexcept ImportError:\n    N = 0\n\
         print('at', N, flush=True)\n\
         parent = os.getppid()\n\
         sys.exit(eval(sys.argv[1]))\n",
    );
    place
}

/// What is installed and which nodes are there. A wheel that comes back from the store has
/// another RECORD than one from a file: what was installed from is written there.
fn seen(place: &Place) -> (String, Vec<String>) {
    let shown = place.json(0, &["snapshot", "create"]);
    let nodes = strings(&shown["snapshots"][0]["nodes"], "name");
    (place.shown(), nodes)
}

fn check(expression: &str) -> [&str; 4] {
    ["--", "python", "check.py", expression]
}

fn bisect<'a>(ends: &[&'a str], expression: &'a str) -> Vec<&'a str> {
    let mut all = vec!["bisect", "run"];
    all.extend(ends);
    all.extend(["--format", "json"]);
    all.extend(check(expression));
    all
}

#[test]
fn the_snapshot_that_broke_it_is_named_and_all_is_as_it_was() {
    let place = marked();
    let (before, history) = (seen(&place), place.history());
    let found = place.json(0, &bisect(&[], "N >= 4"));
    assert_fields(
        &found,
        "schema status good first_bad suspects trials start next",
    );
    assert_eq!(
        (&found["schema"], &found["status"]),
        (&"portenv.bisect/1".into(), &"found".into())
    );
    // Newest first: 6 to 1, synced, as found.
    assert_eq!(found["first_bad"]["id"], history[2].as_str());
    assert_eq!(found["good"], history[3].as_str());
    assert_eq!(found["first_bad"]["command"], "changes made by others");
    assert_eq!(strings(&found["first_bad"]["changes"], "to"), ["4.0"]);
    let trials = found["trials"].as_array().unwrap();
    assert!(trials.len() <= 5, "{found}");
    assert_eq!(
        (
            &trials[0]["snapshot"],
            &trials[0]["verdict"],
            &trials[0]["code"]
        ),
        (&history[0].as_str().into(), &"bad".into(), &1.into())
    );
    assert_eq!(seen(&place), before);
    let _ = place.portenv(&["status", "--exit-code"]).success();
    // Undo knows nothing of it: it goes over what was newest before.
    let _ = place.portenv(&["undo", "--yes"]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, mark 5.0");
}

#[test]
fn as_text_it_names_the_command_and_what_it_changed() {
    let place = marked();
    let mut line = vec!["bisect", "run", "as found", "@"];
    line.extend(check("N >= 2"));
    let run = place.portenv(&line).success();
    assert!(
        run.stdout().contains("changes made by others")
            && run.stdout().contains("packages ~1: ~mark 1.0 → 2.0"),
        "{run}"
    );
    assert!(run.stderr().contains("is the first bad snapshot"), "{run}");
    // The command's own words do not mix with the result.
    assert!(
        run.stderr().contains("at 2") && !run.stdout().contains("at 2"),
        "{run}"
    );
}

#[test]
fn what_cannot_be_told_is_passed_over_and_may_leave_several() {
    let place = marked();
    let history = place.history();
    let ends = [history[5].as_str(), history[0].as_str()];
    let found = place.json(0, &bisect(&ends, "125 if N == 3 else N >= 5"));
    assert_eq!(found["first_bad"]["id"], history[1].as_str());
    let before = seen(&place);
    let found = place.json(1, &bisect(&ends, "125 if N in (3, 4) else N >= 5"));
    assert_eq!(
        (&found["status"], &found["first_bad"]),
        (&"undecided".into(), &().into())
    );
    let suspects = found["suspects"].as_array().unwrap();
    let versions: Vec<&str> = suspects
        .iter()
        .map(|one| one["changes"][0]["to"].as_str().unwrap())
        .collect();
    assert_eq!(versions, ["5.0", "4.0", "3.0"]);
    assert_eq!(seen(&place), before);
}

#[test]
fn where_there_is_nothing_to_find_a_sentence_says_so() {
    let place = marked();
    let before = seen(&place);
    for (ends, expression, says) in [
        (&[][..], "0", "does not fail at the newest"),
        (&[], "1", "does not succeed at the oldest"),
        (&["@", "@"], "1", "only one state"),
        (&["@~1", "@~3"], "1", "newer than the bad one"),
        (&["nowhere"], "1", "no snapshot `nowhere`"),
        (&["as found"], "200", "ended with 200"),
    ] {
        let run = place.portenv(&bisect(ends, expression));
        assert!([1, 2].contains(&run.code()), "{run}");
        assert!(run.stderr().contains(says), "{says}: {run}");
        assert_eq!(seen(&place), before, "{run}");
    }
    let line = [
        "bisect",
        "run",
        "@~2",
        "--format",
        "json",
        "--",
        "no-such-program",
    ];
    let run = place.portenv(&line).expect_code(2);
    assert_error(&run, "not-found");
    assert_eq!(seen(&place), before);
    let _ = place.portenv(&["status", "--exit-code"]).success();
}

#[cfg(unix)]
#[test]
fn a_crash_is_bad_and_an_interrupt_goes_back() {
    let place = marked();
    let (before, history) = (seen(&place), place.history());
    let crash = "os.kill(os.getpid(), signal.SIGSEGV) if N >= 3 else 0";
    let found = place.json(0, &bisect(&[&history[5]], crash));
    assert_eq!(found["first_bad"]["id"], history[3].as_str());
    assert_eq!(found["trials"][0]["code"], 11);
    let interrupt = "os.kill(parent, signal.SIGINT) or time.sleep(60) if N == 2 else 1";
    let run = place
        .portenv(&bisect(&["as found"], interrupt))
        .expect_code(130);
    assert_error(&run, "interrupted");
    assert_eq!(seen(&place), before);
    let _ = place.portenv(&["status", "--exit-code"]).success();
}

#[cfg(unix)]
#[test]
fn after_a_kill_recover_goes_back_to_where_it_began() {
    let place = marked();
    let before = seen(&place);
    let kill = "os.kill(parent, signal.SIGKILL) if N == 2 else 1";
    let run = place.portenv(&bisect(&["as found"], kill));
    assert_ne!(run.code(), 0, "{run}");
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, mark 2.0");
    let status = place.json(0, &["status"]);
    assert_eq!(status["interrupted"]["kind"], "bisect");
    assert_eq!(strings_of(&status["next"][0]["argv"])[1], "recover");
    let run = place.portenv(&bisect(&["as found"], "1")).expect_code(1);
    assert!(run.stderr().contains("portenv recover"), "{run}");
    let document = place.json(0, &["recover"]);
    assert_eq!(document["status"], "undone");
    assert_eq!(seen(&place), before);
    let _ = place.portenv(&["status", "--exit-code"]).success();
    assert_eq!(place.json(0, &["recover"])["status"], "nothing");
}

#[cfg(unix)]
#[test]
fn where_it_was_left_one_can_go_on_and_undo_goes_back_step_by_step() {
    let place = marked();
    let before = seen(&place);
    let kill = "os.kill(parent, signal.SIGKILL) if N == 2 else 1";
    let _ = place.portenv(&bisect(&["as found"], kill));
    let left = seen(&place);
    let node = place.offered("some-node", "gamma\n");
    let _ = place.portenv(&["add", &node, "--yes"]).success();
    let _ = place.portenv(&["undo", "--yes"]).success();
    assert_eq!(seen(&place), left);
    let _ = place.portenv(&["undo", "--yes"]).success();
    assert_eq!(seen(&place), before);
}

#[test]
fn a_lock_that_was_not_applied_yet_is_there_when_it_has_ended() {
    let place = marked();
    place.settings("[overrides]\nbeta = { specifier = \"==2.0\", reason = \"newer\" }\n");
    let _ = place.portenv(&["lock"]).success();
    let lock = place.read("pylock.toml");
    let found = place.json(0, &bisect(&["as found"], "N >= 4"));
    assert_eq!(found["status"], "found");
    assert_eq!(place.read("pylock.toml"), lock);
}

#[cfg(unix)]
#[test]
fn a_command_that_goes_elsewhere_itself_keeps_nobody_from_going_back() {
    let place = marked();
    let (before, history) = (seen(&place), place.history());
    let program = env!("CARGO_BIN_EXE_portenv");
    let script = format!("{program} rollback 'as found' --yes >&2; exit 1");
    let mut line = bisect(&[&history[4], &history[0]], "");
    line.truncate(line.len() - 3);
    line.extend(["sh", "-c", &script]);
    let found = place.json(0, &line);
    assert_eq!(found["first_bad"]["id"], history[3].as_str());
    assert_eq!(seen(&place), before);
}
