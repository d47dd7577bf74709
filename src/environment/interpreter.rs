//! Asks an interpreter once what it is; the answer is kept by path, size and time.

use std::str::FromStr;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use crate::host::fs::{self, FsError};
use crate::host::process::Call;
use crate::package::target::{Arch, MachineFacts, Os, Platform};
use crate::package::{Target, VenvConfig, Version};

/// Prints what we need as JSON. `-S` keeps `site` from running `.pth` files, so a
/// venv's Python reports its base prefix; the environment's folder is passed in, and
/// whether it sees the packages of its base. `site` itself runs nothing when imported.
const QUESTION: &str = r#"
import json, os, platform, sys, sysconfig
root, sees_base = sys.argv[1:3]
names = sysconfig.get_scheme_names()
if root:
    scheme = "venv" if "venv" in names else ("nt" if os.name == "nt" else "posix_prefix")
    paths = sysconfig.get_paths(scheme, vars={"base": root, "platbase": root, "installed_base": root, "installed_platbase": root})
else:
    paths = sysconfig.get_paths()
beneath = []
if sees_base:
    import site
    prefixes = dict.fromkeys([sys.base_prefix, sys.base_exec_prefix])
    beneath = [path for path in site.getsitepackages(prefixes) if os.path.isdir(path)]
libc = platform.libc_ver()
print(json.dumps({
    "version": ".".join(map(str, sys.version_info[:3])),
    "implementation": sys.implementation.name,
    "os": os.name, "platform": sys.platform, "machine": platform.machine(),
    "release": platform.release(), "platform_version": platform.version(),
    "libc": list(libc), "mac": platform.mac_ver()[0],
    "purelib": paths["purelib"], "platlib": paths["platlib"], "scripts": paths["scripts"],
    "prefix": sys.base_prefix, "beneath": beneath,
    "managed": (not root) and os.path.exists(os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")),
}))
"#;

/// What an interpreter says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interpreter {
    /// The interpreter.
    #[serde(skip)]
    pub path: Utf8PathBuf,
    /// The environment's folder, if it is a virtual one.
    #[serde(skip)]
    pub environment: Option<Utf8PathBuf>,
    /// Its full version.
    pub version: String,
    /// `cpython` and so on.
    pub implementation: String,
    os: String,
    platform: String,
    machine: String,
    release: String,
    platform_version: String,
    libc: Vec<String>,
    mac: String,
    /// Where pure distributions are installed.
    pub purelib: Utf8PathBuf,
    /// Where others are installed.
    pub platlib: Utf8PathBuf,
    /// Where scripts are installed.
    pub scripts: Utf8PathBuf,
    /// The Python itself, or the one that a virtual environment was made from.
    pub prefix: Utf8PathBuf,
    /// Where a virtual environment that sees its base finds the base's packages.
    pub beneath: Vec<Utf8PathBuf>,
    /// Another program manages its packages (PEP 668).
    pub managed: bool,
}

/// An interpreter that does not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum InterpreterError {
    /// It cannot be started, or ended badly.
    #[error("`{path}` does not work as a Python: {detail}")]
    Broken {
        /// The interpreter.
        path: Utf8PathBuf,
        /// What it said.
        detail: String,
    },
    /// It is not a CPython of a known platform.
    #[error("`{path}` is not supported: {detail}")]
    Unsupported {
        /// The interpreter.
        path: Utf8PathBuf,
        /// What it is.
        detail: String,
    },
    /// A file could not be read.
    #[error(transparent)]
    Read(#[from] FsError),
}

/// Asks the interpreter at `path`; with `cache`, an answer is kept there.
///
/// # Errors
///
/// Fails if it cannot be run or says something unexpected.
pub fn ask(path: &Utf8Path, cache: Option<&Utf8Path>) -> Result<Interpreter, InterpreterError> {
    let environment = environment_of(path);
    let sees_base = match &environment {
        Some(dir) => fs::find_text(&dir.join("pyvenv.cfg"))?
            .is_some_and(|text| VenvConfig::parse(&text).system_site),
        None => false,
    };
    // The link's target tells when a base Python was upgraded under a venv.
    let real = fs::canonical(path)?;
    let (size, changed) = fs::stamp(&real)?;
    let key = format!(
        "{path}\n{real}\n{size}\n{changed}\n{sees_base}\n{}\n{}",
        env!("CARGO_PKG_VERSION"),
        crate::host::digest::short(QUESTION.as_bytes()),
    );
    let kept = cache.map(|dir| {
        dir.join("interpreters").join(format!(
            "{}.json",
            crate::host::digest::short(key.as_bytes())
        ))
    });
    if let Some(kept) = &kept
        && let Ok(Some(bytes)) = fs::find_bytes(kept)
        && let Ok(found) = serde_json::from_slice::<Interpreter>(&bytes)
    {
        return Ok(Interpreter {
            path: path.to_owned(),
            environment,
            ..found
        });
    }
    let broken = |detail: String| InterpreterError::Broken {
        path: path.to_owned(),
        detail,
    };
    let root = environment.as_ref().map_or("", |dir| dir.as_str());
    let finished = Call::new(path.as_str())
        .args(["-I", "-S", "-X", "utf8", "-c", QUESTION, root])
        .arg(if sees_base { "1" } else { "" })
        .run()
        .map_err(|error| broken(error.source.to_string()))?;
    if !finished.ok() {
        let last = finished.stderr.lines().last().unwrap_or("no message");
        return Err(broken(crate::package::artifact::printable(last)));
    }
    let mut found: Interpreter = serde_json::from_slice(&finished.stdout)
        .map_err(|error| broken(format!("its answer is not understood ({error})")))?;
    if let Some(kept) = kept
        && let Ok(text) = serde_json::to_vec(&found)
    {
        // A cache that cannot be written is not an error.
        let _ = fs::write_atomic(&kept, &text);
    }
    path.clone_into(&mut found.path);
    found.environment = environment;
    Ok(found)
}

/// Returns the folder of the virtual environment that an interpreter belongs to.
fn environment_of(path: &Utf8Path) -> Option<Utf8PathBuf> {
    let bin = path.parent()?;
    [bin.parent(), Some(bin)]
        .into_iter()
        .flatten()
        .find(|dir| fs::is_file(&dir.join("pyvenv.cfg")))
        .map(Utf8Path::to_owned)
}

impl Interpreter {
    /// Returns the target that this interpreter is, with its real full version.
    ///
    /// # Errors
    ///
    /// Fails for implementations and platforms that portenv does not know.
    pub fn target(&self) -> Result<Target, InterpreterError> {
        let unsupported = |detail: String| InterpreterError::Unsupported {
            path: self.path.clone(),
            detail,
        };
        if self.implementation != "cpython" {
            return Err(unsupported(format!(
                "it is {}, not CPython",
                self.implementation
            )));
        }
        let arch = match self.machine.to_ascii_lowercase().as_str() {
            "x86_64" | "amd64" => Arch::X86_64,
            "aarch64" | "arm64" => Arch::Aarch64,
            "i686" | "i386" | "x86" => Arch::I686,
            other => return Err(unsupported(format!("the processor `{other}`"))),
        };
        let numbers = |text: &str| {
            let mut parts = text.split('.').map(|part| part.parse::<u16>().unwrap_or(0));
            (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
        };
        let os = match self.platform.as_str() {
            "win32" => Os::Windows,
            "darwin" => {
                let (major, minor) = numbers(&self.mac);
                Os::MacOs(major.max(10), minor)
            }
            "linux" => match self.libc.as_slice() {
                [name, version] if name == "glibc" => {
                    let (major, minor) = numbers(version);
                    Os::Linux(major, minor)
                }
                _ => Os::Musl(1, 2),
            },
            other => return Err(unsupported(format!("the platform `{other}`"))),
        };
        let version = Version::from_str(&self.version)
            .map_err(|_| unsupported(format!("its version `{}`", self.version)))?;
        let facts = MachineFacts {
            release: self.release.clone(),
            version: self.platform_version.clone(),
            machine: Some(self.machine.clone()),
        };
        Ok(Target::new(Platform::new(os, arch), version, &facts))
    }

    /// Returns the directories that hold its distributions, each once.
    pub fn site_packages(&self) -> Vec<Utf8PathBuf> {
        let mut dirs = vec![self.purelib.clone()];
        // On Fedora and its kin they have two names, of which one is a link to the other.
        let real = |path: &Utf8Path| fs::canonical(path).unwrap_or_else(|_| path.to_owned());
        if self.platlib != self.purelib && real(&self.platlib) != real(&self.purelib) {
            dirs.push(self.platlib.clone());
        }
        dirs
    }

    /// Returns the environment's folder, else the interpreter's.
    pub fn home(&self) -> Utf8PathBuf {
        self.environment
            .clone()
            .or_else(|| self.path.parent().map(Utf8Path::to_owned))
            .unwrap_or_default()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_two_names_is_listed_once() {
        let held = tempfile::tempdir().expect("a directory");
        let dir = Utf8PathBuf::from_path_buf(held.path().to_owned()).expect("UTF-8");
        fs::create_dir_all(&dir.join("lib")).expect("lib");
        fs::create_dir_all(&dir.join("other")).expect("other");
        std::os::unix::fs::symlink("lib", dir.join("lib64")).expect("lib64");
        let asked = |platlib: &str| {
            let answer = serde_json::json!({
                "version": "3.12.1", "implementation": "cpython", "os": "posix",
                "platform": "linux", "machine": "x86_64", "release": "", "libc": [],
                "platform_version": "", "mac": "", "scripts": "", "prefix": "", "beneath": [],
                "purelib": dir.join("lib"), "platlib": dir.join(platlib), "managed": false,
            });
            let found: Interpreter = serde_json::from_value(answer).expect("an answer");
            found.site_packages()
        };
        assert_eq!(asked("lib64"), [dir.join("lib")]);
        assert_eq!(asked("other"), [dir.join("lib"), dir.join("other")]);
    }
}
