//! What ComfyUI-Manager is to do at the next start of ComfyUI.
//!
//! Its `startup-scripts/install-scripts.txt` holds one Python list of texts a line: a node's
//! directory, then a word such as `#LAZY-INSTALL-SCRIPT` or the words of a command. A file
//! `restore-snapshot.json` beside it makes it restore a snapshot of its own.

/// Says in words what a start-up script will do, a text for each line that says something.
///
/// Read tolerantly: what is not understood is said to be so and never left out.
///
/// ```
/// use portenv::workspace::startup::parse_script;
/// let line = "['custom_nodes/some-node', '#LAZY-INSTALL-SCRIPT', '/usr/bin/python']";
/// assert_eq!(
///     parse_script("install-scripts.txt", line),
///     ["installs the requirements of some-node and runs its install.py"]
/// );
/// ```
pub fn parse_script(file: &str, text: &str) -> Vec<String> {
    match file {
        "restore-snapshot.json" => vec!["restores a snapshot of ComfyUI-Manager".to_owned()],
        "install-scripts.txt" => {
            let lines = text.lines().map(str::trim);
            lines
                .filter(|line| !line.is_empty())
                .map(parse_line)
                .collect()
        }
        _ => vec!["does something that is not known here".to_owned()],
    }
}

fn parse_line(line: &str) -> String {
    let mut words = texts(line);
    let forced = words.iter().position(|word| word == "#FORCE");
    if let Some(at) = forced {
        words.remove(at);
    }
    let Some((target, rest)) = words.split_first() else {
        return "does something that is not understood".to_owned();
    };
    let node = target.replace('\\', "/");
    let node = node.trim_end_matches('/').rsplit('/').next();
    let node = node.filter(|name| !name.is_empty()).unwrap_or("?");
    match rest.first().map(String::as_str) {
        Some("#LAZY-INSTALL-SCRIPT") => {
            format!("installs the requirements of {node} and runs its install.py")
        }
        Some("#LAZY-CNR-SWITCH-SCRIPT") => format!("moves {node} to another version"),
        Some("#LAZY-DELETE-NODEPACK") => format!("deletes {node}"),
        Some(_) => format!("runs `{}` for {node}", rest.join(" ")),
        None => format!("does something with {node}"),
    }
}

/// Reads the texts of a Python list of texts.
fn texts(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut chars = line.chars();
    while let Some(quote) = chars.find(|c| matches!(c, '\'' | '"')) {
        let mut text = String::new();
        while let Some(c) = chars.next() {
            match c {
                '\\' => text.extend(chars.next()),
                c if c == quote => break,
                c => text.push(c),
            }
        }
        found.push(text);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_told_whatever_it_holds() {
        let text = r##"
['C:\\ComfyUI\\custom_nodes\\a', '#LAZY-DELETE-NODEPACK']
['./custom_nodes/b', '#FORCE', 'python', '-m', 'pip', 'install', "it's"]
["c", "#LAZY-CNR-SWITCH-SCRIPT", "https://host/c.zip", "c@1_0", "c", True]
nonsense
"##;
        let told = parse_script("install-scripts.txt", text);
        let wanted = [
            "deletes a",
            "runs `python -m pip install it's` for b",
            "moves c to another version",
            "does something that is not understood",
        ];
        assert_eq!(told, wanted);
    }
}
