//! Findings with codes, for the gate that CI relies on.
//!
//! Never: asks a network or an environment itself.

pub mod abi;
pub mod advisories;
pub mod codes;
pub mod pages;
pub mod policies;
pub mod violations;

pub use advisories::{Advisory, parse_advisories};
pub use codes::{Code, Finding};
pub use pages::Page;
pub use violations::{find_unmet, find_violations};
