//! One run of a tool: its time, its processor time, its peak memory, its answer.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use wait4::Wait4;

/// Which tool to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Portenv,
    Uv,
}

/// What to resolve, and with what.
pub(crate) struct Case<'a> {
    pub(crate) files: &'a [PathBuf],
    pub(crate) index: String,
    pub(crate) portenv: &'a str,
    pub(crate) uv: &'a str,
    pub(crate) python: &'a str,
}

/// A run that has ended.
#[derive(Debug, Default)]
pub(crate) struct Ran {
    /// Seconds.
    pub(crate) wall: f64,
    /// Seconds, user and system.
    pub(crate) cpu: f64,
    /// Megabytes.
    pub(crate) peak: f64,
    /// `name==version`.
    pub(crate) answer: BTreeSet<String>,
    /// As portenv prints them under `-v`.
    pub(crate) counters: String,
    /// Why there is no answer.
    pub(crate) failure: Option<String>,
}

impl Case<'_> {
    fn command(&self, tool: Tool, cache: &Path) -> Command {
        let mut command = match tool {
            Tool::Portenv => {
                let mut command = Command::new(self.portenv);
                command
                    .arg("resolve")
                    .args(["--index-url", &self.index, "--uv", self.uv, "-v"]);
                command
            }
            Tool::Uv => {
                let mut command = Command::new(self.uv);
                command
                    .args(["pip", "compile", "--default-index", &self.index])
                    .args(["--no-config", "--no-header", "--no-annotate", "--quiet"]);
                command
            }
        };
        command
            .args(self.files)
            .args(["--python", self.python, "--cache-dir"])
            .arg(cache.join(format!("{tool:?}")));
        // Settings of the machine would change what is measured.
        command.env_clear();
        for name in ["PATH", "HOME", "SystemRoot", "TEMP"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    /// Runs a tool to its end. Both streams go to files, so that no pipe fills up.
    pub(crate) fn run(&self, tool: Tool, cache: &Path) -> Ran {
        let (out, err) = (cache.join("stdout"), cache.join("stderr"));
        let command = self.command(tool, cache);
        let mut measured = Command::new(std::env::current_exe().unwrap());
        measured
            .arg(MEASURE)
            .args([&out, &err])
            .arg(command.get_program())
            .args(command.get_args())
            .env_clear()
            .envs(
                command
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .stdin(Stdio::null());
        let output = measured.output().unwrap();
        let figures = String::from_utf8(output.stdout).unwrap();
        let figures: Vec<f64> = figures
            .split_whitespace()
            .map(|figure| figure.parse().unwrap())
            .collect();
        let [wall, cpu, peak, code] = figures[..] else {
            panic!("{}", String::from_utf8_lossy(&output.stderr));
        };
        let talk = std::fs::read_to_string(&err).unwrap();
        let answer = std::fs::read_to_string(&out).unwrap();
        let counters = talk.lines().find_map(|line| line.strip_prefix("stats: "));
        let last = talk.lines().find(|line| line.contains("error"));
        Ran {
            wall,
            cpu,
            peak,
            answer: answer
                .lines()
                .filter_map(|line| line.split([' ', ';']).find(|word| word.contains("==")))
                .map(str::to_owned)
                .collect(),
            counters: counters.unwrap_or_default().to_owned(),
            failure: (code > 0.0)
                .then(|| format!("{tool:?} failed: {}", last.unwrap_or("without a word"))),
        }
    }
}

/// The first argument that makes this program run another and print figures of it.
const MEASURE: &str = "--measure";

/// Runs the program that the arguments name, if they begin with the word for it.
///
/// A program's peak memory counts what the process had that started it. The server's memory must
/// not, so programs are started by a process that has none.
pub(crate) fn measured() -> bool {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_none_or(|first| first != MEASURE) {
        return false;
    }
    let mut file = || File::create(args.next().unwrap()).unwrap();
    let (out, err) = (file(), file());
    let mut command = Command::new(args.next().unwrap());
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err);
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let ended = child.wait4().unwrap();
    let wall = began.elapsed().as_secs_f64();
    let cpu = (ended.rusage.utime + ended.rusage.stime).as_secs_f64();
    let peak = ended.rusage.maxrss / 1_000_000;
    println!("{wall} {cpu} {peak} {}", i32::from(!ended.status.success()));
    true
}

/// Returns the path of the interpreter itself: behind a version manager's stand-in uv would
/// spend seconds on finding it, which says nothing about resolving.
pub(crate) fn real_python(python: &str) -> String {
    let output = Command::new(python)
        .args(["-I", "-S", "-c", "import sys; print(sys.executable)"])
        .output();
    let output = output.unwrap_or_else(|error| panic!("`{python}` does not run: {error}"));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
