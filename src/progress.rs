//! What long work tells its watcher, and how it is asked to stop.
//!
//! Never: prints. Bars live at the edge, in `cli/bars.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Hears about long work. Every method does nothing unless overridden.
pub trait Progress: Send + Sync {
    /// A step begins; `total` is its length in units if that is known.
    fn begin(&self, _what: &str, _total: Option<u64>) {}
    /// The same for a step that counts something: packages, pages.
    fn count(&self, what: &str, total: Option<u64>, _unit: &'static str) {
        self.begin(what, total);
    }
    /// The present step has come `done` units far; `note` names the thing at hand.
    fn at(&self, _done: u64, _note: &str) {}
    /// The present step is over.
    fn end(&self) {}
    /// A line that a foreign program said while the present step ran it.
    fn said(&self, _text: &str) {}
    /// Something that a person should know, whatever comes of the work.
    fn warning(&self, _text: &str) {}
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}

/// One flag that asks all work to stop at the next safe point.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks for the stop.
    pub fn request(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Takes the request back: it was obeyed, and what follows puts things back.
    pub fn withdraw(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// Reports whether the stop was asked for.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
