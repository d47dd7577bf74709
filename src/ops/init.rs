//! `init`: look around, write `portenv.toml`, record the first snapshot.

use super::context::{Context, Site};
use super::error::OpError;
use super::transaction::{heal, record_present, take_lock};
use crate::host::fs;
use crate::package::Name;
use crate::requirements::origin::show_path;
use crate::snapshot::{BaseState, Db};
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
    let site = context.site()?;
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
    let settings_path = root.join("portenv.toml");
    let written = !fs::exists(&settings_path);
    if written {
        fs::write_atomic(&settings_path, template(&site, torch.as_deref()).as_bytes())?;
    }
    // What was just written names the index of torch's builds, which are large to keep.
    let site = if written { context.site()? } else { site };
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
fn template(site: &Site, torch: Option<&str>) -> String {
    let installation = &site.installation;
    let settings = &installation.settings;
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
    // A build for one accelerator comes from the index of that accelerator only.
    let tag = torch
        .and_then(|version| version.split_once('+'))
        .map(|(_, tag)| tag)
        .filter(|tag| {
            tag.starts_with("cu") || tag.starts_with("rocm") || *tag == "cpu" || *tag == "xpu"
        });
    if let Some(tag) = tag.filter(|_| settings.index.is_empty()) {
        text.push_str(&format!(
            "\n[[index]]\nname = \"pytorch-{tag}\"\nurl = \"https://download.pytorch.org/whl/{tag}\"\npackages = [\"@torch\"]\n"
        ));
    }
    text
}
