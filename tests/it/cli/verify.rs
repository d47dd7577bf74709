//! `verify`: installed files against RECORD, and `--fix`.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use camino::Utf8Path;
use serde_json::Value;

use super::place::{Place, assert_fields, assert_tree, strings, strings_of, tree};
use crate::support::Wheel;

/// Returns the problems as lines such as `changed beta beta/__init__.py`.
#[track_caller]
fn problems(document: &Value) -> Vec<String> {
    let list = document["problems"].as_array();
    let list = list.unwrap_or_else(|| panic!("{document}"));
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    list.iter()
        .map(|problem| ["kind", "package", "path"].map(|field| word(&problem[field])))
        .map(|words| words.join(" "))
        .collect()
}

fn set_time(path: &Utf8Path, time: SystemTime) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(time).unwrap();
}

/// A time before the first minute of the test clock, so many minutes after another.
fn long_ago(minutes: u64) -> SystemTime {
    // 2026-05-01T00:00:00Z
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_777_593_600 + 60 * minutes)
}

#[test]
fn what_was_just_installed_is_whole_and_looking_writes_nothing() {
    let place = Place::synced();
    let before = tree(place.root());
    for flags in [&["verify"][..], &["verify", "--deep"]] {
        let document = place.json(0, flags);
        assert_eq!(document["schema"], "portenv.verify/1");
        assert_eq!(document["status"], "pass");
        assert_eq!(problems(&document), [""; 0]);
        assert_fields(&document, "deep packages files waivers snapshot fix next");
        assert_eq!(document["packages"], 2);
        // Each has a module, METADATA and WHEEL; RECORD does not record itself.
        assert_eq!(document["files"], 6, "{document}");
    }
    assert_tree(place.root(), &before);
}

#[test]
fn a_file_that_is_gone_or_has_another_size_fails_it_and_is_mended() {
    let place = Place::synced();
    let site = place.site_packages();
    fs::remove_file(site.join("alpha/__init__.py")).unwrap();
    // In place: where uv links from its cache, the cache is broken by this too.
    fs::write(site.join("beta/__init__.py"), "broken").unwrap();
    let found = [
        "missing alpha alpha/__init__.py",
        "changed beta beta/__init__.py",
    ];
    let document = place.json(1, &["verify"]);
    assert_eq!(problems(&document), found);
    let run = place.portenv(&["verify"]).expect_code(1);
    assert!(run.stdout().contains("missing     alpha 1.1: "), "{run}");
    assert!(run.stderr().contains("portenv verify --fix"), "{run}");

    let fixed = place.json(0, &["verify", "--fix"]);
    assert_eq!(fixed["status"], "pass", "{fixed}");
    assert_eq!(
        strings(&fixed["fix"]["reinstalled"], "name"),
        ["alpha", "beta"]
    );
    let modules = "import alpha, beta; print(alpha.__version__, beta.__version__)";
    assert_eq!(place.python(modules), "1.1 1.0");
    assert_eq!(place.history()[0], fixed["fix"]["after"].as_str().unwrap());
    let kept = fixed["fix"]["kept"].as_str().unwrap();
    assert_eq!(
        place.read(&format!("{kept}/beta/beta/__init__.py")),
        "broken"
    );
    // Nothing is left to repair, so nothing is recorded.
    let again = place.json(0, &["verify", "--deep", "--fix"]);
    assert_eq!(again["fix"]["operation"], Value::Null);
    assert_eq!(place.history()[0], fixed["fix"]["after"].as_str().unwrap());
}

#[test]
fn only_reading_tells_another_content_of_the_same_size() {
    let place = Place::synced();
    let path = place.site_packages().join("beta/__init__.py");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("1.0", "6.6")).unwrap();
    let _ = place.portenv(&["verify"]).success();
    let document = place.json(1, &["verify", "--deep"]);
    assert_eq!(problems(&document), ["changed beta beta/__init__.py"]);
    let argv = strings_of(&document["next"][0]["argv"]);
    assert_eq!(argv[..4], ["portenv", "verify", "--fix", "--deep"]);
    let _ = place.portenv(&["verify", "--deep", "--fix"]).success();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn broken_metadata_is_told_and_mended() {
    let place = Place::synced();
    let site = place.site_packages();
    fs::remove_file(site.join("alpha-1.1.dist-info/METADATA")).unwrap();
    // A power cut leaves files of the right size that hold nothing.
    let metadata = site.join("beta-1.0.dist-info/METADATA");
    let zeros = vec![0; usize::try_from(fs::metadata(&metadata).unwrap().len()).unwrap()];
    fs::remove_file(&metadata).unwrap();
    fs::write(&metadata, zeros).unwrap();
    let document = place.json(1, &["verify"]);
    let found = [
        "metadata alpha alpha-1.1.dist-info/METADATA",
        "metadata beta beta-1.0.dist-info/METADATA",
    ];
    assert_eq!(problems(&document), found);
    let fixed = place.json(0, &["verify", "--fix"]);
    assert_eq!(
        strings(&fixed["fix"]["reinstalled"], "name"),
        ["alpha", "beta"]
    );
}

#[test]
fn two_of_one_name_become_the_one_that_was_recorded() {
    let place = Place::synced();
    let site = place.site_packages();
    let (old, new) = (
        site.join("beta-1.0.dist-info"),
        site.join("beta-1.7.dist-info"),
    );
    fs::create_dir(&new).unwrap();
    for entry in old.read_dir_utf8().unwrap() {
        let name = entry.unwrap().file_name().to_owned();
        let text = fs::read_to_string(old.join(&name)).unwrap();
        fs::write(
            new.join(&name),
            text.replace("beta-1.0", "beta-1.7")
                .replace("Version: 1.0", "Version: 1.7"),
        )
        .unwrap();
    }
    let document = place.json(1, &["verify"]);
    let told = problems(&document);
    assert!(
        told.contains(&"metadata beta beta-1.0.dist-info".to_owned()),
        "{told:?}"
    );
    let fixed = place.json(0, &["verify", "--fix"]);
    assert_eq!(fixed["fix"]["reinstalled"][0]["version"], "1.0", "{fixed}");
    assert_eq!(place.shown(), "alpha 1.1, beta 1.0");
}

#[test]
fn a_copy_of_metadata_that_no_record_leads_to_goes_to_the_trash() {
    let place = Place::synced();
    let site = place.site_packages();
    let (old, copy) = (
        site.join("beta-1.0.dist-info"),
        site.join("beta-0.1.dist-info"),
    );
    fs::create_dir(&copy).unwrap();
    for part in ["METADATA", "RECORD", "WHEEL"] {
        fs::copy(old.join(part), copy.join(part)).unwrap();
    }
    let fixed = place.json(0, &["verify", "--fix"]);
    assert!(!copy.exists() && old.exists());
    let moved = strings(&fixed["fix"]["moved"], "from");
    assert!(moved[0].ends_with("/beta-0.1.dist-info"), "{moved:?}");
    assert_eq!(place.python("import beta; print(beta.__version__)"), "1.0");
}

#[test]
fn what_an_installer_left_over_goes_to_the_trash() {
    let place = Place::synced();
    let site = place.site_packages();
    for name in ["~eta/__init__.py", "~eta-1.0.dist-info/METADATA"] {
        fs::create_dir_all(site.join(name).parent().unwrap()).unwrap();
        fs::write(site.join(name), "").unwrap();
    }
    let found = ["metadata beta ~eta", "metadata beta ~eta-1.0.dist-info"];
    assert_eq!(problems(&place.json(1, &["verify"])), found);
    let fixed = place.json(0, &["verify", "--fix"]);
    assert_eq!(strings(&fixed["fix"]["reinstalled"], "name"), [""; 0]);
    assert!(!site.join("~eta").exists());
    let trash = place.trash();
    assert!(trash.len() == 2 && trash[0].ends_with("-~eta"), "{trash:?}");
}

#[test]
fn packages_that_own_the_same_files_are_one_problem_with_the_one_that_won() {
    let place = Place::synced();
    let shared = |name: &str, text: &str| {
        Wheel::new(name, "1.0")
            .file("cv/__init__.py", text)
            .file("cv/data.py", format!("{text} = 1\n"))
            .file("cv/empty.py", "")
            .file("tests/__init__.py", text)
            .build()
    };
    place.install_behind_its_back(&shared("cv-full", "full"));
    place.install_behind_its_back(&shared("cv-headless", "headless"));
    let document = place.json(1, &["verify"]);
    assert_eq!(problems(&document), ["shared cv-full -"], "{document}");
    let problem = &document["problems"][0];
    assert_eq!(problem["others"][0], "cv-headless");
    let message = problem["message"].as_str().unwrap();
    assert!(
        message.contains("what is there is of cv-headless"),
        "{message}"
    );
    assert!(message.contains("cv/__init__.py, cv/data.py"), "{message}");
    assert!(
        !message.contains("empty"),
        "the same content harms nobody: {message}"
    );
}

#[test]
fn a_mixture_of_two_packages_becomes_one_of_them() {
    let place = Place::synced();
    let build = |name: &str, text: &str| {
        Wheel::new(name, "1.0")
            .file("cv2/__init__.py", text)
            .file("cv2/version.py", format!("{text} = 1\n"))
            .build()
    };
    let headless = build("opencv-python-headless", "headless");
    place.install_behind_its_back(&build("opencv-python", "full"));
    let module = place.site_packages().join("cv2/__init__.py");
    let of_full = fs::read(&module).unwrap();
    place.install_behind_its_back(&headless);
    fs::remove_file(&module).unwrap();
    fs::write(&module, of_full).unwrap();
    let document = place.json(1, &["verify"]);
    let problem = &document["problems"][0];
    assert_eq!(problems(&document), ["shared opencv-python -"]);
    assert!(
        problem["message"].as_str().unwrap().contains("a mixture"),
        "{problem}"
    );
    assert_eq!(strings_of(&document["next"][0]["argv"])[2], "--fix");
    // That both are there is for the user to decide; what is there is whole again.
    let fixed = place.json(1, &["verify", "--fix"]);
    assert_eq!(
        strings(&fixed["fix"]["reinstalled"], "name"),
        ["opencv-python"]
    );
    let problem = &fixed["problems"][0];
    assert!(
        problem["message"]
            .as_str()
            .unwrap()
            .ends_with("of opencv-python"),
        "{problem}"
    );
    assert_eq!(problem["fixable"], false);
}

#[test]
fn tests_that_packages_install_beside_their_modules_fail_nothing() {
    let place = Place::synced();
    for name in ["one", "two"] {
        let wheel = Wheel::new(name, "1.0")
            .file(&format!("{name}/__init__.py"), "")
            .file("tests/__init__.py", name.repeat(2))
            .file("LICENSE", name);
        place.install_behind_its_back(&wheel.build());
    }
    let document = place.json(0, &["verify"]);
    assert_eq!(problems(&document), ["shared one -"]);
    assert_eq!(document["problems"][0]["fails"], false);
}

#[test]
fn an_unmet_requirement_fails_it_unless_the_lock_waives_it() {
    let place = Place::new();
    place.node("some-node", "gamma\nneedy\n");
    let needy = Wheel::new("needy", "1.0")
        .requires("delta>=9")
        .requires("nothing; sys_platform == 'nowhere'")
        .requires("more; extra == 'extra'")
        .build();
    place.server.add(needy.clone());
    for wheel in [
        Wheel::new("alpha", "1.1").build(),
        Wheel::new("beta", "1.0").build(),
        Wheel::new("gamma", "1.0").requires("delta>=1").build(),
        Wheel::new("delta", "2.0").build(),
        needy,
    ] {
        place.install_behind_its_back(&wheel);
    }
    let document = place.json(1, &["verify"]);
    assert_eq!(problems(&document), ["unmet needy -"], "{document}");
    let message = document["problems"][0]["message"].as_str().unwrap();
    assert_eq!(
        message,
        "needy 1.0 asks for delta>=9, delta 2.0 is installed"
    );

    // An override is the user's own word.
    place.settings("[overrides]\ndelta = { specifier = \"<9\", reason = \"it works\" }\n");
    assert_eq!(problems(&place.json(0, &["verify"])), [""; 0]);
    place.settings("");
    // It was so before anybody locked, so the lock lets it be.
    let _ = place.portenv(&["lock"]).success();
    let document = place.json(0, &["verify"]);
    assert_eq!(problems(&document), [""; 0]);
    assert_eq!(strings(&document["waivers"], "asker"), ["needy"]);
    let run = place.portenv(&["verify"]).success();
    assert!(run.stdout().contains("1 requirement not met"), "{run}");
}

/// Installs a package of two modules behind portenv's back, edits one by hand, and has it
/// recorded so.
fn edited_by_hand(place: &Place) -> camino::Utf8PathBuf {
    let mine = Wheel::new("mine", "1.0")
        .file("mine/__init__.py", "edited = False\n")
        .file("mine/other.py", "other = 1\n");
    place.install_behind_its_back(&mine.build());
    let path = place.site_packages().join("mine/__init__.py");
    fs::remove_file(&path).unwrap();
    fs::write(&path, "edited = True\n").unwrap();
    // A person takes longer than the tick of a file system's clock.
    let record = place.site_packages().join("mine-1.0.dist-info/RECORD");
    let installed = fs::metadata(record).unwrap().modified().unwrap();
    set_time(&path, installed + Duration::from_secs(1));
    let _ = place.portenv(&["snapshot", "create"]).success();
    path
}

#[test]
fn a_local_patch_fails_nothing_and_is_never_repaired_away() {
    let place = Place::synced();
    let path = edited_by_hand(&place);
    let document = place.json(0, &["verify"]);
    assert_eq!(problems(&document), ["changed mine mine/__init__.py"]);
    assert_eq!(document["problems"][0]["fails"], false);
    let message = document["problems"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("a local patch, which is kept"),
        "{message}"
    );

    // Another file of the same package is damaged: that is mended, and the patch put back.
    let other = place.site_packages().join("mine/other.py");
    fs::remove_file(&other).unwrap();
    let fixed = place.json(0, &["verify", "--fix"]);
    assert_eq!(strings(&fixed["fix"]["reinstalled"], "name"), ["mine"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "edited = True\n");
    assert_eq!(fs::read_to_string(&other).unwrap(), "other = 1\n");
    assert_eq!(problems(&fixed), ["changed mine mine/__init__.py"]);

    // The patch itself, edited once more, is what nobody recorded.
    fs::remove_file(&path).unwrap();
    fs::write(&path, "edited = 'twice'\n").unwrap();
    let document = place.json(1, &["verify"]);
    assert_eq!(document["problems"][0]["fails"], true);
}

#[test]
fn damage_is_no_patch_however_many_snapshots_follow_it() {
    let place = Place::synced();
    let path = place.site_packages().join("beta/__init__.py");
    fs::remove_file(&path).unwrap();
    fs::write(&path, "cut sho").unwrap();
    let history = place.history().len();
    for name in ["mine", "yours"] {
        place.install_behind_its_back(&Wheel::new(name, "1.0").build());
        let _ = place.portenv(&["snapshot", "create"]).success();
    }
    assert_eq!(place.history().len(), history + 2);
    let document = place.json(1, &["verify"]);
    assert_eq!(problems(&document), ["changed beta beta/__init__.py"]);
    assert_eq!(document["problems"][0]["fails"], true);
    let fixed = place.json(0, &["verify", "--fix"]);
    assert_eq!(strings(&fixed["fix"]["reinstalled"], "name"), ["beta"]);
}

#[test]
fn what_can_be_had_nowhere_is_named_and_the_rest_is_mended() {
    let place = Place::synced();
    let site = place.site_packages();
    let (mine, gone) = (
        Wheel::new("mine", "1.0").build(),
        Wheel::new("gone", "1.0").build(),
    );
    place.install_behind_its_back(&mine);
    place.install_behind_its_back(&gone);
    for name in ["mine", "gone", "alpha"] {
        fs::remove_file(site.join(name).join("__init__.py")).unwrap();
    }
    fs::remove_file(place.save(&gone)).unwrap();
    let fixed = place.json(1, &["verify", "--fix"]);
    assert_eq!(problems(&fixed), ["missing gone gone/__init__.py"]);
    assert_eq!(
        strings(&fixed["fix"]["reinstalled"], "name"),
        ["alpha", "mine"]
    );
    assert_eq!(strings(&fixed["fix"]["left"], "package"), ["gone"]);
    assert!(site.join("alpha/__init__.py").exists() && site.join("mine/__init__.py").exists());
}

#[test]
fn a_repair_that_fails_leaves_everything_as_it_was() {
    let place = Place::synced();
    let site = place.site_packages();
    fs::remove_file(site.join("alpha/__init__.py")).unwrap();
    place.server.remove("alpha-1.1-py3-none-any.whl");
    fs::remove_dir_all(place.dir().join("cache/uv")).unwrap();
    let before = place.state();
    let fails = || {
        let run = place.portenv(&["verify", "--fix", "--format", "json"]);
        assert!(matches!(run.code(), 3 | 4), "{run}");
        let status = place.json(0, &["status"]);
        assert_eq!(status["interrupted"], Value::Null);
    };
    fails();
    assert_eq!(place.state(), before);
    // Metadata that is not whole is put back as it was, and not mended on the way back.
    for part in ["METADATA", "RECORD"] {
        fs::remove_file(site.join("alpha-1.1.dist-info").join(part)).unwrap();
        let before = tree(&site);
        fails();
        assert_tree(&site, &before);
    }
}

#[test]
fn what_a_repair_replaces_is_read_first_however_quickly_it_looked() {
    let place = Place::synced();
    let site = place.site_packages();
    let path = site.join("beta/__init__.py");
    let text = fs::read_to_string(&path).unwrap();
    let edited = text.replace("1.0", "6.6");
    fs::remove_file(&path).unwrap();
    fs::write(&path, &edited).unwrap();
    fs::remove_file(site.join("beta-1.0.dist-info/WHEEL")).unwrap();
    let fixed = place.json(0, &["verify", "--fix"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    let kept = fixed["fix"]["kept"].as_str().unwrap();
    assert_eq!(place.read(&format!("{kept}/beta/beta/__init__.py")), edited);
}

#[test]
fn what_is_mended_stays_whole_when_it_is_installed_from_the_cache_again() {
    let place = Place::synced();
    let path = place.site_packages().join("beta/__init__.py");
    let text = fs::read_to_string(&path).unwrap();
    // In place: where uv links from its cache, the cache is broken by this too.
    fs::write(&path, text.replace("1.0", "6.6")).unwrap();
    let _ = place.portenv(&["verify", "--deep", "--fix"]).success();
    let _ = place.portenv(&["rollback", "as found", "--yes"]).success();
    assert_eq!(place.shown(), "");
    let _ = place.portenv(&["undo", "--yes"]).success();
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    let _ = place.portenv(&["verify", "--deep"]).success();
}

#[test]
fn what_could_not_be_mended_is_no_patch_because_the_rest_was() {
    let place = Place::synced();
    let site = place.site_packages();
    let gone = Wheel::new("gone", "1.0").build();
    place.install_behind_its_back(&gone);
    let shown = place.json(0, &["snapshot", "create"]);
    fs::remove_file(place.save(&gone)).unwrap();
    fs::remove_dir_all(place.root().join(".portenv/store")).unwrap();
    fs::remove_file(site.join("alpha/__init__.py")).unwrap();
    // Broken after the snapshot, and before the next.
    let time = shown["snapshots"][0]["time"].as_str().unwrap();
    let time: jiff::Timestamp = time.parse().unwrap();
    let path = site.join("gone/__init__.py");
    fs::remove_file(&path).unwrap();
    fs::write(&path, "").unwrap();
    set_time(&site.join("gone-1.0.dist-info/RECORD"), long_ago(0));
    set_time(&path, SystemTime::from(time) + Duration::from_secs(1));
    let fixed = place.json(1, &["verify", "--fix"]);
    assert_eq!(strings(&fixed["fix"]["reinstalled"], "name"), ["alpha"]);
    assert_eq!(strings(&fixed["fix"]["left"], "package"), ["gone"]);
    assert_eq!(problems(&fixed), ["changed gone gone/__init__.py"]);
    assert_eq!(fixed["problems"][0]["fails"], true);
}
