//! What `pack` and `unpack` came to.

use super::changes::table;
use super::{show_document, show_warnings};
use crate::cli::document::{PackDocument, UnpackDocument};
use crate::cli::failure::Exit;
use crate::cli::screen::{Format, Screen};
use crate::ops::pack::Packed;
use crate::ops::unpack::Unpacked;
use crate::package::artifact::show_bytes;

/// Shows what was packed, or would be.
pub fn show_pack(screen: &Screen, packed: &Packed) -> Exit {
    let document = PackDocument::from(packed);
    show_warnings(screen, &document.warnings, 0);
    if screen.format == Format::Json {
        show_document(screen, "pack", &document, &[]);
        return Exit::Done;
    }
    if packed.dry_run {
        let mut rules = table();
        rules.set_header(["rule", "on", "files", "size", "leaves out"]);
        for rule in &document.rules {
            let number = |text: String| if rule.on { text } else { String::new() };
            rules.add_row([
                rule.name.clone(),
                if rule.on { "yes" } else { "no" }.to_owned(),
                number(rule.files.to_string()),
                number(show_bytes(rule.bytes)),
                rule.about.clone(),
            ]);
        }
        screen.result(&format!("{rules}\n"));
        screen.note(&format!(
            "`{}` would hold {} files, {} unpacked",
            packed.path,
            packed.manifest.files,
            show_bytes(packed.manifest.bytes)
        ));
        screen.note("hint: --keep RULE switches a rule off, --clean RULE puts one in force");
        return Exit::Done;
    }
    for file in &packed.written {
        screen.result(&format!("{}  {}\n", file.sha256, file.path));
    }
    let left: u64 = packed.rules.iter().map(|rule| rule.share.bytes).sum();
    let size: u64 = packed.written.iter().map(|file| file.bytes).sum();
    screen.note(&format!(
        "packed {} files, {} in {}; {} were left out",
        packed.manifest.files,
        show_bytes(packed.manifest.bytes),
        show_bytes(size),
        show_bytes(left)
    ));
    screen.note("hint: portenv unpack ARCHIVE DIR makes it an installation elsewhere");
    Exit::Done
}

/// Shows what was unpacked.
pub fn show_unpack(screen: &Screen, unpacked: &Unpacked) -> Exit {
    let document = UnpackDocument::from(unpacked);
    show_warnings(screen, &document.warnings, 0);
    let exit = if document.whole { Exit::Done } else { Exit::No };
    if screen.format == Format::Json {
        show_document(screen, "unpack", &document, &[]);
        return exit;
    }
    screen.result(&format!("{}\n", unpacked.root));
    screen.note(&format!(
        "unpacked {} {}: {} files, {}",
        unpacked.manifest.name,
        unpacked.manifest.version,
        unpacked.manifest.files,
        show_bytes(unpacked.bytes)
    ));
    if document.whole {
        screen.note("all installed files are whole");
    } else {
        screen.note("hint: portenv verify --fix in that directory mends it");
    }
    exit
}
