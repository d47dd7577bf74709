//! The older `[tool.poetry.dependencies]` as PEP 508 text.

use toml_edit::Item;

/// Reports whether the entry counts only for an extra.
pub fn is_optional(item: &Item) -> bool {
    let table = item.as_table_like();
    table
        .and_then(|table| table.get("optional")?.as_bool())
        .unwrap_or(false)
}

/// Turns one entry into a requirement.
///
/// # Errors
///
/// Fails if the entry has a form that is not understood.
pub fn to_requirement(name: &str, item: &Item) -> Result<String, String> {
    if let Some(version) = item.as_str() {
        return Ok(format!("{name}{}", constraint(version)?));
    }
    let Some(table) = item.as_table_like() else {
        return Err(format!(
            "the dependency `{name}` is neither a version nor a table"
        ));
    };
    let text = |key: &str| table.get(key).and_then(Item::as_str);
    let mut out = name.to_owned();
    if let Some(extras) = table.get("extras").and_then(Item::as_array) {
        let extras: Vec<&str> = extras.iter().filter_map(toml_edit::Value::as_str).collect();
        out.push_str(&format!("[{}]", extras.join(",")));
    }
    if let Some(git) = text("git") {
        let rev = text("rev").or(text("tag")).or(text("branch"));
        let rev = rev.map_or(String::new(), |rev| format!("@{rev}"));
        out.push_str(&format!(" @ git+{git}{rev}"));
        if let Some(directory) = text("subdirectory") {
            out.push_str(&format!("#subdirectory={directory}"));
        }
    } else if let Some(url) = text("url") {
        out.push_str(&format!(" @ {url}"));
    } else if let Some(path) = text("path") {
        let is_plain = !path.starts_with(['.', '/', '\\']) && !path.contains(':');
        let dot = if is_plain { "./" } else { "" };
        out.push_str(&format!(" @ {dot}{path}"));
    } else if let Some(version) = text("version") {
        out.push_str(&constraint(version)?);
    }
    let mut markers = Vec::new();
    if let Some(python) = text("python") {
        for part in constraint(python)?
            .split(',')
            .filter(|part| !part.is_empty())
        {
            let cut = part.find(|c: char| c.is_ascii_digit()).unwrap_or(0);
            let (operator, version) = (part[..cut].trim(), &part[cut..]);
            // `python_version` has two numbers only.
            let is_full = version.trim_end_matches(".*").matches('.').count() > 1;
            let variable = if is_full {
                "python_full_version"
            } else {
                "python_version"
            };
            markers.push(format!("{variable} {operator} '{version}'"));
        }
    }
    markers.extend(text("markers").map(|marker| format!("({marker})")));
    if !markers.is_empty() {
        out.push_str(&format!(" ; {}", markers.join(" and ")));
    }
    Ok(out)
}

/// Turns Poetry's `^1.2`, `~1.2`, `1.*`, `1.2` into PEP 440 specifiers.
fn constraint(text: &str) -> Result<String, String> {
    let mut out = Vec::new();
    if text.contains("||") || text.contains(" | ") {
        return Err(format!(
            "`{text}` names alternatives, which PEP 508 cannot say"
        ));
    }
    for part in text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty() && *part != "*")
    {
        if let Some(version) = part.strip_prefix('^') {
            out.push(format!(">={version},<{}", caret_end(version)?));
        } else if let Some(version) = part.strip_prefix('~').filter(|rest| !rest.starts_with('=')) {
            let numbers = numbers(version)?;
            let end = match numbers.as_slice() {
                [major] => major.saturating_add(1).to_string(),
                [major, minor, ..] => format!("{major}.{}", minor.saturating_add(1)),
                [] => return Err(format!("`{part}` has no version")),
            };
            out.push(format!(">={version},<{end}"));
        } else if part.starts_with(|c: char| c.is_ascii_digit()) {
            out.push(format!("=={part}"));
        } else {
            out.push(part.replace(' ', ""));
        }
    }
    Ok(out.join(","))
}

fn numbers(version: &str) -> Result<Vec<u64>, String> {
    version
        .trim()
        .split('.')
        .map(|part| {
            part.chars()
                .take_while(char::is_ascii_digit)
                .collect::<String>()
                .parse()
        })
        .collect::<Result<_, _>>()
        .map_err(|_| format!("`{version}` is not a version"))
}

/// A caret allows what leaves the leftmost non-zero number alone.
fn caret_end(version: &str) -> Result<String, String> {
    let numbers = numbers(version)?;
    let keep = numbers
        .iter()
        .position(|&n| n != 0)
        .unwrap_or(numbers.len().saturating_sub(1));
    let end: Vec<String> = numbers[..=keep]
        .iter()
        .enumerate()
        .map(|(at, n)| {
            if at == keep {
                (n.saturating_add(1)).to_string()
            } else {
                n.to_string()
            }
        })
        .collect();
    Ok(end.join("."))
}

#[cfg(test)]
mod tests {
    use super::constraint;

    #[test]
    fn carets_and_tildes_become_bounds() {
        for (poetry, pep440) in [
            ("^1.2.3", ">=1.2.3,<2"),
            ("^0.2.3", ">=0.2.3,<0.3"),
            ("^0.0.3", ">=0.0.3,<0.0.4"),
            ("~1.2", ">=1.2,<1.3"),
            ("1.*", "==1.*"),
            ("*", ""),
            (">=1, <2", ">=1,<2"),
        ] {
            assert_eq!(constraint(poetry).as_deref(), Ok(pep440), "{poetry}");
        }
    }
}
