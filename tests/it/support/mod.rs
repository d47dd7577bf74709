//! What the tests stand on: packages made on the spot, an index that misbehaves on demand, an
//! installation of its own for each test, and a `uv` that fails when told to.
//!
//! Nothing here uses the crate's own code, so a bug in it can't hide itself. No test reaches the
//! network, real time or the user's home: a test that needs one of them is a test to rewrite.
//! The one exception is [`uv()`], which installs uv once where the machine has none.

mod artifact;
mod faulty_uv;
mod help;
mod sandbox;
mod schema;
mod sdist;
mod server;
mod wheel;
mod yaml;

pub(crate) use artifact::{Artifact, normalised, sha256};
pub(crate) use faulty_uv::{Call, FaultyUv, Mode};
pub(crate) use help::{commands_of_help, examples_of_help};
pub(crate) use sandbox::{Run, Sandbox, base_python, uv};
pub(crate) use schema::faults_of;
pub(crate) use sdist::Sdist;
pub(crate) use server::{
    Fault, Form, Format, Hosted, IndexServer, Options, ProjectFacts, RecordedIndex, RecordedServer,
    Request,
};
pub(crate) use wheel::Wheel;
pub(crate) use yaml::yaml;
