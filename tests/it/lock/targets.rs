//! One lock for several targets.

use portenv::package::Marker;

use super::*;

fn three() -> World {
    let mut world = World::new(
        &[
            "a 1.0 -> c; sys_platform == 'win32' | d>=1.0",
            "c 1.0",
            "d 1.0 {tags=cp312-cp312-win_amd64}",
            "d 2.0 {tags=cp312-cp312-manylinux2014_x86_64}",
            "d 2.0 {tags=cp312-cp312-macosx_11_0_arm64}",
        ],
        &["n: a"],
    );
    world.targets = ["linux", "windows", "macos"]
        .map(|platform| target(platform, "3.12.9"))
        .to_vec();
    world
}

#[test]
fn each_environment_and_each_marker_is_true_on_its_own_targets_only() {
    let mut world = three();
    world.targets.push(target("linux", "3.12.1"));
    let lock = read(&lock_of(&world).to_toml());
    for (at, marker) in lock.environments.iter().enumerate() {
        let marker = Marker::parse(marker).unwrap();
        let counts = |target: &portenv::package::Target| marker.holds(target.environment());
        let on: Vec<usize> = (0..4).filter(|&at| counts(&world.targets[at])).collect();
        assert_eq!(on, [at], "{}", marker.text());
    }
    let active = |at: usize| -> Vec<String> {
        let packages = lock.active(&world.targets[at]);
        packages
            .map(|package| format!("{} {}", package.name, package.version.as_ref().unwrap()))
            .collect()
    };
    assert_eq!(active(0), ["a 1.0", "d 2.0"]);
    assert_eq!(active(1), ["a 1.0", "c 1.0", "d 1.0"]);
    assert_eq!(active(2), active(0));
    assert_eq!(active(3), active(0));
    let files: Vec<&str> = lock.packages[3]
        .files
        .iter()
        .map(|file| file.filename.as_str())
        .collect();
    assert_eq!(
        files,
        [
            "d-2.0-cp312-cp312-manylinux2014_x86_64.whl",
            "d-2.0-cp312-cp312-macosx_11_0_arm64.whl",
        ]
    );
}

#[test]
fn a_lock_made_again_from_itself_is_the_same() {
    let mut world = three();
    let lock = lock_of(&world);
    lock.prefer(&mut world.preferences);
    assert_eq!(lock_of(&world).to_toml(), lock.to_toml());
}

#[track_caller]
fn refused(text: &str, says: &[&str]) {
    match Lock::parse(text, file()) {
        Err(LockError::Invalid { line, message, .. }) => {
            assert!(line > 1, "{message}");
            for word in says {
                assert!(message.contains(word), "{message}");
            }
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_entries_of_a_name_on_one_target_are_refused() {
    let text = lock_of(&three()).to_toml();
    let marked = "marker = \"sys_platform == 'win32'\"\n";
    assert_eq!(text.matches(marked).count(), 2, "c and d 1.0");
    refused(
        &text.replace(marked, "marker = \"sys_platform != 'darwin'\"\n"),
        &["d: ", "more than one", "x86_64-unknown-linux-gnu@3.12.9"],
    );
    refused(
        &text.replace(marked, "marker = \"sys_platform = 'win32'\"\n"),
        &["c: ", "marker"],
    );
}

#[test]
fn a_lock_of_another_program_is_judged_where_it_is_to_be_installed() {
    let text = lock_of(&three()).to_toml();
    let foreign = &text[..text.find("\n[tool.portenv]").unwrap()];
    let foreign = foreign.replace("sys_platform == 'win32'", "sys_platform != 'darwin'");
    assert!(read(&foreign).targets.is_empty());
    let sandbox = Sandbox::new();
    let path = sandbox.write("pylock.toml", &foreign);
    assert!(Lock::find_on(&path, &target("macos", "3.12.9")).is_ok());
    match Lock::find_on(&path, &target("linux", "3.12.9")) {
        Err(LockError::Invalid { message, line, .. }) => {
            assert!(message.starts_with("d: ") && line > 1, "{line}: {message}");
        }
        other => panic!("{other:?}"),
    }
}
