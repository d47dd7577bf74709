//! A stand-in for uv that notes how it is called, runs the real one, and fails when told to.
//!
//! Every call that changes an environment is a step at which a real uv can fail or be killed;
//! a test walks through these steps and demands that each ends restored or marked as open.

use std::{collections::BTreeMap, fs, ops::RangeInclusive};

use camino::Utf8PathBuf;
use serde_json::{Value, json};

use super::{Sandbox, base_python, uv};

/// Python and not sh, since arguments must be logged exactly. It reads its orders from a file,
/// because portenv clears the environment that it runs uv with.
const SCRIPT: &str = r#"import json, os, pathlib, signal, subprocess, sys

orders = json.loads(pathlib.Path(ORDERS).read_text())
args = sys.argv[1:]
changes = "pip" in args and any(verb in args for verb in ("sync", "install", "uninstall"))
env = {k: v for k, v in os.environ.items() if k.startswith(("UV_", "PIP_", "VIRTUAL_ENV", "CONDA_"))}
with open(orders["log"], "a+") as log:
    log.seek(0)
    earlier = [json.loads(line) for line in log]
    call = {"args": args, "cwd": os.getcwd(), "env": env, "changes": changes}
    log.write(json.dumps(call) + "\n")
step = sum(call["changes"] for call in earlier) + 1 - orders["base"]
due = changes and orders["first"] <= step <= orders["last"]
mode = orders["mode"] if due else "Pass"

if mode == "FailBefore":
    print("error: told to fail before step %d" % step, file=sys.stderr)
    sys.exit(2)
if mode == "KillSelf":
    os.kill(os.getpid(), signal.SIGKILL)
if mode == "Pass":
    os.execv(orders["uv"], [orders["uv"], *args])

code = subprocess.call([orders["uv"], *args])
if mode == "KillParent":
    os.kill(os.getppid(), signal.SIGKILL)
    sys.exit(code)
infos = sorted(pathlib.Path(orders["venv"]).glob("[Ll]ib/**/site-packages/*.dist-info"))
for file in infos[0].iterdir() if infos else ():
    file.unlink()
print("error: told to fail within step %d" % step, file=sys.stderr)
sys.exit(2)
"#;

/// What happens at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The real uv runs, and nothing else happens.
    Pass,
    /// Exits with 2 before anything changed, as for a bad lock or a full disk.
    FailBefore,
    /// Runs the real one, empties the first `.dist-info` by name, and exits with 2: modules are
    /// there, their metadata is not. uv itself then refuses to touch that package.
    FailAfterPartial,
    /// Dies by SIGKILL before anything changed, as when memory runs out.
    KillSelf,
    /// Runs the real one and then kills the program that called it: the power cut, after which
    /// only the journal knows what was going on.
    KillParent,
}

/// One call of the stand-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// Arguments, normalised as the streams of a run are.
    pub(crate) args: Vec<String>,
    /// Working directory, normalised.
    pub(crate) cwd: String,
    /// The variables it got that can change what uv or pip does.
    pub(crate) env: BTreeMap<String, String>,
    /// Whether it is a step: `pip sync`, `pip install` or `pip uninstall`.
    pub(crate) changes: bool,
}

/// The stand-in, in the way of every uv that the sandbox's runs would use.
#[derive(Debug)]
pub(crate) struct FaultyUv {
    dir: Utf8PathBuf,
    venv: Utf8PathBuf,
}

impl FaultyUv {
    /// Puts the stand-in in place; it passes everything on until [`FaultyUv::set`] is called.
    pub(crate) fn install(sandbox: &mut Sandbox) -> Self {
        let uv = Self {
            dir: sandbox.dir().join("faulty-uv"),
            venv: sandbox.root().join(".venv"),
        };
        fs::create_dir_all(&uv.dir).unwrap();
        fs::write(uv.log(), "").unwrap();
        let script = uv.dir.join("uv.py");
        let orders = format!("ORDERS = {}\n", json!(uv.orders().as_str()));
        fs::write(&script, orders + SCRIPT).unwrap();
        let python = base_python();
        let text = format!("#!/bin/sh\nexec '{python}' -I -S -B '{script}' \"$@\"\n");
        let launcher = uv.dir.join("uv");
        sandbox.write_executable(&launcher, &text);
        sandbox.set_env("PORTENV_UV", launcher.as_str());
        uv.set(Mode::Pass, 1..=1);
        uv
    }

    /// Orders a fault for these steps, counted from 1 from now on; `1..=u64::MAX` is every step.
    pub(crate) fn set(&self, mode: Mode, steps: RangeInclusive<u64>) {
        let base = self.logged().filter(|call| call["changes"] == true).count();
        let orders = json!({
            "mode": format!("{mode:?}"),
            "first": steps.start(),
            "last": steps.end(),
            "base": base,
            "log": self.log().as_str(),
            "uv": uv().as_str(),
            "venv": self.venv.as_str(),
        });
        fs::write(self.orders(), orders.to_string()).unwrap();
    }

    /// Returns all calls so far, `--version` and other questions included.
    pub(crate) fn calls(&self, sandbox: &Sandbox) -> Vec<Call> {
        let text = |value: &Value| sandbox.normalised(value.as_str().unwrap());
        let calls = self.logged().map(|call| Call {
            args: call["args"].as_array().unwrap().iter().map(text).collect(),
            cwd: text(&call["cwd"]),
            env: (call["env"].as_object().unwrap().iter())
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
            changes: call["changes"] == true,
        });
        calls.collect()
    }

    fn logged(&self) -> impl Iterator<Item = Value> + use<> {
        let log = fs::read_to_string(self.log()).unwrap();
        let calls: Vec<_> = log.lines().map(serde_json::from_str).collect();
        calls.into_iter().map(Result::unwrap)
    }

    fn log(&self) -> Utf8PathBuf {
        self.dir.join("calls.jsonl")
    }

    fn orders(&self) -> Utf8PathBuf {
        self.dir.join("orders.json")
    }
}
