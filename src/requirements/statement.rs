//! One logical line of pip's requirements format → a statement or a problem.
//!
//! ```text
//! line        = option | requirement
//! option      = "-r" FILE | "-c" FILE | "-e" TARGET | "-i" URL | "--extra-index-url" URL
//!             | "-f" PLACE | "--no-index" | "--no-binary" NAMES | "--only-binary" NAMES
//!             | "--pre" | "--prefer-binary" | "--require-hashes" | "--trusted-host" HOST
//!             | "--use-feature" NAME
//! requirement = (PEP508 | URL | PATH) { "--hash" ["="] ALG ":" HEX | "--config-settings" … }
//! ```

use crate::package::{Extra, Marker, Name, Requirement, RequirementError, WheelName};

/// What a line wants, when it wants a distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A PEP 508 requirement.
    Named(Box<Requirement>),
    /// A URL or path whose name only its metadata tells.
    Unnamed {
        /// The URL or path, without fragment extras.
        place: String,
        /// Extras wanted of it.
        extras: Vec<Extra>,
        /// When it counts.
        marker: Marker,
    },
}

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// A requirement, with the hashes it allows and the repair it needed.
    Require {
        /// The distribution wanted.
        wanted: Wanted,
        /// Allowed digests, `alg:hex`.
        hashes: Vec<String>,
        /// Installed in place.
        editable: bool,
        /// How a sloppy spelling was read.
        repair: Option<String>,
    },
    /// `-r FILE`.
    Include(String),
    /// `-c FILE`.
    Constrain(String),
    /// `-i URL`.
    IndexUrl(String),
    /// `--extra-index-url URL`.
    ExtraIndexUrl(String),
    /// `-f PLACE`.
    FindLinks(String),
    /// `--no-index`.
    NoIndex,
    /// `--no-binary NAMES`.
    NoBinary(String),
    /// `--only-binary NAMES`.
    OnlyBinary(String),
    /// `--pre`.
    Pre,
    /// An option without effect on what is resolved.
    Ignored(String),
}

/// Parses one logical line.
///
/// # Errors
///
/// Fails with the column and, where it can be guessed, the right spelling.
pub fn parse(text: &str) -> Result<Statement, RequirementError> {
    let text = text.trim_end();
    if text.starts_with('-') {
        return parse_option(text);
    }
    parse_requirement(text, false)
}

fn parse_option(text: &str) -> Result<Statement, RequirementError> {
    let (name, value) = split_option(text);
    let takes_value = matches!(
        name,
        "-r" | "--requirement"
            | "-c"
            | "--constraint"
            | "-e"
            | "--editable"
            | "-i"
            | "--index-url"
            | "--pypi-url"
            | "--extra-index-url"
            | "-f"
            | "--find-links"
            | "--no-binary"
            | "--only-binary"
            | "--trusted-host"
            | "--use-feature"
    );
    if takes_value && value.is_empty() {
        return Err(error(0, format!("the option `{name}` needs a value")));
    }
    if !matches!(name, "-e" | "--editable")
        && let Some((column, next)) = words(text).skip(1).find(|(_, word)| word.starts_with('-'))
    {
        let mut found = error(
            column,
            format!("another option, `{next}`, on the line of `{name}`"),
        );
        found.fix = Some(format!("put `{next}` on a line of its own"));
        return Err(found);
    }
    Ok(match name {
        "-r" | "--requirement" => Statement::Include(unquote(value)),
        "-c" | "--constraint" => Statement::Constrain(unquote(value)),
        "-e" | "--editable" => {
            let offset = text.chars().count() - value.chars().count();
            return parse_requirement(&unquote(value), true).map_err(|mut found| {
                found.column += offset;
                found
            });
        }
        "-i" | "--index-url" | "--pypi-url" => Statement::IndexUrl(unquote(value)),
        "--extra-index-url" => Statement::ExtraIndexUrl(unquote(value)),
        "-f" | "--find-links" => Statement::FindLinks(unquote(value)),
        "--no-index" => Statement::NoIndex,
        "--no-binary" => Statement::NoBinary(unquote(value)),
        "--only-binary" => Statement::OnlyBinary(unquote(value)),
        "--pre" => Statement::Pre,
        "--prefer-binary" | "--require-hashes" | "--trusted-host" | "--use-feature" => {
            Statement::Ignored(name.to_owned())
        }
        _ => {
            return Err(error(
                0,
                format!("the option `{name}` is not one of a requirements file"),
            ));
        }
    })
}

/// Cuts `--name=value`, `--name value` and `-rvalue`.
fn split_option(text: &str) -> (&str, &str) {
    let end = text.find([' ', '\t', '=']).unwrap_or(text.len());
    if !text.starts_with("--") && end > 2 && text.is_char_boundary(2) {
        return (&text[..2], text[2..].trim());
    }
    let (name, rest) = text.split_at(end);
    (name, rest.trim_start_matches('=').trim())
}

fn unquote(text: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(inner) = text
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
        {
            return inner.to_owned();
        }
    }
    text.to_owned()
}

fn error(column: usize, message: String) -> RequirementError {
    RequirementError {
        message,
        column,
        fix: None,
    }
}

fn parse_requirement(text: &str, editable: bool) -> Result<Statement, RequirementError> {
    refuse_command(text)?;
    let (body, options) = split_options(text);
    let hashes = parse_line_options(text, options)?;
    let (wanted, repair) = parse_wanted(body.trim_end())?;
    Ok(Statement::Require {
        wanted,
        hashes,
        editable,
        repair,
    })
}

/// Returns the line without the options behind its requirement.
pub(super) fn without_options(text: &str) -> &str {
    split_options(text).0.trim_end()
}

/// Cuts where pip does: at the first word that begins with a dash.
fn split_options(text: &str) -> (&str, &str) {
    let at = text
        .match_indices(char::is_whitespace)
        .map(|(at, space)| at + space.len())
        .find(|at| text[*at..].starts_with('-'));
    text.split_at(at.unwrap_or(text.len()))
}

/// Returns the words of a text, each with its column (characters from 0).
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_whitespace().map(|word| {
        let offset = word.as_ptr() as usize - text.as_ptr() as usize;
        (text[..offset].chars().count(), word)
    })
}

fn parse_line_options(text: &str, options: &str) -> Result<Vec<String>, RequirementError> {
    let before = text.chars().count() - options.chars().count();
    let mut hashes = Vec::new();
    let mut words = words(options).map(|(column, word)| (column + before, word));
    while let Some((column, word)) = words.next() {
        let (name, value) = word
            .split_once('=')
            .map_or((word, None), |(n, v)| (n, Some(v)));
        match name {
            "--hash" => {
                let value = value
                    .or_else(|| words.next().map(|(_, word)| word))
                    .unwrap_or("");
                let fine = value.split_once(':').is_some_and(|(algorithm, hex)| {
                    !algorithm.is_empty()
                        && !hex.is_empty()
                        && hex.bytes().all(|b| b.is_ascii_hexdigit())
                });
                if !fine {
                    return Err(error(
                        column,
                        format!("`{value}` is not a hash; expected `sha256:` and hex digits"),
                    ));
                }
                hashes.push(value.to_ascii_lowercase());
            }
            "--config-settings" | "--config-setting" | "-C" | "--global-option"
            | "--install-option" => {
                if value.is_none() {
                    words.next();
                }
            }
            _ if name.starts_with('-') => {
                let mut found = error(
                    column,
                    format!("the option `{name}` cannot stand on the line of a requirement"),
                );
                found.fix = Some(format!("put `{name}` on a line of its own"));
                return Err(found);
            }
            _ => return Err(error(column, format!("`{word}` is not an option"))),
        }
    }
    Ok(hashes)
}

/// Recognises lines copied from a shell or a notebook.
fn refuse_command(text: &str) -> Result<(), RequirementError> {
    let line = text.trim_start_matches(['!', '%', '$', '>', ' ']);
    let line = line.strip_prefix("sudo ").unwrap_or(line);
    let mut words = line.split_whitespace();
    let (Some(program), Some(second)) = (words.next(), words.next()) else {
        return Ok(());
    };
    let third = words.next();
    let is_command = match program.trim_end_matches(".exe") {
        "pip" | "pip3" | "conda" | "mamba" | "apt" | "apt-get" | "brew" => {
            matches!(second, "install" | "uninstall" | "update" | "upgrade")
        }
        "uv" => matches!(second, "pip" | "add"),
        "git" => matches!(second, "clone" | "pull"),
        program => {
            let python = program.rsplit(['/', '\\']).next().unwrap_or(program);
            python.starts_with("python") && second == "-m" && third.is_some()
        }
    };
    if !is_command {
        return Ok(());
    }
    let mut found = error(0, "this is a shell command, not a requirement".to_owned());
    found.fix = Some(match line.split_once(" install ") {
        Some((before, _)) if before.ends_with("pip") || before.ends_with("pip3") => {
            "write only what follows `install`".to_owned()
        }
        _ => "remove the line".to_owned(),
    });
    Err(found)
}

type Understood = (Wanted, Option<String>);

fn parse_wanted(text: &str) -> Result<Understood, RequirementError> {
    if let Some(place) = as_place(text) {
        return parse_place(place);
    }
    if text.starts_with(['"', '\'']) {
        let inner = unquote(text);
        let mut found = error(0, "a requirement cannot stand in quotes".to_owned());
        found.fix = Requirement::parse(&inner)
            .is_ok()
            .then(|| format!("write `{inner}`"));
        return Err(found);
    }
    match Requirement::parse_noting(text) {
        Ok((requirement, repair)) => Ok((Wanted::Named(Box::new(requirement)), repair)),
        Err(mut found) => {
            let words: Vec<&str> = text.split_whitespace().collect();
            if found.fix.is_none()
                && words.len() > 1
                && !text.contains(';')
                && words.iter().all(|word| Requirement::parse(word).is_ok())
            {
                "several requirements on one line".clone_into(&mut found.message);
                found.fix = Some("write each on its own".to_owned());
            }
            Err(found)
        }
    }
}

/// Tells a bare URL, archive or path from a name.
fn as_place(text: &str) -> Option<&str> {
    let head = text.split_whitespace().next().unwrap_or(text);
    let is_url = head.contains("://") && !head.contains('@')
        || head.starts_with("git+")
        || head.starts_with("file:")
        || head.split_once("://").is_some_and(|(scheme, _)| {
            scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '+')
        });
    let is_path = head.starts_with('.')
        || head.starts_with('/')
        || head.starts_with('\\')
        || head.as_bytes().get(1) == Some(&b':');
    let bare = head.split(['[', ';']).next().unwrap_or(head);
    // `clip@https://host/a.zip` has a name before its address.
    let is_archive = !bare.contains('@')
        && [".whl", ".tar.gz", ".zip", ".tgz"]
            .iter()
            .any(|ending| bare.ends_with(ending));
    (is_url || is_path || is_archive).then_some(text)
}

fn parse_place(text: &str) -> Result<Understood, RequirementError> {
    let (place, marker) = text
        .split_once(" ;")
        .or_else(|| text.split_once("; "))
        .unwrap_or((text, ""));
    let place = place.trim();
    let marker = Marker::parse(marker)
        .map_err(|message| error(text.chars().count() - marker.chars().count(), message))?;
    if let Some((column, word)) = words(place).nth(1) {
        let message = format!("expected `;` or the end behind the address, found `{word}`");
        return Err(error(column, message));
    }
    let (bare, fragment) = place.split_once('#').unwrap_or((place, ""));
    let mut bare = bare.to_owned();
    let mut extras = Vec::new();
    if let Some(open) = bare.find('[')
        && bare.ends_with(']')
    {
        extras = parse_extras(&bare[open + 1..bare.len() - 1])?;
        bare.truncate(open);
    }
    let egg = fragment
        .split('&')
        .find_map(|pair| pair.strip_prefix("egg="));
    let rest: Vec<&str> = fragment
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("egg="))
        .collect();
    let address = if rest.is_empty() {
        bare.clone()
    } else {
        format!("{bare}#{}", rest.join("&"))
    };
    let mut name = None;
    if let Some(egg) = egg {
        let (egg_name, egg_extras) = egg.split_once('[').unwrap_or((egg, ""));
        name = Name::parse(egg_name);
        extras.extend(parse_extras(egg_extras.trim_end_matches(']'))?);
    }
    extras.sort();
    extras.dedup();
    let filename = bare
        .split('?')
        .next()
        .unwrap_or("")
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or("");
    if name.is_none() && filename.ends_with(".whl") {
        let wheel = WheelName::parse(&filename.replace("%2B", "+").replace("%2b", "+"));
        name = Some(
            wheel
                .ok_or_else(|| error(0, format!("`{filename}` is not the name of a wheel")))?
                .name,
        );
    }
    let Some(name) = name else {
        return Ok((
            Wanted::Unnamed {
                place: address,
                extras,
                marker,
            },
            None,
        ));
    };
    let mut requirement = Requirement::any(name);
    requirement.extras = extras;
    requirement.url = Some(address);
    requirement.marker = marker;
    Ok((Wanted::Named(Box::new(requirement)), None))
}

fn parse_extras(list: &str) -> Result<Vec<Extra>, RequirementError> {
    list.split(',')
        .map(str::trim)
        .filter(|extra| !extra.is_empty())
        .map(|extra| {
            Extra::parse(extra)
                .ok_or_else(|| error(0, format!("`{extra}` is not the name of an extra")))
        })
        .collect()
}
