//! Wheel tags and how well they fit a target (PEP 425, PEP 600, PEP 656).

use rustc_hash::FxHashMap;

use super::target::{Arch, Os, Platform};
use super::version::Version;

/// The tags that a target can use, ranked; a lower rank fits better.
#[derive(Debug, Clone)]
pub struct Tags {
    /// python tag → abi tag → rank.
    code: FxHashMap<String, Vec<(String, u32)>>,
    /// platform tag → rank, `any` last.
    platform: FxHashMap<String, u32>,
}

impl Tags {
    /// Returns how well a wheel's tags fit, or `None` if not at all.
    ///
    /// `tags` is a compressed set as in file names: `py2.py3-none-any`.
    pub fn rank(&self, tags: &str) -> Option<u32> {
        let mut parts = tags.split('-');
        let (python, abi, platform) = (parts.next()?, parts.next()?, parts.next()?);
        let place = platform
            .split('.')
            .filter_map(|tag| self.platform.get(tag).copied())
            .min()?;
        let code = python
            .split('.')
            .filter_map(|python| self.code.get(python))
            .flatten()
            .filter(|(known, _)| abi.split('.').any(|abi| abi == known))
            .map(|&(_, rank)| rank)
            .min()?;
        Some(code * 1000 + place)
    }
}

/// Returns the tags of a CPython on a platform, best first.
pub fn of(platform: &Platform, python: &Version) -> Tags {
    let part = |n: usize| python.release().get(n).copied().unwrap_or(0);
    let (major, minor) = (part(0), part(1));
    let mut code: FxHashMap<String, Vec<(String, u32)>> = FxHashMap::default();
    let mut rank = 0;
    let mut add = |python: String, abi: &str| {
        let abis = code.entry(python).or_default();
        if !abis.iter().any(|(known, _)| known == abi) {
            abis.push((abi.to_owned(), rank));
            rank += 1;
        }
    };
    let own = format!("cp{major}{minor}");
    add(own.clone(), &own);
    if major == 3 && minor < 8 {
        add(own.clone(), &format!("{own}m"));
    }
    add(own.clone(), "abi3");
    add(own.clone(), "none");
    for older in (2..minor).rev() {
        add(format!("cp{major}{older}"), "abi3");
    }
    add(format!("py{major}{minor}"), "none");
    add(format!("py{major}"), "none");
    for older in (0..minor).rev() {
        add(format!("py{major}{older}"), "none");
    }
    let platform = platform_tags(platform)
        .into_iter()
        .chain(["any".to_owned()])
        .zip(0..)
        .collect();
    Tags { code, platform }
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
            for minor in (1..=minor).rev() {
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
            "fat32",
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
