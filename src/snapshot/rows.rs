//! Rows that many states share, read once.

use super::db::Db;
use super::error::SnapshotError;
use super::model::PackageState;

impl Db {
    /// Reads distributions by the numbers of their rows. A list of snapshots asks for nearly the
    /// same hundreds for each of them: what was read is kept.
    pub(super) fn packages(&self, ids: &[i64]) -> Result<Vec<PackageState>, SnapshotError> {
        let mut seen = self.seen.borrow_mut();
        let mut statement = self
            .connection
            .prepare_cached("SELECT body FROM dist WHERE id = ?1")
            .map_err(|error| self.fail(error))?;
        ids.iter()
            .map(|id| {
                if let Some(known) = seen.get(id) {
                    return Ok(known.clone());
                }
                let body: String = statement
                    .query_row([id], |row| row.get(0))
                    .map_err(|error| self.fail(error))?;
                let package: PackageState =
                    serde_json::from_str(&body).map_err(|error| self.damaged(error.to_string()))?;
                seen.insert(*id, package.clone());
                Ok(package)
            })
            .collect()
    }

    /// Forgets what was read: rows may go, and their numbers come again.
    pub(super) fn forget_rows(&self) {
        self.seen.borrow_mut().clear();
    }
}
