//! What a project's own files declare: pyproject.toml with Poetry's table, setup.cfg.

use std::collections::BTreeMap;

use camino::Utf8Path;
use portenv::index::project::Members;
use portenv::requirements::file::Reading;
use portenv::requirements::pyproject::{Project, read_project, read_pyproject};
use portenv::requirements::setupcfg::read_setup_cfg;
use portenv::requirements::{FileContent, Origin, OriginKind};

pub(crate) fn run(data: &[u8]) {
    thread_local! {
        static PLACE: tempfile::TempDir = tempfile::tempdir().expect("a directory");
    }
    // Files that a project names lie on the machine, which is none of this target's.
    let text = String::from_utf8_lossy(data);
    if ["/proc", "/sys", "/dev"]
        .iter()
        .any(|tree| text.contains(tree))
    {
        return;
    }
    PLACE.with(|place| {
        let dir = Utf8Path::from_path(place.path()).expect("UTF-8");
        for name in ["pyproject.toml", "setup.cfg", "setup.py", "PKG-INFO"] {
            std::fs::write(dir.join(name), data).expect("a file");
        }
        read(dir);
    });
}

fn read(dir: &Utf8Path) {
    let owner = Origin::file(OriginKind::Node, Some("node"), "");
    let variables = BTreeMap::new();
    let reading = Reading {
        root: dir,
        owner: &owner,
        variables: &variables,
    };
    let extras = ["gpu".to_owned()];
    let Project { content, .. } = read_pyproject(&dir.join("pyproject.toml"), &extras, &reading);
    placed(&content);
    placed(&read_setup_cfg(&dir.join("setup.cfg"), &extras, &reading));
    let _ = read_project(dir, &[], &reading);
    let members = Members::of_directory(dir);
    let _ = members.stated(None);
}

/// Whatever is said of a file says where.
fn placed(content: &FileContent) {
    for entry in &content.entries {
        assert!(entry.origin.line.is_some_and(|line| line > 0), "{entry:?}");
    }
    for problem in &content.problems {
        assert!(problem.origin.file.is_some(), "{problem:?}");
    }
}
