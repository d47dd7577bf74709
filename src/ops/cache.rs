//! `cache`: where the shared cache is, what lies in it, and out with what is of no use.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::context::Context;
use super::error::OpError;
use crate::host::UseLock;
use crate::host::fs::{self, Weight};
use crate::index::folder;
use crate::index::retention::{
    Answer, Entry, LOCK, Part, Policy, Survey, Why, answers, drop_answers, old_answers, remove,
    survey, to_prune,
};
use crate::package::{Name, Version};
use crate::uv::locate::PINNED;

/// How long others who use the cache are waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// What to do with the cache.
#[derive(Debug, Clone)]
pub enum CacheRequest {
    /// Only look.
    Look,
    /// Remove what is stale.
    Prune {
        /// For how many days a thing may be of no use.
        days: u32,
    },
    /// Remove all, or what belongs to these packages.
    Clean {
        /// The packages; all if empty.
        packages: Vec<String>,
    },
}

/// Something that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// What it was.
    pub part: Part,
    /// Its path in the cache, or what the answers were of.
    pub path: String,
    /// How large it was; answers share one file, whose size only the whole tells.
    pub bytes: Option<u64>,
    /// Why.
    pub why: Why,
}

/// What there is, and what went.
#[derive(Debug, Clone)]
pub struct CacheOutcome {
    /// The directory.
    pub dir: Utf8PathBuf,
    /// What is there now, by part.
    pub parts: Vec<(Part, Weight)>,
    /// What was removed.
    pub removed: Vec<Removed>,
    /// How much smaller the whole became.
    pub freed: u64,
    /// What is not this program's, and left alone.
    pub others: Vec<String>,
}

/// Says that the cache is in use while the value is held. One that cannot be made or
/// locked is used as far as it can be all the same.
pub fn hold(context: &Context) -> Option<UseLock> {
    let dir = context.cache_dir.as_ref()?;
    fs::create_dir_all(dir).ok()?;
    UseLock::together(&dir.join(LOCK))
}

/// Looks at the cache, or removes from it.
///
/// # Errors
///
/// Fails if there is none to be had, if the directory is somebody else's, if another run
/// uses it, or if something cannot be removed.
pub fn run(context: &Context, request: &CacheRequest) -> Result<CacheOutcome, OpError> {
    let dir = context.cache_dir.clone().ok_or_else(|| {
        OpError::Usage("there is no cache: it is switched off, or no place for it is known".into())
    })?;
    let before = survey(&dir)?;
    let mut removed = Vec::new();
    let mut after = before.clone();
    if !matches!(request, CacheRequest::Look) && fs::is_dir(&dir) {
        if !before.is_ours {
            let shown: Vec<&str> = before.others.iter().take(3).map(String::as_str).collect();
            return Err(OpError::Refused(format!(
                "`{dir}` is no cache of portenv alone: it holds `{}`; nothing was removed",
                shown.join("`, `")
            )));
        }
        let _alone = alone(context, &dir)?;
        // Whoever used it until now may have left more, or less.
        let found = survey(&dir)?;
        removed = match request {
            CacheRequest::Look => Vec::new(),
            CacheRequest::Prune { days } => prune(context, &dir, &found, *days)?,
            CacheRequest::Clean { packages } => clean(context, &dir, &found, packages)?,
        };
        after = survey(&dir)?;
    }
    Ok(CacheOutcome {
        parts: parts(&after),
        freed: total(&before).saturating_sub(total(&after)),
        others: after.others,
        removed,
        dir,
    })
}

fn total(survey: &Survey) -> u64 {
    survey.entries.iter().map(|entry| entry.weight.bytes).sum()
}

fn parts(survey: &Survey) -> Vec<(Part, Weight)> {
    let mut parts: BTreeMap<Part, Weight> = Part::ALL.map(|part| (part, Weight::default())).into();
    for entry in &survey.entries {
        parts.entry(entry.part).or_default().add(&entry.weight);
    }
    parts.into_iter().collect()
}

fn alone(context: &Context, dir: &Utf8Path) -> Result<UseLock, OpError> {
    let (path, began) = (dir.join(LOCK), Instant::now());
    loop {
        if let Some(lock) = UseLock::try_alone(&path)? {
            return Ok(lock);
        }
        context.check_cancel()?;
        if began.elapsed() > PATIENCE {
            return Err(OpError::CacheInUse(dir.to_owned()));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn prune(
    context: &Context,
    dir: &Utf8Path,
    found: &Survey,
    days: u32,
) -> Result<Vec<Removed>, OpError> {
    let uv = Version::new(PINNED).to_string();
    let policy = Policy {
        now: context.clock.now().as_second(),
        unused_for: i64::from(days) * 24 * 60 * 60,
        uv: &uv,
    };
    let mut removed = remove_all(context, dir, &to_prune(&found.entries, &policy))?;
    let kept = answers(dir);
    removed.extend(drop_listed(dir, &old_answers(&kept, &policy), Why::Unused));
    Ok(removed)
}

fn clean(
    context: &Context,
    dir: &Utf8Path,
    found: &Survey,
    packages: &[String],
) -> Result<Vec<Removed>, OpError> {
    if packages.is_empty() {
        let all: Vec<(&Entry, Why)> = found.entries.iter().map(|one| (one, Why::Asked)).collect();
        return remove_all(context, dir, &all);
    }
    let names = packages
        .iter()
        .map(|text| {
            Name::parse(text)
                .ok_or_else(|| OpError::Usage(format!("`{text}` is not a package name")))
        })
        .collect::<Result<Vec<Name>, _>>()?;
    let is_of = |entry: &&Entry| {
        let files = fs::find_dir(&dir.join(&entry.path)).unwrap_or_default();
        entry.part == Part::Sdists
            && (files.iter()).any(|file| names.iter().any(|name| folder::is_of(file, name)))
    };
    let going = found.entries.iter().filter(is_of);
    let going: Vec<(&Entry, Why)> = going.map(|entry| (entry, Why::Asked)).collect();
    let mut removed = remove_all(context, dir, &going)?;
    let kept = answers(dir);
    let of_names: Vec<&Answer> = kept
        .iter()
        .filter(|answer| names.iter().any(|name| name.as_str() == answer.name))
        .collect();
    removed.extend(drop_listed(dir, &of_names, Why::Asked));
    Ok(removed)
}

fn remove_all(
    context: &Context,
    dir: &Utf8Path,
    going: &[(&Entry, Why)],
) -> Result<Vec<Removed>, OpError> {
    let mut removed = Vec::new();
    for (entry, why) in going {
        context.check_cancel()?;
        remove(dir, entry)?;
        removed.push(Removed {
            part: entry.part,
            path: entry.path.clone(),
            bytes: Some(entry.weight.bytes),
            why: *why,
        });
    }
    Ok(removed)
}

fn drop_listed(dir: &Utf8Path, going: &[&Answer], why: Why) -> Vec<Removed> {
    if going.is_empty() || drop_answers(dir, going) == 0 {
        return Vec::new();
    }
    let going = going.iter();
    going
        .map(|answer| Removed {
            part: Part::Answers,
            path: format!("{} {}", crate::package::redact(&answer.index), answer.name),
            bytes: None,
            why,
        })
        .collect()
}
