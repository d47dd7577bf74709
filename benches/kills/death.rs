//! Ways in which portenv, uv or both come to their end.

use std::fmt;
use std::fs;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Dice;
use crate::place::Place;

/// A way to die.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    Alone,
    Group,
    Step,
    Half,
    Fail,
    Late,
    Hang,
    HalfHang,
}

/// How often each way is chosen: most by those whose moment is free.
const WAYS: [Way; 15] = [
    Way::Alone,
    Way::Alone,
    Way::Alone,
    Way::Group,
    Way::Group,
    Way::Group,
    Way::Step,
    Way::Step,
    Way::Step,
    Way::Step,
    Way::Half,
    Way::Fail,
    Way::Late,
    Way::Hang,
    Way::HalfHang,
];

impl Way {
    /// Chooses one, or takes the one that was named.
    pub(crate) fn choose(named: Option<&str>, dice: &mut Dice) -> Self {
        let fits =
            |way: &Self| named.is_none_or(|named| format!("{way:?}").to_lowercase() == named);
        let ways: Vec<Self> = WAYS.into_iter().filter(fits).collect();
        ways[dice.below(ways.len())]
    }

    /// Reports whether nothing of the run lives on.
    pub(crate) fn takes_all(self) -> bool {
        self != Self::Alone
    }
}

/// What was done.
pub(crate) struct Death {
    words: String,
    /// How portenv exited, if it did.
    pub(crate) exit: Option<i32>,
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (exit {:?})", self.words, self.exit)
    }
}

/// Runs a command undisturbed and counts how often its journal grows.
pub(crate) fn count_writes(place: &Place, words: &[&str]) -> usize {
    let mut child = begin(place, words);
    let mut journal = Journal::new(place);
    while child.try_wait().unwrap().is_none() {
        journal.look();
    }
    journal.writes
}

/// Runs a command and ends it.
pub(crate) fn kill(
    place: &Place,
    words: &[&str],
    way: Way,
    takes: f64,
    writes: usize,
    dice: &mut Dice,
) -> Death {
    let moment = Duration::from_secs_f64(takes * 1.1 * dice.part());
    let delay = 0.25 * dice.part();
    let order = match way {
        Way::Half => "half",
        Way::Fail => "fail",
        Way::Late => "late",
        Way::Hang => "hang",
        Way::HalfHang => "halfhang",
        Way::Alone | Way::Group | Way::Step => "pass",
    };
    place.order(&format!("{order} {delay}\n"));
    let hanging = place.stand_in().join("hanging");
    let _ = fs::remove_file(&hanging);
    let mut child = begin(place, words);
    let words = match way {
        Way::Alone => {
            sleep(moment);
            end(&child);
            format!("portenv killed after {moment:?}")
        }
        Way::Group => {
            sleep(moment);
            end_all(&child);
            format!("all killed after {moment:?}")
        }
        Way::Step => {
            let nth = 1 + dice.below(writes);
            let later = Duration::from_micros(dice.below(4000) as u64)
                * u32::try_from(dice.below(2)).unwrap();
            let mut journal = Journal::new(place);
            while journal.writes < nth && child.try_wait().unwrap().is_none() {
                journal.look();
            }
            sleep(later);
            end_all(&child);
            format!("all killed {later:?} after write {nth} of {writes}")
        }
        Way::Half | Way::Fail | Way::Late => format!("uv told to {order}, {delay}"),
        Way::Hang | Way::HalfHang => {
            while !hanging.exists() && child.try_wait().unwrap().is_none() {
                sleep(Duration::from_millis(1));
            }
            end_all(&child);
            format!("uv told to {order}, {delay}; all killed")
        }
    };
    let exit = child.wait().unwrap().code();
    place.order("pass 0");
    Death { words, exit }
}

fn begin(place: &Place, words: &[&str]) -> Child {
    let mut command = place.command(words);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap()
}

fn end(child: &Child) {
    // It may have ended by itself.
    let _ = kill_process(pid_of(child), Signal::KILL);
}

/// Ends a process and all that it started: stopped first, so that it starts no more.
fn end_all(child: &Child) {
    let _ = kill_process(pid_of(child), Signal::STOP);
    let mut all = vec![pid_of(child)];
    let mut at = 0;
    while let Some(&parent) = all.get(at) {
        let children = children_of(parent);
        for &one in &children {
            let _ = kill_process(one, Signal::STOP);
        }
        all.extend(children);
        at += 1;
    }
    for one in all {
        let _ = kill_process(one, Signal::KILL);
    }
}

/// Asks the system who was started by a process, by any of its threads.
fn children_of(parent: Pid) -> Vec<Pid> {
    let tasks = fs::read_dir(format!("/proc/{}/task", parent.as_raw_nonzero()));
    let mut found = Vec::new();
    for task in tasks.into_iter().flatten().flatten() {
        let list = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        let ids = list.split_whitespace().filter_map(|id| id.parse().ok());
        found.extend(ids.filter_map(Pid::from_raw));
    }
    found
}

/// The file to which the history's database writes before all else.
struct Journal {
    path: std::path::PathBuf,
    size: u64,
    writes: usize,
    asked: Instant,
}

impl Journal {
    fn new(place: &Place) -> Self {
        Self {
            path: place.root().join(".portenv/portenv.db-wal"),
            size: 0,
            writes: 0,
            asked: Instant::now(),
        }
    }

    /// Looks whether it has grown; a moment is left to others between two looks.
    fn look(&mut self) {
        let size = fs::metadata(&self.path).map_or(0, |data| data.len());
        if size > self.size {
            self.writes += 1;
        }
        self.size = size;
        if self.asked.elapsed() > Duration::from_millis(1) {
            self.asked = Instant::now();
            sleep(Duration::from_micros(30));
        }
    }
}
