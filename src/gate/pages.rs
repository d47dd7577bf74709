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
                meaning: "The node has an install.py that seems to call pip or uv. It is never \
                    run by portenv.",
                why: "Other managers run it with free rein when the node is installed: it may \
                    replace torch, and no lock knows of it.",
                mend: "Move what it installs to requirements.txt. If that cannot be, run it \
                    once and look at what it did with portenv diff @ env.",
            },
        }
    }
}
