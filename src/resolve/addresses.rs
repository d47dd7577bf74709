//! Names that have one address: a line says where the package comes from.

use super::world::{Broken, World};
use crate::index::{Direct, IndexError};
use crate::package::{Metadata, Range, Specifiers};

impl World<'_> {
    /// An index tells requires-python on its page; what has an address has no page.
    pub(super) fn check_python(&self, number: u32, metadata: &Metadata) -> Result<(), Broken> {
        let Some(text) = &metadata.requires_python else {
            return Ok(());
        };
        let admits = Specifiers::parse(&text.replace(".*", ""))
            .map_or(true, |python| python.admits_python(&self.target.python));
        if admits || !self.urls.contains_key(&number) {
            return Ok(());
        }
        let text = crate::package::artifact::printable(text);
        Err(format!("it needs Python {text}"))
    }

    /// Reports whether an address means the same place as the one that a line gives to
    /// the name.
    pub fn has_address(&self, number: u32, url: Option<&str>) -> bool {
        match (self.urls.get(&number), url) {
            (Some((known, _)), Some(url)) => same_place(known, url),
            _ => false,
        }
    }

    /// Reports whether a line gives an address to a name.
    pub fn has_url(&self, number: u32) -> bool {
        !self.urls.is_empty() && self.urls.contains_key(&number)
    }

    /// Gives the names that artifacts with an address ask for by address theirs.
    ///
    /// As in uv, only what a line names by address may name others so: a package of an
    /// index cannot bring an address of its own. Such artifacts are the only candidates
    /// of their names, so what they ask for is known before anything is decided.
    ///
    /// # Errors
    ///
    /// Fails if the world could not be asked.
    pub fn follow_addresses(&mut self) -> Result<(), IndexError> {
        let mut open: Vec<u32> = self.urls.keys().copied().collect();
        open.sort_unstable_by_key(|&number| self.name(number));
        while let Some(number) = open.pop() {
            let Some((parent, line)) = self.url_of(number) else {
                continue;
            };
            let Some(candidates) = self.candidates(number)? else {
                continue;
            };
            let Some(version) = candidates.choose(&Range::full()) else {
                continue;
            };
            let Ok(deps) = self.deps(number, &version)? else {
                continue;
            };
            let name = self.name(number);
            let mut wanted: Vec<u32> = Vec::new();
            for &at in self.order.iter().filter(|&&at| self.is_active(at)) {
                let line = &self.lines[at as usize];
                if line.requirement.name != name {
                    continue;
                }
                let extras = line.requirement.extras.iter();
                wanted.extend(extras.map(|extra| self.extra_number(extra)));
            }
            let mut all = deps.base.clone();
            for extra in wanted {
                if let Ok(more) = self.extra_deps(&deps, extra) {
                    all.extend(more.iter().cloned());
                }
            }
            for dep in all {
                // What lies elsewhere has no say about what is read here.
                if let Some(url) = dep.url
                    && (!is_local(&url) || is_local(&parent))
                    && !self.urls.contains_key(&dep.name)
                    && !self.overrides.contains_key(&dep.name)
                {
                    self.urls.insert(dep.name, (url, line));
                    self.candidates.borrow_mut().remove(&dep.name);
                    open.push(dep.name);
                }
            }
        }
        Ok(())
    }

    /// Returns what a name's address led to, or why it cannot be used.
    pub fn direct_of(&self, number: u32) -> Option<Result<Direct, Broken>> {
        self.directs.borrow().get(&number).cloned()
    }

    /// Returns the address that a line gives to a name, and the line.
    pub fn url_of(&self, number: u32) -> Option<(String, u32)> {
        self.urls.get(&number).cloned()
    }
}

/// Reports whether an address means something on this machine.
fn is_local(url: &str) -> bool {
    !url.contains("://") || url.starts_with("file:") || url.starts_with("git+file:")
}

/// Reports whether two addresses mean one place: an `egg` is only a name, and a
/// repository may be written with `.git` or without.
pub(super) fn same_place(first: &str, second: &str) -> bool {
    let plain = |text: &str| {
        let (address, fragment) = text.split_once('#').unwrap_or((text, ""));
        let fragment: Vec<&str> = fragment
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.starts_with("egg="))
            .collect();
        let mut address = address.trim_end_matches('/').to_owned();
        if address.starts_with("git+") {
            address = address.replacen(".git@", "@", 1);
            address.truncate(address.trim_end_matches(".git").len());
        }
        format!("{address}#{}", fragment.join("&"))
    };
    first == second || plain(first) == plain(second)
}
