//! `explain` without a code: the last conflict, and a way out of it written to `portenv.toml`.

use camino::Utf8Path;
use serde_json::Value;

use super::place::{Place, assert_error, assert_fields, strings, strings_of, tree};
use crate::support::{IndexServer, Wheel};

/// Makes an installation with two nodes that contradict each other about `delta`.
fn two_nodes() -> Place {
    let place = Place::new();
    place.node("one", "gamma\ndelta>=1,<2\n");
    place.node("two", "delta>=2\n");
    place
}

/// Returns the ways out of all conflicts of a document.
fn ways(document: &Value) -> Vec<Value> {
    let conflicts = document["conflicts"].as_array().unwrap();
    let ways = conflicts.iter().map(|one| one["suggestions"].as_array());
    ways.flat_map(|ways| ways.unwrap().clone()).collect()
}

/// Takes every way out of the conflict that `lock` ends with, each from the same start, and
/// demands that `lock` then succeeds. Returns the kinds of those that were settings.
#[track_caller]
fn assert_each_leads_out(place: &Place, settings: &str) -> Vec<String> {
    place.settings(settings);
    let met = place.json(1, &["lock"]);
    let told = place.json(0, &["explain"]);
    assert_eq!(told["conflicts"], met["conflicts"]);
    let mut kinds = Vec::new();
    for way in ways(&told) {
        place.settings(settings);
        let before = place.read("portenv.toml");
        let number = way["number"].to_string();
        let document = place.json(0, &["explain", "--apply", &number]);
        let next = strings_of(&document["next"][0]["argv"]);
        if document["status"] == "command" {
            assert_eq!(place.read("portenv.toml"), before);
        } else {
            kinds.push(way["kind"].as_str().unwrap().to_owned());
            assert_eq!(document["status"], "applied");
            assert_eq!(document["applied"]["written"], true);
            let again = place.json(0, &["explain", "--apply", &number]);
            assert_eq!(again["status"], "nothing");
        }
        assert_eq!(&next[..2], ["portenv", "lock"]);
        let _ = place.portenv(&next[1..]).success();
        std::fs::remove_file(place.root().join("pylock.toml")).unwrap();
    }
    kinds
}

#[test]
fn a_line_is_relaxed_or_a_node_left_out_by_number() {
    let kinds = assert_each_leads_out(&two_nodes(), "");
    assert_eq!(kinds, ["relax", "relax", "leave-out", "leave-out"]);
}

#[test]
fn one_of_two_files_of_a_node_is_chosen_by_number() {
    let place = Place::new();
    place.node("one", "delta>=2\n");
    let project = "[project]\nname = \"two\"\nversion = \"1\"\ndependencies = [\"delta<2\"]\n";
    place.write("custom_nodes/two/pyproject.toml", project);
    place.node("two", "gamma\n");
    let kinds = assert_each_leads_out(&place, "");
    assert!(kinds.contains(&"sources".to_owned()), "{kinds:?}");
}

#[test]
fn what_nobody_has_is_excluded_by_number() {
    let place = Place::new();
    place.node("one", "there-is-no-such-package\n");
    let kinds = assert_each_leads_out(&place, "[resolve]\nunsupplied = \"error\"\n");
    assert_eq!(kinds.first().map(String::as_str), Some("exclude"));
}

#[test]
fn an_index_that_a_node_names_is_added_by_number() {
    let place = Place::new();
    let other = IndexServer::start([Wheel::new("theta", "1.0").build()]);
    let lines = format!("--extra-index-url {}\ntheta\n", other.url());
    place.node("one", &lines);
    let kinds = assert_each_leads_out(&place, "[resolve]\nunsupplied = \"error\"\n");
    assert!(kinds.contains(&"index".to_owned()), "{kinds:?}");
}

#[test]
fn another_version_of_a_node_is_told_with_its_command() {
    let place = Place::new();
    place.node("one", "delta<2\n");
    let dir = place.git_node("two", "delta<2\n");
    place.write("custom_nodes/two/requirements.txt", "delta>=2\n");
    place.commit_all(&dir, "Ask for more");
    let met = ways(&place.json(1, &["lock"]));
    let way = met
        .iter()
        .find(|way| way["kind"] == "node-version")
        .unwrap();
    let document = place.json(0, &["explain", "--apply", &way["number"].to_string()]);
    assert_eq!(document["status"], "command");
    let next = &document["next"][0];
    assert_eq!(next["changes"], true);
    let words = strings_of(&next["argv"]);
    assert_eq!(words[..3], strings_of(&way["argv"])[..]);
    let _ = place.portenv(&[&words[1..], &["--yes"]].concat()).success();
    assert_eq!(place.installed()["delta"], "1.0");
}

#[test]
fn a_constraint_is_taken_out_by_number_and_stays_as_a_comment() {
    let place = Place::new();
    place.node("one", "delta>=2\n");
    let settings = "[constraints]\n# seen to break\ndelta = \"<2\"\n";
    let kinds = assert_each_leads_out(&place, settings);
    let number = kinds.iter().position(|kind| kind == "constraint").unwrap() + 1;
    place.settings(settings);
    let run = place.portenv(&["explain", "--apply", &number.to_string()]);
    let text = place.read("portenv.toml");
    assert!(text.contains("# seen to break\n# a way out of "), "{text}");
    assert!(text.contains("\n# delta = \"<2\"\n"), "{text}");
    let diff = run.success().stdout().to_owned();
    assert!(diff.contains("\n-delta = \"<2\"\n"), "{diff}");
}

#[test]
fn pre_releases_are_allowed_by_number_and_a_setting_against_them_is_not_overruled() {
    let place = Place::new();
    place.server.add(Wheel::new("eta", "1.0").build());
    place.server.add(Wheel::new("eta", "2.0rc1").build());
    place.node("one", "eta>1\n");
    let wanted = "[resolve]\nprerelease = \"disallow\"\n";
    place.settings(wanted);
    let met = ways(&place.json(1, &["lock"]));
    let way = met.iter().find(|way| way["kind"] == "prerelease").unwrap();
    let number = way["number"].to_string();
    let before = place.read("portenv.toml");
    let run = place.portenv(&["explain", "--apply", &number, "--format", "json"]);
    let run = run.expect_code(1);
    assert_error(&run, "refused");
    let origin = &run.json()["error"]["origin"];
    assert_eq!(
        (&origin["file"], &origin["line"]),
        (&"portenv.toml".into(), &6.into())
    );
    assert!(
        run.stderr()
            .contains("portenv.toml:6:1: `resolve.prerelease` is `\"disallow\"`"),
        "{run}"
    );
    assert!(run.stderr().contains("--prerelease allow"), "{run}");
    assert_eq!(place.read("portenv.toml"), before);

    place.settings("");
    let _ = place.portenv(&["explain", "--apply", &number]).success();
    assert!(
        place
            .read("portenv.toml")
            .contains("prerelease = \"allow\"")
    );
    let _ = place.portenv(&["lock"]).success();
}

#[test]
fn a_flag_is_told_with_the_command_that_takes_it() {
    let place = Place::synced();
    let settings = "[policy]\nprotect = [\"alpha\"]\n";
    place.settings(settings);
    let _ = place.offered("some-node", "alpha<1.1\n");
    let node = "../offered/some-node";
    for arguments in [&["preview", node][..], &["check", node]] {
        let met = ways(&place.json(1, arguments));
        let way = met
            .iter()
            .find(|way| way["kind"] == "allow-change")
            .unwrap();
        let number = way["number"].to_string();
        let state = place.state();
        let document = place.json(0, &["explain", "--apply", &number]);
        assert_eq!(document["status"], "command");
        assert!(document["applied"]["file"].is_null(), "{document}");
        let next = strings_of(&document["next"][0]["argv"]);
        assert_eq!(next[1], "preview");
        assert_eq!(place.json(0, &next[1..])["status"], "ok");
        assert!(state == place.state(), "something was changed");
        let run = place.portenv(&["explain", "--apply", &number]).success();
        assert!(
            run.stderr().contains("hint: this does it: portenv preview")
                && run.stderr().contains("--allow-change alpha\n"),
            "{run}"
        );
    }
}

#[test]
fn what_is_written_says_why_and_keeps_comments_and_order() {
    let place = two_nodes();
    place.settings("# mine\n[nodes.two]\n# dear\nweight = 3\n\n# last\n");
    let before = place.read("portenv.toml");
    let _ = place.portenv(&["lock"]).expect_code(1);
    let run = place.portenv(&["explain", "--apply", "4"]).success();
    let wanted = "# mine\n[nodes.two]\n# dear\nweight = 3\n\
        # a way out of a conflict over delta on 2026-06-01\n\
        #   custom_nodes/one/requirements.txt:2: delta>=1,<2\n\
        #   custom_nodes/two/requirements.txt:1: delta>=2\n\
        ignore = true\n\n# last\n";
    let after = place.read("portenv.toml");
    assert!(after.ends_with(wanted), "{after}");
    let diff = run.stdout();
    assert!(
        diff.starts_with("--- portenv.toml\n+++ portenv.toml\n@@"),
        "{run}"
    );
    let changed = diff
        .lines()
        .skip(2)
        .filter(|line| line.starts_with(['+', '-']));
    let added = after.lines().count() - before.lines().count();
    assert!(changed.clone().all(|line| line.starts_with('+')), "{run}");
    assert_eq!(changed.count(), added);
    assert!(
        run.stderr()
            .contains("hint: nothing is installed yet; now run portenv lock"),
        "{run}"
    );

    let _ = place.portenv(&["explain", "--apply", "1"]).success();
    let reason = "reason = \"a way out of a conflict over delta on 2026-06-01: \
        custom_nodes/one/requirements.txt:2: delta>=1,<2; custom_nodes/two/";
    assert!(place.read("portenv.toml").contains(reason));
}

#[test]
fn all_ways_out_are_shown_numbered_through_in_eighty_columns() {
    let place = Place::new();
    place.server.add(Wheel::new("eta", "1.0").build());
    place.server.add(Wheel::new("eta", "2.0").build());
    place.node("a-node-with-quite-a-long-name-for-once", "delta<2\neta<2\n");
    place.node("two", "delta>=2\neta>=2\n");
    let run = place.portenv(&["lock"]).expect_code(1);
    assert!(
        run.stderr().contains("    3. ") && !run.stderr().contains("    4. "),
        "{run}"
    );
    assert!(
        run.stderr().contains("    5. ") && !run.stderr().contains("    8. "),
        "{run}"
    );
    let last = run.stderr().lines().last().unwrap();
    assert!(
        last.starts_with("hint: portenv explain shows all 8 ways out"),
        "{run}"
    );

    let run = place.portenv(&["explain"]).success();
    let text = run.stdout();
    assert!(
        text.starts_with("met by `portenv lock` on 2026-06-01 00:0"),
        "{run}"
    );
    for number in 1..=8 {
        assert!(text.contains(&format!("\n    {number}. ")), "{run}");
    }
    let long = |line: &&str| {
        let words = line.split_whitespace().map(str::len).max().unwrap_or(0);
        line.chars().count() > 80 && words < 66
    };
    assert_eq!(text.lines().find(long), None, "{run}");
    let document = place.json(0, &["explain"]);
    let fields =
        "schema status command dir root time version stale taken open conflicts applied next";
    assert_fields(&document, fields);
    let numbers = ways(&document).into_iter().map(|way| way["number"].clone());
    assert!(numbers.eq((1..=8).map(Value::from)), "{document}");
    assert_eq!(strings_of(&document["command"]), ["portenv", "lock"]);
}

#[test]
fn of_several_conflicts_it_says_how_many_are_open() {
    let place = Place::new();
    place.server.add(Wheel::new("eta", "1.0").build());
    place.server.add(Wheel::new("eta", "2.0").build());
    place.node("one", "delta<2\neta<2\n");
    place.node("two", "delta>=2\neta>=2\n");
    let _ = place.portenv(&["lock"]).expect_code(1);
    assert_eq!(place.json(0, &["explain"])["open"], 2);
    let run = place.portenv(&["explain", "--apply", "1"]).success();
    assert!(run.stderr().contains("another conflict is open"), "{run}");
    assert_eq!(place.json(0, &["explain"])["open"], 1);
    let _ = place.portenv(&["lock"]).expect_code(1);
    assert_eq!(place.json(0, &["explain"])["open"], 1);

    // Both conflicts go with one node, whatever number names it.
    place.settings("");
    let _ = place.portenv(&["lock"]).expect_code(1);
    let run = place.portenv(&["explain", "--apply", "8"]).success();
    assert!(!run.stderr().contains("open"), "{run}");
    assert_eq!(place.json(0, &["explain"])["open"], 0);
    let _ = place.portenv(&["lock"]).success();
}

#[test]
fn a_way_out_for_a_node_that_is_not_here_yet_lets_it_in() {
    let place = Place::synced();
    let _ = place.offered("new-beta", "beta>=2\n");
    let node = "../offered/new-beta";
    let met = place.json(1, &["add", node, "--yes"]);
    let ways = ways(&met);
    let way = ways.iter().find(|way| way["kind"] == "relax").unwrap();
    let document = place.json(0, &["explain", "--apply", &way["number"].to_string()]);
    let next = strings_of(&document["next"][0]["argv"]);
    assert_eq!(&next[..3], ["portenv", "add", node]);
    assert!(!next.contains(&"--yes"), "{document}");
    let _ = place.portenv(&["add", node, "--yes"]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
}

#[test]
fn a_conflict_that_something_changed_since_is_shown_as_such() {
    let place = two_nodes();
    let _ = place.portenv(&["lock"]).expect_code(1);
    assert_eq!(place.json(0, &["explain"])["stale"], false);
    place.node("two", "# a comment\ndelta>=2\n");
    assert_eq!(place.json(0, &["explain"])["stale"], false);
    let _ = place.portenv(&["explain", "--apply", "4"]).success();
    let document = place.json(0, &["explain"]);
    assert_eq!(
        (&document["stale"], &document["taken"]),
        (&false.into(), &serde_json::json!([4]))
    );
    let run = place.portenv(&["explain"]).success();
    assert!(
        run.stdout()
            .contains("way out 4 was written to portenv.toml"),
        "{run}"
    );

    place.node("three", "alpha\n");
    assert_eq!(place.json(0, &["explain"])["stale"], true);
    let run = place.portenv(&["explain"]).success();
    assert!(run.stdout().contains("has changed since"), "{run}");
    let run = place.portenv(&["explain", "--apply", "3"]).success();
    assert!(
        run.stderr()
            .contains("warning: what is asked for has changed"),
        "{run}"
    );
}

#[test]
fn every_command_that_ends_with_a_conflict_keeps_it() {
    let place = Place::synced();
    let _ = place.offered("old-beta", "beta<1.5\n");
    let _ = place.offered("new-beta", "beta>=2\n");
    let (old, node) = ("../offered/old-beta", "../offered/new-beta");
    let kept = |arguments: &[&str]| {
        let _ = place.portenv(arguments).expect_code(1);
        let document = place.json(0, &["explain"]);
        assert_eq!(&strings_of(&document["command"])[1..], arguments);
        let lines = strings(&document["conflicts"][0]["requirements"], "requirement");
        assert!(lines.contains(&"beta>=2".to_owned()), "{document}");
    };
    kept(&["preview", node]);
    kept(&["check", node]);
    kept(&["add", node, old, "--yes"]);
    place.node(".disabled/new-beta", "beta>=2\n");
    kept(&["enable", "new-beta", "--yes"]);
    place.node("new-beta", "beta>=2\n");
    kept(&["lock"]);
    kept(&["check"]);
}

#[test]
fn two_installations_and_a_directory_without_one_do_not_mix() {
    let place = two_nodes();
    let other = place.dir().join("other/ComfyUI");
    copy(place.root(), &other);
    std::fs::write(other.join("custom_nodes/two/requirements.txt"), "beta>=2\n").unwrap();
    let apart = place.dir().join("apart");
    std::fs::create_dir(&apart).unwrap();
    std::fs::write(apart.join("wanted.in"), "alpha<1.1\nalpha>=1.1\n").unwrap();
    let url = place.server.url();
    let resolve = ["resolve", "wanted.in", "--index-url", &url];
    let _ = place.portenv(&["lock"]).expect_code(1);
    let _ = place.portenv_in(&other, &["lock"]).expect_code(1);
    let _ = place.portenv_in(&apart, &resolve).expect_code(1);
    for (dir, package) in [(place.root(), "delta"), (&other, "beta"), (&apart, "alpha")] {
        let run = place
            .portenv_in(dir, &["explain", "--format", "json"])
            .success();
        let packages = &run.json()["conflicts"][0]["packages"];
        assert_eq!(strings_of(packages), [package]);
    }
    let below = place.root().join("custom_nodes/one");
    let run = place.portenv_in(&below, &["explain"]).success();
    let words: Vec<&str> = run.stdout().split_whitespace().collect();
    assert!(
        words.join(" ").contains("`portenv lock` in `[ROOT]` on"),
        "{run}"
    );

    let run = place
        .portenv_in(&apart, &["explain", "--apply", "1"])
        .expect_code(1);
    assert!(run.stderr().contains("change wanted.in:"), "{run}");
    assert!(!apart.join("portenv.toml").exists());
    std::fs::write(apart.join("wanted.in"), "alpha<1.1\n").unwrap();
    let run = place
        .portenv_in(&apart, &["explain", "--format", "json"])
        .success();
    assert_eq!(run.json()["stale"], true);
}

#[track_caller]
fn copy(from: &Utf8Path, to: &Utf8Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    let status = std::process::Command::new("cp")
        .arg("-a")
        .args([from, to])
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn without_a_kept_conflict_it_says_so() {
    let place = two_nodes();
    for arguments in [&["explain"][..], &["explain", "--apply", "1"]] {
        let run = place
            .portenv(&[arguments, &["--format", "json"]].concat())
            .expect_code(2);
        assert_error(&run, "not-found");
        assert!(
            run.stderr().contains("no conflict is kept of `[ROOT]`"),
            "{run}"
        );
        assert!(run.stderr().contains("PE001 to PE0"), "{run}");
    }
    let run = place.portenv(&["lock", "--no-cache"]).expect_code(1);
    assert!(!run.stderr().contains("portenv explain"), "{run}");
    let _ = place.portenv(&["explain"]).expect_code(2);
    let run = place.portenv(&["explain", "--no-cache"]).expect_code(2);
    assert!(run.stderr().contains("there is no cache"), "{run}");

    let _ = place.portenv(&["lock"]).expect_code(1);
    let run = place.portenv(&["explain", "--apply", "9"]).expect_code(2);
    assert!(run.stderr().contains("there are 1 to 4"), "{run}");
    let _ = place.portenv(&["explain", "--apply", "0"]).expect_code(2);
    let _ = place
        .portenv(&["explain", "PE001", "--apply", "1"])
        .expect_code(2);
    let kept = place.cache().join("conflicts");
    let kept = kept.read_dir_utf8().unwrap().next().unwrap().unwrap();
    std::fs::write(kept.path(), "{\"format\": 1, \"conf").unwrap();
    let _ = place.portenv(&["explain"]).expect_code(2);
}

#[test]
fn a_conflict_changes_nothing_but_the_cache_and_needs_none() {
    let place = two_nodes();
    let _ = place.portenv(&["init"]).success();
    let before = tree(place.root());
    let _ = place
        .portenv(&["preview", "custom_nodes/one"])
        .expect_code(1);
    let _ = place.portenv(&["explain"]).success();
    let changed = |path: &&String| !path.contains("__pycache__");
    let now = tree(place.root());
    assert!(before.keys().filter(changed).eq(now.keys().filter(changed)));

    // A file where the directory would be: nothing can be kept, and nothing fails for it.
    let conflicts = place.cache().join("conflicts");
    std::fs::remove_dir_all(&conflicts).unwrap();
    std::fs::write(&conflicts, "").unwrap();
    let run = place.portenv(&["lock"]).expect_code(1);
    assert!(
        run.stderr()
            .contains("these requirements cannot hold together"),
        "{run}"
    );
    assert!(!run.stderr().contains("portenv explain"), "{run}");
}

#[test]
fn what_is_kept_holds_no_credentials() {
    let place = Place::new();
    let url = place.server.url().replace("http://", "http://me:s3cret@");
    place.write(
        "wanted.in",
        format!("delta<2\ndelta>=2\n--extra-index-url {url}\n"),
    );
    let arguments = ["resolve", "wanted.in", "--index-url", &url];
    let _ = place.portenv(&arguments).expect_code(1);
    for text in tree_texts(&place.cache().join("conflicts")) {
        assert!(
            text.contains("delta>=2") && !text.contains("s3cret"),
            "{text}"
        );
    }
    let run = place.portenv(&["explain"]).success();
    assert!(!run.stdout().contains("s3cret"), "{run}");
}

fn tree_texts(dir: &Utf8Path) -> Vec<String> {
    let entries = dir.read_dir_utf8().unwrap();
    let paths = entries.map(|entry| entry.unwrap().into_path());
    let texts: Vec<String> = paths
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    assert_eq!(texts.len(), 1);
    texts
}

#[test]
fn a_settings_file_that_cannot_be_read_is_not_touched() {
    let place = two_nodes();
    let _ = place.portenv(&["lock"]).expect_code(1);
    place.write("portenv.toml", "[resolve]\nprerelase = 1\n");
    let run = place
        .portenv(&["explain", "--apply", "1", "--format", "json"])
        .expect_code(2);
    assert_error(&run, "invalid-policy");
    assert_eq!(run.json()["error"]["origin"]["line"], 2);
    assert_eq!(place.read("portenv.toml"), "[resolve]\nprerelase = 1\n");
    std::fs::remove_file(place.root().join("portenv.toml")).unwrap();
    let _ = place.portenv(&["explain", "--apply", "3"]).success();
    assert!(place.read("portenv.toml").starts_with("[nodes.one]\n#"));
}

#[test]
fn a_conflicting_lock_names_the_command_that_leaves_out_least() {
    let place = two_nodes();
    let document = place.json(1, &["lock"]);
    let commands = document["next"].as_array().unwrap().iter();
    let mut commands = commands.map(|next| strings_of(&next["argv"]));
    let best = commands
        .find(|words| words.contains(&"--best-effort"))
        .unwrap();
    let document = place.json(0, &best[1..]);
    assert_eq!(document["left_out"].as_array().unwrap().len(), 1);
}
