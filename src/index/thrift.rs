//! Thrift: what serves only to explain a failure is not worth a build, nor many requests.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// How many requests an explanation may make.
const TO_EXPLAIN: u64 = 60;
/// How many requests may be made to find ways out.
const TO_FIND_WAYS: u64 = 1_000;

/// What it is that something is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    /// An answer, whatever that takes.
    #[default]
    Answer,
    /// To say why there is none: nothing is built, and hardly anything requested.
    Explanation,
    /// Ways to have one after all: nothing is built, and nothing requested after a moment.
    WaysOut {
        /// The moment.
        until: Instant,
    },
}

/// What it is that is asked for now, and how many requests are left for that.
#[derive(Debug, Default)]
pub(super) struct Thrift(Mutex<(Purpose, u64)>);

impl Thrift {
    /// Begins another purpose. What is left counts from there on.
    pub(super) fn set(&self, purpose: Purpose) {
        let left = match purpose {
            Purpose::Answer => 0,
            Purpose::Explanation => TO_EXPLAIN,
            Purpose::WaysOut { .. } => TO_FIND_WAYS,
        };
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.0 != purpose {
            *state = (purpose, left);
        }
    }

    fn purpose(&self) -> Purpose {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Reports whether nothing may be built.
    pub(super) fn is_on(&self) -> bool {
        self.purpose() != Purpose::Answer
    }

    /// Reports whether something may be requested before it is needed.
    pub(super) fn may_guess(&self) -> bool {
        match self.purpose() {
            Purpose::Answer => true,
            Purpose::Explanation => false,
            Purpose::WaysOut { .. } => self.may_ask(),
        }
    }

    /// Takes one request of what is left; `false` if there is none.
    pub(super) fn may_ask(&self) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (purpose, left) = &mut *state;
        let is_late = matches!(purpose, Purpose::WaysOut { until } if Instant::now() > *until);
        if *purpose == Purpose::Answer {
            return true;
        }
        let may = *left > 0 && !is_late;
        *left = left.saturating_sub(1);
        may
    }
}
