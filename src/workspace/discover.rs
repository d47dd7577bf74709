//! Finds the installation a command is about.

use camino::{Utf8Path, Utf8PathBuf};

use super::node::{Core, Node, list_nodes, read_core};
use super::settings::{Settings, SettingsError};
use crate::host::fs::{self, FsError};

/// How an installation is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// The root is the ComfyUI checkout.
    Checkout,
    /// The root is a folder that holds `ComfyUI/` and a Python.
    Folder,
    /// The root is a base directory without `main.py`.
    Base,
}

/// An installation: root, core and directories of nodes.
#[derive(Debug, Clone)]
pub struct Installation {
    /// The root.
    pub root: Utf8PathBuf,
    /// How it is laid out.
    pub layout: Layout,
    /// The core's directory, if it is known.
    pub comfyui: Option<Utf8PathBuf>,
    /// The directories of nodes.
    pub custom_nodes: Vec<Utf8PathBuf>,
    /// `portenv.toml`.
    pub settings: Settings,
}

/// Why there is no one installation to work on.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// None was found.
    #[error("no ComfyUI installation at or above `{start}`")]
    NotFound {
        /// Where the search began.
        start: Utf8PathBuf,
        /// Installations just below it.
        below: Vec<Utf8PathBuf>,
    },
    /// The directory named is none.
    #[error("`{root}` is not a ComfyUI installation: {missing}")]
    NotOne {
        /// The directory named.
        root: Utf8PathBuf,
        /// What it lacks.
        missing: String,
    },
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A file could not be read.
    #[error(transparent)]
    Read(#[from] FsError),
}

const PYTHONS: [&str; 6] = [
    "python_embeded",
    "python_embedded",
    "standalone-env",
    ".venv",
    "venv",
    "env",
];

fn is_checkout(dir: &Utf8Path) -> bool {
    fs::is_file(&dir.join("main.py"))
        && fs::is_dir(&dir.join("comfy"))
        && fs::is_file(&dir.join("requirements.txt"))
}

fn is_folder(dir: &Utf8Path) -> bool {
    is_checkout(&dir.join("ComfyUI")) && PYTHONS.iter().any(|name| fs::is_dir(&dir.join(name)))
}

fn is_base(dir: &Utf8Path) -> bool {
    fs::is_dir(&dir.join("custom_nodes"))
        && fs::is_dir(&dir.join("user"))
        && !fs::is_file(&dir.join("main.py"))
}

fn layout_of(dir: &Utf8Path) -> Option<Layout> {
    if is_folder(dir) {
        Some(Layout::Folder)
    } else if is_checkout(dir) {
        Some(Layout::Checkout)
    } else if is_base(dir)
        || (fs::is_file(&dir.join("portenv.toml")) && fs::is_dir(&dir.join("custom_nodes")))
    {
        Some(Layout::Base)
    } else {
        None
    }
}

/// Finds the installation: at `named`, else upwards from `start`.
///
/// A folder that holds the checkout and its Python wins over the checkout in it.
///
/// # Errors
///
/// Fails if there is none, or its `portenv.toml` cannot be used.
pub fn find_installation(
    start: &Utf8Path,
    named: Option<&Utf8Path>,
    core: Option<&Utf8Path>,
) -> Result<Installation, WorkspaceError> {
    let (root, layout) = match named {
        Some(root) => {
            let real = fs::canonical(root).map_err(|error| WorkspaceError::NotOne {
                root: root.to_owned(),
                missing: error.source.to_string(),
            })?;
            let layout = layout_of(&real)
                .or_else(|| {
                    (core.is_some() && fs::is_dir(&real.join("custom_nodes")))
                        .then_some(Layout::Base)
                })
                .ok_or_else(|| WorkspaceError::NotOne {
                    root: root.to_owned(),
                    missing: missing_parts(&real),
                })?;
            (real, layout)
        }
        None => find_upwards(&fs::canonical(start)?)?,
    };
    let settings = Settings::read(&root)?;
    let comfyui = match core
        .map(Utf8Path::to_owned)
        .or_else(|| settings.installation.comfyui.clone())
    {
        Some(path) => {
            let path = root.join(path);
            if !fs::is_file(&path.join("requirements.txt")) {
                return Err(WorkspaceError::NotOne {
                    root: path,
                    missing: "there is no `requirements.txt` of ComfyUI in it".to_owned(),
                });
            }
            Some(fs::canonical(&path)?)
        }
        None => match layout {
            Layout::Checkout => Some(root.clone()),
            Layout::Folder => Some(root.join("ComfyUI")),
            Layout::Base => None,
        },
    };
    let custom_nodes = match &settings.installation.custom_nodes {
        Some(named) => named.iter().map(|path| root.join(path)).collect(),
        None => match layout {
            Layout::Folder => vec![root.join("ComfyUI/custom_nodes")],
            Layout::Checkout | Layout::Base => vec![root.join("custom_nodes")],
        },
    };
    Ok(Installation {
        root,
        layout,
        comfyui,
        custom_nodes,
        settings,
    })
}

fn find_upwards(start: &Utf8Path) -> Result<(Utf8PathBuf, Layout), WorkspaceError> {
    for dir in start.ancestors() {
        if let Some(layout) = layout_of(dir) {
            // A checkout inside a portable folder belongs to the folder.
            if layout != Layout::Folder
                && let Some(parent) = dir.parent()
                && dir.file_name() == Some("ComfyUI")
                && is_folder(parent)
            {
                return Ok((parent.to_owned(), Layout::Folder));
            }
            return Ok((dir.to_owned(), layout));
        }
    }
    let below = fs::find_dir(start)
        .unwrap_or_default()
        .into_iter()
        .map(|name| start.join(name))
        .filter(|dir| layout_of(dir).is_some())
        .collect();
    Err(WorkspaceError::NotFound {
        start: start.to_owned(),
        below,
    })
}

fn missing_parts(root: &Utf8Path) -> String {
    if !fs::is_dir(root) {
        return "it is not a directory".to_owned();
    }
    let missing: Vec<&str> = ["main.py", "comfy", "requirements.txt"]
        .into_iter()
        .filter(|name| !fs::exists(&root.join(name)))
        .collect();
    format!("it has no `{}`", missing.join("`, no `"))
}

impl Installation {
    /// Reads the core; a missing one is shown as a plain directory.
    pub fn core(&self) -> Option<Core> {
        self.comfyui
            .as_ref()
            .map(|path| read_core(&self.root, path))
    }

    /// Lists all nodes of all directories.
    ///
    /// # Errors
    ///
    /// Fails if a directory cannot be read.
    pub fn nodes(&self) -> Result<Vec<Node>, FsError> {
        let mut nodes = Vec::new();
        for dir in &self.custom_nodes {
            nodes.extend(list_nodes(&self.root, dir)?);
        }
        Ok(nodes)
    }

    /// Returns the directory that new nodes go to.
    pub fn nodes_dir(&self) -> &Utf8Path {
        self.custom_nodes
            .first()
            .map_or(self.root.as_path(), Utf8PathBuf::as_path)
    }

    /// Returns portenv's own directory.
    pub fn own_dir(&self) -> Utf8PathBuf {
        self.root.join(".portenv")
    }

    /// Returns the lock's path.
    pub fn lock_path(&self) -> Utf8PathBuf {
        self.root.join("pylock.toml")
    }

    /// Lists what ComfyUI-Manager is to do at the next start, behind our back.
    pub fn startup_scripts(&self) -> Vec<String> {
        let Some(core) = self.comfyui.as_ref().or(Some(&self.root)) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for dir in [
            "user/__manager/startup-scripts",
            "user/default/ComfyUI-Manager/startup-scripts",
            "custom_nodes/ComfyUI-Manager/startup-scripts",
        ] {
            for name in fs::find_dir(&core.join(dir)).unwrap_or_default() {
                let path = core.join(dir).join(name);
                found.push(
                    path.strip_prefix(&self.root)
                        .unwrap_or(&path)
                        .as_str()
                        .replace('\\', "/"),
                );
            }
        }
        found
    }
}
