//! `portenv resolve` as other programs use it: through the binary, without an installation.

use serde_json::Value;

use crate::support::{Hosted, IndexServer, Run, Sandbox};
use document::check_document;

mod answers;
mod document;
mod flags;
mod sources;
mod universal;

/// A sandbox with an index and a target that no interpreter needs to be asked for.
struct World {
    sandbox: Sandbox,
    server: IndexServer,
}

impl World {
    fn new<I>(files: I) -> Self
    where
        I: IntoIterator<Item: Into<Hosted>>,
    {
        let server = IndexServer::start(files);
        let sandbox = Sandbox::new()
            .with_index(&server)
            .with_env("PORTENV_PYTHON_VERSION", "3.12")
            .with_env("PORTENV_PLATFORM", "x86_64-unknown-linux-gnu");
        Self { sandbox, server }
    }

    /// Resolves `r.txt` of this text; the flags are words separated by spaces.
    fn run(&self, requirements: &str, flags: &str) -> Run {
        self.sandbox.write("r.txt", requirements);
        self.portenv(&format!("resolve r.txt {flags}"))
    }

    fn portenv(&self, line: &str) -> Run {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        self.sandbox.portenv(&arguments)
    }

    /// Returns `name==version` of all packages, in one line.
    #[track_caller]
    fn resolved(&self, requirements: &str, flags: &str) -> String {
        picks(&self.run(requirements, flags).success())
    }

    /// Returns the document of a conflict.
    #[track_caller]
    fn conflict(&self, requirements: &str, flags: &str) -> Value {
        let flags = format!("{flags} --format json");
        let run = self.run(requirements, &flags).expect_code(1);
        let document = run.json();
        check_document(&document);
        assert_eq!(document["status"], "conflict", "{run}");
        assert!(run.stderr().starts_with("error: "), "{run}");
        document
    }

    /// Returns the document of an answer.
    #[track_caller]
    fn document(&self, requirements: &str, flags: &str) -> Value {
        let flags = format!("{flags} --format json");
        let document = self.run(requirements, &flags).success().json();
        check_document(&document);
        assert_eq!(document["status"], "resolved");
        document
    }
}

fn picks(run: &Run) -> String {
    run.stdout().lines().collect::<Vec<_>>().join(" ")
}
