//! Child programs: explicit arguments, a cleaned environment, captured output.

use std::fs::File;
use std::io;
use std::process::{Command, ExitStatus, Stdio};

use camino::{Utf8Path, Utf8PathBuf};

/// Variables that would change what uv, pip, Python or git do behind our back.
const STEERING: [&str; 4] = ["UV_", "PIP_", "PYTHON", "GIT_"];
/// Of those, the ones that only say where caches and certificates are.
const HARMLESS: [&str; 6] = [
    "UV_CACHE_DIR",
    "UV_LINK_MODE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
];

/// Reports whether a child may see the variable `name` of ours.
pub fn may_inherit(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    HARMLESS.contains(&name.as_str())
        || !(STEERING.iter().any(|prefix| name.starts_with(prefix))
            || matches!(
                name.as_str(),
                "VIRTUAL_ENV" | "CONDA_PREFIX" | "LC_ALL" | "LANG" | "LANGUAGE"
            ))
}

/// Reports whether a variable of ours says anything.
pub fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Returns what a variable of ours says, if it is text.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A program to run, as data.
#[derive(Debug, Default)]
pub struct Call {
    program: String,
    args: Vec<String>,
    envs: Vec<(String, String)>,
    dir: Option<Utf8PathBuf>,
    input: Option<File>,
}

/// What a finished program left behind.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it complained, as text.
    pub stderr: String,
}

impl Finished {
    /// Reports whether the program exited with 0.
    pub fn ok(&self) -> bool {
        self.code == Some(0)
    }

    /// Returns the output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// How long a child may run, and what may end it early.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// It is ended after this time.
    pub limit: std::time::Duration,
    /// It is ended when this says so.
    pub stop: crate::progress::Cancel,
}

/// A program that could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot run `{program}`")]
pub struct ProcessError {
    /// The program.
    pub program: String,
    /// What the operating system said.
    #[source]
    pub source: io::Error,
}

impl ProcessError {
    /// Reports whether there is no such program.
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }
}

impl Call {
    /// Starts the description of a call.
    pub fn new(program: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            ..Self::default()
        }
    }

    /// Adds one argument.
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds several arguments.
    pub fn args<T: Into<String>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets one variable.
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.envs.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the working directory.
    pub fn dir(mut self, dir: &Utf8Path) -> Self {
        self.dir = Some(dir.to_owned());
        self
    }

    /// Hands the child an open file as its standard input.
    pub fn input(mut self, file: File) -> Self {
        self.input = Some(file);
        self
    }

    /// Returns the program as it was named.
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// Returns the command line as a person would type it.
    pub fn shown(&self) -> String {
        let mut words = vec![self.program.clone()];
        words.extend(self.args.iter().cloned());
        words.join(" ")
    }

    pub(super) fn command(self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear();
        command
            .envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(may_inherit)));
        command.env("LC_ALL", "C.UTF-8").envs(self.envs);
        if let Some(dir) = self.dir {
            command.current_dir(dir);
        }
        command.stdin(self.input.map_or_else(Stdio::null, Stdio::from));
        own_group(&mut command);
        command
    }

    /// Runs the program to its end.
    ///
    /// # Errors
    ///
    /// Fails only if the program could not be started; its own failure is in the result.
    pub fn run(self) -> Result<Finished, ProcessError> {
        let program = self.program.clone();
        let output = self
            .command()
            .output()
            .map_err(|source| ProcessError { program, source })?;
        Ok(Finished {
            code: output.status.code(),
            signal: signal(output.status),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

impl Call {
    /// Runs the program, but ends it at a time limit or when the work is to stop;
    /// `None` if it was ended so.
    ///
    /// # Errors
    ///
    /// Fails only if the program could not be started.
    pub fn run_within(self, bounds: &Bounds) -> Result<Option<Finished>, ProcessError> {
        let program = self.program.clone();
        let fail = |source| ProcessError {
            program: program.clone(),
            source,
        };
        let mut child = self
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(fail)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let drain = |pipe: Option<Box<dyn io::Read + Send>>| {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                // A pipe that breaks has said all it will.
                let _ = pipe.map(|mut pipe| pipe.read_to_end(&mut bytes));
                bytes
            })
        };
        let stdout = drain(stdout.map(|pipe| Box::new(pipe) as _));
        let stderr = drain(stderr.map(|pipe| Box::new(pipe) as _));
        let began = std::time::Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().map_err(fail)? {
                break status;
            }
            if began.elapsed() > bounds.limit || bounds.stop.is_requested() {
                let _ = child.kill();
                let _ = child.wait();
                return Ok(None);
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        };
        let stderr = stderr.join().unwrap_or_default();
        Ok(Some(Finished {
            code: status.code(),
            signal: signal(status),
            stdout: stdout.join().unwrap_or_default(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }))
    }
}

#[cfg(unix)]
fn signal(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal(_: ExitStatus) -> Option<i32> {
    None
}

/// A ctrl-C goes to the whole group of the terminal; a child in a group of its
/// own finishes its step, and we undo it in order.
#[cfg(unix)]
fn own_group(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    command.process_group(0);
}

#[cfg(windows)]
fn own_group(command: &mut Command) {
    use std::os::windows::process::CommandExt;
    const CREATE_NEW_PROCESS_GROUP: u32 = 0x0000_0200;
    command.creation_flags(CREATE_NEW_PROCESS_GROUP);
}

#[cfg(not(any(unix, windows)))]
fn own_group(_: &mut Command) {}

#[cfg(test)]
mod tests {
    use super::may_inherit;

    #[test]
    fn children_see_caches_and_certificates_but_no_steering_variables() {
        for name in [
            "PATH",
            "UV_CACHE_DIR",
            "HTTPS_PROXY",
            "SSL_CERT_FILE",
            "Path",
        ] {
            assert!(may_inherit(name), "{name}");
        }
        for name in [
            "UV_INDEX_URL",
            "pip_index_url",
            "PYTHONPATH",
            "GIT_DIR",
            "VIRTUAL_ENV",
            "LANG",
        ] {
            assert!(!may_inherit(name), "{name}");
        }
    }
}
