//! Wheels and sdists, judged by readers other than their builders.

use std::io::Read;

use crate::support::{Artifact, Sandbox, Sdist, Wheel, sha256, uv};

fn member(artifact: &Artifact, path: &str) -> String {
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&artifact.bytes)).unwrap();
    let mut text = String::new();
    zip.by_name(path)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    text
}

#[test]
fn equal_inputs_give_equal_bytes() {
    let wheel = || Wheel::new("demo", "1.0").requires("numpy>=1").build();
    assert_eq!(wheel().sha256, wheel().sha256);
    let sdist = || Sdist::new("demo", "1.0").requires("numpy>=1").build();
    assert_eq!(sdist().sha256, sdist().sha256);
    assert_ne!(wheel().sha256, Wheel::new("demo", "1.1").build().sha256);
}

#[test]
fn a_wheel_is_named_by_the_binary_distribution_format() {
    let wheel = Wheel::new("Foo._Bar", "1.0+cu128").build();
    assert_eq!(wheel.filename, "foo_bar-1.0+cu128-py3-none-any.whl");
    assert_eq!(wheel.project, "foo-bar");
}

#[test]
fn metadata_says_what_was_asked_for() {
    let wheel = Wheel::new("demo", "1.0")
        .metadata_version("2.4")
        .requires_python(">=3.9")
        .extra("gpu")
        .requires("numpy>=1")
        .requires("cupy; extra == 'gpu'")
        .tag("1-py2.py3-none-any")
        .build();
    insta::assert_snapshot!(member(&wheel, "demo-1.0.dist-info/METADATA"), @r"
    Metadata-Version: 2.4
    Name: demo
    Version: 1.0
    Summary: demo made for a test
    Requires-Python: >=3.9
    Provides-Extra: gpu
    Requires-Dist: numpy>=1
    Requires-Dist: cupy; extra == 'gpu'
    ");
    insta::assert_snapshot!(member(&wheel, "demo-1.0.dist-info/WHEEL"), @r"
    Wheel-Version: 1.0
    Generator: portenv-tests
    Root-Is-Purelib: true
    Tag: py2-none-any
    Tag: py3-none-any
    Build: 1
    ");
    assert_eq!(
        wheel.metadata,
        member(&wheel, "demo-1.0.dist-info/METADATA")
    );
}

#[test]
fn metadata_can_be_made_to_lie() {
    let wheel = Wheel::new("demo", "1.0")
        .raw_metadata("Name: other\n")
        .build();
    assert_eq!(
        member(&wheel, "demo-1.0.dist-info/METADATA"),
        "Name: other\n"
    );
}

#[test]
fn uv_installs_a_wheel_and_python_imports_it() {
    let sandbox = Sandbox::new();
    sandbox.venv();
    sandbox.install_behind_its_back(&Wheel::new("Foo-Bar", "1.2").build());
    assert_eq!(
        sandbox.python("import foo_bar; print(foo_bar.__version__)"),
        "1.2"
    );
    assert_eq!(sandbox.installed()["foo-bar"], "1.2");
}

#[test]
fn the_same_version_with_other_files_has_another_digest() {
    let sandbox = Sandbox::new();
    sandbox.venv();
    sandbox.install_behind_its_back(&Wheel::new("demo", "1.0").build());
    let before = sandbox.installed_digests();
    sandbox.install_behind_its_back(&Wheel::new("demo", "1.0").file("demo.py", "x = 1\n").build());
    let after = sandbox.installed_digests();
    assert_eq!(before["demo"].0, after["demo"].0);
    assert_ne!(before["demo"].1, after["demo"].1);
    sandbox.uninstall_behind_its_back("demo");
    assert!(sandbox.installed().is_empty());
}

/// pip checks every hash of RECORD only when asked in a roundabout way, so Python does it here.
#[test]
fn record_names_every_member_with_its_digest() {
    let sandbox = Sandbox::new();
    let path = sandbox.save(&Wheel::new("demo", "1.0").file("a,b.txt", "x").build());
    sandbox.venv();
    let code = "
import base64, csv, hashlib, sys, zipfile
z = zipfile.ZipFile(PATH)
assert z.testzip() is None
rows = {r[0]: r[1:] for r in csv.reader(z.read('demo-1.0.dist-info/RECORD').decode().splitlines())}
assert sorted(rows) == sorted(z.namelist()), rows
for name, (digest, size) in rows.items():
    if name.endswith('/RECORD'):
        assert (digest, size) == ('', '')
        continue
    data = z.read(name)
    want = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()
    assert (digest, size) == ('sha256=' + want, str(len(data))), name
print(len(rows))";
    let code = code.replace("PATH", &format!("{path:?}"));
    assert_eq!(sandbox.python(&code), "4");
}

#[test]
fn an_sdist_holds_the_evidence_it_was_given() {
    let sdist = Sdist::new("Foo.Bar", "1.0")
        .pkg_info_version("2.1")
        .requires_python(">=3.9")
        .dynamic("Requires-Dist")
        .pyproject("[project]\nname = 'foo-bar'\n")
        .egg_requires("numpy\n\n[gpu]\ncupy\n")
        .build();
    assert_eq!(sdist.filename, "foo_bar-1.0.tar.gz");
    assert_eq!(sdist.sha256, sha256(&sdist.bytes));
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(sdist.bytes.as_slice()));
    let entries = tar.entries().unwrap().map(|entry| {
        let path = entry.unwrap().path().unwrap().into_owned();
        path.to_str().unwrap().to_owned()
    });
    insta::assert_snapshot!(entries.collect::<Vec<_>>().join("\n"), @r"
    foo_bar-1.0/PKG-INFO
    foo_bar-1.0/pyproject.toml
    foo_bar-1.0/foo_bar.egg-info/requires.txt
    ");
    insta::assert_snapshot!(sdist.metadata, @r"
    Metadata-Version: 2.1
    Name: Foo.Bar
    Version: 1.0
    Summary: Foo.Bar made for a test
    Dynamic: Requires-Dist
    Requires-Python: >=3.9
    ");
}

#[test]
fn a_buildable_sdist_builds_without_an_index_and_leaves_a_trace() {
    let sandbox = Sandbox::new();
    sandbox.venv();
    assert!(!sandbox.home().join("built-demo").exists());
    sandbox.install_behind_its_back(&Sdist::new("demo", "1.0").buildable().build());
    assert_eq!(
        sandbox.python("import demo; print(demo.__version__)"),
        "1.0"
    );
    assert!(sandbox.home().join("built-demo").exists());
    assert!(uv().exists());
}
