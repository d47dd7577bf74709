//! The sandbox and the stand-in uv.

use crate::support::{Call, FaultyUv, IndexServer, Mode, Run, Sandbox, Wheel};

/// Any program does to look at the environment that runs get; the real one need not exist yet.
fn shell(sandbox: &Sandbox, script: &str) -> Run {
    let prepared = sandbox.command(&[]);
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", script])
        .env_clear()
        .current_dir(sandbox.root());
    for (name, value) in prepared.get_envs() {
        command.env(name, value.unwrap());
    }
    sandbox.finish(command)
}

/// Runs the stand-in, as portenv would, on one wheel.
fn sync(sandbox: &Sandbox, wheel: Wheel) -> Run {
    let file = sandbox.save(&wheel.build());
    let python = sandbox.venv_python();
    let options = "--no-config --no-index --quiet";
    shell(
        sandbox,
        &format!(
            "echo {file} > ../tmp/r.txt; \"$PORTENV_UV\" pip sync {options} --python {python} ../tmp/r.txt; exit $?"
        ),
    )
}

#[test]
fn the_environment_is_cleared_and_the_clock_steps() {
    let server = IndexServer::empty();
    let sandbox = Sandbox::new()
        .with_index(&server)
        .with_env("PORTENV_UV", "uv");
    let _ = shell(&sandbox, "true").success();
    let variables = shell(
        &sandbox,
        "env | sort | grep -v -e ^PATH= -e ^PWD= -e ^SHLVL= -e ^_= -e ^OLDPWD=",
    );
    insta::assert_snapshot!(variables.success(), @r"
    exit code: 0
    ----- stdout -----
    GIT_CONFIG_GLOBAL=[SANDBOX]/home/gitconfig
    GIT_CONFIG_NOSYSTEM=1
    HOME=[SANDBOX]/home
    LANG=C.UTF-8
    PORTENV_CACHE_DIR=[SANDBOX]/cache/portenv
    PORTENV_INDEX_URL=http://[INDEX]/simple
    PORTENV_TEST_CLOCK=2026-06-01T00:01:00Z
    PORTENV_UV=uv
    TMPDIR=[SANDBOX]/tmp
    USERPROFILE=[SANDBOX]/home
    UV_CACHE_DIR=[SANDBOX]/cache/uv
    ----- stderr -----
    ");
    assert!(!sandbox.cache().exists());
}

#[test]
fn the_binary_runs_anywhere_and_reads_a_given_input() {
    let sandbox = Sandbox::new();
    for run in [
        sandbox.portenv(&["--version"]),
        sandbox.portenv_in(sandbox.dir(), &["--version"]),
        sandbox.portenv_reading("numpy\n", &["--version"]),
    ] {
        let run = run.success();
        assert_eq!((run.code(), run.stderr()), (0, ""));
    }
}

#[test]
fn ids_keep_their_placeholder_across_runs_and_commits_are_shown() {
    let sandbox = Sandbox::new();
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let first = shell(&sandbox, &format!("echo aaaaaaaaaaaa, {commit} >&2")).hide_ids();
    assert_eq!(first.stderr(), format!("[snapshot-1], {commit}\n"));
    let second = shell(
        &sandbox,
        "echo '{\"a\": \"bbbbbbbbbbbb\", \"b\": \"aaaaaaaaaaaa\"}'",
    );
    let shown = second.json();
    assert_eq!(
        (&shown["a"], &shown["b"]),
        (&"bbbbbbbbbbbb".into(), &"aaaaaaaaaaaa".into())
    );
    let hidden = second.hide_ids();
    assert_eq!(
        hidden.stdout(),
        "{\"a\": \"[snapshot-2]\", \"b\": \"[snapshot-1]\"}\n"
    );
}

#[test]
fn a_run_killed_by_a_signal_has_the_code_of_shells() {
    let run = shell(&Sandbox::new(), "kill -9 $$");
    let _ = run.expect_code(137);
}

#[test]
fn the_installation_is_a_clean_checkout_whose_commits_repeat() {
    let commits = [Sandbox::new(), Sandbox::new()].map(|sandbox| {
        sandbox.comfyui("torch\n");
        sandbox.git_node("ComfyUI-A", "numpy\n");
        sandbox.venv();
        assert_eq!(
            sandbox.read("custom_nodes/ComfyUI-A/requirements.txt"),
            "numpy\n"
        );
        assert_eq!(sandbox.git(sandbox.root(), &["status", "--porcelain"]), "");
        sandbox.git(sandbox.root(), &["rev-parse", "HEAD"])
    });
    assert_eq!(commits[0], commits[1]);
}

#[test]
fn a_remote_can_be_cloned_and_moves_on() {
    let sandbox = Sandbox::new();
    sandbox.comfyui("");
    let url = sandbox.git_remote("ComfyUI-A", "numpy\n");
    sandbox.git(
        sandbox.root(),
        &["clone", "--quiet", &url, "custom_nodes/ComfyUI-A"],
    );
    let tip = sandbox.commit_all(&sandbox.remote_dir("ComfyUI-A"), "Second version");
    let node = sandbox.root().join("custom_nodes/ComfyUI-A");
    sandbox.git(&node, &["pull", "--quiet"]);
    assert_eq!(sandbox.git(&node, &["rev-parse", "HEAD"]), tip);
}

#[test]
fn the_stand_in_passes_calls_on_and_notes_them() {
    let mut sandbox = Sandbox::new();
    sandbox.venv();
    let uv = FaultyUv::install(&mut sandbox);
    let _ = sync(&sandbox, Wheel::new("demo", "1.0")).success();
    assert_eq!(sandbox.installed()["demo"], "1.0");
    let calls = uv.calls(&sandbox);
    let [
        Call {
            args,
            cwd,
            env,
            changes: true,
        },
    ] = &calls[..]
    else {
        panic!("{calls:?}");
    };
    assert_eq!(args[..2], ["pip", "sync"]);
    assert_eq!(cwd, "[ROOT]");
    assert_eq!(env["UV_CACHE_DIR"], "[SANDBOX]/cache/uv");
}

#[test]
fn the_stand_in_fails_at_the_step_it_is_told() {
    let mut sandbox = Sandbox::new();
    sandbox.venv();
    let uv = FaultyUv::install(&mut sandbox);
    let _ = sync(&sandbox, Wheel::new("demo", "1.0")).success();
    uv.set(Mode::FailBefore, 2..=2);
    let _ = sync(&sandbox, Wheel::new("demo", "1.1")).success();
    let failed = sync(&sandbox, Wheel::new("demo", "1.2")).expect_code(2);
    assert_eq!(failed.stderr(), "error: told to fail before step 2\n");
    assert_eq!(sandbox.installed()["demo"], "1.1");
    let _ = sync(&sandbox, Wheel::new("demo", "1.2")).success();
    assert_eq!(sandbox.installed()["demo"], "1.2");
}

#[test]
fn the_stand_in_leaves_half_an_installation_or_dies() {
    let mut sandbox = Sandbox::new();
    sandbox.venv();
    let uv = FaultyUv::install(&mut sandbox);
    uv.set(Mode::KillSelf, 1..=u64::MAX);
    let _ = sync(&sandbox, Wheel::new("demo", "1.0")).expect_code(137);
    assert!(sandbox.installed().is_empty());

    uv.set(Mode::KillParent, 1..=1);
    let _ = sync(&sandbox, Wheel::new("demo", "1.0")).expect_code(137);
    assert_eq!(
        sandbox.python("import demo; print(demo.__version__)"),
        "1.0"
    );

    uv.set(Mode::FailAfterPartial, 1..=1);
    let _ = sync(&sandbox, Wheel::new("demo", "1.1")).expect_code(2);
    let (version, record) = &sandbox.installed_digests()["demo"];
    assert_eq!((version.as_str(), record.as_str()), ("1.1", ""));
    assert_eq!(
        sandbox.python("import demo; print(demo.__version__)"),
        "1.1"
    );
}
