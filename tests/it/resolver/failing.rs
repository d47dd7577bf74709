//! Indexes and packages that cannot serve.

use super::*;

#[test]
fn a_missing_dependency_sends_the_search_to_an_older_version() {
    let world = [
        "a 3.0 -> gone",
        "a 2.0 -> gone>=1 | b",
        "a 1.0 -> b",
        "b 1.0",
    ];
    check(&world, &["n: a"], "a 1.0, b 1.0");
    check(&world, &["n: a>1"], "conflict: a>1");
    let conflicts = World::new(&world, &["n: a>2"]).conflicts();
    assert!(
        conflicts[0].explanation.contains("gone"),
        "{}",
        conflicts[0].explanation
    );
    let conflicts = World::new(&world, &["n: gone"]).conflicts();
    assert_eq!(
        conflicts[0].explanation,
        "there is no package `gone` on the configured indexes"
    );
}

#[test]
fn a_version_with_unreadable_requirements_is_passed_over() {
    let world = ["a 2.0 -> b~=1", "a 1.0", "b 1.0"];
    check(&world, &["n: a"], "a 1.0");
    check(&world, &["n: a>1"], "conflict: a>1");
}

/// An index that cannot be reached, or whose metadata cannot be had.
struct Failing<'a> {
    world: &'a MemoryIndex,
    page: Option<Name>,
    metadata: Option<(Name, Version)>,
    unusable: bool,
    asked: AtomicUsize,
}

impl<'a> Failing<'a> {
    fn new(world: &'a MemoryIndex) -> Self {
        Self {
            world,
            page: None,
            metadata: None,
            unusable: false,
            asked: AtomicUsize::new(0),
        }
    }
}

fn broken() -> IndexError {
    IndexError::Unreachable {
        url: "memory:///".to_owned(),
        detail: "unplugged".to_owned(),
    }
}

impl Index for Failing<'_> {
    fn page(&self, name: &Name) -> Result<Option<Arc<Page>>, IndexError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.page.as_ref() == Some(name) {
            Err(broken())
        } else {
            self.world.page(name)
        }
    }

    fn metadata(
        &self,
        name: &Name,
        version: &Version,
        file: &ColdFile,
    ) -> Result<Arc<Metadata>, MetadataError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match &self.metadata {
            Some((n, v)) if n == name && v == version && self.unusable => {
                Err(MetadataError::Unusable("it is cut off".to_owned()))
            }
            Some((n, v)) if n == name && v == version => Err(broken().into()),
            _ => self.world.metadata(name, version, file),
        }
    }
}

#[test]
fn an_index_that_cannot_be_asked_is_an_error_and_no_conflict() {
    let world = World::new(&["a 1.0 -> b", "a 0.9", "b 1.0"], &["n: a"]);
    let resolve = |index: &dyn Index| {
        portenv::resolve::resolve(&portenv::resolve::targets::Task {
            lines: &world.lines,
            targets: &world.targets,
            options: &world.options,
            preferences: &world.preferences,
            index,
            cancel: &portenv::progress::Cancel::default(),
        })
    };
    let no_page = Failing {
        page: Some(name("b")),
        ..Failing::new(&world.index)
    };
    assert_eq!(resolve(&no_page).unwrap_err(), broken());
    let no_metadata = Failing {
        metadata: Some((name("a"), "1.0".parse().unwrap())),
        ..Failing::new(&world.index)
    };
    assert_eq!(resolve(&no_metadata).unwrap_err(), broken());
}

#[test]
fn a_version_whose_file_is_unusable_is_passed_over() {
    let world = World::new(&["a 1.0 -> b", "a 0.9", "b 1.0"], &["n: a"]);
    let index = Failing {
        metadata: Some((name("a"), "1.0".parse().unwrap())),
        unusable: true,
        ..Failing::new(&world.index)
    };
    let portenv::resolve::Outcome::Resolved(resolution) = world.outcome_from(&index) else {
        panic!()
    };
    assert_eq!(resolution.packages[0].version.to_string(), "0.9");
}
