//! The programs of the machine that tests need: Python, git, and uv wherever it may be.

use std::{process::Command, sync::OnceLock};

use camino::{Utf8Path, Utf8PathBuf};

/// The uv that is installed where there is none. Fixed, so that all machines test one.
const UV_REQUIREMENT: &str = "uv==0.13.8";

/// Returns the real uv: `$PORTENV_UV`, else `uv` on PATH, else one installed once beside the
/// build's temporary files, where the next test run finds it again.
///
/// # Panics
///
/// Panics if there is none and none can be installed.
pub(crate) fn uv() -> &'static Utf8Path {
    uv_if_any().expect("no uv: set PORTENV_UV, put uv on PATH, or let pip install it")
}

/// Returns [`uv()`] or `None`: most commands do without, so their tests need not fail.
pub(super) fn uv_if_any() -> Option<&'static Utf8Path> {
    static UV: OnceLock<Option<Utf8PathBuf>> = OnceLock::new();
    let found = || named_uv().or_else(uv_on_path).or_else(installed_uv);
    UV.get_or_init(found).as_deref()
}

fn named_uv() -> Option<Utf8PathBuf> {
    let path = std::env::var("PORTENV_UV").ok()?;
    Some(Utf8PathBuf::from(path))
}

fn uv_on_path() -> Option<Utf8PathBuf> {
    let name = format!("uv{}", std::env::consts::EXE_SUFFIX);
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(&name))
        // A pyenv shim is a file on PATH that may lead nowhere.
        .find(|file| runs(Command::new(file).arg("--version")))
        .and_then(|file| Utf8PathBuf::try_from(file).ok())
}

/// Installs uv with pip into a venv of its own and returns it.
///
/// Several test processes may come here at once: each builds under its own name, the first to
/// rename wins, and the others use the winner's. uv is one native program, so moving is fine.
fn installed_uv() -> Option<Utf8PathBuf> {
    let venv = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).join("uv");
    let uv = in_venv(&venv, "uv");
    if uv.exists() {
        return Some(uv);
    }
    let staged = venv.with_extension(std::process::id().to_string());
    let python = in_venv(&staged, "python");
    let made = runs(Command::new(base_python()).args(["-m", "venv", staged.as_str()]))
        && runs(Command::new(python).args(["-m", "pip", "install", "--quiet", UV_REQUIREMENT]));
    if made {
        std::fs::rename(&staged, &venv).ok();
    }
    std::fs::remove_dir_all(&staged).ok();
    uv.exists().then_some(uv)
}

/// Returns a Python that is in no venv itself, so that venvs made from it don't nest.
pub(crate) fn base_python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let name = if cfg!(windows) { "python" } else { "python3" };
        let code = "import sys; print(getattr(sys, '_base_executable', sys.executable))";
        let mut command = Command::new(name);
        command.args(["-c", code]);
        printed(command)
    })
}

/// Returns a program of a venv.
pub(super) fn in_venv(venv: &Utf8Path, program: &str) -> Utf8PathBuf {
    if cfg!(windows) {
        venv.join("Scripts").join(format!("{program}.exe"))
    } else {
        venv.join("bin").join(program)
    }
}

/// Returns the `file://` URL of a path without characters that need escaping.
pub(super) fn file_url(path: &Utf8Path) -> String {
    let path = path.as_str().replace('\\', "/");
    format!("file:///{}", path.trim_start_matches('/'))
}

/// Returns the test clock after some minutes, RFC 3339. It starts in the middle of 2026, so that
/// files of the index lie in its past.
pub(super) fn instant(minutes: u32) -> String {
    let (day, hour, minute) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    assert!(day < 30, "one test ran {minutes} commands");
    format!("2026-06-{:02}T{hour:02}:{minute:02}:00Z", day + 1)
}

/// Runs a program that must succeed and returns what it printed, without the last line break.
#[track_caller]
pub(super) fn printed(mut command: Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

fn runs(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
