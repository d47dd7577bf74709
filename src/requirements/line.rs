//! Text → logical lines, as pip joins and strips them.
//!
//! A backslash at the end of a line continues it; a comment ends a continuation;
//! a comment begins at the start of a line or behind white space; `${NAME}` is
//! replaced from the variables given.

use std::collections::BTreeMap;

/// One logical line with the way back to the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicalLine {
    /// The text, comments and outer white space removed, variables replaced.
    pub text: String,
    /// The text before variables were replaced: their values may be secret.
    pub written: String,
    /// For each physical part: where it begins in `text` (bytes), its line in the
    /// file and the column (characters, from 0) of its first character.
    parts: Vec<(usize, u32, u32)>,
    /// Variables were replaced, so columns behind the first are only near.
    pub expanded: bool,
    /// Names of variables that have no value.
    pub unset: Vec<String>,
    /// Lines of the file that a comment swallowed because the line before them
    /// ends with a backslash.
    pub swallowed: Vec<u32>,
}

impl LogicalLine {
    /// Returns line and column, both from 1, of a character offset in the text.
    pub fn position(&self, offset: usize) -> (u32, u32) {
        let byte = self
            .text
            .char_indices()
            .nth(offset)
            .map_or(self.text.len(), |(at, _)| at);
        let part = self
            .parts
            .iter()
            .rev()
            .find(|(start, _, _)| *start <= byte)
            .or(self.parts.first());
        let Some(&(start, line, column)) = part else {
            return (1, 1);
        };
        let within = self
            .text
            .get(start..byte)
            .map_or(0, |text| text.chars().count());
        (line, column + u32::try_from(within).unwrap_or(0) + 1)
    }
}

/// Cuts a file's text into logical lines; blank ones and comments are left out.
pub fn logical_lines(text: &str, variables: &BTreeMap<String, String>) -> Vec<LogicalLine> {
    let mut lines = Vec::new();
    let mut open: Option<LogicalLine> = None;
    for (number, raw) in (1u32..).zip(split_lines(text)) {
        let is_comment = raw.trim_start().starts_with('#');
        let mut current = open.take().unwrap_or(LogicalLine {
            text: String::new(),
            written: String::new(),
            parts: Vec::new(),
            expanded: false,
            unset: Vec::new(),
            swallowed: Vec::new(),
        });
        let begins = current.text.is_empty();
        let indent = raw.chars().take_while(|c| c.is_whitespace()).count();
        let continues = raw.ends_with('\\') && !is_comment;
        let body = if continues {
            &raw[..raw.len() - 1]
        } else {
            raw
        };
        // pip puts a space before a comment that ends a continuation.
        let body = if is_comment {
            ""
        } else if begins {
            body.trim_start()
        } else {
            body
        };
        let column = if begins {
            u32::try_from(indent).unwrap_or(0)
        } else {
            0
        };
        current.parts.push((current.text.len(), number, column));
        current.text.push_str(body);
        if continues {
            open = Some(current);
        } else {
            lines.push(current);
        }
    }
    lines.extend(open);
    lines
        .into_iter()
        .filter_map(|mut line| {
            let end = strip_comment(&line.text).len();
            let hidden = line.parts.iter().enumerate().filter(|(at, (start, _, _))| {
                let next = line
                    .parts
                    .get(at + 1)
                    .map_or(line.text.len(), |part| part.0);
                *start > end && !line.text[*start..next].trim().is_empty()
            });
            line.swallowed = hidden.map(|(_, (_, number, _))| *number).collect();
            let kept = line.text[..end].trim_end().len();
            line.text.truncate(kept);
            line.written.clone_from(&line.text);
            expand(&mut line, variables);
            (!line.text.trim().is_empty()).then_some(line)
        })
        .collect()
}

/// Splits at LF, CR LF and lone CR, as Python's `splitlines` does for these.
fn split_lines(text: &str) -> impl Iterator<Item = &str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split('\n').flat_map(|line| {
        let line = line.strip_suffix('\r').unwrap_or(line);
        line.split('\r')
    })
}

fn strip_comment(text: &str) -> &str {
    let mut before_is_space = true;
    for (at, c) in text.char_indices() {
        if c == '#' && before_is_space {
            return &text[..at];
        }
        before_is_space = c.is_whitespace();
    }
    text
}

fn expand(line: &mut LogicalLine, variables: &BTreeMap<String, String>) {
    let mut from = 0;
    while let Some(at) = line.text[from..].find("${") {
        let start = from + at;
        let Some(length) = line.text[start..].find('}') else {
            return;
        };
        let name = line.text[start + 2..start + length].to_owned();
        from = start + length + 1;
        let legal = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        if !legal {
            continue;
        }
        match variables.get(&name) {
            Some(value) => {
                line.text.replace_range(start..from, value);
                line.expanded = true;
                let end = start + value.len();
                for part in line.parts.iter_mut().filter(|part| part.0 >= from) {
                    part.0 = part.0 - from + end;
                }
                from = end;
            }
            None => line.unset.push(name),
        }
    }
}
