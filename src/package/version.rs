//! Versions, specifiers and the ranges they stand for (PEP 440).
//!
//! The conversion of a specifier to a range is our own: the one that comes with
//! `pep440_rs` keeps `==2.9.0` from admitting `2.9.0+cu126` and differs from
//! `packaging` in hundreds of other pairs. `corpus/specifiers.txt` holds the
//! whole grid as `packaging` judges it.

use std::str::FromStr;

pub use pep440_rs::Version;
use pep440_rs::{Operator, VersionSpecifier};

/// A set of versions, as the solver handles it.
pub type Range = version_ranges::Ranges<Version>;

/// More specifiers than anybody has written; each is compared with all others.
const MANY: usize = 1000;

/// A comma-separated list of specifiers, with the text it was made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Specifiers {
    list: Vec<VersionSpecifier>,
    text: String,
}

impl Specifiers {
    /// Parses `>=1.0, <2`; an empty text admits everything.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the first bad part, as a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut list = Vec::new();
        for part in text.split(',') {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            let one =
                VersionSpecifier::from_str(part).map_err(|error| first_line(&error.to_string()))?;
            // The range of such a version would need the number after it.
            if numbers(one.version()).any(|number| number == u64::MAX) {
                return Err(format!("the version in `{part}` is too large"));
            }
            list.push(one);
            if list.len() > MANY {
                return Err(format!("more than {MANY} specifiers"));
            }
        }
        Ok(Self {
            list,
            text: text.trim().to_owned(),
        })
    }

    /// Returns the specifier that admits exactly `version`, local label included.
    pub fn exactly(version: &Version) -> Self {
        let one = VersionSpecifier::from_version(Operator::Equal, version.clone());
        Self {
            list: one.into_iter().collect(),
            text: format!("=={version}"),
        }
    }

    /// Returns the versions admitted.
    pub fn range(&self) -> Range {
        let mut all = Range::full();
        for one in &self.list {
            all = all.intersection(&to_range(one));
        }
        all
    }

    /// Returns the text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Reports whether there is no restriction at all.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns the version of a lone `==V` or `===V`.
    pub fn pinned(&self) -> Option<&Version> {
        match self.list.as_slice() {
            [one] if matches!(one.operator(), Operator::Equal | Operator::ExactEqual) => {
                Some(one.version())
            }
            _ => None,
        }
    }

    /// Reports whether a specifier names a pre-release itself, as `>=1.0rc1` does.
    pub fn names_prerelease(&self) -> bool {
        self.list
            .iter()
            .any(|one| one.operator() != &Operator::NotEqual && one.version().any_prerelease())
    }

    /// Reports whether a Python of this version may use the file, as uv judges it:
    /// only lower bounds count, for upper ones would send a solver to ancient
    /// versions that lack the cap.
    pub fn admits_python(&self, python: &Version) -> bool {
        let python = Version::new(python.release().iter().copied());
        self.list.iter().all(|one| match one.operator() {
            Operator::GreaterThanEqual | Operator::GreaterThan | Operator::TildeEqual => {
                python >= release_of(one.version())
                    && (one.operator() != &Operator::GreaterThan || python > *one.version())
            }
            Operator::Equal | Operator::ExactEqual | Operator::EqualStar => {
                python >= release_of(one.version())
            }
            _ => true,
        })
    }

    /// Reports whether a bound on Python was ignored by [`Self::admits_python`]
    /// although the Python breaks it.
    pub fn ignores_python(&self, python: &Version) -> bool {
        self.admits_python(python)
            && !self
                .range()
                .contains(&Version::new(python.release().iter().copied()))
    }
}

fn release_of(version: &Version) -> Version {
    Version::new(version.release().iter().copied())
}

fn numbers(version: &Version) -> impl Iterator<Item = u64> {
    let pre = version.pre().map(|pre| pre.number);
    let marks = [Some(version.epoch()), pre, version.post(), version.dev()];
    let release: Vec<u64> = version.release().to_vec();
    release.into_iter().chain(marks.into_iter().flatten())
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or(text).to_owned()
}

/// Returns the least version above `version` and all its local versions.
///
/// No sentinel is needed: after `1.0.dev3` comes `1.0.dev4`, after `1.0.post2`
/// comes `1.0.post3.dev0`, and after anything else its `post0.dev0`. The largest
/// number has no successor; a list of specifiers with it is refused.
pub fn successor(version: &Version) -> Version {
    let bare = version.clone().without_local();
    if let Some(dev) = bare.dev() {
        return bare.with_dev(Some(dev.saturating_add(1)));
    }
    match bare.post().map_or(Some(0), |post| post.checked_add(1)) {
        Some(post) => bare.with_post(Some(post)).with_dev(Some(0)),
        None => bare,
    }
}

fn equal(version: &Version) -> Range {
    let end = successor(version);
    if version.is_local() || end <= *version {
        Range::singleton(version.clone())
    } else {
        Range::from_range_bounds(version.clone()..end)
    }
}

/// Converts one specifier to the range of versions it admits.
pub fn to_range(specifier: &VersionSpecifier) -> Range {
    let version = specifier.version();
    match specifier.operator() {
        Operator::Equal => equal(version),
        Operator::NotEqual => equal(version).complement(),
        Operator::ExactEqual => Range::singleton(version.clone()),
        Operator::LessThanEqual if !version.is_local() => {
            Range::strictly_lower_than(successor(version))
        }
        Operator::LessThan
            if version.post().is_some() && version.dev().is_none() && !version.is_pre() =>
        {
            Range::strictly_lower_than(version.clone().with_dev(Some(0)))
        }
        Operator::GreaterThan if version.post().is_some() || version.dev().is_some() => {
            Range::higher_than(successor(version))
        }
        _ => Range::from(specifier.clone()),
    }
}

/// Shows a range as specifiers, with our technical bounds turned back:
/// `[1.0, 1.0.post0.dev0)` is `==1.0`, `[1.dev0, 2.dev0)` is `==1.*`. Meant for
/// people, not for parsing.
pub fn show_range(range: &Range) -> String {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    if range.is_empty() {
        return "no version".to_owned();
    }
    let parts: Vec<String> = range
        .iter()
        .map(|(low, high)| {
            if let (Included(low), Excluded(high)) = (low, high)
                && successor(low) == *high
            {
                return format!("=={low}");
            }
            if let (Included(low), Excluded(high)) = (low, high)
                && let Some(stem) = stem_of(low, high)
            {
                return format!("=={stem}.*");
            }
            if let (Included(low), Included(high)) = (low, high)
                && low == high
            {
                return format!("=={low}");
            }
            let low = match low {
                Included(v) => {
                    technical_base(v).map_or(format!(">={v}"), |base| format!(">{base}"))
                }
                Excluded(v) => format!(">{}", plain(v)),
                Unbounded => String::new(),
            };
            let high = match high {
                Included(v) => format!("<={}", plain(v)),
                Excluded(v) => {
                    technical_base(v).map_or(format!("<{}", end_of(v)), |base| format!("<={base}"))
                }
                Unbounded => String::new(),
            };
            match (low.is_empty(), high.is_empty()) {
                (true, true) => "any version".to_owned(),
                (false, false) => format!("{low}, {high}"),
                _ => low + &high,
            }
        })
        .collect();
    parts.join(" or ")
}

/// `1.0.post0.dev0` stands for "just after 1.0" wherever we made it, and
/// `1.0.post2.dev0` for "just after 1.0.post1".
fn technical_base(version: &Version) -> Option<Version> {
    let post = version.post().filter(|_| version.dev() == Some(0))?;
    let bare = version.clone().with_dev(None);
    Some(bare.with_post(post.checked_sub(1)))
}

/// `[1.2.dev0, 1.3.dev0)` is all that begins with `1.2`.
fn stem_of(low: &Version, high: &Version) -> Option<Version> {
    if low.dev() != Some(0) || low.is_local() {
        return None;
    }
    let stem = low.clone().with_dev(None);
    let all = VersionSpecifier::from_version(Operator::EqualStar, stem.clone()).ok()?;
    let whole = Range::from_range_bounds(low.clone()..high.clone());
    (to_range(&all) == whole).then_some(stem)
}

/// The end of `~=1.4` and `==1.*` is `2.dev0`: to people it is `<2`.
fn end_of(version: &Version) -> Version {
    let end = plain(version);
    if end.dev() == Some(0) && end.pre().is_none() && end.post().is_none() {
        end.with_dev(None)
    } else {
        end
    }
}

/// Drops the least or greatest marks that `pep440_rs` puts on exclusive bounds.
fn plain(version: &Version) -> Version {
    // Setting either on a version that cannot have it is a panic in debug builds.
    let mut version = version.clone();
    if Version::min(&version).is_some() {
        version = version.with_min(None);
    }
    if Version::max(&version).is_some() {
        version = version.with_max(None);
    }
    version
}
