//! An installation to kill portenv in: a core, three nodes from local repositories, packages
//! of PyPI; and as many like it as there are cases.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::state::git;

/// What the core asks for: small packages, and many.
const CORE: &str = "attrs\ncertifi\nclick\nfilelock\nfsspec\nhttpx\nidna\njinja2\nmore-itertools\n\
packaging\npathspec\nplatformdirs\npyparsing\npython-dateutil\npytz\npyyaml\nrequests\nrich\nsix\n\
tabulate\ntomli\ntqdm\ntyping-extensions\nurllib3\nwcwidth\nzipp\n";

/// What the core asks for once it changed: others stay, come, go and are older.
const CHANGED: &str = "attrs<25\ncertifi\nclick<8.1\ncolorama\nfilelock\nfsspec\nhttpx\nidna\njinja2\n\
packaging<25\npathspec\nplatformdirs\npyparsing<3.2\npython-dateutil\npytz\npyyaml\nrequests\nrich<14\n\
six\ntomli\ntqdm\ntyping-extensions\nurllib3\nwcwidth\nzipp\ntoolz\n";

/// Programs and directories of all runs.
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    pub(crate) portenv: String,
    pub(crate) uv: String,
    pub(crate) python: String,
}

impl Place {
    /// Where every run happens: an environment knows its own path.
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.join("ComfyUI")
    }

    /// The stand-in for uv, and what tells it what to do.
    pub(crate) fn stand_in(&self) -> PathBuf {
        self.dir.join("uv-stand-in")
    }

    /// Returns a command of portenv, unstarted.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.portenv);
        command.args(arguments).current_dir(self.root()).env_clear();
        let path = format!(
            "{}:/usr/local/bin:/usr/bin:/bin",
            self.dir.join("bin").display()
        );
        command.env("PATH", path);
        command.env("HOME", self.dir.join("home"));
        command.env("PORTENV_CACHE_DIR", self.dir.join("cache"));
        command.env("UV_CACHE_DIR", self.dir.join("uv-cache"));
        command.env("PORTENV_UV", self.stand_in().join("uv"));
        for (name, value) in std::env::vars() {
            if name.starts_with("SSL_CERT") || name.to_ascii_lowercase().ends_with("_proxy") {
                command.env(name, value);
            }
        }
        // All there is to fetch was fetched when the places were made.
        if arguments.first() != Some(&"update") {
            command.env("PORTENV_OFFLINE", "1");
        }
        command.stdin(Stdio::null());
        command
    }

    /// Runs portenv to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs portenv while places are made: it must do well, and may fetch.
    fn make(&self, arguments: &[&str]) {
        let mut command = self.command(arguments);
        let output = command.env_remove("PORTENV_OFFLINE").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
    }

    /// Says what the stand-in for uv does from now on.
    pub(crate) fn order(&self, mode: &str) {
        fs::write(self.stand_in().join("mode"), mode).unwrap();
    }

    /// Makes the places: by name, each a copy of the installation at one moment.
    pub(crate) fn prepare(&self) -> BTreeMap<&'static str, PathBuf> {
        fs::create_dir_all(self.dir.join("home")).unwrap();
        fs::create_dir_all(self.dir.join("bin")).unwrap();
        self.write_stand_in();
        let root = self.root();
        write(&root.join("main.py"), "print(\"ComfyUI\")\n");
        write(&root.join("comfy/__init__.py"), "");
        write(
            &root.join("comfyui_version.py"),
            "__version__ = \"0.3.75\"\n",
        );
        write(&root.join("requirements.txt"), CORE);
        let ignored =
            "/custom_nodes/\n/.venv/\n/.portenv/\n/pylock.toml\n/portenv.toml\n__pycache__/\n";
        write(&root.join(".gitignore"), ignored);
        fs::create_dir_all(root.join("custom_nodes")).unwrap();
        commit(&root, "ComfyUI 0.3.75");
        let a = self.remote("node-a", "pygments\n", 150);
        let b = self.remote("node-b", "networkx<3.4\n", 150);
        let c = self.remote("node-c", "docutils\nbabel\n", 60);
        let d = self.remote("node-d", "sympy<1.13\nmpmath\n", 60);
        let made = Command::new(&self.uv)
            .args(["venv", "-q", "--no-config", "--python", &self.python])
            .arg(root.join(".venv"))
            .output();
        assert!(made.unwrap().status.success());
        let mut places = BTreeMap::new();
        self.make(&["init", "--yes"]);
        self.make(&["lock"]);
        self.make(&["sync", "--yes"]);
        for url in [&a, &b] {
            self.make(&["add", "--yes", url]);
        }
        self.advance("node-a", "pygments<2.19\n");
        self.make(&["update", "--yes", "node-a"]);
        self.make(&["add", "--yes", &c]);
        self.advance("node-b", "networkx\n");
        places.insert("nodes", self.keep("nodes"));
        write(&root.join("requirements.txt"), CHANGED);
        commit(&root, "Other requirements");
        self.make(&["lock"]);
        self.make(&["snapshot", "create"]);
        places.insert("locked", self.keep("locked"));
        self.take(&places["nodes"]);
        fs::remove_dir_all(root.join(".portenv")).unwrap();
        places.insert("unknown", self.keep("unknown"));
        // What a later command asks for is fetched now.
        for (name, words) in [
            ("nodes", ["add", "--yes", &d].as_slice()),
            ("nodes", &["update", "--yes", "node-b"]),
            ("nodes", &["rollback", "--yes", "@~2"]),
            ("locked", &["sync", "--yes"]),
        ] {
            self.take(&places[name]);
            self.make(words);
        }
        places
    }

    /// Puts a copy of a place where all runs happen.
    pub(crate) fn take(&self, place: &Path) {
        let root = self.root();
        if root.exists() {
            fs::remove_dir_all(&root).unwrap();
        }
        copy(place, &root);
    }

    fn keep(&self, name: &str) -> PathBuf {
        let to = self.dir.join("places").join(name);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        copy(&self.root(), &to);
        to
    }

    /// The address of a node's repository.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("file://{}", self.dir.join("remotes").join(name).display())
    }

    fn remote(&self, name: &str, requirements: &str, files: usize) -> String {
        let dir = self.dir.join("remotes").join(name);
        write(&dir.join("__init__.py"), "NODE_CLASS_MAPPINGS = {}\n");
        write(&dir.join("requirements.txt"), requirements);
        for n in 0..files {
            let text = format!("VALUE = {n}\n").repeat(200 + n);
            write(&dir.join(format!("parts/p{}/part_{n}.py", n % 7)), &text);
        }
        commit(&dir, "First version");
        self.url(name)
    }

    /// Makes a second version of a node: files change, come and go.
    fn advance(&self, name: &str, requirements: &str) {
        let dir = self.dir.join("remotes").join(name);
        write(&dir.join("requirements.txt"), requirements);
        for n in 0..150 {
            let at = dir.join(format!("parts/p{}/part_{n}.py", n % 7));
            match n % 4 {
                0 => fs::remove_file(at).unwrap(),
                1 => write(
                    &dir.join(format!("more/q{}/new_{n}.py", n % 5)),
                    &"NEW = 1\n".repeat(300),
                ),
                2 => write(&at, &format!("CHANGED = {n}\n").repeat(220 + n)),
                _ => {}
            }
        }
        commit(&dir, "Second version");
    }

    /// The stand-in runs the real uv, unless `mode` says otherwise; only for `pip sync`.
    fn write_stand_in(&self) {
        let dir = self.stand_in();
        let text = format!(
            r#"#!/bin/sh
uv='{uv}'
dir='{dir}'
case "$*" in
  *"pip sync"*) read -r mode delay < "$dir/mode" ;;
  *) mode=pass ;;
esac
case "$mode" in
  fail) echo pass > "$dir/mode"; echo "error: told to fail" >&2; exit 2 ;;
  late) echo pass > "$dir/mode"; "$uv" "$@"; echo "error: told to fail after all" >&2; exit 2 ;;
  half) echo pass > "$dir/mode"; "$uv" "$@" & pid=$!; sleep "$delay"; kill -9 $pid; wait $pid; exit 2 ;;
  hang) echo $$ > "$dir/hanging"; exec sleep 1000 ;;
  halfhang) "$uv" "$@" & pid=$!; sleep "$delay"; kill -9 $pid; wait $pid; echo $$ > "$dir/hanging"; exec sleep 1000 ;;
  *) exec "$uv" "$@" ;;
esac
"#,
            uv = self.uv,
            dir = dir.display()
        );
        write(&dir.join("uv"), &text);
        let status = Command::new("chmod").arg("+x").arg(dir.join("uv")).status();
        assert!(status.unwrap().success());
        self.order("pass 0");
    }
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp")
        .args(["-a", "--reflink=auto"])
        .arg(from)
        .arg(to)
        .status();
    assert!(status.unwrap().success());
}

pub(crate) fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn commit(dir: &Path, message: &str) {
    if !dir.join(".git").exists() {
        git(dir, &["init", "-q", "--initial-branch=main"]);
    }
    git(dir, &["add", "--all"]);
    git(dir, &["commit", "-q", "-m", message]);
}
