//! Which installation it is, what its nodes are, what its settings say, and which Python is its.

use camino::{Utf8Path, Utf8PathBuf};
use portenv::workspace::python::{PythonError, Surroundings};
use portenv::workspace::settings::{Build, BuildMode, NodeSources};
use portenv::workspace::{
    Installation, Layout, Node, NodeKind, PythonReason, Settings, WorkspaceError, choose_python,
    find_installation,
};

use crate::support::Sandbox;

fn put(path: &Utf8Path, content: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

fn make_dir(path: &Utf8Path) {
    std::fs::create_dir_all(path).unwrap();
}

/// Finds from a directory below the sandbox, and shows layout and root.
#[track_caller]
fn found(sandbox: &Sandbox, start: &str) -> (Layout, String) {
    let start = sandbox.dir().join(start);
    make_dir(&start);
    let found = find_installation(&start, None, None).unwrap_or_else(|error| panic!("{error}"));
    (found.layout, sandbox.normalised(found.root.as_str()))
}

fn installation(sandbox: &Sandbox) -> Installation {
    find_installation(sandbox.root(), None, None).unwrap()
}

#[test]
fn a_checkout_is_found_from_anywhere_below_it() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("numpy\n");
    for start in [
        "ComfyUI",
        "ComfyUI/custom_nodes",
        "ComfyUI/custom_nodes/x/y",
    ] {
        let expected = (Layout::Checkout, "[ROOT]".to_owned());
        assert_eq!(found(&sandbox, start), expected, "{start}");
    }
    let here = installation(&sandbox);
    assert_eq!(here.comfyui.as_deref(), Some(sandbox.root()));
    assert_eq!(here.custom_nodes, [sandbox.root().join("custom_nodes")]);
    let core = here.core().unwrap();
    assert_eq!((core.dir.as_str(), core.kind), (".", NodeKind::Git));
    assert_eq!(core.version.as_deref(), Some("0.3.75"));
    assert_eq!(
        core.commit,
        Some(sandbox.git(sandbox.root(), &["rev-parse", "HEAD"]))
    );
}

#[test]
fn the_folder_with_the_python_wins_over_the_checkout_in_it() {
    for (python, layout) in [
        ("python_embeded", Layout::Portable),
        ("python_embedded", Layout::Portable),
        ("standalone-env", Layout::Desktop),
        (".venv", Layout::Folder),
        ("venv", Layout::Folder),
    ] {
        let sandbox = Sandbox::new();
        sandbox.comfyui("numpy\n");
        make_dir(&sandbox.dir().join(python));
        let expected = (layout, "[SANDBOX]".to_owned());
        for start in ["", "ComfyUI", "ComfyUI/custom_nodes/x", python] {
            assert_eq!(found(&sandbox, start), expected, "{python}, {start}");
        }
        let here = installation(&sandbox);
        assert_eq!(here.comfyui.as_deref(), Some(sandbox.root()));
        assert_eq!(here.custom_nodes, [sandbox.root().join("custom_nodes")]);
        assert_eq!(here.core().unwrap().dir, "ComfyUI");
    }
}

#[test]
fn a_base_directory_takes_its_core_from_elsewhere() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("numpy\n");
    for name in ["base/custom_nodes", "base/user", "base/.venv"] {
        make_dir(&sandbox.dir().join(name));
    }
    let base = sandbox.dir().join("base");
    assert_eq!(found(&sandbox, "base/user").0, Layout::Base);
    assert_eq!(find_installation(&base, None, None).unwrap().comfyui, None);
    let named = find_installation(&base, None, Some(sandbox.root())).unwrap();
    assert_eq!(named.comfyui.as_deref(), Some(sandbox.root()));
    put(
        &base.join("portenv.toml"),
        "[installation]\ncomfyui = \"../ComfyUI\"\n",
    );
    let named = find_installation(&base, None, None).unwrap();
    assert_eq!(named.comfyui.as_deref(), Some(sandbox.root()));
    assert_eq!(named.custom_nodes, [base.join("custom_nodes")]);
}

#[test]
fn what_is_no_installation_is_said_with_what_it_lacks_and_what_is_near() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("numpy\n");
    match find_installation(sandbox.dir(), None, None) {
        Err(WorkspaceError::NotFound { start, below }) => {
            assert_eq!(start, sandbox.dir());
            assert_eq!(below, [sandbox.root()]);
        }
        other => panic!("{other:?}"),
    }
    let error = find_installation(sandbox.dir(), Some(sandbox.dir()), None).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("no `main.py`") && text.contains("no `comfy`"),
        "{text}"
    );
    let absent = sandbox.dir().join("absent");
    let error = find_installation(sandbox.dir(), Some(&absent), None).unwrap_err();
    assert!(error.to_string().contains("absent"), "{error}");
    let wrong_core = find_installation(sandbox.root(), None, Some(&sandbox.home()));
    assert!(matches!(wrong_core, Err(WorkspaceError::NotOne { .. })));
}

#[test]
fn several_directories_of_nodes_can_be_named() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("numpy\n");
    sandbox.node("inside", "");
    let more = sandbox.dir().join("more");
    put(&more.join("outside/__init__.py"), "");
    sandbox.write(
        "portenv.toml",
        "[installation]\ncustom-nodes = [\"custom_nodes\", \"../more\"]\n",
    );
    let dirs: Vec<String> = installation(&sandbox)
        .nodes()
        .unwrap()
        .into_iter()
        .map(|node| node.dir)
        .collect();
    assert_eq!(dirs, ["custom_nodes/inside", "../more/outside"]);
}

/// Shows a node: where, what it is called, how it came, and whether it counts.
fn shown(node: &Node) -> String {
    let enabled = if node.enabled { "enabled" } else { "disabled" };
    let version = node.version.as_deref().unwrap_or("-");
    format!(
        "{} {} {:?} {enabled} {version}",
        node.dir, node.name, node.kind
    )
}

#[test]
fn every_form_of_a_node_is_known() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("numpy\n");
    sandbox.git_node("git-node", "");
    sandbox.node("dropped", "");
    sandbox.node("old-style.disabled", "");
    sandbox.node(".disabled/new-style@1_4_0", "");
    sandbox.node(".disabled/new-style@nightly", "");
    sandbox.node(".disabled/plain", "");
    sandbox.node("quarantined._disabled", "");
    sandbox.node("registry", "");
    let pyproject = "[project]\nname = \"registry\"\nversion = \"1.4.0\"\n";
    sandbox.write("custom_nodes/registry/pyproject.toml", pyproject);
    sandbox.write("custom_nodes/registry/.tracking", "__init__.py\n");
    sandbox.node("broken-project", "");
    sandbox.write("custom_nodes/broken-project/pyproject.toml", "= oops");
    sandbox.node("named.py", "");
    for file in [
        "single.py",
        "switched-off.py.disabled",
        "websocket_image_save.py",
        "notes.txt",
        "notes.disabled",
        "__pycache__/x.pyc",
        ".disabled/__pycache__/x.pyc",
        ".git/config",
        ".DS_Store",
    ] {
        sandbox.write(&format!("custom_nodes/{file}"), "");
    }
    let nodes = installation(&sandbox).nodes().unwrap();
    let nodes: Vec<String> = nodes.iter().map(shown).collect();
    insta::assert_snapshot!(nodes.join("\n"), @r#"
    custom_nodes/broken-project broken-project Plain enabled -
    custom_nodes/dropped dropped Plain enabled -
    custom_nodes/git-node git-node Git enabled -
    custom_nodes/named.py named.py Plain enabled -
    custom_nodes/.disabled/new-style@1_4_0 new-style Plain disabled -
    custom_nodes/.disabled/new-style@nightly new-style Plain disabled -
    custom_nodes/old-style.disabled old-style Plain disabled -
    custom_nodes/.disabled/plain plain Plain disabled -
    custom_nodes/quarantined._disabled quarantined._disabled Plain enabled -
    custom_nodes/registry registry Registry enabled 1.4.0
    custom_nodes/single.py single File enabled -
    custom_nodes/switched-off.py.disabled switched-off File disabled -
    "#);
}

#[test]
fn a_git_node_tells_its_remote_commit_and_changes() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("numpy\n");
    let dir = sandbox.git_node("a", "numpy\n");
    let commit = sandbox.git(&dir, &["rev-parse", "HEAD"]);
    sandbox.git(&dir, &["remote", "add", "fork", "https://host/fork.git"]);
    sandbox.git(
        &dir,
        &["remote", "add", "origin", "https://me:secret@host/a.git"],
    );
    let read = || installation(&sandbox).nodes().unwrap().remove(0);
    let node = read();
    assert_eq!(node.url.as_deref(), Some("https://host/a.git"));
    assert_eq!((node.commit, node.dirty), (Some(commit), false));
    put(&dir.join("untracked.txt"), "");
    assert!(!read().dirty, "an untracked file is no change");
    put(&dir.join("requirements.txt"), "scipy\n");
    assert!(read().dirty);
}

#[test]
fn a_broken_repository_is_not_taken_for_the_one_around_it() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("numpy\n");
    let dir = sandbox.node("broken", "");
    make_dir(&dir.join(".git"));
    let node = installation(&sandbox).nodes().unwrap().remove(0);
    assert_eq!(
        (node.kind, node.commit, node.url),
        (NodeKind::Git, None, None)
    );
}

#[test]
fn an_installation_without_git_or_nodes_is_fine() {
    let sandbox = Sandbox::new();
    for file in ["main.py", "comfy/__init__.py", "requirements.txt"] {
        sandbox.write(file, "");
    }
    let here = installation(&sandbox);
    assert!(here.nodes().unwrap().is_empty());
    let core = here.core().unwrap();
    assert_eq!(
        (core.kind, core.commit, core.version),
        (NodeKind::Plain, None, None)
    );
}

/// Checks that the settings are refused at `place`, with all of `words` in the message.
#[track_caller]
fn check_settings(text: &str, place: &str, words: &[&str]) {
    let error = Settings::parse(text, Utf8Path::new("portenv.toml")).expect_err(text);
    let error = error.to_string();
    let expected = format!("portenv.toml:{place}: ");
    assert!(
        error.starts_with(&expected),
        "{text}\nexpected {expected}\nfound    {error}"
    );
    for word in words {
        assert!(error.contains(word), "{text}\n{error} lacks {word}");
    }
}

#[test]
fn settings_that_are_wrong_are_refused_at_their_place() {
    check_settings("oops = 1\n", "1:1", &["oops"]);
    check_settings("[resolve]\n  targts = []\n", "2:3", &["targts", "targets"]);
    check_settings(
        "[resolve]\nresolution = \"higest\"\n",
        "2:14",
        &["higest", "highest"],
    );
    check_settings("[oops]\nx = 1\n", "1:2", &["oops"]);
    check_settings("[nodes.X]\nsource = \"merge\"\n", "2:1", &["source"]);
    check_settings("[[index]]\nname = \"a\"\n", "1:1", &["url"]);
    check_settings("[[index]]\nname = \"é\"; url = \"b\"\n", "2:11", &[]);
    check_settings(
        "[overrides]\nnumpy = { specifer = \"<2\" }\n",
        "2:11",
        &["specifer", "specifier"],
    );
    check_settings("[overrides]\nnumpy = 2\n", "2:9", &["specifier"]);
    check_settings("[overrides]\nnumpy = {}\n", "2:9", &["specifier"]);
    check_settings(
        "[resolve]\nbuild = \"never\"\n",
        "2:9",
        &["never", "static"],
    );
    check_settings("[resolve]\nbuild = [1]\n", "2:10", &["string"]);
    check_settings("[check]\nPE001 = \"fatal\"\n", "2:9", &["fatal", "warn"]);
    check_settings("[policy]\nexclude = \"numpy\"\n", "2:11", &["numpy"]);
    check_settings("[[family]]\nmode = \"unify\"\n", "1:1", &["members"]);
    check_settings("a = 1\na = 2\n", "2:1", &[]);
    check_settings("[installation\n", "1:14", &[]);
}

#[test]
fn settings_say_what_is_written() {
    let text = r#"
[installation]
comfyui = "ComfyUI"
[resolve]
build = ["flash-attn"]
node-sources = "requirements"
[overrides]
numpy = "<2"
"Pillow" = { specifier = ">=10", reason = "because", for = ["X"] }
[constraints]
scipy = "<2"
[nodes."ComfyUI-X"]
extras = ["gpu"]
"#;
    let settings = Settings::parse(text, Utf8Path::new("portenv.toml")).unwrap();
    assert_eq!(
        settings.resolve.node_sources,
        Some(NodeSources::Requirements)
    );
    assert_eq!(
        settings.resolve.build,
        Some(Build::Names(vec!["flash-attn".to_owned()]))
    );
    assert_eq!(settings.node("comfyui-x").extras, ["gpu"]);
    assert!(settings.node("other").extras.is_empty());
    let places: Vec<_> = settings
        .overrides
        .keys()
        .map(|key| (key.get_ref().as_str(), settings.place(key)))
        .collect();
    assert_eq!(places, [("Pillow", (9, 1)), ("numpy", (8, 1))]);
    let [pillow] = settings.overrides["Pillow"].0.as_slice() else {
        panic!("{:?}", settings.overrides)
    };
    assert_eq!(
        (pillow.specifier.as_str(), pillow.reason.as_deref()),
        (">=10", Some("because"))
    );
    assert_eq!(pillow.only_for, ["X"]);
    let text = "[resolve]\nbuild = \"static\"\n";
    let settings = Settings::parse(text, Utf8Path::new("portenv.toml")).unwrap();
    assert_eq!(settings.resolve.build, Some(Build::Mode(BuildMode::Static)));
    assert!(Settings::parse("", Utf8Path::new("portenv.toml")).is_ok());
}

#[test]
fn settings_of_an_installation_are_refused_with_their_place() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("numpy\n");
    sandbox.write("portenv.toml", "\u{feff}[resolve]\r\ntargts = []\r\n");
    let error = find_installation(sandbox.root(), None, None).unwrap_err();
    assert!(
        error.to_string().starts_with("portenv.toml:2:1: "),
        "{error}"
    );
}

/// Makes an environment that has an interpreter, and torch if wanted.
fn environment(dir: &Utf8Path, torch: bool) {
    put(&dir.join("bin/python"), "");
    if torch {
        make_dir(&dir.join("lib/python3.12/site-packages/torch"));
    }
}

fn chosen(sandbox: &Sandbox, around: &Surroundings) -> Result<(String, PythonReason), PythonError> {
    let choice = choose_python(&installation(sandbox), None, around)?;
    Ok((sandbox.normalised(choice.path.as_str()), choice.reason))
}

#[track_caller]
fn check_python(sandbox: &Sandbox, path: &str, reason: PythonReason) {
    let found = chosen(sandbox, &Surroundings::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(found, (path.to_owned(), reason));
}

#[track_caller]
fn check_ambiguous(sandbox: &Sandbox, names: [&str; 2]) {
    let error = chosen(sandbox, &Surroundings::default()).unwrap_err();
    let text = sandbox.normalised(&error.to_string());
    assert!(matches!(error, PythonError::Ambiguous { .. }), "{text}");
    for name in names {
        assert!(text.contains(&format!("`{name}`")), "{text} lacks {name}");
    }
}

#[test]
fn the_python_goes_by_layout() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("numpy\n");
    environment(&sandbox.root().join("env"), false);
    check_python(&sandbox, "[ROOT]/env/bin/python", PythonReason::Layout);
    environment(&sandbox.root().join(".venv"), false);
    check_python(&sandbox, "[ROOT]/.venv/bin/python", PythonReason::Layout);
    // Of several only one carries torch.
    environment(&sandbox.root().join("venv"), true);
    check_python(&sandbox, "[ROOT]/venv/bin/python", PythonReason::Layout);

    let portable = Sandbox::new();
    portable.comfyui("numpy\n");
    put(&portable.dir().join("python_embeded/python.exe"), "");
    make_dir(
        &portable
            .dir()
            .join("python_embeded/Lib/site-packages/torch"),
    );
    environment(&portable.root().join("venv"), false);
    check_python(
        &portable,
        "[SANDBOX]/python_embeded/python.exe",
        PythonReason::Layout,
    );

    let desktop = Sandbox::new();
    desktop.comfyui("numpy\n");
    environment(&desktop.dir().join("standalone-env"), true);
    environment(&desktop.dir().join("envs/default"), true);
    check_python(
        &desktop,
        "[SANDBOX]/envs/default/bin/python",
        PythonReason::Layout,
    );
    environment(&desktop.root().join(".venv"), false);
    std::fs::remove_dir_all(desktop.dir().join("envs")).unwrap();
    check_python(&desktop, "[ROOT]/.venv/bin/python", PythonReason::Layout);
}

#[test]
fn two_environments_with_torch_are_an_error_that_names_both() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("numpy\n");
    environment(&sandbox.root().join(".venv"), true);
    environment(&sandbox.root().join("venv"), true);
    check_ambiguous(&sandbox, ["[ROOT]/.venv", "[ROOT]/venv"]);
}

#[test]
fn a_marker_a_start_script_or_the_log_decides_between_two() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("numpy\n");
    environment(&sandbox.root().join(".venv"), true);
    environment(&sandbox.root().join("venv"), true);
    let both = ["[ROOT]/.venv", "[ROOT]/venv"];
    let told = format!(
        "** Python executable: {}/.venv/bin/python\n",
        sandbox.root()
    );
    sandbox.write("user/comfyui.log", &told);
    check_python(&sandbox, "[ROOT]/.venv/bin/python", PythonReason::Layout);
    sandbox.write("run.sh", ". .venv/bin/activate; . venv/bin/activate\n");
    check_python(&sandbox, "[ROOT]/.venv/bin/python", PythonReason::Layout);
    std::fs::remove_file(sandbox.root().join("user/comfyui.log")).unwrap();
    check_ambiguous(&sandbox, both);
    sandbox.write("run.sh", ".\\venv\\Scripts\\activate\npython main.py\n");
    check_python(&sandbox, "[ROOT]/venv/bin/python", PythonReason::Layout);
    sandbox.write(".venv/.comfy_environment", "");
    check_python(&sandbox, "[ROOT]/.venv/bin/python", PythonReason::Layout);
}

#[test]
fn start_scripts_of_many_launchers_decide() {
    for (file, text) in [
        (
            "run.bat",
            "@echo off\r\ncall venv\\Scripts\\activate.bat\r\npython main.py\r\n",
        ),
        ("run.ps1", "& .\\venv\\Scripts\\python.exe main.py\n"),
        ("start.sh", "source \"./venv/bin/activate\"\n"),
        ("start.fish", "source venv/bin/activate.fish\n"),
        (
            "ComfyUI.command",
            "cd \"$(dirname \"$0\")\"; venv/bin/python main.py\n",
        ),
        (
            "comfyui.service",
            "[Service]\nExecStart=[ROOT]/venv/bin/python main.py\n",
        ),
        (
            "start.js",
            "params: {\n      venv: \"venv\",\n      path: \"app\",\n}\n",
        ),
        (
            "start.json",
            "{\"params\": {\n\"venv\": \"venv\",\n\"path\": \"app\"}}\n",
        ),
        ("Dockerfile", "CMD [\"venv/bin/python\", \"main.py\"]\n"),
        ("../launch.sh", "ComfyUI/venv/bin/python ComfyUI/main.py\n"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.comfyui("numpy\n");
        environment(&sandbox.root().join(".venv"), true);
        environment(&sandbox.root().join("venv"), true);
        sandbox.write(file, text.replace("[ROOT]", sandbox.root().as_str()));
        let found = chosen(&sandbox, &Surroundings::default()).map(|(path, _)| path);
        assert_eq!(found.as_deref(), Ok("[ROOT]/venv/bin/python"), "{file}");
    }
}

#[test]
fn a_script_tells_the_environment_beside_from_the_one_within() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("numpy\n");
    std::fs::rename(sandbox.root(), sandbox.dir().join("comfy")).unwrap();
    let root = sandbox.dir().join("comfy");
    environment(&root.join("venv"), true);
    environment(&sandbox.dir().join("venv"), true);
    let found = || {
        let here = find_installation(&root, None, None).unwrap();
        let choice = choose_python(&here, None, &Surroundings::default());
        choice.map(|choice| sandbox.normalised(choice.path.as_str()))
    };
    assert!(matches!(found(), Err(PythonError::Ambiguous { .. })));
    put(&root.join("run.sh"), ". ../venv/bin/activate\n");
    assert_eq!(found().as_deref(), Ok("[SANDBOX]/venv/bin/python"));
    put(&root.join("run.sh"), ". ./venv/bin/activate\n");
    assert_eq!(found().as_deref(), Ok("[SANDBOX]/comfy/venv/bin/python"));
}

#[test]
fn a_folder_of_windows_is_understood_by_its_names() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("numpy\n");
    let embedded = sandbox.dir().join("python_embeded");
    put(&embedded.join("python.exe"), "");
    make_dir(&embedded.join("Lib/site-packages/torch"));
    put(&sandbox.root().join("venv/Scripts/python.exe"), "");
    make_dir(&sandbox.root().join("venv/Lib/site-packages/torch"));
    let names = ["[SANDBOX]/python_embeded", "[ROOT]/venv"];
    check_ambiguous(&sandbox, names);
    let script = ".\\python_embeded\\python.exe -s ComfyUI\\main.py\r\n";
    put(&sandbox.dir().join("run_nvidia_gpu.bat"), script);
    put(&sandbox.dir().join("run_cpu.bat"), script);
    let python = "[SANDBOX]/python_embeded/python.exe";
    check_python(&sandbox, python, PythonReason::Layout);
    assert_eq!(installation(&sandbox).layout, Layout::Portable);
}

#[cfg(unix)]
#[test]
fn a_link_to_an_environment_is_not_a_second_one() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("numpy\n");
    environment(&sandbox.root().join("venv"), true);
    std::os::unix::fs::symlink("venv", sandbox.root().join(".venv")).unwrap();
    check_python(&sandbox, "[ROOT]/.venv/bin/python", PythonReason::Layout);
}

#[test]
fn what_is_named_wins_and_must_be_there() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("numpy\n");
    for name in [".venv", "venv"] {
        environment(&sandbox.root().join(name), true);
    }
    environment(&sandbox.root().join("mine"), false);
    sandbox.write("portenv.toml", "[installation]\npython = \"mine\"\n");
    check_python(&sandbox, "[ROOT]/mine/bin/python", PythonReason::Settings);
    let here = installation(&sandbox);
    let flag = sandbox.root().join("venv/bin/python");
    let choice = choose_python(&here, Some(&flag), &Surroundings::default()).unwrap();
    assert_eq!((choice.path, choice.reason), (flag, PythonReason::Flag));
    let absent = sandbox.root().join("absent");
    let error = choose_python(&here, Some(&absent), &Surroundings::default()).unwrap_err();
    assert_eq!(error, PythonError::Missing { path: absent });
}

#[test]
fn without_one_of_its_own_the_surroundings_are_asked() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("numpy\n");
    let error = chosen(&sandbox, &Surroundings::default()).unwrap_err();
    let text = sandbox.normalised(&error.to_string());
    assert!(
        text.contains("[ROOT]/.venv") && text.contains("PATH"),
        "{text}"
    );
    put(&sandbox.dir().join("bin/python3"), "");
    environment(&sandbox.dir().join("active"), false);
    let mut around = Surroundings {
        active: None,
        path: vec![Utf8PathBuf::from("/absent"), sandbox.dir().join("bin")],
    };
    let by_path = ("[SANDBOX]/bin/python3".to_owned(), PythonReason::Path);
    assert_eq!(chosen(&sandbox, &around), Ok(by_path));
    around.active = Some(sandbox.dir().join("active"));
    let active = (
        "[SANDBOX]/active/bin/python".to_owned(),
        PythonReason::Environment,
    );
    assert_eq!(chosen(&sandbox, &around), Ok(active));
}
