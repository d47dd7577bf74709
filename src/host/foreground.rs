//! A program of the user's own: it talks to their terminal, and sees their variables.

use std::ffi::OsString;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::process::ProcessError;
use crate::progress::Cancel;

/// How long a program may take to end after an interrupt that it heard of too.
const GRACE: Duration = Duration::from_secs(5);

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With this exit code.
    Code(i32),
    /// By a fault of its own: this signal.
    Crashed(i32),
    /// Somebody ended it: this signal.
    Killed(i32),
    /// The work was to stop.
    Stopped,
}

/// What to run.
#[derive(Debug)]
pub struct Foreground<'a> {
    /// The program and its arguments.
    pub command: &'a [String],
    /// The working directory.
    pub dir: &'a Utf8Path,
    /// Directories that are looked through before those of PATH.
    pub path_first: &'a [Utf8PathBuf],
    /// Variables that are set.
    pub envs: &'a [(&'a str, String)],
}

impl Foreground<'_> {
    /// Runs the program to its end. What it prints goes to standard error, for standard
    /// output is for the result.
    ///
    /// It stays in the group of the terminal, so that it can ask there, and so that a
    /// ctrl-C reaches it too; if it does not end by that, it is ended.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be started.
    pub fn run(&self, stop: &Cancel) -> Result<Ended, ProcessError> {
        let (program, args) = match self.command {
            [program, args @ ..] => (program.clone(), args),
            [] => (String::new(), &[][..]),
        };
        let fail = |source| ProcessError {
            program: program.clone(),
            source,
        };
        let mut command = Command::new(&program);
        command.args(args).current_dir(self.dir);
        command.env("PATH", self.path()).env_remove("PYTHONHOME");
        for (name, value) in self.envs {
            command.env(name, value);
        }
        command.stdout(Stdio::from(std::io::stderr()));
        let mut child = command.spawn().map_err(fail)?;
        let mut asked: Option<Instant> = None;
        loop {
            let status = child.try_wait().map_err(fail)?;
            if stop.is_requested()
                && (status.is_some() || asked.is_some_and(|at| at.elapsed() > GRACE))
            {
                let _ = child.kill();
                let _ = child.wait();
                return Ok(Ended::Stopped);
            }
            if let Some(status) = status {
                return Ok(ended(status));
            }
            if stop.is_requested() && asked.is_none() {
                asked = Some(Instant::now());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn path(&self) -> OsString {
        let before = std::env::var_os("PATH").unwrap_or_default();
        let first = self
            .path_first
            .iter()
            .map(|dir| dir.as_std_path().to_owned());
        let all: Vec<_> = first.chain(std::env::split_paths(&before)).collect();
        // A directory whose name holds the separator cannot be named there at all.
        std::env::join_paths(all).unwrap_or(before)
    }
}

/// A signal that a program gets for what it did, and not from somebody.
#[cfg(unix)]
fn is_fault(signal: i32) -> bool {
    // ILL, TRAP, ABRT, BUS, FPE, SEGV: the same numbers on Linux, and BUS is 10 elsewhere.
    matches!(signal, 4 | 5 | 6 | 7 | 8 | 10 | 11)
}

#[cfg(unix)]
fn ended(status: ExitStatus) -> Ended {
    use std::os::unix::process::ExitStatusExt;
    let by = |signal| {
        if is_fault(signal) {
            Ended::Crashed(signal)
        } else {
            Ended::Killed(signal)
        }
    };
    match (status.code(), status.signal()) {
        // A shell says so of a program that it ran.
        (Some(code @ 129..=160), _) => by(code - 128),
        (Some(code), _) => Ended::Code(code),
        (None, signal) => by(signal.unwrap_or(0)),
    }
}

#[cfg(not(unix))]
fn ended(status: ExitStatus) -> Ended {
    match status.code() {
        // An unhandled exception: 0xC0000005 and its like.
        Some(code) if code < 0 => Ended::Crashed(code),
        Some(code) => Ended::Code(code),
        None => Ended::Killed(0),
    }
}
