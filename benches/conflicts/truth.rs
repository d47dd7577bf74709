//! Is it true what conflicts and ways out say?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use portenv::package::Requirement;
use toml::{Table, Value};

use crate::ask::{Answer, Conflict, Line, Portenv, Way};
use crate::sets::Installation;

/// How often ways out are taken until everything is met.
const ROUNDS: usize = 8;

/// What was found of all sets.
#[derive(Default)]
pub(crate) struct Totals {
    warm: Vec<f64>,
    cold: Vec<f64>,
    conflicts: usize,
    lines: usize,
    without_way: usize,
    ways: BTreeMap<String, Verdicts>,
    /// Cores that have an answer, or do without one line.
    not_minimal: usize,
    freed: usize,
    faults: Vec<String>,
}

#[derive(Default)]
struct Verdicts {
    holds: usize,
    fails: usize,
    /// Neither settings nor flags do it.
    untried: usize,
    /// Asked for everything, where that is not the same: the core is gone or is not.
    gone: usize,
    stays: usize,
}

impl Totals {
    pub(crate) fn sets(&self) -> usize {
        self.warm.len()
    }

    /// Counts a set, and says the counts of it.
    pub(crate) fn add(&mut self, warm: f64, cold: Option<f64>, answer: &Answer) -> String {
        let conflicts = answer.conflicts();
        let lines: usize = conflicts.iter().map(|conflict| conflict.core.len()).sum();
        let ways: usize = conflicts.iter().map(|conflict| conflict.ways.len()).sum();
        self.warm.push(warm);
        self.cold.extend(cold);
        self.conflicts += conflicts.len();
        self.lines += lines;
        let shown = cold.map_or("-".to_owned(), |cold| format!("{cold:.2}"));
        let count = conflicts.len();
        format!("{count:>12}{lines:>7}{ways:>10}{warm:>9.2}{shown:>9}")
    }

    /// Asks whether each core is one, and whether each way out is.
    pub(crate) fn check(
        &mut self,
        portenv: &Portenv,
        set: &Installation,
        answer: &Answer,
        files: &Path,
        whole: bool,
    ) {
        let seed = set.root.file_name().unwrap().to_string_lossy().into_owned();
        for conflict in answer.conflicts() {
            let shown = format!(
                "{seed} {}: {}",
                conflict.packages.join(", "),
                texts(conflict)
            );
            let mut fault = None;
            let all: Vec<&Line> = conflict.core.iter().collect();
            let together = portenv.resolve(files, &all);
            if !matches!(together, Answer::Conflicts { .. }) {
                fault = Some(format!("the core alone: {}", together.shown()));
            }
            for left_out in all.iter().filter(|_| all.len() > 1) {
                let rest: Vec<&Line> = all.iter().filter(|one| one != &left_out).copied().collect();
                let answer = portenv.resolve(files, &rest);
                if !answer.is_resolved() {
                    let text = &left_out.text;
                    fault = Some(format!("without {text}: {}", answer.shown()));
                }
            }
            if let Some(fault) = fault {
                self.not_minimal += 1;
                self.faults.push(format!("{shown}: {fault}"));
            }
            if conflict.ways.is_empty() {
                self.without_way += 1;
                self.faults.push(format!("{shown}: no way out"));
            }
            let others = free_lines_of_others(answer.conflicts(), conflict);
            for way in &conflict.ways {
                let verdicts = self.ways.entry(way.kind.clone()).or_default();
                if way.settings.is_empty() && way.flags.is_empty() {
                    verdicts.untried += 1;
                    continue;
                }
                let alone = ask_with(portenv, set, way, &others);
                if alone.is_resolved() {
                    verdicts.holds += 1;
                } else {
                    verdicts.fails += 1;
                    let found = alone.shown();
                    let text = &way.text;
                    self.faults
                        .push(format!("{shown}: `{text}` leads to {found}"));
                }
                if !whole || answer.conflicts().len() == 1 {
                    continue;
                }
                let after = ask_with(portenv, set, way, &[]);
                let same = |other: &Conflict| other.core == conflict.core;
                if matches!(after, Answer::Failed(_)) || after.conflicts().iter().any(same) {
                    verdicts.stays += 1;
                    let found = after.shown();
                    let text = &way.text;
                    self.faults
                        .push(format!("{shown}: with `{text}` it stays: {found}"));
                } else {
                    verdicts.gone += 1;
                }
            }
        }
    }

    /// Takes the first way out of every conflict, again and again, and says where that leads.
    pub(crate) fn take(
        &mut self,
        portenv: &Portenv,
        set: &Installation,
        mut answer: Answer,
    ) -> String {
        let mut settings = Table::new();
        let mut flags: Vec<String> = Vec::new();
        for round in 1..=ROUNDS {
            let mut taken = 0;
            for way in answer.conflicts().iter().filter_map(first_way) {
                let more: Table = way.settings.parse().unwrap();
                if merge(&mut settings, more) {
                    taken += 1;
                }
                flags.extend(way.flags.iter().cloned());
            }
            if taken == 0 {
                return format!("stuck in round {round}: {}", answer.shown());
            }
            answer = asked(portenv, set, &settings.to_string(), &flags, &[]);
            match &answer {
                Answer::Resolved { .. } => {
                    self.freed += 1;
                    return format!("resolved, {round}");
                }
                Answer::Failed(error) => return format!("failed in round {round}: {error}"),
                Answer::Conflicts { .. } => {}
            }
        }
        format!("{} conflicts left", answer.conflicts().len())
    }

    pub(crate) fn print(mut self, satisfiable: usize, failed: usize) {
        let sets = self.warm.len();
        println!("\n{sets} sets that cannot be met ({satisfiable} that can, {failed} failed)");
        println!(
            "{} conflicts of {} lines, {} of them not minimal, {} without a way out",
            self.conflicts, self.lines, self.not_minimal, self.without_way
        );
        for (kind, verdicts) in &self.ways {
            println!(
                "{kind:<14}{} true, {} false, {} not tried; asked for everything: {} gone, {} not",
                verdicts.holds, verdicts.fails, verdicts.untried, verdicts.gone, verdicts.stays
            );
        }
        println!("{} sets are met once first ways out are taken", self.freed);
        for (name, seconds) in [("warm", &mut self.warm), ("cold", &mut self.cold)] {
            seconds.sort_by(f64::total_cmp);
            if let Some(worst) = seconds.last() {
                let median = seconds[seconds.len() / 2];
                println!("{name}: median {median:.2} s, worst {worst:.2} s");
            }
        }
        for fault in &self.faults {
            println!("- {fault}");
        }
    }
}

fn texts(conflict: &Conflict) -> String {
    let lines = conflict
        .core
        .iter()
        .map(|line| format!("{} ({}:{})", line.text, line.file, line.number));
    lines.collect::<Vec<_>>().join(" + ")
}

/// Returns the lines of nodes in the other conflicts: a way out does not wait for those.
fn free_lines_of_others(all: &[Conflict], own: &Conflict) -> Vec<Line> {
    let others = all.iter().filter(|other| other.core != own.core);
    let lines = others.flat_map(|other| &other.core);
    let lines = lines.filter(|line| line.kind == "node" && !own.core.contains(line));
    let mut lines: Vec<Line> = lines.cloned().collect();
    lines.sort();
    lines.dedup();
    lines
}

/// Returns the first way out that settings or flags do.
fn first_way(conflict: &Conflict) -> Option<&Way> {
    let mut ways = conflict.ways.iter();
    ways.find(|way| !way.settings.is_empty() || !way.flags.is_empty())
}

fn ask_with(portenv: &Portenv, set: &Installation, way: &Way, without: &[Line]) -> Answer {
    asked(portenv, set, &way.settings, &way.flags, without)
}

/// Asks with settings and flags, and without some lines; all is afterwards as it was.
fn asked(
    portenv: &Portenv,
    set: &Installation,
    settings: &str,
    flags: &[String],
    without: &[Line],
) -> Answer {
    let mut before: BTreeMap<PathBuf, String> = BTreeMap::new();
    for line in without {
        let path = set.root.join(&line.file);
        let text = std::fs::read_to_string(&path).unwrap();
        let cut = cut_out(&text, line);
        if cut == text {
            return Answer::Failed(format!("{} cannot be cut out", line.text));
        }
        std::fs::write(&path, cut).unwrap();
        let project = path.with_file_name("pyproject.toml");
        before.entry(path).or_insert(text);
        if let Ok(text) = std::fs::read_to_string(&project) {
            std::fs::write(&project, cut_repeated(&text, line)).unwrap();
            before.entry(project).or_insert(text);
        }
    }
    let own = set.root.join("portenv.toml");
    std::fs::write(&own, settings).unwrap();
    let answer = portenv.lock(set, flags);
    std::fs::remove_file(own).unwrap();
    for (path, text) in before {
        std::fs::write(path, text).unwrap();
    }
    answer
}

/// Cuts a line out of a file; the others keep their numbers.
fn cut_out(text: &str, line: &Line) -> String {
    let lines = text.lines().enumerate().map(|(at, own)| {
        if at + 1 != line.number {
            own.to_owned()
        } else if line.file.ends_with(".toml") {
            without(own, |one| one == line.text)
        } else {
            String::new()
        }
    });
    lines.map(|line| line + "\n").collect()
}

/// Cuts what a project file asks for just as a line does: the line stands for both.
fn cut_repeated(text: &str, line: &Line) -> String {
    let Ok(wanted) = Requirement::parse(&line.text) else {
        return text.to_owned();
    };
    // However it is spaced: what counts is what it means.
    let meaning = |one: &Requirement| {
        let what = (one.name.clone(), one.extras.clone());
        (what, one.specifiers.range(), one.marker.clone())
    };
    let says_the_same =
        |one: &str| Requirement::parse(one).is_ok_and(|other| meaning(&other) == meaning(&wanted));
    let lines = text.lines().map(|own| without(own, says_the_same) + "\n");
    lines.collect()
}

/// Makes quoted requirements of a line never count.
fn without(line: &str, goes: impl Fn(&str) -> bool) -> String {
    let never = "pip; python_version < '3'";
    let parts = line.split('"');
    let parts = parts.map(|part| if goes(part) { never } else { part });
    parts.collect::<Vec<_>>().join("\"")
}

/// Adds settings to others. Two that cannot stand together are not added.
fn merge(into: &mut Table, more: Table) -> bool {
    for (key, value) in more {
        let Some(old) = into.get_mut(&key) else {
            into.insert(key, value);
            continue;
        };
        match (old, value) {
            // Overrides of one package for several nodes are a list.
            (Value::Table(one), Value::Table(other)) if other.contains_key("specifier") => {
                let all = vec![Value::Table(one.clone()), Value::Table(other)];
                into.insert(key, Value::Array(all));
            }
            (Value::Array(old), other @ Value::Table(_)) => old.push(other),
            (Value::Table(old), Value::Table(value)) => {
                if !merge(old, value) {
                    return false;
                }
            }
            (Value::Array(old), Value::Array(value)) => old.extend(value),
            (old, value) if *old == value => {}
            _ => return false,
        }
    }
    true
}
