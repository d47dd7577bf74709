//! Small source distributions, made in memory.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

use super::{
    artifact::{Artifact, Core, escaped, normalised, sha256},
    wheel::Wheel,
};

/// A backend that builds by unpacking nothing and fetching nothing: it hands out the wheel that
/// lies beside it. It leaves `built-<project>` in the home, the proof that foreign code ran.
const BACKEND: &str = r#"import os, pathlib, shutil

HERE = pathlib.Path(__file__).parent


def get_requires_for_build_wheel(config_settings=None):
    return []


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    pathlib.Path(os.environ["HOME"], "built-@PROJECT@").touch()
    [wheel] = (HERE / "prebuilt").glob("*.whl")
    shutil.copy(wheel, wheel_directory)
    return wheel.name
"#;

/// Builds a `.tar.gz` with PKG-INFO; what else it holds decides how its metadata can be had.
#[derive(Clone, Debug)]
pub(crate) struct Sdist {
    core: Core,
    files: Vec<(String, Vec<u8>)>,
    strays: Vec<Stray>,
    buildable: bool,
}

/// A member that no honest archive has, its path as it stands in the archive.
#[derive(Clone, Debug)]
enum Stray {
    File(String, Vec<u8>),
    Link(String, String),
}

impl Sdist {
    /// Starts with PKG-INFO 2.2, from which dependencies may be read without a build (PEP 643).
    pub(crate) fn new(name: &str, version: &str) -> Self {
        Self {
            core: Core::new(name, version, "2.2"),
            files: Vec::new(),
            strays: Vec::new(),
            buildable: false,
        }
    }

    /// Adds a member at this very path, outside of the top directory too.
    pub(crate) fn stray(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        let stray = Stray::File(path.into(), content.as_ref().to_vec());
        self.strays.push(stray);
        self
    }

    /// Adds a symbolic link at this very path.
    pub(crate) fn link(mut self, path: &str, target: &str) -> Self {
        self.strays.push(Stray::Link(path.into(), target.into()));
        self
    }

    /// Sets the version of PKG-INFO; before 2.2 its dependencies are not to be trusted.
    pub(crate) fn pkg_info_version(mut self, version: &str) -> Self {
        self.core.metadata_version = version.into();
        self
    }

    /// Adds a `Requires-Dist` to PKG-INFO.
    pub(crate) fn requires(mut self, requirement: &str) -> Self {
        self.core.requires.push(requirement.into());
        self
    }

    /// Sets `Requires-Python`, in PKG-INFO and on the index page.
    pub(crate) fn requires_python(mut self, specifier: &str) -> Self {
        self.core.requires_python = Some(specifier.into());
        self
    }

    /// Declares a field that only a build can tell, usually `Requires-Dist`.
    pub(crate) fn dynamic(mut self, field: &str) -> Self {
        self.core.dynamic.push(field.into());
        self
    }

    /// Adds `pyproject.toml`.
    pub(crate) fn pyproject(self, text: &str) -> Self {
        self.file("pyproject.toml", text)
    }

    /// Adds the `requires.txt` of setuptools: old evidence of dependencies, in its own format.
    pub(crate) fn egg_requires(self, text: &str) -> Self {
        let path = format!("{}.egg-info/requires.txt", escaped(&self.core.name));
        self.file(&path, text)
    }

    /// Adds a member below the one top directory.
    pub(crate) fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.files.push((path.into(), content.as_ref().to_vec()));
        self
    }

    /// Brings a build backend along that needs nothing from an index, so a real build works offline.
    ///
    /// A build leaves `built-<project>` in the home directory of whoever ran it.
    pub(crate) fn buildable(mut self) -> Self {
        self.buildable = true;
        self
    }

    /// Builds the file.
    pub(crate) fn build(mut self) -> Artifact {
        if self.buildable {
            self = self.with_backend();
        }
        let stem = format!("{}-{}", escaped(&self.core.name), self.core.version);
        let metadata = self.core.text();
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        let pkg_info = ("PKG-INFO".to_owned(), metadata.clone().into_bytes());
        for (path, content) in std::iter::once(&pkg_info).chain(&self.files) {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(0);
            tar.append_data(&mut header, format!("{stem}/{path}"), content.as_slice())
                .unwrap();
        }
        for stray in &self.strays {
            append_stray(&mut tar, stray);
        }
        let mut gzip = tar.into_inner().unwrap();
        gzip.flush().unwrap();
        let bytes = gzip.finish().unwrap();
        Artifact {
            project: normalised(&self.core.name),
            filename: format!("{stem}.tar.gz"),
            sha256: sha256(&bytes),
            bytes,
            metadata,
            requires_python: self.core.requires_python,
        }
    }

    fn with_backend(self) -> Self {
        let core = self.core.clone();
        let mut wheel = Wheel::new(&core.name, &core.version);
        for requirement in &core.requires {
            wheel = wheel.requires(requirement);
        }
        if let Some(specifier) = &core.requires_python {
            wheel = wheel.requires_python(specifier);
        }
        let wheel = wheel.build();
        let backend = BACKEND.replace("@PROJECT@", &wheel.project);
        self.pyproject(
            "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n",
        )
        .file("backend.py", backend)
        .file(&format!("prebuilt/{}", wheel.filename), &wheel.bytes)
    }
}

/// Writes the path past the tar crate's checks.
fn append_stray(tar: &mut tar::Builder<impl Write>, stray: &Stray) {
    let mut header = tar::Header::new_ustar();
    let (path, content) = match stray {
        Stray::File(path, content) => (path, content.as_slice()),
        Stray::Link(path, target) => {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_link_name_literal(target).unwrap();
            (path, &[][..])
        }
    };
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_cksum();
    tar.append(&header, content).unwrap();
}
