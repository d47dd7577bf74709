//! What code imports, by its lines: a directory of tests that a package imports stays.
//!
//! Python is not parsed, and nothing is run: lines that begin with `import` or `from` are read,
//! also inside functions. A name too many only keeps a directory that could have gone.

use std::collections::BTreeSet;

/// Modules that are imported somewhere, by their dotted names.
#[derive(Debug, Default)]
pub struct Imports {
    modules: BTreeSet<String>,
}

impl Imports {
    /// Reads the lines of one file; `path` is relative to where modules are looked for.
    pub fn read(&mut self, path: &str, text: &str) {
        // Of `a/b/c.py` and of `a/b/__init__.py` the package is `a.b`.
        let mut package: Vec<&str> = path.split('/').collect();
        package.pop();
        // `from a import (` names what follows, to the bracket.
        let mut open: Option<String> = None;
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or(line).trim();
            if let Some(base) = open.take() {
                let (names, ends) = before_bracket(line);
                self.add_names(&base, names);
                if !ends {
                    open = Some(base);
                }
            } else if let Some(rest) = line.strip_prefix("import ") {
                for module in rest.split(',') {
                    self.add(module.split_whitespace().next().unwrap_or_default());
                }
            } else if let Some((from, names)) =
                (line.strip_prefix("from ")).and_then(|rest| rest.split_once(" import"))
                && let Some(base) = absolute(from.trim(), &package)
            {
                self.add(&base);
                let names = names.trim();
                let bracketed = names.strip_prefix('(').map(before_bracket);
                self.add_names(&base, bracketed.map_or(names, |(inner, _)| inner));
                if let Some((_, false)) = bracketed {
                    open = Some(base);
                }
            }
        }
    }

    fn add(&mut self, module: &str) {
        let fits = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        if !module.is_empty() && module.chars().all(fits) {
            self.modules.insert(module.to_owned());
        }
    }

    fn add_names(&mut self, base: &str, names: &str) {
        for name in names.split(',') {
            let name = name.split_whitespace().next().unwrap_or_default();
            if base.is_empty() {
                self.add(name);
            } else if !name.is_empty() {
                self.add(&format!("{base}.{name}"));
            }
        }
    }

    /// Reports whether a module, or one below it, is imported.
    pub fn names(&self, module: &str) -> bool {
        let below = format!("{module}.");
        let mut after = self.modules.range(below.clone()..);
        self.modules.contains(module) || after.next().is_some_and(|found| found.starts_with(&below))
    }
}

/// Returns what stands before a closing bracket, and whether there is one.
fn before_bracket(line: &str) -> (&str, bool) {
    line.split_once(')')
        .map_or((line, false), |(names, _)| (names, true))
}

/// Makes a module's name absolute: one dot is the package, each further one goes up.
fn absolute(from: &str, package: &[&str]) -> Option<String> {
    let name = from.trim_start_matches('.');
    let dots = from.len() - name.len();
    if dots == 0 {
        return Some(name.to_owned());
    }
    let above = package.get(..(package.len() + 1).checked_sub(dots)?)?;
    let mut parts = above.to_vec();
    if !name.is_empty() {
        parts.push(name);
    }
    Some(parts.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_of_an_import_are_seen() {
        let mut imports = Imports::default();
        imports.read(
            "numpy/testing/_private/utils.py",
            "import os, a.b as c\nfrom numpy._core.tests._natype import pd_NA\n\
             def f():\n    from ..tests import x\n    from . import (\n        examples,  # why\n    )\n\
             from .. import test\nfrom .sub.test import *\n",
        );
        for module in [
            "os",
            "a.b",
            "numpy._core.tests",
            "numpy._core.tests._natype",
            "numpy.testing.tests",
            "numpy.testing._private.examples",
            "numpy.testing.test",
            "numpy.testing._private.sub.test",
        ] {
            assert!(imports.names(module), "{module}");
        }
        assert!(!imports.names("numpy.tests"));
        assert!(!imports.names("numpy._core.test"));
    }
}
