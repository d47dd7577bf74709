//! `init`: look around, write `portenv.toml`, record the first snapshot.

use super::backend::{self, Backend};
use super::context::Context;
use super::error::OpError;
use super::transaction::{heal, record_present, take_lock};
use crate::host::fs;
use crate::package::Name;
use crate::snapshot::Db;
use crate::workspace::Settings;
use crate::workspace::node::{Core, Node};

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
    pub python_reason: &'static str,
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
    heal(context, &site, &mut db, &held)?;
    let installed = site.installed()?;
    let torch = Name::parse("torch")
        .and_then(|name| installed.get(&name))
        .map(|found| found.version.to_string());
    let found = backend::of_site(&site, &installed);
    let settings_path = root.join("portenv.toml");
    let before = fs::find_text(&settings_path)?;
    let mut text = before.clone().unwrap_or_else(|| TEMPLATE.to_owned());
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
        python_reason: site.choice.reason.shown(),
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
const TEMPLATE: &str = "\
# Policy of this ComfyUI installation. Every part is optional.
# portenv keeps comments and order when it edits this file.

[policy]
# These keep version, local tag and index unless --allow-change names them.
protect = [\"torch\", \"torchvision\", \"torchaudio\", \"xformers\"]
";
