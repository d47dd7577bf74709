//! A checkout is read without running what its own configuration names.

use portenv::git::read_checkout;

use crate::support::Sandbox;

#[test]
fn no_filter_or_monitor_of_a_repository_runs_when_it_is_read() {
    for (name, config) in [
        (
            "a plain filter",
            "[filter \"plain\"]\n\tclean = touch RAN\n\trequired = true\n",
        ),
        (
            "a filter whose name holds an equals sign",
            "[filter \"a=b\"]\n\tclean = touch RAN\n\tprocess = touch RAN\n",
        ),
        (
            "a remote whose value holds another key",
            "[remote \"origin\"]\n\turl = \"a\\ncore.fsmonitor=touch RAN;# x\"\n",
        ),
    ] {
        let sandbox = Sandbox::new();
        sandbox.comfyui("");
        let node = sandbox.git_node("Trap", "numpy\n");
        let ran = sandbox.dir().join("ran");
        let config = config.replace("RAN", ran.as_str());
        let path = node.join(".git/config");
        let old = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, old + &config).unwrap();
        let attributes = "* filter=plain\n*.txt filter=a=b\n";
        std::fs::write(node.join(".git/info/attributes"), attributes).unwrap();
        // A changed file of the same size is what git would pass through a filter.
        std::fs::write(node.join("requirements.txt"), "scipy\n").unwrap();

        let found = read_checkout(&node).unwrap();
        assert!(found.dirty, "{name}");
        assert!(found.commit.is_some(), "{name}");
        assert!(!ran.exists(), "{name}: foreign code ran");
    }
}
