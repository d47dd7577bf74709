//! Everything an installation asks for, each line with its origin.

use std::collections::BTreeMap;
use std::fmt::Write;

use camino::Utf8PathBuf;
use portenv::requirements::set::{gather, gather_with};
use portenv::requirements::{OriginKind, Problem, RequirementSet, Role, Severity};
use portenv::workspace::node::read_node;
use portenv::workspace::{Installation, find_installation};

use crate::support::Sandbox;
use crate::worlds::{name, target};

fn installation(sandbox: &Sandbox) -> Installation {
    find_installation(sandbox.root(), None, None).unwrap()
}

fn gathered(sandbox: &Sandbox) -> RequirementSet {
    gather(&installation(sandbox), &BTreeMap::new()).unwrap()
}

/// Shows the lines, problems and the rest of what was gathered.
fn shown(set: &RequirementSet) -> String {
    let mut out = String::new();
    for line in &set.lines {
        let role = match &line.role {
            Role::Require => "requires".to_owned(),
            Role::Constrain => "constrains".to_owned(),
            Role::Override { reason, only_for } => format!("overrides {reason:?} {only_for:?}"),
            Role::Protect => "protects".to_owned(),
        };
        let origin = &line.origin;
        writeln!(
            out,
            "{:?} {} {} {role} {}",
            origin.kind,
            origin.owner(),
            origin.place(),
            line.requirement
        )
        .unwrap();
    }
    for entry in &set.frontend {
        writeln!(out, "frontend {} {}", entry.origin.place(), entry.text).unwrap();
    }
    for problem in &set.problems {
        let severity = if problem.severity == Severity::Error {
            "error"
        } else {
            "warning"
        };
        writeln!(out, "{severity} {} {}", problem.code, problem.shown()).unwrap();
    }
    for script in &set.install_scripts {
        let node = script.origin.owner();
        let changes = script.changes_packages;
        writeln!(out, "install.py of {node}, changes packages: {changes}").unwrap();
    }
    write!(out, "{} lines read", set.read).unwrap();
    out
}

#[test]
fn lines_of_core_nodes_and_policy_come_in_order_with_their_origin() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("torch\nnumpy>=1.25\n");
    sandbox.write("manager_requirements.txt", "comfyui_manager==4.0.2\n");
    sandbox.node("b-node", "  scipy\n-c limits.txt\n");
    sandbox.write("custom_nodes/b-node/limits.txt", "pillow<12\n");
    sandbox.node("a-node", "opencv-python\nbad=1\n");
    sandbox.node("off.disabled", "never-read\n");
    sandbox.write("custom_nodes/single.py", "import scipy\n");
    sandbox.write("custom_nodes/single/requirements.txt", "");
    sandbox.write(
        "portenv.toml",
        "[overrides]\nnumpy = { specifier = \"<2.3\", reason = \"numba\", for = [\"a-node\"] }\n  scipy = \"1.14.0\"\n[constraints]\npillow = \">=10\"\n",
    );
    insta::assert_snapshot!(shown(&gathered(&sandbox)), @r#"
    Core ComfyUI requirements.txt:1:1 requires torch
    Core ComfyUI requirements.txt:2:1 requires numpy>=1.25
    Core ComfyUI manager_requirements.txt:1:1 requires comfyui-manager==4.0.2
    Node a-node custom_nodes/a-node/requirements.txt:1:1 requires opencv-python
    Node b-node custom_nodes/b-node/requirements.txt:1:3 requires scipy
    Node b-node custom_nodes/b-node/limits.txt:1:1 constrains pillow<12
    Policy policy portenv.toml:2:1 overrides Some("numba") ["a-node"] numpy<2.3
    Policy policy portenv.toml:3:3 overrides None [] scipy==1.14.0
    Policy policy portenv.toml:5:1 constrains pillow>=10
    error invalid-requirement custom_nodes/a-node/requirements.txt:2:4: cannot read `bad=1`: `=1` is not a version specifier (write `==1`)
    8 lines read
    "#);
}

#[test]
fn paths_outside_the_root_are_shown_as_they_are() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("");
    let more = sandbox.dir().join("more/a");
    std::fs::create_dir_all(&more).unwrap();
    std::fs::write(more.join("requirements.txt"), "numpy\n").unwrap();
    let toml = format!(
        "[installation]\ncustom-nodes = [\"{}/more\"]\n",
        sandbox.dir()
    );
    sandbox.write("portenv.toml", toml);
    let set = gathered(&sandbox);
    let place = sandbox.normalised(&set.lines[0].origin.place());
    assert_eq!(place, "[SANDBOX]/more/a/requirements.txt:1:1");
}

const BOTH: &str = r#"[project]
name = "both"
dependencies = [
    "numpy>=2",
    "scipy>=1",
    "pillow",
    "markers>=2; sys_platform == 'win32'",
    "repo @ git+https://host/two",
    "comfyui-frontend-package>=1.20",
    "only-here",
]
"#;

fn node_with_both(settings: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.comfyui("");
    sandbox.node(
        "both",
        "numpy<2\nscipy<2\nmarkers<2; sys_platform == 'linux'\nrepo @ git+https://host/one\n",
    );
    sandbox.write("custom_nodes/both/pyproject.toml", BOTH);
    sandbox.write("portenv.toml", settings);
    sandbox
}

#[test]
fn of_two_files_that_contradict_each_other_requirements_txt_wins_with_a_warning() {
    let sandbox = node_with_both("");
    insta::assert_snapshot!(shown(&gathered(&sandbox)), @r#"
    Node both custom_nodes/both/requirements.txt:1:1 requires numpy<2
    Node both custom_nodes/both/requirements.txt:2:1 requires scipy<2
    Node both custom_nodes/both/requirements.txt:3:1 requires markers<2; sys_platform == 'linux'
    Node both custom_nodes/both/requirements.txt:4:1 requires repo @ git+https://host/one
    Node both custom_nodes/both/pyproject.toml:5:5 requires scipy>=1
    Node both custom_nodes/both/pyproject.toml:6:5 requires pillow
    Node both custom_nodes/both/pyproject.toml:7:5 requires markers>=2; sys_platform == 'win32'
    Node both custom_nodes/both/pyproject.toml:10:5 requires only-here
    frontend custom_nodes/both/pyproject.toml:9:5 comfyui-frontend-package>=1.20
    warning contradicting-files custom_nodes/both/pyproject.toml:4:5: `numpy>=2` contradicts `numpy<2` at custom_nodes/both/requirements.txt:1:1, which wins
    warning contradicting-files custom_nodes/both/pyproject.toml:8:5: `repo @ git+https://host/two` contradicts `repo @ git+https://host/one` at custom_nodes/both/requirements.txt:4:1, which wins
    11 lines read
    "#);
}

/// Returns the names asked for, in order.
fn names(sandbox: &Sandbox) -> Vec<String> {
    let set = gathered(sandbox);
    set.lines
        .iter()
        .map(|line| line.requirement.name.as_str().to_owned())
        .collect()
}

#[test]
fn settings_say_which_of_the_two_files_counts() {
    let listed = ["numpy", "scipy", "markers", "repo"];
    let declared = ["numpy", "scipy", "pillow", "markers", "repo", "only-here"];
    for (settings, expected) in [
        (
            "[resolve]\nnode-sources = \"requirements\"\n",
            listed.as_slice(),
        ),
        ("[resolve]\nnode-sources = \"pyproject\"\n", &declared),
        ("[nodes.Both]\nsources = \"requirements\"\n", &listed),
        (
            "[resolve]\nnode-sources = \"requirements\"\n[nodes.both]\nsources = \"pyproject\"\n",
            &declared,
        ),
        ("[nodes.both]\nignore = true\n", &[]),
    ] {
        assert_eq!(names(&node_with_both(settings)), expected, "{settings}");
    }
}

#[test]
fn a_pyproject_that_points_to_requirements_txt_says_nothing_twice() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("");
    sandbox.node("a", "numpy\nbad=1\n--extra-index-url https://host/simple\n");
    sandbox.write(
        "custom_nodes/a/pyproject.toml",
        "[project]\nname = \"a\"\ndynamic = [\"dependencies\"]\n[tool.setuptools.dynamic]\ndependencies = { file = \"requirements.txt\" }\n",
    );
    let set = gathered(&sandbox);
    assert_eq!((set.lines.len(), set.options.len(), set.read), (1, 1, 3));
    let codes: Vec<_> = set.problems.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["invalid-requirement", "index-ignored"]);
}

#[test]
fn extras_of_a_node_are_read_when_chosen() {
    for (settings, expected) in [
        ("", ["numpy"].as_slice()),
        (
            "[nodes.a]\nextras = [\"GPU\"]\n",
            &["numpy", "onnxruntime-gpu"],
        ),
        (
            "[nodes.a]\nextras = [\"all\"]\n",
            &["numpy", "scipy", "onnxruntime-gpu"],
        ),
    ] {
        let sandbox = Sandbox::new();
        sandbox.comfyui("");
        sandbox.node("a", "");
        sandbox.write(
            "custom_nodes/a/pyproject.toml",
            "[project]\nname = \"a\"\ndependencies = [\"numpy\"]\n[project.optional-dependencies]\ngpu = [\"onnxruntime-gpu\"]\nall = [\"scipy\", \"A[gpu]\", \"a[all]\"]\n",
        );
        sandbox.write("portenv.toml", settings);
        assert_eq!(names(&sandbox), expected, "{settings}");
    }
}

#[test]
fn an_index_of_a_node_is_reported_with_what_to_add_and_without_credentials() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("");
    sandbox.node(
        "a",
        "--extra-index-url https://me:secret@host/simple\n-i https://host/own\n--no-index\n--find-links https://host/page.html\n--pre\n--no-binary numpy\n--only-binary :all:\nnumpy\n",
    );
    insta::assert_snapshot!(shown(&gathered(&sandbox)), @r#"
    Node a custom_nodes/a/requirements.txt:8:1 requires numpy
    warning index-ignored custom_nodes/a/requirements.txt:1:1: `--extra-index-url https://host/simple` of `a` is not used (to use it, add to portenv.toml: index = [{ name = "NAME", url = "https://host/simple", packages = ["PACKAGE"] }])
    warning index-ignored custom_nodes/a/requirements.txt:2:1: `--index-url https://host/own` of `a` is not used (to use it, add to portenv.toml: index = [{ name = "NAME", url = "https://host/own", packages = ["PACKAGE"] }])
    warning index-ignored custom_nodes/a/requirements.txt:3:1: `--no-index` of `a` is not used
    warning index-ignored custom_nodes/a/requirements.txt:4:1: `--find-links https://host/page.html` of `a` is not used (name the file itself instead: `PACKAGE @ URL`)
    warning option-ignored custom_nodes/a/requirements.txt:5:1: `--pre` of `a` is not used (to allow pre-releases, set prerelease = "allow" under [resolve] in portenv.toml)
    warning option-ignored custom_nodes/a/requirements.txt:6:1: `--no-binary numpy` of `a` is not used
    warning option-ignored custom_nodes/a/requirements.txt:7:1: `--only-binary :all:` of `a` is not used
    8 lines read
    "#);
}

#[test]
fn the_line_to_add_for_an_index_is_one_that_the_settings_take() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("");
    sandbox.node("a", "--extra-index-url https://host/simple\n");
    let set = gathered(&sandbox);
    let fix = set.problems[0].fix.as_deref().unwrap();
    let (_, line) = fix.split_once("portenv.toml: ").unwrap();
    sandbox.write("portenv.toml", format!("{line}\n[policy]\n"));
    let index = &installation(&sandbox).settings.index[0];
    assert_eq!(index.url, "https://host/simple");
}

#[test]
fn a_line_that_only_says_where_waits_to_be_named_and_is_none_without_its_target() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("");
    let text = "-e ./inner[x] ; sys_platform == 'linux'\n./absent\nhttps://host/main.zip ; sys_platform == 'win32'\n";
    let dir = sandbox.node("a", text);
    let mut set = gathered(&sandbox);
    assert!(set.lines.is_empty() && set.errors().next().is_none());
    let mut asked = Vec::new();
    let named: Result<(), ()> = set.name_lines(&[target("linux", "3.12.0")], |place, base| {
        asked.push(place.to_owned());
        assert_eq!(base, dir);
        Ok(if place == "./inner" {
            Ok(name("inner-thing"))
        } else {
            Err("there is nothing".to_owned())
        })
    });
    assert_eq!(named, Ok(()));
    assert_eq!(asked, ["./inner", "./absent"]);
    let [line] = set.lines.as_slice() else {
        panic!("{:?}", set.lines)
    };
    assert_eq!(line.requirement.name.as_str(), "inner-thing");
    assert_eq!(line.requirement.extras.len(), 1);
    assert_eq!(line.requirement.marker.text(), "sys_platform == 'linux'");
    assert!(line.editable);
    assert_eq!(set.unnamed.len(), 2, "both are still asked for");
    let problems: Vec<String> = set.errors().map(Problem::shown).collect();
    assert_eq!(
        problems,
        ["custom_nodes/a/requirements.txt:2:1: there is nothing (write `NAME @ ./absent`)"]
    );
}

/// A link in a repository may lead to what answers for ever.
#[cfg(unix)]
#[test]
fn a_node_whose_files_are_links_to_a_device_hangs_nothing() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("");
    sandbox.node("sound", "numpy\n");
    sandbox.write("custom_nodes/hangs/__init__.py", "");
    for file in [
        "requirements.txt",
        "pyproject.toml",
        "setup.cfg",
        "install.py",
    ] {
        let link = sandbox.root().join("custom_nodes/hangs").join(file);
        std::os::unix::fs::symlink("/dev/zero", link).unwrap();
    }
    insta::assert_snapshot!(shown(&gathered(&sandbox)), @r"
    Node sound custom_nodes/sound/requirements.txt:1:1 requires numpy
    1 lines read
    ");
}

#[test]
fn an_install_script_is_reported_with_what_it_seems_to_do_and_never_run() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("");
    for (name, script) in [
        (
            "calls-pip",
            "run([sys.executable, '-m', 'pip', 'install', 'x'])",
        ),
        ("makes-a-pipeline", "pipeline.run(); open('ran', 'w')"),
    ] {
        sandbox.node(name, "");
        sandbox.write(&format!("custom_nodes/{name}/install.py"), script);
        sandbox.write(&format!("custom_nodes/{name}/setup.py"), "open('ran', 'w')");
    }
    let set = gathered(&sandbox);
    let scripts = set.install_scripts.iter();
    let found: Vec<(String, bool)> = scripts
        .map(|script| (script.origin.place(), script.changes_packages))
        .collect();
    let expected = [
        ("custom_nodes/calls-pip/install.py:1:29".to_owned(), true),
        ("custom_nodes/makes-a-pipeline/install.py".to_owned(), false),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_staged_node_is_shown_where_it_will_lie() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("");
    let here = installation(&sandbox);
    let staged: Utf8PathBuf = sandbox.dir().join("tmp/staged");
    std::fs::create_dir_all(&staged).unwrap();
    std::fs::write(staged.join("requirements.txt"), "numpy\nbad=1\n").unwrap();
    let mut node = read_node(&here.root, &staged, true, false).unwrap();
    "new".clone_into(&mut node.name);
    "custom_nodes/new".clone_into(&mut node.dir);
    let set = gather_with(&here, &[(node, staged)], &BTreeMap::new());
    assert_eq!(
        set.lines[0].origin.place(),
        "custom_nodes/new/requirements.txt:1:1"
    );
    assert_eq!(set.lines[0].origin.kind, OriginKind::Node);
    assert_eq!(
        set.problems[0].origin.place(),
        "custom_nodes/new/requirements.txt:2:4"
    );
}

#[test]
fn policy_that_cannot_be_read_is_an_error_at_its_line() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("");
    sandbox.write(
        "portenv.toml",
        "[overrides]\n  numpy = \"~=2\"\n[constraints]\n\"-x\" = \">=1\"\n",
    );
    let set = gathered(&sandbox);
    let problems: Vec<String> = set
        .errors()
        .map(portenv::requirements::Problem::shown)
        .collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[0].starts_with("portenv.toml:2:3: "),
        "{}",
        problems[0]
    );
    assert!(problems[0].ends_with("(write `~=2.0`)"), "{}", problems[0]);
    assert!(
        problems[1].starts_with("portenv.toml:4:1: "),
        "{}",
        problems[1]
    );
}

#[test]
fn an_extra_that_a_node_does_not_have_is_a_warning() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("");
    sandbox.node("a", "");
    sandbox.write(
        "custom_nodes/a/pyproject.toml",
        "[project]\nname = \"a\"\n[project.optional-dependencies]\ngpu = []\n",
    );
    sandbox.write("portenv.toml", "[nodes.a]\nextras = [\"gpo\"]\n");
    let set = gathered(&sandbox);
    assert_eq!(set.errors().count(), 0);
    let place = "custom_nodes/a/pyproject.toml:3:1";
    let expected = format!("{place}: there is no extra `gpo` in this project");
    assert_eq!(set.problems[0].shown(), expected);
}
