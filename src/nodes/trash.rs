//! `.portenv/trash`: node directories that a change took out, never deleted by one.

use camino::Utf8Path;

use crate::host::fs;
use crate::workspace::content::content_of;
use crate::workspace::node::{Node, read_node};

/// Returns a place in the trash for a node; the same name twice is fine.
pub fn free_place(trash: &Utf8Path, name: &str, stamp: &str) -> String {
    let stamp: String = stamp.chars().filter(char::is_ascii_alphanumeric).collect();
    let mut place = format!("{stamp}-{name}");
    let mut n = 2;
    while fs::exists(&trash.join(&place)) {
        place = format!("{stamp}-{n}-{name}");
        n += 1;
    }
    place
}

/// Finds what was thrown away of a node: the newest of the name with the same commit and
/// the same changed files or, for nodes without history, code; where no content was recorded,
/// the newest of the name.
pub fn find(trash: &Utf8Path, wanted: &Node) -> Option<String> {
    let file_name = wanted.dir.rsplit('/').next().unwrap_or(&wanted.dir);
    let mut names = fs::find_dir(trash).unwrap_or_default();
    names.sort_unstable_by(|a, b| b.cmp(a));
    names.into_iter().find(|name| {
        let Some((_, bare)) = name.split_once('-') else {
            return false;
        };
        let bare = bare
            .split_once('-')
            .filter(|(n, _)| n.parse::<u32>().is_ok())
            .map_or(bare, |(_, rest)| rest);
        if bare != file_name {
            return false;
        }
        let found = read_node(trash, &trash.join(name), wanted.enabled, false);
        found.is_some_and(|found| {
            let is_at = wanted.commit.is_none() || found.commit == wanted.commit;
            let path = trash.join(name);
            let is_content =
                || wanted.content.is_none() || content_of(&found, &path) == wanted.content;
            found.kind == wanted.kind && is_at && found.dirty == wanted.dirty && is_content()
        })
    })
}
