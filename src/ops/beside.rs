//! `check --with`: which nodes of a list can live with the ones at hand, each asked about
//! by itself.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::Serialize;

use super::against::Question;
use super::context::Context;
use super::error::OpError;
use crate::gate::{Code, Finding};
use crate::host::fs;
use crate::index::IndexError;
use crate::nodes::{ListedNode, NodeSource, parse_list, parse_node};
use crate::package::redact;
use crate::requirements::origin::show_path;
use crate::requirements::{Origin, OriginKind, Problem};
use crate::resolve::Conflict;
use crate::workspace::node::Node;

/// How a node of the list goes with those at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// They can live together.
    Fits,
    /// They cannot: lines of both take part in a conflict.
    Conflicts,
    /// It could not be had, or is no node.
    Unread,
    /// It is one of those at hand.
    Itself,
    /// The nodes at hand have no answer by themselves.
    NotAsked,
}

/// A node of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// Its name, else what the list says of it.
    pub node: String,
    /// Where it comes from, as the list says, without credentials.
    pub source: String,
    /// Branch, tag or commit.
    pub rev: Option<String>,
    /// How it goes with the others.
    pub fit: Fit,
    /// Why it is in the list.
    pub reason: Option<String>,
    /// What is worth knowing of it: why it could not be read, what of it was left out.
    pub message: Option<String>,
    /// What it cannot agree on with the nodes at hand.
    pub conflicts: Vec<Conflict>,
}

impl Beside {
    fn of(listed: &ListedNode, fit: Fit) -> Self {
        let source = redact(&listed.source);
        Self {
            node: source.clone(),
            source,
            rev: listed.rev.clone(),
            fit,
            reason: listed.reason.clone(),
            message: None,
            conflicts: Vec::new(),
        }
    }

    /// Makes a finding of one of its conflicts.
    pub(super) fn finding(&self, conflict: &Conflict) -> Finding {
        let message = format!("not together with {}: {}", self.node, conflict.explanation);
        let mut lines: Vec<&str> = (conflict.requirements.iter())
            .map(|line| line.requirement.as_str())
            .collect();
        lines.sort_unstable();
        Finding::new(Code::Conflict, message)
            .of(conflict.packages.clone())
            .about(format!("{}\n{}", self.node, lines.join("\n")))
    }
}

/// Reads a list, and returns it with the directory that its paths are meant from.
fn read_list(
    context: &Context,
    list: &Utf8Path,
) -> Result<(Vec<ListedNode>, Utf8PathBuf), OpError> {
    let path = context.dir.join(list);
    let nodes = parse_list(&fs::read_text(&path)?).map_err(|error| {
        let shown = show_path(&context.dir, &path);
        let origin = Origin::file(OriginKind::File, None, &shown).at(error.line, error.column);
        OpError::Problems(vec![Problem::error("invalid-file", origin, error.message)])
    })?;
    let dir = path.parent().unwrap_or(&context.dir).to_owned();
    Ok((nodes, dir))
}

/// Returns the rows of a list that nothing was asked about.
pub(super) fn not_asked(context: &Context, list: &Utf8Path) -> Result<Vec<Beside>, OpError> {
    let (listed, _) = read_list(context, list)?;
    let rows = listed.iter();
    Ok(rows.map(|node| Beside::of(node, Fit::NotAsked)).collect())
}

/// Asks of each node of a list whether it can live with `nodes`, which the question is about.
/// What it cannot agree on with the lock or with ComfyUI is its own affair, and left out.
pub(super) fn find_beside(
    question: &Question<'_>,
    nodes: &[(Node, Utf8PathBuf)],
    list: &Utf8Path,
) -> Result<Vec<Beside>, OpError> {
    let context = question.desk.context;
    let (listed, dir) = read_list(context, list)?;
    let mut rows = Vec::new();
    for node in &listed {
        context.check_cancel()?;
        rows.push(of_node(question, nodes, node, &dir)?);
    }
    Ok(rows)
}

fn of_node(
    question: &Question<'_>,
    nodes: &[(Node, Utf8PathBuf)],
    listed: &ListedNode,
    dir: &Utf8Path,
) -> Result<Beside, OpError> {
    let desk = question.desk;
    let mut row = Beside::of(listed, Fit::Fits);
    let unread = |mut row: Beside, why: String| {
        row.fit = Fit::Unread;
        row.message = Some(why);
        Ok(row)
    };
    let source = match with_rev(parse_node(&listed.source, dir), listed.rev.as_deref()) {
        Ok(source) => source,
        Err(why) => return unread(row, why),
    };
    let is_at_hand = |name: &str| {
        question
            .names
            .iter()
            .any(|at| at.eq_ignore_ascii_case(name))
    };
    if let Some(name) = source.directory_name()
        && is_at_hand(&name)
    {
        row.node = name;
        row.fit = Fit::Itself;
        return Ok(row);
    }
    let other = match desk.read(&source, &listed.source) {
        Ok(other) => other,
        Err(error) if is_interruption(&error) => return Err(error),
        Err(error) => return unread(row, error.to_string()),
    };
    row.node.clone_from(&other.0.name);
    let mut all = nodes.to_vec();
    all.push(other);
    let names: BTreeSet<&str> = question.names.iter().copied().collect();
    let asked = desk.gather(&all).and_then(|set| {
        let together = Question {
            desk,
            baseline: question.baseline,
            set: &set,
            names: &names,
            beside: Some(&row.node),
        };
        Ok((together.answer()?, set))
    });
    let (answer, set) = match asked {
        Ok(found) => found,
        Err(error) if is_interruption(&error) => return Err(error),
        // What it names cannot be had: that says nothing of the nodes at hand.
        Err(error) => return unread(row, error.to_string()),
    };
    let is_of_other = |origin: &Origin| {
        origin.kind == OriginKind::Node && origin.name.as_deref() == Some(row.node.as_str())
    };
    let mut notes = Vec::new();
    let bad = set.errors().filter(|problem| is_of_other(&problem.origin));
    if let Some(first) = bad.map(Problem::shown).next() {
        notes.push(format!("not all of it can be read: {first}"));
    }
    let own = answer.old.iter().find(|conflict| {
        let mut lines = conflict.requirements.iter();
        lines.any(|line| is_of_other(&line.origin))
    });
    if let Some(conflict) = own {
        notes.push(format!(
            "left out, as it does not fit by itself: {}",
            conflict.explanation
        ));
    }
    row.message = (!notes.is_empty()).then(|| notes.join("; "));
    if !answer.conflicts.is_empty() {
        row.fit = Fit::Conflicts;
        row.conflicts = answer.conflicts;
    }
    Ok(row)
}

fn is_interruption(error: &OpError) -> bool {
    matches!(
        error,
        OpError::Interrupted | OpError::Index(IndexError::Interrupted)
    )
}

/// Adds the revision of a list to what it is of.
fn with_rev(source: NodeSource, rev: Option<&str>) -> Result<NodeSource, String> {
    match (source, rev) {
        (source, None) => Ok(source),
        (NodeSource::Git { url, rev: None }, Some(rev)) => Ok(NodeSource::Git {
            url,
            rev: Some(rev.to_owned()),
        }),
        (NodeSource::Registry { id, version: None }, Some(rev)) => Ok(NodeSource::Registry {
            id,
            version: Some(rev.to_owned()),
        }),
        (_, Some(rev)) => Err(format!(
            "`{rev}` cannot be chosen: it is no repository, or names a revision itself"
        )),
    }
}
