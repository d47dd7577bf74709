//! Questions to the program, and its answers.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::sets::Installation;

/// The program and what it is given each time.
#[derive(Clone)]
pub(crate) struct Portenv {
    pub(crate) program: OsString,
    pub(crate) python: OsString,
    pub(crate) uv: OsString,
    pub(crate) cache: PathBuf,
    pub(crate) offline: bool,
}

/// What it said.
pub(crate) enum Answer {
    Resolved {
        seconds: f64,
    },
    Conflicts {
        seconds: f64,
        requests: u64,
        conflicts: Vec<Conflict>,
    },
    Failed(String),
}

/// A line of a core.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) kind: String,
    pub(crate) file: String,
    pub(crate) number: usize,
}

/// A conflict with its ways out.
#[derive(Clone, Debug)]
pub(crate) struct Conflict {
    pub(crate) packages: Vec<String>,
    pub(crate) core: Vec<Line>,
    pub(crate) ways: Vec<Way>,
}

/// A way out.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    /// With a `?` if the program does not vouch for it.
    pub(crate) kind: String,
    pub(crate) text: String,
    pub(crate) settings: String,
    pub(crate) flags: Vec<String>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list<T>(value: &Value, each: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().into_iter().flatten().map(each).collect()
}

impl Conflict {
    fn read(value: &Value) -> Self {
        let mut core = list(&value["requirements"], |line| Line {
            text: text(&line["requirement"]),
            kind: text(&line["origin"]["kind"]),
            file: text(&line["origin"]["file"]),
            number: usize::try_from(line["origin"]["line"].as_u64().unwrap_or(0)).unwrap(),
        });
        core.sort();
        Self {
            packages: list(&value["packages"], text),
            core,
            ways: list(&value["suggestions"], |way| Way {
                kind: match way["verified"].as_bool() {
                    Some(true) => text(&way["kind"]),
                    _ => text(&way["kind"]) + "?",
                },
                text: text(&way["text"]),
                settings: text(&way["settings"]),
                flags: list(&way["flags"], text),
            }),
        }
    }
}

impl Answer {
    pub(crate) fn seconds(&self) -> f64 {
        match self {
            Self::Resolved { seconds } | Self::Conflicts { seconds, .. } => *seconds,
            Self::Failed(_) => f64::NAN,
        }
    }

    pub(crate) fn requests(&self) -> u64 {
        match self {
            Self::Conflicts { requests, .. } => *requests,
            _ => 0,
        }
    }

    pub(crate) fn conflicts(&self) -> &[Conflict] {
        match self {
            Self::Conflicts { conflicts, .. } => conflicts,
            _ => &[],
        }
    }

    pub(crate) fn is_resolved(&self) -> bool {
        matches!(self, Self::Resolved { .. })
    }

    /// Says it in a few words.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Resolved { .. } => "resolved".to_owned(),
            Self::Conflicts { conflicts, .. } => {
                let cores = conflicts.iter().map(|conflict| {
                    let texts: Vec<&str> = conflict.core.iter().map(|line| &*line.text).collect();
                    texts.join(" + ")
                });
                cores.collect::<Vec<_>>().join("; ")
            }
            Self::Failed(error) => error.clone(),
        }
    }
}

impl Portenv {
    /// Asks for a lock of an installation.
    pub(crate) fn lock(&self, set: &Installation, more: &[String]) -> Answer {
        let mut arguments = vec!["lock".to_owned(), "--skip-invalid".to_owned()];
        arguments.extend(more.iter().cloned());
        let answer = self.ask(&set.root, &arguments);
        // The next question is not to be answered from this one.
        let _ = std::fs::remove_file(set.root.join("pylock.toml"));
        answer
    }

    /// Asks for these lines alone, each in a file of its own.
    pub(crate) fn resolve(&self, dir: &Path, lines: &[&Line]) -> Answer {
        std::fs::create_dir_all(dir).unwrap();
        let mut arguments = vec!["resolve".to_owned()];
        for (at, line) in lines.iter().enumerate() {
            let name = format!("line-{at}.txt");
            std::fs::write(dir.join(&name), format!("{}\n", line.text)).unwrap();
            arguments.push(name);
        }
        self.ask(dir, &arguments)
    }

    fn ask(&self, dir: &Path, arguments: &[String]) -> Answer {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .args(["--format", "json", "--build", "static"])
            .arg("--python")
            .arg(&self.python)
            .arg("--uv")
            .arg(&self.uv)
            .arg("--cache-dir")
            .arg(&self.cache)
            .args(self.offline.then_some("--offline"))
            .current_dir(dir)
            .stdin(Stdio::null())
            .env_clear();
        for name in ["PATH", "HOME", "SystemRoot", "TEMP"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let began = Instant::now();
        let output = command.output().unwrap();
        let seconds = began.elapsed().as_secs_f64();
        let talk = String::from_utf8_lossy(&output.stderr);
        let error = talk.lines().find(|line| line.contains("error"));
        let failed = || {
            let error = error.or(talk.lines().last()).unwrap_or("not a word");
            Answer::Failed(error.to_owned())
        };
        let Ok(document) = serde_json::from_slice::<Value>(&output.stdout) else {
            return failed();
        };
        match document["status"].as_str() {
            Some("resolved") => Answer::Resolved { seconds },
            Some("conflict") => Answer::Conflicts {
                seconds,
                requests: ["page_requests", "range_requests", "metadata_requests"]
                    .iter()
                    .filter_map(|kind| document["stats"][kind].as_u64())
                    .sum(),
                conflicts: list(&document["conflicts"], Conflict::read),
            },
            _ => failed(),
        }
    }
}
