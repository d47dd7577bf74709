//! Failures.

use schemars::JsonSchema;
use serde::Serialize;

use super::ErrorCode;
use crate::cli::failure::Failure;
use crate::requirements::Origin;

/// Why a command could not do its work.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FailureDocument {
    /// Always `error`.
    pub status: FailureWord,
    /// What went wrong.
    pub error: ErrorDocument,
    /// The plan that needs a yes; only there with `confirm`.
    #[schemars(regex(pattern = r"^[0-9a-f]{16}$"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
}

/// The one word of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FailureWord {
    /// It failed.
    Error,
}

/// What went wrong.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub struct ErrorDocument {
    /// The word for programs; it says the exit code too.
    pub code: ErrorCode,
    /// What went wrong, in words.
    pub message: String,
    /// Where.
    pub origin: Option<Origin>,
}

impl From<&Failure> for FailureDocument {
    fn from(failure: &Failure) -> Self {
        Self {
            status: FailureWord::Error,
            error: ErrorDocument {
                code: failure.code,
                message: crate::package::artifact::printable(&failure.message),
                origin: failure.origin.clone(),
            },
            plan: failure.plan.clone(),
        }
    }
}
