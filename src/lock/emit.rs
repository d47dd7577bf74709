//! TOML text, one array element per line, so that a change is a small diff.

use std::fmt::Write;

/// Quotes a text as a TOML basic string.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Writes `key = "text"`.
pub fn text(out: &mut String, key: &str, value: &str) {
    let _ = writeln!(out, "{key} = {}", quote(value));
}

/// Writes `key = [` with one item per line, or nothing for an empty list.
pub fn list(out: &mut String, key: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    let _ = writeln!(out, "{key} = [");
    for item in items {
        let _ = writeln!(out, "    {item},");
    }
    out.push_str("]\n");
}

/// Makes `{ a = 1, b = 2 }` of parts that are there.
pub fn inline(parts: &[Option<String>]) -> String {
    let parts: Vec<&str> = parts.iter().flatten().map(String::as_str).collect();
    if parts.is_empty() {
        return "{}".to_owned();
    }
    format!("{{ {} }}", parts.join(", "))
}

/// Makes `key = "text"` for an inline table.
pub fn pair(key: &str, value: &str) -> Option<String> {
    Some(format!("{key} = {}", quote(value)))
}
