//! A lock that several machines see: a file made exclusively that says whose it is.
//!
//! Locks of the operating system do not reach across a network's file system, or only
//! seem to. What does is making a file that must not be there yet. The file outlives a
//! process that is killed, so it says who made it: on the same machine since the same
//! start a dead owner can be told; of another machine nobody knows, and only the user
//! can say. A heartbeat shows them whether the owner was there lately.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fs::{FsError, find_text, rename};

/// How often an owner gives a sign of life.
const BEAT: Duration = Duration::from_secs(5);
/// After so long without a sign of life nobody waits for an owner on another machine.
const SILENCE: Duration = Duration::from_mins(1);

/// A machine as long as it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its name on the network.
    pub host: String,
    /// What differs with each start and each container: process ids count only within.
    pub boot: String,
}

/// What an owner writes about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The machine's name.
    pub host: String,
    /// The machine's start.
    pub boot: String,
    /// The process.
    pub pid: u32,
    /// When the process began, as the system counts: ids are used again.
    pub began: Option<String>,
    /// What it does.
    pub purpose: String,
    /// Since when.
    pub since: String,
}

/// Whether the owner of a claim still lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It runs on this machine.
    Alive,
    /// It ran on this machine.
    Dead,
    /// It is of another machine, or cannot be told.
    Unknown,
}

/// A claim that somebody else has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rival {
    /// Who, what and since when, in words.
    pub shown: String,
    /// Whether it lives.
    pub life: Life,
    /// Its last sign of life is so long ago that waiting is of no use.
    pub silent: bool,
    text: String,
}

impl Machine {
    /// Returns the machine that this process runs on.
    pub fn here() -> Self {
        Self {
            host: host_name(),
            boot: boot_id(),
        }
    }
}

impl Owner {
    fn new(machine: &Machine, purpose: &str) -> Self {
        let pid = std::process::id();
        Self {
            host: machine.host.clone(),
            boot: machine.boot.clone(),
            pid,
            began: began(pid),
            purpose: purpose.to_owned(),
            since: now_in_words(),
        }
    }

    /// Judges whether the owner lives, seen from a machine. `is_running` returns when the
    /// process with an id began, if there is one.
    pub fn life(&self, machine: &Machine, is_running: impl Fn(u32) -> Running) -> Life {
        if self.host != machine.host || self.boot != machine.boot || self.boot.is_empty() {
            return Life::Unknown;
        }
        match is_running(self.pid) {
            Running::Yes(began) if began == self.began => Life::Alive,
            Running::Yes(_) | Running::No => Life::Dead,
            Running::Unknown => Life::Unknown,
        }
    }
}

/// Whether a process of this machine runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Running {
    /// It does, since then where the system tells.
    Yes(Option<String>),
    /// It does not.
    No,
    /// The system does not tell.
    Unknown,
}

/// A claim of ours; given up when dropped.
#[derive(Debug)]
pub struct Claim {
    path: Utf8PathBuf,
    text: String,
    stop: Arc<(Mutex<bool>, Condvar)>,
    beating: Option<JoinHandle<()>>,
}

impl Claim {
    /// Tries once to make the claim at `path`. What a dead process of this machine left
    /// is taken over; `breaks` takes over what is of another machine too.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be made.
    pub fn try_make(
        path: &Utf8Path,
        machine: &Machine,
        purpose: &str,
        breaks: bool,
    ) -> Result<Result<Self, Rival>, FsError> {
        let fail = |verb, source| FsError {
            verb,
            path: path.to_owned(),
            source,
        };
        let text = serde_json::to_string(&Owner::new(machine, purpose))
            .map_err(|error| fail("write", io::Error::other(error)))?;
        // Twice: once to find a dead one, once in its place.
        for _ in 0..2 {
            match OpenOptions::new().write(true).create_new(true).open(path) {
                Ok(mut file) => {
                    file.write_all(text.as_bytes())
                        .and_then(|()| file.sync_all())
                        .map_err(|error| fail("write", error))?;
                    return Ok(Ok(Self::begin(path, text, file)));
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(fail("write", error)),
            }
            let Some(rival) = find_rival(path, machine)? else {
                continue;
            };
            let goes = match rival.life {
                Life::Dead => true,
                Life::Unknown => breaks,
                Life::Alive => false,
            };
            if !goes {
                return Ok(Err(rival));
            }
            take_away(path, &rival)?;
        }
        let rival = find_rival(path, machine)?;
        Ok(Err(rival.unwrap_or_else(Rival::unnamed)))
    }

    fn begin(path: &Utf8Path, text: String, file: File) -> Self {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let told = Arc::clone(&stop);
        let beating = std::thread::Builder::new().name("heartbeat".to_owned());
        // Without a heart the claim still holds.
        let beating = beating.spawn(move || beat(&file, &told)).ok();
        Self {
            path: path.to_owned(),
            text,
            stop,
            beating,
        }
    }
}

fn beat(file: &File, stop: &(Mutex<bool>, Condvar)) {
    let Ok(mut stopped) = stop.0.lock() else {
        return;
    };
    while !*stopped {
        // A sign that cannot be given makes the claim look older, no more.
        let _ = file.set_modified(SystemTime::now());
        match stop.1.wait_timeout(stopped, BEAT) {
            Ok((state, _)) => stopped = state,
            Err(_) => return,
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Ok(mut stopped) = self.stop.0.lock() {
            *stopped = true;
        }
        self.stop.1.notify_all();
        if let Some(beating) = self.beating.take() {
            let _ = beating.join();
        }
        // Somebody may have broken it, and what lies there is theirs.
        if matches!(find_text(&self.path), Ok(Some(text)) if text == self.text) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Rival {
    fn unnamed() -> Self {
        Self {
            shown: "another process".to_owned(),
            life: Life::Unknown,
            silent: false,
            text: String::new(),
        }
    }

    /// Reads what an owner wrote; `last` is its last sign of life.
    fn read(text: String, last: Option<SystemTime>, machine: &Machine) -> Self {
        let age = last.and_then(|last| SystemTime::now().duration_since(last).ok());
        let silent = age.is_some_and(|age| age > SILENCE);
        let Ok(owner) = serde_json::from_str::<Owner>(&text) else {
            // Made a moment ago, or its maker died at that moment.
            return Self {
                silent,
                text,
                ..Self::unnamed()
            };
        };
        let life = owner.life(machine, running);
        let sign = match age.map(|age| age.as_secs()) {
            Some(seconds @ 0..120) => format!(", last sign of life {seconds} s ago"),
            Some(seconds) => format!(", last sign of life {} minutes ago", seconds / 60),
            None => String::new(),
        };
        let shown = format!(
            "PID {} on {}, {}, since {}{sign}",
            owner.pid, owner.host, owner.purpose, owner.since
        );
        Self {
            shown: shown
                .chars()
                .filter(|c| !c.is_control())
                .take(200)
                .collect(),
            life,
            silent,
            text,
        }
    }
}

/// Finds the claim at `path`, if there is one.
///
/// # Errors
///
/// Fails if it cannot be read.
pub fn find_rival(path: &Utf8Path, machine: &Machine) -> Result<Option<Rival>, FsError> {
    let Some(text) = find_text(path)? else {
        return Ok(None);
    };
    let last = std::fs::metadata(path)
        .and_then(|data| data.modified())
        .ok();
    Ok(Some(Rival::read(text, last, machine)))
}

/// Removes a claim, unless it is another than the one that was judged: two may come to
/// the same end at once, and the slower one must not remove what the quicker one made.
///
/// # Errors
///
/// Fails if it cannot be removed.
pub fn take_away(path: &Utf8Path, rival: &Rival) -> Result<(), FsError> {
    let aside = Utf8PathBuf::from(format!("{path}.{}", std::process::id()));
    match rename(path, &aside) {
        Err(error) if error.is_not_found() => return Ok(()),
        result => result?,
    }
    if find_text(&aside)?.as_ref() == Some(&rival.text) {
        super::fs::remove_all(&aside)
    } else {
        rename(&aside, path)
    }
}

/// Returns the time in whole seconds, as an owner writes since when it is at work.
pub(super) fn now_in_words() -> String {
    let now = Timestamp::now().round(jiff::Unit::Second);
    now.map_or_else(|_| String::new(), |time| time.to_string())
}

fn host_name() -> String {
    #[cfg(unix)]
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    #[cfg(not(unix))]
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    name
}

/// Returns what tells one start of the machine, and one container on it, from another.
/// Empty where the system does not say: nothing is concluded then.
fn boot_id() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let Some(boot) = Some(boot.trim()).filter(|boot| !boot.is_empty()) else {
        return String::new();
    };
    let space = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{boot} {}", space.display())
}

/// Returns when a process began, in the system's own count; Linux only.
fn began(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, so count from behind it: the start is field 22.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19).map(str::to_owned)
}

/// Tells whether a process of this machine runs.
pub(super) fn running(pid: u32) -> Running {
    if !std::path::Path::new("/proc/self/stat").exists() {
        return Running::Unknown;
    }
    match began(pid) {
        Some(began) => Running::Yes(Some(began)),
        None => Running::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(host: &str, boot: &str) -> Machine {
        Machine {
            host: host.to_owned(),
            boot: boot.to_owned(),
        }
    }

    #[test]
    fn only_a_process_of_this_machine_since_this_start_is_known_to_be_dead() {
        let here = machine("a", "1");
        let owner = Owner {
            began: Some("77".to_owned()),
            ..Owner::new(&here, "sync")
        };
        let since = |began: &str| Running::Yes(Some(began.to_owned()));
        for (there, running, expected) in [
            (&here, since("77"), Life::Alive),
            (&here, since("78"), Life::Dead),
            (&here, Running::No, Life::Dead),
            (&here, Running::Unknown, Life::Unknown),
            (&machine("b", "1"), Running::No, Life::Unknown),
            (&machine("a", "2"), Running::No, Life::Unknown),
        ] {
            assert_eq!(owner.life(there, |_| running.clone()), expected);
        }
        let nameless = machine("a", "");
        let owner = Owner::new(&nameless, "sync");
        assert_eq!(owner.life(&nameless, |_| Running::No), Life::Unknown);
    }

    #[test]
    fn this_process_lives() {
        let here = Machine::here();
        let owner = Owner::new(&here, "sync");
        if !here.boot.is_empty() {
            assert_eq!(owner.life(&here, running), Life::Alive);
        }
    }
}
