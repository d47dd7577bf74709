//! Which version and file of a package come first, and why others do not.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::options::Options;
use crate::index::page::SDIST;
use crate::index::{FileRef, Page};
use crate::package::{Name, Range, Specifiers, Target, Version};
use crate::workspace::settings::{Prerelease, Resolution as Order};

/// Why a version cannot be used on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unfit {
    /// Its index tells no upload time, so it counts as uploaded after the cut-off.
    NoTime,
    /// It was uploaded after the cut-off.
    TooNew,
    /// It was withdrawn and nobody pins it.
    Yanked,
    /// Its wheels are for other platforms or Pythons, and it has no sdist.
    NoWheel,
    /// It has only an sdist, and these are not allowed.
    OnlySdist,
    /// It is for newer Pythons.
    Python,
    /// It is a pre-release and these are not allowed.
    Prerelease,
}

impl Unfit {
    /// Returns the reason in words.
    pub fn shown(self, target: &Target) -> String {
        match self {
            Self::Yanked => "was withdrawn (yanked)".to_owned(),
            Self::NoWheel => format!(
                "has no wheel for Python {} on {}, and no sdist",
                target.python_minor(),
                target.platform.triple()
            ),
            Self::Python => format!("does not support Python {}", target.python),
            Self::NoTime => "has no upload time on its index, so it counts as too new".to_owned(),
            Self::TooNew => "was uploaded after the cut-off".to_owned(),
            Self::Prerelease => "is a pre-release".to_owned(),
            Self::OnlySdist => "has only an sdist that fits, and these are not allowed".to_owned(),
        }
    }
}

/// The file that would be installed and the one that tells the metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// A file of the page.
    File {
        /// What is installed.
        install: FileRef,
        /// What is read: another platform's wheel tells an sdist's metadata.
        read: FileRef,
    },
    /// What is installed stays; no index has it.
    Kept,
}

/// The candidates of one name for one target.
#[derive(Debug)]
pub struct Candidates {
    page: Arc<Page>,
    target: Target,
    /// How well each tag set of the page fits, where it was looked at.
    #[expect(clippy::option_option, reason = "looked at or not, and fit or not")]
    ranks: RefCell<Vec<Option<Option<u32>>>>,
    /// Whether each requires-python of the page admits ours, where it was looked at.
    pythons: RefCell<Vec<Option<bool>>>,
    judged: RefCell<Vec<Option<Result<Choice, Unfit>>>>,
    untimed: Cell<bool>,
    /// Withdrawn versions that are pinned, locked or installed.
    allowed_yanked: Vec<Version>,
    /// A line names a pre-release of it, or it is a direct reference.
    names_prerelease: bool,
    no_binary: bool,
    only_binary: bool,
    prerelease: Prerelease,
    order: Order,
    exclude_newer: Option<i64>,
    untimed_count: bool,
    /// The versions to try first.
    preferred: Vec<Version>,
    /// The installed version, if it may be kept without an index.
    kept: Option<Version>,
}

/// What the candidates of a name depend on besides its page.
#[derive(Debug, Default)]
pub struct Wishes {
    /// Versions that lines pin exactly.
    pub pinned: Vec<Version>,
    /// A line names a pre-release.
    pub names_prerelease: bool,
    /// It is asked for by a line, not only by packages.
    pub direct: bool,
    /// The versions to try first.
    pub preferred: Vec<Version>,
    /// The installed version.
    pub kept: Option<Version>,
    /// A line says where it comes from: policies on indexes and pre-releases do not
    /// concern it.
    pub has_address: bool,
}

impl Candidates {
    /// Judges nothing yet: tags, Pythons and versions are judged when asked for.
    pub fn new(
        name: &Name,
        page: Arc<Page>,
        target: &Target,
        options: &Options,
        wishes: Wishes,
    ) -> Self {
        let order = match options.resolution {
            Order::LowestDirect if wishes.direct => Order::Lowest,
            Order::LowestDirect => Order::Highest,
            order => order,
        };
        let mut allowed_yanked = wishes.pinned;
        allowed_yanked.extend(wishes.preferred.iter().cloned());
        Self {
            judged: RefCell::new(vec![None; page.len()]),
            untimed: Cell::new(false),
            ranks: RefCell::new(vec![None; page.tag_sets().len()]),
            pythons: RefCell::new(vec![None; page.python_texts().len()]),
            target: target.clone(),
            page,
            allowed_yanked,
            names_prerelease: wishes.names_prerelease,
            no_binary: options.no_binary.has(name),
            only_binary: options.only_binary.has(name),
            prerelease: if wishes.has_address {
                Prerelease::Allow
            } else {
                options.prerelease
            },
            order,
            exclude_newer: options.exclude_newer.filter(|_| !wishes.has_address),
            untimed_count: options.untimed_count,
            preferred: wishes.preferred,
            kept: wishes.kept,
        }
    }

    /// Reports whether another target's Python is admitted where this one's was judged.
    pub fn judges_alike(&self, other: &Target) -> bool {
        let pythons = self.pythons.borrow();
        let mut texts = self.page.python_texts().iter().zip(&*pythons);
        texts.all(|(text, known)| known.is_none_or(|known| admits(text, other) == known))
    }

    /// Reports whether a cut-off met files whose index tells no upload time.
    pub fn lacks_times(&self) -> bool {
        self.untimed.get()
    }

    /// Returns the page.
    pub fn page(&self) -> &Arc<Page> {
        &self.page
    }

    /// Returns the file that a version would be installed from.
    ///
    /// # Errors
    ///
    /// Returns why the version cannot be used.
    pub fn judge(&self, version: &Version) -> Result<Choice, Unfit> {
        let offered = self.page.find(version).map(|at| self.judge_at(at));
        match offered {
            Some(Ok(choice)) => Ok(choice),
            _ if self.kept.as_ref() == Some(version) => Ok(Choice::Kept),
            Some(Err(unfit)) => Err(unfit),
            None => Err(Unfit::NoWheel),
        }
    }

    fn judge_at(&self, at: usize) -> Result<Choice, Unfit> {
        if let Some(known) = self.judged.borrow()[at] {
            return known;
        }
        let judged = self.judge_anew(at);
        self.judged.borrow_mut()[at] = Some(judged);
        judged
    }

    fn judge_anew(&self, at: usize) -> Result<Choice, Unfit> {
        let version = self.page.version(at);
        let may_be_yanked = self.allowed_yanked.contains(version);
        let (mut best, mut sdist, mut other_wheel): (Option<(u32, FileRef)>, _, _) =
            (None, None, None);
        let mut unfit = None;
        // The reason that came furthest is the one worth telling.
        let mut note =
            |reason: Unfit| unfit = Some(unfit.map_or(reason, |old: Unfit| old.max(reason)));
        for &file in self.page.files(at) {
            if let Some(limit) = self.exclude_newer
                && file.upload_time.is_none_or(|time| time > limit)
            {
                let unfit = match file.upload_time {
                    Some(_) => Some(Unfit::TooNew),
                    None => {
                        self.untimed.set(true);
                        (!self.untimed_count).then_some(Unfit::NoTime)
                    }
                };
                if let Some(reason) = unfit {
                    note(reason);
                    continue;
                }
            }
            if file.yanked && !may_be_yanked {
                note(Unfit::Yanked);
                continue;
            }
            let python_fits = file
                .python
                .checked_sub(1)
                .is_none_or(|at| self.admits_python(at as usize));
            if file.tags == SDIST {
                if self.only_binary {
                    note(Unfit::OnlySdist);
                } else if !python_fits {
                    note(Unfit::Python);
                } else {
                    sdist = Some(file);
                }
                continue;
            }
            other_wheel = Some(file);
            if self.no_binary {
                continue;
            }
            match self.rank(file.tags as usize) {
                None => note(Unfit::NoWheel),
                Some(_) if !python_fits => note(Unfit::Python),
                Some(rank) => {
                    let better = best.is_none_or(|(known, other)| {
                        rank < known || rank == known && self.build(file) > self.build(other)
                    });
                    if better {
                        best = Some((rank, file));
                    }
                }
            }
        }
        if let Some((_, install)) = best {
            return Ok(Choice::File {
                install,
                read: install,
            });
        }
        match sdist {
            Some(install) => Ok(Choice::File {
                install,
                read: other_wheel.unwrap_or(install),
            }),
            None => Err(unfit.unwrap_or(Unfit::NoWheel)),
        }
    }

    fn rank(&self, at: usize) -> Option<u32> {
        let mut ranks = self.ranks.borrow_mut();
        let known = ranks.get_mut(at)?;
        *known.get_or_insert_with(|| self.target.rank(&self.page.tag_sets()[at]))
    }

    fn admits_python(&self, at: usize) -> bool {
        let mut pythons = self.pythons.borrow_mut();
        let Some(known) = pythons.get_mut(at) else {
            return true;
        };
        *known.get_or_insert_with(|| admits(&self.page.python_texts()[at], &self.target))
    }

    /// Returns the build number in a wheel's name, which breaks ties (PEP 427).
    fn build(&self, file: FileRef) -> Option<(u64, String)> {
        let name = &self.page.cold(file)?.file.filename;
        let parts: Vec<&str> = name.split('-').collect();
        let [_, _, build, _, _, _] = parts.as_slice() else {
            return None;
        };
        let end = build
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(build.len());
        Some((build[..end].parse().ok()?, build[end..].to_owned()))
    }

    /// Chooses the version to try in a range: a preferred one, else finals before
    /// pre-releases, each in order.
    pub fn choose(&self, range: &Range) -> Option<Version> {
        for version in &self.preferred {
            // What is locked obeys the policy of today; what is installed may stay.
            let allowed = !version.any_prerelease()
                || self.allows_prereleases()
                || self.kept.as_ref() == Some(version);
            if allowed && range.contains(version) && self.judge(version).is_ok() {
                return Some(version.clone());
            }
        }
        if let Some(kept) = &self.kept
            && range.as_singleton() == Some(kept)
        {
            return Some(kept.clone());
        }
        self.in_order(range).next()
    }

    fn allows_prereleases(&self) -> bool {
        match self.prerelease {
            Prerelease::Allow | Prerelease::IfNecessary => true,
            Prerelease::Explicit => self.names_prerelease,
            Prerelease::Disallow => false,
        }
    }

    /// Returns the versions of a range in the order they would be tried.
    pub fn in_order<'a>(&'a self, range: &'a Range) -> impl Iterator<Item = Version> + 'a {
        let kinds: &[Option<bool>] = match self.prerelease {
            Prerelease::IfNecessary => &[Some(false), Some(true)],
            _ if self.allows_prereleases() => &[None],
            _ => &[Some(false)],
        };
        kinds.iter().flat_map(move |kind| {
            let count = self.page.len();
            (0..count)
                .map(move |step| {
                    if self.order == Order::Lowest {
                        count - 1 - step
                    } else {
                        step
                    }
                })
                .filter(move |&at| {
                    let version = self.page.version(at);
                    kind.is_none_or(|pre| pre == version.any_prerelease())
                        && range.contains(version)
                        && self.judge_at(at).is_ok()
                })
                .map(|at| self.page.version(at).clone())
        })
    }

    /// Counts, for the versions of a range, why they cannot be used.
    pub fn reasons(&self, range: &Range) -> BTreeMap<Unfit, Vec<Version>> {
        let mut reasons: BTreeMap<Unfit, Vec<Version>> = BTreeMap::new();
        for at in 0..self.page.len() {
            let version = self.page.version(at);
            if !range.contains(version) {
                continue;
            }
            let reason = match self.judge_at(at) {
                Err(unfit) => unfit,
                Ok(_) if version.any_prerelease() => Unfit::Prerelease,
                Ok(_) => continue,
            };
            reasons.entry(reason).or_default().push(version.clone());
        }
        reasons
    }

    /// Returns the usable versions nearest to a range: the next older and newer.
    pub fn nearest(&self, range: &Range) -> (Option<Version>, Option<Version>) {
        let bounds = range.bounding_range();
        let usable: Vec<&Version> = (0..self.page.len())
            .filter(|&at| self.judge_at(at).is_ok() && !self.page.version(at).any_prerelease())
            .map(|at| self.page.version(at))
            .collect();
        let Some((low, high)) = bounds else {
            return (None, usable.first().map(|&v| v.clone()));
        };
        let below = |version: &&&Version| match low {
            std::ops::Bound::Included(low) | std::ops::Bound::Excluded(low) => {
                **version < low && !range.contains(*version)
            }
            std::ops::Bound::Unbounded => false,
        };
        let above = |version: &&&Version| match high {
            std::ops::Bound::Included(high) | std::ops::Bound::Excluded(high) => {
                **version >= high && !range.contains(*version)
            }
            std::ops::Bound::Unbounded => false,
        };
        (
            usable.iter().find(below).map(|&v| v.clone()),
            usable.iter().rev().find(above).map(|&v| v.clone()),
        )
    }
}

/// A text that cannot be read restricts nothing, as for pip.
fn admits(text: &str, target: &Target) -> bool {
    Specifiers::parse(&text.replace(".*", ""))
        .map_or(true, |specifiers| specifiers.admits_python(&target.python))
}
