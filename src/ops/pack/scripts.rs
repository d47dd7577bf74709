//! Small programs in a packed installation for people without a shell habit. Each calls the
//! portenv that lies beside it, so that nothing goes past the lock.

use crate::pack::Item;

/// Where the program lies in the archive.
pub(super) const TOOLS: &str = "portenv";

/// What each script asks for, and what it runs.
const SCRIPTS: [(&str, &str, &str); 3] = [
    ("add_node", "Address or folder of the custom node", "add"),
    ("rollback", "", "rollback"),
    ("status", "", "status"),
];

const SHELL: &str = r#"#!/bin/sh
# Calls the portenv of this installation.
cd "$(dirname "$0")" || exit 1
"#;

const BATCH: &str =
    "@echo off\r\nrem Calls the portenv of this installation.\r\ncd /d \"%~dp0\"\r\n";

/// Makes the scripts, and the program itself as this one runs.
pub(super) fn scripts(program: Vec<u8>, windows: bool) -> Vec<Item> {
    let name = if windows { "portenv.exe" } else { "portenv" };
    let mut items = vec![Item::bytes(format!("{TOOLS}/{name}"), program, true)];
    for (script, question, command) in SCRIPTS {
        items.push(if windows {
            Item::bytes(format!("{script}.bat"), batch(question, command), false)
        } else {
            Item::bytes(format!("{script}.sh"), shell(question, command), true)
        });
    }
    items
}

fn shell(question: &str, command: &str) -> String {
    let run = format!("./{TOOLS}/portenv");
    if question.is_empty() {
        return format!("{SHELL}exec {run} {command} \"$@\"\n");
    }
    format!(
        "{SHELL}if [ $# -gt 0 ]; then exec {run} {command} \"$@\"; fi\n\
         printf '{question}: '\nread -r answer || exit 1\n\
         [ -n \"$answer\" ] && exec {run} {command} \"$answer\"\n"
    )
}

fn batch(question: &str, command: &str) -> String {
    let run = format!("{TOOLS}\\portenv.exe");
    let body = if question.is_empty() {
        format!("\"{run}\" {command} %*\r\n")
    } else {
        format!(
            "if not \"%~1\"==\"\" (\r\n  \"{run}\" {command} %*\r\n  goto end\r\n)\r\n\
             set /p ANSWER={question}: \r\n\
             if not \"%ANSWER%\"==\"\" \"{run}\" {command} \"%ANSWER%\"\r\n:end\r\n"
        )
    };
    format!("{BATCH}{body}pause\r\n")
}
