//! `explain`: what a code of `check` means. Needs no installation.

use super::error::OpError;
use crate::gate::{Code, Page};
use crate::workspace::settings::Level;

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// The code.
    pub code: Code,
    /// How it counts unless `portenv.toml` says otherwise.
    pub level: Level,
    /// Its page.
    pub page: Page,
}

/// Explains a code.
///
/// # Errors
///
/// Fails if there is no such code, or none was named.
pub fn run(code: Option<&str>) -> Result<Explanation, OpError> {
    let range = || {
        let ends = (Code::ALL.first(), Code::ALL.last());
        let word = |code: Option<&Code>| code.map_or("", |code| code.as_str());
        format!("{} to {}", word(ends.0), word(ends.1))
    };
    let Some(word) = code else {
        let message = format!("name a code of check: {}", range());
        return Err(OpError::Usage(message));
    };
    let found = Code::named(word.trim()).ok_or_else(|| {
        let message = format!("`{word}` is no code of check; these are {}", range());
        OpError::Usage(message)
    })?;
    Ok(Explanation {
        code: found,
        level: found.default_level(),
        page: found.page(),
    })
}
