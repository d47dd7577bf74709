//! Packages given by address: repositories, directories and archives.

use std::io::Write;

use super::*;
use crate::support::{Sdist, Wheel};
use camino::Utf8PathBuf;

fn project(name: &str, version: &str, dependencies: &str) -> String {
    format!(
        "[project]\nname = \"{name}\"\nversion = \"{version}\"\ndependencies = [{dependencies}]\n"
    )
}

/// A repository with the tag `v1`, and a newer commit with a project in a directory.
fn repository(world: &World) -> (Utf8PathBuf, String, String) {
    let dir = world.sandbox.root().join("repo");
    world.sandbox.write(
        "repo/pyproject.toml",
        project("Git_Thing", "1.2", "\"leaf<2\""),
    );
    let first = world.sandbox.commit_all(&dir, "one");
    world.sandbox.git(&dir, &["tag", "v1"]);
    world.sandbox.write(
        "repo/pyproject.toml",
        project("Git_Thing", "1.3", "\"leaf\""),
    );
    world
        .sandbox
        .write("repo/sub/pyproject.toml", project("inner", "0.5", ""));
    let second = world.sandbox.commit_all(&dir, "two");
    (dir, first, second)
}

fn world() -> World {
    World::new([Wheel::new("leaf", "1.0"), Wheel::new("leaf", "2.0")])
}

/// A zip archive as a forge makes it of a branch: one directory, no version in its name.
fn archive(members: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, text) in members {
        zip.start_file(*path, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn a_repository_is_fixed_to_the_commit_of_its_tag_branch_or_head() {
    let world = world();
    let (dir, first, second) = repository(&world);
    for (rev, commit, version, leaf) in [
        ("@v1", &first, "1.2", "1.0"),
        ("@main", &second, "1.3", "2.0"),
        ("", &second, "1.3", "2.0"),
        (&format!("@{first}"), &first, "1.2", "1.0"),
    ] {
        let line = format!("git-thing @ git+file://{dir}{rev}\n");
        let document = world.document(&line, "");
        let packages = document["packages"].as_array().unwrap();
        let found = &packages[0];
        assert_eq!(found["version"], *version, "{rev}");
        assert_eq!(found["source"]["kind"], "git");
        assert_eq!(found["source"]["commit"], **commit);
        assert_eq!(found["files"].as_array().unwrap().len(), 0);
        assert_eq!(packages[1]["version"], leaf);
    }
}

#[test]
fn a_line_needs_no_name_where_its_project_tells_one() {
    let world = world();
    let (dir, first, second) = repository(&world);
    world
        .sandbox
        .write("local/pyproject.toml", project("local", "3.0", ""));
    let text = format!("git+file://{dir}@v1\ngit+file://{dir}#subdirectory=sub\n./local\n");
    let run = world.run(&text, "").success();
    let lines: Vec<&str> = run.stdout().lines().collect();
    let ends = |at: usize, end: &str| assert!(lines[at].ends_with(end), "{run}");
    ends(0, &format!("/repo@{first}"));
    ends(1, &format!("/repo@{second}#subdirectory=sub"));
    assert!(lines[0].starts_with("git-thing @ git+file://"), "{run}");
    assert!(lines[1].starts_with("inner @ git+file://"), "{run}");
    assert_eq!(lines[2], "leaf==1.0");
    assert!(lines[3].starts_with("local @ file://"), "{run}");
    let run = world.run("-e ./local\n", "").success();
    assert!(run.stdout().starts_with("-e file://"), "{run}");
}

#[test]
fn a_branch_that_moved_is_found_and_off_line_its_last_commit_counts() {
    let world = world();
    let (dir, _, second) = repository(&world);
    let line = format!("git-thing @ git+file://{dir}@main\n");
    let commit = |flags: &str| {
        let document = world.document(&line, flags);
        document["packages"][0]["source"]["commit"].clone()
    };
    assert_eq!(commit(""), *second);
    let third = world.sandbox.commit_all(&dir, "three");
    assert_eq!(commit("--offline"), *second);
    assert_eq!(commit(""), *third);
    let _ = std::fs::remove_dir_all(&dir);
    assert_eq!(commit("--offline"), *third);
    let run = world.run(&line, "--format json").expect_code(3);
    assert_eq!(run.json()["error"]["code"], "git", "{run}");
}

#[test]
fn a_revision_that_is_not_there_is_a_no_and_a_repository_never_seen_is_off_line() {
    let world = world();
    let (dir, ..) = repository(&world);
    let unknown = format!("git-thing @ git+file://{dir}@v9\n");
    let run = world
        .run(&unknown, "--offline --format json")
        .expect_code(3);
    assert_eq!(run.json()["error"]["code"], "offline", "{run}");
    let document = world.conflict(&unknown, "");
    let told = document["conflicts"][0]["explanation"].as_str().unwrap();
    assert!(told.contains("no branch, tag or commit `v9`"), "{told}");
    let other = world.conflict(&format!("other @ git+file://{dir}\n"), "");
    let told = other["conflicts"][0]["explanation"].as_str().unwrap();
    assert!(told.ends_with("is git-thing, not other"), "{told}");
}

#[test]
fn an_archive_without_a_version_in_its_name_is_read_and_its_hash_kept() {
    let world = world();
    let text = project("zipped", "2.5", "\"leaf\"");
    let bytes = archive(&[("thing-main/pyproject.toml", &text)]);
    let type_of = "application/zip";
    world.server.route("/main.zip", type_of, &bytes);
    let url = format!("{}/main.zip", world.server.base());
    for line in [format!("zipped @ {url}\n"), format!("{url}\n")] {
        let document = world.document(&line, "");
        let found = &document["packages"][1];
        assert_eq!(found["version"], "2.5");
        assert_eq!(found["source"]["kind"], "url");
        assert_eq!(found["files"][0]["sha256"], crate::support::sha256(&bytes));
    }
    let nested = archive(&[("x/deep/pyproject.toml", &text), ("x/readme", "")]);
    world.server.route("/deep.zip", type_of, nested);
    let url = format!("{}/deep.zip", world.server.base());
    let line = format!("zipped @ {url}#subdirectory=deep\n");
    assert_eq!(world.document(&line, "")["packages"][1]["version"], "2.5");
    let line = format!("zipped @ {url}#subdirectory=../deep\n");
    let document = world.conflict(&line, "");
    let told = document["conflicts"][0]["explanation"].as_str().unwrap();
    assert!(told.contains("outside"), "{told}");
}

#[test]
fn nothing_of_a_directory_is_run_where_builds_are_not_allowed() {
    let world = world();
    let setup = "from setuptools import setup\nopen('ran', 'w')\nsetup(name='dyn', version='1.0', install_requires=['leaf'])\n";
    world.sandbox.write("dyn/setup.py", setup);
    let document = world.document("./dyn\n", "--build static");
    assert_eq!(document["packages"][0]["name"], "dyn");
    assert_eq!(document["warnings"][0]["code"], "unverified-metadata");
    assert!(!world.sandbox.root().join("dyn/ran").exists());
}

#[test]
fn what_an_address_leads_to_may_name_addresses_and_an_indexed_package_may_not() {
    let world = World::new([
        Wheel::new("plain", "1.0").requires("leaf @ https://host/leaf-1.0-py3-none-any.whl"),
        Wheel::new("leaf", "1.0"),
    ]);
    let (dir, first, _) = repository(&world);
    let dependency = format!("\"git-thing @ git+file://{dir}@v1\"");
    world
        .sandbox
        .write("top/pyproject.toml", project("top", "1.0", &dependency));
    let run = world.run("./top\ngit-thing>=1\n", "").success();
    assert!(run.stdout().contains(&format!("/repo@{first}\n")), "{run}");
    let document = world.conflict("./top\ngit-thing>=2\n", "");
    assert_eq!(document["conflicts"][0]["packages"][0], "git-thing");
    world.conflict("plain\n", "");
}

#[test]
fn what_comes_from_elsewhere_names_nothing_on_this_machine() {
    let world = world();
    let (dir, ..) = repository(&world);
    let text = project(
        "zipped",
        "2.5",
        &format!("\"git-thing @ git+file://{dir}\""),
    );
    let bytes = archive(&[("thing-main/pyproject.toml", &text)]);
    world.server.route("/main.zip", "application/zip", &bytes);
    let url = format!("{}/main.zip", world.server.base());
    let document = world.conflict(&format!("zipped @ {url}\n"), "");
    assert_eq!(
        document["conflicts"][0]["requirements"][0]["origin"]["line"],
        1
    );
}

#[test]
fn a_line_of_an_override_file_has_to_name_its_package() {
    let world = world();
    world.sandbox.write("o.txt", "./local\n");
    let run = world.run("leaf\n", "--override o.txt").expect_code(2);
    assert!(run.stderr().contains("write `NAME @ ./local`"), "{run}");
}

#[test]
fn an_artifact_for_newer_pythons_is_no_answer() {
    let world = world();
    let text = "[project]\nname = \"new\"\nversion = \"1\"\nrequires-python = \">=3.13\"\n";
    world.sandbox.write("new/pyproject.toml", text);
    let document = world.conflict("./new\n", "");
    let told = document["conflicts"][0]["explanation"].as_str().unwrap();
    assert!(told.contains(">=3.13"), "{told}");
}

#[test]
fn a_prerelease_or_a_young_file_given_by_address_counts() {
    let world = world();
    world
        .sandbox
        .write("pre/pyproject.toml", project("pre", "1.0a1", ""));
    let flags = "--prerelease disallow --exclude-newer 2020-01-01";
    assert!(
        world
            .run("./pre\n", flags)
            .success()
            .stdout()
            .starts_with("pre @ ")
    );
}

#[test]
fn a_repository_whose_default_branch_changed_is_found_at_its_new_one() {
    let world = world();
    let (dir, _, second) = repository(&world);
    let line = format!("git-thing @ git+file://{dir}\n");
    let commit = |flags: &str| {
        let document = world.document(&line, flags);
        document["packages"][0]["source"]["commit"].clone()
    };
    assert_eq!(commit(""), *second);
    world.sandbox.git(&dir, &["checkout", "-q", "-b", "trunk"]);
    let third = world.sandbox.commit_all(&dir, "three");
    assert_eq!(commit(""), *third);
    world.sandbox.git(&dir, &["branch", "-D", "main"]);
    assert_eq!(commit(""), *third);
    assert_eq!(commit("--offline"), *third);
}

/// The flags with which the interpreter that is there may build.
fn building() -> String {
    crate::support::uv();
    format!(
        "--build allow --python-version {}",
        super::flags::own_python_version()
    )
}

#[test]
fn what_a_build_read_of_a_directory_is_asked_again_when_a_file_of_it_changed() {
    let world = world();
    world.sandbox.write(
        "dyn/pyproject.toml",
        "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n[project]\nname = \"dyn\"\nversion = \"1.0\"\ndynamic = [\"dependencies\"]\n",
    );
    let backend = "import os
def prepare_metadata_for_build_wheel(out, config=None):
    lines = open('requirements.txt').read().split()
    os.makedirs(os.path.join(out, 'dyn-1.0.dist-info'))
    with open(os.path.join(out, 'dyn-1.0.dist-info', 'METADATA'), 'w') as file:
        file.write('Metadata-Version: 2.1\\nName: dyn\\nVersion: 1.0\\n')
        file.writelines(f'Requires-Dist: {line}\\n' for line in lines)
    return 'dyn-1.0.dist-info'
";
    world.sandbox.write("dyn/backend.py", backend);
    let _ = world.run("./dyn\n", &building()).expect_code(2);
    for version in ["1.0", "2.0"] {
        let line = format!("leaf=={version}\n");
        world.sandbox.write("dyn/requirements.txt", line);
        let document = world.document("./dyn\n", &building());
        assert_eq!(document["packages"][1]["version"], version);
    }
}

#[test]
fn a_local_sdist_that_was_made_anew_is_built_anew() {
    let world = world();
    for version in ["1.0", "2.0"] {
        let sdist = Sdist::new("dyn", "1.0")
            .dynamic("Requires-Dist")
            .requires(&format!("leaf=={version}"))
            .buildable()
            .build();
        world.sandbox.write("links/dyn-1.0.tar.gz", sdist.bytes);
        let flags = format!("--find-links links {}", building());
        let document = world.document("dyn\n", &flags);
        assert_eq!(document["packages"][1]["version"], version);
    }
}
