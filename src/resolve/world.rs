//! What one target's solves share: interned names, candidates, dependencies.
//!
//! A conflict's core is found by dozens of solves over the same data; all they
//! learn of the world stays here, so that each costs about a millisecond.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::align::Alignment;
use super::alike::ParsedMarkers;
use super::candidates::{Candidates, Choice, Wishes};
use super::options::Options;
use super::preferences::Preferences;
use super::waived::{Waived, WaivedLine};
use crate::index::{Direct, Index, IndexError, MetadataError, Page, Purpose, Want};
use crate::package::marker::{may_want, mentions_extra};
use crate::package::requirement::{Parts, split};
use crate::package::{Extra, Metadata, Name, Range, Requirement, Target, Version};
use crate::requirements::waiver::means;
use crate::requirements::{Line, Role};

/// A package as the solver knows it: small numbers, cheap to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pkg {
    /// Depends on every active line.
    Root,
    /// A requirement line; one version.
    Line(u32),
    /// A constraint, override or protection; one version.
    Policy(u32),
    /// A distribution.
    Name(u32),
    /// A distribution with an extra.
    Extra(u32, u32),
    /// A family of which only one member may be there; a version for each member.
    Family(u32),
}

impl fmt::Display for Pkg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One requirement of a version, judged for the target.
#[derive(Debug, Clone)]
pub struct Dep {
    /// The name asked for.
    pub name: u32,
    /// The extras asked for.
    pub extras: Vec<u32>,
    /// The versions that will do.
    pub range: Range,
    /// The requirement as written.
    pub text: String,
    /// Where it must come from.
    pub url: Option<String>,
}

/// The requirements of a version.
#[derive(Debug, Default)]
pub struct Deps {
    /// What it always asks for.
    pub base: Vec<Dep>,
    pub(super) extras: RefCell<FxHashMap<u32, Rc<Vec<Dep>>>>,
    metadata: Arc<Metadata>,
    /// Versions that will do although what it asks for excludes them.
    waived: Waived,
}

/// Why a version cannot be used although its file fits.
pub type Broken = String;
pub(super) type DepsResult = Result<Rc<Deps>, Broken>;

#[derive(Debug, Default)]
struct Interner {
    names: Vec<Name>,
    numbers: FxHashMap<Name, u32>,
    extras: Vec<Extra>,
    extra_numbers: FxHashMap<Extra, u32>,
}

/// What the solver shares between solves of one target.
pub struct World<'a> {
    /// Everything asked for.
    pub lines: &'a [Line],
    /// The numbers of the lines in an order that does not depend on where in its
    /// file a line stands: moving one must not change the answer.
    pub order: Vec<u32>,
    /// The target.
    pub target: &'a Target,
    /// What decides between answers.
    pub options: &'a Options,
    /// What to keep.
    pub preferences: &'a Preferences,
    index: &'a dyn Index,
    interner: RefCell<Interner>,
    pub(super) candidates: RefCell<FxHashMap<u32, Option<Rc<Candidates>>>>,
    pub(super) deps: RefCell<FxHashMap<(u32, Version), DepsResult>>,
    /// Versions whose files an index lists and does not have, with their addresses.
    gone: RefCell<FxHashMap<(u32, Version), String>>,
    /// How many versions of a name were looked at one after the other.
    walks: RefCell<FxHashMap<u32, u32>>,
    markers: RefCell<FxHashMap<String, bool>>,
    pub(super) parsed: Rc<ParsedMarkers>,
    /// What other targets picked, to be tried before all else.
    pub alignment: RefCell<Alignment>,
    /// Which policy lines bind a name: constraints and protections.
    pub(super) constraints: FxHashMap<u32, Vec<u32>>,
    /// Which override replaces all requirements on a name.
    pub(super) overrides: FxHashMap<u32, Vec<u32>>,
    /// Overrides that are meant for lines of some nodes only.
    scoped: Vec<u32>,
    /// Lines that need not be met.
    pub(super) waived_lines: FxHashMap<u32, WaivedLine>,
    /// What need not be met of the metadata of a version.
    pub(super) waived_deps: FxHashMap<(u32, Version), Waived>,
    /// Addresses that lines give to names.
    pub(super) urls: FxHashMap<u32, (String, u32)>,
    /// What these addresses led to.
    pub(super) directs: RefCell<FxHashMap<u32, Result<Direct, Broken>>>,
    /// The families of names, by place in the options and among the members.
    pub(super) families: FxHashMap<u32, (usize, usize)>,
    /// Which member of a family answers for which others.
    pub(super) unified: FxHashMap<u32, u32>,
    /// Which member answers for one that has no file for the target.
    pub(super) stand_ins: RefCell<FxHashMap<u32, u32>>,
    /// Counters.
    pub decisions: Cell<u64>,
    /// Versions that were rejected at once.
    pub rejections: Cell<u64>,
    /// Solves made.
    pub solves: Cell<u64>,
}

impl<'a> World<'a> {
    /// Prepares the lines for a target.
    pub fn new(
        lines: &'a [Line],
        target: &'a Target,
        options: &'a Options,
        preferences: &'a Preferences,
        index: &'a dyn Index,
    ) -> Self {
        let mut order: Vec<u32> = (0u32..).zip(lines).map(|(at, _)| at).collect();
        order.sort_by_key(|&at| {
            let Line { origin, text, .. } = &lines[at as usize];
            (origin.kind, &origin.name, &origin.file, text, origin.line)
        });
        let mut world = Self {
            lines,
            order,
            target,
            options,
            preferences,
            index,
            interner: RefCell::default(),
            candidates: RefCell::default(),
            deps: RefCell::default(),
            gone: RefCell::default(),
            walks: RefCell::default(),
            markers: RefCell::default(),
            parsed: Rc::default(),
            alignment: RefCell::default(),
            constraints: FxHashMap::default(),
            overrides: FxHashMap::default(),
            scoped: Vec::new(),
            waived_lines: FxHashMap::default(),
            waived_deps: FxHashMap::default(),
            urls: FxHashMap::default(),
            directs: RefCell::default(),
            families: FxHashMap::default(),
            unified: FxHashMap::default(),
            stand_ins: RefCell::default(),
            decisions: Cell::new(0),
            rejections: Cell::new(0),
            solves: Cell::new(0),
        };
        world.waive();
        for at in world.order.clone() {
            let line = &lines[at as usize];
            let name = world.number(&line.requirement.name);
            if !line.requirement.marker.holds(target.environment()) {
                continue;
            }
            match world.waived(at) {
                Some(WaivedLine::LeftOut) => continue,
                Some(WaivedLine::Absent) => {
                    world.constraints.entry(name).or_default().push(at);
                    continue;
                }
                Some(WaivedLine::Instead(_)) | None => {}
            }
            match &line.role {
                Role::Require => {
                    if let Some(url) = &line.requirement.url {
                        world.urls.entry(name).or_insert((url.clone(), at));
                    }
                }
                Role::Constrain | Role::Protect => {
                    world.constraints.entry(name).or_default().push(at);
                }
                Role::Override { only_for, .. } if only_for.is_empty() => {
                    world.overrides.entry(name).or_default().push(at);
                }
                Role::Override { .. } => world.scoped.push(at),
            }
        }
        for (at, family) in options.families.iter().enumerate() {
            for (place, member) in family.members.iter().enumerate() {
                let number = world.number(member);
                world.families.insert(number, (at, place));
            }
        }
        // An override decides where its package comes from too.
        for (&name, overrides) in &world.overrides {
            let mut urls = overrides.iter().rev().filter_map(|&at| {
                let url = lines[at as usize].requirement.url.clone()?;
                Some((url, at))
            });
            match urls.next() {
                Some(place) => world.urls.insert(name, place),
                None => world.urls.remove(&name),
            };
        }
        world
    }

    /// Tells the index what it is that things are asked for now.
    pub(super) fn begin_for(&self, purpose: Purpose) {
        self.index.begin_for(purpose);
    }

    /// Returns the number of a name.
    pub fn number(&self, name: &Name) -> u32 {
        let mut interner = self.interner.borrow_mut();
        if let Some(&number) = interner.numbers.get(name) {
            return number;
        }
        let number =
            u32::try_from(interner.names.len()).expect("BUG: fewer than four billion names");
        interner.names.push(name.clone());
        interner.numbers.insert(name.clone(), number);
        number
    }

    /// Returns the name of a number.
    pub fn name(&self, number: u32) -> Name {
        self.interner.borrow().names[number as usize].clone()
    }

    pub(super) fn extra_number(&self, extra: &Extra) -> u32 {
        let mut interner = self.interner.borrow_mut();
        if let Some(&number) = interner.extra_numbers.get(extra) {
            return number;
        }
        let number =
            u32::try_from(interner.extras.len()).expect("BUG: fewer than four billion extras");
        interner.extras.push(extra.clone());
        interner.extra_numbers.insert(extra.clone(), number);
        number
    }

    /// Returns the extra of a number.
    pub fn extra(&self, number: u32) -> Extra {
        self.interner.borrow().extras[number as usize].clone()
    }

    /// Reports whether a line asks for something on this target.
    pub fn is_active(&self, at: u32) -> bool {
        let line = &self.lines[at as usize];
        matches!(line.role, Role::Require)
            && !self.is_off(at)
            && !self.options.exclude.contains(&line.requirement.name)
            && line.requirement.marker.holds(self.target.environment())
    }

    /// Returns the policy lines that bind a name if it is wanted.
    pub fn constraints_on(&self, name: u32) -> &[u32] {
        self.constraints.get(&name).map_or(&[], Vec::as_slice)
    }

    /// Reports whether there is a version of a name to keep.
    pub fn is_preferred(&self, name: u32) -> bool {
        self.alignment.borrow().wishes.contains_key(&name)
            || !self.preferences.is_empty() && self.preferences.has(&self.name(name))
    }

    /// Returns the version of a name to keep before all others: what another target
    /// picked, else what is locked or installed.
    pub fn first_preferred(&self, number: u32) -> Option<Version> {
        let alignment = self.alignment.borrow();
        let wished = alignment.wishes.get(&number).and_then(|all| all.first());
        wished
            .cloned()
            .or_else(|| self.preferences.of(&self.name(number)).next().cloned())
    }

    /// Lists the indexes whose files were passed over because these tell no upload time.
    pub fn untimed_indexes(&self) -> BTreeSet<String> {
        let all = self.candidates.borrow();
        let untimed = all.values().flatten().filter(|known| known.lacks_times());
        untimed
            .map(|known| known.page().index().to_owned())
            .collect()
    }

    /// Returns the overrides of a name; all of them hold.
    pub fn overrides_of(&self, name: u32) -> &[u32] {
        self.overrides.get(&name).map_or(&[], Vec::as_slice)
    }

    /// Finds the override that is meant for a line of one node only.
    pub fn scoped_override(&self, line: &Line) -> Option<u32> {
        let node = line.origin.name.as_ref()?;
        self.scoped.iter().copied().find(|&at| {
            let other = &self.lines[at as usize];
            other.requirement.name == line.requirement.name
                && matches!(&other.role, Role::Override { only_for, .. } if only_for.iter().any(|name| name.eq_ignore_ascii_case(node)))
        })
    }

    /// Turns a requirement into what the solver needs.
    pub fn dep(&self, requirement: &Requirement, text: &str) -> Dep {
        let range = if requirement.url.is_some() {
            Range::full()
        } else {
            requirement.specifiers.range()
        };
        let number = self.number(&requirement.name);
        let name = if requirement.url.is_some() {
            number
        } else {
            self.answering(number, &range)
        };
        Dep {
            name,
            extras: requirement
                .extras
                .iter()
                .map(|extra| self.extra_number(extra))
                .collect(),
            range,
            text: text.to_owned(),
            url: requirement.url.clone(),
        }
    }

    /// Returns the candidates of a name; `None` if nothing knows it.
    ///
    /// # Errors
    ///
    /// Fails if the index could not be asked.
    pub fn candidates(&self, number: u32) -> Result<Option<Rc<Candidates>>, IndexError> {
        if let Some(known) = self.candidates.borrow().get(&number) {
            return Ok(known.clone());
        }
        let name = self.name(number);
        // An address leads to one thing; what is installed is not it.
        let has_address = self.urls.contains_key(&number);
        let kept = self.preferences.kept(&name).filter(|_| !has_address);
        let page = match self.urls.get(&number) {
            Some((url, line)) => {
                let base = &self.lines[*line as usize].base;
                Some(match self.index.direct(Some(&name), url, base) {
                    Ok(found) => {
                        let page = Arc::clone(&found.page);
                        self.directs.borrow_mut().insert(number, Ok(found));
                        page
                    }
                    Err(MetadataError::Index(error)) => return Err(error),
                    Err(error) => {
                        let reason = error.to_string();
                        self.directs.borrow_mut().insert(number, Err(reason));
                        Arc::new(Page::new(url, &name, Vec::new()))
                    }
                })
            }
            None => match self.index.page(&name) {
                Ok(page) => page,
                // Off line, what is installed can still be kept.
                Err(IndexError::Offline { .. }) if kept.is_some() => None,
                Err(error) => return Err(error),
            },
        };
        let page = page.or_else(|| {
            kept.is_some()
                .then(|| Arc::new(Page::new("", &name, Vec::new())))
        });
        let candidates = page.map(|page| {
            let mut wishes = self.wishes(&name, kept.map(|kept| kept.version.clone()));
            if has_address {
                wishes.preferred.clear();
                wishes.has_address = true;
            }
            Rc::new(Candidates::new(
                &name,
                page,
                self.target,
                self.options,
                wishes,
            ))
        });
        self.candidates
            .borrow_mut()
            .insert(number, candidates.clone());
        Ok(candidates)
    }

    fn wishes(&self, name: &Name, kept: Option<Version>) -> Wishes {
        let mut wishes = Wishes {
            kept,
            preferred: self.preferences.of(name).cloned().collect(),
            ..Wishes::default()
        };
        for line in self
            .lines
            .iter()
            .filter(|line| line.requirement.name == *name)
            .filter(|line| line.requirement.marker.holds(self.target.environment()))
        {
            wishes
                .pinned
                .extend(line.requirement.specifiers.pinned().cloned());
            wishes.names_prerelease |= line.requirement.specifiers.names_prerelease();
            wishes.direct |= line.role == Role::Require;
        }
        wishes
    }

    /// Asks for more when the solver walks down the versions of a name, without
    /// waiting: one request at a time is the worst cold case. Only versions that
    /// were never looked at count as steps of a walk.
    pub fn prefetch_walk(&self, number: u32, version: &Version, range: &Range) {
        if self.deps.borrow().contains_key(&(number, version.clone())) {
            return;
        }
        let count = {
            let mut walks = self.walks.borrow_mut();
            let walk = walks.entry(number).or_insert(0);
            *walk += 1;
            match *walk {
                3 => 10,
                8 => 20,
                n if n >= 20 && n % 20 == 0 => 40,
                _ => return,
            }
        };
        if let Ok(Some(candidates)) = self.candidates(number) {
            self.prefetch_versions(number, candidates.in_order(range).take(count));
        }
    }

    /// Asks for the metadata of versions without waiting.
    pub fn prefetch_versions(&self, number: u32, versions: impl Iterator<Item = Version>) {
        let Ok(Some(candidates)) = self.candidates(number) else {
            return;
        };
        let name = self.name(number);
        let deps = self.deps.borrow();
        let wants = versions
            .filter(|version| !deps.contains_key(&(number, version.clone())))
            .filter_map(|version| {
                let Ok(Choice::File { read, .. }) = candidates.judge(&version) else {
                    return None;
                };
                let file = candidates.page().cold(read)?;
                Some(Want::Metadata(name.clone(), version, Box::new(file)))
            })
            .collect();
        self.index.prefetch(wants);
    }

    /// Returns how many versions were looked at.
    pub fn visited(&self) -> u64 {
        self.deps.borrow().len() as u64
    }

    /// Returns the requirements of a version.
    ///
    /// # Errors
    ///
    /// The outer error is the world's; the inner says why the version cannot be used.
    pub fn deps(&self, number: u32, version: &Version) -> Result<DepsResult, IndexError> {
        let key = (number, version.clone());
        if let Some(known) = self.deps.borrow().get(&key) {
            return Ok(known.clone());
        }
        let found = match self.metadata(number, version) {
            Ok(metadata) => self
                .check_python(number, &metadata)
                .and_then(|()| {
                    let waived = self.waived_deps.get(&key).cloned();
                    self.understand(&metadata, waived.unwrap_or_default())
                })
                .map(Rc::new),
            Err(MetadataError::Unusable(reason)) => Err(reason),
            Err(error @ MetadataError::Gone { .. }) => {
                let reason = error.to_string();
                // What a line itself gives an address is listed by nobody.
                if let MetadataError::Gone { url } = error
                    && !self.urls.contains_key(&number)
                {
                    self.gone.borrow_mut().insert(key.clone(), url);
                }
                Err(reason)
            }
            Err(MetadataError::Index(error)) => return Err(error),
        };
        if let Err(reason) = &found
            && self.urls.contains_key(&number)
        {
            let reason = Err(reason.clone());
            self.directs.borrow_mut().insert(number, reason);
        }
        self.deps.borrow_mut().insert(key, found.clone());
        Ok(found)
    }

    /// Says which file among these versions an index lists and does not have: that they
    /// are of no use is no fact about packages.
    pub fn gone(&self, number: u32, versions: &Range) -> Option<IndexError> {
        let gone = self.gone.borrow();
        let of = |(at, version): &&(u32, Version)| *at == number && versions.contains(version);
        let found = gone.keys().filter(of).max()?;
        Some(IndexError::Unreachable {
            url: gone[found].clone(),
            detail: "the index lists this file and does not have it".to_owned(),
        })
    }

    /// Returns the requirements of a version if they were looked at before.
    pub fn deps_known(&self, number: u32, version: &Version) -> Option<Rc<Deps>> {
        self.deps
            .borrow()
            .get(&(number, version.clone()))?
            .clone()
            .ok()
    }

    /// Returns the metadata of a version.
    ///
    /// # Errors
    ///
    /// Fails if the version cannot be used or the world could not be asked.
    pub fn metadata(&self, number: u32, version: &Version) -> Result<Arc<Metadata>, MetadataError> {
        let name = self.name(number);
        let unknown = || MetadataError::Unusable("no index has it".to_owned());
        let candidates = self.candidates(number)?.ok_or_else(unknown)?;
        match candidates.judge(version) {
            Ok(Choice::File { read, install }) => {
                // Damage must never look like an answer.
                let damaged = || IndexError::damaged(candidates.page(), &name);
                let file = candidates.page().cold(read).ok_or_else(damaged)?;
                let found = self.index.metadata(&name, version, &file);
                match found {
                    // Another platform's wheel was only a short cut.
                    Err(MetadataError::Unusable(_) | MetadataError::Gone { .. })
                        if read != install =>
                    {
                        let file = candidates.page().cold(install).ok_or_else(damaged)?;
                        self.index.metadata(&name, version, &file)
                    }
                    Err(MetadataError::Index(IndexError::Offline { .. })) => {
                        self.kept_metadata(&name, version).ok_or_else(|| {
                            MetadataError::Index(IndexError::Offline {
                                what: format!("{name} {version}"),
                            })
                        })
                    }
                    found => found,
                }
            }
            Ok(Choice::Kept) => self.kept_metadata(&name, version).ok_or_else(unknown),
            Err(unfit) => Err(MetadataError::Unusable(unfit.shown(self.target))),
        }
    }

    fn kept_metadata(&self, name: &Name, version: &Version) -> Option<Arc<Metadata>> {
        let kept = self.preferences.kept(name)?;
        (kept.version == *version).then(|| Arc::clone(&kept.metadata))
    }

    fn understand(&self, metadata: &Arc<Metadata>, waived: Waived) -> DepsInner {
        let mut base = Vec::new();
        for text in &metadata.requires_dist {
            let parts = split(text)
                .map_err(|error| format!("its requirement `{text}` cannot be read: {error}"))?;
            // Mostly `extra == 'x'` and more that must hold too: false without extras.
            let gated = mentions_extra(parts.marker)
                && !["or", "!=", "not"]
                    .iter()
                    .any(|word| parts.marker.contains(word));
            if gated || !self.marker_holds(parts.marker, &[]) {
                continue;
            }
            base.extend(self.parse(text, &parts, &waived)?);
        }
        Ok(Deps {
            base,
            extras: RefCell::default(),
            metadata: Arc::clone(metadata),
            waived,
        })
    }

    /// Parses one requirement; nothing if it need not be there.
    fn parse(&self, text: &str, parts: &Parts<'_>, waived: &Waived) -> Result<Option<Dep>, Broken> {
        let bare = Requirement::parse(parts.without_marker(text))
            .map_err(|error| format!("its requirement `{text}` cannot be read: {error}"))?;
        let mut dep = self.dep(&bare, text);
        let mut here = waived
            .iter()
            .filter(|(name, ..)| *name == dep.name)
            .peekable();
        // The same package may ask for the same name otherwise too, for an extra.
        let asked = here.peek().map(|_| means(text));
        for (.., instead) in here.filter(|(_, wanted, _)| Some(wanted) == asked.as_ref()) {
            let Some(version) = instead else {
                return Ok(None);
            };
            dep.range = dep.range.union(&Range::singleton(version.clone()));
        }
        Ok(Some(dep))
    }

    fn marker_holds(&self, marker: &str, extras: &[Extra]) -> bool {
        if marker.is_empty() {
            return true;
        }
        if extras.is_empty()
            && let Some(&known) = self.markers.borrow().get(marker)
        {
            return known;
        }
        // A marker that cannot be read holds: better one package too many.
        let holds = self
            .parsed
            .get(marker)
            .is_none_or(|marker| marker.holds_with(self.target.environment(), extras));
        if extras.is_empty() {
            self.markers.borrow_mut().insert(marker.to_owned(), holds);
        }
        holds
    }

    /// Returns what a version asks for besides when an extra is wanted.
    ///
    /// # Errors
    ///
    /// Returns the requirement that cannot be read.
    pub fn extra_deps(&self, deps: &Deps, extra: u32) -> Result<Rc<Vec<Dep>>, Broken> {
        if let Some(known) = deps.extras.borrow().get(&extra) {
            return Ok(Rc::clone(known));
        }
        let wanted = [self.extra(extra)];
        let mut found = Vec::new();
        for text in &deps.metadata.requires_dist {
            let Ok(parts) = split(text) else { continue };
            if mentions_extra(parts.marker)
                && may_want(parts.marker, &wanted[0])
                && self.marker_holds(parts.marker, &wanted)
                && !self.marker_holds(parts.marker, &[])
            {
                found.extend(self.parse(text, &parts, &deps.waived)?);
            }
        }
        let found = Rc::new(found);
        deps.extras.borrow_mut().insert(extra, Rc::clone(&found));
        Ok(found)
    }

    /// Returns the distinct names that active lines ask for, in order.
    pub fn asked_names(&self) -> Vec<Name> {
        let mut seen = BTreeSet::new();
        self.order
            .iter()
            .filter(|&&at| self.is_active(at))
            .map(|&at| &self.lines[at as usize])
            .filter(|line| line.requirement.url.is_none())
            .map(|line| line.requirement.name.clone())
            .filter(|name| seen.insert(name.clone()))
            .collect()
    }
}

type DepsInner = Result<Deps, Broken>;

impl Deps {
    /// Returns the metadata they were read from.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}
