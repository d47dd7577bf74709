//! `cache`.

use std::{
    fs::{self, File, FileTimes},
    time::{Duration, SystemTime},
};

use camino::Utf8Path;
use serde_json::Value;

use super::place::{Place, assert_error, assert_fields, assert_tree, strings, tree};
use crate::support::Sdist;

/// A place whose cache has something of most kinds: answers, an sdist, a repository and an
/// interpreter.
fn filled() -> Place {
    let place = Place::new();
    place.server.add(
        Sdist::new("epsilon", "1.0")
            .dynamic("Requires-Dist")
            .buildable(),
    );
    let remote = place.dir().join("remotes/fern");
    fs::create_dir_all(&remote).unwrap();
    let project = "[project]\nname = \"fern\"\nversion = \"1.0\"\ndependencies = []\n";
    fs::write(remote.join("pyproject.toml"), project).unwrap();
    place.commit_all(&remote, "First");
    place.node(
        "some-node",
        &format!("fern @ git+file://{remote}\nepsilon\n"),
    );
    let _ = place.portenv(&["lock"]).success();
    place
}

fn bytes_of(document: &Value, part: &str) -> u64 {
    let parts = document["parts"].as_array().unwrap();
    let found = parts.iter().find(|one| one["part"] == part);
    found.unwrap_or_else(|| panic!("{part}: {document}"))["bytes"]
        .as_u64()
        .unwrap()
}

/// Makes files look as if nobody had touched them since long ago.
fn grow_old(path: &Utf8Path) {
    if path.is_dir() {
        for entry in path.read_dir_utf8().unwrap() {
            grow_old(entry.unwrap().path());
        }
        return;
    }
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    let mut permissions = fs::metadata(path).unwrap().permissions();
    // Git's objects are read-only.
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    fs::set_permissions(path, permissions).unwrap();
    let file = File::options().write(true).open(path).unwrap();
    let times = FileTimes::new().set_modified(then).set_accessed(then);
    file.set_times(times).unwrap();
}

fn only_in(dir: &Utf8Path) -> camino::Utf8PathBuf {
    let mut entries = dir.read_dir_utf8().unwrap();
    let found = entries.next().unwrap().unwrap().into_path();
    assert!(entries.next().is_none(), "{dir}");
    found
}

#[test]
fn dir_prints_the_path_alone_and_in_json_the_size_of_each_part() {
    let place = Place::new();
    let empty = place.json(0, &["cache", "dir"]);
    assert_eq!(
        (&empty["schema"], &empty["bytes"]),
        (&"portenv.cache/1".into(), &0.into())
    );
    assert_fields(&empty, "path parts bytes removed freed_bytes others next");
    let place = filled();
    let before = (tree(place.root()), tree(&place.cache()));
    let run = place.portenv(&["cache", "dir"]).success();
    assert_eq!(run.stdout(), "[SANDBOX]/cache/portenv\n");
    let document = place.json(0, &["cache", "dir"]);
    assert_eq!(
        strings(&document["parts"], "part"),
        [
            "answers",
            "sdists",
            "git",
            "interpreters",
            "uv",
            "conflicts",
            "scratch"
        ]
    );
    for part in ["answers", "sdists", "git", "interpreters"] {
        assert!(bytes_of(&document, part) > 0, "{part}: {document}");
    }
    let sum: u64 = document["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["bytes"].as_u64().unwrap())
        .sum();
    assert_eq!(document["bytes"], sum);
    assert!(
        document["others"].as_array().unwrap().is_empty(),
        "{document}"
    );
    assert_eq!((tree(place.root()), tree(&place.cache())), before);
}

#[test]
fn clean_removes_all_and_the_same_is_had_again() {
    let place = filled();
    let (root, lock) = (tree(place.root()), place.read("pylock.toml"));
    let before = place.json(0, &["cache", "dir"])["bytes"].as_u64().unwrap();
    let document = place.json(0, &["cache", "clean"]);
    assert_eq!(
        (&document["bytes"], &document["freed_bytes"]),
        (&0.into(), &before.into())
    );
    assert!(
        strings(&document["removed"], "reason")
            .iter()
            .all(|why| why == "asked")
    );
    let left: Vec<String> = tree(&place.cache()).into_keys().collect();
    assert_eq!(left, ["CACHEDIR.TAG", "lock"]);
    assert_tree(place.root(), &root);
    let _ = place.portenv(&["lock", "--upgrade"]).success();
    assert_eq!(place.read("pylock.toml"), lock);
}

#[test]
fn prune_removes_what_is_long_unused_and_nothing_else() {
    let mut place = filled();
    let before = tree(&place.cache());
    let nothing = place.json(0, &["cache", "prune"]);
    assert!(
        nothing["removed"].as_array().unwrap().is_empty(),
        "{nothing}"
    );
    let after = tree(&place.cache());
    assert!(
        before
            .keys()
            .all(|path| path.contains("index.db") || after.contains_key(path))
    );

    let home = only_in(&place.cache().join("git"));
    for entry in home
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().into_path())
    {
        if entry.file_name() != Some("repository") {
            grow_old(&entry);
        }
    }
    grow_old(&place.cache().join("sdists"));
    let stale_uv = place.cache().join("uv/0.1.0/uv");
    fs::create_dir_all(stale_uv.parent().unwrap()).unwrap();
    fs::write(&stale_uv, "").unwrap();
    let document = place.json(0, &["cache", "prune"]);
    let mut reasons = strings(&document["removed"], "reason");
    reasons.sort();
    assert_eq!(reasons, ["superseded", "unused", "unused"], "{document}");
    assert!(home.join("repository/HEAD").exists());
    assert_eq!(home.read_dir_utf8().unwrap().count(), 1);
    assert!(!place.cache().join("sdists").exists() && !place.cache().join("uv").exists());
    assert!(document["freed_bytes"].as_u64().unwrap() > 0);

    // Answers say themselves until when they are good.
    assert!(bytes_of(&document, "answers") > 0);
    place
        .sandbox
        .set_env("PORTENV_TEST_CLOCK", "2026-06-20T00:00:00Z");
    let soon = place.json(0, &["cache", "prune"]);
    assert!(soon["removed"].as_array().unwrap().is_empty(), "{soon}");
    let days = place.json(0, &["cache", "prune", "--unused-for", "7"]);
    assert!(
        strings(&days["removed"], "part")
            .iter()
            .all(|part| part == "answers"),
        "{days}"
    );
    assert!(
        strings(&days["removed"], "path")
            .iter()
            .any(|path| path.ends_with(" alpha")),
        "{days}"
    );
    assert!(
        !place.json(0, &["cache", "prune", "--unused-for", "7"])["removed"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["part"] == "answers")
    );
}

#[test]
fn a_database_of_another_version_is_pruned() {
    let place = filled();
    let database = rusqlite::Connection::open(place.cache().join("index.db")).unwrap();
    database.pragma_update(None, "user_version", 999).unwrap();
    drop(database);
    let document = place.json(0, &["cache", "prune"]);
    assert_eq!(strings(&document["removed"], "path"), ["index.db"]);
    assert_eq!(strings(&document["removed"], "reason"), ["superseded"]);
    assert_eq!(bytes_of(&document, "answers"), 0);
}

#[test]
fn clean_of_a_package_leaves_the_others_and_only_it_is_asked_again() {
    let place = filled();
    let document = place.json(0, &["cache", "clean", "Alpha", "epsilon"]);
    let paths = strings(&document["removed"], "path");
    for end in [" alpha", " epsilon"] {
        assert!(paths.iter().any(|path| path.ends_with(end)), "{paths:?}");
    }
    assert!(
        paths.iter().any(|path| path.starts_with("sdists/")),
        "{paths:?}"
    );
    assert!(
        !paths.iter().any(|path| path.ends_with(" beta")),
        "{paths:?}"
    );
    place.server.clear_requests();
    let _ = place.portenv(&["lock", "--upgrade"]).success();
    let asked: Vec<String> = place
        .server
        .requests()
        .iter()
        .map(|request| request.path.clone())
        .collect();
    assert!(
        asked.iter().any(|path| path.contains("/alpha/")),
        "{asked:?}"
    );
    assert!(
        !asked.iter().any(|path| path.contains("/beta/")),
        "{asked:?}"
    );
    let run = place
        .portenv(&["cache", "clean", "no name", "--format", "json"])
        .expect_code(2);
    assert_error(&run, "usage");
}

#[test]
fn nothing_of_others_is_ever_removed() {
    let place = filled();
    let homes = place.dir().join("homes");
    let own = [
        "sdists/0123456789abcdef0123456789abcdef/a-1.0.tar.gz",
        "index.db",
    ];
    for file in own
        .iter()
        .chain(&["git/project/README.md", "uv/src/main.rs", "notes.txt"])
    {
        let path = homes.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    // Someone gives a directory with things of his own, and later uses it too.
    let before = tree(&homes);
    for verb in ["clean", "prune"] {
        let run = place
            .portenv(&[
                "cache",
                verb,
                "--cache-dir",
                homes.as_str(),
                "--format",
                "json",
            ])
            .expect_code(1);
        assert_error(&run, "refused");
        assert!(run.stderr().contains("notes.txt"), "{run}");
        assert_tree(&homes, &before);
    }
    let _ = place
        .portenv(&["lock", "--upgrade", "--cache-dir", homes.as_str()])
        .success();
    assert!(!homes.join("CACHEDIR.TAG").exists());
    let _ = place
        .portenv(&["cache", "clean", "--cache-dir", homes.as_str()])
        .expect_code(1);

    // Where every name might be ours, each thing in them still has to look like ours.
    fs::remove_file(homes.join("notes.txt")).unwrap();
    let document = place.json(0, &["cache", "clean", "--cache-dir", homes.as_str()]);
    assert!(homes.join("git/project/README.md").exists());
    assert!(homes.join("uv/src/main.rs").exists());
    assert!(!homes.join("sdists").exists() && !homes.join("index.db").exists());
    let mut others: Vec<&str> = document["others"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_str().unwrap())
        .collect();
    others.sort_unstable();
    assert_eq!(others, ["git/project", "uv/src"]);
}

#[cfg(unix)]
#[test]
fn a_link_in_the_cache_leads_nowhere() {
    let place = filled();
    let mine = place.dir().join("mine/0123456789abcdef0123456789abcdef");
    fs::create_dir_all(&mine).unwrap();
    fs::write(mine.join("kept.tar.gz"), "").unwrap();
    fs::remove_dir_all(place.cache().join("sdists")).unwrap();
    std::os::unix::fs::symlink(mine.parent().unwrap(), place.cache().join("sdists")).unwrap();
    let document = place.json(0, &["cache", "clean"]);
    assert_eq!(document["others"][0], "sdists");
    assert!(mine.join("kept.tar.gz").exists());
}

#[test]
fn while_another_run_uses_the_cache_nothing_goes() {
    let place = filled();
    let lock = File::options()
        .write(true)
        .open(place.cache().join("lock"))
        .unwrap();
    lock.lock_shared().unwrap();
    let before = tree(&place.cache());
    let run = place
        .portenv(&["cache", "clean", "--format", "json"])
        .expect_code(4);
    assert_error(&run, "busy");
    assert_tree(&place.cache(), &before);
    // Others may use it at the same time.
    let _ = place.portenv(&["lock", "--upgrade"]).success();
    let _ = place.portenv(&["cache", "dir"]).success();
    drop(lock);
    let _ = place.portenv(&["cache", "clean"]).success();
}

#[test]
fn without_a_cache_there_is_nothing_to_show() {
    let place = Place::new();
    let run = place
        .portenv(&["cache", "dir", "--no-cache", "--format", "json"])
        .expect_code(2);
    assert_error(&run, "usage");
}
