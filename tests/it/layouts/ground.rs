//! A sandbox with an index, Pythons that can be moved, and the round that every layout goes.

use std::{
    ops::Deref,
    process::{Command, Output},
};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;

use crate::support::{Artifact, IndexServer, Run, Sandbox, Wheel, base_python, uv};

/// Makes a Python of its own: the program is a copy, so it finds its library beside itself, and
/// the library is links into the real one. It is no virtual environment.
const MOVABLE: &str = r#"
import os, shutil, sys
base = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
to, name = sys.argv[1], "python%d.%d" % sys.version_info[:2]
lib = os.path.dirname(os.__file__)
os.makedirs(f"{to}/bin")
os.makedirs(f"{to}/lib/{name}/site-packages")
shutil.copy2(base, f"{to}/bin/{name}")
for link in ("python", "python3"):
    os.symlink(name, f"{to}/bin/{link}")
own = {"site-packages", "dist-packages", "EXTERNALLY-MANAGED", "sitecustomize.py", "__pycache__"}
for entry in set(os.listdir(lib)) - own:
    os.symlink(f"{lib}/{entry}", f"{to}/lib/{name}/{entry}")
"#;

/// A sandbox whose index has what the tests need.
pub(super) struct Ground {
    pub(super) sandbox: Sandbox,
    /// Held, since it answers for as long as it lives.
    _server: IndexServer,
}

impl Deref for Ground {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Ground {
    /// Makes one. The index has `alpha` and `torch` in two versions, `beta`, and `gamma`, which
    /// needs `delta`.
    pub(super) fn new() -> Self {
        let server = IndexServer::start([
            Wheel::new("alpha", "1.0").build(),
            Wheel::new("alpha", "1.1").build(),
            Wheel::new("beta", "1.0").build(),
            Wheel::new("delta", "1.0").build(),
            Wheel::new("gamma", "1.0").requires("delta").build(),
            Wheel::new("torch", "2.9.0").build(),
            Wheel::new("torch", "2.10.0").build(),
        ]);
        let sandbox = Sandbox::new().with_index(&server);
        Self {
            sandbox,
            _server: server,
        }
    }

    /// Returns a path in the sandbox.
    pub(super) fn at(&self, path: &str) -> Utf8PathBuf {
        self.dir().join(path)
    }

    /// Writes a file in the sandbox, with the directories above it.
    pub(super) fn put(&self, path: &str, content: &str) {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Makes a checkout of ComfyUI without history.
    pub(super) fn core(&self, dir: &str, requirements: &str) {
        self.put(&format!("{dir}/main.py"), "print(\"ComfyUI\")\n");
        self.put(&format!("{dir}/comfy/__init__.py"), "");
        self.put(
            &format!("{dir}/comfyui_version.py"),
            "__version__ = \"0.4.0\"\n",
        );
        self.put(&format!("{dir}/requirements.txt"), requirements);
        std::fs::create_dir_all(self.at(dir).join("custom_nodes")).unwrap();
    }

    /// Makes a Python that is no virtual environment.
    pub(super) fn movable(&self, dir: &str) -> Utf8PathBuf {
        let dir = self.at(dir);
        let mut command = Command::new(base_python());
        command.args(["-I", "-c", MOVABLE, dir.as_str()]);
        done(command.output());
        dir.join("bin/python")
    }

    /// Makes a virtual environment of a Python.
    pub(super) fn venv_of(&self, python: &Utf8Path, dir: &str, more: &[&str]) -> Utf8PathBuf {
        let dir = self.at(dir);
        let mut command = Command::new(python);
        command.args(["-I", "-m", "venv", "--without-pip"]);
        command.args(more).arg(&dir);
        done(command.output());
        dir.join("bin/python")
    }

    /// Makes a virtual environment of the machine's Python.
    pub(super) fn venv_at(&self, dir: &str) -> Utf8PathBuf {
        self.venv_of(Utf8Path::new(base_python()), dir, &[])
    }

    /// Installs wheels with uv alone.
    pub(super) fn install(&self, python: &Utf8Path, wheels: &[Artifact]) {
        for wheel in wheels {
            let file = self.save(wheel);
            let mut command = Command::new(uv());
            command.args(["pip", "install", "--no-config", "--no-index", "--no-deps"]);
            command.args(["--reinstall", "--break-system-packages", "--python"]);
            command.args([python, &file]);
            command.env("UV_CACHE_DIR", self.at("cache/uv"));
            done(command.output());
        }
    }

    /// Makes a node outside the installation, ready to be named on the command line.
    pub(super) fn offered(&self, name: &str, requirements: &str) -> String {
        self.put(&format!("offered/{name}/__init__.py"), "");
        self.put(&format!("offered/{name}/requirements.txt"), requirements);
        self.at("offered").join(name).into_string()
    }

    /// Runs portenv in a directory of the sandbox.
    pub(super) fn run(&self, dir: &str, line: &[&str]) -> Run {
        self.portenv_in(&self.at(dir), line)
    }

    /// Runs a command that asks for JSON and exits with this code.
    #[track_caller]
    pub(super) fn json(&self, code: i32, dir: &str, line: &[&str]) -> Value {
        let line: Vec<&str> = line.iter().copied().chain(["--format", "json"]).collect();
        self.run(dir, &line).expect_code(code).json()
    }

    /// Demands a refusal with this exit code and error code, and all of these words on stderr.
    #[track_caller]
    pub(super) fn refused(&self, dir: &str, line: &[&str], exit: i32, code: &str, words: &[&str]) {
        let line: Vec<&str> = line.iter().copied().chain(["--format", "json"]).collect();
        let run = self.run(dir, &line).expect_code(exit);
        assert_eq!(run.json()["error"]["code"], code, "{run}");
        for word in words {
            assert!(run.stderr().contains(word), "no {word} in\n{run}");
        }
    }

    /// Takes a layout through everything: what is found, by `self`, `status` and `init`; a node
    /// that is previewed, added and rolled back, for real.
    #[track_caller]
    pub(super) fn round(&self, layout: &Expected<'_>) {
        let dir = layout.start;
        let told = self.json(0, dir, &["self"]);
        assert_eq!(told["schema"], "portenv.self/1");
        let here = &told["installation"];
        let root = self.at(layout.root);
        let shown = |value: &Value| value.as_str().unwrap_or("null").to_owned();
        let found = [
            ("root", self.normalised(root.as_str()), shown(&here["root"])),
            ("layout", layout.layout.to_owned(), shown(&here["layout"])),
            ("core", layout.core.to_owned(), shown(&here["core"])),
            (
                "python",
                layout.python.to_owned(),
                shown(&here["python"]["path"]),
            ),
        ];
        for (what, expected, found) in found {
            assert_eq!(found, expected, "{what}: {told}");
        }
        assert_eq!(here["custom_nodes"][0], layout.nodes, "{told}");
        let why = shown(&here["python"]["reason"]);
        assert!(why.contains(layout.why), "{why}");

        let status = self.json(0, dir, &["status"]);
        assert_eq!(status["layout"], layout.layout);
        assert_eq!(status["core"], layout.core);
        assert_eq!(shown(&status["python_reason"]), why);
        let python = root.join(layout.python.replace("[SANDBOX]", self.dir().as_str()));
        let before = seen(&python);

        let init = self.json(0, dir, &["init"]);
        // A node without history is one; of packages there is none.
        let lost = init["unrestorable"].as_array().unwrap().iter();
        let lost: Vec<_> = lost
            .filter(|entry| !entry["reason"].as_str().unwrap().contains("no history"))
            .collect();
        assert!(lost.is_empty(), "{init}");
        assert_eq!(shown(&init["core"]["dir"]), layout.core);
        let _ = self.run(dir, &["lock"]).success();
        let _ = self.run(dir, &["sync", "--yes"]).success();
        let synced = seen(&python);

        let node = self.offered("new-node", "gamma\n");
        let preview = self.json(0, dir, &["preview", &node]);
        assert_eq!(preview["status"], "ok", "{preview}");
        assert_eq!(
            preview["nodes"][0]["dir"],
            format!("{}/new-node", layout.nodes)
        );
        let _ = self.run(dir, &["add", &node, "--yes"]).success();
        let nodes = layout.nodes.replace("[SANDBOX]", self.dir().as_str());
        let added = root.join(nodes).join("new-node/requirements.txt");
        assert!(added.exists(), "{added}");
        let with = seen(&python);
        assert!(with.contains("delta 1.0, gamma 1.0"), "{with}");

        let _ = self.run(dir, &["rollback", "--yes"]).success();
        assert_eq!(seen(&python), synced);
        assert!(!added.exists(), "{added}");
        let _ = self.run(dir, &["rollback", "@~3", "--yes"]).success();
        assert_eq!(seen(&python), before, "as found");
        let drift = &self.json(0, dir, &["status"])["drift"];
        assert_eq!(drift["changes"], Value::Array(Vec::new()), "{drift}");
    }
}

/// What is to be found of a layout; paths are as JSON shows them.
pub(super) struct Expected<'a> {
    /// The working directory, in the sandbox.
    pub(super) start: &'a str,
    pub(super) root: &'a str,
    pub(super) layout: &'a str,
    pub(super) core: &'a str,
    pub(super) python: &'a str,
    /// Part of the reason for this Python.
    pub(super) why: &'a str,
    /// Where new nodes go.
    pub(super) nodes: &'a str,
}

#[track_caller]
fn done(output: std::io::Result<Output>) -> Output {
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    output
}

/// Returns the requirement lines of every conflict, with what stands behind each.
pub(super) fn conflicts(document: &Value) -> Vec<String> {
    let lists = document["conflicts"].as_array().unwrap().iter();
    let lines = lists.flat_map(|conflict| conflict["requirements"].as_array().unwrap());
    lines
        .map(|line| {
            let file = line["origin"]["file"].as_str().unwrap_or("-");
            format!("{} {file}", line["requirement"].as_str().unwrap())
        })
        .collect()
}

/// Returns what a Python sees, asked of itself, as `alpha 1.0, beta 1.0`.
pub(super) fn seen(python: &Utf8Path) -> String {
    let code = "import importlib.metadata as m\nfound = {}\nfor d in m.distributions():\n    \
                found.setdefault(d.name, d.version)\nprint(', '.join(f'{n} {v}' for n, v in sorted(found.items())))";
    let mut command = Command::new(python);
    command.args(["-I", "-B", "-c", code]);
    let output = done(command.output());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Returns where a Python installs to.
pub(super) fn site_of(python: &Utf8Path) -> Utf8PathBuf {
    let mut command = Command::new(python);
    command.args(["-I", "-B", "-c"]);
    command.arg("import sysconfig; print(sysconfig.get_path('purelib'))");
    let output = done(command.output());
    Utf8PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}
