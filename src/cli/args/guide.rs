//! The order of the commands in `portenv --help`, and what stands below each one's flags:
//! what it changes on disk, how to go back, and lines to try.

use clap::builder::StyledStr;
use clap::builder::styling::Styles;
use clap::{Command as Parser, Subcommand};

use super::Command;

/// The groups of `portenv --help`: those to try first stand first.
const GROUPS: [(&str, &[&str]); 5] = [
    ("First steps", &["demo", "init", "lock", "sync", "status"]),
    (
        "Custom nodes",
        &["preview", "add", "update", "disable", "enable", "remove"],
    ),
    (
        "Going back",
        &[
            "undo", "redo", "rollback", "snapshot", "diff", "bisect", "recover",
        ],
    ),
    ("Questions", &["check", "verify", "explain", "why", "tree"]),
    (
        "Files and the program itself",
        &[
            "wheelhouse",
            "venv",
            "run",
            "export",
            "pack",
            "unpack",
            "resolve",
            "cache",
            "self",
            "completions",
            "man",
        ],
    ),
];

/// Returns the page of `portenv --help`: the parser knows no groups of commands.
pub fn page() -> StyledStr {
    let commands = Command::augment_subcommands(Parser::new("portenv"));
    let styles = Styles::styled();
    let (head, word) = (styles.get_header(), styles.get_literal());
    let mut page = String::from("{about-with-newline}\n{usage-heading} {usage}\n");
    for (title, names) in GROUPS {
        page.push_str(&format!("\n{head}{title}:{head:#}\n"));
        let found = names
            .iter()
            .filter_map(|name| commands.find_subcommand(name));
        for command in found {
            let name = command.get_name();
            let about = command
                .get_about()
                .map_or(String::new(), ToString::to_string);
            page.push_str(&format!("  {word}{name:<11}{word:#}  {about}\n"));
        }
    }
    // A command that is in no group is not lost.
    let grouped = |name: &str| GROUPS.iter().any(|(_, names)| names.contains(&name));
    let mut rest = commands
        .get_subcommands()
        .filter(|command| !command.is_hide_set() && !grouped(command.get_name()))
        .peekable();
    if rest.peek().is_some() {
        page.push_str(&format!("\n{head}Others:{head:#}\n"));
    }
    for command in rest {
        let name = command.get_name();
        let about = command
            .get_about()
            .map_or(String::new(), ToString::to_string);
        page.push_str(&format!("  {word}{name:<11}{word:#}  {about}\n"));
    }
    page.push_str(&format!(
        "\n{head}Options of every command:{head:#}\n{{options}}{{after-help}}"
    ));
    page.into()
}

/// Below the short help.
pub const MORE: &str = "\
portenv alone shows the state of the installation and what to do next.
portenv COMMAND --help: what it changes, how to go back, examples.";

/// Below the long help.
pub const WORDS: &str = "\
portenv alone shows the state of the installation and what to do next.
portenv COMMAND --help: what it changes, how to go back, examples.
Options that several commands have are also read from variables:
--cache-dir from PORTENV_CACHE_DIR, --index-url from PORTENV_INDEX_URL, …

Words:
  installation  a folder with ComfyUI, its custom nodes and its one Python
  node          a custom node: a directory or .py file in custom_nodes
  environment   the packages that are really installed in that Python
  requirement   a line of a requirements.txt or pyproject.toml
  resolve       find one version of each package that suits all requirements
  lock          pylock.toml: the versions that were found
  sync          make the environment equal to the lock
  snapshot      a record of packages, nodes and ComfyUI, to go back to
  drift         what was changed without portenv since the newest snapshot
  protected     torch and its companions, or what portenv.toml says: never
                changed unless --allow-change names them
  index         a server of packages, such as https://pypi.org/simple

Exit codes:
  0    done; for check, lock --check and --exit-code: nothing to complain of
  1    the answer is no: no versions fit, the check failed, you refused
  2    bad usage or bad input: a flag, file, lock, policy or Python
  3    an index, git remote or the network did not answer, or wrongly
  4    could not be applied; the state before stands, or was put back
  5    applying failed, and the state before could not be put back whole
  130  interrupted; state as for 4";

/// Below `demo`.
pub const DEMO: &str = "\
Changes: nothing of yours. With --dir the installation of the tour stays
there.

Examples:
  portenv demo
  portenv demo --dir tour      # keep it, to try things in it";

/// Below `init`.
pub const INIT: &str = "\
Changes: writes portenv.toml (settings, all optional) if there is none, and
.portenv/ with the history. No package, no node and nothing of ComfyUI is
touched.
Going back: delete portenv.toml and .portenv/, before you change anything.

Examples:
  portenv init
  portenv init --root D:/ComfyUI_windows_portable
  portenv init --python .venv/bin/python";

/// Below `lock`.
pub const LOCK: &str = "\
Changes: pylock.toml only. Packages stay as they are until portenv sync. The
lock also names the commits of ComfyUI and the nodes as they are now, for
portenv sync --all; a node that moves makes no lock stale, its lines do.
Going back: portenv rollback @ puts back the lock of the newest snapshot.

Examples:
  portenv lock                             # after nodes changed
  portenv lock --check                     # is it up to date? writes nothing
  portenv lock --upgrade-package pillow    # a newer pillow, the rest stays
  portenv lock --strict                    # also what is lacking already";

/// Below `sync`.
pub const SYNC: &str = "\
Changes: the packages in ComfyUI's Python, after showing them and asking;
records a snapshot. No node is touched. Packages that no lock ever named
stay, unless --prune is given.
With --all: nodes and ComfyUI too, in the same step. What is missing is
fetched first; a checkout with changed files stops it, and so does what can
be had nowhere. Nodes that the lock does not name stay, unless --prune moves
them to the trash.
Going back: portenv rollback.

Examples:
  portenv sync --dry-run          # what would be installed and removed?
  portenv sync
  portenv sync --all --dry-run    # the whole installation of a lock
  portenv sync --all --prune      # exactly that one";

/// Below `status`.
pub const STATUS: &str = "\
Changes: nothing.

Examples:
  portenv status
  portenv status --waivers      # which requirements are not met
  portenv status --exit-code    # for scripts: 1 if anything differs";

/// Below `preview`.
pub const PREVIEW: &str = "\
Changes: nothing. No code of the node is run.

Examples:
  portenv preview https://github.com/someone/some-node
  portenv preview https://github.com/someone/some-node@v1.2
  portenv preview ~/Downloads/some-node.zip ./my-node
  portenv preview ./my-node --format json";

/// Below `explain`.
pub const EXPLAIN: &str = "\
Changes: nothing; with --apply portenv.toml, whose comments and order stay.
Going back: take the lines out of portenv.toml again.

Examples:
  portenv explain                        # the last conflict
  portenv explain --apply 2              # take its second way out
  portenv explain PE001                  # what a code of check means
  portenv explain PE001 --format json    # for programs";

/// Below `check`.
pub const CHECK: &str = "\
Changes: nothing. Exits with 1 if anything is wrong, so that CI can stop
there.

Without an installation, nodes can be asked about beside a lock (--against) or a
release of ComfyUI (--core latest, a tag or a commit): its requirement files are
fetched by git and kept in the cache. What indexes had when the lock or release
was made counts, so that the answer is the same on any day; --now takes today.
A release is asked about for Linux, Windows and macOS with Python 3.12, unless
--platform, --python-version or portenv.toml say otherwise.

Examples:
  portenv check                                         # this installation
  portenv check https://github.com/someone/some-node    # would it fit?
  portenv check . --core latest                         # no installation
  portenv check . --core v0.33.0 --with nodes.toml      # beside these nodes
  portenv check --format markdown                       # for a pull request";

/// Below `add`.
pub const ADD: &str = "\
Changes: custom_nodes, pylock.toml and packages, after showing them and
asking; records a snapshot. If anything fails, all of it is put back.
install.py of a node is not run. With --run-install-script it is, after the yes
and when packages are installed, as part of the same step: its pip and uv keep
to the lock, it gets no input, and what it said and changed is told. Packages
that the lock names are put back; others that fit stay. It is no sandbox: files
that it writes elsewhere are not undone.
Going back: portenv rollback.

Examples:
  portenv preview https://github.com/someone/some-node    # look first
  portenv add https://github.com/someone/some-node
  portenv add https://github.com/someone/some-node@v1.2
  portenv add ./my-node --allow-change torch
  portenv add ./my-node --run-install-script    # shows it and asks";

/// Below `remove`.
pub const REMOVE: &str = "\
Changes: the node goes to .portenv/trash/, nothing of it is deleted;
pylock.toml is written and packages that only it asked for go, after showing
them and asking; records a snapshot.
Going back: portenv rollback.

Examples:
  portenv remove some-node
  portenv remove some-node --yes";

/// Below `update`.
pub const UPDATE: &str = "\
Changes: the checkouts of nodes, with --core that of ComfyUI, pylock.toml and
packages, after showing them and asking; records a snapshot. If anything
fails, all of it is put back.
Going back: portenv rollback.

Examples:
  portenv update --dry-run         # what is new?
  portenv update                   # all nodes
  portenv update some-node
  portenv update some-node@v1.2    # that tag
  portenv update --core            # ComfyUI itself, nodes stay
  portenv update --core=v0.3.40 some-node";

/// Below `enable`.
pub const ENABLE: &str = "\
Changes: custom_nodes, pylock.toml and packages, after showing them and
asking; records a snapshot.
Going back: portenv rollback, or portenv disable.

Examples:
  portenv enable some-node
  portenv enable some-node@1.4.0    # where several versions are disabled";

/// Below `disable`.
pub const DISABLE: &str = "\
Changes: custom_nodes, pylock.toml and packages, after showing them and
asking; records a snapshot.
Going back: portenv rollback, or portenv enable.

Examples:
  portenv disable some-node
  portenv disable node-a node-b";

/// Below `recover`.
pub const RECOVER: &str = "\
Changes: puts packages, nodes and pylock.toml back to what they were before
the operation. Does nothing if none was interrupted.

Example:
  portenv recover";

/// Below `snapshot`.
pub const SNAPSHOT: &str = "\
Changes: only the history in .portenv/. Every command that changes packages
or nodes records a snapshot by itself. What prune removes is gone for good.
Going back: portenv rollback SNAPSHOT, with an id, a label, @ (the newest)
or @~1 (the one before).

Examples:
  portenv snapshot list
  portenv snapshot create --label works
  portenv snapshot label @~1 before-the-update
  portenv snapshot show works
  portenv snapshot prune --dry-run    # what would go, and how many bytes?
  portenv snapshot prune --keep 10 --trash
  portenv rollback works";

/// Below `diff`.
pub const DIFF: &str = "\
Changes: nothing.

Examples:
  portenv diff               # what changed since the newest snapshot
  portenv diff @~1 @         # what the last command did
  portenv diff env lock      # what portenv sync would do, and more
  portenv diff works env     # since the snapshot labelled works";

/// Below `rollback`.
pub const ROLLBACK: &str = "\
Changes: packages, nodes, ComfyUI's commit and pylock.toml, after showing
them and asking. Nodes that came later go to .portenv/trash/. Checkouts with
changed files are never overwritten: it stops there and says so, or puts the
changes aside with --stash. Nodes that are gone come from the trash, the
store or their repositories, with --offline never from those. Records a
snapshot.
Going back: portenv rollback once more; no snapshot is ever lost.

Examples:
  portenv rollback                       # over the newest change
  portenv rollback --dry-run             # what would that be?
  portenv snapshot list                  # where can I go back to?
  portenv rollback 67a0                  # an id, or how it begins
  portenv rollback @~2 --only packages";

/// Below `undo`.
pub const UNDO: &str = "\
Changes: packages, nodes, ComfyUI's commit and pylock.toml, after showing
them and asking. Nodes that came later go to .portenv/trash/. Checkouts with
changed files are never overwritten: it stops there and says so, or puts the
changes aside with --stash. Records a snapshot.
Going back: portenv redo.

Examples:
  portenv undo --dry-run    # what would that be?
  portenv undo              # the newest operation
  portenv undo              # the one before it, and so on";

/// Below `bisect`.
pub const BISECT: &str = "\
Changes: packages, nodes, ComfyUI's commit and pylock.toml, from snapshot to
snapshot, without asking; at the end all is as it was. Each step is recorded.
Going back: it does so itself, after an error and ctrl-C too; after a power
cut portenv recover does.

Examples:
  portenv bisect run -- python main.py --quick-test-for-ci
  portenv bisect run works @ -- python -c 'import xformers'
  portenv snapshot list    # the snapshots it looks through";

/// Below `redo`.
pub const REDO: &str = "\
Changes: packages, nodes, ComfyUI's commit and pylock.toml, after showing
them and asking; records a snapshot.
Going back: portenv undo.

Examples:
  portenv redo --dry-run
  portenv redo";

/// Below `why`.
pub const WHY: &str = "\
Changes: nothing.

Examples:
  portenv why numpy
  portenv why numpy@2.3.0    # what is in the way of this version?";

/// Below `tree`.
pub const TREE: &str = "\
Changes: nothing.

Examples:
  portenv tree
  portenv tree some-node
  portenv tree --invert numpy         # from numpy up to everyone who needs it
  portenv tree --orphans some-node    # what would go with this node?";

/// Below `pack`.
pub const PACK: &str = "\
Changes: nothing in the installation; writes the archive and a .sha256
beside it. Nothing else may change the installation meanwhile.

Examples:
  portenv pack --dry-run                     # what would stay behind?
  portenv pack -o ../builds --smoke
  portenv pack --archive tar.zst --keep user --clean git
  portenv pack --split 2GB --name Studio --pack-version 3";

/// Below `unpack`.
pub const UNPACK: &str = "\
Changes: makes one new directory, whole or not at all.
Going back: delete that directory.

Examples:
  portenv unpack ComfyUI-0.3.75-x86_64-linux-gnu.zip
  portenv unpack ../builds/Studio-3-x86_64-linux-gnu.tar.zst.001 studio";

/// Below `export`.
pub const EXPORT: &str = "\
Changes: nothing but the file that --output names.

Examples:
  portenv export requirements -o requirements-locked.txt
  portenv export constraints -o constraints.txt    # for pip install -c
  portenv export pylock";

/// Below `resolve`.
pub const RESOLVE: &str = "\
Changes: nothing; prints name==version lines.

Examples:
  portenv resolve requirements.txt
  portenv resolve requirements.txt custom_nodes/some-node
  portenv resolve requirements.txt --platform x86_64-pc-windows-msvc";

/// Below `cache`.
pub const CACHE: &str = "\
Changes: prune and clean remove files of the cache, dir nothing.
Going back: not needed; what is missing is fetched again.

Examples:
  portenv cache dir
  portenv cache prune
  portenv cache clean numpy";

/// Below `self`.
pub const SELF: &str = "\
Changes: nothing.";

/// Below `completions`.
pub const COMPLETIONS: &str = "\
Changes: nothing; prints the script.

Examples:
  portenv completions bash    # > ~/.bash_completion
  portenv completions zsh     # > a directory of $fpath, as _portenv
  portenv completions powershell";

/// Below `man`.
pub const MAN: &str = "\
Changes: nothing; prints troff.

Example:
  portenv man    # > portenv.1, then man ./portenv.1";
