//! Bytes of a requirement file as text: byte-order marks, UTF-16, PEP 263.

/// Why bytes are no text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextError {
    /// What is wrong.
    pub message: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
}

/// Decodes a file the way pip does: by byte-order mark, then by a coding line
/// within the first two lines (PEP 263), then as UTF-8.
///
/// # Errors
///
/// Fails at the first byte that is not text, or on an unknown encoding.
pub fn decode(bytes: &[u8]) -> Result<String, TextError> {
    if let Some((encoding, skip)) = encoding_rs::Encoding::for_bom(bytes) {
        return with_encoding(encoding, &bytes[skip..]);
    }
    if let Some(label) = coding_line(bytes) {
        let Some(encoding) = encoding_of(&label) else {
            return Err(TextError {
                message: format!("the encoding `{label}` is not known"),
                line: 1,
                column: 1,
            });
        };
        return with_encoding(encoding, bytes);
    }
    if let Some(encoding) = bare_utf16(bytes) {
        return with_encoding(encoding, bytes);
    }
    utf8(bytes)
}

/// Finds an encoding by Python's names, some of which the web does not know.
fn encoding_of(label: &str) -> Option<&'static encoding_rs::Encoding> {
    let label = label.to_ascii_lowercase().replace('_', "-");
    let known = match label.as_str() {
        "latin-1" | "iso-latin-1" | "iso8859-1" => "latin1",
        "utf-8-sig" => "utf-8",
        "cp932" | "mskanji" => "shift_jis",
        "cp936" => "gbk",
        "cp949" => "euc-kr",
        "cp950" => "big5",
        other => other,
    };
    encoding_rs::Encoding::for_label(known.as_bytes())
}

fn with_encoding(
    encoding: &'static encoding_rs::Encoding,
    bytes: &[u8],
) -> Result<String, TextError> {
    if encoding == encoding_rs::UTF_8 {
        return utf8(bytes);
    }
    let (text, failed) = encoding.decode_without_bom_handling(bytes);
    if failed {
        let before = text.split('\u{fffd}').next().unwrap_or("");
        let (line, column) = position(before, before.len());
        return Err(TextError {
            message: format!("this is not {} text", encoding.name()),
            line,
            column,
        });
    }
    Ok(text.into_owned())
}

fn utf8(bytes: &[u8]) -> Result<String, TextError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned();
            let (line, column) = position(&before, before.len());
            Err(TextError {
                message: "this is not UTF-8 text".to_owned(),
                line,
                column,
            })
        }
    }
}

/// PowerShell's `>` writes UTF-16; some editors drop its mark. ASCII in UTF-16
/// has a zero in every other byte.
fn bare_utf16(bytes: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    let head = &bytes[..bytes.len().min(64) & !1];
    if head.len() < 4 {
        return None;
    }
    if head
        .chunks_exact(2)
        .all(|pair| pair[0] != 0 && pair[1] == 0)
    {
        return Some(encoding_rs::UTF_16LE);
    }
    head.chunks_exact(2)
        .all(|pair| pair[0] == 0 && pair[1] != 0)
        .then_some(encoding_rs::UTF_16BE)
}

fn coding_line(bytes: &[u8]) -> Option<String> {
    for line in bytes.split(|&byte| byte == b'\n').take(2) {
        let line = String::from_utf8_lossy(line);
        let Some(comment) = line.trim_start().strip_prefix('#') else {
            continue;
        };
        let Some(at) = comment.find("coding") else {
            continue;
        };
        let rest = comment[at + 6..]
            .trim_start_matches([':', '='])
            .trim_start();
        let label: String = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            .collect();
        if !label.is_empty() && comment[at + 6..].starts_with([':', '=']) {
            return Some(label);
        }
    }
    None
}

/// The lines of a text whose places are asked for often.
pub(super) struct Places<'a> {
    text: &'a str,
    /// Where each line begins.
    starts: Vec<usize>,
}

impl<'a> Places<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let ends = bytes.iter().enumerate().filter(|&(at, &byte)| {
            byte == b'\n' || byte == b'\r' && bytes.get(at + 1) != Some(&b'\n')
        });
        let starts = ends.map(|(at, _)| at + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(starts).collect(),
        }
    }

    /// Returns what [`position`] does, without reading the text from its start.
    pub(super) fn position(&self, offset: usize) -> (u32, u32) {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line.saturating_sub(1)];
        let within = self
            .text
            .get(start..offset.min(self.text.len()))
            .unwrap_or("");
        let column = within.trim_end_matches('\r').chars().count() + 1;
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        (number(line), number(column))
    }
}

/// Returns line and column (both from 1, the column in characters) of a byte offset.
pub fn position(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let pairs = before.matches("\r\n").count();
    let line = before.matches(['\n', '\r']).count() - pairs + 1;
    let column = before
        .rsplit(['\n', '\r'])
        .next()
        .unwrap_or("")
        .chars()
        .count()
        + 1;
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (number(line), number(column))
}
