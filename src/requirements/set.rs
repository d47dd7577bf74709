//! Everything that is asked for, each line with its origin.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::file::{Entry, FileContent, IndexOption, Reading, read_requirements};
use super::origin::{Origin, OriginKind, Problem, Severity};
use super::pyproject::{Project, read_project};
use super::script::{Act, ActKind, read_script};
use super::statement::{Statement, Wanted};
use crate::package::{Name, Requirement, Target};
use crate::workspace::node::Node;
use crate::workspace::settings::{NodeSources, Settings};
use crate::workspace::{Installation, NodeKind};

/// What a line does in the resolution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// It asks for a distribution.
    Require,
    /// It restricts one if it is wanted at all.
    Constrain,
    /// It replaces what others ask of the name.
    Override {
        /// Why.
        reason: Option<String>,
        /// Only direct lines of these nodes; all if empty.
        only_for: Vec<String>,
    },
    /// It keeps what is installed (a protected package).
    Protect,
}

/// One requirement with its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it stands.
    pub origin: Origin,
    /// The line as written.
    pub text: String,
    /// What it asks for.
    pub requirement: Requirement,
    /// Allowed digests, `alg:hex`; any if empty.
    pub hashes: Vec<String>,
    /// Installed in place.
    pub editable: bool,
    /// What it does.
    pub role: Role,
    /// What relative paths in it are meant from.
    pub base: Utf8PathBuf,
}

/// A node's `install.py`. It is read and never run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallScript {
    /// Where it is, at the first line that names an installer if one does.
    pub origin: Origin,
    /// It seems to change packages.
    pub changes_packages: bool,
    /// What it seems to do, line by line.
    pub acts: Vec<Act>,
}

/// Everything that is asked for.
#[derive(Debug, Clone, Default)]
pub struct RequirementSet {
    /// The lines: core first, then nodes by name, then policy.
    pub lines: Vec<Line>,
    /// Lines that only say where a package lies, not which one it is.
    pub unnamed: Vec<Entry>,
    /// Options of files that concern indexes.
    pub options: Vec<IndexOption>,
    /// What the settings say that decides an answer beside lines, one text each.
    pub policy: Vec<String>,
    /// What could not be read, and what is worth knowing.
    pub problems: Vec<Problem>,
    /// How many lines were read.
    pub read: usize,
    /// The frontend versions that nodes say they work with.
    pub frontend: Vec<Entry>,
    /// The `install.py` of nodes.
    pub install_scripts: Vec<InstallScript>,
}

impl RequirementSet {
    /// Adds what a file says.
    pub fn add_file(&mut self, content: FileContent) {
        self.read += content.lines;
        self.options.extend(content.options);
        self.problems.extend(content.problems);
        for entry in content.entries {
            self.add_entry(entry);
        }
    }

    fn add_entry(&mut self, entry: Entry) {
        match entry.wanted.clone() {
            Wanted::Named(requirement) => self.add_named(entry, *requirement),
            Wanted::Unnamed { .. } => self.unnamed.push(entry),
        }
    }

    fn add_named(&mut self, entry: Entry, requirement: Requirement) {
        self.lines.push(Line {
            origin: entry.origin,
            text: entry.text,
            requirement,
            hashes: entry.hashes,
            editable: entry.editable,
            role: if entry.constraint {
                Role::Constrain
            } else {
                Role::Require
            },
            base: entry.base,
        });
    }

    /// Names the lines that only say where a package lies, by asking `find` with each
    /// address and what it is meant from. Lines whose marker no target fulfils stay
    /// unnamed; those that `find` cannot tell do too, and
    /// become problems.
    ///
    /// # Errors
    ///
    /// Passes on the errors of `find` that are not about one line.
    pub fn name_lines<E>(
        &mut self,
        targets: &[Target],
        mut find: impl FnMut(&str, &Utf8Path) -> Result<Result<Name, String>, E>,
    ) -> Result<(), E> {
        for entry in std::mem::take(&mut self.unnamed) {
            let Wanted::Unnamed {
                place,
                extras,
                marker,
            } = entry.wanted.clone()
            else {
                continue;
            };
            let holds = |target: &Target| marker.holds(target.environment());
            if !targets.iter().any(holds) {
                self.unnamed.push(entry);
                continue;
            }
            match find(&place, &entry.base)? {
                Ok(name) => {
                    let requirement = Requirement {
                        extras,
                        url: Some(place),
                        marker,
                        ..Requirement::any(name)
                    };
                    self.add_named(entry, requirement);
                }
                Err(reason) => {
                    let fix = format!("write `NAME @ {}`", entry.text);
                    let origin = entry.origin.clone();
                    let problem = Problem::error("invalid-requirement", origin, reason);
                    self.problems.push(problem.with_fix(fix));
                    // It is still asked for: a lock made without it must not look stale.
                    self.unnamed.push(entry);
                }
            }
        }
        Ok(())
    }

    /// Returns the problems that forbid going on.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error)
    }

    /// Adds overrides and constraints of the settings, and what else of them decides an
    /// answer.
    pub fn add_policy(&mut self, settings: &Settings) {
        self.policy = settings.deciding();
        let file = Origin::file(OriginKind::Policy, None, "portenv.toml");
        for (key, value) in &settings.overrides {
            let (line, column) = settings.place(key);
            let mut owners: Vec<&String> = Vec::new();
            for table in &value.0 {
                let twice = table
                    .only_for
                    .iter()
                    .find(|node| owners.iter().any(|owner| owner.eq_ignore_ascii_case(node)));
                if let Some(node) = twice {
                    let name = key.get_ref();
                    let message = format!("{name}: `{node}` has two overrides of it");
                    let origin = file.at(line, column);
                    self.problems
                        .push(Problem::error("invalid-policy", origin, message));
                }
                owners.extend(&table.only_for);
                let role = Role::Override {
                    reason: table.reason.clone(),
                    only_for: table.only_for.clone(),
                };
                let origin = file.at(line, column);
                self.add_policy_line(key.get_ref(), &table.specifier, role, origin);
            }
        }
        for (key, specifier) in &settings.constraints {
            let (line, column) = settings.place(key);
            self.add_policy_line(
                key.get_ref(),
                specifier,
                Role::Constrain,
                file.at(line, column),
            );
        }
    }

    fn add_policy_line(&mut self, name: &str, specifier: &str, role: Role, origin: Origin) {
        let specifier = specifier.trim();
        let text = if specifier.starts_with(|c: char| c.is_ascii_digit()) {
            format!("{name}=={specifier}")
        } else {
            format!("{name}{specifier}")
        };
        // `alpha` with `banana` would else be a requirement on `alphabanana`.
        let is_name = Name::parse(name).is_some();
        if !is_name || specifier.starts_with(|c: char| c.is_ascii_alphabetic() || "._-".contains(c))
        {
            let message = if is_name {
                format!("{name}: `{specifier}` is not a version specifier")
            } else {
                format!("`{name}` is not a package name")
            };
            let problem = Problem::error("invalid-policy", origin, message);
            self.problems.push(problem);
            return;
        }
        match Requirement::parse(&text) {
            Ok(requirement) => self.lines.push(Line {
                origin,
                text,
                requirement,
                hashes: Vec::new(),
                editable: false,
                role,
                base: Utf8PathBuf::new(),
            }),
            Err(error) => {
                let message = format!("{name}: {}", error.message);
                let mut problem = Problem::error("invalid-policy", origin, message);
                problem.fix = error.fix.map(|fix| format!("write `{fix}`"));
                self.problems.push(problem);
            }
        }
    }
}

/// Gathers what the core and all enabled nodes ask for.
///
/// # Errors
///
/// Fails if the directories of nodes cannot be listed; files that cannot be read
/// become problems.
pub fn gather(
    installation: &Installation,
    variables: &BTreeMap<String, String>,
) -> Result<RequirementSet, crate::host::FsError> {
    let enabled = installation.enabled_nodes()?;
    Ok(gather_with(installation, &enabled, variables))
}

/// Gathers what the core and the given nodes ask for; a node's directory may lie
/// elsewhere, as a staged one does.
pub fn gather_with(
    installation: &Installation,
    nodes: &[(Node, Utf8PathBuf)],
    variables: &BTreeMap<String, String>,
) -> RequirementSet {
    gather_beside(
        installation,
        installation.comfyui.as_deref(),
        nodes,
        variables,
    )
}

/// Gathers what a core and the given nodes ask for; the core may lie elsewhere too, as one
/// does that was fetched.
pub fn gather_beside(
    installation: &Installation,
    core: Option<&Utf8Path>,
    nodes: &[(Node, Utf8PathBuf)],
    variables: &BTreeMap<String, String>,
) -> RequirementSet {
    let mut set = RequirementSet::default();
    if let Some(core) = core {
        gather_core(&mut set, installation, core, variables);
    }
    for (node, path) in nodes {
        gather_node(&mut set, installation, node, path, variables);
    }
    for note in &installation.notes {
        let origin = Origin::file(OriginKind::File, None, &note.file).at(note.line, note.column);
        let message = format!(
            "{}; further directories of nodes are not known",
            note.message
        );
        set.problems
            .push(Problem::warning("invalid-file", origin, message));
    }
    note_options(&mut set);
    set.add_policy(&installation.settings);
    set
}

/// Gathers what a core asks for. Files of one that lies elsewhere are shown as those of the
/// installation's own, whose place it is to take.
pub fn gather_core(
    set: &mut RequirementSet,
    installation: &Installation,
    core: &Utf8Path,
    variables: &BTreeMap<String, String>,
) {
    let own = installation.comfyui.as_deref();
    let is_own = own.is_none_or(|own| own == core);
    let owner = Origin::file(OriginKind::Core, None, "requirements.txt");
    let reading = Reading {
        root: if is_own { &installation.root } else { core },
        owner: &owner,
        variables,
    };
    let mut files = vec![read_requirements(&core.join("requirements.txt"), &reading)];
    let manager = core.join("manager_requirements.txt");
    if crate::host::fs::is_file(&manager) {
        files.push(read_requirements(&manager, &reading));
    }
    let below = own.and_then(|own| own.strip_prefix(&installation.root).ok());
    for mut content in files {
        if let Some(below) = below.filter(|below| !is_own && !below.as_str().is_empty()) {
            relabel(
                &mut content,
                &format!("{}/", below.as_str().replace('\\', "/")),
            );
        }
        set.add_file(content);
    }
}

/// Gathers what one node asks for, by the rule for nodes with two files.
pub fn gather_node(
    set: &mut RequirementSet,
    installation: &Installation,
    node: &Node,
    path: &Utf8Path,
    variables: &BTreeMap<String, String>,
) {
    let settings = installation.settings.node(&node.name);
    if settings.ignore || node.kind == NodeKind::File {
        return;
    }
    let owner = Origin::file(OriginKind::Node, Some(&node.name), "");
    // A staged node's files are shown as they will lie in the installation.
    let shown_root = if *path == installation.root.join(&node.dir) {
        installation.root.clone()
    } else {
        path.to_owned()
    };
    let reading = Reading {
        root: &shown_root,
        owner: &owner,
        variables,
    };
    let sources = settings
        .sources
        .or(installation.settings.resolve.node_sources)
        .unwrap_or_default();
    let requirements = path.join("requirements.txt");
    let mut listed = (sources != NodeSources::Pyproject && crate::host::fs::is_file(&requirements))
        .then(|| read_requirements(&requirements, &reading));
    let project = (sources != NodeSources::Requirements)
        .then(|| read_project(path, &settings.extras, &reading))
        .flatten();
    let mut declared = project.map(|mut project| {
        set.frontend.append(&mut project.frontend);
        let Project { content, .. } = project;
        content
    });
    if shown_root != installation.root {
        let prefix = format!("{}/", node.dir);
        for content in listed.iter_mut().chain(declared.iter_mut()) {
            relabel(content, &prefix);
        }
    }
    if let (Some(listed), Some(declared)) = (&listed, &mut declared) {
        drop_repeated(listed, declared);
        drop_contradicted(listed, declared);
    }
    for content in listed.into_iter().chain(declared) {
        set.add_file(content);
    }
    let script = path.join("install.py");
    if let Ok(Some(bytes)) = crate::host::fs::find_bytes(&script) {
        let file = match node.dir.as_str() {
            "" => "install.py".to_owned(),
            dir => format!("{dir}/install.py"),
        };
        let acts = read_script(&String::from_utf8_lossy(&bytes));
        let mut origin = owner.in_file(&file);
        let installs = acts.iter().find(|act| act.kind == ActKind::Packages);
        if let Some(act) = installs {
            origin = origin.at(act.line, act.column);
        }
        set.install_scripts.push(InstallScript {
            origin,
            changes_packages: installs.is_some(),
            acts,
        });
    }
}

fn relabel(content: &mut FileContent, prefix: &str) {
    let label = |origin: &mut Origin| {
        if let Some(file) = &mut origin.file {
            *file = format!("{prefix}{file}");
        }
    };
    content
        .entries
        .iter_mut()
        .for_each(|entry| label(&mut entry.origin));
    content
        .options
        .iter_mut()
        .for_each(|option| label(&mut option.origin));
    content
        .problems
        .iter_mut()
        .for_each(|problem| label(&mut problem.origin));
}

/// A pyproject may take its dependencies from the very `requirements.txt` that
/// was read already, or say the same once more: that is one line, which installers of
/// today read in `requirements.txt`.
fn drop_repeated(listed: &FileContent, declared: &mut FileContent) {
    let before = declared.entries.len() + declared.options.len();
    declared
        .entries
        .retain(|entry| !(listed.entries.iter()).any(|other| asks_the_same(other, entry)));
    declared
        .options
        .retain(|option| !listed.options.contains(option));
    declared
        .problems
        .retain(|problem| !listed.problems.contains(problem));
    if declared.entries.len() + declared.options.len() < before {
        declared.lines = declared.entries.len();
    }
}

fn asks_the_same(one: &Entry, other: &Entry) -> bool {
    let meaning = |entry: &Entry| match &entry.wanted {
        Wanted::Named(wanted) => {
            let mut extras = wanted.extras.clone();
            extras.sort();
            let specifiers = &wanted.specifiers;
            let versions = (specifiers.range(), specifiers.names_prerelease());
            let what = (wanted.name.clone(), extras, versions);
            Some((what, wanted.marker.clone(), wanted.url.clone()))
        }
        Wanted::Unnamed { .. } => None,
    };
    let how = |entry: &Entry| (entry.editable, entry.constraint);
    one == other
        || how(one) == how(other) && meaning(one).is_some_and(|it| Some(it) == meaning(other))
}

/// Where the two files of one node exclude each other, the one that installers
/// of today apply wins, and a warning says so.
fn drop_contradicted(listed: &FileContent, declared: &mut FileContent) {
    let mut dropped = Vec::new();
    declared.entries.retain(|entry| {
        let Wanted::Named(ours) = &entry.wanted else {
            return true;
        };
        let rival = listed.entries.iter().find(|other| match &other.wanted {
            Wanted::Named(theirs) => {
                theirs.name == ours.name && excludes(theirs, ours) && !apart(theirs, ours)
            }
            Wanted::Unnamed { .. } => false,
        });
        if let Some(rival) = rival {
            dropped.push(Problem::warning(
                "contradicting-files",
                entry.origin.clone(),
                format!(
                    "`{}` contradicts `{}` at {}, which wins",
                    entry.text,
                    rival.text,
                    rival.origin.place()
                ),
            ));
        }
        rival.is_none()
    });
    declared.problems.append(&mut dropped);
}

fn excludes(a: &Requirement, b: &Requirement) -> bool {
    match (&a.url, &b.url) {
        (Some(a), Some(b)) => a != b,
        _ => a.specifiers.range().is_disjoint(&b.specifiers.range()),
    }
}

/// Lines with different markers may be meant for different machines.
fn apart(a: &Requirement, b: &Requirement) -> bool {
    a.marker.text() != b.marker.text() && !a.marker.is_always() && !b.marker.is_always()
}

/// A node cannot bring an index into the resolution by itself, nor loosen it for all.
fn note_options(set: &mut RequirementSet) {
    for option in &set.options {
        let add_index = |url: &String| {
            let url = crate::package::redact(url);
            format!(
                "to use it, add to portenv.toml: index = [{{ name = \"NAME\", url = \"{url}\", packages = [\"PACKAGE\"] }}]"
            )
        };
        let (what, value, fix) = match &option.statement {
            Statement::IndexUrl(url) => ("--index-url", Some(url), Some(add_index(url))),
            Statement::ExtraIndexUrl(url) => ("--extra-index-url", Some(url), Some(add_index(url))),
            Statement::FindLinks(place) => {
                let fix = "name the file itself instead: `PACKAGE @ URL`".to_owned();
                ("--find-links", Some(place), Some(fix))
            }
            Statement::NoIndex => ("--no-index", None, None),
            Statement::NoBinary(names) => ("--no-binary", Some(names), None),
            Statement::OnlyBinary(names) => ("--only-binary", Some(names), None),
            Statement::Pre => {
                let fix = "to allow pre-releases, set prerelease = \"allow\" under [resolve] in portenv.toml";
                ("--pre", None, Some(fix.to_owned()))
            }
            Statement::Require { .. }
            | Statement::Include(_)
            | Statement::Constrain(_)
            | Statement::Ignored(_) => continue,
        };
        let text = value.map_or(what.to_owned(), |value| {
            format!("{what} {}", crate::package::redact(value))
        });
        let code = match option.statement {
            Statement::NoBinary(_) | Statement::OnlyBinary(_) | Statement::Pre => "option-ignored",
            _ => "index-ignored",
        };
        let owner = option.origin.owner();
        let message = format!("`{text}` of `{owner}` is not used");
        let mut problem = Problem::warning(code, option.origin.clone(), message);
        problem.fix = fix;
        set.problems.push(problem);
    }
}
