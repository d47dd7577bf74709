//! `init`: look around, write `portenv.toml`, record the first snapshot.

use super::backend::{self, Backend};
use super::context::{Context, Site};
use super::error::OpError;
use super::transaction::{heal, record_present};
use super::turn::take_lock;
use crate::host::fs;
use crate::package::Name;
use crate::requirements::origin::show_path;
use crate::snapshot::{BaseState, Db};
use crate::workspace::Settings;
use crate::workspace::node::{Core, Node};
use crate::workspace::{CoreReason, Layout, PythonReason};

/// What `init` found and did.
#[derive(Debug, Clone)]
pub struct InitOutcome {
    /// The root.
    pub root: String,
    /// The core.
    pub core: Option<Core>,
    /// The Python's path.
    pub python: String,
    /// Its version.
    pub python_version: String,
    /// Why it was chosen.
    pub python_reason: String,
    /// How the installation is laid out.
    pub layout: Layout,
    /// Why this core.
    pub core_reason: &'static str,
    /// The read-only base beneath the environment.
    pub base: Option<BaseState>,
    /// The torch that is installed, with its backend's tag.
    pub torch: Option<String>,
    /// What torch was built for, and where it is from.
    pub backend: Option<Backend>,
    /// Things worth knowing: code and message.
    pub warnings: Vec<(&'static str, String)>,
    /// How many distributions there are.
    pub packages: usize,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// `portenv.toml` was written.
    pub written: bool,
    /// The newest snapshot.
    pub snapshot: String,
    /// It was made now.
    pub recorded: bool,
    /// What a rollback to it could not bring back.
    pub unrestorable: Vec<(String, String)>,
}

/// Looks around and records the first snapshot. Running it again changes nothing
/// but to record drift.
///
/// # Errors
///
/// Fails if there is no installation or Python, or nothing can be written.
pub fn run(context: &Context) -> Result<InitOutcome, OpError> {
    let mut site = context.site()?;
    let root = site.installation.root.clone();
    fs::check_writable(&root)?;
    let held = take_lock(context, &site, "init")?;
    let mut db = Db::open(&site.installation.own_dir())?;
    if let Some(head) = db.head()? {
        site.needs_known_python(&db.state_of(&head)?.python_path)?;
    }
    heal(context, &site, &mut db, &held)?;
    let installed = site.installed()?;
    let torch = Name::parse("torch")
        .and_then(|name| installed.seen().find(|found| found.name == name))
        .map(|found| found.version.to_string());
    let found = backend::of_site(&site, &installed);
    let settings_path = root.join("portenv.toml");
    let before = fs::find_text(&settings_path)?;
    let mut text = before.clone().unwrap_or_else(|| template(&site));
    if let Some(found) = &found {
        let settings = &site.installation.settings;
        if let Some(edited) = backend::with_index(&text, settings, &found.backend)? {
            text = edited;
        }
    }
    let written = before.as_deref() != Some(text.as_str());
    if written {
        let settings = Settings::parse(&text, "portenv.toml".into())
            .map_err(crate::workspace::WorkspaceError::from)?;
        fs::write_atomic(&settings_path, text.as_bytes())?;
        // What is recorded next is looked for on the index that was just named.
        site.installation.settings = settings;
    }
    let found = backend::of_site(&site, &installed);
    let (backend, warnings) = match found {
        Some(found) => (Some(found.backend), found.warnings),
        None => (None, Vec::new()),
    };
    let head = db.head()?.map(|head| head.id);
    let (state, snapshot) = record_present(context, &site, &mut db)?;
    Ok(InitOutcome {
        core: site.installation.core(),
        python: crate::requirements::origin::show_path(&root, &site.interpreter.path),
        python_version: site.target.python.to_string(),
        python_reason: site.choice.why(),
        layout: site.installation.layout,
        core_reason: site.installation.core_reason.shown(),
        base: state.base.clone(),
        torch,
        backend,
        warnings,
        packages: installed.len(),
        nodes: site.installation.nodes()?,
        written,
        recorded: head.as_deref() != Some(snapshot.as_str()),
        snapshot,
        unrestorable: state.unrestorable(),
        root: root.into_string(),
    })
}

/// A settings file that says what it could say; only what was found is in force.
fn template(site: &Site) -> String {
    let installation = &site.installation;
    let mut text = String::from(
        "# Policy of this ComfyUI installation. Every part is optional.\n\
         # portenv keeps comments and order when it edits this file.\n\n",
    );
    // What was named this once is meant for every command to come.
    let core = (installation.comfyui.as_ref())
        .filter(|_| installation.core_reason == CoreReason::Flag)
        .map(|core| ("comfyui", core));
    let python =
        (site.choice.reason == PythonReason::Flag).then_some(("python", &site.choice.path));
    let named: Vec<_> = core.into_iter().chain(python).collect();
    if !named.is_empty() {
        text.push_str("[installation]\n");
        for (key, path) in named {
            let shown = show_path(&installation.root, path);
            let mut table = toml_edit::DocumentMut::new();
            table[key] = toml_edit::value(shown);
            text.push_str(&table.to_string());
        }
        text.push('\n');
    }
    text.push_str(
        "[policy]\n\
         # These keep version, local tag and index unless --allow-change names them.\n\
         protect = [\"torch\", \"torchvision\", \"torchaudio\", \"xformers\"]\n",
    );
    text
}
