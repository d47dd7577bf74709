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
/// Rejections after which deciding the rejected early is worth beginning anew; doubled
/// each time, for a new start forgets what was excluded.
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
    /// The version last tried of each name; stale once the solver has gone back.
    tried: RefCell<FxHashMap<u32, Version>>,
    /// The name tried last.
    last: Cell<Option<u32>>,
    lessons: &'w RefCell<Lessons>,
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

impl<'w, 'a> Provider<'w, 'a> {
    /// Prepares a solve over the lines `active`; `limit` bounds its steps, and
    /// `lessons` are what earlier starts of it taught.
    pub fn new(
        world: &'w World<'a>,
        active: &'w [u32],
        cancel: &'w Cancel,
        limit: Option<u64>,
        lessons: &'w RefCell<Lessons>,
    ) -> Self {
        Self {
            world,
            active,
            cancel,
            limit,
            steps: Cell::new(0),
            order: RefCell::default(),
            tried: RefCell::default(),
            last: Cell::new(None),
            lessons,
            rejections: Cell::new(0),
            learned: Cell::new(false),
            again: Cell::new(false),
        }
    }

    fn emit(&self, dep: &Dep, out: &mut Vec<(Pkg, Range)>) {
        let exclude = &self.world.options.exclude;
        if !exclude.is_empty() && exclude.contains(&self.world.name(dep.name)) {
            return;
        }
        let range = match self.world.override_of(dep.name) {
            Some(policy) => {
                out.push((Pkg::Policy(policy), Range::full()));
                Range::full()
            }
            // A name has the one address that a line gives it; no other can be had.
            None if dep.url.is_some() && !self.world.has_address(dep.name, dep.url.as_deref()) => {
                Range::empty()
            }
            None => dep.range.clone(),
        };
        for &policy in self.world.constraints_on(dep.name) {
            out.push((Pkg::Policy(policy), Range::full()));
        }
        for &extra in &dep.extras {
            out.push((Pkg::Extra(dep.name, extra), range.clone()));
        }
        out.push((Pkg::Name(dep.name), range));
    }

    /// Notes whether the version tried last was rejected at once, and over which
    /// others: the solver's own counts do not tell the two sides apart.
    fn learn(&self, name: u32, range: &Range) {
        if self.last.take() != Some(name) {
            return;
        }
        let tried = self.tried.borrow();
        let rejected = tried
            .get(&name)
            .filter(|version| !range.contains(version))
            .and_then(|version| self.world.deps_known(name, version));
        let Some(deps) = rejected else { return };
        self.world.rejections.set(self.world.rejections.get() + 1);
        self.rejections.set(self.rejections.get() + 1);
        let mut lessons = self.lessons.borrow_mut();
        let mut real = false;
        for dep in deps.base.iter().filter(|dep| dep.name != name) {
            let other = tried.get(&dep.name);
            if other.is_some_and(|other| !dep.range.contains(other)) {
                real = true;
                // Its version was decided too soon, so that goes first: walking on would
                // end in ever older versions of what it rejects.
                if lessons.late.count(dep.name) && !lessons.early.places.contains_key(&dep.name) {
                    self.again.set(true);
                }
            }
        }
        if real && lessons.early.count(name) {
            self.learned.set(true);
        }
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
        let mut out = Vec::new();
        if line.role == Role::Require {
            if let Some(policy) = self.world.scoped_override(line) {
                dep.range = Range::full();
                dep.url = None;
                out.push((Pkg::Policy(policy), Range::full()));
            }
            self.emit(&dep, &mut out);
        } else {
            out.push((Pkg::Name(dep.name), dep.range));
        }
        out
    }
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
        let (Pkg::Name(name) | Pkg::Extra(name, _)) = *package else {
            let version = only_version();
            return Ok(range.contains(&version).then_some(version));
        };
        let Some(candidates) = self.world.candidates(name)? else {
            return Ok(None);
        };
        let is_name = matches!(package, Pkg::Name(_));
        if is_name {
            self.learn(name, range);
        }
        let chosen = candidates.choose(range);
        self.last
            .set(chosen.as_ref().filter(|_| is_name).map(|_| name));
        if let Some(version) = &chosen {
            if is_name {
                self.world.prefetch_walk(name, version, range);
            }
            self.tried.borrow_mut().insert(name, version.clone());
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
            Pkg::Name(name) => match self.world.deps(name, version)? {
                Ok(deps) => deps.base.iter().for_each(|dep| self.emit(dep, &mut out)),
                Err(reason) => return Ok(Dependencies::Unavailable(reason)),
            },
            Pkg::Extra(name, extra) => {
                out.push((Pkg::Name(name), Range::singleton(version.clone())));
                match self.world.deps(name, version)? {
                    Ok(deps) => match self.world.extra_deps(&deps, extra) {
                        Ok(list) => list.iter().for_each(|dep| self.emit(dep, &mut out)),
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
