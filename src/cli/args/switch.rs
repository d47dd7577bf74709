//! Flags of `enable` and `disable`.

use clap::Args;

use super::resolve::ResolveOptions;

/// What `portenv disable --help` says.
pub const DISABLE: &str = "\
Turn nodes off without deleting them; asks first.

Shows first what goes. After a yes each node moves to custom_nodes/.disabled/, where ComfyUI and \
ComfyUI-Manager leave it alone; the lock is written, and packages that no other node and not the \
core asks for are removed, all as one operation that is undone if anything fails. Nothing of the \
node itself is deleted. portenv enable brings it back with whatever it needs by then, portenv \
rollback puts back exactly what was there.";

/// What `portenv enable --help` says.
pub const ENABLE: &str = "\
Turn disabled nodes on again; asks first.

Shows first what their requirements would change. After a yes each node moves back into \
custom_nodes/, the lock is written and packages are synced, all as one operation that is undone \
if anything fails; portenv rollback goes back. Every form of disabled is understood: foo.disabled, \
foo.py.disabled, .disabled/foo, and ComfyUI-Manager's .disabled/foo@1_4_0 and foo@nightly. Where \
several versions lie there, foo@1.4.0 or the directory says which.";

/// `portenv enable` and `portenv disable`.
#[derive(Debug, Args)]
pub struct SwitchArgs {
    /// A node's name or directory; NAME@VERSION where several versions are disabled.
    #[arg(required = true, value_name = "NODE")]
    pub nodes: Vec<String>,
    /// Let this protected package (such as torch) change; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub allow_change: Vec<String>,
    /// Do not ask, but apply exactly the plan that was shown under this ID, or stop if
    /// anything has changed since.
    #[arg(long, value_name = "ID")]
    pub plan: Option<String>,
    /// What decides the answer.
    #[command(flatten)]
    pub options: ResolveOptions,
}
