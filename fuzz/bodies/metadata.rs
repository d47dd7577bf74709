//! METADATA and PKG-INFO, and the archives that hold them.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use portenv::index::archive::{Tail, read_local, read_tail, wheel_metadata};
use portenv::index::project::{Members, sdist_metadata};
use portenv::package::metadata::parse_egg_requires;
use portenv::package::{Extra, Metadata, Name, Requirement, Version};

pub(crate) fn run(data: &[u8]) {
    text(&String::from_utf8_lossy(data));
    wheel(data);
    for ending in [".zip", ".tar.gz"] {
        sdist(ending, data);
    }
    // The reader of tar sees nothing of damage that gzip notices first.
    sdist(".tar.gz", &gzip(data));
}

fn text(text: &str) {
    let metadata = Metadata::parse(text);
    let _ = metadata.is_static();
    let _ = metadata.knows_extra(&Extra::parse("gpu").expect("an extra"));
    for requirement in &metadata.requires_dist {
        let _ = Requirement::parse(requirement);
    }
    if let (Some(name), Ok(version)) = (Name::parse(&metadata.name), metadata.version.parse()) {
        assert!(metadata.is_of(&name, &version));
    }
    let (requires, extras) = parse_egg_requires(text);
    assert!(requires.len() + extras.len() <= 2 * text.lines().count());
}

fn wheel(data: &[u8]) {
    let size = data.len() as u64;
    let _ = wheel_metadata(data);
    let _ = read_local(data);
    let _ = read_tail(data, u64::MAX - size, u64::MAX);
    for part in 1..4 {
        let offset = size * part / 4;
        let at = usize::try_from(offset).expect("within the data");
        if let Ok(Tail::Need(from, to)) = read_tail(&data[at..], offset, size) {
            assert!(from < offset && from <= to && to <= size);
        }
    }
}

fn sdist(ending: &str, data: &[u8]) {
    let name = Name::parse("demo").expect("a name");
    let version = Version::new([1, 0]);
    let _ = sdist_metadata(&format!("demo-1.0{ending}"), data, &name, &version);
    for subdirectory in [None, Some("src"), Some("../..")] {
        if let Ok(members) = Members::of_archive(ending, data, subdirectory) {
            let _ = members.stated(None);
            let _ = members.stated(Some((&name, &version)));
        }
    }
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::none());
    gzip.write_all(data).expect("memory");
    gzip.finish().expect("memory")
}
