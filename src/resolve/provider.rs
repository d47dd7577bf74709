//! Our world as PubGrub sees it.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;

use pubgrub::{Dependencies, DependencyProvider, PackageResolutionStatistics};
use rustc_hash::FxHashMap;

use super::world::{Dep, Pkg, World};
use crate::index::IndexError;
use crate::package::{Range, Version};
use crate::progress::Cancel;
use crate::requirements::Role;

/// Rejections after which the order of decisions changes, as in uv.
const TROUBLED: u32 = 5;
/// Rejections after which what they taught is worth beginning anew; doubled each
/// time, for a start that forgets what was excluded costs the more the more it was.
const PATIENCE: u64 = 100;

/// What stops a solve that is not an answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Stop {
    /// The world could not be asked.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The trial took more steps than it was worth.
    #[error("the search took too many steps")]
    Steps,
    /// Packages keep being in the way: begin anew and decide them in another order.
    #[error("begin anew")]
    Restart,
}

/// One solve over some of the lines.
pub struct Provider<'w, 'a> {
    world: &'w World<'a>,
    active: &'w [u32],
    cancel: &'w Cancel,
    limit: Option<u64>,
    steps: Cell<u64>,
    order: RefCell<FxHashMap<Pkg, u32>>,
    /// The versions decided, in order; some may be undone already.
    tried: RefCell<Vec<(u32, Version)>>,
    lessons: &'w RefCell<Lessons>,
    pins: &'w Pins,
    /// Rejections since the start.
    rejections: Cell<u64>,
    /// The order changed since the start.
    learned: Cell<bool>,
    /// It changed so that beginning anew is due.
    again: Cell<bool>,
}

/// What the tries of a solve teach about the order of decisions.
#[derive(Debug, Default)]
pub struct Lessons {
    /// Names whose versions were often rejected.
    early: Marked,
    /// Names whose version was often why others were rejected.
    late: Marked,
    /// How often the solve began anew.
    starts: u32,
}

/// Counts by name; a name that passes the mark gets a place among those marked.
#[derive(Debug, Default)]
struct Marked {
    counts: FxHashMap<u32, u32>,
    places: FxHashMap<u32, u32>,
}

impl Marked {
    /// Counts once more; reports whether the name has just passed the mark.
    fn count(&mut self, name: u32) -> bool {
        let count = self.counts.entry(name).or_insert(0);
        *count += 1;
        if *count != TROUBLED {
            return false;
        }
        self.places.insert(name, place_after(self.places.len()));
        true
    }
}

fn place_after(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Who asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asker {
    /// A package, or a line as it stands.
    Package,
    /// A line that an override of its node replaces.
    Overridden,
}

/// Versions that a trial holds packages to, where these are wanted at all.
pub type Pins = FxHashMap<u32, Version>;

impl<'w, 'a> Provider<'w, 'a> {
    /// Prepares a solve over the lines `active`; `limit` bounds its steps, `lessons`
    /// are what earlier starts of it taught, and `pins` are to hold.
    pub fn new(
        world: &'w World<'a>,
        active: &'w [u32],
        cancel: &'w Cancel,
        limit: Option<u64>,
        lessons: &'w RefCell<Lessons>,
        pins: &'w Pins,
    ) -> Self {
        Self {
            world,
            active,
            cancel,
            limit,
            steps: Cell::new(0),
            order: RefCell::default(),
            tried: RefCell::default(),
            lessons,
            pins,
            rejections: Cell::new(0),
            learned: Cell::new(false),
            again: Cell::new(false),
        }
    }

    fn emit(&self, dep: &Dep, by: Asker, out: &mut Vec<(Pkg, Range)>) {
        let exclude = &self.world.options.exclude;
        if !exclude.is_empty() && exclude.contains(&self.world.name(dep.name)) {
            return;
        }
        // What a node's own override replaced is not replaced once more.
        let overrides = match by {
            Asker::Package => self.world.overrides_of(dep.name),
            Asker::Overridden => &[],
        };
        for &policy in overrides {
            out.push((Pkg::Policy(policy), Range::full()));
        }
        let has_other_address =
            dep.url.is_some() && !self.world.has_address(dep.name, dep.url.as_deref());
        let range = if !overrides.is_empty() {
            Range::full()
        } else if has_other_address {
            // A name has the one address that a line gives it; no other can be had.
            Range::empty()
        } else {
            dep.range.clone()
        };
        let range = match self.pins.get(&dep.name) {
            Some(pin) => range.intersection(&Range::singleton(pin.clone())),
            None => range,
        };
        for &policy in self.world.constraints_on(dep.name) {
            out.push((Pkg::Policy(policy), Range::full()));
        }
        for &extra in &dep.extras {
            out.push((Pkg::Extra(dep.name, extra), range.clone()));
        }
        out.push((Pkg::Name(dep.name), range));
    }

    /// Notes what the dependencies of a version exclude of what is decided: the solver
    /// then rejects the version, and its own counts do not tell the two sides apart.
    fn learn(&self, name: u32, deps: &[Dep]) {
        let tried = self.tried.borrow();
        let mut lessons = self.lessons.borrow_mut();
        let mut rejected = false;
        for dep in deps.iter().filter(|dep| dep.name != name) {
            let decided = tried.iter().find(|(other, _)| *other == dep.name);
            if decided.is_some_and(|(_, version)| !dep.range.contains(version)) {
                rejected = true;
                // Its version was decided too soon, so that goes first: walking on would
                // end in ever older versions of what it rejects.
                if lessons.late.count(dep.name) && !lessons.early.places.contains_key(&dep.name) {
                    self.again.set(true);
                }
            }
        }
        if rejected {
            self.world.rejections.set(self.world.rejections.get() + 1);
            self.rejections.set(self.rejections.get() + 1);
            // Where a package was pinned by another, the choice was made there.
            let pinning = tried.iter().filter(|(other, version)| {
                let deps = self.world.deps_known(*other, version);
                deps.is_some_and(|deps| {
                    let mut asks = deps.base.iter().filter(|dep| dep.name == name);
                    asks.any(|dep| is_pin(&dep.range) || dep.range.as_singleton().is_some())
                })
            });
            for early in pinning.map(|(other, _)| *other).chain([name]) {
                if lessons.early.count(early) {
                    self.learned.set(true);
                }
            }
        }
    }

    /// Notes a decision. What was decided after the same name was decided before is
    /// undone by now, for the solver has gone back.
    fn decide(&self, name: u32, version: &Version) {
        let mut tried = self.tried.borrow_mut();
        if let Some(at) = tried.iter().position(|(other, _)| *other == name) {
            tried.truncate(at);
        }
        tried.push((name, version.clone()));
    }

    /// Gives packages places in the order in which they were first asked for: the
    /// solver itself looks at them in an order of its own.
    fn place(&self, package: Pkg) -> u32 {
        let mut order = self.order.borrow_mut();
        let next = place_after(order.len());
        *order.entry(package).or_insert(next)
    }

    fn line_deps(&self, at: u32) -> Vec<(Pkg, Range)> {
        let line = &self.world.lines[at as usize];
        let mut dep = self.world.dep(&line.requirement, &line.text);
        if let Some(version) = self.world.instead(at) {
            dep.range = dep.range.union(&Range::singleton(version.clone()));
        }
        let mut out = Vec::new();
        if line.role == Role::Require && !self.world.is_off(at) {
            let mut by = Asker::Package;
            if let Some(policy) = self.world.scoped_override(line) {
                dep.range = Range::full();
                dep.url = None;
                by = Asker::Overridden;
                out.push((Pkg::Policy(policy), Range::full()));
            }
            self.emit(&dep, by, &mut out);
        } else {
            // A constraint has no extras; an override may want some.
            if matches!(line.role, Role::Override { .. }) {
                let extras = dep.extras.iter();
                out.extend(extras.map(|&extra| (Pkg::Extra(dep.name, extra), dep.range.clone())));
            }
            out.push((Pkg::Name(dep.name), dep.range));
        }
        out
    }
}

/// The version of a family that stands for one of its members.
fn place(at: usize) -> Version {
    Version::new([at as u64])
}

fn only_version() -> Version {
    Version::new([0])
}

impl DependencyProvider for Provider<'_, '_> {
    type P = Pkg;
    type V = Version;
    type VS = Range;
    type Priority = (u8, Reverse<u32>);
    type M = String;
    type Err = Stop;

    fn prioritize(
        &self,
        package: &Pkg,
        range: &Range,
        _: &PackageResolutionStatistics,
    ) -> Self::Priority {
        let place = self.place(*package);
        let (Pkg::Name(name) | Pkg::Extra(name, _)) = *package else {
            return (7, Reverse(place));
        };
        let lessons = self.lessons.borrow();
        if self.world.has_url(name) {
            (6, Reverse(place))
        } else if range.as_singleton().is_some() || is_pin(range) {
            (5, Reverse(place))
        } else if let Some(&place) = lessons.early.places.get(&name) {
            (4, Reverse(place))
        } else if let Some(&place) = lessons.late.places.get(&name) {
            (3, Reverse(place))
        } else if matches!(package, Pkg::Extra(..)) {
            // So that a package and what is asked for besides are decided together.
            (5, Reverse(place))
        } else if self.world.is_preferred(name) {
            (2, Reverse(place))
        } else {
            (1, Reverse(place))
        }
    }

    fn choose_version(&self, package: &Pkg, range: &Range) -> Result<Option<Version>, Stop> {
        if let Pkg::Family(family) = *package {
            let members = self.world.options.families[family as usize].members.len();
            return Ok((0..members).map(place).find(|place| range.contains(place)));
        }
        let (Pkg::Name(name) | Pkg::Extra(name, _)) = *package else {
            let version = only_version();
            return Ok(range.contains(&version).then_some(version));
        };
        let Some(candidates) = self.world.candidates(name)? else {
            return Ok(None);
        };
        let wished = self.world.alignment.borrow();
        let wished = wished.choose(name, range, &candidates);
        let chosen = wished.or_else(|| candidates.choose(range));
        if let (Pkg::Name(_), Some(version)) = (package, &chosen) {
            self.world.prefetch_walk(name, version, range);
            self.decide(name, version);
        }
        Ok(chosen)
    }

    fn get_dependencies(
        &self,
        package: &Pkg,
        version: &Version,
    ) -> Result<Dependencies<Pkg, Range, String>, Stop> {
        self.world.decisions.set(self.world.decisions.get() + 1);
        let mut out = Vec::new();
        match *package {
            Pkg::Root => out.extend(
                self.active
                    .iter()
                    .map(|&line| (Pkg::Line(line), Range::full())),
            ),
            Pkg::Line(at) | Pkg::Policy(at) => out = self.line_deps(at),
            Pkg::Family(_) => {}
            Pkg::Name(name) => match self.world.deps(name, version)? {
                Ok(deps) => {
                    self.learn(name, &deps.base);
                    deps.base
                        .iter()
                        .for_each(|dep| self.emit(dep, Asker::Package, &mut out));
                    if let Some((family, at)) = self.world.exclusive_family(name) {
                        out.push((Pkg::Family(family), Range::singleton(place(at))));
                    }
                }
                Err(reason) => return Ok(Dependencies::Unavailable(reason)),
            },
            Pkg::Extra(name, extra) => {
                out.push((Pkg::Name(name), Range::singleton(version.clone())));
                match self.world.deps(name, version)? {
                    Ok(deps) => match self.world.extra_deps(&deps, extra) {
                        Ok(list) => list
                            .iter()
                            .for_each(|dep| self.emit(dep, Asker::Package, &mut out)),
                        Err(reason) => return Ok(Dependencies::Unavailable(reason)),
                    },
                    Err(reason) => return Ok(Dependencies::Unavailable(reason)),
                }
            }
        }
        // The solver takes a package that excludes itself for absent, so a dependency
        // on itself is judged here.
        let excludes_itself =
            |(to, range): &(Pkg, Range)| to == package && !range.contains(version);
        if out.iter().any(excludes_itself) {
            return Ok(Dependencies::Unavailable(
                "it needs another version of itself".to_owned(),
            ));
        }
        out.retain(|(to, _)| to != package);
        for (to, _) in &out {
            self.place(*to);
        }
        Ok(Dependencies::Available(out.into_iter().collect()))
    }

    fn should_cancel(&self) -> Result<(), Stop> {
        self.steps.set(self.steps.get() + 1);
        if self.cancel.is_requested() {
            return Err(IndexError::Interrupted.into());
        }
        if self.limit.is_some_and(|limit| self.steps.get() > limit) {
            return Err(Stop::Steps);
        }
        let starts = &mut self.lessons.borrow_mut().starts;
        let tired = self.rejections.get() >= PATIENCE << (*starts).min(20);
        if self.again.get() || self.learned.get() && tired {
            *starts += u32::from(tired);
            return Err(Stop::Restart);
        }
        Ok(())
    }
}

/// Reports whether a range is that of a `==V`: one version and its local ones.
fn is_pin(range: &Range) -> bool {
    use std::ops::Bound::{Excluded, Included};
    let mut segments = range.iter();
    match (segments.next(), segments.next()) {
        (Some((Included(low), Excluded(high))), None) => {
            crate::package::version::successor(low) == *high
        }
        _ => false,
    }
}
