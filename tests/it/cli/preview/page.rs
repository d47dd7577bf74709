//! The page: verdict, what deserves a look, changes with their causes, costs.

use crate::cli::place::{Place, strings};
use crate::support::{Hosted, Wheel};

/// The page without the plan, which depends on the place.
#[track_caller]
fn page(place: &Place, code: i32, arguments: &[&str]) -> String {
    let run = place.portenv(arguments).expect_code(code);
    let lines = run
        .stdout()
        .lines()
        .filter(|line| !line.starts_with("plan "));
    lines.collect::<Vec<_>>().join("\n")
}

/// The lines that deserve a look, each in one piece.
fn points(page: &str) -> Vec<String> {
    let mut points: Vec<String> = Vec::new();
    for line in page.lines() {
        if let Some(point) = line.strip_prefix("  !") {
            points.push(point.trim_start_matches(['!', ' ']).to_owned());
        } else if let Some(more) = line.strip_prefix("     ")
            && page.find(line) < page.find("\nchanges of")
            && let Some(point) = points.last_mut()
        {
            point.push(' ');
            point.push_str(more.trim());
        }
    }
    points
}

#[test]
fn a_preview_that_changes_nothing_is_two_lines() {
    let place = Place::synced();
    let node = place.offered("content", "alpha\n");
    let run = place.portenv(&["preview", &node]).success();
    let lines: Vec<&str> = run.stdout().lines().collect();
    assert!(
        matches!(lines[..], ["ok: no package changes for `content`", plan] if plan.starts_with("plan ")),
        "{run}"
    );
}

#[test]
fn the_line_that_rules_out_what_is_installed_is_the_cause() {
    let place = Place::synced();
    place
        .server
        .add(Wheel::new("pinned", "1.0").requires("alpha<1.1").build());
    // The first line is content with any version, and nearer.
    let node = place.offered("some-node", "alpha>=1\npinned\n");
    let document = place.json(0, &["preview", &node]);
    let alpha = &document["changes"][0];
    assert_eq!(
        (&alpha["name"], &alpha["kind"]),
        (&"alpha".into(), &"downgrade".into())
    );
    assert_eq!(strings(&alpha["because"], "requirement"), ["alpha<1.1"]);
    assert_eq!(alpha["line"]["requirement"], "pinned");
    assert_eq!(
        (
            &alpha["line"]["origin"]["line"],
            &alpha["line"]["origin"]["name"]
        ),
        (&2.into(), &"some-node".into())
    );
    let page = page(&place, 0, &["preview", &node]);
    assert!(
        page.contains("      requirements.txt:2 pinned → alpha<1.1\n"),
        "{page}"
    );
}

#[test]
fn a_long_chain_loses_its_middle_within_80_columns_and_not_with_v() {
    let place = Place::synced();
    let names: Vec<String> = (0..6)
        .map(|at| format!("a-rather-long-name-{at}"))
        .collect();
    for pair in names.windows(2) {
        let wheel = Wheel::new(&pair[0], "1.0").requires(&format!("{}>=1", pair[1]));
        place.server.add(wheel.build());
    }
    let last = Wheel::new(&names[5], "1.0").requires("alpha<1.1");
    place.server.add(last.build());
    let node = place.offered("some-node", &format!("{}\n", names[0]));
    let short = page(&place, 0, &["preview", &node]);
    for line in short.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let cause = "requirements.txt:1 a-rather-long-name-0 → … → a-rather-long-name-5>=1 → alpha<1.1";
    let narrow = "requirements.txt:1 a-rather-long-name-0 → … → alpha<1.1";
    assert!(short.contains(cause) || short.contains(narrow), "{short}");
    assert!(!short.contains('\u{1b}'), "{short}");
    let long = page(&place, 0, &["preview", &node, "-v"]);
    for at in 1..6 {
        let step = format!("→ {} 1.0 needs {}>=1", names[at - 1], names[at]);
        assert!(long.contains(&step), "{long}");
    }
}

#[test]
fn what_goes_or_moves_stands_before_what_comes_and_what_is_due_anyway() {
    let place = Place::synced();
    place.node("there-already", "gamma\n");
    place.server.add(Wheel::new("epsilon", "1.0").build());
    let node = place.offered("some-node", "epsilon\nalpha<1.1\n");
    let page = page(&place, 0, &["preview", &node]);
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}: {page}"));
    assert!(at("changes of what is installed") < at("↓ alpha"));
    assert!(at("↓ alpha") < at("new packages"));
    assert!(at("+ epsilon") < at("due anyway, without the nodes"));
    assert!(at("due anyway, without the nodes") < at("+ delta"));
    // The line of what is due stands in a node that is not at hand, so it is named.
    assert!(
        page.contains("there-already requirements.txt:1 gamma"),
        "{page}"
    );
}

#[test]
fn another_build_of_torch_is_told_first_and_blocks() {
    let place = super::with_torch();
    place
        .server
        .add_to("cu128", Wheel::new("torch", "2.11.0+cu129").build());
    let node = place.offered("greedy", "torch>=2.11\ngamma\n");
    let page = page(&place, 1, &["preview", &node, "--no-cache"]);
    assert!(page.starts_with("blocked: "), "{page}");
    let sign = page.lines().find(|line| line.contains('!'));
    assert!(
        sign.is_some_and(
            |line| line.starts_with("  !! torch 2.9.0+cu128 → 2.11.0+cu129: protected")
        ),
        "{page}"
    );
    assert!(
        points(&page)[0].contains("another build: label +cu128 → +cu129"),
        "{page}"
    );
    let document = place.json(1, &["preview", &node, "--no-cache"]);
    let torch = &document["changes"][2];
    assert_eq!(
        (&torch["name"], &torch["local_change"]),
        (&"torch".into(), &true.into())
    );
    assert_eq!(document["attention"][0]["stops"], true);
}

#[test]
fn the_page_and_the_gate_find_the_same() {
    let place = Place::synced();
    let yanked = Hosted::from(Wheel::new("epsilon", "1.5").build()).yanked("broken");
    place.server.add(yanked);
    place.write(
        "osv.json",
        r#"{"id": "GHSA-1", "summary": "gamma is open", "affected": [{
            "package": {"ecosystem": "PyPI", "name": "gamma"}, "versions": ["1.0"]}]}"#,
    );
    let node = place.offered(
        "some-node",
        "--extra-index-url https://other.example/simple\ngamma\nepsilon==1.5\n",
    );
    let dir = place.dir().join("offered/some-node");
    std::fs::write(dir.join("install.py"), "import pip\n").unwrap();
    let osv = place.root().join("osv.json");
    let advised = ["--advisories", osv.as_str()];
    let shown = place.json(0, &[&["preview", &node], &advised[..]].concat());
    let judged = place.json(1, &[&["check", &node], &advised[..]].concat());
    assert_eq!(shown["findings"], judged["findings"]);
    assert_eq!(
        strings(&shown["findings"], "code"),
        ["PE007", "PE008", "PE010", "PE013"]
    );
    let page = page(&place, 0, &[&["preview", &node], &advised[..]].concat());
    let points = points(&page);
    // The worst first.
    assert!(
        points[0].starts_with("gamma 1.0: GHSA-1: gamma is open"),
        "{page}"
    );
    assert!(
        points[1].starts_with("epsilon 1.5: ") && points[1].contains("broken"),
        "{page}"
    );
    assert!(
        points[2].contains("install.py changes packages (line 1)"),
        "{page}"
    );
    assert!(points[3].contains("https://other.example/simple"), "{page}");
    // What `check` does not mind here is no matter on the page.
    place.settings("[check]\nPE007 = \"off\"\n");
    let quiet = place.json(0, &["preview", &node]);
    assert_eq!(strings(&quiet["findings"], "code"), ["PE008", "PE010"]);
}

#[test]
fn two_members_of_a_family_are_told_once() {
    let place = Place::synced();
    for name in ["opencv-python", "opencv-python-headless"] {
        let wheel = Wheel::new(name, "4.10").file("cv2/__init__.py", name);
        place.server.add(wheel.build());
    }
    place.node("there", "opencv-python\n");
    let _ = place.portenv(&["lock"]).success();
    let _ = place.portenv(&["sync", "--yes"]).success();
    let node = place.offered("some-node", "opencv-python-headless\n");
    let run = place.portenv(&["preview", &node]).success();
    assert!(
        points(run.stdout())[0].contains("opencv-python and opencv-python-headless own"),
        "{run}"
    );
    assert!(!run.stderr().contains("own the same modules"), "{run}");
}

#[test]
fn what_stays_and_breaks_though_no_line_asks_for_it_is_told() {
    let place = Place::synced();
    let loner = Wheel::new("loner", "1.0").requires("alpha>=1.1");
    place.install_behind_its_back(&loner.build());
    let node = place.offered("some-node", "alpha<1.1\n");
    let document = place.json(0, &["preview", &node]);
    let broken = &document["breaks"][0];
    assert_eq!(
        ["package", "requirement", "name", "to"].map(|field| broken[field].as_str().unwrap()),
        ["loner", "alpha>=1.1", "alpha", "1.0"]
    );
    let page = page(&place, 0, &["preview", &node]);
    assert!(
        points(&page)[0].contains("loner") && points(&page)[0].contains("alpha becomes 1.0"),
        "{page}"
    );
    // One that was broken before is none of this.
    let fine = place.offered("fine", "gamma\n");
    assert_eq!(
        place.json(0, &["preview", &fine])["breaks"],
        serde_json::json!([])
    );
}

#[test]
fn files_that_go_with_a_package_and_that_another_one_has_too_are_told() {
    let place = Place::synced();
    let twin = Wheel::new("twin", "1.0")
        .file("alpha/__init__.py", "twin")
        .file("alpha/own.py", "own");
    place.install_behind_its_back(&twin.build());
    let node = place.offered("some-node", "alpha<1.1\n");
    let document = place.json(0, &["preview", &node]);
    let shared = &document["shared"][0];
    assert_eq!(
        ["package", "with", "first"].map(|field| shared[field].as_str().unwrap()),
        ["alpha", "twin", "alpha/__init__.py"]
    );
    assert_eq!(shared["files"], 1);
    let page = page(&place, 0, &["preview", &node]);
    assert!(
        points(&page)[0].contains("twin stays and has files of it too: alpha/__init__.py"),
        "{page}"
    );
}

#[test]
fn an_index_that_nothing_came_from_so_far_is_told() {
    let place = Place::synced();
    let epsilon = Wheel::new("epsilon", "1.0").build();
    place.server.add_to("other", epsilon);
    let url = place.server.url_of("other");
    place.settings(&format!(
        "[[index]]\nname = \"other\"\nurl = \"{url}\"\npackages = [\"epsilon\"]\n"
    ));
    let node = place.offered("some-node", "epsilon\ngamma\n");
    let document = place.json(0, &["preview", &node]);
    let of = |name: &str| {
        let mut changes = document["changes"].as_array().unwrap().iter();
        changes.find(|change| change["name"] == name).unwrap()["new_index"].clone()
    };
    assert_eq!((of("epsilon"), of("gamma")), (true.into(), false.into()));
    let note = &document["attention"][0]["notes"][0];
    assert!(note.as_str().unwrap().contains(&url), "{document}");
}

#[test]
fn add_and_update_show_the_same_page_before_they_ask() {
    let place = Place::synced();
    let node = place.offered("some-node", "alpha<1.1\n");
    let shown = place.portenv(&["preview", &node]).success();
    // Nobody can be asked here.
    let asked = place.portenv(&["add", &node]).expect_code(2);
    assert!(
        asked.stderr().starts_with(shown.stdout().trim_end()),
        "{asked}"
    );

    let url = place.git_remote("moving", "gamma\n");
    let _ = place.portenv(&["add", &url, "--yes"]).success();
    let remote = place.remote_dir("moving");
    std::fs::write(remote.join("requirements.txt"), "gamma\nalpha<1.1\n").unwrap();
    place.commit_all(&remote, "Asks for an older one");
    let dry = place.portenv(&["update", "moving", "--dry-run"]).success();
    let point = "  !  alpha 1.1 → 1.0: downgrade, ComfyUI uses it\n";
    assert!(dry.stdout().contains(point), "{dry}");
    let asked = place.portenv(&["update", "moving"]).expect_code(2);
    assert!(asked.stderr().contains(point), "{asked}");
    let document = place.json(0, &["update", "moving", "--dry-run"]);
    assert_eq!(document["attention"][0]["package"], "alpha");
    // The plan that is named is the one that is applied.
    let plan = document["plan"].as_str().unwrap();
    assert!(asked.stderr().contains(&format!("plan {plan}")), "{asked}");
}
