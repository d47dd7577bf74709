//! What a code of `check` means.

use schemars::JsonSchema;
use serde::Serialize;

use crate::ops::explain::Explanation;
use crate::workspace::settings::Level;

/// What a code of `check` means.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ExplainDocument {
    /// The code.
    #[schemars(regex(pattern = r"^PE[0-9]{3}$"))]
    pub code: &'static str,
    /// A few words.
    pub title: &'static str,
    /// How it counts unless `portenv.toml` says otherwise: `error` or `warn`.
    #[schemars(extend("enum" = ["error", "warn"]))]
    pub level: &'static str,
    /// What was found.
    pub meaning: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do about it.
    pub mend: &'static str,
    /// What switches it off, for `portenv.toml`.
    pub switch: String,
}

impl From<&Explanation> for ExplainDocument {
    fn from(found: &Explanation) -> Self {
        let code = found.code.as_str();
        Self {
            code,
            title: found.page.title,
            level: match found.level {
                Level::Error => "error",
                Level::Warn | Level::Off => "warn",
            },
            meaning: found.page.meaning,
            why: found.page.why,
            mend: found.page.mend,
            switch: format!("[check]\n{code} = \"off\"\n"),
        }
    }
}
