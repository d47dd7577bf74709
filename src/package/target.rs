//! What a lock is made for: a platform and a Python.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use pep508_rs::{MarkerEnvironment, MarkerEnvironmentBuilder};

use super::tags::{self, Tags};
use super::version::Version;

/// A platform, by the triple that uv's `--python-platform` takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    os: Os,
    arch: Arch,
}

/// The operating system, with what its wheel tags depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Os {
    /// Linux with glibc of this version.
    Linux(u16, u16),
    /// Linux with musl of this version.
    Musl(u16, u16),
    /// macOS of this version.
    MacOs(u16, u16),
    /// Windows.
    Windows,
}

/// The processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 64-bit ARM.
    Aarch64,
    /// 32-bit x86.
    I686,
}

impl Arch {
    /// Returns the name that triples and Linux use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
            Self::I686 => "i686",
        }
    }
}

impl Platform {
    /// Makes a platform of its parts.
    pub fn new(os: Os, arch: Arch) -> Self {
        Self { os, arch }
    }

    /// Returns the operating system.
    pub fn os(&self) -> Os {
        self.os
    }

    /// Returns the processor.
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// Returns the triple, which leaves out the version of the C library.
    pub fn triple(&self) -> String {
        let arch = self.arch.as_str();
        match self.os {
            Os::Linux(..) => format!("{arch}-unknown-linux-gnu"),
            Os::Musl(..) => format!("{arch}-unknown-linux-musl"),
            Os::MacOs(..) => format!("{arch}-apple-darwin"),
            Os::Windows => format!("{arch}-pc-windows-msvc"),
        }
    }
}

impl FromStr for Platform {
    type Err = String;

    /// Reads a triple or one of uv's short names; manylinux 2.28 and macOS 13
    /// are what uv assumes for them.
    fn from_str(text: &str) -> Result<Self, String> {
        let known = match text {
            "linux" => Self::new(Os::Linux(2, 28), Arch::X86_64),
            "windows" => Self::new(Os::Windows, Arch::X86_64),
            "macos" => Self::new(Os::MacOs(13, 0), Arch::Aarch64),
            _ => {
                let (arch, rest) = text.split_once('-').unwrap_or((text, ""));
                let arch = match arch {
                    "x86_64" => Arch::X86_64,
                    "aarch64" | "arm64" => Arch::Aarch64,
                    "i686" => Arch::I686,
                    _ => return Err(unknown(text)),
                };
                let os = match rest {
                    "unknown-linux-gnu" | "manylinux_2_28" => Os::Linux(2, 28),
                    "unknown-linux-musl" => Os::Musl(1, 2),
                    "apple-darwin" => Os::MacOs(13, 0),
                    "pc-windows-msvc" => Os::Windows,
                    "manylinux2014" => Os::Linux(2, 17),
                    other => match other
                        .strip_prefix("manylinux_2_")
                        .and_then(|minor| minor.parse().ok())
                    {
                        Some(minor) => Os::Linux(2, minor),
                        None => return Err(unknown(text)),
                    },
                };
                Self::new(os, arch)
            }
        };
        Ok(known)
    }
}

fn unknown(text: &str) -> String {
    format!(
        "`{text}` is not a known platform; known are triples such as `x86_64-unknown-linux-gnu`, \
         `x86_64-pc-windows-msvc` and `aarch64-apple-darwin`"
    )
}

/// Which Python it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Implementation {
    /// CPython.
    CPython,
    /// PyPy.
    PyPy,
}

/// A platform with a Python: what markers and wheel tags are judged for.
#[derive(Debug, Clone)]
pub struct Target {
    /// The platform.
    pub platform: Platform,
    /// The full version of Python.
    pub python: Version,
    environment: MarkerEnvironment,
    tags: Arc<Tags>,
    /// It was asked of a real machine.
    is_real: bool,
    /// Only X.Y of the Python was named.
    is_minor: bool,
    /// Any wheel will do; the first of these that fits one says which speaks for all.
    any_wheel: Arc<[Tags]>,
}

/// What only a real machine knows and markers may ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MachineFacts {
    /// `platform.release()`.
    pub release: String,
    /// `platform.version()`.
    pub version: String,
    /// `platform.machine()`, where it differs from the platform's usual.
    pub machine: Option<String>,
}

impl Target {
    /// Makes the target of a platform and a CPython version; `3.12` counts as 3.12.0.
    pub fn new(platform: Platform, python: Version, facts: &MachineFacts) -> Self {
        Self::of(platform, python, Implementation::CPython, facts)
    }

    /// Makes the target whose wheel tags are not judged: any wheel will do. All such
    /// targets rank wheels alike, so that one wheel tells a version's metadata.
    pub fn for_any_wheel(
        platform: Platform,
        python: Version,
        implementation: Implementation,
    ) -> Self {
        // Wheels for Linux name most requirements; those of CUDA stand in no others.
        let linux = Platform::new(Os::Linux(2, 39), Arch::X86_64);
        let any_wheel = (8..=14)
            .rev()
            .map(|minor| tags::of(&linux, &Version::new([3, minor])));
        Self {
            any_wheel: any_wheel.collect(),
            ..Self::of(platform, python, implementation, &MachineFacts::default())
        }
    }

    fn of(
        platform: Platform,
        python: Version,
        implementation: Implementation,
        facts: &MachineFacts,
    ) -> Self {
        let is_minor = python.release().len() < 3;
        let python = if is_minor {
            let release = python.release().iter().copied().chain([0, 0]).take(3);
            Version::new(release)
        } else {
            python
        };
        let (os_name, sys_platform, system, machine) = match platform.os {
            Os::Linux(..) | Os::Musl(..) => ("posix", "linux", "Linux", platform.arch.as_str()),
            Os::MacOs(..) => (
                "posix",
                "darwin",
                "Darwin",
                if platform.arch == Arch::Aarch64 {
                    "arm64"
                } else {
                    "x86_64"
                },
            ),
            Os::Windows => (
                "nt",
                "win32",
                "Windows",
                match platform.arch {
                    Arch::X86_64 => "AMD64",
                    Arch::Aarch64 => "ARM64",
                    Arch::I686 => "x86",
                },
            ),
        };
        // Markers compare releases; a pre-release interpreter counts as its release.
        let full = Version::new(python.release().iter().copied()).to_string();
        let short = minor_text(&python);
        let environment = MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
            implementation_name: match implementation {
                Implementation::CPython => "cpython",
                Implementation::PyPy => "pypy",
            },
            // PyPy counts its own versions, which follow from nothing that is known.
            implementation_version: match implementation {
                Implementation::CPython => &full,
                Implementation::PyPy => "7.3.0",
            },
            os_name,
            platform_machine: facts.machine.as_deref().unwrap_or(machine),
            platform_python_implementation: match implementation {
                Implementation::CPython => "CPython",
                Implementation::PyPy => "PyPy",
            },
            platform_release: &facts.release,
            platform_system: system,
            platform_version: &facts.version,
            python_full_version: &full,
            python_version: &short,
            sys_platform,
        })
        .expect("BUG: a parsed version must print as a version");
        let tags = Arc::new(tags::of(&platform, &python));
        Self {
            platform,
            python,
            environment,
            tags,
            is_real: *facts != MachineFacts::default(),
            is_minor,
            any_wheel: Arc::new([]),
        }
    }

    /// Reports whether the target was asked of a real machine.
    pub fn is_real(&self) -> bool {
        self.is_real
    }

    /// Reports whether the patch level of the Python is known.
    pub fn fixes_patch(&self) -> bool {
        !self.is_minor
    }

    /// Reports whether any wheel will do.
    pub fn takes_any_wheel(&self) -> bool {
        !self.any_wheel.is_empty()
    }

    /// Returns how well a wheel's tags fit, or `None` if not at all; a lower rank
    /// fits better.
    pub fn rank(&self, tags: &str) -> Option<u32> {
        if !self.takes_any_wheel() {
            return self.tags.rank(tags);
        }
        let mut known = (0..).zip(&*self.any_wheel);
        let first = known.find(|(_, known)| known.rank(tags).is_some());
        Some(first.map_or(u32::MAX, |(at, _)| at))
    }

    /// Returns what markers are judged by.
    pub fn environment(&self) -> &MarkerEnvironment {
        &self.environment
    }

    /// Returns the wheel tags that fit.
    pub fn tags(&self) -> &Arc<Tags> {
        &self.tags
    }

    /// Returns `3.12` of `3.12.9`.
    pub fn python_minor(&self) -> String {
        minor_text(&self.python)
    }

    /// Returns the marker by which an installer tells that the lock is for it
    /// (PEP 751 `environments`).
    pub fn marker(&self) -> String {
        format!(
            "implementation_name == '{}' and sys_platform == '{}' and platform_machine == '{}' and python_version == '{}'",
            self.environment.implementation_name(),
            self.environment.sys_platform(),
            self.environment.platform_machine(),
            self.python_minor(),
        )
    }

    /// Reports whether markers can tell two targets apart. That of the C library's
    /// kind or version they cannot.
    pub fn differs_from(&self, other: &Self) -> bool {
        let facts = |target: &Self| {
            let environment = &target.environment;
            (
                environment.sys_platform().to_owned(),
                environment.platform_machine().to_owned(),
                environment.python_full_version().version.clone(),
                environment.implementation_name().to_owned(),
            )
        };
        facts(self) != facts(other)
    }
}

/// Returns the markers of several targets, each true on its own target only.
pub fn markers(targets: &[Target]) -> Vec<String> {
    let plain: Vec<String> = targets.iter().map(Target::marker).collect();
    let is_shared = |marker: &String| plain.iter().filter(|other| *other == marker).count() > 1;
    let with_patch = |(target, marker): (&Target, &String)| {
        if is_shared(marker) {
            let full = target.environment.python_full_version();
            format!("{marker} and python_full_version == '{full}'")
        } else {
            marker.clone()
        }
    };
    targets.iter().zip(&plain).map(with_patch).collect()
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.environment.implementation_name() {
            "cpython" => "",
            other => other,
        };
        write!(f, "{}@{kind}{}", self.platform.triple(), self.python)
    }
}

fn minor_text(python: &Version) -> String {
    let release = python.release();
    let part = |n: usize| release.get(n).copied().unwrap_or(0);
    format!("{}.{}", part(0), part(1))
}
