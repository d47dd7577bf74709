//! From everything that is asked to one answer per target, or to a proof that
//! there is none.
//!
//! [`provider`] shows our world to PubGrub, [`candidates`] says which version and
//! file come first, [`preferences`] keeps what is there, [`targets`] makes one
//! answer of several ([`align`], [`alike`], [`answer`],
//! [`merge`], [`markers`]), [`conflict`] turns a failed search into requirement
//! lines with their places, [`holds`] finds those that keep a package from a version, and
//! [`subset`] the most nodes that can live together.
//!
//! Never: reads a lock or a file, prints, or asks the network but through
//! [`Index`](crate::index::Index).

mod addresses;
pub mod align;
pub mod alike;
pub mod alternatives;
pub mod answer;
pub mod candidates;
pub mod conflict;
pub mod cover;
pub mod explain;
pub mod families;
pub mod holds;
mod involved;
mod keep;
pub mod markers;
pub mod merge;
pub mod options;
pub mod preferences;
pub mod provider;
pub mod resolution;
pub mod scout;
pub mod solve;
pub mod subset;
pub mod targets;
mod trials;
pub mod unfixed;
mod waived;
pub mod world;

pub use alternatives::{Alternatives, Versions, with_alternatives};
pub use candidates::{Choice, Unfit};
pub use conflict::{Conflict, CoreLine, Edit, Step, Suggestion, SuggestionKind};
pub use holds::{Holds, Question, find_holds};
pub use options::{NamesOrAll, Options};
pub use preferences::{Kept, Preferences};
pub use resolution::{Dependency, Package, RequiredBy, Resolution, Warning};
pub use subset::{LargestSubset, LeftOut, Member, SubsetTask, Verdict, find_largest_subset};
pub use targets::{Outcome, ResolveError, resolve};
