//! The support is tested against the real tools, since everything else trusts it.

mod artifacts;
mod index;
mod sandbox;
