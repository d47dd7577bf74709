//! Locks of any tool: what is read and written stays as it is from then on.

use camino::Utf8Path;
use portenv::lock::{Lock, LockError};

pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let file = Utf8Path::new("pylock.toml");
    let lock = match Lock::parse(&text, file) {
        Ok(lock) => lock,
        Err(LockError::Invalid { line, column, .. }) => {
            assert!(line > 0 && column > 0);
            return;
        }
        Err(_) => return,
    };
    // Of another tool's lock not everything is kept; of our own, everything.
    let written = lock.to_toml();
    let read = Lock::parse(&written, file).unwrap_or_else(|error| panic!("{error}\n{written}"));
    assert_eq!(read.to_toml(), written, "the same lock, the same bytes");
    assert_eq!(read.packages.len(), lock.packages.len());
    for (before, after) in lock.packages.iter().zip(&read.packages) {
        assert_eq!(before.name, after.name);
        assert_eq!(before.version, after.version);
        assert_eq!(before.marker, after.marker);
        assert_eq!(before.dependencies, after.dependencies);
    }
}
