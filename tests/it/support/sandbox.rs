//! A place of its own for each test: home, cache, clock, and one small ComfyUI installation.

mod environment;
mod git;
mod run;
mod tools;

use std::{
    process::{Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

use super::{Artifact, IndexServer, schema};

pub(crate) use run::Run;
pub(crate) use tools::{base_python, uv};

/// What ComfyUI's own `.gitignore` has that matters here: nodes and the environment are not its.
const GITIGNORE: &str = "\
__pycache__/\n*.py[cod]\n/output/\n/input/\n!/input/example.png\n/models/\n/temp/\n\
/custom_nodes/\n!custom_nodes/example_node.py.example\nextra_model_paths.yaml\n\
venv*/\n.venv/\n/user/\n*.log\n";

/// A temporary directory with `ComfyUI/` (the root), `home/`, `cache/` and `tmp/` in it.
///
/// Everything that tells one run or one machine from another is fixed, stepped or cleared here,
/// so a test that passes once passes always.
#[derive(Debug)]
pub(crate) struct Sandbox {
    dir: Utf8PathBuf,
    root: Utf8PathBuf,
    variables: Vec<(String, String)>,
    hosts: Vec<String>,
    /// Commands run so far: minutes of the test clock.
    ran: AtomicU32,
    /// Snapshot ids in the order of their first appearance, so that an id keeps its placeholder.
    ids: Arc<Mutex<Vec<String>>>,
    /// Removes the directory when the test ends.
    _held: TempDir,
}

impl Sandbox {
    /// Makes the directories; the installation comes with [`Sandbox::comfyui`].
    pub(crate) fn new() -> Self {
        let held = TempDir::with_prefix("portenv-").unwrap();
        // Canonical, since macOS hands out a temporary directory behind a symlink.
        let dir = Utf8PathBuf::try_from(held.path().canonicalize().unwrap()).unwrap();
        for name in ["home", "cache", "tmp", "ComfyUI"] {
            std::fs::create_dir(dir.join(name)).unwrap();
        }
        std::fs::write(dir.join("home/gitconfig"), "").unwrap();
        Self {
            root: dir.join("ComfyUI"),
            dir,
            variables: Vec::new(),
            hosts: Vec::new(),
            ran: AtomicU32::new(0),
            ids: Arc::default(),
            _held: held,
        }
    }

    /// Makes the server the default index of every run, and shows its address as `[INDEX]`.
    pub(crate) fn with_index(mut self, server: &IndexServer) -> Self {
        self.hosts.push(server.host());
        self.with_env("PORTENV_INDEX_URL", &server.url())
    }

    /// Sets a variable for every run; a later setting of the same name wins.
    pub(crate) fn with_env(mut self, name: &str, value: &str) -> Self {
        self.set_env(name, value);
        self
    }

    /// Sets a variable for the runs to come.
    pub(crate) fn set_env(&mut self, name: &str, value: &str) {
        self.variables.push((name.into(), value.into()));
    }

    /// Returns the directory that holds everything; `[SANDBOX]` in normalised text.
    pub(crate) fn dir(&self) -> &Utf8Path {
        &self.dir
    }

    /// Returns the installation, where commands run; `[ROOT]` in normalised text.
    pub(crate) fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// Returns the home of every program that runs here.
    pub(crate) fn home(&self) -> Utf8PathBuf {
        self.dir.join("home")
    }

    /// Returns `PORTENV_CACHE_DIR`.
    pub(crate) fn cache(&self) -> Utf8PathBuf {
        self.dir.join("cache/portenv")
    }

    /// Writes a file of the installation, with the directories above it.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Utf8PathBuf {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Reads a file of the installation.
    #[track_caller]
    pub(crate) fn read(&self, path: &str) -> String {
        let path = self.root.join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Writes a program that can be run at once.
    ///
    /// A child process writes it: were it this one, a program that another test starts meanwhile
    /// would inherit the open file for a moment, and running it would fail as "text file busy".
    pub(crate) fn write_executable(&self, path: &Utf8Path, text: &str) {
        let source = self.dir.join("tmp/program");
        std::fs::write(&source, text).unwrap();
        let mut command = self.program("sh");
        command.args(["-c", "cp \"$0\" \"$1\" && chmod 755 \"$1\""]);
        command.args([&source, path]);
        tools::printed(command);
    }

    /// Saves a distribution outside the installation, for commands that take a file.
    pub(crate) fn save(&self, artifact: &Artifact) -> Utf8PathBuf {
        let path = self.dir.join("downloads").join(&artifact.filename);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &artifact.bytes).unwrap();
        path
    }

    /// Makes the installation: a ComfyUI checkout in a git repository with one commit.
    pub(crate) fn comfyui(&self, requirements: &str) {
        self.write("main.py", "print(\"ComfyUI\")\n");
        self.write("comfy/__init__.py", "");
        self.write("comfyui_version.py", "__version__ = \"0.3.75\"\n");
        self.write("requirements.txt", requirements);
        self.write("custom_nodes/example_node.py.example", "");
        self.write(".gitignore", GITIGNORE);
        std::fs::create_dir_all(self.root.join("user/default")).unwrap();
        self.commit_all(&self.root, "ComfyUI 0.3.75");
    }

    /// Makes a node that is a plain directory, as one unpacked from an archive is.
    pub(crate) fn node(&self, name: &str, requirements: &str) -> Utf8PathBuf {
        let dir = self.root.join("custom_nodes").join(name);
        write_node(&dir, requirements);
        dir
    }

    /// Makes a node that is a git repository with one commit and no remote.
    pub(crate) fn git_node(&self, name: &str, requirements: &str) -> Utf8PathBuf {
        let dir = self.node(name, requirements);
        self.commit_all(&dir, "First version");
        dir
    }

    /// Makes a repository outside the installation and returns its `file://` URL.
    ///
    /// Further commits go to [`Sandbox::remote_dir`].
    pub(crate) fn git_remote(&self, name: &str, requirements: &str) -> String {
        let dir = self.remote_dir(name);
        write_node(&dir, requirements);
        self.commit_all(&dir, "First version");
        tools::file_url(&dir)
    }

    /// Returns where [`Sandbox::git_remote`] puts a repository.
    pub(crate) fn remote_dir(&self, name: &str) -> Utf8PathBuf {
        self.dir.join("remotes").join(name)
    }

    /// Runs portenv in the installation, without a terminal and with nothing to read.
    #[track_caller]
    pub(crate) fn portenv(&self, arguments: &[&str]) -> Run {
        self.finish(self.command(arguments))
    }

    /// Runs portenv in another directory: below the root, beside it, or in a second installation.
    #[track_caller]
    pub(crate) fn portenv_in(&self, dir: &Utf8Path, arguments: &[&str]) -> Run {
        let mut command = self.command(arguments);
        command.current_dir(dir);
        self.finish(command)
    }

    /// Runs portenv with text on its standard input.
    #[track_caller]
    pub(crate) fn portenv_reading(&self, input: &str, arguments: &[&str]) -> Run {
        // A file and not a pipe, so that a run that never reads can't block the test.
        let path = self.dir.join("tmp/stdin");
        std::fs::write(&path, input).unwrap();
        let mut command = self.command(arguments);
        command.stdin(std::fs::File::open(path).unwrap());
        self.finish(command)
    }

    /// Returns the prepared command unstarted, for tests that run two at once or kill one.
    ///
    /// It has taken its minute of the test clock already.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let minutes = self.ran.fetch_add(1, Ordering::Relaxed);
        let mut command = self.program(env!("CARGO_BIN_EXE_portenv"));
        command
            .args(arguments)
            .current_dir(&self.root)
            .env("PORTENV_CACHE_DIR", self.cache())
            .env("PORTENV_TEST_CLOCK", tools::instant(minutes));
        if let Some(uv) = tools::uv_if_any() {
            command.env("PORTENV_UV", uv);
        }
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Waits for a command and normalises what it printed.
    ///
    /// # Panics
    ///
    /// Panics if it asks for JSON and stdout is not one valid document.
    #[track_caller]
    pub(crate) fn finish(&self, mut command: Command) -> Run {
        let output = command.output().unwrap();
        let run = self.run_of(&output);
        if schema::asks_for_progress(&command) {
            let events = run.stderr().lines().filter(|line| line.starts_with('{'));
            events.for_each(schema::check_event);
        }
        if schema::asks_for_json(&command) {
            let stdout = String::from_utf8_lossy(&output.stdout);
            for mut next in schema::check_stdout(run.code(), &stdout, run.stderr()) {
                // The parser reads the words one after another, and shows help if all is well.
                let end = next.iter().position(|word| word == "--");
                next.insert(end.unwrap_or(next.len()), "--help".to_owned());
                let mut parsed = self.program(env!("CARGO_BIN_EXE_portenv"));
                let parsed = parsed.args(&next).output().unwrap();
                assert!(
                    parsed.status.success(),
                    "{next:?} is no command: {parsed:?}\n{run}"
                );
            }
        }
        run
    }

    /// Normalises what a command printed that the test started itself.
    pub(crate) fn run_of(&self, output: &Output) -> Run {
        Run::new(output, |text| self.normalised(text), Arc::clone(&self.ids))
    }

    /// Replaces what differs from run to run: the root, the sandbox, and addresses of servers.
    pub(crate) fn normalised(&self, text: &str) -> String {
        let mut text = text
            .replace(self.root.as_str(), "[ROOT]")
            .replace(self.dir.as_str(), "[SANDBOX]");
        for (at, host) in self.hosts.iter().enumerate() {
            let shown = if at == 0 {
                "[INDEX]".into()
            } else {
                format!("[INDEX-{}]", at + 1)
            };
            text = text.replace(host, &shown);
        }
        text
    }

    /// Returns a command with the cleared environment that every program gets here.
    fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).env_clear();
        // Without SYSTEMROOT no program opens a socket on Windows.
        for name in ["PATH", "SYSTEMROOT"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("HOME", self.home())
            .env("USERPROFILE", self.home())
            .env("TMPDIR", self.dir.join("tmp"))
            .env("LANG", "C.UTF-8")
            .env("UV_CACHE_DIR", self.dir.join("cache/uv"))
            .env("GIT_CONFIG_GLOBAL", self.home().join("gitconfig"))
            .env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }
}

fn write_node(dir: &Utf8Path, requirements: &str) {
    std::fs::create_dir_all(dir).unwrap();
    std::fs::write(dir.join("__init__.py"), "NODE_CLASS_MAPPINGS = {}\n").unwrap();
    std::fs::write(dir.join("requirements.txt"), requirements).unwrap();
}
