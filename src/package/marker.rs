//! Environment markers (PEP 508), judged for one concrete target at a time.

use std::collections::BTreeSet;
use std::str::FromStr;

use pep508_rs::{ExtraName, MarkerEnvironment, MarkerTree, MarkerWarningKind};

use super::artifact::printable;
use super::name::Extra;

/// A marker with its text. The default holds always.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marker {
    tree: Option<MarkerTree>,
    text: String,
}

impl Marker {
    /// Parses a marker; an empty text holds always.
    ///
    /// Two forms that the parser would silently take for "always" are rewritten
    /// first: lists with commas behind `in`, and ordered comparisons with `.*`.
    /// Any other that it would leave out is an error. `===` is read as `==`, and
    /// `~= '3.12.0'` as both of its halves.
    ///
    /// # Errors
    ///
    /// Returns what is wrong, as a sentence.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::default());
        }
        // The grammar has no other; the parser cuts such text within a character.
        if let Some(strange) = text.chars().find(|c| !c.is_ascii()) {
            return Err(format!(
                "in the marker: unexpected character `{}`",
                printable(&strange.to_string())
            ));
        }
        if depth(text) > DEEP {
            return Err("in the marker: too many `(` within each other".to_owned());
        }
        if is_tangled(text) {
            return Err(
                "in the marker: too many conditions joined by both `and` and `or`".to_owned(),
            );
        }
        let repaired = repair(text);
        let mut left_out = false;
        // The last two kinds are also reported for comparisons that do count;
        // only the message tells.
        let mut note = |kind: MarkerWarningKind, message: String| {
            left_out |= match kind {
                MarkerWarningKind::DeprecatedMarkerName => false,
                MarkerWarningKind::Pep440Error
                | MarkerWarningKind::MarkerMarkerComparison
                | MarkerWarningKind::StringStringComparison => true,
                MarkerWarningKind::ExtraInvalidComparison
                | MarkerWarningKind::LexicographicComparison => message.contains("ignored"),
            };
        };
        let tree = MarkerTree::parse_reporter(&repaired, &mut note).map_err(|error| {
            let message = error.to_string();
            let first = message.lines().next().unwrap_or("");
            let first = first.replacen("Expected", "expected", 1);
            format!(
                "in the marker: {}",
                first.replacen("Unexpected", "unexpected", 1)
            )
        })?;
        if left_out {
            return Err(format!("the marker `{text}` is not understood"));
        }
        Ok(Self {
            tree: Some(tree),
            text: text.to_owned(),
        })
    }

    /// Returns the text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Reports whether the marker can never be false.
    pub fn is_always(&self) -> bool {
        self.tree.as_ref().is_none_or(MarkerTree::is_true)
    }

    /// Judges the marker for an environment with no extra asked for.
    pub fn holds(&self, environment: &MarkerEnvironment) -> bool {
        self.holds_with(environment, &[])
    }

    /// Judges the marker for an environment with some extras asked for.
    pub fn holds_with(&self, environment: &MarkerEnvironment, extras: &[Extra]) -> bool {
        let Some(tree) = &self.tree else { return true };
        let extras: Vec<ExtraName> = extras
            .iter()
            .filter_map(|extra| ExtraName::from_str(extra.as_str()).ok())
            .collect();
        tree.evaluate(environment, &extras)
    }

    /// Reports whether the marker asks for an extra anywhere.
    pub fn mentions_extra(&self) -> bool {
        mentions_extra(&self.text)
    }
}

/// Reports whether a marker's text asks for an extra, without parsing it: whether
/// the word stands outside quotes.
pub fn mentions_extra(text: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let mut rest = text;
    while let Some(open) = rest.find(['\'', '"']) {
        let (before, quoted) = rest.split_at(open);
        if before.split(|c| !is_word(c)).any(|word| word == "extra") {
            return true;
        }
        let quote = if quoted.starts_with('"') { '"' } else { '\'' };
        let Some(close) = quoted[1..].find(quote) else {
            return false;
        };
        rest = &quoted[close + 2..];
    }
    rest.split(|c| !is_word(c)).any(|word| word == "extra")
}

/// Reports whether asking for an extra could make a marker hold that does not hold
/// without, judged by its text: most markers of a large package name other extras.
pub fn may_want(text: &str, extra: &Extra) -> bool {
    if text.contains("!=") || text.contains(" in ") {
        return true;
    }
    let mut rest = text;
    while let Some(open) = rest.find(['\'', '"']) {
        let quote = char::from(rest.as_bytes()[open]);
        let quoted = &rest[open + 1..];
        let Some(close) = quoted.find(quote) else {
            return true;
        };
        if Extra::is_spelled(extra, quoted[..close].trim()) {
            return true;
        }
        rest = &quoted[close + 1..];
    }
    false
}

/// How deep parentheses may stand within each other: the parser calls itself for
/// each, and has a stack of its own to lose.
const DEEP: usize = 100;

fn depth(text: &str) -> usize {
    let (mut deepest, mut open) = (0, 0_usize);
    for byte in text.bytes() {
        match byte {
            b'(' => open += 1,
            b')' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

/// Reports whether a marker may need memory without end: `a and b or c and d or …` of
/// that many different values doubles the decision diagram with every pair.
fn is_tangled(text: &str) -> bool {
    const PAIRS: usize = 8;
    let joined = |word: &str| {
        let words = text.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')'));
        words.filter(|found| *found == word).count()
    };
    if text.len() < 100 || joined("and") <= PAIRS || joined("or") <= PAIRS {
        return false;
    }
    let quoted = text.split(['\'', '"']).skip(1).step_by(2);
    quoted.collect::<BTreeSet<&str>>().len() > 2 * PAIRS
}

fn repair(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // Walk over quoted strings; what stands before each decides its repair.
    while let Some(open) = rest.find(['\'', '"']) {
        let quote = if rest.as_bytes()[open] == b'\'' {
            '\''
        } else {
            '"'
        };
        let (before, quoted) = rest.split_at(open);
        let Some(close) = quoted[1..].find(quote) else {
            break;
        };
        let inner = &quoted[1..=close];
        rest = &quoted[close + 2..];
        // The parser knows no `===`; of what a target can be, it means the same.
        let before = before.replace("===", "==");
        let operator = before.trim_end();
        if let Some((lead, name, stem)) = compatible_with_zero(operator, inner) {
            let both =
                format!("({name} >= {quote}{inner}{quote} and {name} == {quote}{stem}.*{quote})");
            out.push_str(lead);
            out.push_str(&both);
            continue;
        }
        out.push_str(&before);
        out.push(quote);
        if operator.ends_with(" in") && inner.contains(',') {
            out.push_str(
                &inner
                    .replace(',', " ")
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" "),
            );
        } else if inner.ends_with(".*")
            && (operator.ends_with('>')
                || operator.ends_with('<')
                || operator.ends_with(">=")
                || operator.ends_with("<=")
                || operator.ends_with("~="))
        {
            out.push_str(inner.trim_end_matches(".*"));
        } else {
            out.push_str(inner);
        }
        out.push(quote);
    }
    out.push_str(&rest.replace("===", "=="));
    out
}

/// Takes `python_version ~= '3.12.0'` apart, which the parser reads as `~= '3.12'`:
/// what stands before the name, the name, and the numbers that stay.
fn compatible_with_zero<'a>(
    before: &'a str,
    version: &'a str,
) -> Option<(&'a str, &'a str, &'a str)> {
    let stem = version.strip_suffix(".0")?;
    let before = before.strip_suffix("~=")?.trim_end();
    let start = before
        .rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.')))
        .map_or(0, |at| at + 1);
    let (lead, name) = before.split_at(start);
    let is_release = stem.chars().all(|c| c.is_ascii_digit() || c == '.') && !stem.is_empty();
    (is_release && !name.is_empty()).then_some((lead, name, stem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_the_parser_takes_for_always_are_rewritten() {
        assert_eq!(
            repair("python_version in '3.8, 3.9'"),
            "python_version in '3.8 3.9'"
        );
        assert_eq!(
            repair("python_version >= '3.7.*'"),
            "python_version >= '3.7'"
        );
        assert_eq!(
            repair("python_version == '3.7.*'"),
            "python_version == '3.7.*'"
        );
        for text in ["python_version in '3.8, 3.9'", "python_version >= '3.7.*'"] {
            let marker = Marker::parse(text).expect("a marker");
            assert!(!marker.is_always(), "{text}");
        }
    }

    #[test]
    fn extras_are_found_in_either_order_and_not_inside_words() {
        assert!(mentions_extra("extra == 'gpu'"));
        assert!(mentions_extra("python_version < '3.9' and extra=='gpu'"));
        assert!(mentions_extra("'gpu' == extra"));
        assert!(mentions_extra("('gpu' == extra) and os_name == 'nt'"));
        assert!(mentions_extra("extra\t== 'gpu'"));
        assert!(mentions_extra("'gpu' in extra"));
        assert!(!mentions_extra("platform_version == 'extra'"));
        assert!(!mentions_extra("platform_version == 'no extra == here'"));
        assert!(!mentions_extra("extras == 'gpu'"));
    }
}
