//! `check`: the gate. Does everything resolve, is the lock fresh, does the
//! environment match, does policy hold? Changes nothing.

use super::changes::ChangeInfo;
use super::context::Context;
use super::error::OpError;
use super::inputs::{ResolveFlags, families};
use super::lock::inputs;
use super::packages::PackageGoal;
use super::preview::{PreviewRequest, PreviewStatus, brought};
use super::subset::Subset;
use crate::gate::codes::Findings;
use crate::gate::policies::{find_families, shared_files};
use crate::gate::{Code, Finding};
use crate::lock::check_freshness;
use crate::requirements::{Asker, Severity, Waiver};
use crate::resolve::Conflict;
use crate::workspace::settings::BuildMode;

/// What a check came to.
#[derive(Debug, Clone)]
pub struct CheckOutcome {
    /// Nothing fails it.
    pub pass: bool,
    /// What was found.
    pub findings: Vec<Finding>,
    /// Conflicts.
    pub conflicts: Vec<Conflict>,
    /// What would change.
    pub changes: Vec<ChangeInfo>,
    /// The most nodes that can live together, if that was asked; the inner is nothing where
    /// not even the core has an answer.
    pub subset: Option<Option<Subset>>,
}

/// Checks an installation, or what adding nodes to it would mean.
///
/// # Errors
///
/// Fails on bad input or if the network could not be asked.
pub fn run(
    context: &Context,
    nodes: &[String],
    flags: &ResolveFlags,
) -> Result<CheckOutcome, OpError> {
    let site = context.site()?;
    site.needs_core()?;
    let policy = &site.installation.settings.check;
    let mut findings = Findings::default();
    let reading = ResolveFlags {
        skip_invalid: true,
        ..flags.clone()
    };
    let inputs = inputs(context, &site, &reading)?;
    for problem in inputs
        .set
        .problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
    {
        findings.add(
            policy,
            Code::Invalid,
            problem.message.clone(),
            Some(problem.origin.clone()),
            Vec::new(),
        );
    }
    for (node, changes_packages) in &inputs.set.install_scripts {
        if *changes_packages {
            findings.add(
                policy,
                Code::InstallScript,
                format!("{node} has an install.py that seems to change packages"),
                None,
                Vec::new(),
            );
        }
    }
    let request = PreviewRequest {
        nodes: nodes.to_vec(),
        allow_change: Vec::new(),
        flags: reading,
        build: BuildMode::Static,
        strict: true,
    };
    let preview = super::preview::run(context, &request)?;
    for conflict in &preview.conflicts {
        let origin = conflict
            .requirements
            .first()
            .map(|line| line.origin.clone());
        let code = if preview.status == PreviewStatus::Blocked {
            Code::Protected
        } else {
            Code::Conflict
        };
        findings.add(
            policy,
            code,
            conflict.explanation.clone(),
            origin,
            conflict.packages.clone(),
        );
    }
    for warning in preview
        .warnings
        .iter()
        .filter(|warning| warning.code == "yanked")
    {
        findings.add(
            policy,
            Code::Yanked,
            warning.message.clone(),
            None,
            Vec::new(),
        );
    }
    if nodes.is_empty() {
        if let Some(lock) = &inputs.lock {
            let known = |waiver: &Waiver| match &waiver.asker {
                Asker::Line(origin) => {
                    let lines = preview.conflicts.iter().flat_map(|one| &one.requirements);
                    let mut same = lines.filter(|line| line.requirement == waiver.requirement);
                    same.any(|line| line.origin.place_of_line() == origin.place_of_line())
                }
                Asker::Package { .. } => false,
            };
            for waiver in lock.waivers.iter().filter(|waiver| !known(waiver)) {
                let origin = match &waiver.asker {
                    Asker::Line(origin) => Some(origin.clone()),
                    Asker::Package { .. } => None,
                };
                let name = waiver.name.clone();
                findings.add(policy, Code::Conflict, waiver.shown(), origin, vec![name]);
            }
            for reason in check_freshness(Some(lock), &inputs.set, &inputs.targets) {
                findings.add(
                    policy,
                    Code::Stale,
                    reason.shown(),
                    reason.origin().cloned(),
                    Vec::new(),
                );
            }
            let goal = PackageGoal::of_lock(
                lock,
                &site.target,
                &site.installation.root,
                brought(&site, Some(lock))?,
            );
            for step in goal.plan(&site.installed()?).steps {
                let change = ChangeInfo::new(&step.change);
                let shown =
                    |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
                let message = format!(
                    "{}: {} is installed, {} is locked",
                    change.name,
                    shown(&change.from),
                    shown(&change.to)
                );
                findings.add(policy, Code::Environment, message, None, vec![change.name]);
            }
        } else {
            findings.add(policy, Code::Stale, "there is no lock", None, Vec::new());
        }
    }
    if let Some(lock) = &preview.lock {
        let names: Vec<_> = lock.packages.iter().map(|package| &package.name).collect();
        let installed = site.installed()?;
        for family in find_families(&names, &families(&site.installation.settings)?) {
            let shown: Vec<&str> = family.iter().map(crate::package::Name::as_str).collect();
            let mut message = format!("{} own the same modules", shown.join(" and "));
            if let Some(files) = shared_files(&family, &installed) {
                message.push_str(&format!(" ({files})"));
            }
            findings.add(policy, Code::Family, message, None, family.clone());
        }
    }
    Ok(CheckOutcome {
        pass: findings.pass(),
        findings: findings.list,
        conflicts: preview.conflicts,
        changes: preview.changes,
        subset: None,
    })
}
