//! `--core`: ComfyUI's requirements at a release in place of an installation.

use camino::Utf8PathBuf;
use serde_json::Value;

use crate::cli::gate::forms::annotations;
use crate::cli::place::{assert_error, changes, strings, tree};
use crate::support::{Hosted, IndexServer, Run, Sandbox, Sdist, Wheel};

/// A repository that stands for ComfyUI's, and a node's checkout with neither an
/// installation nor a Python around it.
pub(super) struct Desk {
    pub(super) server: IndexServer,
    pub(super) sandbox: Sandbox,
    pub(super) dir: Utf8PathBuf,
}

impl Desk {
    /// The releases are of 2026-05-01; of `alpha` 1.1 is newer than that.
    pub(super) fn new() -> Self {
        let server = IndexServer::start([
            Hosted::from(Wheel::new("alpha", "1.0").build()),
            Hosted::from(Wheel::new("alpha", "1.1").build()).upload_time("2026-06-01T00:00:00Z"),
            Hosted::from(Wheel::new("beta", "1.0").build()),
            Hosted::from(Wheel::new("beta", "2.0").build()),
            Hosted::from(Wheel::new("gamma", "1.0").requires("delta>=1").build()),
            Hosted::from(Wheel::new("delta", "1.0").build()),
            Hosted::from(Wheel::new("delta", "2.0").build()),
        ]);
        let mut sandbox = Sandbox::new().with_index(&server);
        let remote = sandbox.remote_dir("ComfyUI");
        let write = |name: &str, text: &str| std::fs::write(remote.join(name), text).unwrap();
        std::fs::create_dir_all(remote.join("comfy")).unwrap();
        write("main.py", "print(\"ComfyUI\")\n");
        write("comfy/large.py", "# nobody asks for this\n");
        write("comfyui_version.py", "__version__ = \"0.3.0\"\n");
        for (tag, requirements) in [
            ("v0.9.0", "alpha\nbeta<2\n"),
            ("v0.10.0", "# the newest\nalpha\nbeta\n"),
            ("v0.11.0-rc.1", "alpha\nbeta\ndelta<2\n"),
            ("nightly", "alpha\n"),
        ] {
            write("requirements.txt", requirements);
            sandbox.commit_all(&remote, tag);
            sandbox.git(&remote, &["tag", "-a", "-m", tag, tag]);
        }
        let url = format!("file://{remote}");
        sandbox.set_env("PORTENV_CORE_URL", &url);
        let dir = sandbox.dir().join("checkout");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("__init__.py"), "").unwrap();
        Self {
            server,
            sandbox,
            dir,
        }
    }

    pub(super) fn asks(&self, requirements: &str) -> &Self {
        std::fs::write(self.dir.join("requirements.txt"), requirements).unwrap();
        self
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Run {
        let all = [&["check"], arguments].concat();
        self.sandbox.portenv_in(&self.dir, &all)
    }

    #[track_caller]
    pub(super) fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let all = [arguments, &["--format", "json"]].concat();
        self.run(&all).expect_code(code).json()
    }

    /// Returns where the repository that stands for ComfyUI's can be had.
    pub(super) fn remote_url(&self) -> String {
        format!("file://{}", self.remote())
    }

    fn remote(&self) -> Utf8PathBuf {
        self.sandbox.remote_dir("ComfyUI")
    }

    /// Makes sure that nobody can ask the repository any more.
    fn lose_remote(&self) {
        std::fs::rename(self.remote(), self.sandbox.dir().join("gone")).unwrap();
    }
}

fn lines_of(conflict: &Value) -> Vec<String> {
    let lines = conflict["requirements"].as_array().unwrap();
    let mut shown: Vec<String> = lines
        .iter()
        .map(|line| {
            let origin = &line["origin"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            format!(
                "{} {}:{} {}",
                text(&origin["kind"]),
                text(&origin["file"]),
                origin["line"],
                text(&line["requirement"])
            )
        })
        .collect();
    shown.sort();
    shown
}

#[test]
fn a_node_that_a_release_can_live_with_passes_and_the_release_is_named() {
    let desk = Desk::new();
    let before = tree(&desk.asks("gamma\nbeta\n").dir);
    let document = desk.json(0, &[".", "--core", "v0.9.0"]);
    let commit = desk
        .sandbox
        .git(&desk.remote(), &["rev-parse", "v0.9.0^{commit}"]);
    // Nothing has to be kept for it.
    let kept = desk.json(0, &[".", "--core", "v0.9.0", "--no-cache"]);
    assert_eq!(kept["core"], document["core"]);
    let core = &document["core"];
    assert_eq!(
        (&core["name"], &core["commit"], &core["time"]),
        (
            &"v0.9.0".into(),
            &commit.into(),
            &"2026-05-01T00:00:00Z".into()
        )
    );
    assert_eq!(document["against"], Value::Null);
    // Against what ComfyUI alone leads to: only what the node brings is a change.
    assert_eq!(changes(&document), ["add delta - 2.0", "add gamma - 1.0"]);
    assert_eq!(tree(&desk.dir), before);
}

#[test]
fn a_conflict_names_the_lines_of_the_release_and_of_the_checkout() {
    let desk = Desk::new();
    let document = desk
        .asks("gamma\nbeta>=2\n")
        .json(1, &[".", "--core", "v0.9.0"]);
    assert_eq!(strings(&document["findings"], "code"), ["PE001"]);
    assert_eq!(
        lines_of(&document["conflicts"][0]),
        [
            "core requirements.txt:2 beta<2",
            "node requirements.txt:2 beta>=2"
        ]
    );
    let github = desk.run(&[".", "--core", "v0.9.0", "--format", "github"]);
    let found = annotations(github.expect_code(1).stdout());
    assert_eq!(
        (found.len(), found[0].get("file"), found[0].get("line")),
        (1, Some("requirements.txt"), Some("2"))
    );
    // The newest release has no such line.
    let document = desk.json(0, &[".", "--core", "latest"]);
    assert_eq!(document["core"]["name"], "v0.10.0");
}

#[test]
fn latest_is_the_highest_version_that_is_no_pre_release() {
    let desk = Desk::new();
    let text = desk.asks("").run(&[".", "--core", "latest"]).success();
    assert!(
        text.stdout()
            .contains("check: pass, against ComfyUI v0.10.0 as of 2026-05-01T00:00:00Z"),
        "{text}"
    );
    // A tag may be named without its `v`, a branch or a whole commit as well.
    for (word, name) in [
        ("0.9.0", "v0.9.0"),
        ("nightly", "nightly"),
        ("main", "main"),
    ] {
        let document = desk.json(0, &[".", "--core", word]);
        assert_eq!(document["core"]["name"], name);
    }
    let commit = desk
        .sandbox
        .git(&desk.remote(), &["rev-parse", "v0.9.0^{commit}"]);
    let document = desk.json(0, &[".", "--core", &commit]);
    assert_eq!(document["core"]["commit"], Value::from(commit));
}

#[test]
fn a_tag_is_fetched_once_and_latest_again_after_ten_minutes() {
    let mut desk = Desk::new();
    let _ = desk.asks("gamma\n").json(0, &[".", "--core", "v0.9.0"]);
    let _ = desk.json(0, &[".", "--core", "latest"]);
    let remote = desk.remote();
    std::fs::write(remote.join("requirements.txt"), "alpha\n").unwrap();
    desk.sandbox.commit_all(&remote, "newer");
    desk.sandbox.git(&remote, &["tag", "v0.12.0"]);
    // What was seen a moment ago is not asked for again.
    assert_eq!(
        desk.json(0, &[".", "--core", "latest"])["core"]["name"],
        "v0.10.0"
    );
    desk.sandbox
        .set_env("PORTENV_TEST_CLOCK", "2027-01-01T00:00:00Z");
    assert_eq!(
        desk.json(0, &[".", "--core", "latest"])["core"]["name"],
        "v0.12.0"
    );
    desk.lose_remote();
    let _ = desk.json(0, &[".", "--core", "v0.9.0"]);
    let _ = desk.json(0, &[".", "--core", "v0.12.0"]);
    desk.sandbox
        .set_env("PORTENV_TEST_CLOCK", "2027-02-01T00:00:00Z");
    let gone = desk.json(3, &[".", "--core", "latest"]);
    assert_eq!(gone["error"]["code"], "git");
    // Without the network what was seen last counts.
    let document = desk.json(0, &[".", "--core", "latest", "--offline"]);
    assert_eq!(document["core"]["name"], "v0.12.0");
    let missing = desk.json(3, &[".", "--core", "v0.10.1", "--offline"]);
    assert_eq!(missing["error"]["code"], "offline");
}

#[test]
fn only_requirement_files_are_kept_and_the_cache_knows_them_for_its_own() {
    let desk = Desk::new();
    let _ = desk.asks("").json(0, &[".", "--core", "v0.9.0"]);
    // A repository that can leave files out sends those alone that are read.
    let filter = ["config", "uploadpack.allowFilter", "true"];
    desk.sandbox.git(&desk.remote(), &filter);
    let _ = desk.json(0, &[".", "--core", "v0.10.0"]);
    let git = desk.sandbox.cache().join("git");
    let mut files: Vec<String> = tree(&git)
        .into_keys()
        .filter(|path| !path.ends_with('/'))
        .map(|path| path.rsplit('/').next().unwrap().to_owned())
        .collect();
    files.sort();
    files.dedup();
    assert_eq!(
        files,
        [
            "comfyui_version.py",
            "commit.json",
            "releases.json",
            "requirements.txt"
        ]
    );
    let document = desk
        .sandbox
        .portenv(&["cache", "clean", "--format", "json"]);
    let _ = document.success();
    assert_eq!(git.read_dir_utf8().map_or(0, Iterator::count), 0);
}

#[test]
fn a_check_of_a_release_is_of_the_day_it_was_made() {
    let desk = Desk::new();
    // `alpha 1.1` came a month after the release.
    let document = desk
        .asks("alpha>=1.1\n")
        .json(1, &[".", "--core", "v0.9.0"]);
    assert_eq!(document["as_of"], "2026-05-01T00:00:00Z");
    assert_eq!(strings(&document["findings"], "code"), ["PE001"]);
    let text = desk.run(&[".", "--core", "v0.9.0"]).expect_code(1);
    assert!(text.stderr().contains("--now takes"), "{text}");
    let document = desk.json(0, &[".", "--core", "v0.9.0", "--now"]);
    assert_eq!(document["as_of"], Value::Null);
    // What is asked for in so many words wins.
    let later = ["--exclude-newer", "2026-07-01"];
    let document = desk.json(0, &[&[".", "--core", "v0.9.0"], &later[..]].concat());
    assert_eq!(document["as_of"], Value::Null);
    let both = desk.run(&[
        ".",
        "--core",
        "v0.9.0",
        "--now",
        "--exclude-newer",
        "2026-07-01",
    ]);
    let _ = both.expect_code(2);
}

#[test]
fn an_index_without_upload_times_is_told_and_all_of_it_counts() {
    let desk = Desk::new();
    let timeless = Hosted::from(Wheel::new("epsilon", "1.0").build()).without_upload_time();
    desk.server.add(timeless);
    let document = desk.asks("epsilon\n").json(0, &[".", "--core", "v0.9.0"]);
    assert_eq!(strings(&document["warnings"], "code"), ["no-upload-time"]);
    let text = desk.run(&[".", "--core", "v0.9.0"]).success();
    assert!(text.stderr().contains("tells no upload times"), "{text}");
    // Asked for in so many words it is a promise that cannot be kept.
    let strict = ["--exclude-newer", "2026-07-01"];
    let _ = desk.json(1, &[&[".", "--core", "v0.9.0"], &strict[..]].concat());
}

#[test]
fn three_platforms_count_unless_others_are_named() {
    let desk = Desk::new();
    let wheel = Wheel::new("winonly", "1.0").tag("py3-none-win_amd64");
    desk.server.add(wheel.build());
    let document = desk.asks("winonly\n").json(1, &[".", "--core", "v0.9.0"]);
    assert_eq!(strings(&document["findings"], "code"), ["PE014"]);
    let windows = ["--platform", "x86_64-pc-windows-msvc"];
    let _ = desk.json(0, &[&[".", "--core", "v0.9.0"], &windows[..]].concat());
    let settings = "[resolve]\ntargets = [\"x86_64-pc-windows-msvc@3.13\"]\n";
    std::fs::write(desk.dir.join("portenv.toml"), settings).unwrap();
    let _ = desk.json(0, &[".", "--core", "v0.9.0"]);
}

#[test]
fn a_path_that_exists_is_a_path_whatever_its_name() {
    let desk = Desk::new();
    desk.asks("beta>=2\n");
    // A requirements file.
    std::fs::write(desk.dir.join("v0.10.0"), "beta<2\n").unwrap();
    let document = desk.json(1, &[".", "--core", "v0.10.0"]);
    assert_eq!(document["core"], Value::Null);
    assert_eq!(document["against"], "v0.10.0");
    assert_eq!(
        lines_of(&document["conflicts"][0]),
        ["core v0.10.0:1 beta<2", "node requirements.txt:1 beta>=2"]
    );
    std::fs::remove_file(desk.dir.join("v0.10.0")).unwrap();
    // A checkout, with no installation around.
    let core = desk.dir.join("v0.10.0");
    std::fs::create_dir(&core).unwrap();
    std::fs::write(core.join("requirements.txt"), "alpha\nbeta<2\n").unwrap();
    let document = desk.json(1, &[".", "--core", "v0.10.0"]);
    assert_eq!(
        lines_of(&document["conflicts"][0])[0],
        "core v0.10.0/requirements.txt:2 beta<2"
    );
    // A word that can only be a path is none of the repository's.
    for word in ["./nowhere", "nowhere.txt", "pylock.nowhere.toml"] {
        let document = desk.json(2, &[".", "--core", word]);
        assert_eq!(document["error"]["code"], "not-found", "{word}");
    }
}

#[test]
fn a_release_that_contradicts_itself_is_told_as_such() {
    let desk = Desk::new();
    let file = desk.dir.join("broken.txt");
    std::fs::write(&file, "beta<2\nbeta>=2\n").unwrap();
    let document = desk.asks("gamma\n").json(1, &[".", "--core", "broken.txt"]);
    assert_eq!(
        lines_of(&document["conflicts"][0]),
        ["core broken.txt:1 beta<2", "core broken.txt:2 beta>=2"]
    );
}

#[test]
fn a_line_of_a_release_that_cannot_be_read_is_told() {
    let desk = Desk::new();
    std::fs::write(desk.dir.join("odd.txt"), "alpha\n=== what?\n").unwrap();
    let document = desk.asks("gamma\n").json(0, &[".", "--core", "odd.txt"]);
    assert_eq!(
        strings(&document["warnings"], "code"),
        ["invalid-requirement"]
    );
    let origin = &document["warnings"][0]["origin"];
    assert_eq!(
        (&origin["file"], &origin["line"]),
        (&"odd.txt".into(), &2.into())
    );
}

#[test]
fn what_a_node_moves_down_is_a_warning_and_no_torch_is_in_the_way() {
    let desk = Desk::new();
    for version in ["2.9.0", "2.10.0"] {
        desk.server.add(Wheel::new("torch", version).build());
    }
    let core = desk.dir.join("core.txt");
    std::fs::write(&core, "torch\n").unwrap();
    let document = desk
        .asks("torch<2.10\n")
        .json(0, &[".", "--core", "core.txt"]);
    assert_eq!(strings(&document["findings"], "code"), ["PE012"]);
    assert_eq!(changes(&document), ["downgrade torch 2.10.0 2.9.0"]);
}

#[test]
fn what_has_to_be_built_is_told_without_a_python_to_build_it() {
    let desk = Desk::new();
    let setup =
        "from setuptools import setup, Extension\nsetup(ext_modules=[Extension('a', ['a.c'])])\n";
    let sdist = Sdist::new("extended", "1.0").file("setup.py", setup);
    desk.server.add(sdist.build());
    let document = desk.asks("extended\n").json(0, &[".", "--core", "v0.9.0"]);
    assert_eq!(strings(&document["findings"], "code"), ["PE011"]);
    // Whose compiler it would be nobody knows.
    let warnings = strings(&document["warnings"], "code");
    assert!(
        !warnings.contains(&"needs-compiler".to_owned()),
        "{warnings:?}"
    );
}

#[test]
fn a_name_that_the_repository_does_not_have_is_bad_input() {
    let desk = Desk::new();
    let run = desk
        .asks("")
        .run(&[".", "--core", "v9.9.9", "--format", "json"]);
    assert_error(&run.expect_code(2), "not-found");
    // What could be an option of git is none.
    let option = desk.run(&[".", "--core=--upload-pack=touch", "--format", "json"]);
    let _ = option.expect_code(2);
    let option = ["--core-url=--upload-pack=touch", "--format", "json"];
    let run = desk.run(&[&[".", "--core", "latest"], &option[..]].concat());
    assert_error(&run.expect_code(3), "git");
    assert_error(
        &desk
            .run(&["--core", "v0.9.0", "--format", "json"])
            .expect_code(2),
        "usage",
    );
    let empty = desk.sandbox.git_remote("empty", "");
    let other = ["--core-url", empty.as_str(), "--format", "json"];
    let run = desk.run(&[&[".", "--core", "latest"], &other[..]].concat());
    assert_error(&run.expect_code(2), "not-found");
}
