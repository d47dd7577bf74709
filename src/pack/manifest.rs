//! What an archive says of itself: `version.yml` for people, and the same and more for portenv.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::PackError;

/// Where the manifest lies in the archive.
pub const MANIFEST: &str = ".portenv/pack.json";
/// Where people look.
pub const VERSION_FILE: &str = "version.yml";

/// The Python of a packed installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackedPython {
    /// Its version.
    pub version: String,
    /// The interpreter that ComfyUI runs in, relative to the root.
    pub interpreter: String,
    /// The directory of the Python beneath a virtual environment, relative to the root, if it
    /// was packed too; `None` if there is none or it has to be there already.
    pub base: Option<String>,
    /// A Python of that version must be there: a virtual environment was packed without it.
    pub needs_base: bool,
}

/// What an archive says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of this file.
    pub schema: u32,
    /// What it is called.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// The portenv that packed it.
    pub portenv: String,
    /// The platform's triple.
    pub platform: String,
    /// Its Python.
    pub python: PackedPython,
    /// ComfyUI's version, if it tells.
    pub comfyui: Option<String>,
    /// ComfyUI's commit.
    pub commit: Option<String>,
    /// The digest of `pylock.toml` (SHA-256, hex).
    pub lock: Option<String>,
    /// Members beside this file and `version.yml`.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// The cleaning rules in force, and how many bytes each left out.
    pub cleaned: BTreeMap<String, u64>,
    /// Files that say where the installation lies, relative to the root.
    pub relocate: Vec<String>,
    /// Links to the Python beneath, and where they lead below its prefix.
    pub links: BTreeMap<String, String>,
    /// Directories of packages, relative to the root.
    pub packages: Vec<String>,
}

/// The form that is written.
pub const SCHEMA: u32 = 1;

impl Manifest {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// Fails if it is none, or of a newer portenv.
    pub fn parse(bytes: &[u8]) -> Result<Self, PackError> {
        let parsed: Self = serde_json::from_slice(bytes).map_err(|error| {
            PackError::Damaged(format!("`{MANIFEST}` is not understood: {error}"))
        })?;
        if parsed.schema > SCHEMA {
            return Err(PackError::Damaged(format!(
                "the archive was packed by portenv {}, and this one cannot read it",
                crate::package::artifact::printable(&parsed.portenv)
            )));
        }
        Ok(parsed)
    }

    /// Writes `version.yml`. Texts are quoted as JSON has them, which is YAML too.
    pub fn to_yaml(&self) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let or_null = |text: &Option<String>| text.as_deref().map_or("null".to_owned(), quoted);
        let mut text = String::new();
        for (key, value) in [
            ("name", quoted(&self.name)),
            ("version", quoted(&self.version)),
            ("portenv", quoted(&self.portenv)),
            ("comfyui", or_null(&self.comfyui)),
            ("commit", or_null(&self.commit)),
            ("platform", quoted(&self.platform)),
            ("python", quoted(&self.python.version)),
            ("lock", or_null(&self.lock)),
            ("files", self.files.to_string()),
            ("bytes", self.bytes.to_string()),
        ] {
            text.push_str(&format!("{key}: {value}\n"));
        }
        if self.cleaned.is_empty() {
            text.push_str("cleaned: {}\n");
        } else {
            text.push_str("cleaned:\n");
            for (rule, bytes) in &self.cleaned {
                text.push_str(&format!("  {rule}: {bytes}\n"));
            }
        }
        text
    }

    /// Returns the archive's one directory, and the first part of its file's name.
    pub fn title(&self) -> String {
        let platform = self.platform.replace("-unknown", "").replace("-pc", "");
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
        format!("{}-{}-{platform}", self.name, self.version)
            .chars()
            .map(|c| if fits(c) { c } else { '-' })
            .collect()
    }
}
