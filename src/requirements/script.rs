//! What a node's `install.py` seems to do, told by reading it. Nothing is run for that.
//!
//! Lines are looked at one by one. Comments and documentation (a text in three quotes that
//! begins a line) say nothing; text in quotes counts, because commands stand in it. Whoever
//! wants to hide something can, so what is found is a hint and what is not found no proof.

use schemars::JsonSchema;
use serde::Serialize;

/// How many acts of one script are told.
const MOST: usize = 100;
/// How many characters of a line are shown.
const SHOWN: usize = 120;

/// What a line of a script seems to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ActKind {
    /// It calls an installer of packages.
    Packages,
    /// It fetches or changes a repository.
    Git,
    /// It fetches something.
    Download,
    /// It writes, and names a place outside its directory.
    Outside,
    /// It deletes files.
    Delete,
    /// It runs code that is made or unpacked while it runs.
    Code,
    /// It runs another program.
    Program,
}

impl ActKind {
    /// Returns what it seems to do, in words.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Packages => "changes packages",
            Self::Git => "runs git",
            Self::Download => "downloads",
            Self::Outside => "writes outside its directory",
            Self::Delete => "deletes files",
            Self::Code => "runs code that it makes itself",
            Self::Program => "runs programs",
        }
    }
}

/// One thing that a script seems to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Act")]
pub struct Act {
    /// What it seems to do.
    pub kind: ActKind,
    /// The line, from 1.
    #[schemars(range(min = 1))]
    pub line: u32,
    /// The column in characters, from 1.
    #[schemars(range(min = 1))]
    pub column: u32,
    /// The line as written, without what is around it.
    pub text: String,
}

/// Programs that change packages, as words of their own.
const INSTALLERS: [&str; 7] = [
    "pip",
    "pip3",
    "uv",
    "conda",
    "mamba",
    "easy_install",
    "ensurepip",
];
const GIT: [&str; 3] = ["clone_from", "Repo(", "pygit2"];
const DOWNLOAD: [&str; 12] = [
    "urlretrieve",
    "urlopen",
    "requests.get",
    "requests.post",
    "httpx.",
    "aiohttp.",
    "wget",
    "curl ",
    "from_pretrained(",
    "load_file_from_url",
    "gdown",
    "torch.hub.",
];
const OUTSIDE: [&str; 19] = [
    "\"..\"",
    "'..'",
    "../",
    "..\\",
    "os.pardir",
    "expanduser",
    "Path.home",
    "site-packages",
    "getsitepackages",
    "sysconfig.",
    "folder_paths.",
    "sys.prefix",
    "sys.exec_prefix",
    ".parents[",
    ".parent.parent",
    "winreg",
    "APPDATA",
    "\"/usr/",
    "\"/etc/",
];
const WRITE: [&str; 17] = [
    "write_text(",
    "write_bytes(",
    ".write(",
    "shutil.copy",
    "shutil.move",
    "copytree(",
    "os.rename(",
    "os.replace(",
    "os.symlink(",
    "symlink_to(",
    "mkdir(",
    "makedirs(",
    "extractall(",
    "urlretrieve(",
    "rmtree(",
    "os.remove(",
    "winreg",
];
const DELETE: [&str; 6] = [
    "rmtree(",
    "os.remove(",
    "os.unlink(",
    ".unlink(",
    "os.rmdir(",
    "rm -rf",
];
const PROGRAM: [&str; 7] = [
    "subprocess.",
    "Popen(",
    "os.system(",
    "os.popen(",
    "os.exec",
    "os.spawn",
    "os.startfile(",
];

/// Reads what a script seems to do, in the order of its lines; each kind once a line.
pub fn read_script(text: &str) -> Vec<Act> {
    let lines = code_of(text);
    let writes = lines.iter().any(|line| first(line, &WRITE).is_some());
    let mut acts = Vec::new();
    for (number, (code, raw)) in (1..).zip(lines.iter().zip(text.lines())) {
        let mut found: Vec<(ActKind, usize)> = Vec::new();
        let mut add = |kind, at: Option<usize>| found.extend(at.map(|at| (kind, at)));
        let words = INSTALLERS.iter();
        add(
            ActKind::Packages,
            words.filter_map(|word| find_word(code, word)).min(),
        );
        add(ActKind::Git, git(code));
        add(ActKind::Download, download(code));
        add(
            ActKind::Outside,
            first(code, &OUTSIDE).filter(|_| writes && !code.trim_start().starts_with("import ")),
        );
        add(ActKind::Delete, first(code, &DELETE));
        add(ActKind::Code, made_code(code));
        // What the program is for says more than that it is one.
        if found.iter().all(|(kind, _)| *kind > ActKind::Download) {
            found.extend(first(code, &PROGRAM).map(|at| (ActKind::Program, at)));
        }
        for (kind, at) in found {
            let column = code[..at].chars().count() + 1;
            acts.push(Act {
                kind,
                line: number,
                column: u32::try_from(column).unwrap_or(u32::MAX),
                text: shown(raw),
            });
        }
        if acts.len() >= MOST {
            acts.truncate(MOST);
            break;
        }
    }
    acts
}

fn shown(line: &str) -> String {
    let line = line.trim();
    let mut text: String = line.chars().take(SHOWN).collect();
    if text.len() < line.len() {
        text.push('…');
    }
    text
}

fn first(code: &str, needles: &[&str]) -> Option<usize> {
    needles.iter().filter_map(|needle| code.find(needle)).min()
}

/// Finds where a word stands in a text by itself (`pipeline` is not `pip`).
fn find_word(text: &str, word: &str) -> Option<usize> {
    places(text, word).next()
}

fn places<'t>(text: &'t str, word: &str) -> impl Iterator<Item = usize> + use<'t> {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let length = word.len();
    let places: Vec<usize> = text.match_indices(word).map(|(at, _)| at).collect();
    places.into_iter().filter(move |&at| {
        !text[..at].ends_with(inside) && !text[at + length..].starts_with(inside)
    })
}

/// `git` as a program or module: not the end of an address, not pip's `git+https`.
fn git(code: &str) -> Option<usize> {
    let program = places(code, "git").find(|at| {
        !code[..*at].ends_with(['.', '/', '@']) && !code[at + 3..].starts_with(['+', '@', 'h'])
    });
    program.into_iter().chain(first(code, &GIT)).min()
}

/// What is known to fetch, and whatever is called so that it says it does.
fn download(code: &str) -> Option<usize> {
    let known = first(code, &DOWNLOAD);
    let is_definition = code.trim_start().trim_start_matches("async ");
    if is_definition.starts_with("def ") {
        return known;
    }
    let called = code.match_indices("download").find_map(|(at, word)| {
        let inside = |c: char| c.is_alphanumeric() || c == '_';
        let behind = code[at + word.len()..].trim_start_matches(inside);
        let name = code[..at].trim_end_matches(inside).len();
        behind.starts_with('(').then_some(name)
    });
    known.into_iter().chain(called).min()
}

/// `exec(…)` and the like as functions of their own, not as methods of something.
fn made_code(code: &str) -> Option<usize> {
    let called = |word: &str| {
        places(code, word).find(|at| {
            !code[..*at].ends_with('.') && code[at + word.len()..].trim_start().starts_with('(')
        })
    };
    let own = ["exec", "eval", "compile", "__import__"];
    let own = own.iter().filter_map(|word| called(word));
    own.chain(first(code, &["b64decode(", "marshal.loads("]))
        .min()
}

/// Returns the lines with comments and documentation replaced by spaces, so that columns
/// stay what they are.
fn code_of(text: &str) -> Vec<String> {
    let mut open: Option<(&str, bool)> = None;
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut code = String::with_capacity(line.len());
        let mut rest = line;
        loop {
            if let Some((quotes, is_doc)) = open {
                let (inside, after) = match rest.find(quotes) {
                    Some(at) => (&rest[..at + quotes.len()], Some(&rest[at + quotes.len()..])),
                    None => (rest, None),
                };
                push(&mut code, inside, is_doc);
                let Some(after) = after else { break };
                (open, rest) = (None, after);
                continue;
            }
            let Some(at) = rest.find(['#', '"', '\'']) else {
                code.push_str(rest);
                break;
            };
            code.push_str(&rest[..at]);
            rest = &rest[at..];
            if rest.starts_with('#') {
                break;
            }
            let triple = ["\"\"\"", "'''"];
            if let Some(quotes) = triple.into_iter().find(|it| rest.starts_with(it)) {
                let is_doc = code.trim().is_empty();
                push(&mut code, quotes, is_doc);
                (open, rest) = (Some((quotes, is_doc)), &rest[3..]);
                continue;
            }
            let end = end_of_text(rest);
            code.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        lines.push(code);
    }
    lines
}

fn push(code: &mut String, part: &str, is_doc: bool) {
    if is_doc {
        code.extend(part.chars().map(|_| ' '));
    } else {
        code.push_str(part);
    }
}

/// Returns where a text in single quotes ends, which begins at the first character.
fn end_of_text(text: &str) -> usize {
    let mut chars = text.char_indices();
    let quote = chars.next().map(|(_, quote)| quote);
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            chars.next();
        } else if Some(c) == quote {
            return at + c.len_utf8();
        }
    }
    text.len()
}
