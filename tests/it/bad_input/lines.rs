//! Requirement lines and files that cannot be read.

use super::{RESOLVE, check, resolving};

#[test]
fn requirement_lines_that_cannot_be_read_are_named_with_the_fix() {
    check(rows! {
        "quotes": resolve 2 "invalid-requirement" ("r.txt", 2, 1) ["quotes"] "write `beta`"
            => |place| resolving(place, "alpha\n\"beta\"\n");
        "a shell command": resolve 2 "invalid-requirement" ("r.txt", 1, 1) ["shell command"] "what follows `install`"
            => |place| resolving(place, "pip install beta\n");
        "two names": resolve 2 "invalid-requirement" ("r.txt", 1, 7) ["several requirements"] "write each on its own"
            => |place| resolving(place, "alpha beta\n");
        "~= with one number": resolve 2 "invalid-requirement" ("r.txt", 3, 8) ["PEP 440"] "`~=1.0`"
            => |place| resolving(place, "# cap\n\n  alpha~=1\n");
        "one equals sign": resolve 2 "invalid-requirement" ("r.txt", 1, 6) ["`=1.0`"] "write `==1.0`"
            => |place| resolving(place, "alpha=1.0\n");
        "an unset variable": resolve 2 "invalid-requirement" ("r.txt", 1, 8) ["NO_SUCH"] "set NO_SUCH"
            => |place| resolving(place, "alpha==${NO_SUCH}\n");
        "an unset variable in an address": resolve 2 "invalid-requirement" ("r.txt", 1, 19) ["NO_SUCH"] "set NO_SUCH"
            => |place| resolving(place, "alpha @ https://u:${NO_SUCH}@h.example/a.zip\n");
        "an unknown option": resolve 2 "invalid-requirement" ("r.txt", 1, 1) ["`--no-such-option`"] "--skip-invalid"
            => |place| resolving(place, "--no-such-option\n");
        "an option behind a requirement": resolve 2 "invalid-requirement" ("r.txt", 1, 7) ["`--index-url`"] "on a line of its own"
            => |place| resolving(place, "alpha --index-url https://u:secret@h.example/simple\n");
        "a hash that is none": resolve 2 "invalid-requirement" ("r.txt", 1, 12) ["not a hash"] "sha256:"
            => |place| resolving(place, "alpha==1.0 --hash=sha256:xyz\n");
        "a marker that is none": resolve 2 "invalid-requirement" ("r.txt", 1, 8) ["sys_platfrom"] "--skip-invalid"
            => |place| resolving(place, "alpha; sys_platfrom == 'linux'\n");
        "an address with a password": resolve 2 "invalid-requirement" ("r.txt", 1, 42) ["h.example"] "--skip-invalid"
            => |place| resolving(place, "alpha @ https://u:secret@h.example/a.zip beta\n");
        "terminal escapes": resolve 2 "invalid-requirement" ("r.txt", 1, 6) ["cannot read"] "--skip-invalid"
            => |place| resolving(place, "alpha\x1b[31mred\x1b]0;title\x07\n");
        "escapes beyond ASCII": resolve 2 "invalid-requirement" ("r.txt", 1, 6) ["cannot read"] "--skip-invalid"
            => |place| resolving(place, "alpha\u{9b}31m \u{202e}x\n");
        "letters right before an address": resolve 2 "invalid-requirement" ("r.txt", 1, 7) ["éhttps://h.example/x"] "--skip-invalid"
            => |place| resolving(place, "alpha éhttps://u:secret@h.example/x\n");
        "a marker beyond ASCII": resolve 2 "invalid-requirement" ("r.txt", 1, 8) ["unexpected character `é`"] "--skip-invalid"
            => |place| resolving(place, "alpha; os_name == 'x' aé= 'y'\n");
        "a missing included file": resolve 2 "invalid-file" ("r.txt", 2, 1) ["`missing.txt`"] "hint: "
            => |place| resolving(place, "alpha\n-r missing.txt\n");
        "an included address": resolve 2 "invalid-file" ("r.txt", 1, 1) ["not a file on this machine"] "download it"
            => |place| resolving(place, "-r https://u:secret@h.example/r.txt\n");
        "an included directory": resolve 2 "invalid-file" ("r.txt", 1, 1) ["not a file"] "hint: "
            => |place| resolving(place, "-r .\n");
        "not UTF-8": resolve 2 "invalid-file" ("r.txt", 2, 4) ["UTF-8"] "save the file as UTF-8"
            => |place| resolving(place, b"alpha\ncaf\xe9\n");
        "several bad lines are all told at once": resolve 2 "invalid-requirement" ("r.txt", 1, 1)
            ["r.txt:1:1", "r.txt:2:7", "s.txt:1:6"] "--skip-invalid"
            => |place| {
                place.sandbox.write("s.txt", "alpha=1\n");
                resolving(place, "'alpha'\nalpha beta\n") + " s.txt"
            };
        "a bad line of a constraint file": resolve 2 "invalid-requirement" ("c.txt", 1, 5) ["`=1`"] "write `==1`"
            => |place| {
                place.sandbox.write("c.txt", "beta=1\n");
                resolving(place, "alpha\n") + " -c c.txt"
            };
        "a bad line of a node": lock 2 "invalid-requirement" ("custom_nodes/Mixer/requirements.txt", 2, 7)
            ["several requirements"] "write each on its own"
            => |place| {
                place.sandbox.comfyui("alpha\n");
                place.sandbox.node("Mixer", "beta\nalpha beta\n");
                "lock".to_owned()
            };
    });
}

#[test]
fn project_files_that_cannot_be_read_are_named() {
    check(rows! {
        "a pyproject.toml that is no TOML": resolve 2 "invalid-file" ("pyproject.toml", 2, 8) ["not TOML"] "mend the file"
            => |place| {
                place.sandbox.write("pyproject.toml", "[project]\nname = \n");
                format!("{RESOLVE} pyproject.toml")
            };
        "a bad dependency of a pyproject.toml": resolve 2 "invalid-requirement" ("pyproject.toml", 3, 24)
            ["several requirements"] "write each on its own"
            => |place| {
                let text = "[project]\nname = \"x\"\ndependencies = [\"alpha beta\"]\n";
                place.sandbox.write("pyproject.toml", text);
                format!("{RESOLVE} pyproject.toml")
            };
        "a bad dependency of a setup.cfg": resolve 2 "invalid-requirement" ("setup.cfg", 3, 9)
            ["several requirements"] "write each on its own"
            => |place| {
                place.sandbox.write("setup.cfg", "[options]\ninstall_requires =\n  alpha beta\n");
                format!("{RESOLVE} setup.cfg")
            };
        "a setup.cfg without sections": resolve 2 "invalid-file" ("setup.cfg", 2, 1) ["before the first"] "mend the file"
            => |place| {
                place.sandbox.write("setup.cfg", "# ours\ninstall_requires = alpha\n");
                format!("{RESOLVE} setup.cfg")
            };
        "a setup.cfg with half a section": resolve 2 "invalid-file" ("setup.cfg", 3, 1) ["no `]`"] "mend the file"
            => |place| {
                place.sandbox.write("setup.cfg", "[metadata]\nname = x\n[options\ninstall_requires = alpha\n");
                format!("{RESOLVE} setup.cfg")
            };
    });
}

#[test]
fn files_that_are_not_there_are_named() {
    check(rows! {
        "a file": resolve 2 "not-found" ["`missing.txt`"] "working directory"
            => |_| format!("{RESOLVE} missing.txt");
        "a directory with nothing to read": resolve 2 "not-found" ["`empty`", "requirements.txt"] "working directory"
            => |place| {
                std::fs::create_dir(place.sandbox.root().join("empty")).unwrap();
                format!("{RESOLVE} empty")
            };
        "a constraint file": resolve 2 "not-found" ["`missing.txt`"] "working directory"
            => |place| resolving(place, "alpha\n") + " -c missing.txt --skip-invalid";
        "an override file": resolve 2 "not-found" ["`missing.txt`"] "working directory"
            => |place| resolving(place, "alpha\n") + " --override missing.txt";
    });
}
