//! What kind of disk a path lies on: is it local, how much room is left.

use camino::Utf8Path;

/// Whether a file system is known to be on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locality {
    /// Known to be local: memory-mapped journals are safe.
    Local,
    /// A network or unknown file system.
    Unknown,
}

/// Judges a Linux file system by the magic number of `statfs(2)`.
///
/// Only kinds known to be local count; everything else is treated with care.
pub fn locality_of_magic(magic: u64) -> Locality {
    const EXT: u64 = 0xEF53;
    const XFS: u64 = 0x5846_5342;
    const BTRFS: u64 = 0x9123_683E;
    const TMPFS: u64 = 0x0102_1994;
    const OVERLAY: u64 = 0x794C_7630;
    const ZFS: u64 = 0x2FC1_2FC1;
    const F2FS: u64 = 0xF2F5_2010;
    const BCACHEFS: u64 = 0xCA45_1A4E;
    const EXFAT: u64 = 0x2011_BAB0;
    const NTFS3: u64 = 0x7366_746E;
    const VFAT: u64 = 0x4D44;
    match magic {
        EXT | XFS | BTRFS | TMPFS | OVERLAY | ZFS | F2FS | BCACHEFS => Locality::Local,
        // Portable folders lie on such.
        EXFAT | NTFS3 | VFAT => Locality::Local,
        _ => Locality::Unknown,
    }
}

/// Tells whether `path` lies on a file system known to be local.
#[cfg(target_os = "linux")]
pub fn locality(path: &Utf8Path) -> Locality {
    rustix::fs::statfs(path.as_std_path()).map_or(Locality::Unknown, |found| {
        locality_of_magic(u64::try_from(found.f_type).unwrap_or(0))
    })
}

/// Tells whether `path` lies on a file system known to be local.
#[cfg(target_os = "macos")]
pub fn locality(path: &Utf8Path) -> Locality {
    const MNT_LOCAL: u32 = 0x1000;
    match rustix::fs::statfs(path.as_std_path()) {
        Ok(found) if found.f_flags & MNT_LOCAL != 0 => Locality::Local,
        _ => Locality::Unknown,
    }
}

/// Tells whether `path` lies on a file system known to be local.
#[cfg(windows)]
pub fn locality(path: &Utf8Path) -> Locality {
    // A drive letter may stand for a share; the real path shows it.
    let real = path.ancestors().find_map(|path| path.canonicalize().ok());
    let is_share = |path: &std::path::Path| {
        let text = path.to_string_lossy();
        text.starts_with(r"\\?\UNC") || text.starts_with(r"\\") && !text.starts_with(r"\\?\")
    };
    match real {
        Some(real) if !is_share(&real) => Locality::Local,
        _ => Locality::Unknown,
    }
}

/// Tells whether `path` lies on a file system known to be local.
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
pub fn locality(_: &Utf8Path) -> Locality {
    Locality::Unknown
}

/// Returns the mode of a database's journal there: the write-ahead log needs memory that
/// all processes share, which no network gives.
pub fn journal_mode(locality: Locality) -> &'static str {
    match locality {
        Locality::Local => "WAL",
        Locality::Unknown => "DELETE",
    }
}

/// Reports whether two paths lie on different file systems, so that a file of one cannot
/// be linked into the other; what is not there yet lies where its parent does.
#[cfg(unix)]
pub fn is_apart(one: &Utf8Path, other: &Utf8Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Utf8Path| {
        let mut there = path.ancestors().filter_map(|path| path.metadata().ok());
        there.next().map(|data| data.dev())
    };
    matches!((device(one), device(other)), (Some(one), Some(other)) if one != other)
}

/// Reports whether two paths lie on different file systems, so that a file of one cannot
/// be linked into the other; what is not there yet lies where its parent does.
#[cfg(not(unix))]
pub fn is_apart(one: &Utf8Path, other: &Utf8Path) -> bool {
    let drive = |path: &Utf8Path| {
        let real = path.ancestors().find_map(|path| path.canonicalize().ok())?;
        let first = real.components().next()?;
        Some(first.as_os_str().to_ascii_lowercase())
    };
    matches!((drive(one), drive(other)), (Some(one), Some(other)) if one != other)
}

/// Returns the bytes that can still be written at `path`, if the system tells.
#[cfg(unix)]
pub fn free_bytes(path: &Utf8Path) -> Option<u64> {
    let found = rustix::fs::statvfs(path.as_std_path()).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Returns the bytes that can still be written at `path`, if the system tells.
#[cfg(not(unix))]
pub fn free_bytes(_: &Utf8Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_never_taken_for_local() {
        for magic in [0x6969, 0xFF53_4D42, 0xFE53_4D42, 0x6573_5546, 0x0102_1997] {
            assert_eq!(locality_of_magic(magic), Locality::Unknown);
        }
        assert_eq!(locality_of_magic(0xEF53), Locality::Local);
    }

    #[test]
    fn only_a_local_file_system_gets_a_write_ahead_log() {
        assert_eq!(journal_mode(Locality::Local), "WAL");
        assert_eq!(journal_mode(Locality::Unknown), "DELETE");
    }

    #[test]
    fn what_is_not_there_yet_lies_where_its_parent_does() {
        let here = Utf8Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(!is_apart(here, &here.join("none/such")));
    }
}
