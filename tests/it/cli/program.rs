//! A program that only reads JSON: it previews, decides, applies what it saw, and recovers, led
//! from one command to the next by `next` alone.

use serde_json::Value;

use super::place::{Place, changes, strings_of};
use crate::support::{FaultyUv, Mode, Wheel, faults_of};

/// Sees exit codes and documents, and no text: there is none in its hands to look at.
struct Agent<'a> {
    place: &'a Place,
}

/// What a program knows after a command.
struct Answer {
    code: i32,
    document: Value,
}

impl<'a> Agent<'a> {
    fn of(place: &'a Place) -> Self {
        Self { place }
    }

    /// Runs a command of the agent's own choice.
    #[track_caller]
    fn run(&self, words: &[&str]) -> Answer {
        let words: Vec<&str> = [words, &["--format", "json"]].concat();
        self.go(&words)
    }

    /// Runs the first command of `next` that changes something, or the first that does not.
    #[track_caller]
    fn follow(&self, answer: &Answer, changing: bool) -> Answer {
        let argv = answer.way_on(changing);
        assert_eq!(argv[0], "portenv", "{argv:?}");
        self.go(&argv[1..])
    }

    #[track_caller]
    fn go(&self, words: &[&str]) -> Answer {
        let run = self.place.portenv(words);
        Answer {
            code: run.code(),
            document: run.document(),
        }
    }
}

impl Answer {
    #[track_caller]
    fn way_on(&self, changing: bool) -> Vec<&str> {
        let next = self.document["next"].as_array().unwrap();
        let found = next.iter().find(|next| next["changes"] == changing);
        let found = found.unwrap_or_else(|| panic!("no way on: {:#}", self.document));
        strings_of(&found["argv"])
    }

    #[track_caller]
    fn expect(self, code: i32, status: &str) -> Self {
        let found = (self.code, self.document["status"].as_str());
        assert_eq!(found, (code, Some(status)), "{:#}", self.document);
        self
    }

    #[track_caller]
    fn expect_error(self, code: i32, error: &str) -> Self {
        let answer = self.expect(code, "error");
        assert_eq!(answer.document["error"]["code"], error);
        answer
    }

    #[track_caller]
    fn plan(&self) -> &str {
        let plan = self.document["plan"].as_str();
        plan.unwrap_or_else(|| panic!("no plan: {:#}", self.document))
    }
}

#[test]
fn an_agent_adds_nodes_meets_a_changed_index_and_undoes_drift_by_documents_alone() {
    let place = Place::synced();
    let agent = Agent::of(&place);
    let one = place.offered("one node", "gamma\n");
    let preview = agent.run(&["preview", &one]).expect(0, "ok");
    let applied = agent.follow(&preview, true).expect(0, "done");
    let seen = changes(&preview.document);
    assert_eq!(seen, ["add delta - 2.0", "add gamma - 1.0"]);
    assert_eq!(changes(&applied.document), seen);

    // What was seen is no longer what would be done.
    place.server.add(Wheel::new("zeta", "1.0"));
    let two = place.offered("two", "zeta\n");
    let preview = agent.run(&["preview", &two, "--refresh"]).expect(0, "ok");
    assert_eq!(changes(&preview.document), ["add zeta - 1.0"]);
    place.server.add(Wheel::new("zeta", "2.0"));
    let before = place.state();
    let stale = agent.follow(&preview, true).expect_error(1, "plan-stale");
    assert_eq!(place.state(), before);
    let preview = agent.follow(&stale, false).expect(0, "ok");
    assert_eq!(changes(&preview.document), ["add zeta - 2.0"]);
    let second = agent.follow(&preview, true).expect(0, "done");
    assert_eq!(changes(&second.document), ["add zeta - 2.0"]);
    let whole = place.state();
    let quiet = agent.run(&["status", "--exit-code"]);
    assert_eq!(
        (quiet.code, &quiet.document["next"]),
        (0, &Value::from([0; 0]))
    );

    // Something else installs into the environment.
    place.install_behind_its_back(&Wheel::new("beta", "2.0").build());
    let status = agent.run(&["status", "--exit-code"]);
    assert_eq!(status.code, 1);
    let drift = &status.document["drift"];
    assert_eq!(changes(drift), ["upgrade beta 1.0 2.0"]);
    let asked = agent.follow(&status, true).expect_error(2, "confirm");
    let back = agent.follow(&asked, true).expect(0, "done");
    assert_eq!(changes(&back.document), ["downgrade beta 2.0 1.0"]);
    assert_eq!(place.state(), whole);

    // The way back from the second node is in the document that told of it.
    let asked = agent.follow(&second, true).expect_error(2, "confirm");
    let _ = agent.follow(&asked, true).expect(0, "done");
    assert_eq!(place.state(), before);
}

#[test]
fn an_agent_finds_what_was_cut_short_and_puts_it_back() {
    let mut place = Place::synced();
    let node = place.offered("some-node", "gamma\n");
    let uv = FaultyUv::install(&mut place.sandbox);
    let agent = Agent::of(&place);
    let preview = agent.run(&["preview", &node]).expect(0, "ok");
    let before = place.state();
    uv.set(Mode::KillParent, 1..=1);
    let argv = preview.way_on(true);
    let _ = place.portenv(&argv[1..]).expect_code(137);
    // The stand-in outlives the run that it kills by a moment.
    let lock = std::fs::File::open(place.root().join(".portenv/lock")).unwrap();
    lock.lock_shared().unwrap();
    drop(lock);

    uv.set(Mode::Pass, 1..=1);
    let status = agent.run(&["status"]);
    assert_eq!(status.document["interrupted"]["kind"], "add");
    let undone = agent.follow(&status, true).expect(0, "undone");
    assert_eq!(place.state(), before);
    let status = agent.follow(&undone, false);
    assert_eq!(status.document["interrupted"], Value::Null);
    assert_eq!(status.document["next"], Value::from([0; 0]));
    // Nothing is as it was not: the plan still holds.
    let applied = agent.follow(&preview, true).expect(0, "done");
    assert_eq!(changes(&applied.document), changes(&preview.document));
}

#[test]
fn a_plan_is_stale_once_environment_node_lock_or_policy_are_others() {
    type Change = fn(&Place);
    let others: [(&str, Change); 5] = [
        ("environment", |place| {
            place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
        }),
        ("node", |place| {
            let file = place.dir().join("offered/some-node/nodes.py");
            std::fs::write(file, "more = True\n").unwrap();
        }),
        ("another node", |place| {
            place.node("other", "");
        }),
        ("lock", |place| {
            let lock = place.read("pylock.toml");
            place.write("pylock.toml", format!("{lock}\n# a remark\n"));
        }),
        ("policy", |place| place.settings("[policy]\nprotect = []\n")),
    ];
    for (what, change) in others {
        let place = Place::synced();
        let agent = Agent::of(&place);
        let node = place.offered("some-node", "gamma\n");
        let preview = agent.run(&["preview", &node]).expect(0, "ok");
        change(&place);
        let before = place.state();
        let stale = agent.follow(&preview, true);
        assert_eq!(stale.document["error"]["code"], "plan-stale", "{what}");
        assert_eq!(place.state(), before, "{what}");
        let preview = agent.follow(&stale, false).expect(0, "ok");
        let _ = agent.follow(&preview, true).expect(0, "done");
    }
}

#[test]
fn a_dry_run_names_the_plan_that_is_then_applied() {
    for command in ["sync", "rollback"] {
        let place = Place::synced();
        let agent = Agent::of(&place);
        place.uninstall_behind_its_back("beta");
        let shown = agent.run(&[command, "--dry-run"]).expect(0, "dry-run");
        let asked = agent.run(&[command]).expect_error(2, "confirm");
        assert_eq!(shown.plan(), asked.plan(), "{command}");
        let applied = agent.follow(&shown, true).expect(0, "done");
        assert_eq!(changes(&applied.document), changes(&shown.document));
        assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
        // A plan is good for one state only.
        place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
        let stale = agent.follow(&shown, true).expect_error(1, "plan-stale");
        place.uninstall_behind_its_back("beta");
        let again = agent.follow(&stale, false).expect(0, "dry-run");
        let _ = agent.follow(&again, true).expect(0, "done");
    }
}

#[test]
fn a_removal_is_asked_for_and_applied_as_it_was_asked() {
    let place = Place::synced();
    let agent = Agent::of(&place);
    let node = place.offered("some-node", "gamma\n");
    let _ = agent.run(&["add", &node, "--yes"]).expect(0, "done");
    let asked = agent
        .run(&["remove", "some-node"])
        .expect_error(2, "confirm");
    place.install_behind_its_back(&Wheel::new("mine", "1.0").build());
    let stale = agent.follow(&asked, true).expect_error(1, "plan-stale");
    let asked = agent.follow(&stale, true).expect_error(2, "confirm");
    let _ = agent.follow(&asked, true).expect(0, "done");
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, mine 1.0");
}

#[test]
fn what_to_run_next_works_where_the_command_did() {
    let place = Place::synced();
    let beside = place.dir().join("a b");
    std::fs::create_dir(&beside).unwrap();
    place.uninstall_behind_its_back("beta");
    let root = place.root().as_str();
    let words = ["--root", root, "status", "--exit-code", "--format=json"];
    let run = place.portenv_in(&beside, &words).expect_code(1);
    let document = run.document();
    let argv = strings_of(&document["next"][0]["argv"]);
    assert_eq!(
        argv,
        ["portenv", "rollback", "--root", root, "--format=json"]
    );
    let run = place.portenv_in(&beside, &argv[1..]).expect_code(2);
    let document = run.document();
    let argv = strings_of(&document["next"][0]["argv"]);
    let _ = place.portenv_in(&beside, &argv[1..]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
}

#[test]
fn several_installations_or_snapshots_that_fit_are_each_named_in_full() {
    let place = Place::synced();
    let agent = Agent::of(&place);
    let other = place.dir().join("other");
    std::fs::create_dir_all(other.join("comfy")).unwrap();
    for name in [
        "main.py",
        "comfy/__init__.py",
        "requirements.txt",
        "comfyui_version.py",
    ] {
        std::fs::write(other.join(name), place.read(name)).unwrap();
    }
    std::fs::create_dir_all(other.join("custom_nodes")).unwrap();
    let run = place.portenv_in(place.dir(), &["snapshot", "list", "--format", "json"]);
    let document = run.expect_code(2).document();
    assert_eq!(document["error"]["code"], "ambiguous-installation");
    let next = document["next"].as_array().unwrap();
    assert_eq!(next.len(), 2, "{document:#}");
    for next in next {
        let argv = strings_of(&next["argv"]);
        assert!(
            argv.starts_with(&["portenv", "snapshot", "list"]),
            "{argv:?}"
        );
        let _ = place.portenv_in(place.dir(), &argv[1..]).success();
    }
    let missing = agent
        .run(&["rollback", "no-such"])
        .expect_error(2, "not-found");
    let list = agent.follow(&missing, false);
    assert_eq!(list.document["schema"], "portenv.snapshot/1");
}

#[test]
fn progress_is_whole_events_however_quiet_it_is_to_be() {
    let place = Place::synced();
    let node = place.offered("some-node", "gamma\n");
    for quiet in [&["--quiet"][..], &[]] {
        let words = ["preview", &node, "--progress", "json", "--format", "json"];
        let run = place.portenv(&[&words, quiet].concat()).success();
        let events: Vec<Value> = run
            .stderr()
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|_| panic!("torn: {line}\n{run}"))
            })
            .collect();
        let mut open = None;
        for event in &events {
            assert_eq!(faults_of(event), None, "{event}");
            let what = event["what"].as_str().unwrap().to_owned();
            match event["event"].as_str().unwrap() {
                "begin" => open = Some(what),
                "at" => assert_eq!(open.as_ref(), Some(&what)),
                _ => assert_eq!(open.take(), Some(what)),
            }
        }
        assert_eq!(open, None);
        let counted = events.iter().find(|event| event["what"] == "resolving");
        assert_eq!(counted.unwrap()["unit"], "pages", "{run}");
    }
    let words = ["add", &node, "--yes", "--progress", "json"];
    let run = place.portenv(&words).success();
    let events = run
        .stderr()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let totals: Vec<Value> = events
        .filter(|event: &Value| event["unit"] == "packages")
        .map(|event| event["total"].clone())
        .collect();
    assert!(
        !totals.is_empty() && totals.iter().all(Value::is_u64),
        "{run}"
    );
    // An error stays a line of text among them.
    let run = place
        .portenv(&["preview", "none", "--progress", "json"])
        .expect_code(2);
    assert!(
        run.stderr().lines().any(|line| line.starts_with("error: ")),
        "{run}"
    );
}
