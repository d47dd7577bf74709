//! Git with a fixed author and fixed dates, so equal content gives equal commit ids.

use camino::Utf8Path;

use super::{Sandbox, tools};

impl Sandbox {
    /// Runs git and returns what it printed, without the last line break.
    ///
    /// # Panics
    ///
    /// Panics if git fails.
    #[track_caller]
    pub(crate) fn git(&self, dir: &Utf8Path, arguments: &[&str]) -> String {
        let mut command = self.program("git");
        command.current_dir(dir).args(arguments);
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "A Tester")
                .env(format!("GIT_{role}_EMAIL"), "tester@example.org")
                .env(format!("GIT_{role}_DATE"), "2026-05-01T00:00:00Z");
        }
        tools::printed(command)
    }

    /// Commits everything in a directory and returns the commit; a repository is made if needed.
    ///
    /// A commit without changes is fine: a test then has a new tip and nothing else.
    #[track_caller]
    pub(crate) fn commit_all(&self, dir: &Utf8Path, message: &str) -> String {
        if !dir.join(".git").exists() {
            self.git(dir, &["init", "--quiet", "--initial-branch=main"]);
        }
        self.git(dir, &["add", "--all"]);
        self.git(
            dir,
            &["commit", "--quiet", "--allow-empty", "--message", message],
        );
        self.git(dir, &["rev-parse", "HEAD"])
    }
}
