//! What comes to how much on disk, at no further request.

use std::io::Cursor;

use crate::cli::place::{Place, changes};
use crate::support::{Artifact, Wheel};

/// What a wheel's members come to, read by another implementation.
fn unpacked(wheel: &Artifact) -> u64 {
    let mut zip = zip::ZipArchive::new(Cursor::new(wheel.bytes.as_slice())).unwrap();
    let sizes = (0..zip.len()).map(|at| zip.by_index(at).unwrap().size());
    sizes.sum()
}

/// Bytes that no method packs, so that the wheel is longer than its tail that is read.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(next).take(length).collect()
}

fn wheels() -> [Artifact; 2] {
    [
        Wheel::new("large", "1.0")
            .requires("small")
            .file("large/data.bin", noise(200_000))
            .build(),
        Wheel::new("small", "1.0")
            .file("small/__init__.py", "x = 1\n".repeat(5000))
            .build(),
    ]
}

#[test]
fn sizes_on_disk_are_known_where_the_wheels_were_read_anyway() {
    let place = Place::synced();
    let wheels = wheels();
    let expected: u64 = wheels.iter().map(unpacked).sum();
    place.server.set(|options| options.metadata = false);
    for wheel in &wheels {
        place.server.add(wheel.clone());
    }
    let node = place.offered("some-node", "large\n");
    place.server.clear_requests();
    let document = place.json(0, &["preview", &node]);
    assert_eq!(changes(&document), ["add large - 1.0", "add small - 1.0"]);
    assert_eq!(document["installed_bytes"], expected);
    assert_eq!(document["installed_bytes_least"], expected);
    let asked = place.server.requests();
    let wheels_asked = asked.iter().filter(|it| it.path.ends_with(".whl")).count();
    assert_eq!(wheels_asked, 2, "{asked:?}");
    // And they are known still when nobody reads the wheels.
    place.server.clear_requests();
    let again = place.json(0, &["preview", &node]);
    assert_eq!(again["installed_bytes"], expected);
    let asked = place.server.requests();
    assert!(
        !asked.iter().any(|it| it.path.ends_with(".whl")),
        "{asked:?}"
    );
    let page = place.portenv(&["preview", &node]).success();
    assert!(page.stdout().contains("to download, 230."), "{page}");
}

#[test]
fn sizes_on_disk_are_null_where_metadata_was_had_apart() {
    let place = Place::synced();
    for wheel in wheels() {
        place.server.add(wheel);
    }
    let node = place.offered("some-node", "large\n");
    place.server.clear_requests();
    let document = place.json(0, &["preview", &node]);
    assert_eq!(document["installed_bytes"], serde_json::Value::Null);
    assert_eq!(
        document["installed_bytes_least"],
        document["download_bytes"]
    );
    let asked = place.server.requests();
    assert!(
        !asked.iter().any(|it| it.path.ends_with(".whl")),
        "{asked:?}"
    );
}

#[test]
fn what_is_replaced_says_how_much_it_frees() {
    let place = Place::synced();
    let node = place.offered("some-node", "alpha<1.1\n");
    let document = place.json(0, &["preview", &node]);
    let record = place
        .root()
        .join(".venv/lib/python3.12/site-packages/alpha-1.1.dist-info/RECORD");
    let Ok(record) = std::fs::read_to_string(record) else {
        // Another Python has another directory; the number is there all the same.
        assert!(document["changes"][0]["freed_bytes"].is_u64());
        return;
    };
    let sizes = record
        .lines()
        .filter_map(|row| row.rsplit(',').next()?.parse::<u64>().ok());
    assert_eq!(document["changes"][0]["freed_bytes"], sizes.sum::<u64>());
}
