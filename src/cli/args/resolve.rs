//! Flags that decide an answer, with uv's names and meanings.

use camino::Utf8PathBuf;
use clap::Args;
use clap::builder::BoolishValueParser as Boolish;

use crate::workspace::settings::{BuildMode, Prerelease, Resolution};

/// Whether pre-releases may be taken.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum PrereleaseArg {
    /// Never.
    Disallow,
    /// Like any other version.
    Allow,
    /// Finals first, pre-releases only when no final fits.
    IfNecessary,
    /// Only where a requirement names one.
    Explicit,
    /// The same as if-necessary.
    IfNecessaryOrExplicit,
}

impl From<PrereleaseArg> for Prerelease {
    fn from(arg: PrereleaseArg) -> Self {
        match arg {
            PrereleaseArg::Disallow => Self::Disallow,
            PrereleaseArg::Allow => Self::Allow,
            PrereleaseArg::Explicit => Self::Explicit,
            PrereleaseArg::IfNecessary | PrereleaseArg::IfNecessaryOrExplicit => Self::IfNecessary,
        }
    }
}

/// Highest or lowest versions.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum ResolutionArg {
    /// The highest that fit.
    Highest,
    /// The lowest that fit.
    Lowest,
    /// The lowest of what is asked for directly.
    LowestDirect,
}

impl From<ResolutionArg> for Resolution {
    fn from(arg: ResolutionArg) -> Self {
        match arg {
            ResolutionArg::Highest => Self::Highest,
            ResolutionArg::Lowest => Self::Lowest,
            ResolutionArg::LowestDirect => Self::LowestDirect,
        }
    }
}

/// Whether metadata may be had by running a build.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum BuildArg {
    /// A build may run.
    Allow,
    /// Nothing runs; older evidence is taken.
    Static,
}

/// Flags that decide an answer.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Resolver options")]
pub struct ResolveOptions {
    /// The index that replaces PyPI.
    #[arg(
        long,
        short = 'i',
        env = "PORTENV_INDEX_URL",
        alias = "default-index",
        value_name = "URL",
        hide_env_values = true
    )]
    pub index_url: Option<String>,
    /// An index asked before the default one.
    #[arg(
        long,
        env = "PORTENV_EXTRA_INDEX_URL",
        value_delimiter = ' ',
        value_name = "URL",
        hide_env_values = true
    )]
    pub extra_index_url: Vec<String>,
    /// A folder or page of links with more files.
    #[arg(
        long,
        short,
        env = "PORTENV_FIND_LINKS",
        value_delimiter = ' ',
        value_name = "PLACE"
    )]
    pub find_links: Vec<String>,
    /// Ask no index, only --find-links.
    #[arg(long, env = "PORTENV_NO_INDEX", value_parser = Boolish::new())]
    pub no_index: bool,
    /// The Python to resolve for.
    #[arg(long, env = "PORTENV_PYTHON_VERSION", value_name = "X.Y[.Z]")]
    pub python_version: Option<String>,
    /// The platform to resolve for.
    #[arg(
        long,
        env = "PORTENV_PLATFORM",
        alias = "python-platform",
        value_name = "TRIPLE"
    )]
    pub platform: Option<String>,
    /// Whether pre-releases may be taken.
    #[arg(long, env = "PORTENV_PRERELEASE", value_enum, value_name = "MODE")]
    pub prerelease: Option<PrereleaseArg>,
    /// Highest or lowest versions.
    #[arg(long, env = "PORTENV_RESOLUTION", value_enum, value_name = "MODE")]
    pub resolution: Option<ResolutionArg>,
    /// Leave out what was uploaded later: a date, a timestamp or a duration.
    #[arg(long, env = "PORTENV_EXCLUDE_NEWER", value_name = "WHEN")]
    pub exclude_newer: Option<String>,
    /// A file that restricts versions of what is wanted anyway.
    #[arg(
        long = "constraint",
        short = 'c',
        env = "PORTENV_CONSTRAINT",
        value_delimiter = ' ',
        value_name = "FILE"
    )]
    pub constraints: Vec<Utf8PathBuf>,
    /// A file whose lines replace all requirements on their names.
    #[arg(
        long = "override",
        env = "PORTENV_OVERRIDE",
        value_delimiter = ' ',
        value_name = "FILE"
    )]
    pub overrides: Vec<Utf8PathBuf>,
    /// Use no wheels of a package, or of :all:.
    #[arg(
        long,
        env = "PORTENV_NO_BINARY",
        value_delimiter = ' ',
        value_name = "NAME"
    )]
    pub no_binary: Vec<String>,
    /// Use no sdists of a package, or of :all:.
    #[arg(
        long,
        env = "PORTENV_ONLY_BINARY",
        value_delimiter = ' ',
        value_name = "NAME"
    )]
    pub only_binary: Vec<String>,
    /// Use no sdists at all.
    #[arg(long, env = "PORTENV_NO_BUILD", value_parser = Boolish::new())]
    pub no_build: bool,
    /// Whether metadata may be had by running a build.
    #[arg(long, env = "PORTENV_BUILD", value_enum, value_name = "MODE")]
    pub build: Option<BuildArg>,
    /// Pass over requirement lines that cannot be read, with a warning each.
    #[arg(long, env = "PORTENV_SKIP_INVALID", value_parser = Boolish::new())]
    pub skip_invalid: bool,
    /// Ask indexes again even if their answers are fresh.
    #[arg(long, env = "PORTENV_REFRESH", value_parser = Boolish::new())]
    pub refresh: bool,
}

impl ResolveOptions {
    /// Returns the flags as the library knows them.
    pub fn flags(&self) -> crate::ops::inputs::ResolveFlags {
        let mut only_binary = self.only_binary.clone();
        if self.no_build {
            only_binary.push(":all:".to_owned());
        }
        crate::ops::inputs::ResolveFlags {
            index_url: self.index_url.clone(),
            extra_index_url: self.extra_index_url.clone(),
            find_links: self.find_links.clone(),
            no_index: self.no_index,
            python_version: self.python_version.clone(),
            platform: self.platform.clone(),
            universal: false,
            prerelease: self.prerelease.map(Into::into),
            resolution: self.resolution.map(Into::into),
            exclude_newer: self.exclude_newer.clone(),
            constraints: self.constraints.clone(),
            overrides: self.overrides.clone(),
            no_binary: self.no_binary.clone(),
            only_binary,
            build: self.build.map(|build| match build {
                BuildArg::Allow => BuildMode::Allow,
                BuildArg::Static => BuildMode::Static,
            }),
            skip_invalid: self.skip_invalid,
            refresh: self.refresh,
        }
    }
}

/// `portenv resolve`.
#[derive(Debug, Args)]
pub struct ResolveArgs {
    /// requirements.txt, pyproject.toml, setup.cfg, a directory, or - for standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<Utf8PathBuf>,
    /// Resolve for every CPython from --python-version (else 3.10) to 3.14 on Linux,
    /// Windows and macOS, and for PyPy on Linux.
    #[arg(long, env = "PORTENV_UNIVERSAL", value_parser = Boolish::new())]
    pub universal: bool,
    /// What decides the answer.
    #[command(flatten)]
    pub options: ResolveOptions,
}

/// `portenv lock`.
#[derive(Debug, Args)]
pub struct LockArgs {
    /// Only say whether the lock is stale, and why; write nothing.
    #[arg(long)]
    pub check: bool,
    /// Choose every version anew.
    #[arg(long)]
    pub upgrade: bool,
    /// Choose this package's version anew.
    #[arg(long, value_name = "NAME")]
    pub upgrade_package: Vec<String>,
    /// Where not everything can be met, leave out as few nodes as it takes.
    #[arg(long, conflicts_with = "check")]
    pub best_effort: bool,
    /// How long --best-effort looks for the fewest; then the best found so far counts.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 60,
        requires = "best_effort"
    )]
    pub time_limit: u64,
    /// Waive nothing: what the installation violates already must be met too.
    #[arg(long)]
    pub strict: bool,
    /// Let a protected package change.
    #[arg(long, value_name = "NAME")]
    pub allow_change: Vec<String>,
    /// What decides the answer.
    #[command(flatten)]
    pub options: ResolveOptions,
}
