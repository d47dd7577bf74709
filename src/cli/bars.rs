//! Progress on a terminal; silent elsewhere.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::document::progress::{ProgressDocument, ProgressWord};
use super::screen::Screen;
use crate::progress::Progress;

/// A spinner or bar on stderr, shown only if a step takes a while.
#[derive(Debug, Default)]
pub struct Bars {
    bar: Mutex<Option<ProgressBar>>,
    told: Mutex<Vec<String>>,
    screen: Option<Screen>,
}

impl Bars {
    /// Makes one that writes warnings to the screen.
    pub fn on(screen: Screen) -> Self {
        Self {
            screen: Some(screen),
            ..Self::default()
        }
    }
}

impl Progress for Bars {
    fn begin(&self, what: &str, total: Option<u64>) {
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::new_spinner(),
        };
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let template = if total.is_some() {
            "{spinner} {prefix} {pos}/{len} {wide_msg}"
        } else {
            "{spinner} {prefix} {wide_msg}"
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    fn count(&self, what: &str, total: Option<u64>, unit: &'static str) {
        self.begin(what, total);
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        if unit == "bytes"
            && total.is_some()
            && let Some(bar) = &*bar
            && let Ok(style) =
                ProgressStyle::with_template("{spinner} {prefix} {bytes}/{total_bytes} {wide_msg}")
        {
            bar.set_style(style);
        }
    }

    fn at(&self, done: u64, note: &str) {
        if let Some(bar) = &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            if bar.length().is_some() {
                bar.set_position(done);
            }
            // Where the end is not known, how much has come says that it goes on.
            bar.set_message(match bar.length() {
                None if done > 0 => format!("({done}) {note}"),
                _ => note.to_owned(),
            });
        }
    }

    fn end(&self) {
        if let Some(bar) = self
            .bar
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            bar.finish_and_clear();
        }
    }

    fn said(&self, text: &str) {
        let Some(screen) = &self.screen else {
            return;
        };
        let line = format!("  | {text}");
        match &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bar) => bar.suspend(|| screen.note(&line)),
            None => screen.note(&line),
        }
    }

    fn warning(&self, text: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        // A command may look at the installation more than once.
        if let Some(screen) = &self.screen
            && !told.iter().any(|known| known == text)
        {
            screen.warning(text);
            told.push(text.to_owned());
        }
    }
}

/// Progress as JSON lines on stderr, for programs.
#[derive(Debug, Default)]
pub struct JsonLines {
    step: Mutex<(String, Option<u64>, Option<&'static str>)>,
}

impl JsonLines {
    fn write(&self, event: ProgressWord, done: Option<u64>, note: Option<&str>) {
        // Held until the line is out, so that events of several threads stand in order.
        let step = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        let (what, total, unit) = &*step;
        let line = ProgressDocument::new(event, what, done, *total, *unit, note).line();
        // One call, or a line of another process may come between its parts.
        let _ = io::stderr().lock().write_all(line.as_bytes());
    }

    fn set(&self, what: &str, total: Option<u64>, unit: Option<&'static str>) {
        let mut step = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        *step = (what.to_owned(), total, unit);
    }
}

impl Progress for JsonLines {
    fn begin(&self, what: &str, total: Option<u64>) {
        self.set(what, total, None);
        self.write(ProgressWord::Begin, None, None);
    }

    fn count(&self, what: &str, total: Option<u64>, unit: &'static str) {
        self.set(what, total, Some(unit));
        self.write(ProgressWord::Begin, Some(0), None);
    }

    fn at(&self, done: u64, note: &str) {
        self.write(ProgressWord::At, Some(done), Some(note));
    }

    fn end(&self) {
        self.write(ProgressWord::End, None, None);
    }

    fn said(&self, text: &str) {
        self.write(ProgressWord::At, None, Some(text));
    }

    fn warning(&self, text: &str) {
        self.write(ProgressWord::Warning, None, Some(text));
    }
}
