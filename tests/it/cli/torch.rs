//! torch and what hangs on it: no node moves it, and what it was built for is known.

use portenv::environment::{Distribution, Installed};
use portenv::index::IndexLocation;
use portenv::ops::backend::{BackendKind, Found, ScriptIndex, find_backend, with_index};
use portenv::ops::lock::{preferences, protected, protection_lines};
use portenv::resolve::targets::Task;
use portenv::resolve::{Options, Outcome, resolve};
use portenv::workspace::Settings;
use serde_json::Value;

use super::place::{Place, assert_fields, changes, strings, strings_of, tree};
use crate::support::Wheel;
use crate::worlds::{self, name};

/// Local labels as they occur: PyTorch's own, and of builds by others.
const LABELS: [&str; 7] = [
    "cu128",
    "rocm6.4",
    "xpu",
    "cpu",
    "gitabc",
    "cu128.nv25.1",
    "das.opt1.dtk2504",
];

/// An installation with `torch` and `torchvision` of a label, as its own index has them beside
/// newer ones. The default index has newer ones without a label, for bait.
pub(super) fn with_label(label: &str) -> Place {
    let place = Place::new();
    let pairs = [
        ("2.9.0", "0.24.0"),
        ("2.10.0", "0.25.0"),
        ("2.11.0", "0.26.0"),
    ];
    for (torch, vision) in pairs {
        place.server.add(Wheel::new("torch", torch).build());
        let needs = format!("torch=={torch}");
        let vision = Wheel::new("torchvision", vision).requires(&needs);
        place.server.add(vision.build());
    }
    for (torch, vision) in &pairs[..2] {
        let torch = format!("{torch}+{label}");
        let vision = Wheel::new("torchvision", &format!("{vision}+{label}"));
        let files = [
            Wheel::new("torch", &torch).build(),
            vision.requires(&format!("torch=={torch}")).build(),
        ];
        for file in files {
            place.server.add_to("backend", file);
        }
    }
    place.install_behind_its_back(&Wheel::new("torch", &format!("2.9.0+{label}")).build());
    let vision = Wheel::new("torchvision", &format!("0.24.0+{label}"));
    let needs = format!("torch==2.9.0+{label}");
    place.install_behind_its_back(&vision.requires(&needs).build());
    place.write("requirements.txt", "alpha\nbeta<2\ntorch\ntorchvision\n");
    place
}

/// Names the backend's index in the settings, as `init` does for labels that it knows.
pub(super) fn name_index(place: &Place) {
    let url = place.server.url_of("backend");
    place.settings(&format!(
        "[[index]]\nname = \"backend\"\nurl = \"{url}\"\npackages = [\"@torch\"]\n"
    ));
}

/// Returns the changes of torch and its companions.
pub(super) fn of_torch(document: &Value) -> Vec<String> {
    let mut lines = changes(document);
    lines.retain(|line| line.contains("torch"));
    lines
}

#[test]
fn a_node_that_is_content_with_any_torch_never_changes_it() {
    for label in LABELS {
        let place = with_label(label);
        let nodes = [
            "torch\n",
            "torch>=2\n",
            "torchvision\n",
            "torch>=2.1\ntorchvision>0.1\n",
        ];
        let mut offered: Vec<String> = (0..)
            .zip(nodes)
            .map(|(at, lines)| place.offered(&format!("node-{at}"), lines))
            .collect();
        let dir = place.offered("of-pyproject", "");
        std::fs::write(
            format!("{dir}/pyproject.toml"),
            "[project]\nname = \"n\"\nversion = \"1\"\ndependencies = [\"torch\", \"torchvision\"]\n",
        )
        .unwrap();
        offered.push(dir);
        // The index of a vendor's build is not known before the user names it.
        for is_named in [true, false] {
            if is_named {
                name_index(&place);
            } else {
                place.settings("");
            }
            for node in &offered {
                let document = place.json(0, &["preview", node]);
                assert_eq!(document["status"], "ok", "{label} {node}");
                assert_eq!(of_torch(&document), Vec::<String>::new(), "{label} {node}");
            }
        }
    }
}

#[test]
fn a_node_that_needs_another_torch_is_blocked_and_what_it_would_do_stays_in_the_index() {
    for label in LABELS {
        let place = with_label(label);
        name_index(&place);
        place.offered("greedy", "torch==2.10.0\n");
        let node = "../offered/greedy";
        let run = place.portenv(&["preview", node, "--format", "json"]);
        let run = run.expect_code(1);
        let document = run.json();
        assert_eq!(document["status"], "blocked", "{label}");
        let wanted = [
            format!("upgrade torch 2.9.0+{label} 2.10.0+{label}"),
            format!("upgrade torchvision 0.24.0+{label} 0.25.0+{label}"),
        ];
        assert_eq!(of_torch(&document), wanted);
        // One flag alone would be blocked by the other package.
        let both = "--allow-change torch --allow-change torchvision lets torch, torchvision change";
        assert!(run.stderr().contains(both), "{run}");
        let argv = strings_of(&document["next"][0]["argv"]);
        let allowed = place.json(0, &argv[1..]);
        assert_eq!(of_torch(&allowed), wanted);
        for change in allowed["changes"].as_array().unwrap() {
            if change["name"].as_str().unwrap().contains("torch") {
                assert_eq!(change["index"], place.server.url_of("backend"));
                assert_eq!(change["protected"], true);
            }
        }
        assert!(!codes(&allowed).contains(&"backend-change".to_owned()));
    }
}

#[test]
fn a_change_to_a_build_without_the_label_is_said_in_words() {
    let place = with_label("gitabc");
    let node = place.offered("greedy", "torch==2.11.0\n");
    let blocked = place.json(1, &["preview", &node]);
    assert_eq!(
        (&blocked["status"], of_torch(&blocked).len()),
        (&"blocked".into(), 2)
    );
    let found = codes(&blocked);
    assert!(found.contains(&"backend-change".to_owned()), "{found:?}");
    assert!(found.contains(&"backend-index".to_owned()), "{found:?}");
}

pub(super) fn codes(document: &Value) -> Vec<String> {
    strings(&document["warnings"], "code")
}

/// Makes what is installed of names, versions and wheel tags.
fn installed(list: &[(&str, &str, &str)]) -> Installed {
    let mut all = Installed::default();
    for (package, version, tag) in list {
        let dir = format!("/site/{package}.dist-info");
        let version = version.parse().unwrap();
        let tags = vec![(*tag).to_owned()];
        all.add(Distribution::new(name(package), version, dir.into(), tags));
    }
    all
}

const WHEEL: &str = "cp312-cp312-manylinux_2_28_x86_64";

fn backend(list: &[(&str, &str, &str)], platform: &str) -> Found {
    let platform = platform.parse().unwrap();
    find_backend(&installed(list), &platform, &[], &Settings::default()).unwrap()
}

/// Demands kind, version, label and index of a lone torch, given as one line.
#[track_caller]
fn check(version: &str, platform: &str, expected: &str) {
    let found = backend(&[("torch", version, WHEEL)], platform).backend;
    assert_eq!(shown(&found), expected);
    assert_eq!(found.wheel, [WHEEL]);
}

fn shown(found: &portenv::ops::backend::Backend) -> String {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    [
        found.kind.as_str().to_owned(),
        or_none(&found.version),
        or_none(&found.tag),
        or_none(&found.index).replace("https://download.pytorch.org/whl", "[W]"),
    ]
    .join(" ")
}

#[test]
fn the_label_of_torch_tells_backend_and_index() {
    check("2.9.1+cu128", "linux", "cuda 12.8 cu128 [W]/cu128");
    check("2.9.1+cu130", "windows", "cuda 13.0 cu130 [W]/cu130");
    check("1.10.0+cu92", "linux", "cuda 9.2 cu92 [W]/cu92");
    check("2.8.0+rocm6.4", "linux", "rocm 6.4 rocm6.4 [W]/rocm6.4");
    check(
        "2.5.1+rocm6.2.4",
        "linux",
        "rocm 6.2.4 rocm6.2.4 [W]/rocm6.2.4",
    );
    check("2.9.1+xpu", "windows", "xpu - xpu [W]/xpu");
    check("2.9.1+cpu", "linux", "cpu - cpu [W]/cpu");
    check(
        "2.3.0+cpu.cxx11.abi",
        "linux",
        "cpu - cpu.cxx11.abi [W]/cpu-cxx11-abi",
    );
    check(
        "2.11.0.dev20260101+cu130",
        "linux",
        "cuda 13.0 cu130 [W]/nightly/cu130",
    );
    for label in [
        "gitabc",
        "cu128.nv25.1",
        "das.opt1.dtk2504",
        "rocmsdk20251116",
        "cu128a",
    ] {
        let version = format!("2.9.0+{label}");
        check(&version, "linux", &format!("vendor - {label} -"));
    }
}

#[test]
fn a_torch_without_a_label_is_the_build_that_pypi_has_for_the_platform() {
    let of = |list: &[(&str, &str, &str)], platform| shown(&backend(list, platform).backend);
    let torch = ("torch", "2.9.1", WHEEL);
    let runtime = ("nvidia-cuda-runtime-cu12", "12.8.90", "py3-none-any");
    let newer = ("nvidia-cuda-runtime", "13.0.96", "py3-none-any");
    let pypi = "https://pypi.org/simple";
    assert_eq!(
        of(&[torch, runtime], "linux"),
        format!("cuda 12.8 - {pypi}")
    );
    assert_eq!(of(&[torch, newer], "linux"), format!("cuda 13.0 - {pypi}"));
    assert_eq!(of(&[torch], "linux"), format!("cuda - - {pypi}"));
    let arm = "aarch64-unknown-linux-gnu";
    assert_eq!(of(&[torch], arm), format!("cpu - - {pypi}"));
    assert_eq!(of(&[torch, newer], arm), format!("cuda 13.0 - {pypi}"));
    assert_eq!(of(&[torch], "windows"), format!("cpu - - {pypi}"));
    assert_eq!(of(&[torch], "macos"), format!("mps - - {pypi}"));
    let intel = "x86_64-apple-darwin";
    assert_eq!(of(&[torch], intel), format!("cpu - - {pypi}"));
    // PyPI takes no such wheel.
    let homemade = ("torch", "2.9.1", "cp312-cp312-linux_x86_64");
    assert_eq!(of(&[homemade, runtime], "linux"), "vendor - - -");
}

#[test]
fn amds_own_builds_are_told_from_pytorchs_by_what_lies_beside_them() {
    let found = backend(
        &[
            ("torch", "2.9.1+rocm7.1.0", WHEEL),
            ("rocm-sdk-core", "7.1.0", "py3-none-any"),
        ],
        "linux",
    );
    assert_eq!(shown(&found.backend), "vendor 7.1.0 rocm7.1.0 -");
    assert_eq!(found.warnings[0].0, "backend-index");
    let evidence = found.backend.evidence.join("\n");
    assert!(evidence.contains("rocm-sdk-core 7.1.0"), "{evidence}");
}

#[test]
fn what_does_not_fit_together_is_told() {
    let of = |list: &[(&str, &str, &str)]| -> Vec<String> {
        let found = backend(list, "linux").warnings.into_iter();
        let conflicts = found.filter(|(code, _)| *code == "backend-conflict");
        conflicts.map(|(_, message)| message).collect()
    };
    let torch = ("torch", "2.9.0+cu128", WHEEL);
    let same = ("torchvision", "0.24.0+cu128", WHEEL);
    assert_eq!(of(&[torch, same]), Vec::<String>::new());
    let [message] = of(&[torch, same, ("torchaudio", "2.9.0+cpu", WHEEL)])
        .try_into()
        .unwrap();
    assert!(
        message.starts_with("torchaudio 2.9.0+cpu was built for cpu"),
        "{message}"
    );
    assert_eq!(of(&[torch, ("torchvision", "0.24.0", WHEEL)]).len(), 1);
    assert_eq!(of(&[("torch", "2.9.0", WHEEL), same]).len(), 1);
    // Vendors label each package by its own commit.
    let vendors = ("torch", "2.9.0+gitabc", WHEEL);
    assert!(of(&[vendors, ("torchvision", "0.24.0+gitdef", WHEEL)]).is_empty());
    assert_eq!(
        of(&[vendors, ("torchvision", "0.24.0+cpu", WHEEL)]).len(),
        1
    );

    let script = |url: &str| ScriptIndex {
        file: "update/update.bat".to_owned(),
        url: url.to_owned(),
    };
    let with = |scripts: &[ScriptIndex], settings: &str| {
        let settings = Settings::parse(settings, "portenv.toml".into()).unwrap();
        let platform = "windows".parse().unwrap();
        let found = find_backend(&installed(&[torch]), &platform, scripts, &settings).unwrap();
        let codes: Vec<&str> = found.warnings.iter().map(|(code, _)| *code).collect();
        codes.join(" ")
    };
    let other = script("https://download.pytorch.org/whl/cu130");
    let fine = script("https://download.pytorch.org/whl/cu128/");
    assert_eq!(with(&[other], ""), "backend-conflict backend-index");
    assert_eq!(with(&[fine], ""), "backend-index");
    let named =
        |url: &str| format!("[[index]]\nname = \"x\"\nurl = \"{url}\"\npackages = [\"torch\"]\n");
    assert_eq!(
        with(&[], &named("https://download.pytorch.org/whl/cu128")),
        ""
    );
    assert_eq!(with(&[], &named("https://mirror.example/anything")), "");
    assert_eq!(
        with(&[], &named("https://download.pytorch.org/whl/cpu")),
        "backend-conflict"
    );
}

/// Adds the index of a `+cu128` torch to settings.
#[track_caller]
fn indexed(text: &str) -> Option<String> {
    let settings = Settings::parse(text, "portenv.toml".into()).unwrap();
    let found = backend(&[("torch", "2.9.0+cu128", WHEEL)], "linux").backend;
    let edited = with_index(text, &settings, &found).unwrap()?;
    let again = Settings::parse(&edited, "portenv.toml".into()).unwrap();
    assert_eq!(with_index(&edited, &again, &found).unwrap(), None);
    Some(edited)
}

#[test]
fn the_index_is_added_once_and_everything_else_stays_as_it_was_written() {
    let text = "# mine\n[resolve]  # why\npython-version = '3.12'\n\n[policy]\n# last\n";
    let edited = indexed(text).unwrap();
    assert!(edited.starts_with(text), "{edited}");
    insta::assert_snapshot!(&edited[text.len()..], @r#"

    # torch and its companions come from here and nowhere else.
    [[index]]
    name = "pytorch-cu128"
    url = "https://download.pytorch.org/whl/cu128"
    packages = ["@torch"]
    "#);
    let own = "[[index]]\nname = \"a\"\nurl = \"https://a.example\"\npackages = [\"@torch\"]\n";
    assert_eq!(indexed(own), None);
    assert_eq!(indexed(&own.replace("@torch", "Torch")), None);
    let inline = "index = [{ name = \"pytorch-cu128\", url = \"https://a.example\" }] # here\n";
    let edited = indexed(inline).unwrap();
    assert!(edited.contains("name = \"pytorch-cu128-2\"") && edited.ends_with("] # here\n"));
    let windows = indexed("[policy]\r\nexclude = []\r\n").unwrap();
    assert_eq!(
        windows.matches('\n').count(),
        windows.matches("\r\n").count()
    );
}

#[test]
fn init_names_the_index_of_the_build_and_keeps_to_what_the_user_wrote() {
    let place = with_label("cu128");
    place.settings("# a comment\n[policy]\nexclude = []\n");
    let before = place.read("portenv.toml");
    place.write(
        "update/update.bat",
        "@echo off\r\npython -m pip install torch --extra-index-url https://download.pytorch.org/whl/cu130 -r x\r\n",
    );
    let document = place.json(0, &["init", "--offline"]);
    let backend = &document["backend"];
    assert_fields(backend, "kind version tag wheel index evidence");
    assert_eq!(
        (&backend["kind"], &backend["version"], &backend["tag"]),
        (&"cuda".into(), &"12.8".into(), &"cu128".into())
    );
    assert_eq!(backend["index"], "https://download.pytorch.org/whl/cu128");
    assert!(!backend["evidence"].as_array().unwrap().is_empty());
    assert_eq!(codes(&document), ["backend-conflict"]);
    assert_eq!(document["written"], true);
    let after = place.read("portenv.toml");
    let index = "name = \"pytorch-cu128\"\nurl = \"https://download.pytorch.org/whl/cu128\"\npackages = [\"@torch\"]\n";
    assert_eq!(after.matches(index).count(), 1, "{after}");
    let mut lines = after.lines();
    for line in before.lines() {
        assert!(lines.any(|found| found == line), "{line} is lost: {after}");
    }

    let again = place.json(0, &["init", "--offline"]);
    assert_eq!(again["written"], false);
    assert_eq!(place.read("portenv.toml"), after);
}

#[test]
fn init_asks_for_the_index_of_a_vendors_build() {
    let place = with_label("das.opt1.dtk2504");
    let run = place
        .portenv(&["init", "--offline", "--format", "json"])
        .success();
    let document = run.json();
    assert_eq!(document["backend"]["kind"], "vendor");
    assert_eq!(document["backend"]["index"], Value::Null);
    assert_eq!(codes(&document), ["backend-index"]);
    assert!(run.stderr().contains("packages = [\"@torch\"]"), "{run}");
    assert!(!place.read("portenv.toml").contains("torch"));
    // With what the message asks for, nothing is left to say.
    name_index(&place);
    let named = place.json(0, &["init", "--offline"]);
    assert_eq!(codes(&named), Vec::<String>::new());
}

#[test]
fn a_preview_reads_the_backend_and_writes_nothing() {
    let place = with_label("cu128");
    let node = place.offered("plain", "torch\n");
    let before = tree(place.root());
    let document = place.json(0, &["preview", &node]);
    assert_eq!(codes(&document), ["backend-index"]);
    super::place::assert_tree(place.root(), &before);
}

#[test]
fn on_a_mac_a_node_cannot_move_the_torch_of_pypi() {
    let tag = "cp312-cp312-macosx_11_0_arm64";
    let here = installed(&[("torch", "2.9.1", tag), ("torchvision", "0.24.1", tag)]);
    let target = worlds::target("macos", "3.12.9");
    let found = find_backend(&here, &target.platform, &[], &Settings::default()).unwrap();
    assert_eq!(found.backend.kind, BackendKind::Mps);
    assert!(found.warnings.is_empty());
    let index = [
        "torch 2.9.1",
        "torch 2.11.0",
        "torchvision 0.24.1 -> torch==2.9.1",
        "torchvision 0.26.0 -> torch==2.11.0",
    ];
    for lines in [
        &["n: torch"][..],
        &["n: torch>=2", "m: torchvision"],
        &["n: torch==2.11.0"],
    ] {
        let world = worlds::World::new(&index, lines);
        let names = protected(&Settings::default(), &here, &[]);
        let targets = [target.clone()];
        let mut all = world.lines.clone();
        all.extend(protection_lines(&names, &here, &targets));
        let preferences = preferences(None, &here);
        let outcome = resolve(&Task {
            lines: &all,
            targets: &targets,
            options: &Options::default(),
            preferences: &preferences,
            index: &world.index,
            cancel: &portenv::progress::Cancel::default(),
        });
        let is_pinned = lines[0].contains("==");
        match outcome.unwrap() {
            Outcome::Resolved(found) => {
                assert!(!is_pinned);
                let torch = found.get(&name("torch")).unwrap();
                assert_eq!(torch.version.to_string(), "2.9.1");
            }
            Outcome::Conflicts(found) => {
                assert!(is_pinned, "{lines:?}");
                assert_eq!(found[0].packages, [name("torch")]);
            }
        }
    }
}

#[test]
fn the_companions_of_torch_share_its_index_and_others_do_not() {
    let index = IndexLocation {
        packages: vec!["@torch".to_owned()],
        ..IndexLocation::general("https://a.example")
    };
    let claimed = "torch torchvision torchaudio torchao torchcodec triton pytorch-triton \
                   pytorch-triton-rocm pytorch-triton-xpu triton-rocm rocm rocm-sdk-core";
    for package in claimed.split_whitespace() {
        assert!(index.claims(&name(package)), "{package}");
    }
    for package in [
        "torchsde",
        "torchmetrics",
        "triton-windows",
        "xformers",
        "numpy",
    ] {
        assert!(!index.claims(&name(package)), "{package}");
    }
}
