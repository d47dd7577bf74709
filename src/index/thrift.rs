//! Thrift: what serves only to explain a failure is not worth a build, nor many requests.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How many requests an explanation may make.
const REQUESTS: u64 = 60;

/// Whether thrift is asked for, and what is left to spend.
#[derive(Debug, Default)]
pub(super) struct Thrift {
    on: AtomicBool,
    left: AtomicU64,
}

impl Thrift {
    /// Begins or ends thrift. What is left counts from the first time on.
    pub(super) fn set(&self, on: bool) {
        let before = self.on.swap(on, Ordering::Relaxed);
        if on && !before {
            self.left.store(REQUESTS, Ordering::Relaxed);
        }
    }

    /// Reports whether nothing may be built.
    pub(super) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Takes one request of what is left; `false` if there is none.
    pub(super) fn may_ask(&self) -> bool {
        let take = |left: u64| left.checked_sub(1);
        !self.is_on()
            || self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok()
    }
}
