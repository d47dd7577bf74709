//! The tables, as an append-only list of migrations counted by `user_version`.

use rusqlite::Connection;

/// Migrations in order; a released one is never edited.
const MIGRATIONS: [&str; 3] = [
    "
CREATE TABLE dist (
    id INTEGER PRIMARY KEY,
    body TEXT NOT NULL UNIQUE
);
CREATE TABLE node (
    id INTEGER PRIMARY KEY,
    body TEXT NOT NULL UNIQUE
);
CREATE TABLE chunk (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    bytes BLOB NOT NULL
);
CREATE TABLE state (
    digest TEXT PRIMARY KEY,
    dists BLOB NOT NULL,
    nodes BLOB NOT NULL,
    core INTEGER REFERENCES node(id),
    python TEXT NOT NULL,
    python_path TEXT NOT NULL,
    platform TEXT NOT NULL,
    lock BLOB
) WITHOUT ROWID;
CREATE TABLE operation (
    number INTEGER PRIMARY KEY,
    id TEXT UNIQUE,
    parent TEXT,
    before TEXT REFERENCES state(digest),
    after TEXT REFERENCES state(digest),
    kind TEXT NOT NULL,
    command TEXT NOT NULL,
    started TEXT NOT NULL,
    ended TEXT,
    outcome TEXT NOT NULL,
    restores TEXT
);
CREATE TABLE step (
    operation INTEGER NOT NULL REFERENCES operation(number),
    n INTEGER NOT NULL,
    what TEXT NOT NULL,
    done INTEGER NOT NULL,
    PRIMARY KEY (operation, n)
) WITHOUT ROWID;
CREATE TABLE label (
    name TEXT PRIMARY KEY,
    snapshot TEXT NOT NULL
) WITHOUT ROWID;
",
    // What a virtual environment sees of its base: the prefix, and ids of `dist`.
    "
ALTER TABLE state ADD COLUMN base_prefix TEXT;
ALTER TABLE state ADD COLUMN base BLOB;
",
    // A row of a table without rowid that is longer than a quarter of a page takes a page
    // of its own for the rest: of 300 packages that was half of what a snapshot cost.
    "
CREATE TABLE state_by_row (
    digest TEXT NOT NULL UNIQUE,
    dists BLOB NOT NULL,
    nodes BLOB NOT NULL,
    core INTEGER REFERENCES node(id),
    python TEXT NOT NULL,
    python_path TEXT NOT NULL,
    platform TEXT NOT NULL,
    lock BLOB,
    base_prefix TEXT,
    base BLOB
);
INSERT INTO state_by_row
    SELECT digest, dists, nodes, core, python, python_path, platform, lock, base_prefix, base
    FROM state;
DROP TABLE state;
ALTER TABLE state_by_row RENAME TO state;
",
];

/// The schema that this program writes.
#[expect(clippy::cast_possible_wrap, reason = "a handful of migrations")]
pub const CURRENT: i64 = MIGRATIONS.len() as i64;

/// Brings a database up to date; returns the version found if it is newer.
///
/// # Errors
///
/// Fails if SQLite does.
pub fn migrate(connection: &mut Connection) -> rusqlite::Result<Result<(), i64>> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > CURRENT {
        return Ok(Err(found));
    }
    if found == CURRENT {
        return Ok(Ok(()));
    }
    // A table that others name can be put in another's place only while nobody checks.
    connection.pragma_update(None, "foreign_keys", false)?;
    for (at, sql) in (1i64..)
        .zip(MIGRATIONS)
        .skip(usize::try_from(found).unwrap_or(0))
    {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", at)?;
        transaction.commit()?;
    }
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(Ok(()))
}
