//! `venv create`: one more environment, from a lock, a folder of wheels or a snapshot.

use camino::{Utf8Path, Utf8PathBuf};

use super::note::{Note, OriginKind};
use super::place;
use crate::environment::{Interpreter, InterpreterError, ask};
use crate::host::footprint::Footprint;
use crate::host::process::Call;
use crate::host::{DirLock, digest, fs};
use crate::lock::Lock;
use crate::ops::context::{Context, Site};
use crate::ops::error::OpError;
use crate::ops::installer::{Installer, InstallerChoice};
use crate::ops::packages::{PackageGoal, apply};
use crate::ops::rollback::{find, no_history};
use crate::ops::sync::check_target;
use crate::ops::transaction::uv_for;
use crate::ops::turn::take_lock;
use crate::ops::wheelhouse::install::{check_whole, other_lock, read_lock, settle};
use crate::plan::Removal;
use crate::requirements::origin::show_path;
use crate::snapshot::{Db, State};
use crate::sync::run::RunSource;
use crate::uv::{UvError, VenvCall};
use crate::wheelhouse::Manifest;
use crate::workspace::python::interpreter_in;

/// Prints where the interpreter looks for modules.
const PATHS: &str = "import sys; print('\\n'.join(sys.path))";

/// What to make.
#[derive(Debug, Clone, Default)]
pub struct CreateRequest {
    /// Its name.
    pub name: String,
    /// Where it lies, if not among the installation's.
    pub dir: Option<Utf8PathBuf>,
    /// The folder that wheels come from.
    pub wheelhouse: Option<Utf8PathBuf>,
    /// The snapshot whose packages it gets, by what a person typed.
    pub snapshot: Option<String>,
}

/// An environment that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// What it was made of.
    pub note: Note,
    /// Where it lies.
    pub dir: Utf8PathBuf,
    /// Its interpreter.
    pub python: Utf8PathBuf,
    /// What it takes of the disk.
    pub footprint: Footprint,
    /// Things worth knowing: code and text.
    pub warnings: Vec<(&'static str, String)>,
}

/// What an environment is made of.
struct Matter {
    goal: PackageGoal,
    kind: OriginKind,
    origin: String,
    digest: String,
    /// The folder whose lock it is, if it is one's.
    house: Option<(Utf8PathBuf, Manifest, Lock)>,
    sees_base: bool,
    warnings: Vec<(&'static str, String)>,
}

/// Makes an environment beside the live one, which is not changed. With a folder of wheels no
/// request is made; else what uv has kept will do, and only what it has not is fetched.
///
/// # Errors
///
/// Fails if the name or place is taken, there is no lock or snapshot, something can be had
/// nowhere, or it could not be made; then nothing of it is left.
pub fn run(context: &Context, request: &CreateRequest) -> Result<Created, OpError> {
    place::check_name(&request.name)?;
    let cut_off = request.wheelhouse.is_some().then(|| context.cut_off());
    let context = cut_off.as_ref().unwrap_or(context);
    let site = context.site()?;
    let own_dir = site.installation.own_dir();
    let dir = match &request.dir {
        Some(dir) => context.dir.join(dir),
        None => place::home(&own_dir).join(&request.name),
    };
    check_free(&dir, &request.name)?;
    let matter = matter(context, &site, request)?;
    check_sources(&matter.goal)?;
    let installer = if request.wheelhouse.is_some() {
        Installer::here(context, &site, InstallerChoice::Uv)?
    } else {
        Installer::Uv(uv_for(context, &site)?)
    };

    fs::create_dir_all(&own_dir)?;
    fs::check_writable(&own_dir)?;
    let held = take_lock(context, &site, "venv create")?;
    // The history makes it where there is one; all under it is this machine's own.
    let ignore = own_dir.join(".gitignore");
    if !fs::exists(&ignore) {
        fs::write_atomic(&ignore, b"*\n")?;
    }
    place::sweep(&place::home(&own_dir))?;
    check_free(&dir, &request.name)?;
    let part = place::unfinished(&dir);
    fs::remove_all(&part)?;
    if let Some(parent) = dir.parent() {
        fs::create_dir_all(parent)?;
    }
    let made = make(context, &site, request, &matter, &installer, &held, &part)
        .and_then(|note| settle_in(&part, &dir, note));
    let note = match made {
        Ok(note) => note,
        Err(error) => {
            // What cannot be removed now is removed by the next run.
            let _ = fs::remove_all(&part);
            return Err(error);
        }
    };
    Ok(Created {
        footprint: Footprint::of(&dir)?,
        python: interpreter_in(&dir).unwrap_or_else(|| dir.clone()),
        note,
        dir,
        warnings: matter.warnings,
    })
}

/// Refuses a place where something lies already.
fn check_free(dir: &Utf8Path, name: &str) -> Result<(), OpError> {
    if Note::find(dir).is_some() {
        return Err(OpError::Refused(format!(
            "there is an environment at `{dir}` already; portenv venv remove {name} takes away \
             the one of that name"
        )));
    }
    let is_empty = fs::is_dir(dir) && fs::list_dir(dir)?.is_empty();
    if is_empty || !fs::exists(dir) && fs::link_target(dir).is_none() {
        Ok(())
    } else {
        Err(OpError::InTheWay(dir.to_string()))
    }
}

/// Demands that all can be had from somewhere.
fn check_sources(goal: &PackageGoal) -> Result<(), OpError> {
    let lacking: Vec<String> = (goal.wanted.iter())
        .filter_map(|(name, wanted)| {
            let version = &wanted.goal.version;
            match &wanted.source {
                None => Some(format!("{name} {version}")),
                Some(RunSource::Local { path, .. }) if !fs::is_file(Utf8Path::new(path)) => {
                    Some(format!("{name} {version} (`{path}` is gone)"))
                }
                Some(_) => None,
            }
        })
        .collect();
    if lacking.is_empty() {
        Ok(())
    } else {
        Err(OpError::Unrestorable(lacking))
    }
}

/// Finds out what the environment is to be made of.
fn matter(context: &Context, site: &Site, request: &CreateRequest) -> Result<Matter, OpError> {
    let house = match &request.wheelhouse {
        Some(dir) => {
            let dir = context.dir.join(dir);
            Some((Manifest::read(&dir)?, dir))
        }
        None => None,
    };
    let mut matter = match (&request.snapshot, house) {
        (Some(name), house) => {
            let mut matter = of_snapshot(site, name)?;
            if let Some((manifest, dir)) = house {
                take_from(&mut matter.goal, &manifest, &dir);
            }
            matter
        }
        (None, Some((manifest, dir))) => of_house(site, manifest, dir)?,
        (None, None) => of_lock(site)?,
    };
    // A package that stays as it was found has no file in the lock; what the history knows
    // of the same version will do.
    if matter
        .goal
        .wanted
        .values()
        .any(|wanted| wanted.source.is_none())
        && let Some(db) = Db::find(&site.installation.own_dir())?
        && let Some(head) = db.head()?
    {
        let own_dir = site.installation.own_dir();
        let known = PackageGoal::of_state(&db.state_of(&head)?, &own_dir);
        for (name, wanted) in &mut matter.goal.wanted {
            let same = known.wanted.get(name);
            let same = same.filter(|known| known.goal.version == wanted.goal.version);
            if let (None, Some(known)) = (&wanted.source, same) {
                wanted.source.clone_from(&known.source);
            }
        }
    }
    Ok(matter)
}

fn of_lock(site: &Site) -> Result<Matter, OpError> {
    let path = site.installation.lock_path();
    let lock = Lock::find_on(&path, &site.target)?
        .ok_or_else(|| OpError::NotFound(format!("there is no lock at `{path}`")))?;
    check_target(&lock, &site.target)?;
    let root = &site.installation.root;
    Ok(Matter {
        goal: PackageGoal::of_lock(&lock, &site.target, root, Removal::Everything),
        kind: OriginKind::Lock,
        digest: digest::sha256(fs::read_text(&path)?.as_bytes()),
        origin: show_path(root, &path),
        house: None,
        sees_base: !site.interpreter.beneath.is_empty(),
        warnings: Vec::new(),
    })
}

fn of_house(site: &Site, manifest: Manifest, dir: Utf8PathBuf) -> Result<Matter, OpError> {
    let mut lock = read_lock(&dir, &manifest, &site.target)?;
    let as_written = lock.clone();
    lock.check_markers_on(&site.target)
        .map_err(|(name, message)| crate::wheelhouse::HouseError::Name {
            package: name.to_string(),
            message,
        })?;
    settle(&mut lock, &dir);
    Ok(Matter {
        goal: PackageGoal::of_lock(&lock, &site.target, &dir, Removal::Everything),
        kind: OriginKind::Wheelhouse,
        digest: manifest.lock.trim_start_matches("sha256:").to_owned(),
        origin: show_path(&site.installation.root, &dir),
        sees_base: false,
        warnings: other_lock(site, &manifest)?.into_iter().collect(),
        house: Some((dir, manifest, as_written)),
    })
}

fn of_snapshot(site: &Site, name: &str) -> Result<Matter, OpError> {
    let own_dir = site.installation.own_dir();
    let db = Db::find(&own_dir)?.ok_or_else(no_history)?;
    let snapshots = db.snapshots()?;
    let snapshot = find(&snapshots, name)?;
    let state: State = db.state_of(snapshot)?;
    let minor = |version: &str| version.split('.').take(2).collect::<Vec<_>>().join(".");
    if minor(&state.python) != minor(&site.interpreter.version) {
        return Err(OpError::PythonMismatch {
            recorded: state.python,
            found: site.interpreter.version.clone(),
        });
    }
    let mut warnings = Vec::new();
    if state.python != site.interpreter.version {
        let (then, now) = (&state.python, &site.interpreter.version);
        let text = format!("the snapshot was made with Python {then}, and this is {now}");
        warnings.push(("python", text));
    }
    Ok(Matter {
        goal: PackageGoal::of_state(&state, &own_dir),
        kind: OriginKind::Snapshot,
        origin: snapshot.id.clone(),
        digest: state.digest(),
        house: None,
        sees_base: state.base.is_some(),
        warnings,
    })
}

/// Takes files from a folder where it has the very same.
fn take_from(goal: &mut PackageGoal, manifest: &Manifest, dir: &Utf8Path) {
    for wanted in goal.wanted.values_mut() {
        let Some(RunSource::File {
            filename, hashes, ..
        }) = &wanted.source
        else {
            continue;
        };
        let listed = manifest.file(filename);
        if listed.is_some_and(|file| hashes.get("sha256") == Some(&file.sha256)) {
            wanted.source = Some(RunSource::Local {
                path: dir.join(filename).into_string(),
                hashes: hashes.clone(),
            });
        }
    }
}

/// Makes the environment whole under its passing name.
fn make(
    context: &Context,
    site: &Site,
    request: &CreateRequest,
    matter: &Matter,
    installer: &Installer,
    held: &DirLock,
    part: &Utf8Path,
) -> Result<Note, OpError> {
    if let Installer::Uv(uv) = installer {
        context.check_cancel()?;
        uv.venv(&VenvCall {
            python: &site.interpreter.path,
            dir: part,
            prompt: &request.name,
            sees_base: matter.sees_base,
        })?;
    }
    let interpreter = bare(part)?;
    context.check_cancel()?;
    let mut choice = site.choice.clone();
    choice.path.clone_from(&interpreter.path);
    let inner = Site {
        installation: site.installation.clone(),
        choice,
        target: interpreter.target()?,
        interpreter,
    };
    let goal = &matter.goal;
    let kept = context.cut_off();
    // Nothing lies in a new environment that could be in the way.
    let aside = part.join(".aside");
    let mut mover = |from: &Utf8Path, to: &Utf8Path| Ok(fs::rename(from, to)?);
    let applied = apply(&kept, &inner, installer, held, goal, &aside, &mut mover);
    let applied = match (applied, &matter.house) {
        (Err(OpError::Uv(UvError::Failed { .. })), None) if !context.offline => {
            context.check_cancel()?;
            apply(context, &inner, installer, held, goal, &aside, &mut mover)
        }
        // The folder itself tells better what is wrong with it than uv does.
        (Err(error), Some((dir, manifest, lock))) => {
            check_whole(context, dir, manifest, lock, site)?;
            Err(error)
        }
        (applied, _) => applied,
    };
    applied?;
    context.check_cancel()?;
    Ok(Note {
        name: request.name.clone(),
        created: context.clock.now().to_string(),
        python: inner.interpreter.version.clone(),
        kind: matter.kind,
        origin: matter.origin.clone(),
        digest: matter.digest.clone(),
        packages: inner.installed()?.len(),
    })
}

/// Asks the new interpreter what it is, while nothing but Python is there.
fn bare(dir: &Utf8Path) -> Result<Interpreter, OpError> {
    let path = interpreter_in(dir).unwrap_or_else(|| dir.join("bin/python"));
    let unfit = |detail: String| {
        OpError::Interpreter(InterpreterError::Unsupported {
            path: path.clone(),
            detail,
        })
    };
    let interpreter = ask(&path, None)?;
    // An embeddable Python with a fixed path (`python312._pth`) stays with that whatever
    // environment is made from it.
    let asked = Call::new(path.as_str()).args(["-I", "-X", "utf8", "-c", PATHS]);
    let asked = asked.run().map_err(|error| unfit(error.to_string()))?;
    let real = |path: &Utf8Path| fs::canonical(path).unwrap_or_else(|_| path.to_owned());
    let own = real(&interpreter.purelib);
    let sees = asked
        .text()
        .lines()
        .any(|line| real(Utf8Path::new(line)) == own);
    if sees {
        Ok(interpreter)
    } else {
        Err(unfit(
            "an environment made from it does not find its own packages".to_owned(),
        ))
    }
}

/// Gives the whole environment its name.
fn settle_in(part: &Utf8Path, dir: &Utf8Path, note: Note) -> Result<Note, OpError> {
    note.write(part)?;
    fs::remove_empty_dir(dir);
    fs::rename(part, dir)?;
    Ok(note)
}
