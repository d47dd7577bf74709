//! Changes of `portenv.toml`: what stands there stays, to the byte.

use portenv::ops::explain::amend::{Reason, amend, amendments, fragment};
use portenv::package::Name;
use portenv::resolve::Edit;
use portenv::workspace::Settings;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn relax(package: &str, specifier: &str, nodes: &[&str]) -> Edit {
    Edit::Override {
        name: name(package),
        specifier: specifier.to_owned(),
        nodes: nodes.iter().map(|&node| node.to_owned()).collect(),
    }
}

fn ignore(node: &str) -> Edit {
    Edit::Ignore {
        node: node.to_owned(),
    }
}

fn exclude(package: &str) -> Edit {
    Edit::Exclude {
        name: name(package),
    }
}

fn why() -> Reason {
    Reason {
        about: "a way out".to_owned(),
        lines: vec!["one, a.txt:1: delta<2".to_owned()],
    }
}

/// Amends a text, and demands that the result can be read, that no line is lost or moved, and
/// that a second time changes nothing.
#[track_caller]
fn amended(before: &str, edit: &Edit) -> String {
    let steps = amendments(edit);
    let after = amend(before, &steps, Some(&why())).unwrap();
    Settings::parse(&after, "portenv.toml".into()).unwrap();
    assert_eq!(amend(&after, &steps, Some(&why())).unwrap(), after);
    let mut rest = after.lines();
    for line in before.lines().filter(|line| line.starts_with('#')) {
        assert!(rest.any(|it| it == line), "{line} is lost in:\n{after}");
    }
    after
}

#[track_caller]
fn refused(before: &str, edit: &Edit) -> (u32, String) {
    let clash = amend(before, &amendments(edit), Some(&why())).unwrap_err();
    (clash.line, clash.message)
}

const FILE: &str = "\
# Ours since spring.
[resolve]
resolution = \"highest\" # stays

[nodes.One]
# worth more
weight = 3

[overrides]
# numpy is held
numpy = \"<3\"

[constraints]
# seen to break
eta = \"<2\" # for now
zeta = \"<9\"

# the end
";

#[test]
fn an_absent_table_is_opened_below_all_that_is_there() {
    let after = amended(FILE, &exclude("theta"));
    let more = "\n[policy]\n# a way out\n#   one, a.txt:1: delta<2\nexclude = [\"theta\"]\n";
    assert_eq!(after, format!("{FILE}{more}"));
    let after = amended("", &ignore("a b"));
    assert_eq!(
        after,
        "[nodes.\"a b\"]\n# a way out\n#   one, a.txt:1: delta<2\nignore = true\n"
    );
    let after = amended("[resolve]", &ignore("two"));
    assert!(after.starts_with("[resolve]\n\n[nodes.two]\n"), "{after}");
}

#[test]
fn a_key_goes_to_the_end_of_its_table_and_names_are_found_in_any_spelling() {
    let after = amended(FILE, &ignore("one"));
    let wanted = "weight = 3\n# a way out\n#   one, a.txt:1: delta<2\nignore = true\n\n[overrides]";
    assert!(after.contains(wanted), "{after}");
    let after = amended(FILE, &relax("delta", ">=1", &["one"]));
    let line = "numpy = \"<3\"\ndelta = { specifier = \">=1\", for = [\"one\"], \
        reason = \"a way out: one, a.txt:1: delta<2\" }\n";
    assert!(after.contains(line), "{after}");
    let after = amended(FILE, &Edit::Prerelease);
    let wanted =
        "# stays\n# a way out\n#   one, a.txt:1: delta<2\nprerelease = \"allow\"\n\n[nodes";
    assert!(after.contains(wanted), "{after}");
}

#[test]
fn a_constraint_that_goes_stays_as_a_comment() {
    let after = amended(FILE, &Edit::Unconstrain { name: name("ETA") });
    let wanted = "# seen to break\n# a way out\n#   one, a.txt:1: delta<2\n\
        # eta = \"<2\" # for now\nzeta = \"<9\"\n";
    assert!(after.contains(wanted), "{after}");
    let braces = "constraints = { eta = \"<2\", zeta = \"<9\" }\n";
    let after = amended(braces, &Edit::Unconstrain { name: name("eta") });
    assert!(after.starts_with("# a way out\n"), "{after}");
    assert!(
        !after.contains("eta = \"<2\"") && after.contains("zeta = \"<9\""),
        "{after}"
    );
}

#[test]
fn lists_grow_as_they_are_written() {
    let one = "[policy]\nexclude = [\"a\"]\n";
    let after = amended(one, &exclude("b"));
    assert!(after.ends_with("exclude = [\"a\", \"b\"]\n"), "{after}");
    let many = "[policy]\nexclude = [\n    \"a\",\n    # last\n    \"b\", # why\n]\n";
    let after = amended(many, &exclude("c"));
    let wanted = "exclude = [\n    \"a\",\n    # last\n    \"b\", # why\n    \"c\",\n]\n";
    assert!(after.ends_with(wanted), "{after}");
    let scope = "[overrides.delta]\nspecifier = \">=1\"\nfor = [\"one\"]\n";
    let after = amended(scope, &relax("delta", ">= 1", &["one", "two"]));
    assert!(after.ends_with("for = [\"one\", \"two\"]\n"), "{after}");
}

#[test]
fn what_the_file_says_already_is_left_alone() {
    let all = "[overrides]\nDelta = \">=1\"\n";
    assert_eq!(amended(all, &relax("delta", ">=1", &["one"])), all);
    let listed = "policy.exclude = [\"Foo_Bar\"]\n";
    assert_eq!(amended(listed, &exclude("foo-bar")), listed);
    let off = "[nodes.ONE]\nignore = true\n";
    assert_eq!(amended(off, &ignore("one")), off);
    assert_eq!(amended(off, &Edit::Unconstrain { name: name("eta") }), off);
}

#[test]
fn what_contradicts_is_refused_with_its_line() {
    let (line, message) = refused(FILE, &relax("numpy", ">=1", &["one"]));
    assert_eq!(line, 11);
    assert!(
        message.starts_with("`overrides.numpy` is `\"<3\"` here"),
        "{message}"
    );
    let other = "[nodes.two]\nsources = \"pyproject\"\n";
    let edit = Edit::Sources {
        node: "two".to_owned(),
    };
    assert_eq!(refused(other, &edit).0, 2);
    let scoped = "[overrides]\n\ndelta = { specifier = \"<1\", for = [\"one\", \"three\"] }\n";
    assert_eq!(refused(scoped, &relax("delta", ">=1", &["One"])).0, 3);
    let listed = "[overrides]\ndelta = [{ specifier = \"<1\", for = [\"one\"] }]\n";
    assert_eq!(refused(listed, &relax("delta", ">=1", &["one"])).0, 2);
}

#[test]
fn an_override_for_another_node_becomes_one_of_a_list() {
    let first = "{ specifier = \"<1\", for = [\"three\"] }";
    for before in [
        format!("# a\n[overrides]\ndelta = {first} # b\n# c\neta = \"<2\"\n"),
        format!("[overrides]\ndelta = [{first}]\n"),
        "[overrides.delta]\n# why\nspecifier = \"<1\"\nfor = [\"three\"]\n\n[resolve]\n".to_owned(),
        format!("overrides = {{ delta = {first} }}\n"),
    ] {
        let after = amended(&before, &relax("delta", ">=1", &["one"]));
        let settings = Settings::parse(&after, "portenv.toml".into()).unwrap();
        let tables = &settings.overrides["delta"].0;
        let told: Vec<(&str, &[String])> = (tables.iter())
            .map(|table| (table.specifier.as_str(), table.only_for.as_slice()))
            .collect();
        let (three, one) = (["three".to_owned()], ["one".to_owned()]);
        assert_eq!(told, [("<1", &three[..]), (">=1", &one[..])], "{after}");
    }
}

#[test]
fn tables_in_braces_and_dotted_keys_are_amended_too() {
    for (before, edit) in [
        ("policy = { exclude = [\"a\"] }\n", exclude("b")),
        ("# x\npolicy = {}\n[resolve]\n", exclude("b")),
        ("nodes = { one = { weight = 2 } }\n", ignore("one")),
        ("nodes = { one = { weight = 2 } }\n", ignore("two")),
        (
            "nodes.one.weight = 2 # x\n\n# y\n[resolve]\n",
            ignore("one"),
        ),
        ("nodes.one.weight = 2\n", ignore("two")),
        ("resolve.prerelease = \"allow\"\n", exclude("b")),
        ("resolve.resolution = \"lowest\"\n", Edit::Prerelease),
        (
            "[overrides.eta]\nspecifier = \"<2\"\n",
            relax("delta", "", &["one"]),
        ),
        (
            "overrides = { eta = \"<2\" }\n[resolve]\n",
            relax("delta", "", &["one"]),
        ),
        ("[policy]\n[resolve]\n", exclude("b")),
        (
            "[[index]]\nname = \"a\"\nurl = \"http://a\"\n",
            exclude("b"),
        ),
    ] {
        let after = amended(before, &edit);
        let settings = Settings::parse(&after, "portenv.toml".into()).unwrap();
        let says = match &edit {
            Edit::Exclude { .. } => settings.policy.exclude.contains(&"b".to_owned()),
            Edit::Ignore { node } => settings.node(node).ignore,
            Edit::Prerelease => settings.resolve.prerelease.is_some(),
            _ => settings
                .overrides
                .keys()
                .any(|key| key.get_ref() == "delta"),
        };
        assert!(says, "{before}\n->\n{after}");
        for line in before.lines().filter(|line| line.starts_with('[')) {
            assert!(after.contains(line), "{before}\n->\n{after}");
        }
    }
}

#[test]
fn an_index_is_added_or_gets_more_packages() {
    let edit = Edit::Index {
        name: "one".to_owned(),
        url: "http://a/simple".to_owned(),
        packages: vec!["theta".to_owned()],
    };
    let after = amended(FILE, &edit);
    let more = "\n# a way out\n#   one, a.txt:1: delta<2\n[[index]]\nname = \"one\"\n\
        url = \"http://a/simple\"\npackages = [\"theta\"]\n";
    assert_eq!(after, format!("{FILE}{more}"));

    let same = "[[index]]\nname = \"mine\"\nurl = \"http://a/simple/\"\npackages = [\"eta\"]\n";
    let after = amended(same, &edit);
    assert!(
        after.ends_with("packages = [\"eta\", \"theta\"]\n"),
        "{after}"
    );
    let open = "[[index]]\nname = \"mine\"\nurl = \"http://a/simple\"\n\n[resolve]\n";
    assert_eq!(amended(open, &edit), open);
    let other = "[[index]]\nname = \"one\"\nurl = \"http://b\"\n\n[resolve]\n";
    let after = amended(other, &edit);
    assert!(
        after.starts_with(other) && after.contains("name = \"one-2\""),
        "{after}"
    );
    let braces = "index = [{ name = \"one\", url = \"http://b\" }] # x\n[resolve]\n";
    let after = amended(braces, &edit);
    let settings = Settings::parse(&after, "portenv.toml".into()).unwrap();
    assert_eq!(settings.index[1].packages, ["theta"]);
    assert!(after.contains("# x\n[resolve]"), "{after}");
}

#[test]
fn line_ends_and_a_mark_at_the_start_stay() {
    let before = "\u{feff}# first\r\n[policy]\r\nexclude = [\"a\"] # x\r\n";
    let after = amend(before, &amendments(&exclude("b")), Some(&why())).unwrap();
    assert!(
        after.starts_with("\u{feff}# first\r\n[policy]\r\n"),
        "{after:?}"
    );
    assert_eq!(after.matches('\n').count(), after.matches("\r\n").count());
    assert!(
        after.contains("exclude = [\"a\", \"b\"] # x\r\n"),
        "{after:?}"
    );
}

#[test]
fn what_strangers_wrote_cannot_break_out_of_a_comment() {
    let reason = Reason {
        about: "a way out".to_owned(),
        lines: vec!["one\nignore = false\r\u{1b}[31m \"\"\" '''".to_owned()],
    };
    for edit in [ignore("one"), relax("delta", "", &["one"])] {
        let after = amend("", &amendments(&edit), Some(&reason)).unwrap();
        Settings::parse(&after, "portenv.toml".into()).unwrap();
        assert!(
            !after.contains('\u{1b}') && !after.contains("\nignore = false"),
            "{after}"
        );
    }
}

#[test]
fn a_fragment_is_what_an_empty_file_would_become() {
    let text = fragment(&amendments(&relax("delta", ">=1", &["one"]))).unwrap();
    assert_eq!(
        text,
        "[overrides]\ndelta = { specifier = \">=1\", for = [\"one\"] }\n"
    );
    let gone = Edit::Unconstrain { name: name("eta") };
    assert_eq!(fragment(&amendments(&gone)), None);
}
