//! What keeps a file from being replaced: a program that has it loaded, or a mark by which
//! nobody may change it.
//!
//! Linux tells of every process which files it has mapped. Elsewhere a file that cannot be
//! opened for writing is held by somebody, and Windows can be asked by whom.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::fs;

/// Where Linux tells of processes.
const PROC: &str = "/proc";

/// A program that runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// What it is, as far as the system tells: the beginning of its command line.
    pub shown: String,
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PID {}", self.pid)?;
        if !self.shown.is_empty() {
            write!(f, ", {}", self.shown)?;
        }
        Ok(())
    }
}

/// A file that is held, and by whom; `None` if the system does not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The file.
    pub file: Utf8PathBuf,
    /// Who holds it.
    pub by: Option<Process>,
}

/// Finds programs that have one of these files loaded, each with the first such file. Of
/// programs of other users nothing may be known.
pub fn find_held(files: &BTreeSet<Utf8PathBuf>) -> Vec<Held> {
    if files.is_empty() {
        return Vec::new();
    }
    held_by_maps(Utf8Path::new(PROC), files)
        .unwrap_or_else(|| held_by_trying(files, is_locked, who_loads))
}

/// Finds programs that run a script, as `python main.py`; none where the system does not tell.
pub fn find_running(script: &Utf8Path) -> Vec<Process> {
    running_in(Utf8Path::new(PROC), script)
}

/// Returns the ids below `/proc`, ours excepted; `None` if there is no such place.
fn ids(proc: &Utf8Path) -> Option<Vec<u32>> {
    if !fs::exists(&proc.join("self")) {
        return None;
    }
    let names = fs::find_entries(proc).into_iter();
    let ids = names.filter_map(|(name, _)| name.parse().ok());
    Some(ids.filter(|id| *id != std::process::id()).collect())
}

fn held_by_maps(proc: &Utf8Path, files: &BTreeSet<Utf8PathBuf>) -> Option<Vec<Held>> {
    let holds = |pid: u32| {
        let maps = fs::read_bytes(&proc.join(format!("{pid}/maps"))).ok()?;
        let maps = String::from_utf8_lossy(&maps);
        // What was replaced since is marked as deleted, and so is none of the files.
        let mut mapped = maps
            .lines()
            .filter_map(|line| line.find('/').map(|at| &line[at..]));
        let file = mapped.find_map(|path| files.get(Utf8Path::new(path)))?;
        Some(Held {
            file: file.clone(),
            by: Some(process(proc, pid)),
        })
    };
    Some(ids(proc)?.into_iter().filter_map(holds).collect())
}

fn held_by_trying(
    files: &BTreeSet<Utf8PathBuf>,
    is_locked: impl Fn(&Utf8Path) -> bool,
    who: impl Fn(&Utf8Path) -> Vec<Process>,
) -> Vec<Held> {
    let mut held = Vec::new();
    for file in files.iter().filter(|file| is_locked(file)) {
        let all = who(file);
        let by = if all.is_empty() {
            vec![None]
        } else {
            all.into_iter().map(Some).collect()
        };
        held.extend(by.into_iter().map(|by| Held {
            file: file.clone(),
            by,
        }));
        // One that is held says enough, and each question takes its time.
        if !held.is_empty() {
            break;
        }
    }
    held
}

fn command_line(proc: &Utf8Path, pid: u32) -> Vec<String> {
    let bytes = fs::read_bytes(&proc.join(format!("{pid}/cmdline"))).unwrap_or_default();
    let words = bytes.split(|byte| *byte == 0);
    let words = words.filter(|word| !word.is_empty());
    words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

fn process(proc: &Utf8Path, pid: u32) -> Process {
    let words = command_line(proc, pid).join(" ");
    let shown = words.chars().filter(|c| !c.is_control()).take(80);
    Process {
        pid,
        shown: shown.collect(),
    }
}

fn running_in(proc: &Utf8Path, script: &Utf8Path) -> Vec<Process> {
    let Some(name) = script.file_name() else {
        return Vec::new();
    };
    let runs = |pid: &u32| {
        let words = command_line(proc, *pid);
        let mut named = words.iter().skip(1).filter(|word| word.ends_with(name));
        named.any(|word| {
            let dir = fs::link_target(&proc.join(format!("{pid}/cwd"))).unwrap_or_default();
            fs::canonical(&Utf8Path::new(&dir).join(word)).is_ok_and(|path| path == script)
        })
    };
    let all = ids(proc).unwrap_or_default().into_iter();
    all.filter(runs).map(|pid| process(proc, pid)).collect()
}

/// Reports whether somebody keeps a file from being written: Windows does so for a library
/// that a program has loaded, others for a program that runs.
fn is_locked(file: &Utf8Path) -> bool {
    const SHARING_VIOLATION: i32 = 32;
    match std::fs::OpenOptions::new().append(true).open(file) {
        Ok(_) => false,
        Err(error) => {
            error.kind() == std::io::ErrorKind::ExecutableFileBusy
                || cfg!(windows) && error.raw_os_error() == Some(SHARING_VIOLATION)
        }
    }
}

/// Asks Windows who has loaded a library of this name.
fn who_loads(file: &Utf8Path) -> Vec<Process> {
    if !cfg!(windows) {
        return Vec::new();
    }
    let name = file.file_name().unwrap_or_default();
    let call = super::process::Call::new("tasklist").args(["/m", name, "/fo", "csv", "/nh"]);
    call.run()
        .map_or(Vec::new(), |answer| parse_tasklist(&answer.text()))
}

/// Parses lines such as `"python.exe","4711","_core.pyd"`.
fn parse_tasklist(text: &str) -> Vec<Process> {
    let row = |line: &str| {
        let mut cells = line.trim().trim_matches('"').split("\",\"");
        let shown = cells.next()?.to_owned();
        let pid = cells.next()?.parse().ok()?;
        Some(Process { pid, shown })
    };
    text.lines().filter_map(row).collect()
}

/// Reports whether a file is marked so that nobody may change or remove it.
#[cfg(target_os = "linux")]
pub fn is_fixed(file: &Utf8Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let marks = StatxAttributes::IMMUTABLE | StatxAttributes::APPEND;
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    statx(CWD, file.as_std_path(), flags, StatxFlags::empty())
        .is_ok_and(|found| found.stx_attributes.intersects(marks))
}

/// Reports whether a file is marked so that nobody may change or remove it.
#[cfg(not(target_os = "linux"))]
pub fn is_fixed(_: &Utf8Path) -> bool {
    false
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    fn files(paths: &[&str]) -> BTreeSet<Utf8PathBuf> {
        paths.iter().map(Utf8PathBuf::from).collect()
    }

    fn proc() -> (tempfile::TempDir, Utf8PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(dir.path().to_owned()).unwrap();
        (dir, path)
    }

    fn write(dir: &Utf8Path, name: &str, text: &str) {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn a_library_is_held_by_whoever_has_it_mapped_unless_it_was_replaced_since() {
        let (_held, proc) = proc();
        let map = |path: &str| format!("7f00-7f01 r-xp 00000000 08:01 42    {path}\n");
        write(&proc, "self/x", "");
        write(&proc, "11/maps", &map("/env/_core.so"));
        write(&proc, "11/cmdline", "python\0main.py\0");
        write(&proc, "12/maps", &map("/env/_core.so (deleted)"));
        write(
            &proc,
            "13/maps",
            &format!("0-1 rw-p 0 0:0 0\n{}", map("/env/a b.so")),
        );
        write(&proc, "meminfo", "");
        let held = |paths: &[&str]| held_by_maps(&proc, &files(paths)).unwrap();
        let by = Process {
            pid: 11,
            shown: "python main.py".to_owned(),
        };
        assert_eq!(by.to_string(), "PID 11, python main.py");
        let core = Held {
            file: "/env/_core.so".into(),
            by: Some(by),
        };
        assert_eq!(held(&["/env/_core.so", "/env/other.so"]), [core]);
        assert_eq!(held(&["/env/a b.so"])[0].by.as_ref().unwrap().pid, 13);
        assert_eq!(held(&["/env/other.so"]), []);
    }

    #[test]
    fn where_no_process_can_be_looked_at_a_file_is_tried() {
        let (_held, proc) = proc();
        assert_eq!(held_by_maps(&proc, &files(&["/env/a.so"])), None);
        assert_eq!(running_in(&proc, "/comfy/main.py".into()), []);
        let all = files(&["/env/a.pyd", "/env/b.pyd"]);
        let locked = |path: &Utf8Path| path.ends_with("b.pyd");
        let nobody = |_: &Utf8Path| Vec::new();
        let unnamed = held_by_trying(&all, locked, nobody);
        assert_eq!((unnamed.len(), &unnamed[0].by), (1, &None));
        let who = |_: &Utf8Path| parse_tasklist("\"python.exe\",\"4711\",\"b.pyd\"\r\n");
        let named = held_by_trying(&all, locked, who);
        assert_eq!(named[0].file, "/env/b.pyd");
        assert_eq!(
            named[0].by.as_ref().unwrap().to_string(),
            "PID 4711, python.exe"
        );
        assert_eq!(held_by_trying(&all, |_| false, who), []);
        // Said where nobody has it loaded.
        assert_eq!(parse_tasklist("INFO: No tasks are running.\r\n"), []);
    }

    #[test]
    fn a_file_that_can_be_written_is_held_by_nobody() {
        let (_held, dir) = proc();
        write(&dir, "a.so", "");
        assert!(!is_locked(&dir.join("a.so")));
        assert!(!is_locked(&dir.join("none.so")));
        assert!(!is_fixed(&dir.join("a.so")));
    }

    #[cfg(unix)]
    #[test]
    fn a_script_is_run_by_whoever_names_it_from_where_it_is() {
        let (_held, dir) = proc();
        let dir = fs::canonical(&dir).unwrap();
        write(&dir, "comfy/main.py", "");
        write(&dir, "other/main.py", "");
        let proc = dir.join("proc");
        write(&proc, "self/x", "");
        for (pid, cwd, line) in [
            (21, "comfy", "python\0main.py\0--listen\0"),
            (22, "other", "python\0main.py\0"),
            (23, "other", "python\0-s\0../comfy/main.py\0"),
            (24, "comfy", "vim\0notes\0"),
        ] {
            write(&proc, &format!("{pid}/cmdline"), line);
            let cwd = dir.join(cwd);
            std::os::unix::fs::symlink(cwd, proc.join(format!("{pid}/cwd"))).unwrap();
        }
        let mut found = running_in(&proc, &dir.join("comfy/main.py"));
        found.sort();
        let pids: Vec<u32> = found.iter().map(|process| process.pid).collect();
        assert_eq!(pids, [21, 23]);
        assert_eq!(found[0].shown, "python main.py --listen");
    }
}
