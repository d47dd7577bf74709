//! The same worlds on a server whose answers overtake each other.

use std::sync::Arc;

use portenv::index::config::IndexLocation;
use portenv::index::{IndexConfig, RemoteIndex};
use portenv::progress::{Cancel, Silent};
use portenv::resolve::Outcome;
use proptest::prelude::*;

use super::model::{FILES, PYTHONS, VERSIONS, Wide};
use super::wide::{bytes, wide};
use crate::support::{Hosted, IndexServer, Sdist, Wheel};
use crate::worlds::cases;

/// Puts all files on an index: wheels, and sdists that state their requirements.
fn serve(wide: &Wide) -> IndexServer {
    let server = IndexServer::empty();
    for (package, release) in wide
        .packages
        .iter()
        .enumerate()
        .flat_map(|(at, releases)| releases.iter().map(move |release| (at, release)))
    {
        let (name, version) = (format!("p{package}"), VERSIONS[release.version]);
        let requires = release.requires_dist();
        for file in FILES[release.files].0 {
            let python = PYTHONS[release.python].0;
            let hosted = match file.strip_prefix("tags=") {
                Some(tags) => {
                    // A file may have any name, but only a proper tag makes a wheel.
                    let proper = tags.split('-').count() == 3;
                    let tag = if proper { tags } else { "py3-none-any" };
                    let mut wheel = Wheel::new(&name, version).tag(tag);
                    for text in &requires {
                        wheel = wheel.requires(text);
                    }
                    if !python.is_empty() {
                        wheel = wheel.requires_python(python);
                    }
                    let mut artifact = wheel.build();
                    artifact.filename = artifact.filename.replace(tag, tags);
                    Hosted::from(artifact)
                }
                None => {
                    let mut sdist = Sdist::new(&name, version);
                    for text in &requires {
                        sdist = sdist.requires(text);
                    }
                    if !python.is_empty() {
                        sdist = sdist.requires_python(python);
                    }
                    Hosted::from(sdist)
                }
            };
            server.add(if release.yanked {
                hosted.yanked("bad")
            } else {
                hosted
            });
        }
    }
    server
}

proptest! {
    #![proptest_config(cases(100))]

    /// The index in memory, which answers at once, is the oracle for a server whose answers
    /// overtake each other in two orders.
    #[test]
    fn an_index_that_answers_late_and_in_any_order_changes_no_byte(wide in wide(), seeds in any::<[u64; 2]>()) {
        let world = wide.world();
        let server = serve(&wide);
        let [first, second] = seeds.map(|seed| {
            server.set(|options| options.shuffle = Some(seed));
            let config = IndexConfig {
                indexes: vec![IndexLocation::general(&server.url())],
                ..IndexConfig::default()
            };
            let index = RemoteIndex::new(config, 0, Cancel::default(), Arc::new(Silent));
            world.outcome_from(&index)
        });
        prop_assert_eq!(bytes(&first), bytes(&second));
        match (first, world.outcome()) {
            (Outcome::Resolved(remote), Outcome::Resolved(memory)) => {
                for &place in &wide.places {
                    prop_assert_eq!(wide.picks(place, &remote), wide.picks(place, &memory));
                }
            }
            (Outcome::Conflicts(remote), Outcome::Conflicts(memory)) => {
                prop_assert_eq!(remote, memory);
            }
            (remote, memory) => prop_assert!(false, "{remote:?} is not {memory:?}"),
        }
    }
}
