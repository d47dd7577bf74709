//! What an `install.py` seems to do: read, told with its lines, never run.

use portenv::requirements::script::{ActKind, read_script};

use crate::cli::place::Place;

#[track_caller]
fn check(text: &str, expected: &[(ActKind, u32)]) {
    let acts = read_script(text);
    let found: Vec<(ActKind, u32)> = acts.iter().map(|act| (act.kind, act.line)).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn each_kind_of_act_is_known_by_its_line() {
    use ActKind::{Code, Delete, Download, Git, Outside, Packages, Program};
    check("import os\n\nos.system('pip install x')", &[(Packages, 3)]);
    check(
        "subprocess.check_call([\n    sys.executable, '-m', 'pip', 'install', 'x'])",
        &[(Program, 1), (Packages, 2)],
    );
    check("run(['uv', 'pip', 'sync'])", &[(Packages, 1)]);
    check("subprocess.run(['git', 'clone', url])", &[(Git, 1)]);
    check("Repo.clone_from(url, here)", &[(Git, 1)]);
    check(
        "urllib.request.urlretrieve(u, 'model.bin')",
        &[(Download, 1)],
    );
    check("hf_hub_download(repo)", &[(Download, 1)]);
    check("download_models(here)", &[(Download, 1)]);
    check("shutil.rmtree(old)", &[(Delete, 1)]);
    check("exec(text)", &[(Code, 1)]);
    check("subprocess.run(['nvcc'])", &[(Program, 1)]);
    check(
        "target = os.path.join(here, '..', 'web')\nshutil.copytree('js', target)",
        &[(Outside, 1)],
    );
}

#[test]
fn what_only_looks_alike_is_not_told() {
    for text in [
        "# pip install x",
        "print(1)  # runs git clone",
        "\"\"\"Run pip install -r requirements.txt\nor uv.\n\"\"\"\nprint(1)",
        "'''pip'''",
        "pipeline.run()",
        "re.compile('x')",
        "model.eval()",
        "url = 'https://github.com/a/b.git'",
        "def download_models(where):",
        // It names a place outside, but writes nowhere.
        "sys.path.append(os.path.join(here, '..'))",
        "",
    ] {
        check(text, &[]);
    }
    // A sign within quotes begins no comment, and documentation ends.
    check("open('#'); os.system('pip')", &[(ActKind::Packages, 1)]);
    check("'''a''' ; import pip", &[(ActKind::Packages, 1)]);
    check("x = \"\"\"\npip install\n\"\"\"", &[(ActKind::Packages, 2)]);
}

#[test]
fn any_text_is_read_and_columns_are_those_of_the_file() {
    let acts = read_script("'''ä''' ; pip");
    assert_eq!((acts[0].line, acts[0].column), (1, 11));
    let endless = format!("{}pip", "é'\"\\".repeat(50_000));
    for text in [&endless, "'", "\"\"\"", "'''\\", "\u{feff}#", "x = '\\"] {
        let _ = read_script(text);
    }
    let many = "pip\n".repeat(10_000);
    assert_eq!(read_script(&many).len(), 100);
}

#[test]
fn the_page_names_the_lines_and_passes_no_escape_on() {
    let place = Place::synced();
    let node = place.offered("scripted", "");
    let dir = place.dir().join("offered/scripted");
    let trace = place.dir().join("ran");
    std::fs::write(
        dir.join("install.py"),
        format!(
            "import subprocess\nopen({:?}, 'w')\nsubprocess.run(['pip', 'install', '\u{1b}[2Jx'])\nrequests.get(url)\n",
            trace.as_str()
        ),
    )
    .unwrap();
    let run = place.portenv(&["preview", &node]).success();
    let page = run.stdout();
    assert!(
        page.contains("install.py changes packages (line 3), downloads (line 4)"),
        "{run}"
    );
    assert!(
        page.contains("install.py of scripted, which is not run"),
        "{run}"
    );
    assert!(
        page.contains("  line 3    changes packages  subprocess.run(['pip'"),
        "{run}"
    );
    assert!(
        page.contains("  line 4    downloads  requests.get(url)"),
        "{run}"
    );
    for form in ["text", "json", "markdown"] {
        let run = place
            .portenv(&["preview", &node, "--format", form])
            .success();
        assert!(!run.stdout().contains('\u{1b}'), "{run}");
    }
    let document = place.json(0, &["preview", &node]);
    let script = &document["scripts"][0];
    assert_eq!(
        (&script["node"], &script["file"]),
        (
            &"scripted".into(),
            &"custom_nodes/scripted/install.py".into()
        )
    );
    assert_eq!(script["acts"][1]["kind"], "download");
    assert!(!trace.exists());
}
