//! Whose turn it is: one change at a time, and the next waits for it.

use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::context::{Context, Site};
use super::error::OpError;
use crate::host::{DirLock, LockAttempt, fs, volume};

/// The history and its journal need room until the end, and an undoing does too.
const ROOM: u64 = 2 << 20;

/// How much of that is kept for an undoing.
const RESERVED: usize = 1 << 20;

/// Room on the disk that a change may not use up, for its undoing. Given free when dropped.
#[derive(Debug)]
pub struct Reserve(Option<Utf8PathBuf>);

impl Reserve {
    /// Takes the room in portenv's own directory. Best effort: without it an undoing may stop
    /// for want of room, and goes on once there is some.
    pub fn make(own_dir: &Utf8Path) -> Self {
        let path = own_dir.join("tmp/reserve");
        let made = fs::write_atomic(&path, &vec![0; RESERVED]);
        Self(made.is_ok().then_some(path))
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = fs::remove_all(path);
        }
    }
}

/// Takes the directory lock, waiting for a rival or an orphan as long as it is at work.
///
/// # Errors
///
/// Fails if it is taken and nobody wants to wait, or waiting is of no use.
pub fn take_lock(context: &Context, site: &Site, purpose: &str) -> Result<DirLock, OpError> {
    let own_dir = site.installation.own_dir();
    let path = own_dir.join("lock");
    let began = Instant::now();
    let mut told: Option<String> = None;
    let mut seconds = 0;
    let taken = loop {
        let busy = match DirLock::try_take(&path, purpose, &context.locks)? {
            LockAttempt::Held(held) => break Ok(held),
            LockAttempt::Busy(busy) => busy,
        };
        if !context.locks.waits || busy.silent {
            break Err(if busy.elsewhere {
                OpError::BusyElsewhere(busy.holder)
            } else {
                OpError::Busy(busy.holder)
            });
        }
        if let Err(stop) = context.check_cancel() {
            break Err(stop);
        }
        // One may be followed by another; its sign of life is no news.
        let who = busy.holder.split(", last sign of life").next();
        let who = who.unwrap_or(&busy.holder);
        if told.as_deref() != Some(who) {
            let what = format!("waiting for another portenv: {who}");
            // Where no bar is shown, a run that says nothing would look hung.
            let notice = format!("{what}; --no-wait fails instead of waiting");
            context.progress.warning(&notice);
            context.progress.count(&what, None, "seconds");
            told = Some(who.to_owned());
        }
        if began.elapsed().as_secs() > seconds {
            seconds = began.elapsed().as_secs();
            context.progress.at(seconds, "seconds");
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    if told.is_some() {
        context.progress.end();
    }
    let held = taken?;
    match volume::free_bytes(&own_dir) {
        Some(free) if free < ROOM => Err(OpError::NoRoom {
            path: own_dir,
            needed: ROOM,
            free,
        }),
        _ => Ok(held),
    }
}
