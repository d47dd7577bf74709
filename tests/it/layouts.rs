//! Real layouts of ComfyUI installations, each built with real interpreters: which Python, core
//! and nodes are found, and that a node comes and goes in each.

mod around;
mod base;
mod checkout;
mod conda;
mod desktop;
mod ground;
mod managed;
mod portable;
mod told;
