//! Programs of others on this machine.

use camino::{Utf8Path, Utf8PathBuf};

/// Reports whether a program whose name begins with `name` works in a directory or below it,
/// or any holds one of the files open; `None` where the system does not tell.
pub fn is_at_work(name: &str, dir: &Utf8Path, files: &[Utf8PathBuf]) -> Option<bool> {
    let dir = dir.as_std_path().canonicalize().ok()?;
    let files: Vec<_> = files
        .iter()
        .filter_map(|file| file.as_std_path().canonicalize().ok())
        .collect();
    // Without one's own entry it is no `/proc` as Linux has it.
    std::fs::read_link("/proc/self/cwd").ok()?;
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let own = process.path();
        let Ok(called) = std::fs::read_to_string(own.join("comm")) else {
            continue;
        };
        if called.starts_with(name) {
            match std::fs::read_link(own.join("cwd")) {
                Ok(at) if at.starts_with(&dir) => return Some(true),
                // Another user's: where it works cannot be told.
                Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                    return Some(true);
                }
                _ => {}
            }
        }
        // Another user's files are not shown; that user's git was looked for above.
        let open = std::fs::read_dir(own.join("fd")).into_iter().flatten();
        let mut targets = open
            .flatten()
            .filter_map(|fd| std::fs::read_link(fd.path()).ok());
        if targets.any(|target| files.contains(&target)) {
            return Some(true);
        }
    }
    Some(false)
}
