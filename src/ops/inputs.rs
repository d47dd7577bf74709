//! Flags and settings → what the resolver and the index need.

use std::str::FromStr;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use url::Url;

use super::context::Context;
use super::error::OpError;
use crate::index::config::PYPI;
use crate::index::{
    Builder, Index, IndexConfig, IndexLocation, MetadataError, Patience, RemoteIndex,
};
use crate::package::target::{Arch, Implementation, MachineFacts, Os};
use crate::package::{Name, Platform, Target, Version};
use crate::requirements::file::{IndexOption, Reading};
use crate::requirements::{
    Origin, OriginKind, Problem, RequirementSet, Role, Statement, read_requirements,
};
use crate::resolve::families::Family;
use crate::resolve::markers::MOST_TARGETS;
use crate::resolve::{NamesOrAll, Options};
use crate::uv::UvBuilder;
use crate::uv::build::BuildContext;
use crate::workspace::Settings;
use crate::workspace::settings::{Build, BuildMode, Prerelease, Resolution};

/// The options that decide an answer, as typed.
#[derive(Debug, Clone, Default)]
pub struct ResolveFlags {
    /// `--index-url`.
    pub index_url: Option<String>,
    /// `--extra-index-url`.
    pub extra_index_url: Vec<String>,
    /// `--find-links`.
    pub find_links: Vec<String>,
    /// `--no-index`.
    pub no_index: bool,
    /// `--python-version`.
    pub python_version: Option<String>,
    /// `--platform`.
    pub platform: Option<String>,
    /// `--universal`.
    pub universal: bool,
    /// `--prerelease`.
    pub prerelease: Option<Prerelease>,
    /// `--resolution`.
    pub resolution: Option<Resolution>,
    /// `--exclude-newer`.
    pub exclude_newer: Option<String>,
    /// `--constraint`.
    pub constraints: Vec<Utf8PathBuf>,
    /// `--override`.
    pub overrides: Vec<Utf8PathBuf>,
    /// `--no-binary`.
    pub no_binary: Vec<String>,
    /// `--only-binary`.
    pub only_binary: Vec<String>,
    /// `--build`.
    pub build: Option<BuildMode>,
    /// `--skip-invalid`.
    pub skip_invalid: bool,
    /// `--refresh`.
    pub refresh: bool,
    /// The instant that counts unless a flag or the settings name one, in seconds since 1970.
    pub as_of: Option<i64>,
}

impl ResolveFlags {
    /// Makes the solver's options of flags, settings and files' own options.
    ///
    /// # Errors
    ///
    /// Fails on a value that cannot be read.
    pub fn options(
        &self,
        settings: &Settings,
        from_files: &[IndexOption],
        now: jiff::Timestamp,
    ) -> Result<Options, OpError> {
        let words = |flags: &[String], pick: fn(&Statement) -> Option<&String>| {
            let mut words: Vec<String> = from_files
                .iter()
                .filter_map(|option| pick(&option.statement).cloned())
                .collect();
            words.extend(flags.iter().cloned());
            NamesOrAll::parse(words.iter().map(String::as_str)).map_err(|word| {
                OpError::Usage(format!(
                    "`{word}` is not a package name, `:all:` or `:none:`"
                ))
            })
        };
        let mut prerelease = self.prerelease.or(settings.resolve.prerelease);
        if prerelease.is_none()
            && from_files
                .iter()
                .any(|option| option.statement == Statement::Pre)
        {
            prerelease = Some(Prerelease::Allow);
        }
        let cut_off = self
            .exclude_newer
            .as_ref()
            .or(settings.resolve.exclude_newer.as_ref());
        let exclude = settings
            .policy
            .exclude
            .iter()
            .map(|text| {
                Name::parse(text).ok_or_else(|| {
                    OpError::Policy(format!(
                        "portenv.toml: `{text}` in policy.exclude is not a package name"
                    ))
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(Options {
            prerelease: prerelease.unwrap_or_default(),
            resolution: self
                .resolution
                .or(settings.resolve.resolution)
                .unwrap_or_default(),
            exclude_newer: (cut_off.map(|text| parse_instant(text, now)).transpose()?)
                .or(self.as_of),
            untimed_count: cut_off.is_none() && self.as_of.is_some(),
            no_binary: words(&self.no_binary, |statement| match statement {
                Statement::NoBinary(names) => Some(names),
                _ => None,
            })?,
            only_binary: words(&self.only_binary, |statement| match statement {
                Statement::OnlyBinary(names) => Some(names),
                _ => None,
            })?,
            exclude,
            families: families(settings)?,
            trial: false,
        })
    }

    /// Decides which indexes are asked, and how.
    ///
    /// # Errors
    ///
    /// Fails on an address that cannot be read.
    pub fn index_config(
        &self,
        context: &Context,
        settings: &Settings,
        from_files: &[IndexOption],
    ) -> Result<IndexConfig, OpError> {
        let mut indexes = Vec::new();
        let mut default = self
            .index_url
            .clone()
            .or_else(|| context.index_urls.first().cloned());
        let mut extra = self.extra_index_url.clone();
        let mut find_links = self.find_links.clone();
        let mut no_index = self.no_index;
        for option in from_files {
            match &option.statement {
                Statement::IndexUrl(url) => {
                    default.get_or_insert_with(|| url.clone());
                }
                Statement::ExtraIndexUrl(url) => extra.push(url.clone()),
                Statement::FindLinks(place) => find_links.push(place.clone()),
                Statement::NoIndex => no_index = true,
                _ => {}
            }
        }
        for table in &settings.index {
            if table.default && default.is_none() {
                default = Some(table.url.clone());
                continue;
            }
            indexes.push(IndexLocation {
                name: Some(table.name.clone()),
                packages: table.packages.clone(),
                ..IndexLocation::general(&table.url)
            });
        }
        if no_index {
            indexes.clear();
        } else {
            // As in uv: further indexes are asked before the default one.
            indexes.extend(
                extra
                    .iter()
                    .chain(context.index_urls.iter().skip(1))
                    .map(|url| IndexLocation::general(url)),
            );
            indexes.push(IndexLocation::general(default.as_deref().unwrap_or(PYPI)));
        }
        for index in &indexes {
            let fine = Url::parse(&index.url)
                .is_ok_and(|url| matches!(url.scheme(), "http" | "https" | "file"));
            if !fine {
                return Err(OpError::Usage(format!(
                    "`{}` is not the URL of an index",
                    crate::package::redact(&index.url)
                )));
            }
        }
        let find_links = find_links
            .into_iter()
            .map(|place| {
                if place.contains("://") {
                    place
                } else {
                    context.dir.join(place).into_string()
                }
            })
            .collect();
        Ok(IndexConfig {
            indexes,
            find_links,
            offline: context.offline,
            cache_dir: context.cache_dir.clone(),
            refresh: self.refresh,
            netrc: context.netrc.clone(),
            patience: Patience::default(),
        })
    }

    /// Opens the indexes.
    ///
    /// # Errors
    ///
    /// Fails on an address that cannot be read.
    pub fn open_index(
        &self,
        context: &Context,
        settings: &Settings,
        from_files: &[IndexOption],
        builder: Option<Arc<dyn Builder>>,
    ) -> Result<RemoteIndex, OpError> {
        let config = self.index_config(context, settings, from_files)?;
        let now = context.clock.now().as_second();
        let index = RemoteIndex::new(
            config,
            now,
            context.cancel.clone(),
            Arc::clone(&context.progress),
        );
        Ok(match builder {
            Some(builder) => index.with_builder(builder),
            None => index,
        })
    }

    /// Makes a builder for sdists that do not state their metadata.
    ///
    /// # Errors
    ///
    /// Fails on an address that cannot be read.
    pub fn builder(
        &self,
        context: &Context,
        settings: &Settings,
        from_files: &[IndexOption],
        python: String,
        target: &Target,
    ) -> Result<Arc<dyn Builder>, OpError> {
        Ok(UvBuilder::shared(BuildContext {
            python,
            target,
            named: context.uv.clone(),
            path: context.around.path.clone(),
            config: self.index_config(context, settings, from_files)?,
            now: context.clock.now().as_second(),
            cancel: context.cancel.clone(),
        }))
    }

    /// Decides the targets; `own` is this machine's, if its Python was asked.
    ///
    /// # Errors
    ///
    /// Fails on a platform or version that is not known.
    pub fn targets(
        &self,
        settings: &Settings,
        own: Option<&Target>,
    ) -> Result<Vec<Target>, OpError> {
        let python = self
            .python_version
            .as_deref()
            .or(settings.resolve.python_version.as_deref())
            .map(parse_python)
            .transpose()?;
        if self.universal {
            if self.platform.is_some() {
                return Err(OpError::Usage(
                    "--universal is for all platforms; leave out --platform".to_owned(),
                ));
            }
            return Ok(universal_targets(python.as_ref()));
        }
        let own_python = own.map(|target| target.python.clone());
        let make = |text: &str, python: Option<Version>| {
            let platform = Platform::from_str(text).map_err(OpError::Usage)?;
            let python = python.ok_or_else(|| {
                OpError::Usage(
                    "no Python version is known; name one with --python-version".to_owned(),
                )
            })?;
            Ok::<_, OpError>(Target::new(platform, python, &MachineFacts::default()))
        };
        // `3.12` is 3.12.0.
        let is_own = |python: &Version| {
            own.is_some_and(|own| own.python.release().iter().eq(full_release(python).iter()))
        };
        if let Some(platform) = &self.platform {
            return Ok(vec![make(platform, python.or(own_python))?]);
        }
        if let Some(targets) = &settings.resolve.targets {
            let mut found: Vec<Target> = Vec::new();
            for text in targets {
                let (triple, pinned) = text
                    .split_once('@')
                    .map_or((text.as_str(), None), |(triple, python)| {
                        (triple, Some(python))
                    });
                let pinned = pinned
                    .map(parse_python)
                    .transpose()?
                    .or_else(|| python.clone())
                    .or_else(|| own_python.clone());
                let target = match own {
                    Some(own)
                        if own.platform.triple() == triple
                            && pinned.as_ref().is_some_and(is_own) =>
                    {
                        own.clone()
                    }
                    _ => make(triple, pinned)?,
                };
                add_target(&mut found, target)?;
            }
            if found.is_empty() {
                let message = "portenv.toml: resolve.targets names no target";
                return Err(OpError::Policy(message.to_owned()));
            }
            return Ok(found);
        }
        match (own, python) {
            (Some(own), None) => Ok(vec![own.clone()]),
            (Some(own), Some(python)) if is_own(&python) => Ok(vec![own.clone()]),
            (Some(own), Some(python)) => Ok(vec![Target::new(
                own.platform.clone(),
                python,
                &MachineFacts::default(),
            )]),
            (None, python) => Ok(vec![make(this_platform(), python)?]),
        }
    }

    /// Reports whether builds may run to learn metadata; `default` is the command's.
    pub fn may_build(&self, settings: &Settings, default: BuildMode) -> bool {
        match (self.build, &settings.resolve.build) {
            (Some(mode), _) => mode == BuildMode::Allow,
            (None, _) if default == BuildMode::Static => false,
            (None, Some(Build::Mode(mode))) => *mode == BuildMode::Allow,
            (None, Some(Build::Names(names))) => !names.is_empty(),
            (None, None) => true,
        }
    }
}

fn parse_python(text: &str) -> Result<Version, OpError> {
    Version::from_str(text)
        .map_err(|_| OpError::Usage(format!("`{text}` is not a Python version")))
        .map(|version| Version::new(version.release().iter().copied().take(3)))
}

fn full_release(python: &Version) -> [u64; 3] {
    std::array::from_fn(|part| python.release().get(part).copied().unwrap_or(0))
}

/// Adds one of several targets. Those that no marker tells apart cannot share a lock.
fn add_target(targets: &mut Vec<Target>, target: Target) -> Result<(), OpError> {
    if targets.len() >= MOST_TARGETS {
        return Err(OpError::Policy(format!(
            "portenv.toml: there can be no more than {MOST_TARGETS} targets"
        )));
    }
    match targets.iter().find(|known| !known.differs_from(&target)) {
        None => targets.push(target),
        Some(known) if known.to_string() == target.to_string() => {}
        Some(known) => {
            return Err(OpError::Policy(format!(
                "portenv.toml: no marker tells the targets {known} and {target} apart, so one lock cannot serve both"
            )));
        }
    }
    Ok(())
}

/// The newest minor version of Python 3 that `--universal` is for.
const NEWEST_MINOR: u64 = 14;
/// The oldest one, unless `--python-version` names another.
const OLDEST_MINOR: u64 = 10;

/// Lists the targets of `--universal`: each minor version of Python on the three
/// desktop platforms, and PyPy on Linux. Oldest first, since newer ones can mostly
/// take what older ones picked.
fn universal_targets(from: Option<&Version>) -> Vec<Target> {
    let [major, oldest, _] = from.map_or([3, OLDEST_MINOR, 0], full_release);
    let newest = if major == 3 {
        NEWEST_MINOR.max(oldest)
    } else {
        oldest
    };
    let linux = Platform::new(Os::Linux(2, 28), Arch::X86_64);
    let platforms = [
        linux.clone(),
        Platform::new(Os::Windows, Arch::X86_64),
        Platform::new(Os::MacOs(13, 0), Arch::Aarch64),
    ];
    let mut targets = Vec::new();
    for minor in oldest..=newest {
        let python = match from {
            Some(from) if minor == oldest => from.clone(),
            _ => Version::new([major, minor]),
        };
        let mut add = |platform: &Platform, implementation| {
            let target = Target::for_any_wheel(platform.clone(), python.clone(), implementation);
            targets.push(target);
        };
        for platform in &platforms {
            add(platform, Implementation::CPython);
        }
        add(&linux, Implementation::PyPy);
    }
    targets
}

/// Returns the families of the settings and those built in.
///
/// # Errors
///
/// Fails on a member that is no name.
pub fn families(settings: &Settings) -> Result<Vec<Family>, OpError> {
    let own = settings.family.iter().map(|table| {
        let members = table.members.iter().map(|text| {
            Name::parse(text).ok_or_else(|| {
                OpError::Policy(format!(
                    "portenv.toml: `{text}` in family.members is not a package name"
                ))
            })
        });
        Ok::<_, OpError>(Family {
            members: members.collect::<Result<_, _>>()?,
            mode: table.mode,
        })
    });
    Ok(Family::all(own.collect::<Result<_, _>>()?))
}

/// The triple of the machine this program was made for.
pub fn this_platform() -> &'static str {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("windows", "aarch64") => "aarch64-pc-windows-msvc",
        ("windows", _) => "x86_64-pc-windows-msvc",
        ("macos", "x86_64") => "x86_64-apple-darwin",
        ("macos", _) => "aarch64-apple-darwin",
        (_, "aarch64") => "aarch64-unknown-linux-gnu",
        _ => "x86_64-unknown-linux-gnu",
    }
}

/// Reads a date (to its end, UTC), a timestamp, or a duration before now.
///
/// # Errors
///
/// Fails on anything else.
pub fn parse_instant(text: &str, now: jiff::Timestamp) -> Result<i64, OpError> {
    let text = text.trim();
    if let Ok(date) = text.parse::<jiff::civil::Date>()
        && !text.contains('T')
    {
        let next = date
            .tomorrow()
            .and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC));
        return next
            .map(|start| start.timestamp().as_second() - 1)
            .map_err(|error| OpError::Usage(error.to_string()));
    }
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Ok(instant.as_second());
    }
    let before = text
        .parse::<jiff::Span>()
        .ok()
        .and_then(|span| now.to_zoned(jiff::tz::TimeZone::UTC).checked_sub(span).ok());
    before
        .map(|instant| instant.timestamp().as_second())
        .ok_or_else(|| {
            OpError::Usage(format!(
                "`{text}` is neither a date, a timestamp nor a duration such as `7 days`"
            ))
        })
}

/// Adds the files that flags name, and refuses what cannot be read.
///
/// # Errors
///
/// Fails on bad input.
pub fn finish_inputs(
    context: &Context,
    set: &mut RequirementSet,
    flags: &ResolveFlags,
) -> Result<(), OpError> {
    for file in &flags.constraints {
        add_role(context, set, file, &Role::Constrain);
    }
    for file in &flags.overrides {
        add_role(
            context,
            set,
            file,
            &Role::Override {
                reason: None,
                only_for: Vec::new(),
            },
        );
    }
    refuse_invalid(set, flags.skip_invalid)
}

/// Names the lines that only say where a package lies: a repository, an archive, a
/// directory. What these state is read; only the index's builder runs anything.
///
/// # Errors
///
/// Fails on a line that leads to no package, unless invalid ones are skipped, and if
/// the network could not be asked.
pub fn name_lines(
    set: &mut RequirementSet,
    targets: &[Target],
    index: &dyn Index,
    skip_invalid: bool,
) -> Result<(), OpError> {
    let before = set.problems.len();
    set.name_lines(targets, |place, base| {
        match index.direct(None, place, base) {
            Ok(found) => Ok(Ok(found.name)),
            Err(MetadataError::Index(error)) => Err(OpError::Index(error)),
            Err(unusable) => Ok(Err(unusable.to_string())),
        }
    })?;
    if set.problems.len() == before {
        return Ok(());
    }
    refuse_invalid(set, skip_invalid)
}

/// Adds a file whose lines all have one role: `--constraint`, `--override`.
fn add_role(context: &Context, set: &mut RequirementSet, file: &Utf8Path, role: &Role) {
    let owner = Origin {
        kind: OriginKind::Policy,
        name: None,
        file: Some(file.to_string()),
        line: None,
        column: None,
    };
    let reading = Reading {
        root: &context.dir,
        owner: &owner,
        variables: &context.variables,
    };
    let before = set.lines.len();
    let unnamed = set.unnamed.len();
    set.add_file(read_requirements(&context.dir.join(file), &reading));
    for entry in set.unnamed.split_off(unnamed) {
        let message = format!("`{}` does not say which package it is", entry.text);
        let fix = format!("write `NAME @ {}`", entry.text);
        let problem = Problem::error("invalid-requirement", entry.origin, message);
        set.problems.push(problem.with_fix(fix));
    }
    for line in &mut set.lines[before..] {
        line.role = role.clone();
    }
}

/// A line that cannot be read stops the work unless invalid ones are skipped.
///
/// # Errors
///
/// Fails with all such lines.
fn refuse_invalid(set: &RequirementSet, skip: bool) -> Result<(), OpError> {
    let errors: Vec<Problem> = set.errors().cloned().collect();
    if errors.is_empty() || skip {
        Ok(())
    } else {
        Err(OpError::Problems(errors))
    }
}
