//! An environment that pip made before anybody thought of portenv: taken over as it is, wrecked,
//! and brought back byte for byte.

use std::collections::BTreeMap;
use std::fs;

use camino::Utf8PathBuf;
use serde_json::Value;

use super::place::{Place, strings, tree};
use crate::support::{Sdist, Wheel};

/// A build backend that needs nothing from an index and can install in place.
const BACKEND: &str = r#"
import base64, hashlib, os, zipfile

NAME, VERSION = "@NAME@", "1.0"

def write(directory, files):
    info = f"{NAME}-{VERSION}.dist-info"
    files = dict(files)
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{NAME}-tool = {NAME}:main\n"
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        record += f"{path},sha256={digest.decode()},{len(text)}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    name = f"{NAME}-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return name

def build_wheel(directory, settings=None, metadata=None):
    module = open(f"{NAME}/__init__.py").read()
    return write(directory, {f"{NAME}/__init__.py": module})

def build_editable(directory, settings=None, metadata=None):
    return write(directory, {f"__editable__.{NAME}.pth": os.getcwd() + "\n"})
"#;

/// An installation as pip left it over time.
struct Old {
    place: Place,
}

impl Old {
    fn new(store: &str) -> Self {
        let place = Place::new();
        place.settings(&format!("[policy]\nstore = \"{store}\"\n"));
        place.git_node("lantern", "");
        place.python("import ensurepip; ensurepip.bootstrap()");
        let old = Self { place };
        old.install();
        old
    }

    fn pip(&self, arguments: &[&str]) {
        let words: Vec<String> = arguments.iter().map(|word| format!("{word:?}")).collect();
        let code = format!(
            "import runpy, sys; sys.argv = ['pip', {}]; runpy.run_module('pip', run_name='__main__')",
            words.join(", ")
        );
        let _ = self.place.python(&code);
    }

    fn project(&self, dir: &str, name: &str) -> Utf8PathBuf {
        let dir = self.place.dir().join(dir);
        fs::create_dir_all(dir.join(name)).unwrap();
        let text =
            "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n";
        fs::write(dir.join("pyproject.toml"), text).unwrap();
        fs::write(dir.join("backend.py"), BACKEND.replace("@NAME@", name)).unwrap();
        let module = format!("def main():\n    print('{name} runs')\n");
        fs::write(dir.join(name).join("__init__.py"), module).unwrap();
        dir
    }

    fn install(&self) {
        let place = &self.place;
        let (server, index) = (&place.server, place.server.url());
        let tools = Wheel::new("tools", "1.0")
            .file("tools/__init__.py", "def main():\n    print('tools run')\n")
            .file(
                "tools-1.0.dist-info/entry_points.txt",
                "[console_scripts]\ntools = tools:main\n",
            )
            .file(
                "tools-1.0.data/scripts/toolbox",
                "#!python\nprint('toolbox runs')\n",
            )
            .file("tools-1.0.data/data/share/tools/table.txt", "1 2 3\n");
        server.add(tools.build());
        server.add(Wheel::new("vanished", "1.0").build());
        server.add(Sdist::new("source-only", "1.0").buildable().build());
        let direct = Wheel::new("direct", "1.0").build();
        server.route(
            "/files/direct-1.0-py3-none-any.whl",
            "application/zip",
            &direct.bytes,
        );
        let direct = format!("{}/files/direct-1.0-py3-none-any.whl", server.base());
        let local = place.save(&Wheel::new("local", "1.0").build());
        let (edited, plain) = (
            self.project("edited", "edited"),
            self.project("plain", "plain"),
        );
        let repository = self.project("repository", "fromgit");
        place.commit_all(&repository, "First version");
        let git = format!("git+file://{repository}");
        let install = [
            "install",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--index-url",
            &index,
        ];
        let mut all = install.to_vec();
        all.extend([
            "alpha==1.0",
            "beta==1.0",
            "tools",
            "vanished",
            "source-only",
        ]);
        all.extend([
            direct.as_str(),
            local.as_str(),
            plain.as_str(),
            git.as_str(),
        ]);
        all.extend(["-e", edited.as_str()]);
        self.pip(&all);
        // The index has forgotten one, and the files of others are gone.
        server.remove("vanished-1.0-py3-none-any.whl");
        fs::remove_file(local).unwrap();
        fs::remove_dir_all(plain).unwrap();
        fs::remove_dir_all(repository).unwrap();
        // As `setup.py install --single-version-externally-managed` leaves it.
        let site = place.site_packages();
        let info = site.join("legacy-1.0-py3.egg-info");
        fs::create_dir_all(&info).unwrap();
        let metadata = "Metadata-Version: 2.1\nName: legacy\nVersion: 1.0\n";
        fs::write(info.join("PKG-INFO"), metadata).unwrap();
        fs::write(info.join("top_level.txt"), "legacy\n").unwrap();
        fs::create_dir_all(site.join("legacy")).unwrap();
        fs::write(site.join("legacy/__init__.py"), "OLD = True\n").unwrap();
        // Edited by hand, as guides on the net tell people to.
        fs::write(
            site.join("alpha/__init__.py"),
            "__version__ = 'mended by hand'\n",
        )
        .unwrap();
    }

    /// What a person does who is at the end of their wits.
    fn wreck(&self) {
        let (site, index) = (self.place.site_packages(), self.place.server.url());
        self.pip(&[
            "install",
            "--quiet",
            "--index-url",
            &index,
            "alpha==1.1",
            "beta==2.0",
            "gamma",
        ]);
        self.pip(&[
            "uninstall",
            "--quiet",
            "--yes",
            "vanished",
            "local",
            "plain",
            "fromgit",
            "edited",
            "direct",
        ]);
        fs::remove_dir_all(site.join("tools")).unwrap();
        fs::remove_file(self.place.root().join(".venv/bin/source-only")).ok();
        fs::remove_dir_all(site.join("legacy")).unwrap();
        fs::remove_dir_all(site.join("legacy-1.0-py3.egg-info")).unwrap();
        fs::remove_file(self.place.root().join(".venv/bin/toolbox")).unwrap();
        let _ = self
            .place
            .portenv(&["remove", "lantern", "--yes"])
            .success();
    }

    /// Every file of the environment but compiled caches and uv's lock, by path.
    fn files(&self) -> BTreeMap<String, String> {
        let mut files = tree(&self.place.root().join(".venv"));
        files.retain(|path, _| {
            !path.contains("__pycache__") && path != ".lock" && !path.ends_with('/')
        });
        files
    }

    fn forget_cache(&self) {
        fs::remove_dir_all(self.place.dir().join("cache/uv")).ok();
    }
}

/// The words by which a change says where it comes from, by package.
fn supplies(document: &Value) -> BTreeMap<String, String> {
    let changes = document["changes"].as_array().unwrap();
    let supplied = changes.iter().filter(|change| change["supply"].is_string());
    supplied
        .map(|change| {
            let word = |field: &str| change[field].as_str().unwrap().to_owned();
            (word("name"), word("supply"))
        })
        .collect()
}

#[test]
fn what_pip_installed_over_years_comes_back_byte_for_byte_without_network_or_cache() {
    let old = Old::new("all");
    let place = &old.place;
    let before = old.files();
    let adopted = place.json(0, &["init"]);
    assert_eq!(old.files(), before, "taking over changes nothing");
    // Its node has no remote; of packages everything is kept.
    assert_eq!(strings(&adopted["unrestorable"], "name"), ["lantern"]);

    old.wreck();
    assert_ne!(old.files(), before);
    old.forget_cache();
    place.server.clear_requests();
    let shown = place.json(0, &["rollback", "as found", "--offline", "--dry-run"]);
    let supplied = supplies(&shown);
    assert!(supplied.len() >= 9, "{shown}");
    assert!(
        supplied.values().all(|word| word == "store"),
        "{supplied:?}"
    );
    let _ = place
        .portenv(&["rollback", "as found", "--offline", "--yes"])
        .success();
    assert_tree_of(&old.files(), &before);
    assert!(place.server.requests().is_empty());
    assert!(place.root().join("custom_nodes/lantern/.git").is_dir());
    assert_eq!(
        place.python("import alpha; print(alpha.__version__)"),
        "mended by hand"
    );
    assert_eq!(place.python("import legacy; print(legacy.OLD)"), "True");
    assert_eq!(place.python("import edited; edited.main()"), "edited runs");
    let _ = place.portenv(&["verify", "--deep"]).success();
    // And nothing is left to do.
    let again = place.json(0, &["rollback", "as found", "--offline", "--dry-run"]);
    assert_eq!(again["status"], "nothing", "{again}");
    // Forward again, and back once more.
    let _ = place.portenv(&["undo", "--yes"]).success();
    assert_ne!(old.files(), before);
    let _ = place.portenv(&["redo", "--yes", "--offline"]).success();
    assert_tree_of(&old.files(), &before);
}

#[track_caller]
fn assert_tree_of(found: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) {
    let differs = |path: &&String| found.get(*path) != wanted.get(*path);
    let paths: Vec<&String> = found.keys().chain(wanted.keys()).filter(differs).collect();
    assert_eq!(paths, [""; 0], "these differ");
}

#[test]
fn what_only_an_index_has_is_named_before_anything_changes_offline() {
    let old = Old::new("needed");
    let place = &old.place;
    let adopted = place.json(0, &["init"]);
    assert_eq!(strings(&adopted["unrestorable"], "name"), ["lantern"]);
    old.wreck();
    let wrecked = (old.files(), place.state());
    old.forget_cache();
    let shown = place.json(0, &["rollback", "as found", "--offline", "--dry-run"]);
    let supplied = supplies(&shown);
    for name in ["alpha", "tools", "direct"] {
        assert_eq!(supplied[name], "offline", "{supplied:?}");
    }
    for name in ["vanished", "local", "plain", "fromgit", "edited", "legacy"] {
        assert_eq!(supplied[name], "store", "{supplied:?}");
    }
    let run = place
        .portenv(&["rollback", "as found", "--offline", "--yes"])
        .expect_code(3);
    for name in ["alpha 1.0", "tools 1.0", "direct 1.0"] {
        assert!(run.stderr().contains(name), "{run}");
    }
    assert!(!run.stderr().contains("vanished"), "{run}");
    assert_eq!((old.files(), place.state()), wrecked);
    assert_eq!(place.json(0, &["status"])["interrupted"], Value::Null);
    // With the network it goes back, and from then on uv's cache has what is needed.
    let _ = place.portenv(&["rollback", "as found", "--yes"]).success();
    let whole = old.files();
    let _ = place.portenv(&["undo", "--yes"]).success();
    let shown = place.json(0, &["rollback", "as found", "--offline", "--dry-run"]);
    assert_eq!(supplies(&shown)["alpha"], "cache", "{shown}");
    let _ = place
        .portenv(&["rollback", "as found", "--offline", "--yes"])
        .success();
    assert_tree_of(&old.files(), &whole);
}

#[test]
fn a_store_that_keeps_nothing_names_what_would_be_lost() {
    let old = Old::new("none");
    let place = &old.place;
    let adopted = place.json(0, &["init"]);
    let named = strings(&adopted["unrestorable"], "name");
    for name in ["vanished", "local", "plain", "edited", "legacy"] {
        assert!(named.iter().any(|it| it == name), "{name}: {named:?}");
    }
    assert!(!place.root().join(".portenv/store").exists());
    let snapshot = place.json(0, &["snapshot", "show", "@"]);
    assert_eq!(snapshot["snapshots"][0]["stored_bytes"], 0);
}

#[test]
fn a_damaged_wheel_of_the_store_is_noticed_first_and_mended_while_its_package_is_there() {
    let place = Place::synced();
    let mine = Wheel::new("mine", "1.0").build();
    place.install_behind_its_back(&mine);
    fs::remove_file(place.save(&mine)).unwrap();
    let _ = place
        .portenv(&["snapshot", "create", "--label", "with mine"])
        .success();
    let wheel = tree(&place.root().join(".portenv/store/wheels"));
    let wheel = wheel.keys().find(|path| path.ends_with(".whl")).unwrap();
    let wheel = place.root().join(".portenv/store/wheels").join(wheel);
    let whole = fs::read(&wheel).unwrap();
    let mut broken = whole.clone();
    broken[20] ^= 1;

    // About to go, it is still there to be kept once more.
    fs::write(&wheel, &broken).unwrap();
    let _ = place.portenv(&["rollback", "@~1", "--yes"]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
    assert_eq!(fs::read(&wheel).unwrap(), whole);

    fs::write(&wheel, &broken).unwrap();
    let before = place.state();
    let shown = place.json(0, &["rollback", "with mine", "--dry-run"]);
    assert_eq!(supplies(&shown)["mine"], "damaged");
    let failed = place.json(3, &["rollback", "with mine", "--yes"]);
    assert_eq!(failed["error"]["code"], "integrity");
    assert_eq!(place.state(), before);
    fs::write(&wheel, &whole).unwrap();
    let _ = place.portenv(&["rollback", "with mine", "--yes"]).success();
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0, mine 1.0");
}

#[test]
fn what_has_no_record_goes_with_its_modules_and_comes_back_whole() {
    let place = Place::synced();
    let site = place.site_packages();
    let without = site_files(&place);
    let info = site.join("legacy-1.0-py3.egg-info");
    fs::create_dir_all(&info).unwrap();
    let metadata = "Metadata-Version: 2.1\nName: legacy\nVersion: 1.0\n";
    fs::write(info.join("PKG-INFO"), metadata).unwrap();
    fs::write(info.join("top_level.txt"), "legacy\nlone\n").unwrap();
    fs::create_dir_all(site.join("legacy/deep")).unwrap();
    fs::write(site.join("legacy/deep/data.txt"), "data\n").unwrap();
    fs::write(site.join("lone.py"), "LONE = 1\n").unwrap();
    let _ = place
        .portenv(&["snapshot", "create", "--label", "legacy"])
        .success();
    let with = site_files(&place);

    let _ = place.portenv(&["rollback", "@~1", "--yes"]).success();
    assert_tree_of(&site_files(&place), &without);
    let trash = place.trash();
    assert!(
        trash.iter().any(|name| name.ends_with("no-record-legacy")),
        "{trash:?}"
    );
    let _ = place
        .portenv(&["rollback", "legacy", "--offline", "--yes"])
        .success();
    assert_tree_of(&site_files(&place), &with);
}

#[test]
fn the_store_stays_while_a_damaged_history_may_need_it() {
    let place = Place::synced();
    let mine = Wheel::new("mine", "1.0").build();
    place.install_behind_its_back(&mine);
    let _ = place.portenv(&["snapshot", "create"]).success();
    let own = place.root().join(".portenv");
    let before = tree(&own.join("store"));
    // As a salvage leaves it, of which the newer snapshots were lost.
    fs::remove_file(own.join("portenv.db")).unwrap();
    let aside = own.join("portenv.db.damaged-20260601T000000Z");
    fs::write(&aside, "what was left").unwrap();
    place.uninstall_behind_its_back("mine");
    let _ = place.portenv(&["init"]).success();
    let pruned = place.json(0, &["snapshot", "prune"]);
    assert_eq!(pruned["warnings"][0]["code"], "held-by", "{pruned}");
    let after = tree(&own.join("store"));
    assert!(
        before
            .iter()
            .all(|(path, digest)| after.get(path) == Some(digest))
    );
    fs::remove_file(aside).unwrap();
    let pruned = place.json(0, &["snapshot", "prune"]);
    assert!(
        strings(&pruned["store"], "path")
            .iter()
            .any(|path| path.ends_with(".whl"))
    );
}

/// Every file of site-packages but compiled caches.
fn site_files(place: &Place) -> BTreeMap<String, String> {
    let mut files = tree(&place.site_packages());
    files.retain(|path, _| !path.contains("__pycache__") && !path.ends_with('/'));
    files
}

#[test]
fn damage_of_the_same_size_does_not_come_back_from_the_cache() {
    let place = Place::synced();
    let path = place.site_packages().join("beta/__init__.py");
    let text = fs::read_to_string(&path).unwrap();
    // In place: where uv links from its cache, the cache is broken by this too.
    fs::write(&path, text.replace("1.0", "6.6")).unwrap();
    place.uninstall_behind_its_back("beta");
    let _ = place.portenv(&["rollback", "@", "--yes"]).success();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    let _ = place.portenv(&["verify", "--deep"]).success();
}
