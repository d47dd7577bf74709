//! The throw-away installation of the tour.

use camino::{Utf8Path, Utf8PathBuf};
use url::Url;

use super::context::Context;
use super::error::OpError;
use super::inputs::ResolveFlags;
use crate::host::fs;
use crate::host::process::Call;
use crate::package::target::MachineFacts;
use crate::package::{Platform, Target, Version, WheelName};
use crate::uv::{Search, Uv, UvError, find_uv};
use crate::workspace::Settings;
use crate::workspace::python::interpreter_in;

macro_rules! demo_file {
    ($path:literal) => {
        ($path, include_bytes!(concat!("../../corpus/demo/", $path)))
    };
}

/// The wheels, as an index would have them.
const WHEELS: [(&str, &[u8]); 7] = [
    demo_file!("wheels/tour_tensor-1.9.0-py3-none-any.whl"),
    demo_file!("wheels/tour_tensor-2.0.0-py3-none-any.whl"),
    demo_file!("wheels/tour_tensor-2.1.0-py3-none-any.whl"),
    demo_file!("wheels/tour_image-10.4.0-py3-none-any.whl"),
    demo_file!("wheels/tour_image-11.0.0-py3-none-any.whl"),
    demo_file!("wheels/tour_filters-0.8.0-py3-none-any.whl"),
    demo_file!("wheels/tour_masks-3.2.0-py3-none-any.whl"),
];
const REQUIREMENTS: &[u8] = include_bytes!("../../corpus/demo/requirements.txt");
const NODES: [(&str, &[u8]); 2] = [
    (
        "soft-light/requirements.txt",
        include_bytes!("../../corpus/demo/nodes/soft-light/requirements.txt"),
    ),
    (
        "deep-mask/requirements.txt",
        include_bytes!("../../corpus/demo/nodes/deep-mask/requirements.txt"),
    ),
];

/// A throw-away installation and how to run commands in it.
pub struct Tour {
    /// Its root.
    pub root: Utf8PathBuf,
    /// Variables for every command.
    pub variables: Vec<(&'static str, String)>,
    /// What breaks it, as a person would type it.
    pub breakage_shown: String,
    uv: Uv,
    wheel: Utf8PathBuf,
    python: Utf8PathBuf,
}

impl Tour {
    /// Returns the call that changes the environment behind everyone's back.
    pub fn breakage(&self) -> Call {
        self.uv
            .call()
            .args([
                "pip",
                "install",
                "--no-config",
                "--color",
                "never",
                "--no-deps",
                "--no-index",
                "--offline",
            ])
            .args(["--python", self.python.as_str(), self.wheel.as_str()])
    }
}

/// Makes the installation under `base`, which must be empty or new.
///
/// # Errors
///
/// Fails if files cannot be written, or there is neither uv nor a way to fetch it.
pub fn prepare(context: &Context, base: &Utf8Path) -> Result<Tour, OpError> {
    if !fs::find_dir(base)?.is_empty() {
        return Err(OpError::Usage(format!("`{base}` is not empty")));
    }
    fs::create_dir_all(base)?;
    let base = fs::canonical(base)?;
    let root = base.join("ComfyUI");
    for (name, bytes) in WHEELS {
        let filename = name.trim_start_matches("wheels/");
        let project = WheelName::parse(filename)
            .map(|wheel| wheel.name.to_string())
            .unwrap_or_default();
        fs::write_atomic(&base.join("index").join(project).join(filename), bytes)?;
    }
    for dir in ["comfy", "custom_nodes", "user"] {
        fs::create_dir_all(&root.join(dir))?;
    }
    fs::write_atomic(&root.join("main.py"), b"# ComfyUI starts here.\n")?;
    fs::write_atomic(
        &root.join("comfyui_version.py"),
        b"__version__ = \"0.33.0\"\n",
    )?;
    fs::write_atomic(&root.join("requirements.txt"), REQUIREMENTS)?;
    for (name, bytes) in NODES {
        fs::write_atomic(&root.join(name), bytes)?;
        let init = Utf8Path::new(name).with_file_name("__init__.py");
        fs::write_atomic(&root.join(init), b"NODE_CLASS_MAPPINGS = {}\n")?;
    }
    let address = Url::from_file_path(base.join("index"))
        .map_err(|()| OpError::Usage(format!("`{base}` is not a path")))?;
    let settings = format!(
        "# The tour's own index: a folder.\n[[index]]\nname = \"tour\"\nurl = \"{address}\"\ndefault = true\n"
    );
    fs::write_atomic(&root.join("portenv.toml"), settings.as_bytes())?;
    let uv = uv(context)?;
    let environment = root.join(".venv");
    let mut call = uv
        .call()
        .args(["venv", "--no-config", "--color", "never", "--no-project"]);
    if let Some(python) = python(context) {
        call = call.args(["--python", python.as_str()]);
    }
    let made = call
        .arg(environment.as_str())
        .run()
        .map_err(UvError::from)?;
    if !made.ok() {
        return Err(crate::uv::call::failure(&made).into());
    }
    let python = interpreter_in(&environment)
        .ok_or_else(|| OpError::NotFound(format!("uv made no environment at `{environment}`")))?;
    let wheel = base.join("index/tour-tensor/tour_tensor-2.1.0-py3-none-any.whl");
    Ok(Tour {
        variables: vec![
            (
                "PORTENV_UV",
                if uv.prefix.is_empty() {
                    uv.program.clone()
                } else {
                    String::new()
                },
            ),
            ("PORTENV_CACHE_DIR", base.join("cache").into_string()),
            ("PORTENV_ROOT", root.to_string()),
            ("PORTENV_COLOR", "never".to_owned()),
        ],
        breakage_shown: "uv pip install --no-deps tour-tensor==2.1.0".to_owned(),
        root,
        uv,
        wheel,
        python,
    })
}

/// The first Python on PATH; without one uv looks for itself.
fn python(context: &Context) -> Option<Utf8PathBuf> {
    let names = ["python3", "python", "python3.exe", "python.exe"];
    context.python.clone().or_else(|| {
        context
            .around
            .path
            .iter()
            .flat_map(|dir| names.iter().map(move |name| dir.join(name)))
            .find(|path| fs::is_file(path))
    })
}

fn uv(context: &Context) -> Result<Uv, OpError> {
    let flags = ResolveFlags::default();
    let own = python(context).and_then(|path| {
        crate::environment::ask(&path, context.cache_dir.as_deref())
            .ok()?
            .target()
            .ok()
    });
    let fallback = || {
        Target::new(
            crate::ops::inputs::this_platform()
                .parse::<Platform>()
                .unwrap_or_else(|_| unreachable!("BUG: our own platform is known")),
            Version::new([3, 12, 0]),
            &MachineFacts::default(),
        )
    };
    let target = own.unwrap_or_else(fallback);
    let index = flags.open_index(context, &Settings::default(), &[], None)?;
    Ok(find_uv(&Search {
        named: context.uv.as_deref(),
        path: &context.around.path,
        python: None,
        cache_dir: context.cache_dir.as_deref(),
        target: &target,
        index: &index,
    })?)
}
