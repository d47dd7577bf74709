//! Another program in our place: its own streams, its own exit code.

use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};

use super::process::ProcessError;

/// A program that takes over.
#[derive(Debug)]
pub struct Handover<'a> {
    /// The program and its arguments.
    pub command: &'a [String],
    /// The directory that is looked through before those of PATH.
    pub path_first: &'a Utf8Path,
    /// Variables that are set.
    pub envs: &'a [(&'a str, String)],
    /// Variables that it does not see.
    pub hidden: &'a [&'a str],
}

impl Handover<'_> {
    /// Lets the program take over; returns only if it could not be started, or where a
    /// process cannot become another, with the code that it ended with.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be started.
    pub fn go(&self) -> Result<i32, ProcessError> {
        let (program, args) = match self.command {
            [program, args @ ..] => (self.found(program), args),
            [] => (String::new(), &[][..]),
        };
        let mut command = Command::new(&program);
        command.args(args).env("PATH", self.path());
        for name in self.hidden {
            command.env_remove(name);
        }
        for (name, value) in self.envs {
            command.env(name, value);
        }
        take_over(command).map_err(|source| ProcessError { program, source })
    }

    /// A bare name goes by the environment's own programs first, on every system.
    fn found(&self, program: &str) -> String {
        if program.contains(['/', '\\']) {
            return program.to_owned();
        }
        let names = [program.to_owned(), format!("{program}.exe")];
        let mut paths = names.iter().map(|name| self.path_first.join(name));
        paths
            .find(|path| path.is_file())
            .map_or_else(|| program.to_owned(), Utf8PathBuf::into_string)
    }

    fn path(&self) -> std::ffi::OsString {
        let before = std::env::var_os("PATH").unwrap_or_default();
        let first = std::iter::once(self.path_first.as_std_path().to_owned());
        let all: Vec<_> = first.chain(std::env::split_paths(&before)).collect();
        // A directory whose name holds the separator cannot be named there at all.
        std::env::join_paths(all).unwrap_or(before)
    }
}

/// The process becomes the program: signals, terminal and exit code are its own.
#[cfg(unix)]
fn take_over(mut command: Command) -> std::io::Result<i32> {
    Err(std::os::unix::process::CommandExt::exec(&mut command))
}

#[cfg(not(unix))]
fn take_over(mut command: Command) -> std::io::Result<i32> {
    Ok(command.status()?.code().unwrap_or(1))
}
