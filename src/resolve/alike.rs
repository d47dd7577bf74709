//! What targets share: parsed markers, and whole solves where all comes out alike.

use std::cell::RefCell;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::world::World;
use crate::package::requirement::split;
use crate::package::{Extra, Marker, Target};

/// Markers by their text, for all targets; `None` cannot be read.
#[derive(Debug, Default)]
pub struct ParsedMarkers(RefCell<FxHashMap<String, Option<Rc<Marker>>>>);

impl ParsedMarkers {
    /// Parses a marker, once.
    pub fn get(&self, text: &str) -> Option<Rc<Marker>> {
        if let Some(known) = self.0.borrow().get(text) {
            return known.clone();
        }
        let parsed = Marker::parse(text).ok().map(Rc::new);
        self.0.borrow_mut().insert(text.to_owned(), parsed.clone());
        parsed
    }
}

impl World<'_> {
    /// Takes what was parsed for other targets, and leaves there what it parses.
    #[must_use]
    pub fn sharing(mut self, parsed: &Rc<ParsedMarkers>) -> Self {
        self.parsed = Rc::clone(parsed);
        self
    }

    /// Reports whether all that was asked of this world so far comes out alike on
    /// another target, so that a solve there would go the same way. Only where
    /// wheel tags are not judged.
    pub fn judges_alike(&self, other: &Target) -> bool {
        // What an address leads to is judged by its own metadata.
        if !self.target.takes_any_wheel() || !other.takes_any_wheel() || !self.urls.is_empty() {
            return false;
        }
        let (here, there) = (self.target.environment(), other.environment());
        let alike = |marker: &Marker, extras: &[Extra]| {
            marker.holds_with(here, extras) == marker.holds_with(there, extras)
        };
        let mut lines = self.lines.iter();
        if !lines.all(|line| alike(&line.requirement.marker, &[])) {
            return false;
        }
        for deps in self.deps.borrow().values() {
            let Ok(deps) = deps else { continue };
            let extras: Vec<[Extra; 1]> = deps
                .extras
                .borrow()
                .keys()
                .map(|&extra| [self.extra(extra)])
                .collect();
            for text in &deps.metadata().requires_dist {
                let Ok(parts) = split(text) else { continue };
                if parts.marker.is_empty() {
                    continue;
                }
                let Some(marker) = self.parsed.get(parts.marker) else {
                    continue;
                };
                let mut wanted = extras.iter();
                if !alike(&marker, &[]) || !wanted.all(|extra| alike(&marker, extra)) {
                    return false;
                }
            }
        }
        let candidates = self.candidates.borrow();
        let mut pages = candidates.values().flatten();
        pages.all(|candidates| candidates.judges_alike(other))
    }
}
