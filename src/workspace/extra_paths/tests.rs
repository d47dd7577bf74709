use super::*;

fn read(text: &str) -> ExtraPaths {
    let variables = [("HOME", "/home/me"), ("DISK", "/mnt/disk"), ("EMPTY", "")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    ExtraPaths::parse(
        text,
        Utf8Path::new("/comfy"),
        "extra_model_paths.yaml",
        &BTreeMap::from(variables),
    )
}

#[track_caller]
fn check(text: &str, dirs: &[&str]) {
    let found = read(text);
    let shown: Vec<&str> = found.dirs.iter().map(|(dir, _)| dir.as_str()).collect();
    assert_eq!(shown, dirs, "{text}");
    assert!(found.notes.is_empty(), "{text}: {:?}", found.notes);
}

#[track_caller]
fn check_note(text: &str, place: (u32, u32), word: &str) {
    let notes = read(text).notes;
    let [note] = notes.as_slice() else {
        panic!("{text}: {notes:?}")
    };
    assert_eq!((note.line, note.column), place, "{text}: {note:?}");
    assert!(note.message.contains(word), "{text}: {note:?}");
}

#[test]
fn paths_are_meant_from_the_base_path_or_the_file() {
    check("", &[]);
    check("# nothing\n", &[]);
    check("a:\n", &[]);
    check("a:\n  custom_nodes: nodes\n", &["/comfy/nodes"]);
    check("a:\n  custom_nodes: /x/nodes/\n", &["/x/nodes"]);
    check(
        "a:\n  base_path: /x\n  custom_nodes: nodes\n",
        &["/x/nodes"],
    );
    check(
        "a:\n  custom_nodes: nodes\n  base_path: ../x\n",
        &["/x/nodes"],
    );
    check(
        "a:\n  base_path: /x\n  custom_nodes: ./n/../nodes\n",
        &["/x/nodes"],
    );
    check("a:\n  base_path: /x\n  custom_nodes: /y\n", &["/y"]);
    check("a:\n  base_path: /x\n  checkpoints: models\n", &[]);
}

#[test]
fn a_value_has_one_path_a_line_and_a_file_several_sections() {
    let text = "\u{feff}a:\r\n  base_path: '/x y'\r\n  custom_nodes: |\r\n    one\r\n    two words\r\n\r\nb: {custom_nodes: \"three\"}\n";
    check(text, &["/x y/one", "/x y/two words", "/comfy/three"]);
    let found = read("a:\n  custom_nodes: n\n  is_default: true\nb:\n  custom_nodes: m\n");
    let first: Vec<bool> = found.dirs.iter().map(|(_, first)| *first).collect();
    assert_eq!(first, [true, false]);
}

#[test]
fn home_and_variables_are_put_in_for_the_base_path_alone() {
    check("a: {base_path: ~/x, custom_nodes: n}\n", &["/home/me/x/n"]);
    check("a: {base_path: \"~\", custom_nodes: n}\n", &["/home/me/n"]);
    check(
        "a: {base_path: ~other/x, custom_nodes: n}\n",
        &["/comfy/~other/x/n"],
    );
    check(
        "a: {base_path: $DISK/x, custom_nodes: n}\n",
        &["/mnt/disk/x/n"],
    );
    check(
        "a: {base_path: '${DISK}2${EMPTY}', custom_nodes: n}\n",
        &["/mnt/disk2/n"],
    );
    check(
        "a: {base_path: '/$NOBODY/${x', custom_nodes: n}\n",
        &["/$NOBODY/${x/n"],
    );
    check("a: {custom_nodes: $DISK/n}\n", &["/comfy/$DISK/n"]);
}

#[test]
fn what_is_no_mapping_of_sections_is_noted_with_its_place() {
    check_note("a:\n\tcustom_nodes: n\n", (2, 2), "tab");
    check_note("a: {custom_nodes: n\n", (2, 1), "");
    check_note("- a\n", (1, 1), "mapping of sections");
    check_note("text\n", (1, 1), "mapping of sections");
    check_note("a: 3\n", (1, 4), "not a mapping");
    check_note("a:\n  custom_nodes: [n]\n", (2, 3), "custom_nodes");
    check_note("a:\n  custom_nodes:\n", (2, 3), "custom_nodes");
    check_note("a:\n  <<: *x\n", (2, 7), "");
}

#[test]
fn what_nests_for_ever_ends() {
    let deep = format!("a: {}", "[".repeat(100_000));
    assert!(!read(&deep).notes.is_empty());
    let mut block = String::new();
    for at in 0..2_000 {
        block.push_str(&format!("{}a:\n", " ".repeat(at)));
    }
    assert!(read(&block).dirs.is_empty());
    let laughs = "a: &a {custom_nodes: n}\nb: &b [*a, *a]\nc: [*b, *b]\n";
    assert_eq!(read(laughs).dirs.len(), 1);
}
