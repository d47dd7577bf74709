//! The directory lock: two portenv processes never work on one installation at once.
#![expect(
    clippy::missing_errors_doc,
    reason = "every function here fails in the one way that `FsError` says"
)]

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};

use camino::{Utf8Path, Utf8PathBuf};

use super::claim::{
    Claim, Life, Machine, Rival, Running, find_rival, now_in_words, running, take_away,
};
use super::fs::{FsError, create_dir_all};
use super::volume::{Locality, locality};

/// A held lock. It is given up when the value and every child that was handed
/// [`DirLock::share`] are gone.
#[derive(Debug)]
pub struct DirLock {
    file: File,
    path: Utf8PathBuf,
    /// What other machines see of it, where they may look.
    _claim: Option<Claim>,
}

/// How a lock is taken.
#[derive(Debug, Clone)]
pub struct LockPolicy {
    /// The machine that takes it.
    pub machine: Machine,
    /// Whether the directory is on this machine; asked of the system if `None`.
    pub locality: Option<Locality>,
    /// Take what another machine has.
    pub breaks: bool,
    /// Wait for who is at work, however long that takes.
    pub waits: bool,
    /// Ask for the system's lock too. Two machines in one test do without.
    pub system: bool,
}

impl Default for LockPolicy {
    fn default() -> Self {
        Self {
            machine: Machine::here(),
            locality: None,
            breaks: false,
            waits: true,
            system: true,
        }
    }
}

/// Who holds a lock that could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Busy {
    /// What the holder wrote about itself, as in "PID 4711, rollback, since …".
    pub holder: String,
    /// It is of another machine, or cannot be told: it may be dead.
    pub elsewhere: bool,
    /// It has long given no sign of life, so that waiting is of no use.
    pub silent: bool,
}

impl Busy {
    fn read(file: &mut File) -> Self {
        let mut holder = String::new();
        // Only a courtesy: Windows refuses to read a locked range.
        let _ = file.read_to_string(&mut holder);
        let holder = match holder.trim() {
            "" => "another process".to_owned(),
            text => {
                let shown: String = text.chars().filter(|c| !c.is_control()).take(120).collect();
                match pid_of(&shown).map(running) {
                    // Perhaps it is of another container; so only what is known is said.
                    Some(Running::No) => {
                        format!("{shown}; it is gone, and what it started is still at work")
                    }
                    _ => shown,
                }
            }
        };
        Self {
            holder,
            elsewhere: false,
            silent: false,
        }
    }
}

impl From<Rival> for Busy {
    fn from(rival: Rival) -> Self {
        Self {
            holder: rival.shown,
            elsewhere: rival.life == Life::Unknown,
            silent: rival.silent,
        }
    }
}

/// Reads who it is from the words that a holder wrote.
fn pid_of(holder: &str) -> Option<u32> {
    let (pid, _) = holder.strip_prefix("PID ")?.split_once(',')?;
    pid.parse().ok()
}

/// Returns where machines that share a directory leave their claims.
fn claim_path(path: &Utf8Path) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{path}.held"))
}

/// The outcome of one try to take the lock.
#[derive(Debug)]
pub enum LockAttempt {
    /// The lock is ours.
    Held(DirLock),
    /// Someone else works here, or a child of a killed run still does.
    Busy(Busy),
}

impl DirLock {
    /// Tries once to take the lock at `path`; `purpose` is what others will read.
    ///
    /// On a file system that other machines may see, the system's lock is not enough: a
    /// claim is made beside it. Where it is known to be local, a claim is only looked
    /// for, since machines that it is lent to make one.
    ///
    /// # Errors
    ///
    /// Fails if the lock file cannot be made or a local file system knows no locks.
    pub fn try_take(
        path: &Utf8Path,
        purpose: &str,
        policy: &LockPolicy,
    ) -> Result<LockAttempt, FsError> {
        let fail = |verb, source| FsError {
            verb,
            path: path.to_owned(),
            source,
        };
        if let Some(parent) = path.parent() {
            create_dir_all(parent)?;
        }
        let claim_path = claim_path(path);
        let seen = path.parent().unwrap_or(path);
        let is_local = policy.locality.unwrap_or_else(|| locality(seen)) == Locality::Local;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|error| fail("open", error))?;
        match file.try_lock() {
            _ if !policy.system => {}
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let rival = find_rival(&claim_path, &policy.machine)?;
                return Ok(LockAttempt::Busy(match rival {
                    Some(rival) if rival.life != Life::Dead => rival.into(),
                    _ => Busy::read(&mut file),
                }));
            }
            // Many a network's file system knows no locks; the claim does without.
            Err(TryLockError::Error(_)) if !is_local => {}
            Err(TryLockError::Error(error)) => return Err(fail("lock", error)),
        }
        let mut claim = None;
        if !is_local {
            match Claim::try_make(&claim_path, &policy.machine, purpose, policy.breaks)? {
                Ok(made) => claim = Some(made),
                Err(rival) => return Ok(LockAttempt::Busy(rival.into())),
            }
        } else if let Some(rival) = find_rival(&claim_path, &policy.machine)? {
            if rival.life == Life::Alive || rival.life == Life::Unknown && !policy.breaks {
                return Ok(LockAttempt::Busy(rival.into()));
            }
            take_away(&claim_path, &rival)?;
        }
        let mut note = || -> std::io::Result<()> {
            file.set_len(0)?;
            file.rewind()?;
            let since = now_in_words();
            writeln!(file, "PID {}, {purpose}, since {since}", std::process::id())
        };
        note().map_err(|error| fail("write", error))?;
        Ok(LockAttempt::Held(Self {
            file,
            path: path.to_owned(),
            _claim: claim,
        }))
    }

    /// Tells who holds the lock at `path`, without taking it or writing anything.
    pub fn holder(path: &Utf8Path, machine: &Machine) -> Option<Busy> {
        if let Ok(Some(rival)) = find_rival(&claim_path(path), machine)
            && rival.life != Life::Dead
        {
            return Some(rival.into());
        }
        let mut file = File::open(path).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(Busy::read(&mut file)),
            _ => None,
        }
    }

    /// Returns a handle for a child's standard input: the lock then outlives us
    /// until the child is done, so the next run waits for the orphan.
    pub fn share(&self) -> Result<File, FsError> {
        self.file.try_clone().map_err(|source| FsError {
            verb: "share",
            path: self.path.clone(),
            source,
        })
    }
}

/// A lock that many may hold together, or one alone.
#[derive(Debug)]
pub struct UseLock(#[expect(dead_code, reason = "held until it is dropped")] File);

impl UseLock {
    /// Holds the lock at `path` together with others, waiting for one who is alone;
    /// `None` if that cannot be, or if the directory is not there.
    pub fn together(path: &Utf8Path) -> Option<Self> {
        let file = Self::open(path).ok()?;
        file.lock_shared().ok()?;
        Some(Self(file))
    }

    /// Tries once to hold the lock at `path` alone; `None` if others hold it.
    ///
    /// # Errors
    ///
    /// Fails if the lock file cannot be made or the file system knows no locks.
    pub fn try_alone(path: &Utf8Path) -> Result<Option<Self>, FsError> {
        let fail = |verb, source| FsError {
            verb,
            path: path.to_owned(),
            source,
        };
        let file = Self::open(path).map_err(|error| fail("open", error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(fail("lock", error)),
        }
    }

    fn open(path: &Utf8Path) -> std::io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
    }
}
