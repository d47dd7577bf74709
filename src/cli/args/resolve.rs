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
    /// Only when no final version fits.
    IfNecessary,
    /// Only where a requirement names such a version.
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
    /// The lowest of what files name, the highest of what these need.
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
    /// It may run, isolated by uv.
    Allow,
    /// Nothing runs; what a wheel of an older version says is taken instead.
    Static,
}

/// Headings of the flags: there are too many for one list.
const SOURCES: &str = "Where packages come from";
const VERSIONS: &str = "Which versions are taken";
const BUILDS: &str = "Wheels and source archives";

/// Flags that decide an answer.
#[derive(Debug, Clone, Default, Args)]
pub struct ResolveOptions {
    /// The index to take packages from [default: PyPI].
    #[arg(long, short = 'i', env = "PORTENV_INDEX_URL", alias = "default-index", value_name = "URL", hide_env_values = true, help_heading = SOURCES, hide_env = true)]
    pub index_url: Option<String>,
    /// A further index, asked before --index-url.
    #[arg(long, env = "PORTENV_EXTRA_INDEX_URL", value_delimiter = ' ', value_name = "URL", hide_env_values = true, help_heading = SOURCES, hide_env = true)]
    pub extra_index_url: Vec<String>,
    /// A folder of wheels, or a page of links to them.
    #[arg(long, short, env = "PORTENV_FIND_LINKS", value_delimiter = ' ', value_name = "PLACE", help_heading = SOURCES, hide_env = true, hide_short_help = true)]
    pub find_links: Vec<String>,
    /// Ask no index, only --find-links.
    #[arg(long, env = "PORTENV_NO_INDEX", value_parser = Boolish::new(), help_heading = SOURCES, hide_env = true, hide_short_help = true)]
    pub no_index: bool,
    /// Ask the index again, even if the cache has a fresh answer.
    #[arg(long, env = "PORTENV_REFRESH", value_parser = Boolish::new(), help_heading = SOURCES, hide_env = true, hide_short_help = true)]
    pub refresh: bool,
    /// Find versions for this Python [default: the Python of the
    /// installation, else the one on PATH].
    #[arg(long, env = "PORTENV_PYTHON_VERSION", value_name = "X.Y[.Z]", help_heading = VERSIONS, hide_env = true, hide_short_help = true)]
    pub python_version: Option<String>,
    /// Find versions for this platform, such as x86_64-pc-windows-msvc [default: this
    /// machine].
    #[arg(long, env = "PORTENV_PLATFORM", alias = "python-platform", value_name = "TRIPLE", help_heading = VERSIONS, hide_env = true, hide_short_help = true)]
    pub platform: Option<String>,
    /// Whether alpha, beta and rc versions may be taken [default: if-necessary].
    #[arg(long, env = "PORTENV_PRERELEASE", value_enum, value_name = "MODE", help_heading = VERSIONS, hide_env = true, hide_short_help = true)]
    pub prerelease: Option<PrereleaseArg>,
    /// Highest or lowest versions [default: highest].
    #[arg(long, env = "PORTENV_RESOLUTION", value_enum, value_name = "MODE", help_heading = VERSIONS, hide_env = true, hide_short_help = true)]
    pub resolution: Option<ResolutionArg>,
    /// Take nothing that was uploaded after a date such as 2026-11-01, a time, or within
    /// a duration such as "7 days".
    #[arg(long, env = "PORTENV_EXCLUDE_NEWER", value_name = "WHEN", help_heading = VERSIONS, hide_env = true, hide_short_help = true)]
    pub exclude_newer: Option<String>,
    /// A requirements file that limits versions, but asks for no package by itself.
    #[arg(long = "constraint", short = 'c', env = "PORTENV_CONSTRAINT", value_delimiter = ' ', value_name = "FILE", help_heading = VERSIONS, hide_env = true, hide_short_help = true)]
    pub constraints: Vec<Utf8PathBuf>,
    /// A requirements file whose lines replace what anyone else says of these packages.
    #[arg(long = "override", env = "PORTENV_OVERRIDE", value_delimiter = ' ', value_name = "FILE", help_heading = VERSIONS, hide_env = true, hide_short_help = true)]
    pub overrides: Vec<Utf8PathBuf>,
    /// Use no ready-made wheels of a package; :all: for every package.
    #[arg(long, env = "PORTENV_NO_BINARY", value_delimiter = ' ', value_name = "NAME", help_heading = BUILDS, hide_env = true, hide_short_help = true)]
    pub no_binary: Vec<String>,
    /// Use only ready-made wheels of a package, no source archives; :all: for every
    /// package.
    #[arg(long, env = "PORTENV_ONLY_BINARY", value_delimiter = ' ', value_name = "NAME", help_heading = BUILDS, hide_env = true, hide_short_help = true)]
    pub only_binary: Vec<String>,
    /// Use only ready-made wheels: the same as --only-binary :all:.
    #[arg(long, env = "PORTENV_NO_BUILD", value_parser = Boolish::new(), help_heading = BUILDS, hide_env = true, hide_short_help = true)]
    pub no_build: bool,
    /// Whether code of a source archive may run to learn what it needs [default: allow;
    /// static for preview and check].
    #[arg(long, env = "PORTENV_BUILD", value_enum, value_name = "MODE", help_heading = BUILDS, hide_env = true, hide_short_help = true)]
    pub build: Option<BuildArg>,
    /// Pass over requirement lines that cannot be read, with a warning each.
    #[arg(long, env = "PORTENV_SKIP_INVALID", hide_env = true, hide_short_help = true, value_parser = Boolish::new())]
    pub skip_invalid: bool,
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
            as_of: None,
        }
    }
}

/// `portenv resolve`.
#[derive(Debug, Args)]
pub struct ResolveArgs {
    /// A requirements.txt, pyproject.toml or setup.cfg, a directory with one, or - for
    /// standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<Utf8PathBuf>,
    /// Find versions for every Python from --python-version [default: 3.10] to 3.14, on
    /// Linux, Windows and macOS at once.
    #[arg(long, env = "PORTENV_UNIVERSAL", value_parser = Boolish::new())]
    pub universal: bool,
    /// What decides the answer.
    #[command(flatten)]
    pub options: ResolveOptions,
}

/// `portenv lock`.
#[derive(Debug, Args)]
pub struct LockArgs {
    /// Write nothing; only say whether the lock is stale, and why (then exit with 1).
    #[arg(long)]
    pub check: bool,
    /// Take the newest versions that fit of all packages, not those of the old lock.
    #[arg(long)]
    pub upgrade: bool,
    /// Take the newest version that fits of this package; may be given several times.
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
    /// Meet every requirement, also those that the installation does not meet as it is.
    #[arg(long)]
    pub strict: bool,
    /// Let this protected package (such as torch) change; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub allow_change: Vec<String>,
    /// What decides the answer.
    #[command(flatten)]
    pub options: ResolveOptions,
}
