//! `action.yml` and `.pre-commit-hooks.yaml`: the very steps that they name are run, as
//! GitHub's runner and pre-commit run them.

use std::collections::BTreeMap;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use crate::cli::gate::core::Desk;
use crate::cli::gate::forms::annotations;
use crate::support::yaml;

const PORTENV: &str = env!("CARGO_BIN_EXE_portenv");

fn read(name: &str) -> String {
    let path = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What a job of GitHub's keeps while it runs the action.
struct Job<'d> {
    desk: &'d Desk,
    inputs: BTreeMap<String, String>,
    outputs: BTreeMap<String, String>,
    /// What the steps printed, and the code of the last one.
    log: String,
    code: i32,
}

impl<'d> Job<'d> {
    fn temp(&self) -> Utf8PathBuf {
        self.desk.sandbox.dir().join("tmp/runner")
    }

    fn summary(&self) -> String {
        std::fs::read_to_string(self.temp().join("summary")).unwrap_or_default()
    }

    /// Runs the steps of the action one after another, until one fails.
    fn run(desk: &'d Desk, with: &[(&str, &str)]) -> Self {
        let action = yaml(&read("action.yml"));
        let mut job = Self {
            desk,
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            log: String::new(),
            code: 0,
        };
        for (name, input) in action["inputs"].as_object().unwrap() {
            let given = with.iter().find(|(key, _)| key == name);
            let default = input["default"].as_str().unwrap();
            let value = given.map_or(default, |(_, value)| *value);
            job.inputs.insert(name.clone(), value.to_owned());
        }
        for (name, _) in with {
            assert!(job.inputs.contains_key(*name), "no input `{name}`");
        }
        std::fs::create_dir_all(job.temp()).unwrap();
        assert_eq!(action["runs"]["using"], "composite");
        for step in action["runs"]["steps"].as_array().unwrap() {
            job.step(step);
            if job.code != 0 {
                break;
            }
        }
        // What the action hands on is there.
        for output in action["outputs"].as_object().unwrap().values() {
            let _ = job.filled(output["value"].as_str().unwrap());
        }
        job
    }

    /// Puts in what stands between `${{` and `}}`.
    fn filled(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("${{") {
            let (name, after) = behind.split_once("}}").expect("an expression ends");
            let parts: Vec<&str> = name.trim().split('.').collect();
            let value = match parts.as_slice() {
                ["inputs", name] => self.inputs[*name].clone(),
                ["steps", id, "outputs", name] => {
                    let found = self.outputs.get(&format!("{id}.{name}"));
                    found.cloned().unwrap_or_default()
                }
                _ => panic!("the test knows no `{name}`"),
            };
            out.push_str(before);
            out.push_str(&value);
            rest = after;
        }
        out + rest
    }

    fn step(&mut self, step: &Value) {
        let script = step["run"].as_str().unwrap();
        assert_eq!(step["shell"], "bash");
        // What was typed must not become part of a script.
        assert!(!script.contains("${{"), "{script}");
        let temp = self.temp();
        let (file, output) = (temp.join("step.sh"), temp.join("output"));
        std::fs::write(&file, script).unwrap();
        std::fs::write(&output, "").unwrap();
        let dir = step["working-directory"].as_str().unwrap_or(".");
        let mut command = bash(self.desk);
        command
            .args(["--noprofile", "--norc", "-eo", "pipefail", file.as_str()])
            .current_dir(self.desk.dir.join(self.filled(dir)))
            .env("GITHUB_OUTPUT", &output)
            .env("GITHUB_STEP_SUMMARY", temp.join("summary"))
            .env("GITHUB_ACTION_PATH", env!("CARGO_MANIFEST_DIR"))
            .env("RUNNER_TEMP", &temp);
        if let Some(variables) = step["env"].as_object() {
            for (name, value) in variables {
                command.env(name, self.filled(value.as_str().unwrap()));
            }
        }
        let finished = command.output().unwrap();
        self.log
            .push_str(&String::from_utf8_lossy(&finished.stdout));
        self.log
            .push_str(&String::from_utf8_lossy(&finished.stderr));
        self.code = finished.status.code().unwrap();
        let id = step["id"].as_str().unwrap();
        for line in std::fs::read_to_string(&output).unwrap().lines() {
            let (name, value) = line.split_once('=').unwrap();
            self.outputs
                .insert(format!("{id}.{name}"), value.to_owned());
        }
    }

    fn output(&self, name: &str) -> &str {
        let found = self.outputs.get(&format!("check.{name}"));
        found.map_or("", String::as_str)
    }
}

/// A shell with what every program gets here.
fn bash(desk: &Desk) -> Command {
    let portenv = desk.sandbox.command(&[]);
    let mut command = Command::new("bash");
    command.env_clear();
    for (name, value) in portenv.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command
}

#[test]
fn the_action_passes_a_node_that_fits_and_writes_the_summary() {
    let desk = Desk::new();
    desk.asks("gamma\n");
    let job = Job::run(&desk, &[("portenv", PORTENV)]);
    assert_eq!((job.code, job.output("status")), (0, "pass"), "{}", job.log);
    let summary = job.summary();
    assert!(summary.starts_with("## portenv check: pass\n"), "{summary}");
    assert!(summary.contains("ComfyUI v0.10.0"), "{summary}");
    assert_eq!(job.output("report"), "");
    assert!(annotations(&job.log).is_empty(), "{}", job.log);
}

#[test]
fn the_action_fails_with_annotations_a_summary_and_the_report_that_was_asked_for() {
    let desk = Desk::new();
    desk.asks("gamma\nbeta>=2\n");
    let job = Job::run(
        &desk,
        &[
            ("portenv", PORTENV),
            ("core", "v0.9.0"),
            ("format", "sarif"),
        ],
    );
    assert_eq!((job.code, job.output("status")), (1, "fail"), "{}", job.log);
    let found = annotations(&job.log);
    assert_eq!(
        (found.len(), found[0].get("file"), found[0].get("line")),
        (1, Some("requirements.txt"), Some("2")),
        "{}",
        job.log
    );
    assert!(
        job.summary().contains("| PE001 | error |"),
        "{}",
        job.summary()
    );
    let report = std::fs::read_to_string(job.output("report")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["runs"][0]["results"][0]["ruleId"], "PE001");
}

#[test]
fn the_action_takes_a_lock_a_list_several_nodes_and_further_words() {
    let desk = Desk::new();
    let inner = desk.dir.join("repo");
    for (node, requirements) in [
        ("one node", "gamma\n"),
        ("two", "beta\n"),
        ("three", "delta<2\n"),
    ] {
        let dir = inner.join(node.replace(' ', "-"));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("__init__.py"), "").unwrap();
        std::fs::write(dir.join("requirements.txt"), requirements).unwrap();
    }
    std::fs::write(inner.join("nodes.toml"), "[[node]]\nsource = \"three\"\n").unwrap();
    // Nothing is fetched of what it names.
    let digest = "0".repeat(64);
    let url = desk.server.url();
    let lock = format!(
        "lock-version = \"1.0\"\ncreated-by = \"a test\"\n\n[[packages]]\nname = \"delta\"\n\
         version = \"1.0\"\nindex = \"{url}\"\nwheels = [{{ name = \"delta-1.0-py3-none-any.whl\", \
         url = \"{url}delta.whl\", hashes = {{ sha256 = \"{digest}\" }} }}]\n\n[tool.portenv]\n\
         schema = 1\ntargets = [\"x86_64-unknown-linux-gnu@3.12.0\"]\n"
    );
    std::fs::write(inner.join("pylock.base.toml"), lock).unwrap();
    let job = Job::run(
        &desk,
        &[
            ("portenv", PORTENV),
            ("working-directory", "repo"),
            ("nodes", "one-node\ntwo"),
            ("against", "pylock.base.toml"),
            ("with", "nodes.toml"),
            ("args", "--now --only-new"),
        ],
    );
    assert_eq!((job.code, job.output("status")), (0, "pass"), "{}", job.log);
    let summary = job.summary();
    assert!(
        summary.contains("against <code>pylock.base.toml</code>"),
        "{summary}"
    );
    assert!(
        summary.contains("| <code>three</code> | fits |"),
        "{summary}"
    );
}

#[test]
fn a_check_that_could_not_be_done_is_an_error_of_the_action() {
    let desk = Desk::new();
    desk.asks("gamma\n");
    let job = Job::run(&desk, &[("portenv", PORTENV), ("core", "v7.7.7")]);
    assert_eq!(
        (job.code, job.output("status")),
        (2, "error"),
        "{}",
        job.log
    );
    assert!(
        job.summary().starts_with("## portenv check: error\n"),
        "{}",
        job.summary()
    );
    assert_eq!(annotations(&job.log).len(), 1, "{}", job.log);
}

#[test]
fn what_is_typed_into_the_action_is_never_run() {
    let desk = Desk::new();
    desk.asks("gamma\n");
    let touch = "$(touch ../ran) `touch ../ran`; touch ../ran";
    for input in ["nodes", "core", "against", "with", "args"] {
        let job = Job::run(&desk, &[("portenv", PORTENV), (input, touch)]);
        assert_eq!(job.code, 2, "{input}: {}", job.log);
        assert!(
            !desk.sandbox.dir().join("ran").exists(),
            "{input}: {}",
            job.log
        );
    }
}

#[test]
fn the_action_builds_what_lies_beside_it_or_installs_the_version_named() {
    let mut desk = Desk::new();
    desk.asks("gamma\n");
    // Stands for cargo: says what it was asked, and puts the program where it is wanted.
    let bin = desk.sandbox.dir().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let text = format!(
        "#!/bin/sh\necho \"cargo $*\"\nfor word; do root=$word; done\n\
         mkdir -p \"$root/bin\" && cp '{PORTENV}' \"$root/bin/portenv\"\n"
    );
    desk.sandbox.write_executable(&bin.join("cargo"), &text);
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
    desk.sandbox.set_env("PATH", &path);
    let source = env!("CARGO_MANIFEST_DIR");
    for (version, asked) in [
        (
            "",
            format!("cargo install --locked --path {source} --root "),
        ),
        (
            "1.2.3",
            "cargo install portenv --locked --version 1.2.3 --root ".to_owned(),
        ),
    ] {
        let job = Job::run(&desk, &[("version", version)]);
        assert_eq!(job.code, 0, "{}", job.log);
        assert!(job.log.contains(&asked), "{}", job.log);
        assert!(job.log.contains("check: pass"), "{}", job.log);
    }
}

#[test]
fn the_hooks_check_the_node_of_the_repository_they_run_in() {
    let mut desk = Desk::new();
    let bin = Utf8Path::new(PORTENV).parent().unwrap();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap());
    desk.sandbox.set_env("PATH", &path);
    let hooks = yaml(&read(".pre-commit-hooks.yaml"));
    let hooks = hooks.as_array().unwrap();
    assert_eq!(hooks.len(), 2);
    for (hook, language) in hooks.iter().zip(["rust", "system"]) {
        assert_eq!(hook["language"], language);
        // Else each file would be taken for a node.
        assert_eq!(hook["pass_filenames"], "false");
        let words = hook["args"].as_array().unwrap().iter();
        let words: Vec<&str> = words.map(|word| word.as_str().unwrap()).collect();
        let line = format!("{} {}", hook["entry"].as_str().unwrap(), words.join(" "));
        for (requirements, code) in [("gamma\n", 0), ("gamma\nbeta==1.5\n", 1)] {
            desk.asks(requirements);
            // A hook of git runs with these.
            let mut command = bash(&desk);
            command.args(["-c", &line]).current_dir(&desk.dir);
            command.env("GIT_DIR", desk.dir.join(".git"));
            command.env("GIT_INDEX_FILE", ".git/index");
            let finished = command.output().unwrap();
            assert_eq!(finished.status.code(), Some(code), "{finished:?}");
        }
        let files = hook["files"].as_str().unwrap();
        let script =
            "import re, sys\nprint([bool(re.search(sys.argv[1], it)) for it in sys.argv[2:]])";
        let mut command = bash(&desk);
        command.args(["-c", "python3 -c \"$@\"", "-", script, files]);
        command.args([
            "requirements.txt",
            "requirements-gpu.txt",
            "pyproject.toml",
            "nodes.py",
            "docs/requirements.txt",
        ]);
        let finished = command.output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&finished.stdout).trim(),
            "[True, True, True, False, False]",
            "{finished:?}"
        );
    }
}

#[test]
fn the_readme_gives_the_action_inputs_that_it_has() {
    let action = yaml(&read("action.yml"));
    let readme = read("README.md");
    let blocks = readme.split("```yaml\n").skip(1);
    let blocks: Vec<&str> = blocks.filter_map(|rest| rest.split("```").next()).collect();
    let mut seen = 0;
    for block in blocks.iter().map(|block| yaml(block)) {
        let jobs = block["jobs"].as_object();
        let jobs = jobs.into_iter().flat_map(|jobs| jobs.values());
        for step in jobs.flat_map(|job| job["steps"].as_array().unwrap()) {
            if !step["uses"]
                .as_str()
                .is_some_and(|uses| uses.contains("/portenv@"))
            {
                continue;
            }
            seen += 1;
            for name in step["with"].as_object().unwrap().keys() {
                assert!(action["inputs"][name].is_object(), "no input `{name}`");
            }
        }
        let hooks = yaml(&read(".pre-commit-hooks.yaml"));
        let repos = block["repos"].as_array().into_iter().flatten();
        for hook in repos.flat_map(|repo| repo["hooks"].as_array().unwrap()) {
            seen += 1;
            let mut known = hooks.as_array().unwrap().iter();
            assert!(known.any(|it| it["id"] == hook["id"]), "no hook {hook}");
        }
    }
    assert_eq!(seen, 2, "the README shows the action and a hook");
}
