//! The sets of lines, as files.

use std::path::{Path, PathBuf};

/// All of them, as `--sets` takes them.
pub(crate) const ALL: &str = "core,core-15,core-50,large,boto,transformers,\
nodes-10,nodes-25,nodes-50,nodes-100,nodes-200";

/// How many lines a made-up node asks for.
const LINES: usize = 6;

/// Returns the directory of recorded data.
pub(crate) fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn lines(set: &str) -> Vec<String> {
    let path = corpus().join("bench").join(format!("{set}.in"));
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// Returns the files of a set. `nodes-N` is the core and one file for each of N nodes, to which
/// the lines of `core-50` are dealt in a fixed order until all have theirs.
pub(crate) fn files(set: &str, scratch: &Path) -> Vec<PathBuf> {
    let Some(count) = set.strip_prefix("nodes-") else {
        return vec![corpus().join("bench").join(format!("{set}.in"))];
    };
    let count: usize = count.parse().unwrap();
    let deck = lines("core-50");
    let mut files = vec![corpus().join("bench/core.in")];
    for node in 0..count {
        // A step without a common divisor with the deck's length visits every line.
        let dealt = (0..LINES).map(|at| &deck[(node * LINES + at) * 7919 % deck.len()]);
        let text: String = dealt.flat_map(|line| [line, "\n"]).collect();
        let dir = scratch.join(format!("{set}/node-{node}"));
        std::fs::create_dir_all(&dir).unwrap();
        let file = dir.join("requirements.txt");
        std::fs::write(&file, text).unwrap();
        files.push(file);
    }
    files
}
