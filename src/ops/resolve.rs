//! `resolve`: files in, an answer out; no installation needed.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use super::context::Context;
use super::error::OpError;
use super::inputs::{ResolveFlags, finish_inputs, name_lines};
use super::ways::Ground;
use super::ways_out::{Search, find_ways_out};
use crate::environment::{Installed, ask};
use crate::host::fs;
use crate::package::Target;
use crate::requirements::file::{Reading, parse_requirements};
use crate::requirements::pyproject::{read_project, read_pyproject};
use crate::requirements::setupcfg::read_setup_cfg;
use crate::requirements::{Origin, OriginKind, Problem, RequirementSet, read_requirements};
use crate::resolve::targets::Task;
use crate::resolve::{Options, Outcome, Preferences, resolve};
use crate::workspace::Settings;
use crate::workspace::settings::BuildMode;

/// What to resolve.
#[derive(Debug, Clone, Default)]
pub struct ResolveRequest {
    /// Files and directories; `-` is standard input, whose text stands in `stdin`.
    pub files: Vec<Utf8PathBuf>,
    /// The text of standard input.
    pub stdin: Option<String>,
    /// What decides the answer.
    pub flags: ResolveFlags,
}

/// An answer or the conflicts, with what was worth saying on the way.
pub struct ResolveOutcome {
    /// The answer or the conflicts.
    pub outcome: Outcome,
    /// Problems that did not stop the work.
    pub problems: Vec<Problem>,
    /// The targets.
    pub targets: Vec<Target>,
    /// Counters of the network.
    pub stats: Vec<(&'static str, u64)>,
}

/// Resolves the files.
///
/// # Errors
///
/// Fails on bad input or if the network could not be asked.
pub fn run(context: &Context, request: &ResolveRequest) -> Result<ResolveOutcome, OpError> {
    let flags = &request.flags;
    let mut set = RequirementSet::default();
    let mut seen = BTreeSet::new();
    for file in request.files.iter().filter(|file| seen.insert(*file)) {
        add_file(context, &mut set, file, request.stdin.as_deref())?;
    }
    for file in flags.constraints.iter().chain(&flags.overrides) {
        if !fs::exists(&context.dir.join(file)) {
            return Err(no_file(file));
        }
    }
    finish_inputs(context, &mut set, flags)?;
    let settings = Settings::default();
    let own = own_target(context, flags)?;
    let targets = flags.targets(&settings, own.as_ref())?;
    let options = flags.options(&settings, &set.options, context.clock.now())?;
    let builder = if flags.may_build(&settings, BuildMode::Allow) {
        let python = context
            .python
            .as_ref()
            .map_or_else(|| targets[0].python_minor(), ToString::to_string);
        Some(flags.builder(context, &settings, &set.options, python, &targets[0])?)
    } else {
        None
    };
    let index = flags.open_index(context, &settings, &set.options, builder)?;
    context.progress.count("resolving", None, "pages");
    name_lines(&mut set, &targets, &index, flags.skip_invalid)?;
    let trial = Options {
        trial: true,
        ..options.clone()
    };
    let preferences = Preferences::default();
    let task = Task {
        lines: &set.lines,
        targets: &targets,
        options: &options,
        preferences: &preferences,
        index: &index,
        cancel: &context.cancel,
    };
    let mut outcome = resolve(&task);
    if let Ok(Outcome::Conflicts(conflicts)) = &mut outcome {
        let search = Search {
            task: Task {
                options: &trial,
                ..task
            },
            ground: Ground {
                lines: &set.lines,
                targets: &targets,
                nodes: None,
                offered: &[],
            },
            open: &|table| {
                let mut settings = settings.clone();
                settings.index.push(table.clone());
                flags.open_index(context, &settings, &set.options, None)
            },
            installed: &Installed::default(),
            settled: false,
        };
        find_ways_out(&search, conflicts)?;
    }
    context.progress.end();
    let stats = index.stats().counts();
    Ok(ResolveOutcome {
        outcome: outcome?,
        problems: set.problems,
        targets,
        stats,
    })
}

/// With both platform and Python named no interpreter is needed, nor for all of them.
fn own_target(context: &Context, flags: &ResolveFlags) -> Result<Option<Target>, OpError> {
    if flags.universal || flags.platform.is_some() && flags.python_version.is_some() {
        return Ok(None);
    }
    let path = context.python.clone().or_else(|| {
        let mut dirs = context.around.active.iter();
        let active = dirs.find_map(|dir| crate::workspace::python::interpreter_in(dir));
        active.or_else(|| {
            context
                .around
                .path
                .iter()
                .flat_map(|dir| {
                    [
                        dir.join("python3"),
                        dir.join("python.exe"),
                        dir.join("python"),
                    ]
                })
                .find(|path| fs::is_file(path))
        })
    });
    match path {
        Some(path) => {
            match ask(&path, context.cache_dir.as_deref()).and_then(|python| python.target()) {
                Ok(target) => Ok(Some(target)),
                Err(_) if flags.python_version.is_some() => Ok(None),
                Err(error) => Err(error.into()),
            }
        }
        None => Ok(None),
    }
}

fn add_file(
    context: &Context,
    set: &mut RequirementSet,
    file: &Utf8Path,
    stdin: Option<&str>,
) -> Result<(), OpError> {
    let owner = Origin {
        kind: OriginKind::File,
        name: None,
        file: Some(file.to_string()),
        line: None,
        column: None,
    };
    let reading = Reading {
        root: &context.dir,
        owner: &owner,
        variables: &context.variables,
    };
    if file.as_str() == "-" {
        set.add_file(parse_requirements(
            stdin.unwrap_or(""),
            &context.dir,
            &reading,
        ));
        return Ok(());
    }
    let path = context.dir.join(file);
    if fs::is_dir(&path) {
        let requirements = path.join("requirements.txt");
        let project = read_project(&path, &[], &reading);
        if !fs::is_file(&requirements) && project.is_none() {
            return Err(OpError::NotFound(format!(
                "`{file}` has neither requirements.txt nor pyproject.toml nor setup.cfg"
            )));
        }
        if fs::is_file(&requirements) {
            set.add_file(read_requirements(&requirements, &reading));
        }
        if let Some(project) = project {
            set.frontend.extend(project.frontend);
            set.add_file(project.content);
        }
        return Ok(());
    }
    if !fs::exists(&path) {
        return Err(no_file(file));
    }
    match path.file_name() {
        Some("pyproject.toml") => set.add_file(read_pyproject(&path, &[], &reading).content),
        Some("setup.cfg") => set.add_file(read_setup_cfg(&path, &[], &reading)),
        _ => set.add_file(read_requirements(&path, &reading)),
    }
    Ok(())
}

fn no_file(file: &Utf8Path) -> OpError {
    OpError::NotFound(format!("there is no file `{file}`"))
}
