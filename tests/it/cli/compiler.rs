//! What would have to be compiled where nothing can be: said by `preview`.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use portenv::environment::headers::{has_compiler, has_headers};
use portenv::index::project::Members;
use serde_json::Value;

use super::place::Place;
use crate::support::{Sdist, Wheel};

/// A place whose search path has git and nothing else, and an index of things to build.
fn without_compiler() -> (Place, Utf8PathBuf) {
    let mut place = Place::synced();
    let bin = place.dir().join("bin");
    fs::create_dir(&bin).unwrap();
    let git = std::env::var_os("PATH").and_then(|path| {
        let mut dirs = std::env::split_paths(&path).map(|dir| dir.join("git"));
        dirs.find(|file| file.is_file())
    });
    std::os::unix::fs::symlink(git.unwrap(), bin.join("git")).unwrap();
    place.sandbox.set_env("PATH", bin.as_str());
    let setup =
        "from setuptools import setup, Extension\nsetup(ext_modules=[Extension('a', ['a.c'])])\n";
    for sdist in [
        Sdist::new("plain", "1.0").pyproject("[build-system]\nrequires = [\"hatchling\"]\n"),
        Sdist::new("extended", "1.0").file("setup.py", setup),
        Sdist::new("rusty", "1.0").pyproject(
            "[build-system]\nrequires = [\"maturin>=1\"]\nbuild-backend = \"maturin\"\n",
        ),
        Sdist::new("odd", "1.0")
            .file("setup.py", "import own\n")
            .file("src/a.c", ""),
        Sdist::new("elsewhere", "1.0"),
    ] {
        place.server.add(sdist.build());
    }
    let wheel = Wheel::new("elsewhere", "1.0").tag("cp39-cp39-win32");
    place.server.add(wheel.build());
    (place, bin)
}

fn told(document: &Value) -> Vec<&str> {
    let warnings = document["warnings"].as_array().unwrap().iter();
    let told = warnings.filter(|warning| warning["code"] == "needs-compiler");
    told.map(|warning| warning["message"].as_str().unwrap())
        .collect()
}

#[test]
fn what_needs_a_compiler_is_told_where_there_is_none() {
    let (place, bin) = without_compiler();
    let node = place.offered("node", "plain\nextended\nrusty\nodd\nelsewhere\n");
    place.server.clear_requests();
    // The second time nothing is read of the archives, for they are in the cache.
    for _ in 0..2 {
        let document = place.json(0, &["preview", &node]);
        let told = told(&document);
        let starts = [
            "elsewhere 1.0 is built from source and needs a compiler, but ",
            "extended 1.0 is built from source and needs a compiler, but ",
            "odd 1.0 is built from source and may need a compiler, but ",
            "rusty 1.0 is built from source and needs a compiler, but ",
        ];
        assert_eq!(told.len(), starts.len(), "{told:?}");
        for (message, start) in told.iter().zip(starts) {
            assert!(message.starts_with(start), "{message}");
            assert!(
                message.ends_with("there is no C compiler on PATH"),
                "{message}"
            );
        }
    }
    let requests = place.server.requests();
    let fetched = |name: &str| {
        requests
            .iter()
            .filter(|request| request.path.contains(name))
            .count()
    };
    assert_eq!(fetched("elsewhere-1.0.tar.gz"), 0);
    assert_eq!(fetched("extended-1.0.tar.gz"), 1);

    fs::write(bin.join("cc"), "").unwrap();
    let document = place.json(0, &["preview", &node]);
    assert!(
        !told(&document)
            .iter()
            .any(|message| message.contains("on PATH"))
    );
    assert!(has_compiler(std::slice::from_ref(&bin)));
    fs::remove_file(bin.join("cc")).unwrap();
    assert!(!has_compiler(&[bin]));
}

#[test]
fn the_gate_says_so_too_of_the_installation_that_it_looks_at() {
    let (place, _) = without_compiler();
    let node = place.offered("node", "plain\nextended\n");
    let preview = place.json(0, &["preview", &node]);
    let check = place.json(0, &["check", &node]);
    assert_eq!(told(&check).len(), 1);
    assert_eq!(told(&check), told(&preview));
    let shown = place.portenv(&["check", &node]).success();
    assert!(shown.stderr().contains("extended 1.0 is built"), "{shown}");
}

#[test]
fn headers_are_looked_for_where_the_python_itself_lies() {
    let held = tempfile::tempdir().unwrap();
    let dir = Utf8Path::from_path(held.path()).unwrap();
    let write = |path: &str, text: &str| {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    };
    let embeddable = write("python_embeded/python.exe", "");
    assert!(!has_headers(&embeddable, None, "3.12"));
    write("python_embeded/include/Python.h", "");
    assert!(has_headers(&embeddable, None, "3.12"));

    let python = write("venv/bin/python", "");
    let home = dir.join("base/bin");
    write(
        "venv/pyvenv.cfg",
        &format!("version = 3.12.1\nhome = {home}\n"),
    );
    let venv = dir.join("venv");
    assert!(!has_headers(&python, Some(&venv), "3.12"));
    write("base/include/python3.12/Python.h", "");
    assert!(has_headers(&python, Some(&venv), "3.12"));
    assert!(!has_headers(&python, Some(&venv), "3.13"));
}

/// Judges an archive with these members.
fn compiles(members: &[(&str, &str)]) -> Option<bool> {
    let mut sdist = Sdist::new("demo", "1.0");
    for (path, text) in members {
        sdist = sdist.file(path, text);
    }
    let built = sdist.build();
    let members = Members::of_archive(&built.filename, &built.bytes, None).unwrap();
    members.compiles()
}

#[test]
fn a_projects_files_tell_whether_it_compiles() {
    let of = |requires: &str| {
        let text = format!("[build-system]\nrequires = [{requires}]\n");
        compiles(&[("pyproject.toml", &text)])
    };
    assert_eq!(of("\"setuptools\", \"wheel\""), Some(false));
    assert_eq!(of("\"setuptools\", \"Cython>=3\""), Some(true));
    assert_eq!(of("\"scikit-build-core\", \"pybind11\""), Some(true));
    assert_eq!(compiles(&[]), Some(false));
    assert_eq!(compiles(&[("setup.py", "setup()")]), Some(false));
    assert_eq!(compiles(&[("setup.py", "cythonize('a.pyx')")]), Some(true));
    let table = "[[tool.setuptools.ext-modules]]\nname = \"a\"\n";
    assert_eq!(compiles(&[("pyproject.toml", table)]), Some(true));
    let odd = [("setup.py", "setup()"), ("src/a.pyx", "")];
    assert_eq!(compiles(&odd), None);
    let aside = [
        ("setup.py", "setup()"),
        ("tests/a.c", ""),
        ("docs/b.rs", ""),
    ];
    assert_eq!(compiles(&aside), Some(false));
}
