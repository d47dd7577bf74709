//! What each code means, in the words of `explain`.

use super::codes::Code;

/// The page of one code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// A few words.
    pub title: &'static str,
    /// What was found.
    pub meaning: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do about it.
    pub mend: &'static str,
}

impl Code {
    /// Returns the code's page.
    pub fn page(self) -> Page {
        match self {
            Self::Conflict => Page {
                title: "the requirements have no joint answer",
                meaning: "ComfyUI, the nodes and the policy ask for versions that cannot be \
                    installed together. The finding names the least set of lines that exclude \
                    each other, each with its file and line and the chain of packages through \
                    which it comes to ask.",
                why: "All nodes share one environment. Whatever is installed, at least one of \
                    these lines is not met, and the node that it belongs to may fail when it is \
                    loaded or, worse, while it runs.",
                mend: "Take one of the ways out that stand below the lines: each was tried with \
                    everything that is asked for. Else change one of the lines, pin another \
                    version of the node, or overrule a line under [overrides] in portenv.toml.",
            },
            Self::Stale => Page {
                title: "the lock does not answer today's requirements",
                meaning: "pylock.toml was made for other lines, targets or policy than those of \
                    today, or there is none.",
                why: "Who installs the lock gets what was asked for then. A requirement that was \
                    added since is not installed, one that is gone is still held.",
                mend: "Run portenv lock and commit pylock.toml.",
            },
            Self::Environment => Page {
                title: "the environment is not what the lock says",
                meaning: "A package is installed in another version, from another source or not \
                    at all.",
                why: "What was tested is not what runs. Most often something was installed \
                    behind portenv's back, by pip or by a node.",
                mend: "Look at it with portenv diff lock env, then run portenv sync. Where CI has \
                    no environment on purpose, switch this code off there.",
            },
            Self::Protected => Page {
                title: "a protected package would change",
                meaning: "The nodes can only be had if a package changes that the policy \
                    protects: by default torch and its companions, and every build with a local \
                    version such as +cu128; or a package would break that was built for the \
                    torch that is installed.",
                why: "A GPU build that is replaced by a plain one still imports, and is ten \
                    times slower or finds no device. Extensions built for another torch crash.",
                mend: "Ask the node for a wider range. If the change is wanted, make it with \
                    --allow-change NAME, or name what is protected under [policy] protect.",
            },
            Self::Invalid => Page {
                title: "a requirement line cannot be read",
                meaning: "A line of a requirements file or pyproject.toml is not a requirement \
                    (PEP 508), or a file that it names cannot be read.",
                why: "An installer either stops at such a line or passes over it; then what the \
                    node needs is not installed and nobody says so.",
                mend: "Mend the line: the finding says what is wrong with it and, where that can \
                    be told, what to write.",
            },
            Self::Family => Page {
                title: "two packages own the same files",
                meaning: "Two packages bring the same modules: members of one family such as \
                    opencv-python and opencv-python-headless, or any two installed packages \
                    whose RECORDs claim one path with different content.",
                why: "The one installed last overwrites the other. Removing or updating either \
                    then leaves holes in the one that stays: a stale cv2, a GPU runtime that has \
                    turned into the plain one.",
                mend: "Let one of them answer for all: [[family]] with mode = \"unify\" in \
                    portenv.toml, or exclude one under [policy] exclude.",
            },
            Self::Yanked => Page {
                title: "a withdrawn version is used",
                meaning: "The version was withdrawn by its authors (yanked, PEP 592) and is \
                    taken only because something asks for exactly this one.",
                why: "Versions are withdrawn because they are broken or unsafe.",
                mend: "Ask for another version; portenv why PACKAGE tells who pins it.",
            },
            Self::InstallScript => Page {
                title: "a node has a script that changes packages",
                meaning: "The node has an install.py that seems to call pip or uv. Only \
                    add --run-install-script runs it.",
                why: "Other managers run it with free rein when the node is installed: it may \
                    replace torch, and no lock knows of it.",
                mend: "Move what it installs to requirements.txt. If that cannot be, add \
                    the node with --run-install-script, which tells what it did and puts back \
                    what the lock names.",
            },
            Self::Unpinned => Page {
                title: "a line names a repository without a commit",
                meaning: "A requirement names a git repository, or the archive of a branch, \
                    without saying which commit: what it means changes with every push.",
                why: "The lock fixes the commit, but everyone who installs the node by other \
                    means gets whatever the branch is that day, and nobody reviewed it.",
                mend: "Write the commit behind the address: NAME @ git+https://HOST/REPO@COMMIT.",
            },
            Self::ForeignIndex => Page {
                title: "a node names an index that the policy does not",
                meaning: "A requirements file of a node has --index-url, --extra-index-url or \
                    --find-links with an address that portenv.toml does not name. portenv does \
                    not ask it.",
                why: "Installers apply such a line to everything: any package may then come from \
                    there, torch included. And without it the node may lack what only that \
                    index has.",
                mend: "If the index is to be trusted, add it to portenv.toml as [[index]] with \
                    the packages that may come from it. Else ask the node to name the file \
                    itself: NAME @ URL.",
            },
            Self::SdistOnly => Page {
                title: "a package has to be built",
                meaning: "For a target there is no wheel of the version, only its source.",
                why: "Installing it runs the build code of its authors, may need a compiler and \
                    the headers of Python or CUDA, and takes as long as it takes. Users without \
                    a compiler cannot install the node.",
                mend: "Ask for a version that has wheels, or add an index or --find-links that \
                    has one. Where building is meant, set the code to off.",
            },
            Self::CoreDowngrade => Page {
                title: "a node moves what ComfyUI asks for to an older version",
                meaning: "With the nodes that were named, a package that ComfyUI's own \
                    requirements name comes in an older version than without them.",
                why: "ComfyUI's lower bounds still hold, but it is tested with what is new: an \
                    upper bound of one node then holds back everything else.",
                mend: "Ask the node to widen its upper bound; the finding names the line. \
                    portenv why PACKAGE tells what else holds it down.",
            },
            Self::Vulnerable => Page {
                title: "an advisory is about a version in use",
                meaning: "An advisory (OSV) of the files that [check] advisories or --advisories \
                    name is about a version that is locked or installed. Nothing is asked over \
                    the network.",
                why: "The version is known to be open to attack, or is itself the attack.",
                mend: "Take a version that is not affected: the finding names the first one that \
                    mends it where the advisory does. If it does not concern you, take the \
                    advisory out of the file, so that the next one is still seen.",
            },
            Self::Unsupplied => Page {
                title: "a requirement that nobody has a file for",
                meaning: "A line leads to a package of which no version that it admits has a \
                    file for the target: another platform, another Python, or no such package.",
                why: "The node cannot be installed as it asks. Most installers stop there and \
                    leave out all that comes after the line.",
                mend: "Ask for a version that has files, give the line a marker for the \
                    platforms that have one, or add an index that has it. portenv lock leaves \
                    such a line of a node out and records that.",
            },
        }
    }
}
