//! What a plan that moves torch breaks: packages built for the torch that is installed.

use serde_json::Value;

use super::place::{Place, changes, strings_of};
use super::torch::{codes, name_index, of_torch, with_label};
use crate::support::Wheel;

/// A wheel with code in it, as packages bound to torch are.
fn bound(package: &str, version: &str) -> Wheel {
    let tag = if cfg!(windows) {
        "py3-none-win_amd64"
    } else if cfg!(target_os = "macos") {
        "py3-none-macosx_11_0_arm64"
    } else {
        "py3-none-linux_x86_64"
    };
    Wheel::new(package, version).tag(tag)
}

/// An installation whose torch has packages bound to it: one that says so in its version, one
/// that requires its torch, and one that only its name tells.
fn with_bound() -> Place {
    let place = with_label("cu128");
    name_index(&place);
    let files = [
        bound("flash-attn", "2.8.3+cu128torch2.9").build(),
        bound("xformers", "0.0.33").requires("torch==2.9.0").build(),
        bound("sageattention", "2.2.0").build(),
        Wheel::new("spconv", "1.0").build(),
    ];
    for file in files {
        place.install_behind_its_back(&file);
        place.server.add(file);
    }
    place.server.add(
        bound("xformers", "0.0.34")
            .requires("torch==2.10.0")
            .build(),
    );
    place
        .server
        .add(bound("flash-attn", "2.8.3+cu128torch2.10").build());
    place
}

/// Returns the names of what needs a rebuild.
fn broken(document: &Value) -> Vec<&str> {
    let changes = document["changes"].as_array().unwrap().iter();
    let broken = changes.filter(|change| change["needs_rebuild"] == true);
    let broken: Vec<&Value> = broken.collect();
    assert!(broken.iter().all(|change| change["protected"] == true));
    broken
        .iter()
        .map(|change| change["name"].as_str().unwrap())
        .collect()
}

#[test]
fn a_plan_that_moves_torch_names_what_it_breaks_and_is_blocked_by_it() {
    let place = with_bound();
    place.offered("greedy", "torch==2.10.0\n");
    let node = "../offered/greedy";
    let blocked = place.json(1, &["preview", node]);
    let all = ["flash-attn", "sageattention", "xformers"];
    assert_eq!(
        (&blocked["status"], broken(&blocked)),
        (&"blocked".into(), all.into())
    );
    // Nothing of it happens, so it is shown with what is there.
    let row = "replace sageattention 2.2.0 2.2.0".to_owned();
    assert!(changes(&blocked).contains(&row), "{blocked}");

    let torches = ["--allow-change", "torch", "--allow-change", "torchvision"];
    let arguments: Vec<&str> = ["preview", node].into_iter().chain(torches).collect();
    let run = place.portenv(&arguments).expect_code(1);
    assert!(run.stdout().contains("NEEDS REBUILD"), "{run}");
    assert!(
        run.stderr().contains("--allow-change sageattention"),
        "{run}"
    );
    let mut add: Vec<&str> = arguments.clone();
    add[0] = "add";
    add.push("--yes");
    assert_eq!(place.json(1, &add)["status"], "blocked");

    let argv = strings_of(&blocked["next"][0]["argv"]);
    let allowed = place.json(0, &argv[1..]);
    assert_eq!(broken(&allowed), all);
    assert!(codes(&allowed).contains(&"needs-rebuild".to_owned()));
}

#[test]
fn what_moves_to_a_version_for_the_new_torch_needs_no_rebuild() {
    let place = with_bound();
    let lines = "torch==2.10.0\nxformers\nflash-attn\n";
    let node = place.offered("greedy", lines);
    let blocked = place.json(1, &["preview", &node]);
    // flash-attn says nothing of what it requires, so it is kept as it is.
    assert_eq!(broken(&blocked), ["flash-attn", "sageattention"]);
    let node = place.offered(
        "exact",
        &format!("{lines}flash-attn==2.8.3+cu128torch2.10\n"),
    );
    let blocked = place.json(1, &["preview", &node]);
    assert_eq!(broken(&blocked), ["sageattention"]);
}

#[test]
fn a_plan_that_leaves_torch_alone_breaks_nothing() {
    let place = with_bound();
    let document = place.json(0, &["preview", &place.offered("node", "torch\ngamma\n")]);
    assert_eq!(broken(&document), Vec::<&str>::new());
    assert_eq!(of_torch(&document), Vec::<String>::new());
    assert!(changes(&document).contains(&"add gamma - 1.0".to_owned()));
}

#[test]
fn locking_another_torch_is_refused_until_what_breaks_is_named_and_sync_shows_it() {
    let place = with_bound();
    place.write("requirements.txt", "alpha\nbeta<2\ntorch==2.10.0\n");
    let mut lock = vec![
        "lock",
        "--allow-change",
        "torch",
        "--allow-change",
        "torchvision",
    ];
    let refused = place.json(1, &lock);
    assert_eq!(refused["error"]["code"], "refused");
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("flash-attn, sageattention, xformers"),
        "{message}"
    );
    assert!(!place.root().join("pylock.toml").exists());
    for package in ["flash-attn", "sageattention", "xformers"] {
        lock.extend(["--allow-change", package]);
    }
    let _ = place.portenv(&lock).success();
    let plan = place.json(0, &["sync", "--dry-run"]);
    assert_eq!(broken(&plan), ["flash-attn", "sageattention", "xformers"]);
    assert_eq!(codes(&plan)[0], "needs-rebuild");
}

#[test]
fn going_back_to_the_torch_that_a_package_was_built_for_is_no_break() {
    let place = with_bound();
    let _ = place.portenv(&["init", "--offline"]).success();
    place.install_behind_its_back(&Wheel::new("torch", "2.10.0+cu128").build());
    let _ = place.portenv(&["snapshot", "create"]).success();
    // Built for the new one, as its record tells.
    place.install_behind_its_back(&bound("sageattention", "2.2.0").file("b.txt", "b").build());
    place.install_behind_its_back(&bound("nunchaku", "1.0").build());
    let _ = place.portenv(&["snapshot", "create"]).success();

    let back = place.json(0, &["rollback", "@~1", "--dry-run"]);
    assert_eq!(broken(&back), Vec::<&str>::new());
    let far = place.json(0, &["rollback", "@~2", "--dry-run"]);
    assert!(
        of_torch(&far)[0].contains("2.10.0+cu128 2.9.0+cu128"),
        "{far}"
    );
    assert_eq!(broken(&far), Vec::<&str>::new());
    assert!(
        changes(&far).contains(&"remove nunchaku 1.0 -".to_owned()),
        "{far}"
    );

    // A record of a break is still one.
    let _ = place.portenv(&["rollback", "@~2", "--yes"]).success();
    let forth = place.json(0, &["rollback", "@~2", "--dry-run"]);
    assert_eq!(broken(&forth), ["flash-attn", "sageattention", "xformers"]);
}

#[test]
fn a_lock_for_another_platform_breaks_nothing_here() {
    let place = with_bound();
    place.write("requirements.txt", "torch==2.10.0\n");
    let other = if cfg!(windows) {
        "x86_64-unknown-linux-gnu"
    } else {
        "x86_64-pc-windows-msvc"
    };
    place.settings(&format!("[resolve]\ntargets = [\"{other}\"]\n"));
    let document = place.json(0, &["lock"]);
    assert_eq!(document["status"], "resolved");
}
