//! What this program is and sees.

use std::fmt::Write;

use super::show_document;
use crate::cli::failure::Exit;
use crate::cli::screen::{Format, Screen};
use crate::ops::self_info::SelfInfo;
use crate::package::artifact::{printable, show_bytes};

/// Shows what `self` found.
pub fn show_self(screen: &Screen, found: &SelfInfo) -> Exit {
    if screen.format == Format::Json {
        show_document(screen, "self", found, &[]);
        return Exit::Done;
    }
    let mut text = format!(
        "portenv       {} ({}, {})\n",
        found.version, found.build.target, found.build.profile
    );
    let mut line = |head: &str, value: &str| {
        let _ = writeln!(text, "{head:<13} {}", printable(value));
    };
    match (&found.uv, &found.uv_problem) {
        (Some(uv), _) => line("uv", &format!("{} {} ({})", uv.version, uv.path, uv.reason)),
        (None, problem) => line("uv", problem.as_deref().unwrap_or("none")),
    }
    match (&found.cache.dir, found.cache.bytes) {
        (Some(dir), Some(bytes)) => line("cache", &format!("{dir} ({})", show_bytes(bytes))),
        (Some(dir), None) => line("cache", dir),
        (None, _) => line("cache", "none"),
    }
    match &found.installation {
        Some(here) => {
            line(
                "installation",
                &format!("{} ({})", here.root, here.root_reason),
            );
            line("layout", here.layout.name());
            let core = here.core.as_deref().unwrap_or("none");
            line("ComfyUI", &format!("{core} ({})", here.core_reason));
            if let Some(python) = &here.python {
                let shown = format!("{} {} ({})", python.version, python.path, python.reason);
                line("python", &shown);
                line("packages", &python.packages);
                if let Some(base) = &python.base {
                    line("base", &format!("{base} (read-only)"));
                }
                if python.managed {
                    line("", "its packages are managed by another program (PEP 668)");
                }
            }
            line("nodes", &here.custom_nodes.join(", "));
            line(
                "files",
                &[&here.settings, &here.lock, &here.history]
                    .map(String::as_str)
                    .join(", "),
            );
            if let Some(store) = here.store.as_ref().filter(|store| store.bytes > 0) {
                let parts = [
                    ("packages", store.packages),
                    ("commits", store.commits),
                    ("files", store.files),
                ];
                let parts: Vec<String> = (parts.iter().filter(|(_, bytes)| *bytes > 0))
                    .map(|(what, bytes)| format!("{what} {}", show_bytes(*bytes)))
                    .collect();
                let (dir, all) = (&store.dir, show_bytes(store.bytes));
                line("store", &format!("{dir}: {all} ({})", parts.join(", ")));
            }
            let known = match here.file_system.as_str() {
                "local" => "known to be local",
                _ => "not known to be local",
            };
            line("file system", known);
        }
        None => line("installation", "none here"),
    }
    screen.result(text.trim_end());
    if let Some(problem) = &found.problem {
        screen.warning(problem);
    }
    Exit::Done
}
