//! Flags and values that mean nothing, and a reader that goes away.

use std::process::Stdio;

use super::{Place, RESOLVE, check, resolving};
use crate::support::Sandbox;

#[test]
fn flags_and_values_that_mean_nothing_are_bad_usage() {
    check(rows! {
        "an unknown flag": resolve 2 "usage" ["'--bogus'"] "portenv resolve --help"
            => |_| "resolve --bogus r.txt".to_owned();
        "a misspelt flag": resolve 2 "usage" ["'--index-ulr'"] "similar argument exists: '--index-url'"
            => |_| "resolve --index-ulr x r.txt".to_owned();
        "an unknown command": portenv 2 "usage" ["'frobnicate'"] "portenv --help"
            => |_| "frobnicate".to_owned();
        "an address as command": portenv 2 "usage" ["https://h.example/x"] "portenv --help"
            => |_| "https://u:secret@h.example/x".to_owned();
        "no file": resolve 2 "usage" ["required", "<FILE>..."] "portenv resolve --help"
            => |_| "resolve".to_owned();
        "no subcommand": snapshot 2 "usage" ["subcommand"] "portenv snapshot --help"
            => |_| "snapshot".to_owned();
        "a flag without its value": resolve 2 "usage" ["--platform <TRIPLE>"] "portenv resolve --help"
            => |_| "resolve --platform".to_owned();
        "a mode that is none": resolve 2 "usage" ["'maybe'", "--prerelease", "if-necessary"] "portenv resolve --help"
            => |_| "resolve r.txt --prerelease maybe".to_owned();
        "a colour that is none": status 2 "usage" ["'sometimes'", "never"] "portenv status --help"
            => |_| "status --color sometimes".to_owned();
        "a value for a switch": lock 2 "usage" ["'--check'"] "portenv lock --help"
            => |_| "lock --check=perhaps".to_owned();
        "terminal escapes in a flag": resolve 2 "usage" ["--x"] "portenv resolve --help"
            => |_| "resolve r.txt --x\u{1b}[31m".to_owned();
        "an unknown platform": resolve 2 "usage" ["`amiga`", "x86_64-pc-windows-msvc"] "--help"
            => |place| resolving(place, "alpha\n").replace("x86_64-unknown-linux-gnu", "amiga");
        "a Python version that is none": resolve 2 "usage" ["`x`"] "--help"
            => |place| resolving(place, "alpha\n").replace("3.12", "x");
        "a cut-off that is none": resolve 2 "usage" ["`nonsense`", "7 days"] "--help"
            => |place| resolving(place, "alpha\n") + " --exclude-newer nonsense";
        "an index that is no address": resolve 2 "usage" ["`pypi`"] "--help"
            => |place| resolving(place, "alpha\n") + " --index-url pypi";
        "an index of another protocol": resolve 2 "usage" ["`ftp://h.example/simple`"] "--help"
            => |place| resolving(place, "alpha\n") + " --index-url ftp://u:secret@h.example/simple";
        "a package name that is none": resolve 2 "usage" ["`a!`"] "--help"
            => |place| resolving(place, "alpha\n") + " --no-binary a!";
    });
}

#[test]
fn bad_usage_is_json_when_the_environment_asks_for_json() {
    let sandbox = Sandbox::new().with_env("PORTENV_FORMAT", "json");
    let document = sandbox.portenv(&["resolve"]).expect_code(2).json();
    assert_eq!(document["schema"], "portenv.resolve/1");
    assert_eq!(document["error"]["code"], "usage");
}

#[test]
fn a_reader_that_goes_away_ends_the_run_quietly() {
    let place = Place::new();
    place.requirements("alpha\n");
    let resolve = format!("{RESOLVE} r.txt");
    // The manual page is long: the first write of it fails already.
    for line in [
        resolve.clone(),
        resolve + " --format json",
        "man".to_owned(),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let mut command = place.sandbox.command(&arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{line}");
        assert_eq!(output.status.code(), Some(0), "{line}");
    }
}
