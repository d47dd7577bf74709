//! One directory that several machines share, and disks that are apart.

use std::fs::{self, File};
use std::process::Command;
use std::time::{Duration, SystemTime};

use camino::Utf8Path;
use serde_json::{Value, json};

use super::place::{Place, assert_error};
use super::together::Gate;
use crate::support::FaultyUv;

const CLAIM: &str = ".portenv/lock.held";

/// A place that the machine `one` sees over a network.
fn shared() -> Place {
    let mut place = Place::synced();
    on(&mut place, "one");
    place
}

/// Lets the runs to come be of another machine.
fn on(place: &mut Place, host: &str) {
    place.sandbox.set_env("PORTENV_TEST_HOST", host);
}

/// Lets the claim look as if its owner had given no sign of life for an hour: nobody waits.
fn silence(place: &Place) {
    let file = File::options().write(true).open(place.root().join(CLAIM));
    let before = SystemTime::now() - Duration::from_hours(1);
    file.unwrap().set_modified(before).unwrap();
}

/// Leaves the claim of a process.
fn claim(place: &Place, owner: &Value) {
    place.write(CLAIM, owner.to_string());
    silence(place);
}

/// A process of another machine.
fn stranger() -> Value {
    json!({"host": "far", "boot": "x", "pid": 4711, "began": null, "purpose": "rollback", "since": "2026-06-01T00:00:00Z"})
}

/// A process of this machine since this start, as the machine `one` would write it.
#[cfg(target_os = "linux")]
fn native(pid: u32) -> Value {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let space = fs::read_link("/proc/self/ns/pid").unwrap();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let began = stat
        .rsplit_once(") ")
        .map(|(_, rest)| rest.split(' ').nth(19).unwrap());
    let boot = format!("{} {}", boot.trim(), space.display());
    json!({"host": "one", "boot": boot, "pid": pid, "began": began, "purpose": "sync", "since": "2026-06-01T00:00:00Z"})
}

#[test]
fn of_two_machines_on_one_directory_the_second_is_told_who_is_at_work() {
    let mut place = Place::new();
    on(&mut place, "one");
    let _ = place.portenv(&["lock"]).success();
    let mut gate = Gate::install(&mut place);
    let first = gate.start(&place, &["sync", "--yes"]);

    on(&mut place, "two");
    let who = format!("PID {} on one, sync, since ", first.pid);
    let status = place.json(0, &["status"]);
    assert_eq!(status["interrupted"], Value::Null);
    assert!(
        status["hints"][0].as_str().unwrap().contains(&who),
        "{status}"
    );
    silence(&place);
    let second = place.portenv(&["rollback", "--yes", "--format", "json"]);
    let second = second.expect_code(4);
    assert_error(&second, "busy");
    assert!(second.stderr().contains(&who), "{second}");
    assert!(second.stderr().contains("--break-lock"), "{second}");

    gate.open();
    let _ = place.run_of(&first.ended.join().unwrap()).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
    assert!(!place.root().join(CLAIM).exists(), "the claim is given up");
    let _ = place.portenv(&["snapshot", "create"]).success();
}

#[test]
fn what_another_machine_left_is_taken_away_only_by_the_users_word() {
    let place = shared();
    claim(&place, &stranger());
    let left = place.read(CLAIM);
    let before = place.state();
    let run = place.portenv(&["snapshot", "create", "--format", "json"]);
    let run = run.expect_code(4);
    assert_error(&run, "busy");
    let words =
        "PID 4711 on far, rollback, since 2026-06-01T00:00:00Z, last sign of life 60 minutes ago";
    assert!(run.stderr().contains(words), "{run}");
    assert_eq!((place.read(CLAIM), place.state()), (left, before));

    let _ = place
        .portenv(&["snapshot", "create", "--break-lock"])
        .success();
    assert!(!place.root().join(CLAIM).exists());
    let _ = place.portenv(&["snapshot", "create"]).success();
}

#[test]
fn a_machine_that_has_the_disk_itself_heeds_the_claims_of_others() {
    let place = Place::synced();
    claim(&place, &stranger());
    let run = place.portenv(&["snapshot", "create", "--format", "json"]);
    assert_error(&run.expect_code(4), "busy");
    let _ = place
        .portenv(&["snapshot", "create", "--break-lock"])
        .success();
    assert!(!place.root().join(CLAIM).exists());
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_dead_process_of_this_machine_left_is_taken_over() {
    let place = shared();
    let mut child = Command::new("true").spawn().unwrap();
    let pid = child.id();
    child.wait().unwrap();
    claim(&place, &native(pid));
    assert_eq!(place.json(0, &["status"])["hints"], json!([]));
    let _ = place.portenv(&["snapshot", "create"]).success();
    // The same id, but another process.
    let mut reused = native(std::process::id());
    reused["began"] = "1".into();
    claim(&place, &reused);
    let _ = place.portenv(&["snapshot", "create"]).success();
    assert!(!place.root().join(CLAIM).exists());
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_alive_on_this_machine_is_never_taken_away() {
    let place = shared();
    claim(&place, &native(std::process::id()));
    let left = place.read(CLAIM);
    let run = place.portenv(&["snapshot", "create", "--break-lock"]);
    let run = run.expect_code(4);
    assert!(!run.stderr().contains("hint: if that process"), "{run}");
    assert_eq!(place.read(CLAIM), left);
}

#[test]
fn a_claim_that_says_nothing_holds_until_the_user_says_otherwise() {
    let place = shared();
    place.write(CLAIM, "");
    silence(&place);
    let _ = place.portenv(&["snapshot", "create"]).expect_code(4);
    let _ = place
        .portenv(&["snapshot", "create", "--break-lock"])
        .success();
}

#[cfg(target_os = "linux")]
#[test]
fn uv_is_told_to_copy_where_it_cannot_link() {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &str| fs::metadata(path).unwrap().dev();
    for cache in ["cache/uv", "/dev/shm"] {
        let mut place = Place::new();
        let dir = place.dir().join(cache);
        fs::create_dir_all(&dir).unwrap();
        // A place of its own on the other disk, gone with the test.
        let held = tempfile::TempDir::with_prefix_in("portenv-", &dir).unwrap();
        let own = Utf8Path::from_path(held.path()).unwrap();
        place.sandbox.set_env("UV_CACHE_DIR", own.as_str());
        let uv = FaultyUv::install(&mut place.sandbox);
        let _ = place.portenv(&["lock"]).success();
        let _ = place.portenv(&["sync", "--yes"]).success();
        assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
        let calls = uv.calls(&place.sandbox);
        let copies = calls
            .iter()
            .any(|call| call.args.contains(&"--link-mode".to_owned()));
        assert_eq!(
            copies,
            device(own.as_str()) != device(place.root().as_str())
        );
    }
}
