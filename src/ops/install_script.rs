//! A node's `install.py`, run because the user asked for that: after packages are installed,
//! inside the operation, and then looked at for what it did.
//!
//! It is foreign code with the user's rights, and nothing here is a sandbox. What holds: its
//! calls of pip and uv, by name or as `python -m pip`, go to the installation's Python and keep
//! to the versions of the lock (`PIP_CONSTRAINT`, `UV_CONSTRAINT`), for variables reach them
//! however they are called; it gets no input and a limit of time; and whatever way it took,
//! the environment is read back and put in order.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::changes::compare_nodes;
use super::context::{Context, Site};
use super::error::OpError;
use super::inputs::ResolveFlags;
use super::packages::PackageGoal;
use super::transaction::{Transaction, scratch_dir, uv_for};
use crate::environment::Installed;
use crate::git;
use crate::host::fs;
use crate::host::process::{Bounds, Call};
use crate::host::watched::End;
use crate::index::IndexConfig;
use crate::lock::compare::{Side, Sides, compare};
use crate::lock::{Change, ChangeKind};
use crate::package::artifact::printable;
use crate::package::{Name, Requirement, redact};
use crate::plan::Removal;
use crate::uv::Uv;
use crate::uv::call::with_indexes;
use crate::workspace::node::Node;

/// How many of its last lines a failure tells.
const LAST: usize = 8;
/// How many changed files are named.
const FILES: usize = 8;
/// How many calls of installers are named.
const CALLS: usize = 8;

/// Things worth knowing: code and message.
type Told = Vec<(&'static str, String)>;

/// Runs the `install.py` of each node that has one, and puts back what it did to packages that
/// are wanted. Packages that nobody wants and nothing contradicts stay.
///
/// # Errors
///
/// Fails if one fails or takes too long, or if packages cannot be put back.
pub fn run_all<'n>(
    change: &mut Transaction<'_>,
    nodes: impl Iterator<Item = &'n Node>,
    goal: &PackageGoal,
    limit: Duration,
) -> Result<Told, OpError> {
    let mut told = Told::new();
    let mut ran = false;
    for node in nodes {
        let dir = change.site.installation.root.join(&node.dir);
        if fs::is_file(&dir.join("install.py")) {
            ran = true;
            told.extend(run_one(change, node, &dir, goal, limit)?);
        }
    }
    if !ran {
        let message = "no install.py was run, for none of the nodes has one".to_owned();
        told.push(("install-script-none", message));
    }
    Ok(told)
}

fn run_one(
    change: &mut Transaction<'_>,
    node: &Node,
    dir: &Utf8Path,
    goal: &PackageGoal,
    limit: Duration,
) -> Result<Told, OpError> {
    let site = change.site;
    let before = site.installed()?;
    let checkouts = checkouts(site)?;
    let script = Script::make(change.context, site, goal)?;
    script.run(change, node, dir, limit)?;
    let after = site.installed()?;
    let did = compare(&sides(&before), &sides(&after));
    let mut told = Told::new();
    let name = &node.name;
    let mut tell = |code, what: &str, list: &[String]| {
        if !list.is_empty() {
            let text = format!("install.py of `{name}` {what}: {}", list.join(", "));
            told.push((code, printable(&text)));
        }
    };
    tell("install-script-calls", "called", &script.calls());
    let contradicting = contradicting(site, goal, &before, &after);
    put_back(change, goal, &did, &contradicting)?;
    let stayed = compare(&sides(&before), &sides(&site.installed()?));
    let shown = |wanted: &dyn Fn(&Change) -> bool| -> Vec<String> {
        did.iter().filter(|it| wanted(it)).map(show).collect()
    };
    tell(
        "install-script-put-back",
        "changed what the lock names, which was put back",
        &shown(&|it| goal.wanted.contains_key(&it.name) && !stayed.contains(it)),
    );
    let out: Vec<String> = did
        .iter()
        .filter_map(|it| Some((it, contradicting.get(&it.name)?)))
        .map(|(it, why)| format!("{} ({why})", show(it)))
        .collect();
    tell(
        "install-script-taken-out",
        "added what does not go with the lock, which was taken out again",
        &out,
    );
    let rest: Vec<String> = stayed
        .iter()
        .filter(|it| did.contains(it))
        .map(show)
        .collect();
    tell(
        "install-script-packages",
        "changed packages that the lock does not name, and that stays",
        &rest,
    );
    let files = changed_files(site, &checkouts)?;
    tell(
        "install-script-files",
        "changed files that git tracks, and that stays",
        &files,
    );
    if did.is_empty() && files.is_empty() {
        let message = format!("install.py of `{name}` changed no package and no file git tracks");
        told.push(("install-script-nothing", printable(&message)));
    }
    Ok(told)
}

/// What the environment is to be again: what is wanted as it was, by its digest too, and
/// without what contradicts it.
fn put_back(
    change: &mut Transaction<'_>,
    goal: &PackageGoal,
    did: &[Change],
    contradicting: &BTreeMap<Name, String>,
) -> Result<(), OpError> {
    let mut goal = goal.clone();
    if let Removal::Brought(names) = &mut goal.removal {
        names.extend(contradicting.keys().cloned());
    }
    // The same version with other files: only a new installation makes them what they were.
    let replaced = did.iter().filter(|it| it.kind == ChangeKind::Replace);
    goal.anew.names = replaced
        .map(|it| it.name.clone())
        .filter(|name| goal.wanted.contains_key(name))
        .collect();
    change.packages(&goal)
}

/// Finds packages that came and ask for what the lock has in another version, or for another
/// that goes for that, with the reason.
fn contradicting(
    site: &Site,
    goal: &PackageGoal,
    before: &Installed,
    after: &Installed,
) -> BTreeMap<Name, String> {
    let environment = site.target.environment();
    let came: Vec<(&Name, Vec<Requirement>)> = after
        .iter()
        .filter(|it| before.get(&it.name).is_none() && !goal.wanted.contains_key(&it.name))
        .map(|it| {
            let texts = it.metadata().requires_dist;
            let asked = texts
                .iter()
                .filter_map(|text| Requirement::parse(text).ok());
            let asked = asked.filter(|asked| asked.marker.holds(environment));
            (&it.name, asked.collect())
        })
        .collect();
    let mut found: BTreeMap<Name, String> = BTreeMap::new();
    loop {
        let against = |asked: &&Requirement| match goal.wanted.get(&asked.name) {
            Some(wanted) => !asked.specifiers.range().contains(&wanted.goal.version),
            None => found.contains_key(&asked.name),
        };
        let more: Vec<(Name, String)> = came
            .iter()
            .filter(|(name, _)| !found.contains_key(*name))
            .filter_map(|(name, asked)| {
                let first = asked.iter().find(against)?;
                Some(((*name).clone(), format!("it needs {first}")))
            })
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

/// One script's surroundings, which are gone when it has run.
struct Script {
    _guard: tempfile::TempDir,
    dir: Utf8PathBuf,
    constraints: String,
    uv: Uv,
    indexes: IndexConfig,
}

impl Script {
    fn make(context: &Context, site: &Site, goal: &PackageGoal) -> Result<Self, OpError> {
        let (guard, dir) = scratch_dir(site)?;
        let uv = uv_for(context, site)?;
        let mut text = String::new();
        for (name, wanted) in &goal.wanted {
            text.push_str(&format!("{name}=={}\n", wanted.goal.version));
        }
        let constraints = dir.join("constraints.txt");
        fs::write_atomic(&constraints, text.as_bytes())?;
        let script = Self {
            // An address, for both take a list of files with spaces between them.
            constraints: url::Url::from_file_path(&constraints)
                .map_or_else(|()| constraints.to_string(), |url| url.to_string()),
            indexes: ResolveFlags::default().index_config(
                context,
                &site.installation.settings,
                &[],
            )?,
            _guard: guard,
            dir,
            uv,
        };
        script.write_programs(context, site)?;
        Ok(script)
    }

    fn programs(&self) -> Utf8PathBuf {
        self.dir.join("bin")
    }

    fn log(&self) -> Utf8PathBuf {
        self.dir.join("calls")
    }

    /// Writes the programs that stand first on PATH: pip, uv and Python are those of the
    /// installation, and calls of the installers are noted.
    fn write_programs(&self, context: &Context, site: &Site) -> Result<(), OpError> {
        let python = site.interpreter.path.to_string();
        let pip = [python.clone(), "-m".to_owned(), "pip".to_owned()];
        self.write_program("pip", &pip, true)?;
        self.write_program("pip3", &pip, true)?;
        self.write_program("python", std::slice::from_ref(&python), false)?;
        self.write_program("python3", &[python], false)?;
        // By its name alone it would be looked for on PATH, and find itself.
        let at = context.dir.join(&self.uv.program);
        if fs::is_file(&at) {
            let mut words = vec![at.to_string()];
            words.extend(self.uv.prefix.iter().cloned());
            self.write_program("uv", &words, true)?;
        }
        Ok(())
    }

    fn write_program(&self, name: &str, words: &[String], noted: bool) -> Result<(), OpError> {
        let (file, text) = if cfg!(windows) {
            let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            let note = if noted {
                format!("@echo {name} %* >> \"{}\"\r\n", self.log())
            } else {
                String::new()
            };
            let text = format!("{note}@{} %*\r\n", quoted.join(" "));
            (format!("{name}.cmd"), text)
        } else {
            let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
            let note = if noted {
                let log = quote(self.log().as_str());
                format!("printf '%s\\n' \"{name} $*\" >> {log}\n")
            } else {
                String::new()
            };
            let text = format!("#!/bin/sh\n{note}exec {} \"$@\"\n", quoted.join(" "));
            (name.to_owned(), text)
        };
        Ok(fs::write_program(&self.programs().join(file), &text)?)
    }

    /// Returns the calls of installers by name.
    fn calls(&self) -> Vec<String> {
        let text = fs::find_text(&self.log()).ok().flatten();
        let text = text.unwrap_or_default();
        let mut calls: Vec<String> = (text.lines().take(CALLS))
            .map(|line| format!("`{}`", safe(line.trim_end())))
            .collect();
        let more = text.lines().count().saturating_sub(CALLS);
        if more > 0 {
            calls.push(format!("and {more} more"));
        }
        calls
    }

    fn call(&self, context: &Context, site: &Site, dir: &Utf8Path) -> Call {
        let interpreter = &site.interpreter;
        let mut path = vec![self.programs(), interpreter.scripts.clone()];
        path.extend(interpreter.path.parent().map(Utf8Path::to_owned));
        path.extend(context.around.path.iter().cloned());
        let mut call = Call::new(interpreter.path.as_str())
            .arg("install.py")
            .dir(dir)
            .search(&path)
            .env("PYTHONUNBUFFERED", "1")
            .env("PYTHONIOENCODING", "utf-8")
            // What lies in the user's own directory is not what is installed here.
            .env("PYTHONNOUSERSITE", "1")
            .env("PIP_USER", "0")
            .env("PIP_NO_INPUT", "1")
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            .env("PIP_CONSTRAINT", self.constraints.as_str())
            .env("UV_CONSTRAINT", self.constraints.as_str())
            .env("UV_PYTHON", interpreter.path.as_str())
            .env("UV_NO_CONFIG", "1")
            .env("UV_NO_PROGRESS", "1");
        if let Some(environment) = &interpreter.environment {
            call = call.env("VIRTUAL_ENV", environment.as_str());
        }
        if interpreter.managed {
            call = call
                .env("PIP_BREAK_SYSTEM_PACKAGES", "1")
                .env("UV_BREAK_SYSTEM_PACKAGES", "1");
        }
        // ComfyUI-Manager tells scripts so where they are.
        if let Some(core) = &site.installation.comfyui {
            call = call.env("COMFYUI_PATH", core.as_str());
        }
        call = call.env("COMFYUI_FOLDERS_BASE_PATH", site.installation.root.as_str());
        if context.offline {
            call = call.env("UV_OFFLINE", "1").env("PIP_NO_INDEX", "1");
        }
        with_indexes(pip_indexes(call, &self.indexes), &self.indexes)
    }

    fn run(
        &self,
        change: &Transaction<'_>,
        node: &Node,
        dir: &Utf8Path,
        limit: Duration,
    ) -> Result<(), OpError> {
        let context = change.context;
        let progress = &context.progress;
        progress.begin(&format!("running install.py of {}", node.name), None);
        let bounds = Bounds {
            limit,
            stop: context.cancel.clone(),
        };
        let mut last = VecDeque::new();
        // The lock file stands at its end, so there is nothing to read from it; and the next
        // run waits for a script whose portenv was killed.
        let ended = self
            .call(context, change.site, dir)
            .input(change.held.share()?)
            .watch(&bounds, &mut |line| {
                let line = safe(&line);
                progress.said(&line);
                if line.trim().is_empty() {
                    return;
                }
                if last.len() == LAST {
                    last.pop_front();
                }
                last.push_back(line);
            });
        progress.end();
        let how = match ended.map_err(crate::uv::UvError::Start)? {
            End::Itself(Some(0)) => return Ok(()),
            End::Stopped => return Err(OpError::Interrupted),
            End::Itself(Some(code)) => format!("ended with exit code {code}"),
            End::Itself(None) => "was ended by a signal".to_owned(),
            End::Late => format!("was ended after {} s", limit.as_secs()),
        };
        Err(OpError::Script {
            node: node.name.clone(),
            how,
            last: last.into(),
        })
    }
}

/// Tells pip where packages come from, in the order in which uv is told.
fn pip_indexes(mut call: Call, config: &IndexConfig) -> Call {
    let mut general = config
        .indexes
        .iter()
        .filter(|index| index.packages.is_empty())
        .map(|index| index.url.as_str())
        .rev();
    match general.next() {
        Some(default) => call = call.env("PIP_INDEX_URL", default),
        None => call = call.env("PIP_NO_INDEX", "1"),
    }
    let further: Vec<&str> = general.rev().collect();
    if !further.is_empty() {
        call = call.env("PIP_EXTRA_INDEX_URL", further.join(" "));
    }
    if !config.find_links.is_empty() {
        call = call.env("PIP_FIND_LINKS", config.find_links.join(" "));
    }
    call
}

/// The core and all nodes, to be compared.
fn checkouts(site: &Site) -> Result<Vec<Node>, OpError> {
    let mut all = site.installation.nodes()?;
    all.extend(site.installation.core());
    Ok(all)
}

/// Names tracked files that were changed, and checkouts that came to another commit.
fn changed_files(site: &Site, before: &[Node]) -> Result<Vec<String>, OpError> {
    let mut files = Vec::new();
    for node in compare_nodes(before, &checkouts(site)?) {
        let moved = match (&node.from, &node.to) {
            (Some(from), Some(to)) => from.commit != to.commit,
            _ => true,
        };
        if moved {
            files.push(format!("{} as a whole", node.dir));
        } else if let Ok(now) = git::read_checkout(&site.installation.root.join(&node.dir)) {
            let shown = now
                .changed
                .iter()
                .map(|file| format!("{}/{file}", node.dir));
            files.extend(shown);
        }
    }
    let more = files.len().saturating_sub(FILES);
    if more > 0 {
        files.truncate(FILES);
        files.push(format!("and {more} more"));
    }
    Ok(files)
}

fn sides(installed: &Installed) -> Sides {
    let side = |found: &crate::environment::Distribution| Side {
        version: found.version.clone(),
        source: None,
        digest: Some(found.digest.clone().unwrap_or_default()),
    };
    installed
        .iter()
        .map(|found| (found.name.clone(), side(found)))
        .collect()
}

fn show(change: &Change) -> String {
    match (&change.from, &change.to) {
        (Some(from), Some(to)) if from == to => format!("{} {from} (other files)", change.name),
        (Some(from), Some(to)) => format!("{} {from} → {to}", change.name),
        (Some(from), None) => format!("{} {from} removed", change.name),
        (None, Some(to)) => format!("{} {to}", change.name),
        (None, None) => change.name.to_string(),
    }
}

/// Makes a line of a stranger fit to be shown: no escapes, no passwords.
fn safe(line: &str) -> String {
    let words = line.split(' ').map(|word| match word.find("://") {
        Some(_) => {
            let inner = word.trim_matches(|c| matches!(c, '`' | '\'' | '"' | '(' | ')' | ','));
            word.replace(inner, &redact(inner))
        }
        None => word.to_owned(),
    });
    printable(&words.collect::<Vec<_>>().join(" "))
}

/// Quotes a word for a shell.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
