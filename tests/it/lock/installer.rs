//! Whether uv installs what is locked.

use super::*;

fn remote(server: &IndexServer) -> RemoteIndex {
    let config = IndexConfig {
        indexes: vec![IndexLocation::general(&server.url())],
        ..IndexConfig::default()
    };
    RemoteIndex::new(config, 0, Cancel::default(), Arc::new(Silent))
}

#[track_caller]
fn uv_sync(sandbox: &Sandbox, lock: &Utf8Path) -> std::process::Output {
    Command::new(uv())
        .env_clear()
        .env("HOME", sandbox.home())
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .current_dir(sandbox.dir())
        .args([
            "pip",
            "sync",
            "--no-config",
            "--no-index",
            "--preview-features",
            "pylock",
        ])
        .args(["--cache-dir", sandbox.dir().join("uv-cache").as_str()])
        .args(["--python", sandbox.venv_python().as_str(), lock.as_str()])
        .output()
        .unwrap()
}

#[test]
fn uv_installs_a_lock_as_it_is() {
    let sandbox = Sandbox::new();
    sandbox.venv();
    let server = IndexServer::start([
        Wheel::new("front", "1.0")
            .requires("middle[x]>=1")
            .requires_python(">=3.8,<3.9"),
        Wheel::new("middle", "2.0")
            .requires("leaf; extra == 'x'")
            .extra("x"),
        Wheel::new("middle", "3.0").requires("leaf>=9"),
        Wheel::new("leaf", "1.0+cpu"),
        Wheel::new("elsewhere", "1.0"),
    ]);
    server.add(Wheel::new("leaf", "1.1b1"));
    server.add(Sdist::new("front", "1.0"));
    server.add_to("other", Wheel::new("direct", "0.5"));
    let mut world = World::new::<&str, &str>(
        &[],
        &[
            "core: front",
            "Node-X: middle!=9 # \u{1F980} \"quoted\\\"",
            "Node-Y: elsewhere; sys_platform == 'none'",
        ],
    );
    let direct = format!(
        "Node-Z: direct @ {}/other/files/direct-0.5-py3-none-any.whl",
        server.base()
    );
    world.lines.push(line(&direct, 1));
    let own = environment::ask(&sandbox.venv_python(), None)
        .unwrap()
        .target()
        .unwrap();
    world.targets = vec![own.clone(), target("windows", "3.12.1")];
    let index = remote(&server);
    let Outcome::Resolved(mut resolution) = world.outcome_from(&index) else {
        panic!("{}", world.answer())
    };
    // The hash of a file at an address is the caller's to fill in.
    for package in &mut resolution.packages {
        for file in package
            .files
            .iter_mut()
            .filter(|file| file.hashes.is_empty())
        {
            let found = portenv::index::Index::download(&index, file).unwrap();
            file.hashes.insert("sha256".to_owned(), found.sha256);
            file.size = Some(found.size);
        }
    }
    let indexes = vec![("test".to_owned(), server.url())];
    let lock = Lock::from_resolution(&resolution, &set_of(&world.lines), indexes, None);
    let path: Utf8PathBuf = sandbox.root().join("pylock.toml");
    lock.write(&path).unwrap();
    assert_eq!(Lock::find(&path).unwrap().as_ref(), Some(&lock));

    let output = uv_sync(&sandbox, &path);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}\n{}", lock.to_toml());
    let wanted = lock.active(&own).map(|package| {
        (
            package.name.to_string(),
            package.version.as_ref().unwrap().to_string(),
        )
    });
    assert_eq!(sandbox.installed(), wanted.collect());
    assert_eq!(
        sandbox.installed(),
        [
            ("direct", "0.5"),
            ("front", "1.0"),
            ("leaf", "1.0+cpu"),
            ("middle", "2.0")
        ]
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .into()
    );
}

#[test]
fn uv_refuses_a_lock_for_another_machine_and_changes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.venv();
    let server = IndexServer::start([Wheel::new("a", "1.0")]);
    let mut world = World::new::<&str, &str>(&[], &["core: a"]);
    world.targets = vec![target("i686-pc-windows-msvc", "3.12.1")];
    let Outcome::Resolved(resolution) = world.outcome_from(&remote(&server)) else {
        panic!("{}", world.answer())
    };
    let path = sandbox.root().join("pylock.toml");
    Lock::from_resolution(&resolution, &set_of(&world.lines), Vec::new(), None)
        .write(&path)
        .unwrap();
    assert!(!uv_sync(&sandbox, &path).status.success());
    assert!(sandbox.installed().is_empty());
}
