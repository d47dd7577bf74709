//! `._pth` files: the search path of an embeddable Python, as portable ComfyUI has it.
//!
//! Such a file beside the interpreter replaces the whole search path: no `PYTHONPATH`, no
//! user's packages, and without a line `import site` no `.pth` file either. What is
//! installed in a directory that it does not name is not found.

use camino::{Utf8Path, Utf8PathBuf};

use crate::host::fs;

/// What a `._pth` file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathFile {
    /// The directories and archives, as written.
    pub entries: Vec<String>,
    /// It has the line `import site`.
    pub imports_site: bool,
}

impl PathFile {
    /// Parses the file: comments and other imports count for nothing.
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.trim_start_matches('\u{feff}').lines() {
            let line = line.split('#').next().unwrap_or("").trim();
            if let Some(module) = line.strip_prefix("import ") {
                found.imports_site |= module.trim() == "site";
            } else if !line.is_empty() {
                found.entries.push(line.to_owned());
            }
        }
        found
    }

    /// Reports whether what is installed in `site`, relative to the interpreter's folder,
    /// is found: the module `site` adds the place that installers use, else it has to be
    /// named.
    pub fn finds(&self, site: &str) -> bool {
        let plain = |text: &str| {
            let text = text.replace('\\', "/").to_ascii_lowercase();
            text.trim_start_matches("./")
                .trim_end_matches('/')
                .to_owned()
        };
        let wanted = plain(site);
        self.imports_site || self.entries.iter().any(|entry| plain(entry) == wanted)
    }
}

/// Finds the `._pth` file that an interpreter obeys: one of the name of its library
/// (`python312._pth`), else of its own.
pub fn find_path_file(interpreter: &Utf8Path) -> Option<Utf8PathBuf> {
    let dir = interpreter.parent()?;
    let names = fs::find_dir(dir).ok()?;
    let is_library = |name: &&String| {
        name.strip_prefix("python")
            .and_then(|rest| rest.strip_suffix("._pth"))
            .is_some_and(|digits| {
                !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
            })
    };
    let own = format!("{}._pth", interpreter.file_stem()?);
    names
        .iter()
        .find(is_library)
        .or_else(|| names.iter().find(|name| **name == own))
        .map(|name| dir.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_official_portable_finds_its_packages() {
        let text = "../ComfyUI\r\npython312.zip\r\n.\r\n\r\n# Uncomment to run site.main()\r\nimport site\r\n";
        let file = PathFile::parse(text);
        assert_eq!(file.entries, ["../ComfyUI", "python312.zip", "."]);
        assert!(file.imports_site && file.finds("Lib\\site-packages"));
    }

    #[test]
    fn without_site_only_what_is_named_is_found() {
        let fresh = PathFile::parse("python312.zip\n.\n\n#import site\n");
        assert!(!fresh.imports_site && !fresh.finds("Lib/site-packages"));
        let named = PathFile::parse(".\nimport os\n.\\Lib\\site-packages\\\n");
        assert!(!named.imports_site && named.finds("Lib/site-packages"));
    }
}
