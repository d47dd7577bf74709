//! Versions and specifiers: ranges agree with the order, and what prints parses again.

use portenv::package::version::{show_range, successor};
use portenv::package::{Range, Specifiers, Version};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let parts: Vec<&str> = text.split('\n').take(6).collect();
    let versions: Vec<Version> = parts.iter().filter_map(|part| part.parse().ok()).collect();
    for version in &versions {
        alone(version);
        for other in &versions {
            pair(version, other);
        }
    }
    for part in &parts {
        if let Ok(specifiers) = Specifiers::parse(part) {
            list(&specifiers, &versions);
        }
    }
}

fn alone(version: &Version) {
    let printed = version.to_string();
    assert_eq!(printed.parse().as_ref(), Ok(version), "{printed}");
    assert!(
        Specifiers::exactly(version).range().contains(version),
        "{version}"
    );
    // Only behind the largest number there is nothing.
    if version.dev().max(version.post()) != Some(u64::MAX) {
        assert!(successor(version) > *version, "{version}");
    }
}

fn admits(specifier: &str, version: &Version) -> Option<bool> {
    let parsed = Specifiers::parse(specifier).ok()?;
    Some(parsed.range().contains(version))
}

fn pair(version: &Version, other: &Version) {
    assert_eq!(version.cmp(other), other.cmp(version).reverse());
    assert_eq!(version == other, version.cmp(other).is_eq());
    if version.is_local() {
        return;
    }
    let is = |operator: &str| admits(&format!("{operator}{version}"), other);
    let public = other.clone().without_local();
    let expect = |found: Option<bool>, wanted: bool, operator: &str| {
        assert!(
            found.is_none_or(|found| found == wanted),
            "{other} {operator}{version}"
        );
    };
    expect(is(">="), public >= *version, ">=");
    expect(is("<="), public <= *version, "<=");
    expect(is("=="), public == *version, "==");
    expect(is("!="), public != *version, "!=");
    // These leave out relatives of their own version (PEP 440).
    assert!(
        is("<") != Some(true) || public < *version,
        "{other} <{version}"
    );
    assert!(
        is(">") != Some(true) || public > *version,
        "{other} >{version}"
    );
    if version.release() != other.release() && version.epoch() == other.epoch() {
        let (mine, its) = (version.only_release(), other.only_release());
        if mine != its {
            expect(is("<"), its < mine, "<");
            expect(is(">"), its > mine, ">");
        }
    }
}

fn list(specifiers: &Specifiers, versions: &[Version]) {
    let again = Specifiers::parse(specifiers.text());
    assert_eq!(again.as_ref(), Ok(specifiers));
    let range = specifiers.range();
    let _ = (show_range(&range), show_range(&range.complement()));
    let _ = (specifiers.pinned(), specifiers.names_prerelease());
    let parts = specifiers.text().split(',');
    let parts: Vec<Range> = parts
        .filter_map(|part| Some(Specifiers::parse(part).ok()?.range()))
        .collect();
    for version in versions {
        let all = parts.iter().all(|part| part.contains(version));
        assert_eq!(
            range.contains(version),
            all,
            "{version} in {}",
            specifiers.text()
        );
        let ignores = specifiers.ignores_python(version);
        assert!(!ignores || specifiers.admits_python(version));
    }
}
