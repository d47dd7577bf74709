//! What `--help` prints, read back.

/// Returns the commands that a page lists, in its order.
pub(crate) fn commands_of_help(help: &str) -> Vec<String> {
    let lists = help
        .split_once("Usage:")
        .and_then(|(_, rest)| rest.split_once("Options"))
        .map_or("", |(lists, _)| lists);
    let names = lists.lines().filter_map(|line| {
        let line = line.strip_prefix("  ")?;
        line.split(' ').next().filter(|name| !name.is_empty())
    });
    names.map(str::to_owned).collect()
}

/// Returns the command lines under `Examples:`, without the remarks behind them.
pub(crate) fn examples_of_help(help: &str) -> Vec<String> {
    let (_, rest) = help.split_once("\nExample").unwrap_or_default();
    let lines = rest.lines().filter_map(|line| line.strip_prefix("  "));
    let bare = |line: &str| line.split('#').next().unwrap().trim().to_owned();
    lines.map(bare).collect()
}
