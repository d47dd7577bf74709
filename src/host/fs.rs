//! File access whose errors always carry the verb and the path.
#![expect(
    clippy::missing_errors_doc,
    reason = "every function here fails in the one way that `FsError` says"
)]

use std::fs;
use std::io::{self, Read, Write};

use camino::{Utf8Path, Utf8PathBuf};

/// A file operation that failed: what was tried, on which path, and why.
#[derive(Debug, thiserror::Error)]
#[error("cannot {verb} `{path}`")]
pub struct FsError {
    /// What was tried, as in "read" or "rename".
    pub verb: &'static str,
    /// The path it was tried on.
    pub path: Utf8PathBuf,
    /// What the operating system said.
    #[source]
    pub source: io::Error,
}

impl FsError {
    /// Reports whether the path was not there.
    pub fn is_not_found(&self) -> bool {
        self.source.kind() == io::ErrorKind::NotFound
    }

    /// Reports whether the disk or a quota is full.
    pub fn is_full(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }

    /// Reports whether the operating system refused access.
    pub fn is_denied(&self) -> bool {
        is_refusal(&self.source)
    }
}

fn with<T>(verb: &'static str, path: &Utf8Path, result: io::Result<T>) -> Result<T, FsError> {
    result.map_err(|source| FsError {
        verb,
        path: path.to_owned(),
        source,
    })
}

/// Reads a whole file.
pub fn read_bytes(path: &Utf8Path) -> Result<Vec<u8>, FsError> {
    with("read", path, fs::read(path))
}

/// Reads a whole file as UTF-8 text.
pub fn read_text(path: &Utf8Path) -> Result<String, FsError> {
    with("read", path, fs::read_to_string(path))
}

/// Fails on what would be read for ever, as a link to a device in a stranger's
/// repository would: no such thing stands where a file may or may not be.
fn refuse_device(path: &Utf8Path) -> Result<(), FsError> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() && !found.is_dir() => {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "it is not a file");
            with("read", path, Err(error))
        }
        _ => Ok(()),
    }
}

/// Reads a file if it is there.
pub fn find_bytes(path: &Utf8Path) -> Result<Option<Vec<u8>>, FsError> {
    refuse_device(path)?;
    match read_bytes(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads a text file if it is there.
pub fn find_text(path: &Utf8Path) -> Result<Option<String>, FsError> {
    refuse_device(path)?;
    match read_text(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads at most so many bytes from the start of a file.
pub fn read_start(path: &Utf8Path, most: u64) -> Result<Vec<u8>, FsError> {
    refuse_device(path)?;
    let mut start = Vec::new();
    let file = with("read", path, fs::File::open(path))?;
    with("read", path, file.take(most).read_to_end(&mut start))?;
    Ok(start)
}

/// Replaces a file in one step: a reader sees the old text or the new, never half.
///
/// The new content is flushed to the disk before the rename, so that a power cut
/// cannot leave an empty file under the old name.
pub fn write_atomic(path: &Utf8Path, content: &[u8]) -> Result<(), FsError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_str().is_empty() => parent,
        _ => Utf8Path::new("."),
    };
    create_dir_all(parent)?;
    let write = || -> io::Result<()> {
        let mut staged = tempfile::Builder::new()
            .prefix(".portenv-")
            .tempfile_in(parent)?;
        staged.write_all(content)?;
        staged.as_file().sync_all()?;
        widen_mode(staged.as_file(), path)?;
        staged.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    with("write", path, write())
}

/// Writes a file by way of another beside it, without waiting for the disk: for what is known
/// by its digest and read only with that.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn write_quickly(path: &Utf8Path, content: &[u8]) -> Result<(), FsError> {
    let parent = path.parent().unwrap_or(Utf8Path::new("."));
    create_dir_all(parent)?;
    let write = || -> io::Result<()> {
        let mut staged = tempfile::Builder::new()
            .prefix(".portenv-")
            .tempfile_in(parent)?;
        staged.write_all(content)?;
        widen_mode(staged.as_file(), path)?;
        staged.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    with("write", path, write())
}

/// Makes a file to be written in pieces.
///
/// # Errors
///
/// Fails if it cannot be made.
pub fn create(path: &Utf8Path) -> Result<fs::File, FsError> {
    if let Some(parent) = path.parent() {
        create_dir_all(parent)?;
    }
    with("write", path, fs::File::create(path))
}

/// Copies what a file holds.
///
/// # Errors
///
/// Fails if it cannot be read, or not be written.
pub fn copy_into(path: &Utf8Path, to: &mut dyn io::Write) -> Result<u64, FsError> {
    let mut file = with("open", path, fs::File::open(path))?;
    with("copy", path, io::copy(&mut file, to))
}

/// Reports whether a file may be run as a program. Always `false` where that is not a matter
/// of its mode.
pub fn is_program(path: &Utf8Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}

/// Writes a small program that its owner may run.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn write_program(path: &Utf8Path, text: &str) -> Result<(), FsError> {
    write_atomic(path, text.as_bytes())?;
    with("make executable", path, allow_running(path))
}

#[cfg(unix)]
fn allow_running(path: &Utf8Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn allow_running(_: &Utf8Path) -> io::Result<()> {
    Ok(())
}

/// Temporary files are private; the file they become must not be, and a file
/// that was there keeps its mode.
#[cfg(unix)]
fn widen_mode(file: &fs::File, path: &Utf8Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path).map_or(0o644, |old| old.permissions().mode() & 0o777);
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn widen_mode(_: &fs::File, _: &Utf8Path) -> io::Result<()> {
    Ok(())
}

/// Creates a directory and its parents.
pub fn create_dir_all(path: &Utf8Path) -> Result<(), FsError> {
    with("create directory", path, fs::create_dir_all(path))
}

/// The ending of a directory that is still being copied.
pub const PART: &str = ".portenv-part";

/// Moves a file or directory within one file system, and across two by copying.
pub fn rename(from: &Utf8Path, to: &Utf8Path) -> Result<(), FsError> {
    if let Some(parent) = to.parent() {
        create_dir_all(parent)?;
    }
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            // Or it would be copied, and then there twice.
            from.parent().map_or(Ok(()), check_writable)?;
            // `to` appears whole or not at all, so that a cut-short move can be told.
            let part = Utf8PathBuf::from(format!("{to}{PART}"));
            remove_all(&part)?;
            copy_tree(from, &part)?;
            with("move", &part, fs::rename(&part, to))?;
            remove_all(from)
        }
        Err(error) if is_refusal(&error) => {
            // Of a move either end may be to blame.
            let ends = [to.parent(), from.parent()];
            ends.into_iter().flatten().try_for_each(check_writable)?;
            with("move", from, Err(error))
        }
        result => with("move", from, result),
    }
}

fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// Removes a file or a whole directory; nothing there is fine.
///
/// A link is removed itself, never what it points to.
pub fn remove_all(path: &Utf8Path) -> Result<(), FsError> {
    let result = match fs::symlink_metadata(path) {
        Ok(kind) if kind.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => with("remove", path, result),
    }
}

/// Copies a file or a directory with all below it; links are copied as links.
pub fn copy_tree(from: &Utf8Path, to: &Utf8Path) -> Result<(), FsError> {
    let kind = with("inspect", from, fs::symlink_metadata(from))?;
    if kind.is_dir() {
        create_dir_all(to)?;
        for name in list_dir(from)? {
            copy_tree(&from.join(&name), &to.join(&name))?;
        }
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        create_dir_all(parent)?;
    }
    if kind.is_symlink() {
        return copy_link(from, to);
    }
    with("copy", from, fs::copy(from, to)).map(|_| ())
}

#[cfg(unix)]
fn copy_link(from: &Utf8Path, to: &Utf8Path) -> Result<(), FsError> {
    let target = with("read link", from, fs::read_link(from))?;
    with("create link", to, std::os::unix::fs::symlink(target, to))
}

/// Makes a link to `target`, which is taken as it is written.
#[cfg(unix)]
pub fn make_link(target: &str, to: &Utf8Path) -> Result<(), FsError> {
    with("create link", to, std::os::unix::fs::symlink(target, to))
}

/// Making links needs a privilege on Windows: what the link leads to is copied, if it is a file.
#[cfg(not(unix))]
pub fn make_link(target: &str, to: &Utf8Path) -> Result<(), FsError> {
    let from = to.parent().unwrap_or(to).join(target);
    match is_file(&from) {
        true => with("copy", &from, fs::copy(&from, to)).map(|_| ()),
        false => Ok(()),
    }
}

/// Opens a file for reading.
pub fn open(path: &Utf8Path) -> Result<fs::File, FsError> {
    with("read", path, fs::File::open(path))
}

/// Makes an error of what the operating system said while a file was written.
pub fn write_error(path: &Utf8Path, source: io::Error) -> FsError {
    FsError {
        verb: "write",
        path: path.to_owned(),
        source,
    }
}

/// Makes an error of what the operating system said while a file was read.
pub fn read_error(path: &Utf8Path, source: io::Error) -> FsError {
    FsError {
        verb: "read",
        path: path.to_owned(),
        source,
    }
}

/// Reports whether a file is marked as a program.
#[cfg(unix)]
pub fn is_executable(path: &Utf8Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|kind| kind.permissions().mode() & 0o100 != 0)
}

/// No file is marked so on Windows.
#[cfg(not(unix))]
pub fn is_executable(_: &Utf8Path) -> bool {
    false
}

#[cfg(not(unix))]
fn copy_link(from: &Utf8Path, to: &Utf8Path) -> Result<(), FsError> {
    // Making links needs a privilege on Windows; the content is what matters.
    with("copy", from, fs::copy(from, to)).map(|_| ())
}

/// Marks a file as a program, where the system wants that.
pub fn make_executable(path: &Utf8Path) -> Result<(), FsError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        with(
            "mark as a program",
            path,
            fs::set_permissions(path, fs::Permissions::from_mode(0o755)),
        )?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Lists the names in a directory, sorted. A name that is not UTF-8 is an error.
pub fn list_dir(path: &Utf8Path) -> Result<Vec<String>, FsError> {
    let read = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            match entry?.file_name().into_string() {
                Ok(name) => names.push(name),
                Err(name) => {
                    let shown = name.to_string_lossy().into_owned();
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("the name `{}` is not UTF-8", shown.escape_debug()),
                    ));
                }
            }
        }
        names.sort();
        Ok(names)
    };
    with("list", path, read())
}

/// Lists the names in a directory, each with whether it is a plain file, in one go: on a
/// network's file system each question of its own is a wait. Nothing if it cannot be read.
pub fn find_entries(path: &Utf8Path) -> Vec<(String, bool)> {
    let Ok(entries) = fs::read_dir(path) else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| {
            let is_plain = entry.file_type().is_ok_and(|kind| kind.is_file());
            (entry.file_name().to_string_lossy().into_owned(), is_plain)
        })
        .collect()
}

/// Lists a directory if it is there.
pub fn find_dir(path: &Utf8Path) -> Result<Vec<String>, FsError> {
    match list_dir(path) {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        result => result,
    }
}

/// Reports whether a directory is there (links are followed).
pub fn is_dir(path: &Utf8Path) -> bool {
    fs::metadata(path).is_ok_and(|kind| kind.is_dir())
}

/// Reports whether a file is there (links are followed).
pub fn is_file(path: &Utf8Path) -> bool {
    fs::metadata(path).is_ok_and(|kind| kind.is_file())
}

/// Returns what a link points to; `None` if the path is no link.
pub fn link_target(path: &Utf8Path) -> Option<String> {
    let target = fs::read_link(path).ok()?;
    Some(target.to_string_lossy().into_owned())
}

/// Reports whether anything is there, a dangling link included.
pub fn exists(path: &Utf8Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Returns a file's size and its time of change in nanoseconds since 1970.
pub fn stamp(path: &Utf8Path) -> Result<(u64, i128), FsError> {
    let data = with("inspect", path, fs::metadata(path))?;
    let changed = data
        .modified()
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_nanos().cast_signed());
    Ok((data.len(), changed))
}

/// Returns the size of an entry and its time of change in nanoseconds since 1970, a link's own
/// if it is one; `None` if it is not there.
pub fn entry_stamp(path: &Utf8Path) -> Option<(u64, i128)> {
    let found = fs::symlink_metadata(path).ok()?;
    let time = found.modified().ok()?;
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some((found.len(), since.as_nanos().cast_signed()))
}

/// What a file is by its entry alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// It is a file, and not a directory or a device.
    pub is_file: bool,
    /// Its size.
    pub size: u64,
    /// When it was written last, in nanoseconds since 1970.
    pub changed: i128,
    /// Other names lead to the same content, such as that of a cache. Not known everywhere.
    pub is_linked: bool,
}

/// Looks at a file (links are followed), if it is there.
pub fn find_stamp(path: &Utf8Path) -> Result<Option<Stamp>, FsError> {
    let found = match fs::metadata(path) {
        // A file where a directory should be hides what is recorded below it.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        result => with("inspect", path, result)?,
    };
    let since = |time: std::time::SystemTime| time.duration_since(std::time::UNIX_EPOCH).ok();
    Ok(Some(Stamp {
        is_file: found.is_file(),
        size: found.len(),
        changed: (found.modified().ok())
            .and_then(since)
            .map_or(0, |since| since.as_nanos().cast_signed()),
        is_linked: is_linked(&found),
    }))
}

/// Returns when a path itself was changed last in any way, in nanoseconds since 1970: what was
/// copied, moved or put there with an old time of writing counts as new, where the system
/// notes that.
pub fn touched(path: &Utf8Path) -> i128 {
    fs::symlink_metadata(path).map_or(i128::MAX, |found| touched_at(&found))
}

#[cfg(unix)]
fn touched_at(found: &fs::Metadata) -> i128 {
    use std::os::unix::fs::MetadataExt;
    i128::from(found.ctime()) * 1_000_000_000 + i128::from(found.ctime_nsec())
}

#[cfg(not(unix))]
fn touched_at(found: &fs::Metadata) -> i128 {
    let since = |time: std::time::SystemTime| time.duration_since(std::time::UNIX_EPOCH).ok();
    (found.modified().ok())
        .and_then(since)
        .map_or(i128::MAX, |since| since.as_nanos().cast_signed())
}

#[cfg(unix)]
fn is_linked(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    found.nlink() > 1
}

#[cfg(not(unix))]
fn is_linked(_: &fs::Metadata) -> bool {
    false
}

/// How much a file or directory holds, and when it was of use last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weight {
    /// The bytes of all files.
    pub bytes: u64,
    /// How many files.
    pub files: u64,
    /// When the newest of them was written or read, in seconds since 1970. Many systems
    /// note a read once a day at most.
    pub used: i64,
}

impl Weight {
    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.bytes += other.bytes;
        self.files += other.files;
        self.used = self.used.max(other.used);
    }
}

/// Weighs a file or a directory with all below it, links as links; nothing there weighs
/// nothing. Of directories only one without any file tells its own time.
pub fn weigh(path: &Utf8Path) -> Result<Weight, FsError> {
    let mut weight = weigh_files(path)?;
    if weight.files == 0 {
        weight.used = fs::symlink_metadata(path).map_or(0, |kind| seconds(kind.modified()));
    }
    Ok(weight)
}

fn seconds(time: io::Result<std::time::SystemTime>) -> i64 {
    let since = |time: std::time::SystemTime| time.duration_since(std::time::UNIX_EPOCH).ok();
    time.ok()
        .and_then(since)
        .map_or(0, |since| since.as_secs().cast_signed())
}

fn weigh_files(path: &Utf8Path) -> Result<Weight, FsError> {
    let kind = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Weight::default()),
        result => with("inspect", path, result)?,
    };
    if !kind.is_dir() {
        return Ok(Weight {
            bytes: kind.len(),
            files: 1,
            used: seconds(kind.modified()).max(seconds(kind.accessed())),
        });
    }
    let mut weight = Weight::default();
    let names = match list_dir(path) {
        // Another run may have removed it meanwhile.
        Err(error) if error.is_not_found() => Vec::new(),
        result => result?,
    };
    for name in names {
        weight.add(&weigh_files(&path.join(name))?);
    }
    Ok(weight)
}

/// Removes a directory if there is nothing in it; `true` if it did.
pub fn remove_empty_dir(path: &Utf8Path) -> bool {
    fs::remove_dir(path).is_ok()
}

/// Returns the real path, links resolved, without Windows' `\\?\` prefix.
pub fn canonical(path: &Utf8Path) -> Result<Utf8PathBuf, FsError> {
    let real = with("resolve", path, path.canonicalize_utf8())?;
    Ok(match real.as_str().strip_prefix(r"\\?\") {
        Some(rest) if !rest.starts_with("UNC") => Utf8PathBuf::from(rest),
        _ => real,
    })
}

/// Makes a directory under `parent` that is removed when the value is dropped.
pub fn scratch(parent: &Utf8Path) -> Result<tempfile::TempDir, FsError> {
    create_dir_all(parent)?;
    let made = tempfile::Builder::new().prefix("work-").tempdir_in(parent);
    with("create directory in", parent, made)
}

/// Reports whether the system's rights let a directory be written, without trying to.
#[cfg(unix)]
pub fn may_write(path: &Utf8Path) -> bool {
    rustix::fs::access(path.as_std_path(), rustix::fs::Access::WRITE_OK).is_ok()
}

/// Reports whether the system's rights let a directory be written, as far as they can be told.
#[cfg(not(unix))]
pub fn may_write(_: &Utf8Path) -> bool {
    true
}

/// Proves that files can be made in a directory, before anything depends on it.
pub fn check_writable(path: &Utf8Path) -> Result<(), FsError> {
    let probe = tempfile::Builder::new()
        .prefix(".portenv-probe-")
        .tempfile_in(path);
    with("write to", path, probe).map(|_| ())
}
