//! The installation's Python environment: made for real, changed and read behind portenv's back.

use std::{collections::BTreeMap, fs};

use camino::Utf8PathBuf;

use super::{Sandbox, tools};
use crate::support::{Artifact, normalised, sha256};

impl Sandbox {
    /// Makes `.venv` in the installation, empty: pip in it would be one more thing that differs
    /// between machines.
    pub(crate) fn venv(&self) -> Utf8PathBuf {
        let venv = self.root.join(".venv");
        let mut command = self.program(tools::base_python());
        command.args(["-m", "venv", "--without-pip", venv.as_str()]);
        tools::printed(command);
        venv
    }

    /// Runs code in the environment and returns what it printed, without the last line break.
    ///
    /// # Panics
    ///
    /// Panics if Python fails, as it does when an import fails.
    #[track_caller]
    pub(crate) fn python(&self, code: &str) -> String {
        // -B: a `__pycache__` left by a test is a file that no RECORD names.
        let mut command = self.program(self.venv_python().as_str());
        command
            .current_dir(&self.dir)
            .args(["-I", "-B", "-c", code]);
        tools::printed(command)
    }

    /// Installs a file with uv alone, as a user does who knows nothing of portenv.
    ///
    /// It replaces the same version too, which is drift that versions alone do not show.
    #[track_caller]
    pub(crate) fn install_behind_its_back(&self, artifact: &Artifact) {
        let file = self.save(artifact);
        let python = self.venv_python();
        let mut command = self.program(tools::uv().as_str());
        command.current_dir(&self.dir).args([
            "pip",
            "install",
            "--no-config",
            "--no-index",
            "--no-deps",
            "--reinstall",
            "--python",
            python.as_str(),
            file.as_str(),
        ]);
        tools::printed(command);
    }

    /// Removes a package with uv alone.
    #[track_caller]
    pub(crate) fn uninstall_behind_its_back(&self, name: &str) {
        let python = self.venv_python();
        let mut command = self.program(tools::uv().as_str());
        command.current_dir(&self.dir).args([
            "pip",
            "uninstall",
            "--no-config",
            "--python",
            python.as_str(),
            name,
        ]);
        tools::printed(command);
    }

    /// Returns normalised names and versions, read from the disk and not asked of any tool.
    pub(crate) fn installed(&self) -> BTreeMap<String, String> {
        let digests = self.installed_digests().into_iter();
        digests
            .map(|(name, (version, _))| (name, version))
            .collect()
    }

    /// Returns version and digest of RECORD by name: equal maps mean equal files, since RECORD
    /// holds their hashes. The digest is empty where RECORD is missing.
    pub(crate) fn installed_digests(&self) -> BTreeMap<String, (String, String)> {
        let entries = self.site_packages().read_dir_utf8().unwrap();
        let mut found = BTreeMap::new();
        for info in entries.map(|entry| entry.unwrap().into_path()) {
            let Some(stem) = info
                .file_name()
                .and_then(|name| name.strip_suffix(".dist-info"))
            else {
                continue;
            };
            // The directory's name, and not METADATA, which a broken environment may lack.
            let (name, version) = stem.split_once('-').unwrap_or((stem, ""));
            let record = fs::read(info.join("RECORD")).map(|bytes| sha256(&bytes));
            let value = (version.to_owned(), record.unwrap_or_default());
            let twice = found.insert(normalised(name), value);
            assert!(
                twice.is_none(),
                "{name} is installed twice: {twice:?} and {stem}"
            );
        }
        found
    }

    /// Returns the directory that packages are in.
    pub(crate) fn site_packages(&self) -> Utf8PathBuf {
        let venv = self.root.join(".venv");
        if cfg!(windows) {
            return venv.join("Lib/site-packages");
        }
        let mut entries = venv.join("lib").read_dir_utf8().unwrap();
        let version = entries
            .next()
            .expect("a venv has one lib/pythonX.Y")
            .unwrap();
        version.path().join("site-packages")
    }

    /// Returns the environment's interpreter.
    pub(crate) fn venv_python(&self) -> Utf8PathBuf {
        tools::in_venv(&self.root.join(".venv"), "python")
    }
}
