//! Installations, Pythons and policies that cannot be used.

use camino::Utf8Path;

use super::{Place, check};

/// A Python that carries torch, to look at and not to run.
fn torch_environment(root: &Utf8Path, name: &str) {
    let dir = root.join(name);
    for sub in ["bin", "lib/python3.12/site-packages/torch"] {
        std::fs::create_dir_all(dir.join(sub)).unwrap();
    }
    std::fs::write(dir.join("bin/python"), "").unwrap();
}

/// Puts a program outside the installation and returns the arguments that name it as Python.
fn with_python(place: &Place, text: &str) -> String {
    place.sandbox.comfyui("alpha\n");
    let python = place.sandbox.home().join("python");
    place.sandbox.write_executable(&python, text);
    format!("--python {python}")
}

#[test]
fn an_installation_that_cannot_be_found_is_told_with_the_next_step() {
    check(rows! {
        "a missing root": status 2 "no-installation" ["nowhere"] "--root DIR"
            => |_| "status --root nowhere".to_owned();
        "a root that is no installation": lock 2 "no-installation" ["[ROOT]", "main.py"] "--root DIR"
            => |_| "lock --root .".to_owned();
        "no installation above": status 2 "no-installation" ["[SANDBOX]/home"] "--root DIR"
            => |place| {
                place.dir = place.sandbox.home();
                "status".to_owned()
            };
        "one below": check 2 "no-installation" ["[SANDBOX]"] "portenv --root [ROOT]"
            => |place| {
                place.sandbox.comfyui("alpha\n");
                place.dir = place.sandbox.dir().to_owned();
                "check".to_owned()
            };
        "several below": init 2 "ambiguous-installation" ["[ROOT]", "[SANDBOX]/Second"] "portenv --root"
            => |place| {
                place.sandbox.comfyui("alpha\n");
                for file in ["main.py", "comfy/__init__.py", "requirements.txt"] {
                    place.sandbox.write(&format!("../Second/{file}"), "");
                }
                place.dir = place.sandbox.dir().to_owned();
                "init".to_owned()
            };
    });
}

#[test]
fn a_python_that_cannot_be_used_is_named() {
    check(rows! {
        "none at all": lock 2 "no-python" ["[ROOT]/.venv", "PATH"] "--python PATH"
            => |place| {
                place.sandbox.comfyui("alpha\n");
                let empty = place.sandbox.home();
                place.sandbox.set_env("PATH", empty.as_str());
                "lock".to_owned()
            };
        "named and not there": lock 2 "no-python" ["[ROOT]/nowhere/python"] "--python PATH"
            => |place| {
                place.sandbox.comfyui("alpha\n");
                "lock --python nowhere/python".to_owned()
            };
        "named in the settings and not there": lock 2 "no-python" ["[ROOT]/python_embeded/python.exe"] "[installation] python"
            => |place| {
                place.sandbox.comfyui("alpha\n");
                let text = "[installation]\npython = \"python_embeded/python.exe\"\n";
                place.sandbox.write("portenv.toml", text);
                "lock".to_owned()
            };
        "another program": lock 2 "no-python" ["[SANDBOX]/home/python"] "--python PATH"
            => |place| format!("lock {}", with_python(place, "#!/bin/sh\necho not Python\n"));
        "no program": lock 2 "no-python" ["[ROOT]/main.py"] "--python PATH"
            => |place| {
                place.sandbox.comfyui("alpha\n");
                "lock --python main.py".to_owned()
            };
        "one that fails": status 2 "no-python" ["[SANDBOX]/home/python"] "--python PATH"
            => |place| {
                let text = "#!/bin/sh\nprintf 'broken \\033[31m' >&2; exit 3\n";
                format!("status {}", with_python(place, text))
            };
        "two environments with torch": lock 2 "ambiguous-installation" ["[ROOT]/.venv", "[ROOT]/venv"] "--python [ROOT]/.venv"
            => |place| {
                place.sandbox.comfyui("alpha\n");
                torch_environment(place.sandbox.root(), ".venv");
                torch_environment(place.sandbox.root(), "venv");
                "lock".to_owned()
            };
    });
}

/// Locks with this `portenv.toml`.
fn with_policy(place: &Place, text: &str) -> String {
    place.sandbox.comfyui("alpha\n");
    place.sandbox.write("portenv.toml", text);
    "lock".to_owned()
}

#[test]
fn a_policy_that_cannot_be_used_is_refused_at_its_line() {
    check(rows! {
        "an unknown key": lock 2 "invalid-policy" ("portenv.toml", 2, 1) ["prereleese"] "README"
            => |place| with_policy(place, "[resolve]\nprereleese = \"allow\"\n");
        "an unknown table": lock 2 "invalid-policy" ("portenv.toml", 2, 2) ["polcy"] "README"
            => |place| with_policy(place, "\n[polcy]\nexclude = []\n");
        "a wrong type": lock 2 "invalid-policy" ("portenv.toml", 2, 11) ["string"] "README"
            => |place| with_policy(place, "[policy]\nexclude = \"alpha\"\n");
        "an unknown word": lock 2 "invalid-policy" ("portenv.toml", 2, 14) ["newest"] "README"
            => |place| with_policy(place, "[resolve]\nresolution = \"newest\"\n");
        "no TOML": lock 2 "invalid-policy" ("portenv.toml", 1, 9) ["unclosed"] "README"
            => |place| with_policy(place, "[resolve\n");
        "an override that is no specifier": lock 2 "invalid-policy" ("portenv.toml", 2, 1) ["alpha", "=1.0"] "write `==1.0`"
            => |place| with_policy(place, "[overrides]\nalpha = \"=1.0\"\n");
        "a word as override": lock 2 "invalid-policy" ("portenv.toml", 2, 1) ["alpha", "banana"] "mend the line"
            => |place| with_policy(place, "[overrides]\nalpha = { specifier = \"banana\" }\n");
        "a constraint that is no specifier": lock 2 "invalid-policy" ("portenv.toml", 2, 1) ["beta", "~=1"] "write `~=1.0`"
            => |place| with_policy(place, "[constraints]\nbeta = \"~=1\"\n");
        "an override of what is no name": lock 2 "invalid-policy" ("portenv.toml", 2, 1) ["a b"] "mend the line"
            => |place| with_policy(place, "[overrides]\n\"a b\" = \"==1\"\n");
        "a name that is none in a list": lock 2 "invalid-policy" ["portenv.toml", "`a!`", "policy.exclude"] "README"
            => |place| with_policy(place, "[policy]\nexclude = [\"a!\"]\n");
    });
}
