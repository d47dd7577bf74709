//! One requirement: name, extras, versions or a direct reference, marker (PEP 508).

use std::fmt;

use super::marker::Marker;
use super::name::{Extra, Name};
use super::version::{Specifiers, Version};

/// A requirement as parsed, and as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The distribution wanted.
    pub name: Name,
    /// The extras wanted of it.
    pub extras: Vec<Extra>,
    /// The versions that will do.
    pub specifiers: Specifiers,
    /// Where it must come from, if the requirement says so (`name @ URL`).
    pub url: Option<String>,
    /// When it counts.
    pub marker: Marker,
}

/// Why a text is no requirement: what is wrong, where, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RequirementError {
    /// What is wrong.
    pub message: String,
    /// Where the trouble begins, in characters from 0.
    pub column: usize,
    /// What would be right, if that can be guessed.
    pub fix: Option<String>,
}

/// The parts of a requirement's text, before any of them is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts<'a> {
    /// The name as written.
    pub name: &'a str,
    /// What stands between `[` and `]`.
    pub extras: &'a str,
    /// The specifiers, parentheses removed.
    pub specifiers: &'a str,
    /// What stands behind `@`.
    pub url: Option<&'a str>,
    /// What stands behind `;`.
    pub marker: &'a str,
}

impl Parts<'_> {
    /// Returns the text that they were cut from up to the marker.
    pub fn without_marker<'a>(&self, text: &'a str) -> &'a str {
        if self.marker.is_empty() {
            return text.trim_end().trim_end_matches(';');
        }
        let before = text.rfind(self.marker).map_or(text, |at| &text[..at]);
        let before = before.trim_end();
        before.strip_suffix(';').unwrap_or(before)
    }
}

/// Cuts a requirement into its parts without understanding them.
///
/// # Errors
///
/// Fails if there is no name or a bracket stays open.
pub fn split(text: &str) -> Result<Parts<'_>, RequirementError> {
    let fail = |message: &str, rest: &str| RequirementError {
        message: message.to_owned(),
        column: text[..text.len() - rest.len()].chars().count(),
        fix: None,
    };
    let start = text.trim_start();
    let end = start
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
        .unwrap_or(start.len());
    let (name, rest) = start.split_at(end);
    if name.is_empty() {
        return Err(fail("expected a package name", start));
    }
    let mut rest = rest.trim_start();
    let mut extras = "";
    if let Some(inner) = rest.strip_prefix('[') {
        let close = inner
            .find(']')
            .ok_or_else(|| fail("`[` is never closed", rest))?;
        extras = &inner[..close];
        rest = inner[close + 1..].trim_start();
    }
    if let Some(after) = rest.strip_prefix('@') {
        let after = after.trim_start();
        // A URL may hold `;`, so the marker needs a space before its own.
        let cut = after
            .find(" ;")
            .or_else(|| after.find("; "))
            .unwrap_or(after.len());
        let marker = after[cut..].trim_start().trim_start_matches(';').trim();
        let url = after[..cut].trim();
        if url.is_empty() {
            return Err(fail("expected a URL behind `@`", after));
        }
        if let Some(space) = url.find(char::is_whitespace) {
            let rest = url[space..].trim_start();
            let message = format!("expected `;` or the end behind the URL, found `{rest}`");
            return Err(fail(&message, &after[url.len() - rest.len()..]));
        }
        return Ok(Parts {
            name,
            extras,
            specifiers: "",
            url: Some(url),
            marker,
        });
    }
    let (spec, marker) = rest.split_once(';').unwrap_or((rest, ""));
    let mut spec = spec.trim();
    if let Some(inner) = spec.strip_prefix('(') {
        spec = inner
            .strip_suffix(')')
            .ok_or_else(|| fail("`(` is never closed", rest))?
            .trim();
    }
    Ok(Parts {
        name,
        extras,
        specifiers: spec,
        url: None,
        marker: marker.trim(),
    })
}

impl Requirement {
    /// Parses a requirement of a package's metadata, with the usual repairs of
    /// old uploads (`>=1.0.*`, a trailing comma and so on) made silently.
    ///
    /// # Errors
    ///
    /// Fails if the text is no requirement even so.
    pub fn parse(text: &str) -> Result<Self, RequirementError> {
        Self::parse_noting(text).map(|(requirement, _)| requirement)
    }

    /// Parses a requirement that a person wrote; the second value says which
    /// repair was needed, for other tools may refuse the line as it stands.
    ///
    /// # Errors
    ///
    /// Fails with a column and, where it can be guessed, the right spelling.
    pub fn parse_noting(text: &str) -> Result<(Self, Option<String>), RequirementError> {
        let parts = split(text)?;
        let at = |part: &str| {
            let offset = (part.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
            text.get(..offset)
                .map_or(0, |before| before.chars().count())
        };
        let name = Name::parse(parts.name).ok_or_else(|| RequirementError {
            message: format!("`{}` is not a package name", parts.name),
            column: at(parts.name),
            fix: None,
        })?;
        let mut extras = Vec::new();
        for extra in parts
            .extras
            .split(',')
            .map(str::trim)
            .filter(|extra| !extra.is_empty())
        {
            extras.push(Extra::parse(extra).ok_or_else(|| RequirementError {
                message: format!("`{extra}` is not the name of an extra"),
                column: at(extra),
                fix: None,
            })?);
        }
        extras.sort();
        extras.dedup();
        let (specifiers, repair) =
            parse_specifiers(parts.specifiers).map_err(|bad| RequirementError {
                message: bad.message,
                column: at(bad.part),
                fix: bad.fix,
            })?;
        let marker = Marker::parse(parts.marker).map_err(|message| RequirementError {
            message,
            column: at(parts.marker),
            fix: None,
        })?;
        let url = parts.url.map(str::to_owned);
        if let Some(address) = parts.url
            && let Some((host, path)) = as_scp(address)
        {
            // Of a bare `git@host:path` the user was taken for the name.
            let user = if host.contains('@') {
                String::new()
            } else {
                format!("{}@", parts.name)
            };
            return Err(RequirementError {
                message: format!("`{address}` is not a URL"),
                column: at(address),
                fix: Some(format!("git+ssh://{user}{host}/{path}")),
            });
        }
        Ok((
            Self {
                name,
                extras,
                specifiers,
                url,
                marker,
            },
            repair,
        ))
    }

    /// Returns the requirement on any version of a name.
    pub fn any(name: Name) -> Self {
        Self {
            name,
            extras: Vec::new(),
            specifiers: Specifiers::default(),
            url: None,
            marker: Marker::default(),
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if !self.extras.is_empty() {
            let extras: Vec<&str> = self.extras.iter().map(Extra::as_str).collect();
            write!(f, "[{}]", extras.join(","))?;
        }
        if let Some(url) = &self.url {
            write!(f, " @ {}", super::artifact::redact(url))?;
        } else {
            f.write_str(self.specifiers.text())?;
        }
        if !self.marker.text().is_empty() {
            write!(
                f,
                "{}; {}",
                if self.url.is_some() { " " } else { "" },
                self.marker.text()
            )?;
        }
        Ok(())
    }
}

/// Git's short address `git@host:path`, which is no URL.
fn as_scp(address: &str) -> Option<(&str, &str)> {
    let (host, path) = address.split_once(':')?;
    (!path.starts_with("//") && host.contains(['@', '.']) && !host.contains(['/', '\\']))
        .then_some((host, path))
}

type Repaired = (Specifiers, Option<String>);

/// The part of a list of specifiers that cannot be read.
struct BadPart<'a> {
    part: &'a str,
    message: String,
    fix: Option<String>,
}

fn parse_specifiers(text: &str) -> Result<Repaired, BadPart<'_>> {
    let gap = !text.is_empty() && text.split(',').any(|part| part.trim().is_empty());
    if let Ok(specifiers) = Specifiers::parse(text)
        && !gap
    {
        return Ok((specifiers, None));
    }
    let repaired = repair_specifiers(text);
    match Specifiers::parse(&repaired) {
        Ok(specifiers) => {
            let note = format!("`{text}` was read as `{repaired}`");
            Ok((specifiers, Some(note)))
        }
        Err(_) => Err(explain_specifiers(text)),
    }
}

/// Mends what old uploads and careless lines get wrong and pip once accepted.
fn repair_specifiers(text: &str) -> String {
    let text = text.replace(['\'', '"'], "");
    let mut parts = Vec::new();
    for part in text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        for piece in split_joined(part) {
            parts.push(repair_one(piece.trim()));
        }
    }
    parts.join(",")
}

/// Cuts `>=1.0<2` where the second operator begins.
fn split_joined(mut part: &str) -> Vec<&str> {
    let is_operator = |c: char| matches!(c, '<' | '>' | '=' | '!' | '~');
    let mut all = Vec::new();
    loop {
        let body = part.find(|c| !is_operator(c)).unwrap_or(part.len());
        let Some(next) = part[body..].find(is_operator) else {
            all.push(part);
            return all;
        };
        let (first, second) = part.split_at(body + next);
        all.push(first);
        part = second;
    }
}

fn repair_one(part: &str) -> String {
    let body = part
        .find(|c: char| !matches!(c, '<' | '>' | '=' | '!' | '~'))
        .unwrap_or(part.len());
    let (operator, version) = part.split_at(body);
    let version = version.trim();
    if version == "dev" {
        return format!("{operator}0.0.0.dev0");
    }
    if operator == "!=~" {
        return format!("!={version}.*");
    }
    if let Some(stem) = version.strip_suffix(".*")
        && !stem.is_empty()
        && !matches!(operator, "==" | "!=")
    {
        return format!("{operator}{stem}");
    }
    if let Some(stem) = version.strip_suffix('*')
        && !stem.ends_with('.')
        && matches!(operator, "==" | "!=")
    {
        return format!("{operator}{stem}.*");
    }
    if Specifiers::parse(part).is_err()
        && let Some(stem) = version.strip_suffix(".0")
        && stem.contains(['a', 'b', 'c'])
    {
        return format!("{operator}{stem}");
    }
    format!("{operator}{version}")
}

fn explain_specifiers(text: &str) -> BadPart<'_> {
    let bad = text
        .split(',')
        .flat_map(|part| split_joined(part.trim()))
        .map(str::trim)
        .find(|part| !part.is_empty() && Specifiers::parse(&repair_one(part)).is_err());
    let Some(part) = bad else {
        let message = format!("`{text}` is not a version specifier");
        return BadPart {
            part: text,
            message,
            fix: None,
        };
    };
    let (message, fix) = explain_one(part);
    BadPart { part, message, fix }
}

fn explain_one(part: &str) -> (String, Option<String>) {
    let no_specifier = format!("`{part}` is not a version specifier");
    let body = part
        .find(|c: char| !matches!(c, '<' | '>' | '=' | '!' | '~'))
        .unwrap_or(part.len());
    let (operator, version) = part.split_at(body);
    let version = version.trim();
    let meant = match operator {
        "=>" => Some(">="),
        "=<" => Some("<="),
        "=" => Some("=="),
        "=!" => Some("!="),
        "=~" | "~" => Some("~="),
        _ => None,
    };
    if let Some(meant) = meant {
        return (no_specifier, Some(format!("{meant}{version}")));
    }
    if let Some(bounds) = part.strip_prefix('^').and_then(caret) {
        return (format!("`{part}` is Poetry's notation"), Some(bounds));
    }
    if operator.is_empty() {
        return (
            format!("expected a version specifier or `;`, found `{part}`"),
            None,
        );
    }
    if operator == "~="
        && !version.contains('.')
        && Specifiers::parse(&format!("=={version}")).is_ok()
    {
        let message = format!("`{part}` needs at least two numbers (PEP 440)");
        return (message, Some(format!("~={version}.0")));
    }
    if let Some((public, local)) = version.split_once('+')
        && Specifiers::parse(&format!("=={version}")).is_ok()
    {
        let message =
            format!("the local label `+{local}` can only stand behind `==` or `!=` (PEP 440)");
        return (message, Some(format!("{operator}{public}")));
    }
    if operator == "===" {
        let message = format!("`{version}` is not a version that can be compared (PEP 440)");
        return (message, None);
    }
    (no_specifier, None)
}

/// `^1.2` leaves the leftmost number that is not zero alone.
fn caret(version: &str) -> Option<String> {
    let parsed: Version = version.trim().parse().ok()?;
    let numbers = parsed.release();
    let keep = numbers.iter().position(|&number| number != 0)?;
    let mut end: Vec<u64> = numbers[..=keep].to_vec();
    end[keep] = end[keep].checked_add(1)?;
    Some(format!(">={parsed},<{}", Version::new(end)))
}
