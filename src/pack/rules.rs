//! Which files a packed installation can do without: named rules, each to be switched.
//!
//! A rule judges a path by where it lies and what it is called, and reads nothing. What code
//! imports is no rule's business: `imports.rs` takes such places out again.

/// What part of an installation a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// The interpreter beside its library: programs, headers, manuals.
    Prefix,
    /// Python's own library.
    Library,
    /// Installed packages (site-packages).
    Packages,
    /// ComfyUI itself.
    Core,
    /// A custom node.
    Node,
    /// Anything else.
    Other,
}

/// A named kind of file that may be left out.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it leaves out.
    pub about: &'static str,
    /// It is in force unless it is switched off.
    pub on: bool,
    /// Whether what it leaves out may be code of a package, which then stays where it is imported.
    pub code: bool,
    judge: fn(Zone, &Parts<'_>) -> bool,
}

/// A path in parts.
struct Parts<'a>(Vec<&'a str>);

impl<'a> Parts<'a> {
    fn name(&self) -> &'a str {
        self.0.last().copied().unwrap_or_default()
    }

    /// The directories above the file.
    fn dirs(&self) -> &[&'a str] {
        self.0.split_last().map_or(&[], |(_, dirs)| dirs)
    }

    fn top(&self) -> &'a str {
        self.0.first().copied().unwrap_or_default()
    }

    /// The file lies in a directory of one of these names.
    fn is_in(&self, names: &[&str]) -> bool {
        self.dirs().iter().any(|dir| names.contains(dir))
    }

    /// The file lies in a directory of one of these names inside a package.
    fn is_inside(&self, names: &[&str]) -> bool {
        let mut below = self.dirs().iter().skip(1);
        below.any(|dir| names.contains(dir)) && !self.top().ends_with(".dist-info")
    }

    fn ends(&self, endings: &[&str]) -> bool {
        let name = self.name().to_ascii_lowercase();
        endings.iter().any(|ending| name.ends_with(ending))
    }
}

/// Directories of tests.
const TESTS: [&str; 2] = ["tests", "test"];
/// Directories of examples.
const EXAMPLES: [&str; 3] = ["examples", "example", "demos"];
/// Parts of Python's library that serve people at a terminal, or only its makers.
const PARTS: [&str; 5] = [
    "idlelib",
    "turtledemo",
    "ensurepip",
    "lib2to3",
    "pydoc_data",
];

/// All rules, as they are listed.
pub const RULES: [Rule; 16] = [
    Rule {
        name: "bytecode",
        about: "compiled Python, which Python makes again",
        on: true,
        code: false,
        judge: |_, path| path.is_in(&["__pycache__"]),
    },
    Rule {
        name: "tests",
        about: "tests that packages and Python's library bring along, where nothing imports them",
        on: true,
        code: true,
        judge: |zone, path| match zone {
            Zone::Packages => path.is_inside(&TESTS),
            Zone::Library => path.is_in(&TESTS),
            _ => false,
        },
    },
    Rule {
        name: "examples",
        about: "examples in packages, where nothing imports them",
        on: true,
        code: true,
        judge: |zone, path| zone == Zone::Packages && path.is_inside(&EXAMPLES),
    },
    Rule {
        name: "docs",
        about: "documentation in packages and beside Python, but no code",
        on: true,
        code: false,
        judge: |zone, path| match zone {
            Zone::Packages => path.is_inside(&["docs", "doc"]) && !path.ends(&[".py", ".pyi"]),
            Zone::Prefix => path.top() == "share" && path.is_in(&["doc", "docs", "info"]),
            _ => false,
        },
    },
    Rule {
        name: "man",
        about: "manual pages",
        on: true,
        code: false,
        judge: |zone, path| zone == Zone::Prefix && path.is_in(&["man"]),
    },
    Rule {
        name: "static-libraries",
        about: "libraries for linking programs (.a, .lib); Python's own stay",
        on: true,
        code: false,
        judge: |zone, path| {
            let linked = path.ends(&[".a", ".lib"]) && !path.name().starts_with("python3");
            linked && matches!(zone, Zone::Prefix | Zone::Library | Zone::Packages)
        },
    },
    Rule {
        name: "source-maps",
        about: "maps from scripts of web pages to their sources",
        on: true,
        code: false,
        judge: |_, path| path.ends(&[".js.map", ".mjs.map", ".css.map"]),
    },
    Rule {
        name: "conda",
        about: "what conda keeps for itself: downloads, other environments, its own records",
        on: true,
        code: false,
        judge: |zone, path| {
            zone == Zone::Prefix && ["pkgs", "envs", "conda-meta"].contains(&path.top())
        },
    },
    Rule {
        name: "library-parts",
        about: "idlelib, turtledemo, ensurepip, lib2to3, pydoc_data, where nothing imports them",
        on: true,
        code: true,
        judge: |zone, path| zone == Zone::Library && PARTS.contains(&path.top()),
    },
    Rule {
        name: "tkinter",
        about: "Python's windows and dialogs, where nothing imports them",
        on: false,
        code: true,
        judge: |zone, path| zone == Zone::Library && path.top() == "tkinter",
    },
    Rule {
        name: "headers",
        about: "C headers of packages; what compiles kernels when it runs needs them",
        on: false,
        code: false,
        judge: |zone, path| {
            let kept = ["triton", "cupy", "nvidia", "numba", "jaxlib"].contains(&path.top());
            zone == Zone::Packages && !kept && path.ends(&[".h", ".hpp", ".cuh", ".hxx"])
        },
    },
    Rule {
        name: "git",
        about: "histories of ComfyUI and nodes; without them no rollback takes these anywhere",
        on: false,
        code: false,
        judge: |zone, path| matches!(zone, Zone::Core | Zone::Node) && path.top() == ".git",
    },
    Rule {
        name: "models",
        about: "models",
        on: true,
        code: false,
        judge: |zone, path| {
            let note = path.name().starts_with("put_") && path.name().ends_with("_here");
            zone == Zone::Core && path.top() == "models" && !note && !path.ends(&[".yaml"])
        },
    },
    Rule {
        name: "output",
        about: "what ComfyUI made: output, temp",
        on: true,
        code: false,
        judge: |zone, path| zone == Zone::Core && ["output", "temp"].contains(&path.top()),
    },
    Rule {
        name: "input",
        about: "pictures that were put in; the example stays",
        on: true,
        code: false,
        judge: |zone, path| {
            zone == Zone::Core && path.top() == "input" && path.name() != "example.png"
        },
    },
    Rule {
        name: "user",
        about: "settings and workflows of the user, which may hold keys, and logs",
        on: true,
        code: false,
        judge: |zone, path| zone == Zone::Core && (path.top() == "user" || path.ends(&[".log"])),
    },
];

/// Rules that go by whose file it is and not by what it is for.
const OF_OWNER: [&str; 6] = ["conda", "models", "output", "input", "user", "git"];

/// Finds the first rule of these that leaves a file out; `path` is relative to its zone.
pub fn rule_of(rules: &[&'static Rule], zone: Zone, path: &str) -> Option<&'static Rule> {
    let path = Parts(path.split('/').collect());
    // Dynamic libraries stay, whatever they lie in.
    let dynamic = path.name().contains(".so") || path.ends(&[".pyd", ".dll", ".dylib"]);
    let mut rules = rules.iter();
    let found =
        rules.find(|rule| (!dynamic || OF_OWNER.contains(&rule.name)) && (rule.judge)(zone, &path));
    found.copied()
}

/// Works out which rules are in force: those that are unless told otherwise, `clean` too, `keep`
/// not. What is named stands above `all`.
///
/// # Errors
///
/// Fails with a name that is no rule's.
pub fn chosen(clean: &[String], keep: &[String]) -> Result<Vec<&'static Rule>, String> {
    let known = |name: &String| name == "all" || RULES.iter().any(|rule| rule.name == name);
    if let Some(unknown) = clean.iter().chain(keep).find(|name| !known(name)) {
        let names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
        return Err(format!(
            "`{unknown}` is no cleaning rule; there are {}",
            names.join(", ")
        ));
    }
    let says = |list: &[String], name: &str| list.iter().any(|word| word == name);
    let in_force = |rule: &&'static Rule| {
        if says(keep, rule.name) {
            return false;
        }
        let wide = (rule.on || says(clean, "all")) && !says(keep, "all");
        says(clean, rule.name) || wide
    };
    Ok(RULES.iter().filter(in_force).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(zone: Zone, path: &str) -> Option<&'static str> {
        let all: Vec<&'static Rule> = RULES.iter().collect();
        rule_of(&all, zone, path).map(|rule| rule.name)
    }

    #[test]
    fn each_rule_leaves_out_what_it_says_and_nothing_of_the_kind_beside_it() {
        let lib = "scipy/tests/lib.cpython-312-x86_64-linux-gnu.so";
        for (zone, path, rule) in [
            (Zone::Packages, "numpy/__pycache__/a.pyc", Some("bytecode")),
            (Zone::Packages, "numpy/_core/tests/a.py", Some("tests")),
            (Zone::Packages, "tests/__init__.py", None),
            (Zone::Packages, "jinja2/tests.py", None),
            (Zone::Packages, "torch/testing/_comparison.py", None),
            (Zone::Packages, lib, None),
            (Zone::Packages, "tests-1.0.dist-info/test/METADATA", None),
            (Zone::Library, "unittest/case.py", None),
            (Zone::Library, "ctypes/test/a.py", Some("tests")),
            (Zone::Packages, "a/docs/index.rst", Some("docs")),
            (Zone::Packages, "numpy/doc/ufuncs.py", None),
            (Zone::Prefix, "share/doc/python/a", Some("docs")),
            (Zone::Prefix, "share/man/man1/python.1", Some("man")),
            (Zone::Prefix, "libs/python312.lib", None),
            (Zone::Packages, "a/lib/c10.lib", Some("static-libraries")),
            (Zone::Packages, "torch/lib/c10.dll", None),
            (Zone::Packages, "front/a.js.map", Some("source-maps")),
            (Zone::Prefix, "pkgs/a/lib/b.so", Some("conda")),
            (Zone::Library, "lib2to3/a.py", Some("library-parts")),
            (Zone::Packages, "triton/include/cuda.h", None),
            (Zone::Packages, "torch/include/a.h", Some("headers")),
            (Zone::Node, ".git/HEAD", Some("git")),
            (Zone::Core, "models/vae/a.safetensors", Some("models")),
            (Zone::Core, "models/vae/put_vae_here", None),
            (Zone::Core, "comfy/models/a.py", None),
            (Zone::Core, "input/example.png", None),
            (Zone::Core, "user/default/a.json", Some("user")),
        ] {
            assert_eq!(judged(zone, path), rule, "{path}");
        }
    }

    #[test]
    fn rules_are_switched_by_name_and_a_name_stands_above_all() {
        let names = |clean: &[&str], keep: &[&str]| -> Vec<&'static str> {
            let list = |words: &[&str]| -> Vec<String> {
                words.iter().map(|&word| word.to_owned()).collect()
            };
            let rules = chosen(&list(clean), &list(keep)).expect("known names");
            rules.iter().map(|rule| rule.name).collect()
        };
        assert!(names(&[], &[]).contains(&"tests") && !names(&[], &[]).contains(&"git"));
        assert!(!names(&[], &["tests"]).contains(&"tests"));
        assert_eq!(names(&[], &["all"]), [""; 0]);
        assert_eq!(names(&["bytecode"], &["all"]), ["bytecode"]);
        assert_eq!(names(&["all"], &[]).len(), RULES.len());
        assert!(!names(&["all"], &["git"]).contains(&"git"));
        assert!(chosen(&["tset".to_owned()], &[]).is_err());
    }
}
