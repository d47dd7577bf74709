//! Files of which only size and metadata are known: a zip's tail, an sdist's PKG-INFO.

use std::io::Write as _;

use flate2::{Compression, Crc, GzBuilder, write::DeflateEncoder};

use super::facts::{FileFacts, ProjectFacts, VersionFacts};

/// Returns the end of a wheel as a real one has it: `.dist-info` and the directory of the zip.
///
/// What comes before, up to the recorded size, is zeros. Real wheels list all their members in
/// the directory; this one has the three that a resolver might read.
pub(super) fn wheel_tail(project: &ProjectFacts, version: &VersionFacts, file: &FileFacts) -> Tail {
    let stem: Vec<&str> = file.filename.splitn(3, '-').take(2).collect();
    let info = format!("{}.dist-info", stem.join("-"));
    let metadata = version.metadata_text(&project.name);
    let wheel = "Wheel-Version: 1.0\nGenerator: recording\nRoot-Is-Purelib: false\n";
    let record = format!("{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n");
    let members = [
        (format!("{info}/METADATA"), metadata.into_bytes()),
        (format!("{info}/WHEEL"), wheel.as_bytes().to_vec()),
        (format!("{info}/RECORD"), record.into_bytes()),
    ];
    let packed = members.map(|(path, content)| Member::new(path, &content));
    let length: usize = packed.iter().map(Member::length).sum::<usize>() + 22;
    let start = file.size.saturating_sub(length as u64);
    let mut bytes = Vec::with_capacity(length);
    let mut directory = Vec::new();
    for member in &packed {
        let at = start + bytes.len() as u64;
        // Larger ones need the records of ZIP64; the recorder leaves them out.
        let at = u32::try_from(at).expect("a wheel below 4 GiB");
        member.local(&mut bytes);
        member.central(&mut directory, at);
    }
    let at = u32::try_from(start + bytes.len() as u64).expect("a wheel below 4 GiB");
    bytes.extend_from_slice(&directory);
    bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0\x03\0\x03\0");
    let size = u32::try_from(directory.len()).expect("a small directory");
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.extend_from_slice(&at.to_le_bytes());
    bytes.extend_from_slice(&[0, 0]);
    Tail { start, bytes }
}

/// The end of a file, and where it begins in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) start: u64,
    pub(super) bytes: Vec<u8>,
}

/// A member of a zip, packed.
struct Member {
    path: String,
    packed: Vec<u8>,
    checksum: u32,
    length: u32,
}

impl Member {
    fn new(path: String, content: &[u8]) -> Self {
        let mut checksum = Crc::new();
        checksum.update(content);
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        Self {
            path,
            packed: encoder.finish().unwrap(),
            checksum: checksum.sum(),
            length: checksum.amount(),
        }
    }

    /// Returns what it adds to an archive: two headers, its path in both, its data.
    fn length(&self) -> usize {
        30 + 46 + 2 * self.path.len() + self.packed.len()
    }

    /// Writes what both headers share: version needed, flags, method, time, sizes.
    fn shared(&self, to: &mut Vec<u8>) {
        // Version 2.0, no flags, deflated, midnight of 1980-01-01.
        to.extend_from_slice(&[20, 0, 0, 0, 8, 0, 0, 0, 0x21, 0]);
        to.extend_from_slice(&self.checksum.to_le_bytes());
        let packed = u32::try_from(self.packed.len()).expect("a small member");
        to.extend_from_slice(&packed.to_le_bytes());
        to.extend_from_slice(&self.length.to_le_bytes());
        let name = u16::try_from(self.path.len()).expect("a short path");
        to.extend_from_slice(&name.to_le_bytes());
        to.extend_from_slice(&[0, 0]);
    }

    fn local(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(b"PK\x03\x04");
        self.shared(to);
        to.extend_from_slice(self.path.as_bytes());
        to.extend_from_slice(&self.packed);
    }

    fn central(&self, to: &mut Vec<u8>, at: u32) {
        to.extend_from_slice(b"PK\x01\x02\x14\x03");
        self.shared(to);
        // No comment, disk 0, no attributes but those of a plain file.
        to.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0xa4, 0x81]);
        to.extend_from_slice(&at.to_le_bytes());
        to.extend_from_slice(self.path.as_bytes());
    }
}

/// Returns a whole sdist that states its metadata, as PEP 643 asks for.
pub(super) fn sdist(project: &ProjectFacts, version: &VersionFacts, file: &FileFacts) -> Vec<u8> {
    let name = &file.filename;
    let stem = name.strip_suffix(".tar.gz").unwrap_or(name);
    let text = version.metadata_text(&project.name);
    let rest = text.split_once('\n').map_or("", |(_, rest)| rest);
    let text: String = format!("Metadata-Version: 2.2\n{rest}")
        .lines()
        .filter(|line| !line.starts_with("Dynamic:"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut header = tar::Header::new_ustar();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_data(&mut header, format!("{stem}/PKG-INFO"), text.as_bytes())
        .unwrap();
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::fast());
    gzip.write_all(&tar.into_inner().unwrap()).unwrap();
    gzip.finish().unwrap()
}
