//! Histories of every released schema, damaged ones, and what one more snapshot costs.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use portenv::package::{Hashes, Name};
use portenv::snapshot::schema::CURRENT;
use portenv::snapshot::{
    BaseState, Db, Outcome, PackageState, SnapshotError, SourceRecord, State, Step, salvage,
};
use portenv::workspace::node::{Node, NodeKind};

fn own_dir() -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(dir.path()).unwrap().join(".portenv");
    (dir, path)
}

fn stores() -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/stores")
}

fn package(n: usize, version: &str) -> PackageState {
    let name = Name::parse(&format!("package-number-{n}")).unwrap();
    let filename = format!("package_number_{n}-{version}-py3-none-any.whl");
    let mut hashes = Hashes::new();
    hashes.insert("sha256".to_owned(), format!("{n:064x}"));
    PackageState {
        name,
        version: version.parse().unwrap(),
        digest: Some(format!("{:064x}", n + 1)),
        source: Some(SourceRecord::Index {
            index: "https://pypi.org/simple".to_owned(),
            url: format!("https://files.pythonhosted.org/packages/{n:060x}/{filename}"),
            filename,
            hashes,
            size: Some(123_456),
        }),
        kept: None,
    }
}

/// A lock with an entry for each package, as long as real ones are.
fn lock(packages: &[PackageState]) -> String {
    let mut text = "lock-version = \"1.0\"\ncreated-by = \"portenv\"\n".to_owned();
    for package in packages {
        let (name, version) = (&package.name, &package.version);
        text.push_str(&format!(
            "\n[[packages]]\nname = \"{name}\"\nversion = \"{version}\"\nindex = \"https://pypi.org/simple\"\n\
             wheels = [{{ url = \"https://files.pythonhosted.org/{name}-{version}.whl\", size = 123456, hashes = {{ sha256 = \"{:064}\" }} }}]\n",
            name.as_str().len()
        ));
    }
    text
}

fn node(name: &str, commit: usize) -> Node {
    Node {
        name: name.to_owned(),
        dir: format!("custom_nodes/{name}"),
        kind: NodeKind::Git,
        url: Some(format!("https://host.example/{name}.git")),
        commit: Some(format!("{commit:040x}")),
        version: None,
        enabled: true,
        dirty: false,
        content: None,
        kept: None,
    }
}

fn state(packages: Vec<PackageState>, nodes: Vec<Node>) -> State {
    State {
        lock: Some(lock(&packages)),
        packages,
        nodes,
        core: Some(Node {
            dir: ".".to_owned(),
            ..node("ComfyUI", 7)
        }),
        python: "3.12.1".to_owned(),
        python_path: ".venv/bin/python".to_owned(),
        platform: "x86_64-unknown-linux-gnu".to_owned(),
        base: None,
    }
}

/// Three snapshots, the first labelled, and an operation that was cut short.
fn states() -> [State; 3] {
    let of = |versions: [&str; 2]| {
        let all = versions.iter().enumerate();
        all.map(|(n, version)| package(n, version)).collect()
    };
    [
        state(of(["1.0", "1.0"]), Vec::new()),
        state(of(["1.0", "2.0"]), vec![node("some-node", 1)]),
        state(of(["1.1", "2.0"]), vec![node("some-node", 2)]),
    ]
}

fn time(n: usize) -> String {
    format!("2026-11-{:02}T10:00:00Z", n + 1)
}

fn record(db: &mut Db, n: usize, state: &State) -> String {
    let digest = db.put_state(state).unwrap();
    let operation = db.begin("sync", "sync --yes", &digest, &time(n)).unwrap();
    let step = Step::Move {
        from: "a".to_owned(),
        to: "b".to_owned(),
    };
    db.note_step(operation, &step).unwrap();
    db.finish(operation, state, &time(n), None).unwrap()
}

fn fill(db: &mut Db, states: &[State]) {
    for (n, state) in states.iter().enumerate() {
        let id = record(db, n, state);
        if n == 0 {
            db.label(&id, "as found").unwrap();
        }
    }
    let digest = db.put_state(&states[0]).unwrap();
    let open = db.begin("add", "add some-node", &digest, &time(9)).unwrap();
    db.note_step(open, &Step::Packages).unwrap();
}

#[track_caller]
fn assert_holds(db: &Db, states: &[State]) {
    let snapshots = db.snapshots().unwrap();
    let found: Vec<State> = snapshots
        .iter()
        .rev()
        .map(|one| db.state_of(one).unwrap())
        .collect();
    assert_eq!(found, states);
    assert_eq!(snapshots.last().unwrap().labels, ["as found"]);
    let open = db.open_operation().unwrap().unwrap();
    assert_eq!(db.steps(open.number).unwrap(), [Step::Packages]);
    assert_eq!(db.steps(1).unwrap().len(), 1);
    db.check().unwrap();
}

/// `PORTENV_REWRITE_STORES=1` makes the one of the present schema, and only where there is none.
fn stored(schema: i64) -> Utf8PathBuf {
    let path = stores().join(format!("schema-{schema}.db"));
    let asked = std::env::var_os("PORTENV_REWRITE_STORES").is_some();
    if asked && schema == CURRENT && !path.is_file() {
        let (_dir, own) = own_dir();
        fill(&mut Db::open(&own).unwrap(), &states());
        fs::create_dir_all(stores()).unwrap();
        fs::copy(own.join("portenv.db"), &path).unwrap();
    }
    path
}

#[test]
fn a_history_of_every_released_schema_is_read_as_it_is_and_goes_on() {
    for schema in (1..=CURRENT).rev() {
        let (_dir, own) = own_dir();
        fs::create_dir_all(&own).unwrap();
        let path = own.join("portenv.db");
        fs::copy(stored(schema), &path).unwrap_or_else(|error| panic!("schema {schema}: {error}"));
        let bytes = fs::read(&path).unwrap();
        assert_holds(&Db::find(&own).unwrap().unwrap(), &states());
        assert_eq!(fs::read(&path).unwrap(), bytes, "schema {schema}");

        let mut db = Db::open(&own).unwrap();
        assert_holds(&db, &states());
        let mut more = states()[2].clone();
        more.base = Some(BaseState {
            prefix: "/usr".to_owned(),
            packages: vec![package(9, "1.0")],
        });
        record(&mut db, 5, &more);
        let head = db.head().unwrap().unwrap();
        assert_eq!(db.state_of(&head).unwrap(), more);
        // A second time there is nothing to bring up to date.
        drop(db);
        assert_eq!(Db::open(&own).unwrap().snapshots().unwrap().len(), 4);
    }
}

#[test]
fn a_history_of_a_newer_portenv_is_read_and_never_written() {
    let (_dir, own) = own_dir();
    fill(&mut Db::open(&own).unwrap(), &states());
    let path = own.join("portenv.db");
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer
        .execute_batch("ALTER TABLE operation ADD COLUMN mood TEXT; PRAGMA user_version = 99")
        .unwrap();
    drop(newer);
    let bytes = fs::read(&path).unwrap();
    let db = Db::find(&own).unwrap().unwrap();
    assert_holds(&db, &states());
    for error in [
        db.check_writable().unwrap_err(),
        Db::open(&own).unwrap_err(),
    ] {
        assert!(
            matches!(error, SnapshotError::Newer { found: 99, .. }),
            "{error}"
        );
    }
    drop(db);
    assert_eq!(fs::read(&path).unwrap(), bytes);
    // What it no longer has is told by the schema, not as damage.
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer
        .execute_batch("ALTER TABLE operation DROP COLUMN kind")
        .unwrap();
    drop(newer);
    let error = Db::find(&own).unwrap().unwrap().snapshots().unwrap_err();
    assert!(matches!(error, SnapshotError::Newer { .. }), "{error}");
}

/// Overwrites a part of the file.
fn damage(path: &Utf8Path, from: usize, to: usize) {
    let mut bytes = fs::read(path).unwrap();
    let to = to.min(bytes.len());
    bytes[from..to].fill(0xa5);
    fs::write(path, bytes).unwrap();
}

#[test]
fn wherever_a_page_is_torn_what_can_be_read_is_kept_and_the_file_too() {
    const PAGE: usize = 4096;
    let (_dir, own) = own_dir();
    fill(&mut Db::open(&own).unwrap(), &states());
    let path = own.join("portenv.db");
    let whole = fs::read(&path).unwrap();
    let (mut best, mut worst) = (0, usize::MAX);
    for page in 0..whole.len() / PAGE {
        fs::write(&path, &whole).unwrap();
        damage(&path, page * PAGE, (page + 1) * PAGE);
        let torn = fs::read(&path).unwrap();
        let error = Db::find(&own).and_then(|db| db.map_or(Ok(()), |db| db.check()));
        assert!(error.unwrap_err().is_damage(), "page {page}");
        let salvaged = salvage::salvage(&own, &format!("page-{page}")).unwrap();
        assert_eq!(fs::read(&salvaged.aside).unwrap(), torn, "page {page}");
        let db = Db::find(&own).unwrap().unwrap();
        db.check().unwrap();
        let kept = db.snapshots().unwrap();
        assert_eq!(kept.len(), salvaged.kept, "page {page}");
        for one in &kept {
            assert!(states().contains(&db.state_of(one).unwrap()), "page {page}");
        }
        best = best.max(kept.len());
        worst = worst.min(kept.len());
        drop(db);
        // Nothing half made is left, and writing goes on.
        let mut db = Db::open(&own).unwrap();
        record(&mut db, 20, &states()[1]);
        assert!(!own.join("portenv.db.rebuilt").exists());
    }
    assert_eq!((best, worst), (3, 0));
}

#[test]
fn of_a_whole_file_salvage_keeps_all() {
    let (_dir, own) = own_dir();
    fill(&mut Db::open(&own).unwrap(), &states());
    let before: Vec<String> = ids(&own);
    let salvaged = salvage::salvage(&own, "now").unwrap();
    assert_eq!((salvaged.kept, salvaged.lost.len()), (3, 0));
    assert_eq!(ids(&own), before);
    assert_holds(&Db::find(&own).unwrap().unwrap(), &states());
}

fn ids(own: &Utf8Path) -> Vec<String> {
    let all = Db::find(own).unwrap().unwrap().snapshots().unwrap();
    all.into_iter().map(|one| one.id).collect()
}

#[test]
fn one_more_snapshot_of_300_packages_costs_at_most_8_kb() {
    const SNAPSHOTS: usize = 200;
    let (_dir, own) = own_dir();
    let mut packages: Vec<PackageState> = (0..300).map(|n| package(n, "1.0")).collect();
    let nodes: Vec<Node> = (0..40).map(|n| node(&format!("node-{n}"), n)).collect();
    let mut db = Db::open(&own).unwrap();
    record(&mut db, 0, &state(packages.clone(), nodes.clone()));
    let first = db.bytes().unwrap();
    for n in 1..SNAPSHOTS {
        // Each moves three packages and a node, as an update of a node does.
        for k in 0..3 {
            let at = (n * 7 + k * 101) % packages.len();
            packages[at] = package(at, &format!("1.{n}.{k}"));
        }
        let mut nodes = nodes.clone();
        nodes[n % 40] = node(&format!("node-{}", n % 40), 1000 + n);
        record(&mut db, n % 28, &state(packages.clone(), nodes));
    }
    let each = (db.bytes().unwrap() - first) / (SNAPSHOTS as u64 - 1);
    assert!(
        each <= 8 * 1024,
        "{first} for the first, {each} for each further one"
    );
    // Pruning to ten gives the room back.
    let gone: Vec<String> = ids(&own).into_iter().skip(10).collect();
    db.prune(&gone).unwrap();
    db.tidy().unwrap();
    let left = db.bytes().unwrap();
    assert!(left < first * 2, "{left} of {first}");
    db.check().unwrap();
    let outcomes = db.operations().unwrap();
    assert!(outcomes.iter().all(|one| one.outcome == Outcome::Done));
}
