//! `unpack`: a packed installation, whole and at home in another place.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::context::{Context, Site};
use super::error::OpError;
use super::pack::from_there;
use super::verify::{Verification, VerifyRequest};
use crate::environment::ask;
use crate::host::tree::{Draft, link};
use crate::host::{Clock, digest, fs, volume};
use crate::pack::cleaned::renewed;
use crate::pack::manifest::Manifest;
use crate::pack::open::{Volumes, check_sums, peek, unpack};
use crate::pack::relocate::Place;
use crate::pack::write::Form;
use crate::package::artifact::printable;

/// More than any archive says of itself, in bytes.
const OF_ITSELF: u64 = 16 << 20;

/// What to unpack, and where to.
#[derive(Debug, Clone, Default)]
pub struct UnpackRequest {
    /// The archive, or one of its volumes.
    pub archive: Utf8PathBuf,
    /// The new directory; by default one of the archive's name in the working directory.
    pub dir: Option<Utf8PathBuf>,
}

/// What was unpacked.
#[derive(Debug)]
pub struct Unpacked {
    /// The new installation.
    pub root: Utf8PathBuf,
    /// What the archive says of itself.
    pub manifest: Manifest,
    /// The digests beside the archive were there, and held.
    pub checked: bool,
    /// How many bytes came out.
    pub bytes: u64,
    /// What looking at the installed files found.
    pub verified: Verification,
}

/// Unpacks an archive into a new directory: there is all of it, or nothing.
///
/// # Errors
///
/// Fails if the archive is damaged, not safe, or for another platform; if the directory is not
/// empty; if there is no Python for it.
pub fn run(context: &Context, request: &UnpackRequest) -> Result<Unpacked, OpError> {
    let archive = context.dir.join(&request.archive);
    let name = archive.file_name().unwrap_or_default();
    let form = Form::of_name(name)
        .ok_or_else(|| OpError::Archive(format!("`{archive}` is neither a .zip nor a .tar.zst")))?;
    let first = Utf8PathBuf::from(format!("{archive}.001"));
    if !fs::is_file(&archive) && !fs::is_file(&first) {
        return Err(OpError::NotFound(format!("there is no file `{archive}`")));
    }
    let paths = Volumes::paths(&archive)?;
    context.progress.begin("checking the archive", None);
    let checked = check_sums(&paths)?;
    let (title, manifest) = peek(form, Volumes::open(&paths)?)?;
    let manifest = Manifest::parse(&manifest)?;
    context.progress.end();
    check_platform(&manifest)?;
    let root = context
        .dir
        .join(request.dir.clone().unwrap_or_else(|| title.into()));
    if fs::exists(&root) && !fs::list_dir(&root)?.is_empty() {
        return Err(OpError::Usage(format!(
            "`{root}` is there and not empty; name a directory that is to be made"
        )));
    }
    let parent = root.parent().unwrap_or(Utf8Path::new("."));
    fs::create_dir_all(parent)?;
    // Files will say this path, so it goes no detours.
    let root = match root.file_name() {
        Some(name) => fs::canonical(parent)?.join(name),
        None => fs::canonical(&root)?,
    };
    let parent = root.parent().unwrap_or(Utf8Path::new("."));
    if let Some(free) = volume::free_bytes(parent).filter(|free| *free < manifest.bytes) {
        return Err(OpError::NoRoom {
            path: parent.to_owned(),
            needed: manifest.bytes,
            free,
        });
    }
    let base = base_python(context, &manifest)?;
    let staged = fs::scratch(parent)?;
    let inside = Utf8Path::from_path(staged.path())
        .ok_or_else(|| OpError::Usage(format!("`{}` is not UTF-8", staged.path().display())))?
        .join("unpacked");
    fs::create_dir_all(&inside)?;
    let bytes = take_out(
        context,
        form,
        Volumes::open(&paths)?,
        &inside,
        manifest.bytes,
    )?;
    settle(&inside, &root, &manifest, base.as_deref())?;
    context.check_cancel()?;
    if fs::exists(&root) {
        fs::remove_all(&root)?;
    }
    fs::rename(&inside, &root)?;
    // What cannot even be looked at, such as a Python that does not start here, is no
    // installation.
    let verified = match verify(context, &root) {
        Ok(verified) => verified,
        Err(error) => {
            fs::remove_all(&root)?;
            return Err(error);
        }
    };
    Ok(Unpacked {
        root,
        manifest,
        checked,
        bytes,
        verified,
    })
}

fn take_out(
    context: &Context,
    form: Form,
    from: Volumes,
    into: &Utf8Path,
    total: u64,
) -> Result<u64, OpError> {
    context.progress.count("unpacking", Some(total), "bytes");
    let tell = |done: u64, path: &str| {
        context.progress.at(done, path);
        !context.cancel.is_requested()
    };
    // What it says of itself is not counted in what it says.
    let most = total.saturating_add(OF_ITSELF);
    let unpacked = unpack(form, from, into, most, &tell);
    context.progress.end();
    Ok(unpacked?.1)
}

/// Unpacks what is being written into a new directory of this machine, to try it there.
pub(super) fn place_draft(
    context: &Context,
    site: &Site,
    draft: &Draft,
    form: Form,
    into: &Utf8Path,
) -> Result<Utf8PathBuf, OpError> {
    fs::create_dir_all(into)?;
    let (_, manifest) = peek(form, Volumes::of(draft.reread()?)?)?;
    let manifest = Manifest::parse(&manifest)?;
    take_out(
        context,
        form,
        Volumes::of(draft.reread()?)?,
        into,
        manifest.bytes,
    )?;
    settle(into, into, &manifest, Some(&site.interpreter.prefix))?;
    Ok(into.to_owned())
}

/// An installation runs on the platform it was made for, and on no other.
fn check_platform(manifest: &Manifest) -> Result<(), OpError> {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        system => system,
    };
    let arch = std::env::consts::ARCH;
    let mut parts = manifest.platform.split('-');
    if parts.next() == Some(arch) && parts.any(|part| part == system) {
        return Ok(());
    }
    Err(OpError::Archive(format!(
        "the archive is for {}, but this machine is {arch} {}",
        printable(&manifest.platform),
        std::env::consts::OS
    )))
}

/// Finds the Python that a virtual environment was packed without; returns its prefix.
fn base_python(context: &Context, manifest: &Manifest) -> Result<Option<Utf8PathBuf>, OpError> {
    if !manifest.python.needs_base {
        return Ok(None);
    }
    let wanted = &manifest.python.version;
    let minor = wanted.split('.').take(2).collect::<Vec<_>>().join(".");
    let names = if cfg!(windows) {
        vec!["python.exe".to_owned()]
    } else {
        vec![format!("python{minor}"), "python3".to_owned()]
    };
    let on_path = context.around.path.iter();
    let on_path = on_path.flat_map(|dir| names.iter().map(move |name| dir.join(name)));
    let candidates: Vec<Utf8PathBuf> = match &context.python {
        Some(named) => vec![context.dir.join(named)],
        None => on_path.filter(|path| fs::is_file(path)).collect(),
    };
    let mut seen = Vec::new();
    for candidate in candidates {
        let Ok(found) = ask(&candidate, context.cache_dir.as_deref()) else {
            continue;
        };
        let fits = found.version.split('.').take(2).eq(minor.split('.'));
        if fits && found.environment.is_none() {
            return Ok(Some(found.prefix));
        }
        seen.push(format!("`{candidate}` is {}", found.version));
    }
    let seen = if seen.is_empty() {
        String::new()
    } else {
        format!(" ({})", seen.join(", "))
    };
    Err(OpError::Archive(format!(
        "the archive needs a Python {minor} of this machine, and there is none{seen}; name one \
         with --python"
    )))
}

/// Makes files that name where the installation lies name its new place, links to the Python
/// beneath lead there, and RECORDs agree.
fn settle(
    dir: &Utf8Path,
    root: &Utf8Path,
    manifest: &Manifest,
    base: Option<&Utf8Path>,
) -> Result<(), OpError> {
    let beneath = match (&manifest.python.base, base) {
        (Some(packed), _) => root.join(packed),
        (None, Some(base)) => base.to_owned(),
        (None, None) => root.to_owned(),
    };
    let places = [
        Place::new("root", root.as_str()),
        Place::new("base", beneath.as_str()),
    ];
    let mut changed = BTreeMap::new();
    for path in &manifest.relocate {
        check_inside(path)?;
        let file = dir.join(path);
        let mut bytes = fs::read_bytes(&file)?;
        let mut shown = false;
        for place in &places {
            if let Some(new) = place.show(&bytes) {
                (bytes, shown) = (new, true);
            }
        }
        if shown {
            fs::write_atomic(&file, &bytes)?;
            changed.insert(path.as_str(), (digest::record_hash(&bytes), bytes.len()));
        }
    }
    for packages in &manifest.packages {
        check_inside(packages)?;
        let changed: BTreeMap<String, &(String, usize)> = changed
            .iter()
            .map(|(path, new)| (from_there(packages, path), new))
            .collect();
        for name in fs::find_dir(&dir.join(packages))? {
            if name.ends_with(".dist-info") {
                update_record(&dir.join(packages).join(name).join("RECORD"), &changed)?;
            }
        }
    }
    // Last, so that nothing is written through one.
    for (path, inside) in &manifest.links {
        check_inside(path)?;
        check_inside(inside)?;
        link(beneath.join(inside).as_str(), &dir.join(path))?;
    }
    Ok(())
}

/// The manifest is as foreign as the archive.
fn check_inside(path: &str) -> Result<(), OpError> {
    let climbs = path.split('/').any(|part| part == "..");
    if climbs || path.starts_with('/') || path.contains([':', '\\']) {
        return Err(OpError::Archive(format!(
            "the archive is not safe to unpack: its manifest names `{}`",
            printable(path)
        )));
    }
    Ok(())
}

fn update_record(
    path: &Utf8Path,
    changed: &BTreeMap<String, &(String, usize)>,
) -> Result<(), OpError> {
    let Some(bytes) = fs::find_bytes(path)? else {
        return Ok(());
    };
    match renewed(&String::from_utf8_lossy(&bytes), changed) {
        Some(text) => Ok(fs::write_atomic(path, text.as_bytes())?),
        None => Ok(()),
    }
}

/// Looks whether what is installed there is whole.
fn verify(context: &Context, root: &Utf8Path) -> Result<Verification, OpError> {
    let there = Context {
        dir: root.to_owned(),
        root: Some(root.to_owned()),
        core: None,
        python: None,
        uv: context.uv.clone(),
        variables: context.variables.clone(),
        around: context.around.clone(),
        cache_dir: context.cache_dir.clone(),
        netrc: None,
        offline: true,
        index_urls: Vec::new(),
        locks: context.locks.clone(),
        clock: Clock::system(),
        cancel: context.cancel.clone(),
        progress: context.progress.clone(),
    };
    super::verify::run(&there, VerifyRequest::default(), "unpack")
}
