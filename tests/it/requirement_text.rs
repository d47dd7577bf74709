//! One requirement's text: what is mended, what is refused, and with which advice.

use std::str::FromStr;

use portenv::package::requirement::split;
use portenv::package::target::MachineFacts;
use portenv::package::{Extra, Marker, Name, Platform, Requirement, Target, Version};
use proptest::prelude::*;

#[track_caller]
fn parsed(text: &str) -> Requirement {
    Requirement::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn target(triple: &str, python: &str) -> Target {
    let platform = Platform::from_str(triple).unwrap();
    let python = Version::from_str(python).unwrap();
    Target::new(platform, python, &MachineFacts::default())
}

/// Checks that `text` is read as `means`, with a note that quotes what was read, if it was mended.
#[track_caller]
fn check_repair(text: &str, means: &str) {
    let (requirement, note) = Requirement::parse_noting(text).unwrap();
    let right = parsed(means);
    assert_eq!(requirement.name, right.name, "{text}");
    assert_eq!(
        requirement.specifiers.range(),
        right.specifiers.range(),
        "{text}"
    );
    assert_eq!(requirement.marker, right.marker, "{text}");
    let note = note.unwrap_or_else(|| panic!("`{text}` was mended without a note"));
    assert!(note.contains("was read as"), "{text}: {note}");
}

#[test]
fn what_old_uploads_and_careless_lines_get_wrong_is_mended_and_noted() {
    for (text, means) in [
        ("torch>=2.0,", "torch>=2.0"),
        ("torch>=1,,<2", "torch>=1,<2"),
        ("torch,", "torch"),
        ("foo>=1.0.*", "foo>=1.0"),
        ("foo<2.*", "foo<2"),
        ("foo>=1.0<2", "foo>=1.0,<2"),
        ("foo>=1.0 <2", "foo>=1.0,<2"),
        ("foo>='1.0'", "foo>=1.0"),
        (
            "foo>='1.0'; python_version < '4'",
            "foo>=1.0; python_version < '4'",
        ),
        ("foo>=\"1.0\"", "foo>=1.0"),
        ("foo!=~1.2", "foo!=1.2.*"),
        ("foo==1.0*", "foo==1.0.*"),
        ("foo>dev", "foo>0.0.0.dev0"),
        ("foo==1.0a1.0", "foo==1.0a1"),
        ("foo (>=1.0.*)", "foo>=1.0"),
    ] {
        check_repair(text, means);
    }
}

#[test]
fn what_is_right_is_not_noted() {
    for text in [
        "torch",
        "GitPython",
        "foo>=1.0, <2",
        "foo (>=1.0)",
        "foo ( >=1.0,<2 ) ; python_version >= '3.8'",
        "foo==1.0.*",
        "foo[a, b]==1",
        "foo[]",
        "foo @ https://host/foo-1.0.zip",
        "foo@git+https://host/foo",
        "  foo  ",
    ] {
        let (_, note) = Requirement::parse_noting(text).unwrap();
        assert_eq!(note, None, "{text}");
    }
}

/// Checks the column (characters from 0), the fix, and a part of the message.
#[track_caller]
fn check_refused(text: &str, column: usize, message: &str, fix: Option<&str>) {
    let error = Requirement::parse(text).expect_err(text);
    assert!(error.message.contains(message), "{text}: {}", error.message);
    assert_eq!(error.fix.as_deref(), fix, "{text}");
    assert_eq!(error.column, column, "{text}: {}", error.message);
}

#[test]
fn what_cannot_be_mended_is_refused_with_its_column_and_fix() {
    check_refused("foo~=1", 3, "at least two numbers", Some("~=1.0"));
    check_refused("foo>1,~=2", 6, "at least two numbers", Some("~=2.0"));
    check_refused(
        "foo=1.0",
        3,
        "`=1.0` is not a version specifier",
        Some("==1.0"),
    );
    check_refused("foo=>1.0", 3, "`=>1.0`", Some(">=1.0"));
    check_refused("foo=<1.0", 3, "`=<1.0`", Some("<=1.0"));
    check_refused("foo =! 1.0", 4, "`=! 1.0`", Some("!=1.0"));
    check_refused(
        "foo>=2.5.1+cu124",
        3,
        "local label `+cu124`",
        Some(">=2.5.1"),
    );
    check_refused("foo<2,<=1.0+cpu", 6, "local label", Some("<=1.0"));
    check_refused("foo===1.0-custom!", 3, "compared", None);
    check_refused("foo==2013b-x", 3, "not a version specifier", None);
    check_refused("foo bar", 4, "expected a version specifier", None);
    check_refused("foo>=", 3, "not a version specifier", None);
    check_refused("", 0, "expected a package name", None);
    check_refused("[x]", 0, "expected a package name", None);
    check_refused("é>=1", 0, "expected a package name", None);
    check_refused("foo-", 0, "`foo-` is not a package name", None);
    check_refused("foo-; python_version < '3'", 0, "`foo-`", None);
    check_refused(" -foo", 1, "not a package name", None);
    check_refused("a[b-]", 2, "`b-` is not the name of an extra", None);
    check_refused("a[b, é]", 5, "`é`", None);
    check_refused("a[b", 1, "never closed", None);
    check_refused("a (>=1", 2, "never closed", None);
    check_refused("a @ ", 4, "expected a URL", None);
    check_refused("a @ ; python_version < '3'", 4, "expected a URL", None);
    check_refused("a @ https://h/x y", 16, "found `y`", None);
    check_refused(
        "a @ git@github.com:o/r.git",
        4,
        "is not a URL",
        Some("git+ssh://git@github.com/o/r.git"),
    );
    check_refused(
        "git@github.com:o/r.git",
        4,
        "is not a URL",
        Some("git+ssh://git@github.com/o/r.git"),
    );
    check_refused("foo^1.2.3", 3, "Poetry", Some(">=1.2.3,<2"));
    check_refused("foo^0.2.3", 3, "Poetry", Some(">=0.2.3,<0.3"));
    check_refused("foo~1.2", 3, "not a version specifier", Some("~=1.2"));
    check_refused("a; nonsense", 3, "in the marker", None);
    check_refused("a; python_version", 3, "in the marker", None);
    check_refused("a>=1; é", 6, "in the marker", None);
    check_refused("a>=1, .*", 6, "`.*`", None);
}

#[test]
fn what_is_nested_or_listed_beyond_reason_is_refused() {
    let nested = |times: usize| {
        let (open, close) = ("(".repeat(times), ")".repeat(times));
        Marker::parse(&format!("{open}os_name == 'nt'{close}"))
    };
    assert!(nested(50).is_ok());
    let error = nested(5000).unwrap_err();
    assert!(error.contains("too many"), "{error}");
    // Of each pair more the diagram behind it would be twice as large.
    let pairs = |times: usize| {
        let pair = |n: usize| format!("(extra == 'x{n}' and extra == 'y{n}')");
        Marker::parse(&(0..times).map(pair).collect::<Vec<_>>().join(" or "))
    };
    assert!(pairs(8).is_ok());
    let error = pairs(40).unwrap_err();
    assert!(error.contains("too many"), "{error}");
    let any = |n: usize| format!("extra == 'x{n}'");
    let many = (0..100).map(any).collect::<Vec<_>>().join(" or ");
    assert!(Marker::parse(&format!("({many}) and python_version < '3.13'")).is_ok());
    let listed = |times: usize| Requirement::parse(&format!("a{}", ">=1,".repeat(times)));
    assert!(listed(500).is_ok());
    assert!(listed(5000).is_err());
    assert_eq!(
        parsed(&format!("a{}", ">=1".repeat(500)))
            .specifiers
            .range(),
        parsed("a>=1").specifiers.range()
    );
}

#[test]
fn a_marker_beyond_ascii_is_refused_at_its_first_strange_character() {
    for text in [
        "os_name == 'é'",
        "os_name aé= 'nt'",
        "extra == 'gpu' é",
        "extra == 'gpu' and\u{a0}os_name == 'nt'",
        "extra == 'gpu' aaaaaaé€😀 >= '3.9'",
    ] {
        let error = Marker::parse(text).expect_err(text);
        assert!(error.contains("unexpected character"), "{text}: {error}");
    }
    let error = Marker::parse("os_name == '\u{202e}'").unwrap_err();
    assert!(!error.contains('\u{202e}'), "{error}");
}

#[test]
fn names_and_extras_are_in_normal_form() {
    for (text, normal) in [
        ("GitPython", "gitpython"),
        ("ruamel.yaml__x", "ruamel-yaml-x"),
        ("A--B..C", "a-b-c"),
        ("0x", "0x"),
    ] {
        assert_eq!(Name::parse(text).unwrap().as_str(), normal);
        assert_eq!(Extra::parse(text).unwrap().as_str(), normal);
        assert_eq!(parsed(text).name.as_str(), normal);
    }
    for text in ["", "-", "a-", "_a", "a b", "ä", "a!", "a@"] {
        assert!(Name::parse(text).is_none(), "{text}");
    }
    let extras = parsed("x[Foo_Bar, all ,foo.bar]").extras;
    let extras: Vec<&str> = extras.iter().map(Extra::as_str).collect();
    assert_eq!(extras, ["all", "foo-bar"]);
}

#[test]
fn a_marker_behind_a_url_is_its_own() {
    for text in [
        "foo @ https://host/foo.zip ; sys_platform == 'win32'",
        "foo @ https://host/foo.zip; sys_platform == 'win32'",
        "foo@https://host/foo.zip ;sys_platform == 'win32'",
    ] {
        let found = parsed(text);
        assert_eq!(found.url.as_deref(), Some("https://host/foo.zip"), "{text}");
        assert_eq!(found.marker.text(), "sys_platform == 'win32'", "{text}");
    }
    let whole = parsed("foo @ https://host/a;b/foo.zip#subdirectory=x&egg=y");
    assert_eq!(
        whole.url.as_deref(),
        Some("https://host/a;b/foo.zip#subdirectory=x&egg=y")
    );
    assert!(whole.marker.is_always());
}

#[test]
fn markers_hold_where_they_should() {
    let linux = target("linux", "3.12.3");
    let windows = target("windows", "3.9.1");
    for (text, on_linux, on_windows) in [
        ("", true, true),
        ("sys_platform == 'win32'", false, true),
        ("os_name == 'nt'", false, true),
        ("platform_system != \"Windows\"", true, false),
        ("python_version < '3.10'", false, true),
        ("python_version >= '3.7.*'", true, true),
        ("python_version < '3.12.*'", false, true),
        ("python_version in '3.8, 3.9'", false, true),
        ("python_version in '3.8,3.9'", false, true),
        ("python_version in '3.8 3.12'", true, false),
        ("python_version not in '3.8, 3.9'", true, false),
        ("python_version == '3.12.*'", true, false),
        ("sys_platform in 'linux,darwin'", true, false),
        ("'3.10' > python_version", false, true),
        (
            "platform_machine == 'x86_64' and python_full_version > '3.12'",
            true,
            false,
        ),
        ("extra == 'gpu'", false, false),
        ("python_version >= '0' or python_version < '0'", true, true),
    ] {
        let marker = Marker::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(
            marker.holds(linux.environment()),
            on_linux,
            "{text} on Linux"
        );
        assert_eq!(
            marker.holds(windows.environment()),
            on_windows,
            "{text} on Windows"
        );
    }
    let marker = Marker::parse("extra == 'GPU_x'").unwrap();
    assert!(marker.mentions_extra());
    let extra = Extra::parse("gpu-x").unwrap();
    assert!(marker.holds_with(linux.environment(), &[extra]));
}

#[test]
fn a_comparison_that_would_be_left_out_is_refused_and_never_always_true() {
    for text in [
        "python_version > 'abc'",
        "sys_platform == 'linux' and python_version > 'abc'",
        "sys_platform == 'linux' or python_version in 'new'",
        "os_name == sys_platform",
        "'a' == 'b'",
        "sys_platform ~= 'linux'",
        "python_version ~= '3'",
        "'3.7.*' <= python_version",
    ] {
        let error = Marker::parse(text).expect_err(text);
        assert!(error.contains("not understood"), "{text}: {error}");
    }
    for text in ["python_version in '3.8, 3.9'", "python_version >= '3.7.*'"] {
        assert!(!Marker::parse(text).unwrap().is_always(), "{text}");
    }
}

fn requirement_text() -> impl Strategy<Value = String> {
    let name = "[A-Za-z0-9]([A-Za-z0-9._-]{0,8}[A-Za-z0-9])?";
    let extras = prop::collection::vec("[a-z]([a-z0-9-]{0,4}[a-z0-9])?", 0..3);
    let operators = prop::sample::select(vec!["==", "!=", ">=", "<=", "<", ">"]);
    let specifiers = prop::collection::vec((operators, 0u8..30, 0u8..30), 0..3);
    let url = prop::option::of("(git\\+)?https://host\\.example/[a-z0-9/._-]{1,12}");
    let marker = prop::sample::select(vec![
        "",
        "python_version < '3.13'",
        "sys_platform == \"win32\" or extra == 'gpu'",
        "python_version in '3.8, 3.9'",
    ]);
    (name, extras, specifiers, url, marker).prop_map(|(name, extras, specifiers, url, marker)| {
        let mut text = name;
        if !extras.is_empty() {
            text += &format!("[{}]", extras.join(", "));
        }
        if let Some(url) = url {
            text += &format!(" @ {url}");
        } else {
            let list: Vec<String> = specifiers
                .iter()
                .map(|(operator, major, minor)| format!("{operator}{major}.{minor}"))
                .collect();
            text += &list.join(", ");
        }
        if !marker.is_empty() {
            text += &format!(" ; {marker}");
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_is_read_again_as_the_same(text in requirement_text()) {
        let first = parsed(&text);
        let printed = first.to_string();
        let again = parsed(&printed);
        prop_assert_eq!(&again, &first, "{}", printed);
        prop_assert_eq!(again.to_string(), printed);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,40}") {
        let _ = split(&text);
        let _ = Marker::parse(&text);
        if let Err(error) = Requirement::parse(&text) {
            prop_assert!(error.column <= text.chars().count());
        }
    }

    #[test]
    fn no_text_of_the_right_characters_panics(
        text in "[a-c0-9é \\[\\]()<>=!~;,.@'\"#*+:/-]{0,16}",
        lead in prop::sample::select(vec!["", "foo", "foo>=1", "foo-;", "foo @ ", "foo; python_version ", "foo; extra "]),
    ) {
        let text = format!("{lead}{text}");
        if let Err(error) = Requirement::parse(&text) {
            prop_assert!(error.column <= text.chars().count(), "{}", error.column);
            prop_assert!(!error.message.is_empty());
        }
    }
}
