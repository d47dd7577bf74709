//! What an installation is, bit for bit, told without portenv's own code.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

/// Every file that counts, by path; checkouts and the lock too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State(pub(crate) BTreeMap<String, String>);

impl State {
    /// Reads an installation: all files of the environment but compiled ones, all files of
    /// core and nodes, HEAD, branch and locks of every repository, the lock.
    pub(crate) fn read(root: &Path) -> Self {
        let mut found = BTreeMap::new();
        let mut repositories = Vec::new();
        walk(root, root, &mut found, &mut repositories);
        for dir in repositories {
            let name = dir.strip_prefix(root).unwrap().display().to_string();
            for question in ["rev-parse HEAD", "symbolic-ref -q HEAD", "status --short"] {
                let answer = git(&dir, &question.split(' ').collect::<Vec<_>>());
                found.insert(format!("{name} {question}"), answer);
            }
            let refs = git(&dir, &["for-each-ref", "refs/heads"]);
            found.insert(format!("{name} branches"), refs);
            let locks = locks_below(&dir.join(".git"));
            found.insert(format!("{name} locks"), format!("{locks:?}"));
        }
        Self(found)
    }

    /// Names what differs, a few of it.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let all = self.0.keys().chain(other.0.keys());
        let mut names: Vec<&String> = all
            .filter(|name| self.0.get(*name) != other.0.get(*name))
            .collect();
        names.sort();
        names.dedup();
        let show = |value: Option<&String>| match value {
            None => "nothing".to_owned(),
            Some(text) => text.chars().take(60).collect(),
        };
        let shown = names.iter().map(|name| {
            format!(
                "{name}: {} | {}",
                show(self.0.get(*name)),
                show(other.0.get(*name))
            )
        });
        shown.take(25).collect()
    }
}

fn walk(
    root: &Path,
    dir: &Path,
    found: &mut BTreeMap<String, String>,
    repositories: &mut Vec<PathBuf>,
) {
    let own = dir == root.join(".portenv");
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let file_name = entry.file_name().to_string_lossy().into_owned();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        let is_dir = entry.file_type().unwrap().is_dir();
        if file_name == ".git" {
            repositories.push(dir.to_owned());
        } else if file_name == "__pycache__" || own && file_name != "tmp" {
            // Compiled files come and go; the history is asked by other means.
        } else if is_dir {
            if !own && path != root.join(".portenv") {
                found.insert(format!("{name}/"), String::new());
            }
            walk(root, &path, found, repositories);
        } else {
            let mut bytes = fs::read(&path).unwrap_or_default();
            if file_name == "RECORD" {
                // In whatever order an installer wrote it.
                let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
                lines.sort_unstable();
                bytes = lines.concat();
            }
            found.insert(name, hex::encode(Sha256::digest(&bytes)));
        }
    }
}

fn locks_below(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() && name != "objects" {
            found.extend(locks_below(&path));
        } else if name.ends_with(".lock") {
            found.push(name);
        }
    }
    found
}

/// Runs git and returns what it printed, without the last line break.
pub(crate) fn git(dir: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(dir).args(arguments);
    command.env("GIT_OPTIONAL_LOCKS", "0");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "A Tester");
        command.env(format!("GIT_{role}_EMAIL"), "tester@example.org");
        command.env(format!("GIT_{role}_DATE"), "2026-05-01T00:00:00Z");
    }
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}

/// What the history says, and whether it is whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// Operations: kind and outcome, oldest first.
    pub(crate) operations: Vec<(String, String)>,
    /// The steps noted for the newest operation.
    pub(crate) steps: Vec<String>,
    /// The labels of snapshots.
    pub(crate) labels: Vec<String>,
    /// What is wrong with the file.
    pub(crate) fault: Option<String>,
}

impl History {
    /// Reads it from a copy: a reader may change the file's mode.
    pub(crate) fn read(root: &Path) -> Self {
        let copy = tempfile::tempdir().unwrap();
        for name in ["portenv.db", "portenv.db-wal", "portenv.db-journal"] {
            let from = root.join(".portenv").join(name);
            if from.exists() {
                fs::copy(&from, copy.path().join(name)).unwrap();
            }
        }
        let path = copy.path().join("portenv.db");
        if !path.exists() {
            return Self::default();
        }
        Self::query(&path).unwrap_or_else(|error| Self {
            fault: Some(error.to_string()),
            ..Self::default()
        })
    }

    fn query(path: &Path) -> rusqlite::Result<Self> {
        let db = rusqlite::Connection::open(path)?;
        let whole: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        let tables: i64 = db.query_row(
            "SELECT count(*) FROM sqlite_master WHERE name IN ('operation', 'step')",
            [],
            |row| row.get(0),
        )?;
        if tables < 2 {
            return Ok(Self::default());
        }
        let mut operations = Vec::new();
        let mut query = db.prepare("SELECT kind, outcome FROM operation ORDER BY number")?;
        for row in query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
            operations.push(row?);
        }
        let mut steps = Vec::new();
        let mut query = db.prepare(
            "SELECT what FROM step WHERE operation = (SELECT max(number) FROM operation) ORDER BY n",
        )?;
        for row in query.query_map([], |row| row.get::<_, String>(0))? {
            let step: serde_json::Value = serde_json::from_str(&row?).unwrap();
            steps.push(step["do"].as_str().unwrap_or("?").to_owned());
        }
        let mut query = db.prepare("SELECT name FROM label")?;
        let labels = query.query_map([], |row| row.get(0))?;
        let labels = labels.collect::<rusqlite::Result<_>>()?;
        Ok(Self {
            operations,
            steps,
            labels,
            fault: (whole != "ok").then_some(whole),
        })
    }

    /// Reports whether an operation is neither done nor undone.
    pub(crate) fn is_open(&self) -> bool {
        let mut outcomes = self.operations.iter().map(|(_, outcome)| outcome.as_str());
        outcomes.any(|outcome| outcome == "open" || outcome == "broken")
    }
}
