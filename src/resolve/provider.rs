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

/// Conflicts after which a package is decided early.
const TROUBLED: u32 = 5;

/// What stops a solve that is not an answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Stop {
    /// The world could not be asked.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The trial took more steps than it was worth.
    #[error("the search took too many steps")]
    Steps,
    /// A package keeps being in the way: begin anew and decide it early.
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
    tries: RefCell<FxHashMap<u32, u32>>,
    early: &'w RefCell<Vec<u32>>,
    restart: Cell<bool>,
}

impl<'w, 'a> Provider<'w, 'a> {
    /// Prepares a solve over the lines `active`; `limit` bounds its steps, and
    /// `early` names packages that earlier tries found troublesome.
    pub fn new(
        world: &'w World<'a>,
        active: &'w [u32],
        cancel: &'w Cancel,
        limit: Option<u64>,
        early: &'w RefCell<Vec<u32>>,
    ) -> Self {
        Self {
            world,
            active,
            cancel,
            limit,
            steps: Cell::new(0),
            order: RefCell::default(),
            tries: RefCell::default(),
            early,
            restart: Cell::new(false),
        }
    }

    fn emit(&self, dep: &Dep, out: &mut Vec<(Pkg, Range)>) {
        if self
            .world
            .options
            .exclude
            .contains(&self.world.name(dep.name))
        {
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
    type Priority = (u8, u32, Reverse<u32>);
    type M = String;
    type Err = Stop;

    fn prioritize(
        &self,
        package: &Pkg,
        range: &Range,
        conflicts: &PackageResolutionStatistics,
    ) -> Self::Priority {
        let mut order = self.order.borrow_mut();
        let next = u32::try_from(order.len()).unwrap_or(u32::MAX);
        let place = *order.entry(*package).or_insert(next);
        let count = conflicts.conflict_count();
        let class = match *package {
            Pkg::Root | Pkg::Line(_) | Pkg::Policy(_) => 6,
            Pkg::Name(name) | Pkg::Extra(name, _) => {
                let alignment = self.world.alignment.borrow();
                let known_trouble =
                    self.early.borrow().contains(&name) || alignment.moved == Some(name);
                if count > TROUBLED && !known_trouble && matches!(package, Pkg::Name(_)) {
                    self.early.borrow_mut().push(name);
                    self.restart.set(true);
                }
                if count > TROUBLED || known_trouble {
                    5
                } else if matches!(package, Pkg::Extra(..))
                    || range.as_singleton().is_some()
                    || is_pin(range)
                {
                    4
                } else if alignment.wishes.contains_key(&name)
                    || self.world.preferences.has(&self.world.name(name))
                {
                    3
                } else {
                    2
                }
            }
        };
        (class, if class == 5 { count } else { 0 }, Reverse(place))
    }

    fn choose_version(&self, package: &Pkg, range: &Range) -> Result<Option<Version>, Stop> {
        let (Pkg::Name(name) | Pkg::Extra(name, _)) = *package else {
            let version = only_version();
            return Ok(range.contains(&version).then_some(version));
        };
        let Some(candidates) = self.world.candidates(name)? else {
            return Ok(None);
        };
        if matches!(package, Pkg::Name(_)) {
            let mut tries = self.tries.borrow_mut();
            let tried = tries.entry(name).or_insert(0);
            *tried += 1;
            // Walking down versions one request at a time is the worst cold case.
            let batch = match *tried {
                3 => 10,
                5 => 20,
                10 => 40,
                n if n >= 20 && n % 20 == 0 => 50,
                _ => 0,
            };
            if batch > 0 {
                self.world.prefetch(name, range, batch);
            }
        }
        let wished = self
            .world
            .alignment
            .borrow()
            .choose(name, range, &candidates);
        Ok(wished.or_else(|| candidates.choose(range)))
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
        if self.restart.take() {
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
