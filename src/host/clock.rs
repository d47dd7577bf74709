//! The time, passed in so that tests and re-runs can fix it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Tells the time, either the machine's or one that steps by a second a question.
/// Copies of one tell the time together.
#[derive(Debug, Clone)]
pub struct Clock {
    fixed: Option<Arc<AtomicI64>>,
}

impl Clock {
    /// Returns the machine's clock.
    pub fn system() -> Self {
        Self { fixed: None }
    }

    /// Returns a clock that starts at `start` and moves one second per question,
    /// so that two records of one run never share a time.
    pub fn stepped(start: Timestamp) -> Self {
        Self {
            fixed: Some(Arc::new(AtomicI64::new(start.as_second()))),
        }
    }

    /// Returns the present time, in whole seconds (what files and the database keep).
    pub fn now(&self) -> Timestamp {
        let second = match &self.fixed {
            Some(next) => next.fetch_add(1, Ordering::Relaxed),
            None => Timestamp::now().as_second(),
        };
        Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}
