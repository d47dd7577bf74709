//! What lies in the cache's directory, and what of it may go.
//!
//! Only what is named as this program names its things counts as its own: whoever gives
//! `~/src` as a cache must find `~/src/git` as it was.

use camino::Utf8Path;
use rusqlite::{Connection, OpenFlags, params};

use super::cache::{SCHEMA, last_piece};
use crate::host::fs::{self, FsError, Weight};

/// Marks a directory as a cache, for programs that make backups, and as ours.
pub const TAG: &str = "CACHEDIR.TAG";
const TAG_TEXT: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This directory is a cache of portenv. For what the first line means, see https://bford.info/cachedir/\n";
/// Held by everyone who uses the directory.
pub const LOCK: &str = "lock";
const DATABASE: [&str; 3] = ["index.db", "index.db-wal", "index.db-shm"];
const SCRATCH: &str = "work-";

/// What an entry of the cache is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Answers of indexes, in the database.
    Answers,
    /// Files that were fetched to be read or built.
    Sdists,
    /// Clones of repositories, and commits checked out of them.
    Git,
    /// What interpreters said of themselves.
    Interpreters,
    /// A uv that was fetched.
    Uv,
    /// The last conflict of each installation.
    Conflicts,
    /// What a run that was killed left.
    Scratch,
}

impl Part {
    /// All of them, in the order they are shown.
    pub const ALL: [Self; 7] = [
        Self::Answers,
        Self::Sdists,
        Self::Git,
        Self::Interpreters,
        Self::Uv,
        Self::Conflicts,
        Self::Scratch,
    ];

    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Sdists => "sdists",
            Self::Git => "git",
            Self::Interpreters => "interpreters",
            Self::Uv => "uv",
            Self::Conflicts => "conflicts",
            Self::Scratch => "scratch",
        }
    }
}

/// One thing in the cache that stays or goes as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub part: Part,
    /// Its path in the cache.
    pub path: String,
    /// How large it is.
    pub weight: Weight,
    /// It is a file of another version of this program.
    pub foreign_format: bool,
}

/// What lies in a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// What is ours, by path.
    pub entries: Vec<Entry>,
    /// What is not, by path.
    pub others: Vec<String>,
    /// The directory is ours alone, or was made by us.
    pub is_ours: bool,
}

/// An answer of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The index.
    pub index: String,
    /// The package.
    pub name: String,
    /// Until when it need not be asked again, in seconds since 1970.
    pub fresh_until: i64,
}

/// What may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy<'a> {
    /// The time, in seconds since 1970.
    pub now: i64,
    /// For how many seconds a thing may be of no use.
    pub unused_for: i64,
    /// The version of uv that would be fetched today.
    pub uv: &'a str,
}

/// Why something goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It was not used for long.
    Unused,
    /// Another version took its place.
    Superseded,
    /// A run that was killed left it.
    Leftover,
    /// All goes.
    Asked,
}

impl Why {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unused => "unused",
            Self::Superseded => "superseded",
            Self::Leftover => "leftover",
            Self::Asked => "asked",
        }
    }
}

/// A run may well take an hour; none takes a day.
const LONGEST_RUN: i64 = 24 * 60 * 60;

/// Decides which entries may go.
pub fn to_prune<'e>(entries: &'e [Entry], policy: &Policy<'_>) -> Vec<(&'e Entry, Why)> {
    let unused = |entry: &Entry, seconds: i64| entry.weight.used < policy.now - seconds;
    let why = |entry: &Entry| match entry.part {
        Part::Answers => entry.foreign_format.then_some(Why::Superseded),
        Part::Uv => (entry.path != format!("uv/{}", policy.uv)).then_some(Why::Superseded),
        Part::Scratch => unused(entry, LONGEST_RUN).then_some(Why::Leftover),
        Part::Sdists | Part::Git | Part::Interpreters | Part::Conflicts => {
            unused(entry, policy.unused_for).then_some(Why::Unused)
        }
    };
    let entries = entries.iter();
    entries
        .filter_map(|entry| Some((entry, why(entry)?)))
        .collect()
}

/// Decides which answers are too old to be of any use.
pub fn old_answers<'a>(answers: &'a [Answer], policy: &Policy<'_>) -> Vec<&'a Answer> {
    let answers = answers.iter();
    answers
        .filter(|answer| answer.fresh_until < policy.now - policy.unused_for)
        .collect()
}

fn is_hex(name: &str, length: usize) -> bool {
    name.len() == length
        && name
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_record(name: &str) -> bool {
    let stem = name.strip_suffix(".json");
    stem.is_some_and(|stem| is_hex(stem, 32))
}

fn is_known(name: &str) -> bool {
    let parts = [
        "sdists",
        "git",
        "interpreters",
        "uv",
        "conflicts",
        TAG,
        LOCK,
    ];
    parts.contains(&name) || DATABASE.contains(&name) || name.starts_with(SCRATCH)
}

/// Marks a directory as a cache of ours, unless others have things in it.
pub fn mark(dir: &Utf8Path) {
    let tag = dir.join(TAG);
    if fs::exists(&tag)
        || !fs::list_dir(dir).is_ok_and(|names| names.iter().all(|name| is_known(name)))
    {
        return;
    }
    // Without it the cache works as well.
    let _ = fs::write_atomic(&tag, TAG_TEXT.as_bytes());
}

/// Looks at a directory; one that is not there holds nothing.
///
/// # Errors
///
/// Fails if something in it cannot be read.
pub fn survey(dir: &Utf8Path) -> Result<Survey, FsError> {
    let names = fs::find_dir(dir)?;
    let tagged = fs::find_text(&dir.join(TAG)).is_ok_and(|text| text.as_deref() == Some(TAG_TEXT));
    let mut survey = Survey {
        is_ours: tagged || names.iter().all(|name| is_known(name)),
        ..Survey::default()
    };
    for name in names {
        let path = dir.join(&name);
        // What a link leads to is somebody else's.
        let is_dir = fs::is_dir(&path) && fs::link_target(&path).is_none();
        match name.as_str() {
            TAG | LOCK => {}
            "index.db" => {
                let mut weight = Weight::default();
                for file in DATABASE {
                    weight.add(&fs::weigh(&dir.join(file))?);
                }
                survey.entries.push(Entry {
                    part: Part::Answers,
                    foreign_format: !is_our_format(&path)?,
                    path: name,
                    weight,
                });
            }
            name if DATABASE.contains(&name) => {}
            "sdists" | "interpreters" | "uv" | "conflicts" if is_dir => {
                survey.add_children(dir, &name)?;
            }
            "git" if is_dir => survey.add_repositories(dir)?,
            _ if is_dir && name.starts_with(SCRATCH) => survey.add(dir, Part::Scratch, name)?,
            _ => survey.others.push(name),
        }
    }
    survey.entries.sort_by(|a, b| a.path.cmp(&b.path));
    survey.others.sort();
    Ok(survey)
}

impl Survey {
    fn add(&mut self, dir: &Utf8Path, part: Part, path: String) -> Result<(), FsError> {
        self.entries.push(Entry {
            part,
            weight: fs::weigh(&dir.join(&path))?,
            path,
            foreign_format: false,
        });
        Ok(())
    }

    fn add_children(&mut self, dir: &Utf8Path, parent: &str) -> Result<(), FsError> {
        for name in fs::list_dir(&dir.join(parent))? {
            let path = format!("{parent}/{name}");
            let is_dir = fs::is_dir(&dir.join(&path));
            let part = match parent {
                "sdists" if is_dir && is_hex(&name, 32) => Part::Sdists,
                "interpreters" if is_record(&name) => Part::Interpreters,
                "conflicts" if is_record(&name) => Part::Conflicts,
                "uv" if is_dir && holds_only_uv(&dir.join(&path)) => Part::Uv,
                _ => {
                    self.others.push(path);
                    continue;
                }
            };
            self.add(dir, part, path)?;
        }
        Ok(())
    }

    /// A repository and each commit checked out of it are entries of their own: commits
    /// grow old while their repository is in use.
    fn add_repositories(&mut self, dir: &Utf8Path) -> Result<(), FsError> {
        for home in fs::list_dir(&dir.join("git"))? {
            let at = format!("git/{home}");
            let here = dir.join(&at);
            let is_ours = is_hex(&home, 32)
                && fs::link_target(&here).is_none()
                && fs::is_file(&here.join("repository/HEAD"));
            if !is_ours {
                self.others.push(at);
                continue;
            }
            for name in fs::list_dir(&here)? {
                let path = format!("{at}/{name}");
                if name == "repository" || is_hex(&name, 40) || is_hex(&name, 64) {
                    self.add(dir, Part::Git, path)?;
                } else if name.starts_with(SCRATCH) {
                    self.add(dir, Part::Scratch, path)?;
                } else {
                    self.others.push(path);
                }
            }
        }
        Ok(())
    }
}

/// A folder of a fetched uv has a version for its name and one program in it.
fn holds_only_uv(dir: &Utf8Path) -> bool {
    let is_version = |name: &str| {
        let parts: Vec<&str> = name.split('.').collect();
        parts.len() == 3 && parts.iter().all(|part| part.parse::<u32>().is_ok())
    };
    let names = fs::list_dir(dir).unwrap_or_default();
    dir.file_name().is_some_and(is_version)
        && names
            .iter()
            .all(|name| matches!(name.as_str(), "uv" | "uv.exe"))
}

/// Reads the version out of the file's head: opening a database would leave files beside
/// it, which is not for those who only look.
fn is_our_format(path: &Utf8Path) -> Result<bool, FsError> {
    let head = fs::read_start(path, 64)?;
    let Some(version) = head.get(60..64).and_then(|bytes| bytes.try_into().ok()) else {
        // Just made, by a run that still writes.
        return Ok(head.is_empty());
    };
    let version = i64::from(u32::from_be_bytes(version));
    Ok(head.starts_with(b"SQLite format 3\0") && (version == SCHEMA || version == 0))
}

/// Lists the answers that are kept; none if the database cannot be read.
pub fn answers(dir: &Utf8Path) -> Vec<Answer> {
    // One that is not there is not made; and who may write leaves no files beside it.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let list = || -> rusqlite::Result<Vec<Answer>> {
        let connection = Connection::open_with_flags(dir.join("index.db"), flags)?;
        let mut statement =
            connection.prepare("SELECT index_url, name, fresh_until FROM page ORDER BY 1, 2")?;
        let rows = statement.query_map([], |row| {
            Ok(Answer {
                index: row.get(0)?,
                name: row.get(1)?,
                fresh_until: row.get(2)?,
            })
        })?;
        rows.collect()
    };
    list().unwrap_or_default()
}

/// Removes answers from the database, and makes the file as small as it can be.
/// Returns how many were removed; a database that cannot be written loses none.
pub fn drop_answers(dir: &Utf8Path, answers: &[&Answer]) -> u64 {
    let work = || -> rusqlite::Result<u64> {
        let mut connection = Connection::open(dir.join("index.db"))?;
        connection.busy_timeout(std::time::Duration::from_secs(2))?;
        let transaction = connection.transaction()?;
        let mut removed = 0;
        for answer in answers {
            let key = params![answer.index, answer.name];
            let cold: Option<(Option<i64>, Option<i64>)> = transaction
                .query_row(
                    "SELECT cold, cold_size FROM page WHERE index_url = ?1 AND name = ?2",
                    key,
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .ok();
            if let Some((Some(first), Some(size))) = cold {
                transaction.execute(
                    "DELETE FROM cold WHERE id BETWEEN ?1 AND ?2",
                    [first, first + last_piece(size)],
                )?;
            }
            removed += transaction
                .execute("DELETE FROM page WHERE index_url = ?1 AND name = ?2", key)?
                as u64;
        }
        transaction.commit()?;
        connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);")?;
        Ok(removed)
    };
    work().unwrap_or(0)
}

/// Removes an entry, and the folders above it that are empty then.
///
/// # Errors
///
/// Fails if something cannot be removed.
pub fn remove(dir: &Utf8Path, entry: &Entry) -> Result<(), FsError> {
    if entry.part == Part::Answers {
        for file in DATABASE {
            fs::remove_all(&dir.join(file))?;
        }
        return Ok(());
    }
    fs::remove_all(&dir.join(&entry.path))?;
    let mut above = Utf8Path::new(&entry.path).parent();
    while let Some(folder) = above.filter(|folder| !folder.as_str().is_empty()) {
        if !fs::remove_empty_dir(&dir.join(folder)) {
            break;
        }
        above = folder.parent();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60;

    fn entry(part: Part, path: &str, used: i64) -> Entry {
        Entry {
            part,
            path: path.to_owned(),
            weight: Weight {
                bytes: 1,
                files: 1,
                used,
            },
            foreign_format: false,
        }
    }

    #[test]
    fn what_is_unused_for_long_or_of_another_version_goes_and_all_else_stays() {
        let now = 1000 * DAY;
        let policy = Policy {
            now,
            unused_for: 30 * DAY,
            uv: "0.13.8",
        };
        let entries = [
            entry(Part::Answers, "index.db", 0),
            Entry {
                foreign_format: true,
                ..entry(Part::Answers, "index.db", now)
            },
            entry(Part::Sdists, "sdists/a", now - 30 * DAY - 1),
            entry(Part::Sdists, "sdists/b", now - 30 * DAY),
            entry(Part::Git, "git/a/repository", now - 29 * DAY),
            entry(Part::Git, "git/a/1234", now - 31 * DAY),
            entry(Part::Interpreters, "interpreters/a.json", now - 31 * DAY),
            entry(Part::Uv, "uv/0.13.8", 0),
            entry(Part::Uv, "uv/0.13.7", now),
            entry(Part::Scratch, "work-a", now - DAY - 1),
            entry(Part::Scratch, "work-b", now - DAY),
            // A clock that was set back makes nothing old.
            entry(Part::Sdists, "sdists/c", now + 999 * DAY),
        ];
        let gone: Vec<(&str, Why)> = to_prune(&entries, &policy)
            .into_iter()
            .map(|(entry, why)| (entry.path.as_str(), why))
            .collect();
        assert_eq!(
            gone,
            [
                ("index.db", Why::Superseded),
                ("sdists/a", Why::Unused),
                ("git/a/1234", Why::Unused),
                ("interpreters/a.json", Why::Unused),
                ("uv/0.13.7", Why::Superseded),
                ("work-a", Why::Leftover),
            ]
        );
    }
}
