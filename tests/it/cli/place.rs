//! One small installation with its own index, and what all command tests ask of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::Deref,
};

use camino::Utf8Path;
use serde_json::Value;

use crate::support::{IndexServer, Run, Sandbox, Wheel, sha256};

/// An installation whose index is named in `portenv.toml`, as a user would do it.
pub(super) struct Place {
    pub(super) server: IndexServer,
    pub(super) sandbox: Sandbox,
}

impl Deref for Place {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Place {
    /// Makes a core that asks for `alpha` and `beta<2`, and an empty environment. The index has
    /// also `gamma`, which needs `delta`, and newer versions.
    pub(super) fn new() -> Self {
        let server = IndexServer::start([
            Wheel::new("alpha", "1.0").build(),
            Wheel::new("alpha", "1.1").build(),
            Wheel::new("beta", "1.0").build(),
            Wheel::new("beta", "2.0").build(),
            Wheel::new("gamma", "1.0").requires("delta>=1").build(),
            Wheel::new("delta", "1.0").build(),
            Wheel::new("delta", "2.0").build(),
        ]);
        let sandbox = Sandbox::new();
        sandbox.comfyui("alpha\nbeta<2\n");
        sandbox.venv();
        let place = Self { server, sandbox };
        place.settings("");
        place
    }

    /// Makes one that is locked and synced: `alpha 1.1` and `beta 1.0`.
    pub(super) fn synced() -> Self {
        let place = Self::new();
        let _ = place.portenv(&["init"]).success();
        let _ = place.portenv(&["lock"]).success();
        let _ = place.portenv(&["sync", "--yes"]).success();
        assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
        place
    }

    /// Writes `portenv.toml`: the default index, and this.
    pub(super) fn settings(&self, more: &str) {
        let url = self.server.url();
        let index = format!("[[index]]\nname = \"local\"\nurl = \"{url}\"\ndefault = true\n");
        self.write("portenv.toml", format!("{index}{more}"));
    }

    /// Runs a command that asks for JSON and exits with this code.
    #[track_caller]
    pub(super) fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let mut all = arguments.to_vec();
        // The words of a `next` of a JSON document ask for JSON already.
        if !all.contains(&"--format") {
            all.extend(["--format", "json"]);
        }
        self.portenv(&all).expect_code(code).json()
    }

    /// Returns what is installed as one line.
    pub(super) fn shown(&self) -> String {
        let packages = self.installed().into_iter();
        let texts: Vec<String> = packages
            .map(|(name, version)| format!("{name} {version}"))
            .collect();
        texts.join(", ")
    }

    /// Makes a node outside the installation, ready to be named on the command line.
    pub(super) fn offered(&self, name: &str, requirements: &str) -> String {
        let dir = self.dir().join("offered").join(name);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("__init__.py"), "NODE_CLASS_MAPPINGS = {}\n").unwrap();
        fs::write(dir.join("requirements.txt"), requirements).unwrap();
        dir.into_string()
    }

    /// Returns the ids of all snapshots, newest first.
    #[track_caller]
    pub(super) fn history(&self) -> Vec<String> {
        let list = self.json(0, &["snapshot", "list"]);
        strings(&list["snapshots"], "id")
    }

    /// Returns everything that a failed change must leave alone: packages by their RECORDs, the
    /// lock, and every file of core and nodes.
    pub(super) fn state(&self) -> State {
        let mut files = tree(self.root());
        files.retain(|path, _| !path.starts_with(".portenv/") && !path.starts_with(".venv/"));
        // Reading commands refresh nothing, but a checkout there and back rewrites these.
        files.retain(|path, _| !path.ends_with(".git/index") && !path.contains(".git/logs/"));
        files.retain(|path, _| !path.ends_with(".git/ORIG_HEAD"));
        // Objects that were fetched and that nothing names are only spare.
        files.retain(|path, _| !path.contains(".git/objects/"));
        State {
            packages: self.installed_digests(),
            files,
        }
    }

    /// Returns the names in the trash.
    pub(super) fn trash(&self) -> Vec<String> {
        let dir = self.root().join(".portenv/trash");
        let Ok(entries) = dir.read_dir_utf8() else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_owned())
            .collect();
        names.sort();
        names
    }
}

/// What a failed change must leave alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    packages: BTreeMap<String, (String, String)>,
    files: BTreeMap<String, String>,
}

/// Returns the digest of every file below a directory, by path.
pub(super) fn tree(dir: &Utf8Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(at) = open.pop() {
        for entry in at.read_dir_utf8().unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = path.strip_prefix(dir).unwrap().to_string();
            if entry.file_type().unwrap().is_dir() {
                found.insert(format!("{name}/"), String::new());
                open.push(path.to_owned());
            } else {
                // A link of the venv may lead to a directory.
                found.insert(
                    name,
                    fs::read(path)
                        .map(|bytes| sha256(&bytes))
                        .unwrap_or_default(),
                );
            }
        }
    }
    found
}

/// Demands that a directory holds what it held, and names what differs.
#[track_caller]
pub(super) fn assert_tree(dir: &Utf8Path, before: &BTreeMap<String, String>) {
    let now = tree(dir);
    let all = now.keys().chain(before.keys());
    let differs: BTreeSet<&String> = all
        .filter(|path| now.get(*path) != before.get(*path))
        .collect();
    assert!(differs.is_empty(), "changed: {differs:#?}");
}

/// Returns one text field of every element of an array.
#[track_caller]
pub(super) fn strings(array: &Value, field: &str) -> Vec<String> {
    let elements = array
        .as_array()
        .unwrap_or_else(|| panic!("no array: {array}"))
        .iter();
    elements
        .map(|value| value[field].as_str().unwrap_or("null").to_owned())
        .collect()
}

/// Returns an array of texts, such as a command to run next.
#[track_caller]
pub(super) fn strings_of(array: &Value) -> Vec<&str> {
    let elements = array
        .as_array()
        .unwrap_or_else(|| panic!("no array: {array}"))
        .iter();
    elements.map(|value| value.as_str().unwrap()).collect()
}

/// Demands that an object has at least these fields, given with spaces between them.
#[track_caller]
pub(super) fn assert_fields(object: &Value, fields: &str) {
    for field in fields.split(' ') {
        assert!(
            object.get(field).is_some(),
            "`{field}` is missing in {object}"
        );
    }
}

/// Returns the changes as lines such as `upgrade alpha 1.0 1.1`.
#[track_caller]
pub(super) fn changes(document: &Value) -> Vec<String> {
    let list = document["changes"]
        .as_array()
        .unwrap_or_else(|| panic!("{document}"));
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line = |change: &Value| {
        ["kind", "name", "from", "to"]
            .map(|field| word(&change[field]))
            .join(" ")
    };
    list.iter().map(line).collect()
}

/// Demands an error document with this code, and the same message on stderr.
#[track_caller]
pub(super) fn assert_error(run: &Run, code: &str) {
    let document = run.json();
    assert_eq!(document["status"], "error", "{run}");
    assert_eq!(document["error"]["code"], code, "{run}");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(run.stderr().contains(message), "{run}");
    assert_fields(&document, "schema next");
}
