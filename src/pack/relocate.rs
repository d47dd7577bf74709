//! Paths in files that name where the installation lies: hidden when it is packed, shown again
//! where it is unpacked.
//!
//! A packed file says a token in place of the path, so that two packs of one installation are
//! equal wherever it lay, and no archive tells of its maker's home. A path stands in files in
//! several spellings; each has its token.

use memchr::memmem;

use crate::package::artifact::without_credentials;

/// A spelling of a path, and the token that stands for it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Spelling {
    token: String,
    text: String,
}

/// A directory whose path is hidden and shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    spellings: Vec<Spelling>,
}

impl Place {
    /// Makes one: `word` tells it from others, `path` is where it lies.
    pub fn new(word: &str, path: &str) -> Self {
        let slashed = path.replace('\\', "/");
        let url = format!(
            "file://{}{}",
            if slashed.starts_with('/') { "" } else { "/" },
            percent_encoded(&slashed)
        );
        let all = [
            ("url", url),
            ("escaped", path.replace('\\', "\\\\")),
            ("native", path.to_owned()),
            ("slashed", slashed),
        ];
        let mut spellings: Vec<Spelling> = Vec::new();
        for (kind, text) in all {
            // On most systems three of the four are one; the first that says it serves.
            spellings.push(Spelling {
                token: format!("/__portenv_{word}_{kind}__"),
                text,
            });
        }
        Self { spellings }
    }

    /// Replaces the path by tokens; `None` if it is not there.
    pub fn hide(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let pairs = self.spellings.iter();
        replaced(
            bytes,
            pairs.map(|one| (one.text.as_bytes(), one.token.as_bytes())),
            true,
        )
    }

    /// Replaces tokens by the path; `None` if there are none.
    pub fn show(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let pairs = self.spellings.iter();
        replaced(
            bytes,
            pairs.map(|one| (one.token.as_bytes(), one.text.as_bytes())),
            false,
        )
    }
}

/// Replaces in turn; with `whole`, only where the found text is not the beginning of a longer
/// name: `/home/me/Comfy` is not in `/home/me/ComfyUI`.
fn replaced<'a>(
    bytes: &[u8],
    pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    whole: bool,
) -> Option<Vec<u8>> {
    let mut changed = None;
    for (from, to) in pairs.filter(|(from, _)| !from.is_empty()) {
        let text: &[u8] = changed.as_deref().unwrap_or(bytes);
        let mut next = Vec::new();
        let mut done = 0;
        for at in memmem::find_iter(text, from) {
            let end = at + from.len();
            let goes_on = text.get(end).is_some_and(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
            });
            if at < done || (whole && goes_on) {
                continue;
            }
            next.extend_from_slice(&text[done..at]);
            next.extend_from_slice(to);
            done = end;
        }
        if done > 0 {
            next.extend_from_slice(&text[done..]);
            changed = Some(next);
        }
    }
    changed
}

/// Encodes a path as it stands in a `file:` address (RFC 8089).
fn percent_encoded(path: &str) -> String {
    let mut text = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/:".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// Reports whether a file may hold credentials that are of no use to anyone else.
pub fn may_hold_credentials(zone: super::rules::Zone, path: &str) -> bool {
    use super::rules::Zone;
    let of_git = matches!(zone, Zone::Core | Zone::Node) && path == ".git/config";
    of_git || path == "portenv.toml"
}

/// Takes credentials out of a file of settings: those in addresses, and git's headers. `None` if
/// there are none.
pub fn without_secrets(text: &str) -> Option<String> {
    let mut bare = String::new();
    for line in text.split_inclusive('\n') {
        // `http.extraHeader` is how services hand git a token.
        if line
            .trim_start()
            .to_ascii_lowercase()
            .starts_with("extraheader")
        {
            continue;
        }
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | '[' | ']');
        for word in line.split_inclusive(ends) {
            let inner = word.trim_end_matches(ends);
            let rest = &word[inner.len()..];
            if inner.contains("://") {
                bare.push_str(&without_credentials(inner));
            } else {
                bare.push_str(inner);
            }
            bare.push_str(rest);
        }
    }
    (bare != text).then_some(bare)
}

/// Reports whether a file may say where the installation lies; `path` is relative to the
/// environment or to its packages.
pub fn may_tell(zone: super::rules::Zone, path: &str, size: u64) -> bool {
    use super::rules::Zone;
    if size > 1 << 20 {
        return false;
    }
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    match zone {
        Zone::Prefix => matches!(dir, "bin" | "Scripts") || name == "pyvenv.cfg",
        Zone::Packages => {
            let top = dir.is_empty();
            let of_top = [".pth", ".egg-link"]
                .iter()
                .any(|ending| name.ends_with(ending))
                || name.starts_with("__editable__");
            (top && of_top) || (dir.ends_with(".dist-info") && name == "direct_url.json")
        }
        // A worktree's `.git` is a file that names its repository.
        Zone::Core | Zone::Node => path == ".git",
        Zone::Library | Zone::Other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_here_is_shown_there_in_every_spelling() {
        let here = Place::new("root", "/home/me/My ComfyUI");
        let there = Place::new("root", "/srv/x");
        let text = b"#!/home/me/My ComfyUI/bin/python\n\"file:///home/me/My%20ComfyUI/a\"\n/home/me/My ComfyUI2/b";
        let hidden = here.hide(text).expect("it names the place");
        assert_eq!(memmem::find_iter(&hidden, "/home/me/My ComfyUI").count(), 1);
        let shown = there.show(&hidden).expect("it has tokens");
        assert_eq!(
            shown,
            b"#!/srv/x/bin/python\n\"file:///srv/x/a\"\n/home/me/My ComfyUI2/b"
        );
        assert_eq!(here.show(&hidden).expect("it has tokens"), text);
        assert_eq!(here.hide(b"/usr/bin/python"), None);
    }

    #[test]
    fn credentials_are_taken_out_of_settings_and_nothing_else() {
        let text = "[remote \"origin\"]\n\turl = https://me:token@host/x.git\n\tfetch = a\n\
                    [http]\n\textraHeader = Authorization: basic abc\n";
        assert_eq!(
            without_secrets(text).as_deref(),
            Some("[remote \"origin\"]\n\turl = https://host/x.git\n\tfetch = a\n[http]\n")
        );
        assert_eq!(
            without_secrets("url = \"https://u:p@host/simple\" # why\n").as_deref(),
            Some("url = \"https://host/simple\" # why\n")
        );
        assert_eq!(without_secrets("url = \"https://host/simple\"\n"), None);
        assert_eq!(without_secrets("url = git@host:me/x.git\n"), None);
    }

    #[test]
    fn a_path_of_windows_keeps_its_backslashes_and_how_often_they_are_doubled() {
        let here = Place::new("root", r"C:\Comfy");
        let there = Place::new("root", r"D:\New\C");
        let text =
            br#"{"a": "C:\\Comfy\\x", "b": "C:/Comfy/x", "c": "file:///C:/Comfy/x"} C:\Comfy\x"#;
        let shown = there
            .show(&here.hide(text).expect("named"))
            .expect("tokens");
        assert_eq!(
            String::from_utf8_lossy(&shown),
            r#"{"a": "D:\\New\\C\\x", "b": "D:/New/C/x", "c": "file:///D:/New/C/x"} D:\New\C\x"#
        );
    }
}
