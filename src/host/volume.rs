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
    match magic {
        EXT | XFS | BTRFS | TMPFS | OVERLAY | ZFS | F2FS => Locality::Local,
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
#[cfg(not(target_os = "linux"))]
pub fn locality(path: &Utf8Path) -> Locality {
    // UNC paths are the network on Windows; elsewhere nothing is known.
    let text = path.as_str();
    if cfg!(windows) && !text.starts_with(r"\\") && !text.starts_with("//") {
        Locality::Local
    } else {
        Locality::Unknown
    }
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
}
