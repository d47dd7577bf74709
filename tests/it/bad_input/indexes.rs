//! Indexes that fail, and a cache that is no cache.

use super::{Place, check, resolving};
use crate::support::{Fault, Format, IndexServer, Wheel};

/// Resolves `alpha` from an index that answers what matches with a fault, for ever.
fn faulty(place: &Place, part: &str, fault: Fault) -> String {
    place.server.fault(part, fault, usize::MAX);
    resolving(place, "alpha\n")
}

fn wants_credentials(place: &Place) {
    let right = ("u".to_owned(), "right".to_owned());
    place.server.set(|options| options.auth = Some(right));
}

#[test]
fn an_index_that_fails_is_named_and_given_up_in_time() {
    check(rows! {
        "a refused connection": resolve 3 "network" ["http://127.0.0.1:", "refused"] "check the address"
            => |place| {
                let gone = IndexServer::empty().url();
                resolving(place, "alpha\n") + &format!(" --index-url {gone}")
            };
        "a host that does not exist": resolve 3 "network" ["http://index.invalid/simple"] "check the address"
            => |place| resolving(place, "alpha\n") + " --index-url http://u:secret@index.invalid/simple";
        "answers of 500": resolve 3 "network" ["[INDEX]/simple/alpha/", "500"] "check the address"
            => |place| faulty(place, "/simple/", Fault::Status(500));
        "answers of 403": resolve 3 "network" ["[INDEX]/simple/alpha/", "403"] "netrc"
            => |place| faulty(place, "/simple/", Fault::Status(403));
        "a redirect in circles": resolve 3 "network" ["[INDEX]/simple/alpha/: ", "redirect"] "check the address"
            => |place| {
                let line = resolving(place, "alpha\n");
                place.server.redirect("/simple/alpha/", &format!("{}/alpha/", place.server.url()));
                line
            };
        "a file that is listed and not there": resolve 3 "network" ["/files/alpha-2.0-py3-none-any.whl: ", "does not have it"] "check the address"
            => |place| {
                place.server.add(Wheel::new("alpha", "2.0"));
                place.server.fault("/files/alpha-2.0", Fault::Status(404), usize::MAX);
                resolving(place, "alpha>=2\n")
            };
        "connections that break": resolve 3 "network" ["[INDEX]/simple/alpha/"] "check the address"
            => |place| faulty(place, "/simple/", Fault::Reset);
        "JSON of another shape": resolve 3 "integrity" ["[INDEX]/simple/alpha/: ", "not the JSON of an index"] "try again"
            => |place| faulty(place, "/simple/alpha", Fault::Garbage(Format::Json));
        "a page to sign in": resolve 3 "integrity" ["[INDEX]/simple/alpha/: ", "sign in"] "try again"
            => |place| faulty(place, "/simple/alpha", Fault::Garbage(Format::Html));
        "half a page": resolve 3 "network" ["[INDEX]/simple/alpha/"] "check the address"
            => |place| faulty(place, "/simple/alpha", Fault::Truncate(40));
        "credentials wanted": resolve 3 "network" ["[INDEX]/simple/alpha/", "401", "credentials"] "netrc"
            => |place| {
                wants_credentials(place);
                resolving(place, "alpha\n")
            };
        "wrong credentials": resolve 3 "network" ["[INDEX]/simple/alpha/", "401"] "netrc"
            => |place| {
                wants_credentials(place);
                let url = place.server.url().replace("http://", "http://u:secret@");
                resolving(place, "alpha\n") + &format!(" --index-url {url}")
            };
        "an unknown package": resolve 1 "conflict" ["r.txt:2", "no-such-thing"] "not"
            => |place| resolving(place, "alpha\nno-such-thing>=1\n");
        "metadata and wheel with other hashes": resolve 3 "integrity" ["alpha-1.0-py3-none-any.whl"] "try again"
            => |place| faulty(place, "/files/", Fault::Corrupt);
        "half a wheel": resolve 3 "integrity" ["alpha-1.0-py3-none-any.whl"] "try again"
            => |place| {
                place.server.set(|options| options.metadata = false);
                faulty(place, "/files/", Fault::Truncate(100))
            };
        "offline with an empty cache": resolve 3 "offline" ["`alpha`"] "without --offline"
            => |place| resolving(place, "alpha\n") + " --offline";
        "offline with no cache": resolve 3 "offline" ["`alpha`"] "without --offline"
            => |place| resolving(place, "alpha\n") + " --offline --no-cache";
    });
}

#[test]
fn a_corrupt_cache_is_made_anew_and_never_an_error() {
    let place = Place::new();
    let line = resolving(&place, "alpha\n");
    let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let answers = |what: &str| {
        let run = place.run(&arguments).success();
        assert_eq!(run.stdout(), "alpha==1.0\nbeta==1.0\n", "{what}\n{run}");
        assert_eq!(run.stderr(), "", "{what}\n{run}");
    };
    answers("a cache not made yet");
    for garbage in [&b"garbage, and not a database\n"[..], b"", &[0; 8192]] {
        let entries = place.sandbox.cache().read_dir_utf8().unwrap();
        let paths = entries.map(|entry| entry.unwrap().into_path());
        let files: Vec<_> = paths.filter(|path| path.is_file()).collect();
        assert!(!files.is_empty(), "there is no cache to spoil");
        for file in files {
            std::fs::write(file, garbage).unwrap();
        }
        answers(&format!("{} bytes of garbage", garbage.len()));
    }
    std::fs::remove_dir_all(place.sandbox.cache()).unwrap();
    std::fs::write(place.sandbox.cache(), "in the way").unwrap();
    answers("a file in place of the directory");
}
