//! Any lock, written and read.

use super::*;
use portenv::lock::{LeftOutNode, LockedCore, LockedNode, Members};
use portenv::requirements::{Asker, Waiver, WaiverReason};

/// Any text that a file of strangers may hold, addresses with user names left out.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,20}",
        Just("\u{7f}\u{80}\u{2028}\r\n\t\"\\'''\"\"\"".to_owned())
    ]
    .prop_map(|text| text.replace('@', ""))
}

fn version() -> impl Strategy<Value = portenv::package::Version> {
    "[0-9]{1,3}(\\.[0-9]{1,3}){0,3}((a|b|rc)[0-9])?(\\.post[0-9])?(\\.dev[0-9])?(\\+[a-z0-9]{1,5})?"
        .prop_map(|text| text.parse().unwrap())
}

prop_compose! {
    fn dist_file(kind: FileKind)(
        filename in text(), path in "[a-z0-9/+-]{1,12}", hash in prop::option::of("[0-9a-f]{8}"),
        size in prop::option::of(0..u64::from(u32::MAX)), upload_time in prop::option::of(0..4_000_000_000_i64),
    ) -> DistFile {
        let hashes = hash.into_iter().map(|hex| ("sha256".to_owned(), hex)).collect();
        DistFile { filename, url: format!("https://host/{path}"), hashes, size, upload_time, kind }
    }
}

/// A marker is judged when it is read, so only its quotes can be odd.
fn marker() -> impl Strategy<Value = String> {
    prop::sample::select(&[
        "sys_platform == 'win32'",
        "python_version<\"3.12\"",
        "platform_version == \"it's\" or (os_name == 'nt')",
        "\t'\\' in platform_release ",
    ])
    .prop_map(str::to_owned)
}

fn origin() -> impl Strategy<Value = Origin> {
    let kind = prop_oneof![
        Just(OriginKind::Core),
        Just(OriginKind::Node),
        Just(OriginKind::File),
        Just(OriginKind::Policy),
        Just(OriginKind::Installed)
    ];
    (
        kind,
        prop::option::of(text()),
        prop::option::of(text()),
        prop::option::of(any::<u32>()),
    )
        .prop_map(|(kind, name, file, line)| Origin {
            kind,
            name,
            file,
            line,
            column: None,
        })
}

fn waiver() -> impl Strategy<Value = Waiver> {
    let package = ("[a-z]{1,5}", version()).prop_map(|(asking, version)| Asker::Package {
        name: name(&asking),
        version,
    });
    let asker = prop_oneof![origin().prop_map(Asker::Line), package];
    let reason = prop::sample::select(&WaiverReason::ALL);
    let wanted = (text(), "[a-z]{1,5}", prop::option::of(version()));
    (asker, wanted, reason, text()).prop_map(
        |(asker, (requirement, wanted, installed), reason, target)| Waiver {
            asker,
            requirement,
            name: name(&wanted),
            reason,
            installed,
            target,
            note: None,
        },
    )
}

fn required_by() -> impl Strategy<Value = RequiredBy> {
    prop_oneof![
        (origin(), text()).prop_map(|(origin, requirement)| RequiredBy::Line {
            origin,
            requirement
        }),
        ("[a-z]{1,5}", text(), text()).prop_map(|(package, version, requirement)| {
            RequiredBy::Package {
                package: name(&package),
                version,
                requirement,
            }
        }),
    ]
}

prop_compose! {
    fn locked()(
        at in "[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,3})?", version in prop::option::of(version()), marker in prop::option::of(marker()),
        wheels in prop::collection::vec(dist_file(FileKind::Wheel), 1..3), sdist in prop::option::of(dist_file(FileKind::Sdist)),
        dependencies in prop::collection::vec(("[a-z]{1,5}", prop::option::of(self::version())), 0..3),
        required_by in prop::collection::vec(required_by(), 0..3),
    ) -> LockedPackage {
        let dependencies = dependencies.into_iter().map(|(at, version)| Dependency { name: name(&at), version }).collect();
        let files = wheels.into_iter().chain(sdist).collect();
        LockedPackage { name: name(&at), version, marker, source: Source::Index("https://host/simple".to_owned()), files, dependencies, required_by }
    }
}

/// What no commit tells comes with its content, as the program writes it.
fn members() -> impl Strategy<Value = Members> {
    let url = || prop::option::of("https://host/[a-z]{1,5}");
    let core = (url(), prop::option::of(text()), prop::option::of(text()));
    let core = core.prop_map(|(url, commit, version)| LockedCore {
        url,
        commit,
        version,
    });
    let texts = (text(), text(), text(), prop::option::of(text()));
    let more = (prop::option::of(text()), prop::option::of(text()));
    let node = (texts, more, url(), any::<bool>());
    let node = node.prop_map(
        |((dir, name, kind, commit), (version, content), url, enabled)| LockedNode {
            dir,
            name,
            kind,
            url,
            commit,
            version,
            content,
            enabled,
        },
    );
    (
        prop::option::of(core),
        prop::collection::btree_set(node, 0..4),
    )
        .prop_map(|(core, nodes)| Members {
            core,
            nodes: nodes.into_iter().collect(),
        })
}

prop_compose! {
    fn any_lock()(
        packages in prop::collection::vec(locked(), 0..4), targets in prop::collection::vec(text(), 0..3),
        environments in prop::collection::vec(marker(), 0..2), requires_python in prop::option::of(text()),
        digest in prop::option::of(text()), exclude_newer in prop::option::of(text()), index in text(),
        applied in prop::collection::vec((text(), text(), text(), prop::option::of(text()), prop::collection::vec(text(), 0..2)), 0..2),
        kept in prop::option::of(version()), waivers in prop::collection::vec(waiver(), 0..3),
        left_out in prop::collection::vec((text(), text(), text()), 0..2), members in prop::option::of(members()),
    ) -> Lock {
        let applied = applied.into_iter().map(|(kind, name, text, reason, only_for)| Applied { kind, name, text, reason, only_for }).collect();
        Lock {
            requires_python, environments, packages, targets, input_digest: digest, exclude_newer,
            indexes: vec![(index, "https://host/simple".to_owned())], applied,
            kept: kept.into_iter().map(|version| (name("kept"), version)).collect(),
            waivers,
            left_out: left_out.into_iter().map(|(node, reason, lines)| LeftOutNode { node, reason, lines }).collect(),
            members,
        }
    }
}

proptest! {
    #[test]
    fn any_lock_reads_back_as_it_was(lock in any_lock()) {
        let text = lock.to_toml();
        let again = Lock::parse(&text, file());
        prop_assert!(again.is_ok(), "{}\n{text}", again.unwrap_err());
        let again = again.unwrap();
        prop_assert_eq!(&again, &lock);
        prop_assert_eq!(again.to_toml(), text);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>(), cut in 0..3000_usize, junk in "[\\[\\]{}\"'=.a-z0-9\n ]{0,8}") {
        let _ = Lock::parse(&text, file());
        let mut lock = lock_of(&small()).to_toml();
        let cut = cut.min(lock.len());
        lock.insert_str(cut, &junk);
        let _ = Lock::parse(&lock, file());
    }
}
