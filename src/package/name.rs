//! Normalised names of distributions and extras (PEP 503, PEP 685).

use std::fmt;
use std::sync::Arc;

/// The name of a distribution, always in its normal form.
///
/// ```
/// use portenv::package::Name;
/// assert_eq!(Name::parse("GitPython").unwrap().as_str(), "gitpython");
/// assert_eq!(Name::parse("ruamel.yaml__x").unwrap().as_str(), "ruamel-yaml-x");
/// assert!(Name::parse("-e").is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// The name of an extra, always in its normal form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Extra(Arc<str>);

impl Name {
    /// Normalises a name; `None` if it is not a legal one.
    pub fn parse(text: &str) -> Option<Self> {
        normalise(text).map(|name| Self(name.into()))
    }

    /// Returns the normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the form that file names use: `_` for `-`.
    pub fn as_file_part(&self) -> String {
        self.0.replace('-', "_")
    }
}

impl Extra {
    /// Normalises an extra's name; `None` if it is not a legal one.
    pub fn parse(text: &str) -> Option<Self> {
        normalise(text).map(|name| Self(name.into()))
    }

    /// Returns the normal form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Extra {
    /// Reports whether a text is this name in any spelling.
    pub fn is_spelled(&self, text: &str) -> bool {
        text == self.as_str()
            || text.len() >= self.0.len() && Self::parse(text).as_ref() == Some(self)
    }
}

fn normalise(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    if !edge(bytes.first()) || !edge(bytes.last()) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut dash = false;
    for &byte in bytes {
        match byte {
            b'-' | b'_' | b'.' => dash = true,
            b if b.is_ascii_alphanumeric() => {
                if dash {
                    out.push('-');
                    dash = false;
                }
                out.push(char::from(b.to_ascii_lowercase()));
            }
            _ => return None,
        }
    }
    Some(out)
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.0)
    }
}

impl serde::Serialize for Extra {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.0)
    }
}

impl schemars::JsonSchema for Name {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"})
    }
}

impl schemars::JsonSchema for Extra {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Extra".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"})
    }
}

impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a package name")))
    }
}
