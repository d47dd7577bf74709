//! `why`.

use serde_json::{Value, json};

use super::place::{Place, assert_fields, assert_tree, strings, strings_of, tree};
use crate::support::{Hosted, Wheel};

/// The chains of a document, each as `who: requirement → who: requirement`.
fn chains(document: &Value) -> Vec<String> {
    let link = |link: &Value| {
        let who = if link["origin"].is_null() {
            format!(
                "{} {}",
                link["package"].as_str().unwrap(),
                link["version"].as_str().unwrap()
            )
        } else {
            let origin = &link["origin"];
            format!("{}:{}", origin["file"].as_str().unwrap(), origin["line"])
        };
        format!("{who}: {}", link["requirement"].as_str().unwrap())
    };
    let chains = document["chains"].as_array().unwrap().iter();
    chains
        .map(|chain| {
            let links: Vec<String> = chain.as_array().unwrap().iter().map(link).collect();
            links.join(" → ")
        })
        .collect()
}

/// What holds the package, as `file:line requirement excludes version`.
fn held_by(document: &Value) -> Vec<String> {
    let lines = document["held_by"].as_array().unwrap().iter();
    lines
        .map(|held| {
            let origin = &held["origin"];
            format!(
                "{}:{} {} excludes {}",
                origin["file"].as_str().unwrap_or("-"),
                origin["line"],
                held["requirement"].as_str().unwrap(),
                held["version"].as_str().unwrap_or("-")
            )
        })
        .collect()
}

/// What became of newer versions, as `newest-oldest verdict`.
fn tried(document: &Value) -> Vec<String> {
    let all = document["tried"].as_array().unwrap().iter();
    all.map(|one| {
        let text = |field: &str| one[field].as_str().unwrap();
        format!("{}-{} {}", text("newest"), text("oldest"), text("verdict"))
    })
    .collect()
}

/// Runs the first command that a document offers.
#[track_caller]
fn follow(place: &Place, document: &Value, more: &[&str]) {
    let argv = strings_of(&document["next"][0]["argv"]);
    let all: Vec<&str> = argv[1..].iter().chain(more).copied().collect();
    let _ = place.portenv(&all).success();
}

#[test]
fn every_line_that_leads_to_a_package_is_named_with_its_way() {
    let place = Place::new();
    place
        .server
        .add(Wheel::new("omega", "1.0").requires("gamma<3").build());
    place.node("far", "omega\n");
    place.node("mid", "\ngamma\n");
    place.node("near", "# a comment\ndelta>=1.5\n");
    let _ = place.portenv(&["lock"]).success();
    let before = tree(place.root());
    let document = place.json(0, &["why", "Delta"]);
    assert_eq!(document["schema"], "portenv.why/1");
    assert_fields(
        &document,
        "package version installed asked standing marker source target protected chains \
         chains_left_out held_by held tried untried policy conflicts near stale warnings next",
    );
    assert_eq!(
        (
            &document["package"],
            &document["version"],
            &document["installed"]
        ),
        (&"delta".into(), &"2.0".into(), &Value::Null)
    );
    assert_eq!(
        chains(&document),
        [
            "custom_nodes/near/requirements.txt:2: delta>=1.5",
            "custom_nodes/mid/requirements.txt:2: gamma → gamma 1.0: delta>=1",
            "custom_nodes/far/requirements.txt:1: omega → omega 1.0: gamma<3 → gamma 1.0: delta>=1",
        ]
    );
    assert_eq!(
        (tried(&document).len(), &document["held"]),
        (0, &"known".into())
    );
    let run = place.portenv(&["why", "delta"]).success();
    insta::assert_snapshot!(run.stdout(), @"
    delta 2.0 (locked, not installed)

    asked for by
      near  requirements.txt:2  delta>=1.5

    through other packages
      gamma 1.0 needs delta>=1
        mid  requirements.txt:2  gamma
      omega 1.0 needs gamma<3; gamma 1.0 needs delta>=1
        far  requirements.txt:1  omega

    nothing holds it: the index has nothing newer
    ");
    assert_tree(place.root(), &before);
}

#[test]
fn of_several_shortest_ways_a_few_are_told_and_the_others_counted() {
    let place = Place::new();
    let middle: Vec<String> = (0..6).map(|at| format!("middle-{at}")).collect();
    let mut top = Wheel::new("top", "1.0");
    for name in &middle {
        place
            .server
            .add(Wheel::new(name, "1.0").requires("delta").build());
        top = top.requires(name);
    }
    place.server.add(top.build());
    place.node("one", "top\n");
    let _ = place.portenv(&["lock"]).success();
    let document = place.json(0, &["why", "delta"]);
    assert_eq!(
        (chains(&document).len(), &document["chains_left_out"]),
        (4, &2.into())
    );
}

#[test]
fn the_lines_that_exclude_newer_versions_are_named_version_by_version() {
    let place = Place::new();
    for version in ["1.2", "1.5", "1.8", "2.1"] {
        place.server.add(Wheel::new("beta", version).build());
    }
    place.write("requirements.txt", "alpha\nbeta<2\n");
    place.node("capped", "\nbeta<1.2\n");
    place.node("also-capped", "beta <1.2\n");
    let _ = place.portenv(&["lock"]).success();
    let document = place.json(0, &["why", "beta"]);
    assert_eq!(document["version"], "1.0");
    assert_eq!(tried(&document), ["2.1-2.0 held", "1.8-1.2 held"]);
    assert_eq!(document["tried"][0]["count"], 2);
    assert_eq!(
        held_by(&document),
        [
            "requirements.txt:2 beta<2 excludes 2.1",
            "custom_nodes/also-capped/requirements.txt:1 beta <1.2 excludes 2.1",
            "custom_nodes/capped/requirements.txt:2 beta<1.2 excludes 2.1",
        ]
    );
    // Each of the two sets excludes 2.1 by itself: without either it is still out.
    assert_eq!(document["tried"][0]["held_by"].as_array().unwrap().len(), 2);
    assert_eq!(document["tried"][1]["held_by"].as_array().unwrap().len(), 1);
    let run = place.portenv(&["why", "beta"]).success();
    insta::assert_snapshot!(run.stdout(), @"
    beta 1.0 (locked, not installed)

    asked for by
      ComfyUI      requirements.txt:2  beta<2
      also-capped  requirements.txt:1  beta <1.2
      capped       requirements.txt:2  beta<1.2

    newer versions
      2.0 to 2.1 (2 versions): excluded by
        ComfyUI  requirements.txt:2  beta<2
        and 2.1 even without these by
        also-capped  requirements.txt:1  beta <1.2
        capped       requirements.txt:2  beta<1.2
      1.2 to 1.8 (3 versions): excluded by
        also-capped  requirements.txt:1  beta <1.2
        capped       requirements.txt:2  beta<1.2
    ");

    place.write("custom_nodes/capped/requirements.txt", "");
    place.write("custom_nodes/also-capped/requirements.txt", "");
    let document = place.json(0, &["why", "beta"]);
    assert_eq!(tried(&document), ["2.1-2.0 held", "1.8-1.8 fits"]);
    assert_eq!(
        held_by(&document),
        ["requirements.txt:2 beta<2 excludes 2.1"]
    );
}

#[test]
fn a_line_that_holds_it_through_another_package_is_named_with_the_way() {
    let place = Place::new();
    place
        .server
        .add(Wheel::new("shy", "1.0").requires("delta<2").build());
    place.node("one", "shy\n");
    place.node("two", "gamma\n");
    let _ = place.portenv(&["lock"]).success();
    let document = place.json(0, &["why", "delta"]);
    assert_eq!(
        held_by(&document),
        ["custom_nodes/one/requirements.txt:1 shy excludes 2.0"]
    );
    assert_eq!(
        document["held_by"][0]["via"],
        json!([{"package": "shy", "version": "==1.0", "requirement": "delta<2"}])
    );
}

#[test]
fn a_version_that_asks_for_what_others_exclude_says_so() {
    let place = Place::new();
    place
        .server
        .add(Wheel::new("gamma", "2.0").requires("delta>=2").build());
    place.node("one", "gamma\n");
    place.node("two", "delta<2\n");
    let _ = place.portenv(&["lock"]).success();
    let document = place.json(0, &["why", "gamma"]);
    assert_eq!(
        held_by(&document),
        ["custom_nodes/two/requirements.txt:1 delta<2 excludes 2.0"]
    );
    let guilt = &document["tried"][0]["held_by"][0];
    assert_eq!(guilt["packages"], json!(["delta"]));
    assert_eq!(strings(&guilt["asks"], "requirement"), ["delta>=2"]);
}

#[test]
fn what_only_the_lock_holds_is_moved_by_the_command_that_is_offered() {
    let place = Place::new();
    place
        .server
        .add(Wheel::new("pair", "1.0").requires("mate==1.0").build());
    place.server.add(Wheel::new("mate", "1.0").build());
    place.node("one", "pair\nmate\n");
    let _ = place.portenv(&["lock"]).success();
    place
        .server
        .add(Wheel::new("pair", "2.0").requires("mate==2.0").build());
    place.server.add(Wheel::new("mate", "2.0").build());
    let document = place.json(0, &["why", "pair", "--refresh"]);
    assert_eq!(tried(&document), ["2.0-2.0 fits"]);
    assert_eq!(
        document["tried"][0]["moves"],
        json!([{"name": "mate", "from": "1.0", "to": "2.0"}])
    );
    assert_eq!(held_by(&document), [""; 0]);
    follow(&place, &document, &[]);
    let document = place.json(0, &["why", "pair"]);
    assert_eq!(document["version"], "2.0");
    assert_eq!(tried(&document), [""; 0]);
}

#[test]
fn a_protected_package_names_its_protection_and_how_to_lift_it() {
    let place = Place::new();
    place.server.add(Wheel::new("torch", "2.9.0").build());
    place.server.add(Wheel::new("torch", "2.10.0").build());
    place.install_behind_its_back(&Wheel::new("torch", "2.9.0").build());
    place.write("requirements.txt", "torch\n");
    let _ = place.portenv(&["lock"]).success();
    let document = place.json(0, &["why", "torch"]);
    assert_eq!(
        (&document["version"], &document["protected"]),
        (&"2.9.0".into(), &true.into())
    );
    let held = &document["held_by"][0];
    assert_eq!(
        (&held["origin"]["kind"], &held["requirement"]),
        (&"installed".into(), &"torch==2.9.0 (protected)".into())
    );
    follow(&place, &document, &[]);
    assert_eq!(place.json(0, &["why", "torch"])["version"], "2.10.0");
}

#[test]
fn policy_and_useless_versions_are_told_apart() {
    let place = Place::new();
    let at = |version: &str, time: &str| {
        Hosted::from(Wheel::new("beta", version).build()).upload_time(time)
    };
    place.server.add(at("1.1", "2026-01-01T00:00:00Z"));
    place.server.add(at("1.9", "2026-09-01T00:00:00Z"));
    place
        .server
        .add(at("1.8", "2026-01-01T00:00:00Z").yanked("broken"));
    place.server.add(at("1.7rc1", "2026-01-01T00:00:00Z"));
    place.server.add(
        Hosted::from(Wheel::new("beta", "1.6").tag("cp27-cp27m-win32").build())
            .upload_time("2026-01-01T00:00:00Z"),
    );
    place.server.add(
        Hosted::from(Wheel::new("beta", "1.5").requires_python(">=3.99").build())
            .upload_time("2026-01-01T00:00:00Z"),
    );
    place.write("requirements.txt", "beta\n");
    place.settings("[resolve]\nexclude-newer = \"2026-06-01\"\n[constraints]\nbeta = \"<1.1\"\n");
    // The wheels of the place have no upload time of their own that counts.
    place.server.add(at("1.0.1", "2026-01-01T00:00:00Z"));
    let _ = place.portenv(&["lock"]).success();
    let document = place.json(0, &["why", "beta"]);
    assert_eq!(document["version"], "1.0.1");
    let reasons: Vec<String> = document["tried"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            format!(
                "{} {}",
                one["newest"].as_str().unwrap(),
                one["reason"].as_str().unwrap_or("held")
            )
        })
        .collect();
    let has = |start: &str| reasons.iter().any(|reason| reason.starts_with(start));
    assert!(has("2.0 held"), "{reasons:?}");
    assert!(has("1.9 was uploaded after the cut-off"), "{reasons:?}");
    assert!(has("1.8 was withdrawn"), "{reasons:?}");
    assert!(has("1.7rc1 is a pre-release"), "{reasons:?}");
    assert!(has("1.6 has no wheel for Python"), "{reasons:?}");
    assert!(has("1.5 does not support Python"), "{reasons:?}");
    assert_eq!(
        strings(&document["held_by"], "requirement"),
        ["beta<1.1 (constraint)"]
    );
    assert_eq!(
        strings(&document["policy"], "requirement"),
        ["beta<1.1 (constraint)"]
    );
    assert_eq!(document["held_by"][0]["origin"]["file"], "portenv.toml");
}

#[test]
fn a_particular_version_is_judged_newer_or_older() {
    let place = Place::new();
    place.write("requirements.txt", "beta<2\n");
    place.node("one", "beta>=1\n");
    let _ = place.portenv(&["lock"]).success();
    place.server.add(Wheel::new("beta", "0.9").build());
    for word in ["beta@0.9", "beta==0.9"] {
        let document = place.json(0, &["why", word, "--refresh"]);
        assert_eq!(document["asked"], "0.9");
        assert_eq!(
            held_by(&document),
            ["custom_nodes/one/requirements.txt:1 beta>=1 excludes 0.9"]
        );
    }
    let document = place.json(0, &["why", "beta@2.0"]);
    assert_eq!(
        held_by(&document),
        ["requirements.txt:1 beta<2 excludes 2.0"]
    );
    assert_eq!(tried(&place.json(0, &["why", "beta@1"])), ["1.0-1.0 fits"]);
    let run = place.portenv(&["why", "beta@7"]).success();
    assert!(run.stdout().contains("the index has no beta 7"), "{run}");
}

#[test]
fn an_unknown_package_is_1_and_a_word_that_is_none_2() {
    let place = Place::synced();
    let run = place.portenv(&["why", "alpa"]).expect_code(1);
    assert_eq!(run.stdout(), "");
    assert!(run.stderr().contains("did you mean `alpha`?"), "{run}");
    let document = place.json(1, &["why", "alpa"]);
    assert_eq!(
        (
            &document["standing"],
            &document["near"],
            &document["version"]
        ),
        (&"unknown".into(), &json!(["alpha"]), &Value::Null)
    );
    assert_eq!(
        strings_of(&document["next"][0]["argv"]),
        ["portenv", "tree", "--format", "json"]
    );
    for word in ["", "two words", "alpha@x", "=="] {
        let document = place.json(2, &["why", word]);
        assert_eq!(document["error"]["code"], "usage", "{word}");
    }
}

#[test]
fn what_nobody_asks_for_is_told_and_the_command_offered_removes_it() {
    let place = Place::synced();
    place.install_behind_its_back(&Wheel::new("lonely", "1.0").build());
    let run = place.portenv(&["why", "lonely"]).success();
    assert!(run.stdout().contains("nobody asks for it"), "{run}");
    assert!(run.stderr().contains("portenv sync --prune"), "{run}");
    let document = place.json(0, &["why", "lonely"]);
    assert_eq!(
        (
            &document["standing"],
            &document["installed"],
            &document["version"]
        ),
        (&"extra".into(), &"1.0".into(), &Value::Null)
    );
    follow(&place, &document, &["--yes"]);
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
}

#[test]
fn without_a_lock_it_goes_by_what_is_installed() {
    let place = Place::new();
    place.node("one", "gamma\n");
    for wheel in [
        Wheel::new("gamma", "1.0").requires("delta>=1"),
        Wheel::new("delta", "1.0"),
    ] {
        place.install_behind_its_back(&wheel.build());
    }
    let document = place.json(0, &["why", "delta"]);
    assert_eq!(
        (&document["source"], &document["version"]),
        (&"environment".into(), &"1.0".into())
    );
    assert_eq!(strings(&document["warnings"], "code"), ["no-lock"]);
    assert_eq!(
        chains(&document),
        ["custom_nodes/one/requirements.txt:1: gamma → gamma 1.0: delta>=1"]
    );
    assert_eq!(tried(&document), ["2.0-2.0 fits"]);
}

#[test]
fn off_line_the_ways_are_told_and_what_is_not_known_is_said() {
    let place = Place::new();
    place.node("one", "gamma\n");
    let _ = place.portenv(&["lock"]).success();
    place.server.clear_requests();
    let warm = place.json(0, &["why", "beta", "--offline"]);
    assert_eq!(held_by(&warm), ["requirements.txt:2 beta<2 excludes 2.0"]);
    assert!(place.server.requests().is_empty());
    let nowhere = place.dir().join("nowhere").into_string();
    let cold = place.json(0, &["why", "delta", "--offline", "--cache-dir", &nowhere]);
    assert_eq!((&cold["held"], chains(&cold).len()), (&"unknown".into(), 1));
    assert_eq!(strings(&cold["warnings"], "code"), ["unknown-holds"]);
    // A network that is not there is another matter: it was to be asked.
    place.write(
        "portenv.toml",
        "[[index]]\nname = \"gone\"\nurl = \"http://127.0.0.1:9/simple\"\ndefault = true\n",
    );
    let dead = place.json(3, &["why", "delta", "--no-cache"]);
    assert_eq!((&dead["held"], chains(&dead).len()), (&"unknown".into(), 1));
    assert!(strings_of(&dead["next"][0]["argv"]).contains(&"--offline"));
}

#[test]
fn a_package_with_an_address_has_no_other_version() {
    let place = Place::new();
    let wheel = place.save(&Wheel::new("beta", "1.0").build());
    let line = format!("beta @ file://{wheel}\n");
    place.write("requirements.txt", &line);
    let _ = place.portenv(&["lock"]).success();
    let document = place.json(0, &["why", "beta"]);
    assert_eq!(tried(&document), [""; 0]);
    assert_eq!(held_by(&document).len(), 1, "{document}");
    let run = place.portenv(&["why", "beta"]).success();
    assert!(run.stdout().contains("its address decides"), "{run}");
}

#[test]
fn a_conflict_elsewhere_does_not_hide_what_holds_a_package() {
    let place = Place::new();
    let _ = place.portenv(&["lock"]).success();
    place.node("old", "delta<2\n");
    place.node("new", "delta>=2\n");
    let document = place.json(0, &["why", "beta"]);
    assert_eq!(
        held_by(&document),
        ["requirements.txt:2 beta<2 excludes 2.0"]
    );
    assert_eq!(document["conflicts"].as_array().unwrap().len(), 1);
    assert_eq!(document["conflicts"][0]["packages"], json!(["delta"]));
}

#[test]
fn another_target_that_cannot_follow_is_named() {
    let place = Place::new();
    let here = place.json(1, &["lock", "--check"]);
    let here = here["targets"][0]["platform"].as_str().unwrap().to_owned();
    let (there, tag) = if cfg!(windows) {
        ("x86_64-unknown-linux-gnu", "py3-none-win_amd64")
    } else {
        ("x86_64-pc-windows-msvc", "py3-none-any")
    };
    place.server.add(Wheel::new("native", "1.0").build());
    let system = if cfg!(windows) { "linux" } else { "win32" };
    let newer =
        Wheel::new("native", "2.0").requires(&format!("absent; sys_platform == '{system}'"));
    place.server.add(newer.tag(tag).build());
    place.write("requirements.txt", "native\n");
    place.settings(&format!("[resolve]\ntargets = [\"{here}\", \"{there}\"]\n"));
    let _ = place.portenv(&["lock"]).success();
    // The answer is one for both where it can be.
    let document = place.json(0, &["why", "native"]);
    assert_eq!(document["version"], "1.0");
    assert_eq!(tried(&document), ["2.0-2.0 unusable"]);
    let first = &document["tried"][0];
    let target = first["target"].as_str().unwrap();
    assert!(target.starts_with(there), "{document}");
    assert_eq!(first["reason"], "native needs absent, which cannot be had");
    let document = place.json(0, &["why", "native", "--target", there]);
    assert_eq!(document["target"]["platform"], there);
    assert_eq!(document["tried"][0]["target"], Value::Null);
}
