//! Wheel tags and how well they fit a target (PEP 425, PEP 600, PEP 656).

use rustc_hash::FxHashMap;

use super::target::{Arch, Os, Platform};
use super::version::Version;

/// The tags that a target can use, ranked as `packaging` lists them; a lower
/// rank fits better.
#[derive(Debug, Clone)]
pub struct Tags {
    /// python tag → abi tag → rank, beside a platform.
    native: Codes,
    /// The same beside `any`: a compiled part fits no such wheel.
    pure: Codes,
    /// platform tag → rank.
    platforms: FxHashMap<String, u32>,
}

/// Few abis go with a python tag: a list is found through faster than a map is made.
type Codes = FxHashMap<String, Vec<(String, u32)>>;

impl Tags {
    /// Returns how well a wheel's tags fit, or `None` if not at all.
    ///
    /// `tags` is a compressed set as in file names: `py2.py3-none-any`.
    pub fn rank(&self, tags: &str) -> Option<u32> {
        let mut parts = tags.split('-');
        let (python, abi, platform) = (parts.next()?, parts.next()?, parts.next()?);
        let code = |codes: &Codes| {
            python
                .split('.')
                .filter_map(|python| codes.get(python))
                .flatten()
                .filter(|(known, _)| abi.split('.').any(|abi| abi == known))
                .map(|&(_, rank)| rank)
                .min()
        };
        let count = u32::try_from(self.platforms.len()).unwrap_or(u32::MAX);
        let place = platform
            .split('.')
            .filter_map(|tag| self.platforms.get(tag).copied())
            .min();
        // Every wheel for the platform fits better than any for all.
        if let Some((code, place)) = code(&self.native).zip(place) {
            return Some(code.saturating_mul(count).saturating_add(place));
        }
        let any = platform.split('.').any(|tag| tag == "any");
        let code = any.then(|| code(&self.pure)).flatten()?;
        Some((u32::MAX / 2).saturating_add(code))
    }
}

/// Returns the tags of a CPython on a platform, best first.
pub fn of(platform: &Platform, python: &Version) -> Tags {
    let part = |n: usize| python.release().get(n).copied().unwrap_or(0);
    let (major, minor) = (part(0), part(1));
    let own = format!("cp{major}{minor}");
    let mut native = vec![(own.clone(), own.clone())];
    if major == 3 && minor < 8 {
        native.push((own.clone(), format!("{own}m")));
    }
    native.push((own.clone(), "abi3".to_owned()));
    native.push((own.clone(), "none".to_owned()));
    let older = (2..minor).rev();
    native.extend(older.map(|older| (format!("cp{major}{older}"), "abi3".to_owned())));
    let mut plain = vec![format!("py{major}{minor}"), format!("py{major}")];
    plain.extend((0..minor).rev().map(|older| format!("py{major}{older}")));
    let none = |python: String| (python, "none".to_owned());
    native.extend(plain.iter().cloned().map(none));
    Tags {
        native: ranked(native.into_iter()),
        pure: ranked([own].into_iter().chain(plain).map(none)),
        platforms: platform_tags(platform).into_iter().zip(0..).collect(),
    }
}

fn ranked(codes: impl Iterator<Item = (String, String)>) -> Codes {
    let mut ranked = Codes::default();
    for ((python, abi), rank) in codes.zip(0..) {
        let abis = ranked.entry(python).or_default();
        if !abis.iter().any(|(known, _)| *known == abi) {
            abis.push((abi, rank));
        }
    }
    ranked
}

fn platform_tags(platform: &Platform) -> Vec<String> {
    let arch = platform.arch();
    let mut tags = Vec::new();
    match platform.os() {
        Os::Windows => tags.push(
            match arch {
                Arch::X86_64 => "win_amd64",
                Arch::Aarch64 => "win_arm64",
                Arch::I686 => "win32",
            }
            .to_owned(),
        ),
        Os::Linux(major, minor) => {
            let oldest = if arch == Arch::Aarch64 { 17 } else { 5 };
            for minor in (oldest..=minor).rev() {
                tags.push(format!("manylinux_{major}_{minor}_{}", arch.as_str()));
                let old_name = match minor {
                    17 => "manylinux2014",
                    12 => "manylinux2010",
                    5 => "manylinux1",
                    _ => continue,
                };
                tags.push(format!("{old_name}_{}", arch.as_str()));
            }
            tags.push(format!("linux_{}", arch.as_str()));
        }
        Os::Musl(major, minor) => {
            for minor in (0..=minor).rev() {
                tags.push(format!("musllinux_{major}_{minor}_{}", arch.as_str()));
            }
            tags.push(format!("linux_{}", arch.as_str()));
        }
        Os::MacOs(major, minor) => mac_tags(arch, major, minor, &mut tags),
    }
    tags
}

/// From macOS 11 on only the major version counts; 10.16 is what old builds
/// call 11.
fn mac_tags(arch: Arch, major: u16, minor: u16, tags: &mut Vec<String>) {
    let fat: &[&str] = match arch {
        Arch::X86_64 => &[
            "x86_64",
            "intel",
            "fat64",
            "fat3",
            "universal2",
            "universal",
        ],
        _ => &["arm64", "universal2"],
    };
    let mut add = |major: u16, minor: u16, formats: &[&str]| {
        tags.extend(
            formats
                .iter()
                .map(|format| format!("macosx_{major}_{minor}_{format}")),
        );
    };
    for newer in (11..=major).rev() {
        add(newer, 0, fat);
    }
    let formats: &[&str] = if arch == Arch::X86_64 {
        fat
    } else {
        &["universal2"]
    };
    let newest = if major > 10 { 16 } else { minor };
    for older in (4..=newest).rev() {
        add(10, older, formats);
    }
}
