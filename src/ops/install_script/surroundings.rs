//! What a script finds around it: programs, variables, constraints; and what it says.

use std::collections::VecDeque;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::host::fs;
use crate::host::process::{Bounds, Call};
use crate::host::watched::End;
use crate::index::IndexConfig;
use crate::ops::context::{Context, Site};
use crate::ops::error::OpError;
use crate::ops::inputs::ResolveFlags;
use crate::ops::packages::PackageGoal;
use crate::ops::transaction::{Transaction, scratch_dir, uv_for};
use crate::package::artifact::printable;
use crate::package::redact;
use crate::uv::call::{OF_PIP, OF_UV, with_indexes};
use crate::uv::{Uv, UvError};
use crate::workspace::node::Node;

/// How many of its last lines a failure tells.
const LAST: usize = 8;
/// How many calls of installers are named.
const CALLS: usize = 8;

/// One script's surroundings, which are gone when it has run.
pub(super) struct Script {
    _guard: tempfile::TempDir,
    dir: Utf8PathBuf,
    constraints: String,
    uv: Uv,
    indexes: IndexConfig,
}

impl Script {
    /// Writes what the script will find.
    pub(super) fn make(
        context: &Context,
        site: &Site,
        goal: &PackageGoal,
    ) -> Result<Self, OpError> {
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
    pub(super) fn calls(&self) -> Vec<String> {
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
        let call = with_indexes(call, &self.indexes, &OF_PIP);
        with_indexes(call, &self.indexes, &OF_UV)
    }

    /// Runs it to its end.
    ///
    /// # Errors
    ///
    /// Fails unless it exits with 0 in time.
    pub(super) fn run(
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
        let how = match ended.map_err(UvError::Start)? {
            End::Itself(Some(0)) => return Ok(()),
            End::Stopped => return Err(OpError::Interrupted),
            End::Itself(Some(code)) => format!("ended with exit code {code}"),
            End::Itself(None) => "was ended by a signal".to_owned(),
            End::Late => format!("was ended after {} s", limit.as_secs()),
        };
        Err(OpError::Script {
            node: node.name.clone(),
            how,
            left: Vec::new(),
            last: last.into(),
        })
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
