//! Installations of real nodes, dealt by a number.

use std::path::{Path, PathBuf};

use portenv::requirements::text::decode;

/// ComfyUI and the nodes to deal, each with its requirement files.
pub(crate) struct Deck {
    core: Vec<File>,
    nodes: Vec<(String, Vec<File>)>,
}

#[derive(Clone)]
struct File {
    name: String,
    text: String,
    cut: usize,
}

/// Where ComfyUI is put, with the nodes that were dealt to it.
pub(crate) struct Installation {
    /// Its directory.
    pub(crate) root: PathBuf,
}

/// The ComfyUI that the nodes are dealt to.
const CORE: &str = "comfyui/0.33.0";

impl Deck {
    /// Reads the corpus, if there is one.
    pub(crate) fn open() -> Option<Self> {
        let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
        let corpus = std::env::var_os("PORTENV_CORPUS").map_or(beside, PathBuf::from);
        let mut dirs: Vec<PathBuf> = std::fs::read_dir(corpus.join("nodes"))
            .ok()?
            .map(|entry| entry.unwrap().path())
            .collect();
        dirs.sort();
        let nodes = dirs
            .iter()
            .filter(|dir| dir.join("requirements.txt").is_file());
        let name = |dir: &Path| dir.file_name().unwrap().to_string_lossy().into_owned();
        Some(Self {
            core: files(&corpus.join(CORE)),
            nodes: nodes.map(|dir| (name(dir), files(dir))).collect(),
        })
    }

    /// Returns how many lines were cut out of all files.
    pub(crate) fn cut(&self) -> usize {
        let nodes = self.nodes.iter().flat_map(|(_, files)| files);
        nodes.chain(&self.core).map(|file| file.cut).sum()
    }

    /// Deals this many nodes to a new installation. The same number deals the same nodes.
    pub(crate) fn deal(&self, seed: u64, count: usize, root: &Path) -> Installation {
        let mut left: Vec<usize> = (0..self.nodes.len()).collect();
        let mut random = Random(seed);
        let dealt = (0..count.min(left.len())).map(|_| left.swap_remove(random.below(left.len())));
        let dealt: Vec<usize> = dealt.collect();
        if root.exists() {
            std::fs::remove_dir_all(root).unwrap();
        }
        write(root, &self.core);
        std::fs::write(root.join("main.py"), "").unwrap();
        std::fs::create_dir(root.join("comfy")).unwrap();
        std::fs::write(root.join("comfy/__init__.py"), "").unwrap();
        for (name, files) in dealt.into_iter().map(|at| &self.nodes[at]) {
            let dir = root.join("custom_nodes").join(name);
            write(&dir, files);
            std::fs::write(dir.join("__init__.py"), "").unwrap();
        }
        Installation {
            root: root.to_owned(),
        }
    }
}

fn write(dir: &Path, files: &[File]) {
    std::fs::create_dir_all(dir).unwrap();
    for file in files {
        let path = dir.join(&file.name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &file.text).unwrap();
    }
}

/// Reads the files of a directory. Each line keeps its number.
fn files(dir: &Path) -> Vec<File> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let text = decode(&std::fs::read(&path).unwrap()).unwrap_or_default();
            let project = path.extension().is_some_and(|ending| ending == "toml");
            let mut cut = 0;
            let lines = text
                .lines()
                .map(|line| match without_address(line, project) {
                    Some(line) => {
                        cut += 1;
                        line
                    }
                    None => line.to_owned(),
                });
            let text = lines.map(|line| line + "\n").collect();
            let name = path
                .strip_prefix(dir)
                .unwrap()
                .to_string_lossy()
                .into_owned();
            found.push(File { name, text, cut });
        }
    }
    found
}

/// Cuts out what names an address. In a project file it is made never to count.
fn without_address(line: &str, project: bool) -> Option<String> {
    let bare = line.split(" #").next().unwrap().trim();
    if !bare.contains("://") || bare.starts_with('#') {
        return None;
    }
    if !project {
        return Some(String::new());
    }
    let is_address = |text: &str| {
        ["git+", "http://", "https://"]
            .iter()
            .any(|one| text.trim().starts_with(one))
    };
    let parts = line.split('"').map(|part| {
        let named = part
            .split_once(" @ ")
            .is_some_and(|(_, place)| is_address(place));
        // Other values of a project file name pages of the web.
        let file = [".whl", ".zip", ".gz"]
            .iter()
            .any(|ending| part.ends_with(ending));
        if named || part.trim().starts_with("git+") || is_address(part) && file {
            "pip; python_version < '3'"
        } else {
            part
        }
    });
    let parts: Vec<&str> = parts.collect();
    let changed = parts.join("\"");
    (changed != line).then_some(changed)
}

/// Numbers that look random and are the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        // SplitMix64, by its authors' constants.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % u64::try_from(end).unwrap()).unwrap()
    }
}
