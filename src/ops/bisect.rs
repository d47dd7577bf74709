//! `bisect run`: finds the snapshot that broke a command.
//!
//! Each step is a rollback to a snapshot between one where the command does well and one
//! where it fails, and a run of it; at the end it goes back to where it began. What is cut
//! short is told from the kinds of its operations: `recover` ends it.

use std::collections::BTreeMap;

use super::context::{Context, Site};
use super::error::OpError;
use super::outcome::Consent;
use super::rollback::{self, Destination, Parts, RollbackRequest, find};
use super::snapshot::{Shown, all};
use super::transaction::{record_lock, record_present, start};
use crate::host::foreground::{Ended, Foreground};
use crate::snapshot::{BISECT, BISECTED, Db, Snapshot, bisect_origin};

/// What to find, and by what.
#[derive(Debug, Clone, Default)]
pub struct BisectRequest {
    /// A snapshot where the command does well; the oldest, once that is seen, if `None`.
    pub good: Option<String>,
    /// A later one where it fails; the newest, once that is seen, if `None`.
    pub bad: Option<String>,
    /// The command and its arguments.
    pub command: Vec<String>,
}

/// What a command says of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It does well: exit code 0.
    Good,
    /// It fails.
    Bad,
    /// It cannot be told: exit code 125, or the snapshot cannot be gone back to.
    Skip,
}

/// One snapshot that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The snapshot.
    pub snapshot: String,
    /// What came of it.
    pub verdict: Verdict,
    /// How the command ended; `None` if it was not run.
    pub code: Option<i32>,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct BisectOutcome {
    /// The newest snapshot known to be good.
    pub good: String,
    /// The snapshots that the first bad one is among, newest first: one if it was found.
    pub suspects: Vec<Shown>,
    /// What was tried, in order.
    pub trials: Vec<Trial>,
    /// Where it began, and where it is again.
    pub start: String,
}

/// What is worth telling on the way.
pub enum Event<'a> {
    /// A snapshot is tried; so many more are, at most about.
    Trying(&'a Snapshot, u32),
    /// This came of it.
    Tried(&'a Trial),
    /// All is put back to where it began.
    Returning,
}

/// Finds the first snapshot where a command fails.
///
/// # Errors
///
/// Fails if there is nothing to find, if the command cannot be run or is ended by somebody,
/// or if a step could not be applied; then too it goes back to where it began.
pub fn run(
    context: &Context,
    request: &BisectRequest,
    line: &str,
    tell: &dyn Fn(&Event<'_>),
) -> Result<BisectOutcome, OpError> {
    let site = context.site()?;
    let own = site.installation.own_dir();
    let read = || -> Result<Vec<Snapshot>, OpError> {
        Ok(match Db::find(&own)? {
            Some(db) => db.snapshots()?,
            None => Vec::new(),
        })
    };
    // Nothing is written for a name that means nothing.
    ends(&read()?, request)?;
    let held = start(context, &site, "bisect")?;
    if bisect_origin(&read()?).is_some() {
        return Err(OpError::Refused(
            "a bisect was cut short here; portenv recover goes back to where it began".to_owned(),
        ));
    }
    let mut db = Db::open(&own)?;
    let (present, _) = record_present(context, &site, &mut db)?;
    let origin = record_lock(context, &mut db, &present)?;
    drop((db, held));
    let known = read()?;
    let mut search = Search {
        context,
        site: &site,
        request,
        line,
        tell,
        stops: stops(&known, ends(&known, request)?),
        trials: Vec::new(),
        known: BTreeMap::new(),
    };
    let found = search.run();
    let known = read()?;
    // What else was done meanwhile, by the command or beside it, ends no bisect.
    let mut since = known.iter().take_while(|snapshot| snapshot.id != origin);
    if since.any(|snapshot| snapshot.operation.kind == BISECT) {
        // The interrupt was obeyed; what follows puts back.
        context.cancel.withdraw();
        tell(&Event::Returning);
        search.go(Destination::Bisected(origin.clone()))?;
    }
    let (low, high) = found?;
    let suspects: Vec<String> = (search.stops[low + 1..=high].iter())
        .map(|stop| stop.id.clone())
        .collect();
    let db = Db::open(&own)?;
    let mut shown = all(&db)?;
    shown.retain(|it| suspects.contains(&it.snapshot.id));
    Ok(BisectOutcome {
        good: search.stops[low].id.clone(),
        suspects: shown,
        trials: search.trials,
        start: origin,
    })
}

/// Goes back to where a bisect began that was cut short; `None` if none was.
///
/// # Errors
///
/// Fails as a rollback does.
pub fn end(context: &Context, line: &str) -> Result<Option<super::outcome::Applied>, OpError> {
    let own = context.site()?.installation.own_dir();
    let known = match Db::find(&own)? {
        Some(db) => db.snapshots()?,
        None => return Ok(None),
    };
    let Some(origin) = bisect_origin(&known) else {
        return Ok(None);
    };
    let to = Destination::Bisected(origin.id.clone());
    step(context, to, line).map(Some)
}

fn step(
    context: &Context,
    to: Destination,
    line: &str,
) -> Result<super::outcome::Applied, OpError> {
    let request = RollbackRequest {
        to,
        parts: Parts::All,
        dry_run: false,
        stash: false,
    };
    let consent = Consent {
        yes: true,
        plan: None,
        ask: &|_, _| None,
    };
    rollback::run(context, &request, line, &consent, &|_| {})
}

/// The snapshots where the command does well and where it fails.
fn ends<'a>(
    known: &'a [Snapshot],
    request: &BisectRequest,
) -> Result<(&'a Snapshot, &'a Snapshot), OpError> {
    let oldest = known.last().ok_or_else(rollback::no_history)?;
    let good = match &request.good {
        Some(name) => find(known, name)?,
        None => oldest,
    };
    let bad = find(known, request.bad.as_deref().unwrap_or("@"))?;
    if good.operation.number > bad.operation.number {
        return Err(OpError::Usage(format!(
            "the good snapshot {} is newer than the bad one {}",
            good.id, bad.id
        )));
    }
    Ok((good, bad))
}

/// What lies between, oldest first; of neighbours with one state the first. Where an
/// earlier bisect has been is no change of anybody's.
fn stops(known: &[Snapshot], (good, bad): (&Snapshot, &Snapshot)) -> Vec<Snapshot> {
    let between = good.operation.number..=bad.operation.number;
    let mut stops: Vec<Snapshot> = known.iter().rev().cloned().collect();
    stops.retain(|stop| between.contains(&stop.operation.number));
    stops.retain(|stop| {
        let tries = [BISECT, BISECTED].contains(&stop.operation.kind.as_str());
        !tries || stop.id == good.id || stop.id == bad.id
    });
    stops.dedup_by(|b, a| a.operation.after == b.operation.after);
    stops
}

/// Returns what to try next between a good and a bad stop: the one nearest the middle that
/// was not passed over.
fn next_stop(low: usize, high: usize, passed: &[usize]) -> Option<usize> {
    let middle = usize::midpoint(low, high);
    let open = (low + 1..high).filter(|stop| !passed.contains(stop));
    open.min_by_key(|stop| stop.abs_diff(middle))
}

struct Search<'a> {
    context: &'a Context,
    site: &'a Site,
    request: &'a BisectRequest,
    line: &'a str,
    tell: &'a dyn Fn(&Event<'_>),
    stops: Vec<Snapshot>,
    trials: Vec<Trial>,
    /// What is known of a state: several snapshots may hold it.
    known: BTreeMap<String, Verdict>,
}

impl Search<'_> {
    /// Returns the newest good stop, and the oldest bad one after it.
    fn run(&mut self) -> Result<(usize, usize), OpError> {
        let (mut low, mut high) = (0, self.stops.len() - 1);
        let refused = |text: &str| Err(OpError::Refused(text.to_owned()));
        // Whoever names an end knows it; the newest is tried first, for it is here already.
        if self.request.bad.is_none() && self.verdict(high)? != Verdict::Bad {
            return refused("the command does not fail at the newest snapshot: nothing to find");
        }
        if low == high {
            return refused("there is only one state between the two: nothing to find");
        }
        if self.request.good.is_none() && self.verdict(low)? != Verdict::Good {
            return refused(
                "the command does not succeed at the oldest snapshot; name one where it did",
            );
        }
        let mut passed = Vec::new();
        while let Some(stop) = next_stop(low, high, &passed) {
            match self.verdict(stop)? {
                Verdict::Good => low = stop,
                Verdict::Bad => high = stop,
                Verdict::Skip => passed.push(stop),
            }
        }
        Ok((low, high))
    }

    fn verdict(&mut self, stop: usize) -> Result<Verdict, OpError> {
        let snapshot = self.stops[stop].clone();
        let state = snapshot.operation.after.clone().unwrap_or_default();
        if let Some(known) = self.known.get(&state) {
            return Ok(*known);
        }
        let left = self.stops.len().ilog2();
        let tried = u32::try_from(self.trials.len()).unwrap_or(u32::MAX);
        (self.tell)(&Event::Trying(&snapshot, left.saturating_sub(tried)));
        let (verdict, code) = match self.go(Destination::Bisect(snapshot.id.clone())) {
            Ok(()) => self.try_out(&snapshot)?,
            // What cannot be had again says nothing of the command.
            Err(OpError::Unrestorable(_) | OpError::PythonMismatch { .. }) => (Verdict::Skip, None),
            Err(error) => return Err(error),
        };
        let trial = Trial {
            snapshot: snapshot.id,
            verdict,
            code,
        };
        (self.tell)(&Event::Tried(&trial));
        self.trials.push(trial);
        self.known.insert(state, verdict);
        Ok(verdict)
    }

    fn go(&self, to: Destination) -> Result<(), OpError> {
        step(self.context, to, self.line).map(drop)
    }

    /// Runs the command with the environment's programs first on PATH.
    fn try_out(&self, snapshot: &Snapshot) -> Result<(Verdict, Option<i32>), OpError> {
        let interpreter = &self.site.interpreter;
        let mut dirs = vec![interpreter.scripts.clone()];
        dirs.extend(interpreter.path.parent().map(ToOwned::to_owned));
        let mut envs = vec![("PORTENV_SNAPSHOT", snapshot.id.clone())];
        if let Some(dir) = &interpreter.environment {
            envs.push(("VIRTUAL_ENV", dir.to_string()));
        }
        let program = Foreground {
            command: &self.request.command,
            dir: &self.context.dir,
            path_first: &dirs,
            envs: &envs,
        };
        let ended = program
            .run(&self.context.cancel)
            .map_err(|error| OpError::NotFound(format!("{error}: {}", error.source)))?;
        match ended {
            Ended::Code(0) => Ok((Verdict::Good, Some(0))),
            Ended::Code(125) => Ok((Verdict::Skip, Some(125))),
            // As for git: what is beyond is no answer of the command.
            Ended::Code(code) if code > 127 => Err(OpError::Refused(format!(
                "the command ended with {code}: 0 means good, 1 to 127 bad, 125 neither"
            ))),
            Ended::Code(code) | Ended::Crashed(code) => Ok((Verdict::Bad, Some(code))),
            Ended::Killed(2) | Ended::Stopped => Err(OpError::Interrupted),
            Ended::Killed(signal) => Err(OpError::Refused(format!(
                "the command was ended by signal {signal}"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::next_stop;

    #[test]
    fn the_middle_is_tried_first_and_then_what_is_nearest_to_it() {
        assert_eq!(next_stop(0, 8, &[]), Some(4));
        assert_eq!(next_stop(0, 8, &[4]), Some(3));
        assert_eq!(next_stop(0, 8, &[4, 3]), Some(5));
        assert_eq!(next_stop(0, 2, &[1]), None);
        assert_eq!(next_stop(3, 4, &[]), None);
    }
}
