//! What goes in, what comes out, and what the environment says.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{World, check_document, picks};
use crate::support::{Hosted, Options, Wheel};

#[test]
fn the_answer_is_one_line_a_package_and_the_document_has_all_fields() {
    let world = World::new([
        Wheel::new("Top.Level", "1.0")
            .requires("mid[fast]>=2")
            .build(),
        Wheel::new("mid", "2.1")
            .extra("fast")
            .requires("leaf==3; extra == 'fast'")
            .build(),
        Wheel::new("leaf", "3").build(),
    ]);
    let requirements = "# what we want\nTop_Level >= 1\n";
    let run = world.run(requirements, "").success();
    assert_eq!(run.stdout(), "leaf==3\nmid==2.1\ntop-level==1.0\n");
    assert_eq!(run.stderr(), "");

    let document = world.document(requirements, "");
    let packages = document["packages"].as_array().unwrap();
    let find = |name: &str| {
        packages
            .iter()
            .find(|package| package["name"] == name)
            .unwrap()
    };
    let top = find("top-level");
    assert_eq!(top["required_by"][0]["origin"]["file"], "r.txt");
    assert_eq!(top["required_by"][0]["origin"]["line"], 2);
    assert_eq!(top["required_by"][0]["origin"]["column"], 1);
    assert_eq!(top["required_by"][0]["requirement"], "Top_Level >= 1");
    assert_eq!(top["source"]["kind"], "index");
    assert_eq!(top["source"]["index"], "http://[INDEX]/simple");
    assert_eq!(
        top["files"][0]["filename"],
        "top_level-1.0-py3-none-any.whl"
    );
    assert_eq!(find("mid")["extras"], serde_json::json!(["fast"]));
    assert_eq!(find("mid")["required_by"][0]["package"], "top-level");
    assert_eq!(find("leaf")["required_by"][0]["version"], "2.1");
    assert_eq!(
        document["targets"][0]["platform"],
        "x86_64-unknown-linux-gnu"
    );
    assert_eq!(document["targets"][0]["python"], "3.12.0");
    assert_eq!(document["next"], serde_json::json!([]));
}

#[test]
fn a_digest_is_empty_only_where_the_index_states_none() {
    let wheel = Wheel::new("b", "1").build();
    let sha256 = wheel.sha256.clone();
    let world = World::new([
        Hosted::from(Wheel::new("a", "1")).without_hash(),
        Hosted::from(wheel),
    ]);
    let document = world.document("a\nb\n", "");
    let digest = |at: usize| &document["packages"][at]["files"][0]["sha256"];
    assert_eq!(*digest(0), "");
    assert_eq!(*digest(1), sha256.as_str());
}

#[test]
fn a_conflict_names_every_line_at_fault_with_its_place() {
    let world = World::new([
        Wheel::new("left", "1").requires("shared<2").build(),
        Wheel::new("right", "1").requires("shared>=2").build(),
        Wheel::new("shared", "1").build(),
        Wheel::new("shared", "2").build(),
        Wheel::new("innocent", "1").build(),
    ]);
    world.sandbox.write("more.txt", "\nright\n");
    let document = world.conflict("innocent\nleft\n-r more.txt\n", "");
    let conflict = &document["conflicts"][0];
    let lines: BTreeSet<String> = conflict["requirements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            format!(
                "{} {} {}",
                line["origin"]["file"], line["origin"]["line"], line["requirement"]
            )
        })
        .collect();
    let expected = ["\"more.txt\" 2 \"right\"", "\"r.txt\" 2 \"left\""];
    assert_eq!(lines, expected.map(str::to_owned).into());
    assert_eq!(conflict["packages"], serde_json::json!(["shared"]));
    let run = world
        .run("innocent\nleft\n-r more.txt\n", "")
        .expect_code(1);
    assert_eq!(run.stdout(), "");
    for part in [
        "r.txt:2",
        "more.txt:2",
        "left",
        "right",
        "shared<2",
        "shared>=2",
    ] {
        assert!(run.stderr().contains(part), "{part}\n{run}");
    }
    assert!(!run.stderr().contains("innocent"), "{run}");
}

#[test]
fn an_unknown_package_is_a_conflict_that_names_its_line() {
    let world = World::new([Wheel::new("a", "1")]);
    let document = world.conflict("a\nno-such>1\n", "");
    let line = &document["conflicts"][0]["requirements"][0];
    assert_eq!(line["origin"]["line"], 2);
    assert_eq!(line["requirement"], "no-such>1");
}

#[test]
fn requirements_come_from_stdin_too() {
    let world = World::new([Wheel::new("a", "1"), Wheel::new("b", "1")]);
    world.sandbox.write("more.txt", "b\n");
    let run = world
        .sandbox
        .portenv_reading("a\n-r more.txt\n", &["resolve", "-"]);
    assert_eq!(picks(&run.success()), "a==1 b==1");
    let run = world
        .sandbox
        .portenv_reading("\n a b\n", &["resolve", "-", "--format", "json"]);
    let origin = &run.expect_code(2).json()["error"]["origin"];
    assert_eq!(
        (&origin["file"], &origin["line"]),
        (&Value::from("-"), &Value::from(2))
    );
}

#[test]
fn a_file_named_twice_counts_once() {
    let world = World::new([Wheel::new("a", "1")]);
    let document = world.conflict("no-such\n", "r.txt");
    assert_eq!(document["conflicts"].as_array().unwrap().len(), 1);
    let document = world.document("a\n", "r.txt");
    let required_by = document["packages"][0]["required_by"].as_array().unwrap();
    assert_eq!(required_by.len(), 1);
}

#[test]
fn standard_input_may_be_encoded_as_a_file_may() {
    let world = World::new([Wheel::new("a", "1")]);
    let reading = |bytes: &[u8]| {
        let path = world.sandbox.dir().join("tmp/bytes");
        std::fs::write(&path, bytes).unwrap();
        let mut command = world.sandbox.command(&["resolve", "-", "--format", "json"]);
        command.stdin(std::fs::File::open(path).unwrap());
        world.sandbox.finish(command)
    };
    for bytes in [&b"\xef\xbb\xbfa\r\n"[..], b"\xff\xfea\0\n\0"] {
        let document = reading(bytes).success().json();
        assert_eq!(document["packages"][0]["name"], "a");
    }
    let run = reading(b"a\n# caf\xe9\n").expect_code(2);
    let error = &run.json()["error"];
    assert_eq!(error["code"], "invalid-file");
    assert_eq!(
        (&error["origin"]["line"], &error["origin"]["column"]),
        (&2.into(), &6.into())
    );
    assert!(
        run.stderr().contains("-:2:6: ") && run.stderr().contains("hint: "),
        "{run}"
    );
}

#[test]
fn every_kind_of_file_is_read_by_its_name() {
    let world = World::new(["a", "b", "c", "d", "e"].map(|name| Wheel::new(name, "1")));
    world.sandbox.write(
        "pyproject.toml",
        "[project]\nname = \"x\"\nversion = \"1\"\ndependencies = [\"a\"]\n",
    );
    world
        .sandbox
        .write("setup.cfg", "[options]\ninstall_requires =\n    b\n");
    world.sandbox.write("list.in", "c\n");
    world.sandbox.write("node/requirements.txt", "d\n");
    world.sandbox.write(
        "node/pyproject.toml",
        "[project]\nname = \"y\"\nversion = \"1\"\ndependencies = [\"e\"]\n",
    );
    for (files, expected) in [
        ("pyproject.toml", "a==1"),
        ("setup.cfg", "b==1"),
        ("list.in", "c==1"),
        ("node", "d==1 e==1"),
        ("node/", "d==1 e==1"),
        (
            "pyproject.toml setup.cfg list.in node",
            "a==1 b==1 c==1 d==1 e==1",
        ),
    ] {
        let run = world.portenv(&format!("resolve {files}")).success();
        assert_eq!(picks(&run), expected, "{files}");
    }
    let document = world.portenv("resolve node --format json").success().json();
    check_document(&document);
    let origin = &document["packages"][0]["required_by"][0]["origin"];
    assert_eq!(origin["file"], "node/requirements.txt");
}

#[test]
fn flags_are_read_from_the_environment_and_typed_ones_win() {
    let at = |version: &str, time: &str| Hosted::from(Wheel::new("a", version)).upload_time(time);
    let world = World::new([
        at("1", "2026-01-01T00:00:00Z"),
        at("2", "2026-02-01T00:00:00Z"),
        at("3rc1", "2026-02-01T00:00:00Z"),
    ]);
    world.server.add_to("other", Wheel::new("a", "7"));
    let other = world.server.url_of("other");
    let links = world.sandbox.save(&Wheel::new("a", "8").build());
    let links = links.parent().unwrap().as_str();
    world.sandbox.write("c.txt", "a<2\n");
    world.sandbox.write("o.txt", "a==1\n");
    world.sandbox.write("r.txt", "a\n");
    for (name, value, typed, expected) in [
        ("PORTENV_INDEX_URL", other.as_str(), "", "a==7"),
        ("PORTENV_EXTRA_INDEX_URL", other.as_str(), "", "a==7"),
        ("PORTENV_FIND_LINKS", links, "", "a==8"),
        ("PORTENV_PRERELEASE", "allow", "", "a==3rc1"),
        (
            "PORTENV_PRERELEASE",
            "allow",
            "--prerelease disallow",
            "a==2",
        ),
        ("PORTENV_RESOLUTION", "lowest", "", "a==1"),
        (
            "PORTENV_RESOLUTION",
            "lowest",
            "--resolution highest",
            "a==2",
        ),
        ("PORTENV_EXCLUDE_NEWER", "2026-01-15", "", "a==1"),
        ("PORTENV_CONSTRAINT", "c.txt", "", "a==1"),
        ("PORTENV_OVERRIDE", "o.txt", "", "a==1"),
        ("PORTENV_QUIET", "1", "", "a==2"),
        ("PORTENV_NO_CACHE", "true", "", "a==2"),
        ("PORTENV_NO_CACHE", "0", "", "a==2"),
        ("PORTENV_NO_INDEX", "false", "", "a==2"),
        ("PORTENV_NO_BUILD", "1", "", "a==2"),
    ] {
        let arguments: Vec<&str> = ["resolve", "r.txt"]
            .into_iter()
            .chain(typed.split_whitespace())
            .collect();
        let mut command = world.sandbox.command(&arguments);
        command.env(name, value);
        let run = world.sandbox.finish(command).success();
        assert_eq!(picks(&run), expected, "{name}={value} {typed}");
    }
    for (name, value, code) in [
        ("PORTENV_NO_INDEX", "1", 1),
        ("PORTENV_NO_BINARY", "a", 1),
        ("PORTENV_ONLY_BINARY", "not a!name", 2),
        ("PORTENV_PYTHON_VERSION", "three", 2),
        ("PORTENV_PLATFORM", "amiga", 2),
        ("PORTENV_RESOLUTION", "newest", 2),
    ] {
        let mut command = world.sandbox.command(&["resolve", "r.txt"]);
        command.env(name, value);
        let run = world.sandbox.finish(command);
        assert!(run.code() == code, "{name}={value}\n{run}");
    }
    let mut command = world.sandbox.command(&["resolve", "r.txt"]);
    command.env("PORTENV_FORMAT", "json");
    check_document(&world.sandbox.finish(command).success().json());
}

#[test]
fn credentials_of_an_index_are_used_and_never_shown() {
    let world = World::new([Wheel::new("a", "1")]);
    world
        .server
        .set(|options: &mut Options| options.auth = Some(("me".into(), "s3cret".into())));
    let url = world.server.url().replace("http://", "http://me:s3cret@");
    let run = world
        .run("a\n", &format!("--index-url {url} --format json -v"))
        .success();
    check_document(&run.json());
    assert!(
        !run.stdout().contains("s3cret") && !run.stderr().contains("s3cret"),
        "{run}"
    );
    let kept = std::fs::read(world.sandbox.cache().join("index.db")).unwrap();
    assert!(
        !String::from_utf8_lossy(&kept).contains("s3cret"),
        "the cache keeps a password"
    );
    let netrc = "machine 127.0.0.1 login me password s3cret\n";
    std::fs::write(world.sandbox.home().join(".netrc"), netrc).unwrap();
    assert_eq!(world.resolved("a\n", "--no-cache"), "a==1");
}

#[test]
fn resolving_needs_no_installation_and_leaves_nothing() {
    let world = World::new([Wheel::new("a", "1")]);
    let dir = world.sandbox.home();
    std::fs::write(dir.join("list.txt"), "a\n").unwrap();
    let run = world
        .sandbox
        .portenv_in(&dir, &["resolve", "list.txt"])
        .success();
    assert_eq!(picks(&run), "a==1");
    let mut names: Vec<String> = dir
        .read_dir_utf8()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["gitconfig", "list.txt"]);
}
