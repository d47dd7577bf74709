//! Flags of `pack` and `unpack`.

use camino::Utf8PathBuf;
use clap::{Args, ValueEnum};

use crate::ops::pack::PackRequest;
use crate::pack::write::Form;

/// What `portenv pack --help` says.
pub const ABOUT: &str = "\
Pack the installation as one archive that works elsewhere.

Environment, ComfyUI, nodes, lock and history go in; models, pictures, settings of the user, \
compiled Python, tests and the like stay behind, by named rules: portenv pack --dry-run lists \
them with what each saves. Paths in scripts are mended by portenv unpack. A Python beneath a \
virtual environment is packed too, unless it is the system's. The archive has one directory, \
the same bytes for the same installation, and its SHA-256 in a file beside it.";

/// The kind of an archive.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum FormArg {
    /// Opens everywhere.
    Zip,
    /// Smaller, and faster to unpack.
    #[value(name = "tar.zst")]
    TarZst,
}

/// `portenv pack`.
#[derive(Debug, Args)]
pub struct PackArgs {
    /// The archive, or the directory to write it in [default: NAME-VERSION-PLATFORM.zip in
    /// the working directory].
    #[arg(long, short, value_name = "PATH")]
    pub output: Option<Utf8PathBuf>,
    /// The kind of archive [default: by the name of --output, else zip].
    #[arg(long, value_enum, value_name = "KIND")]
    pub archive: Option<FormArg>,
    /// What it is called [default: the name of the installation's directory].
    #[arg(long)]
    pub name: Option<String>,
    /// Its own version [default: ComfyUI's].
    #[arg(long, value_name = "VERSION")]
    pub pack_version: Option<String>,
    /// Leave snapshots behind, and what going back to them needs.
    #[arg(long)]
    pub no_snapshots: bool,
    /// Put a cleaning rule in force; may be given several times, `all` means each.
    #[arg(long, value_name = "RULE")]
    pub clean: Vec<String>,
    /// Switch a cleaning rule off; may be given several times, `all` means each.
    #[arg(long, value_name = "RULE")]
    pub keep: Vec<String>,
    /// Cut the archive into volumes of at most this size, such as 2GB or 700MB.
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub split: Option<u64>,
    /// Unpack it for a trial, and import there all packages that can be imported here.
    #[arg(long)]
    pub smoke: bool,
    /// Do not put portenv itself and small scripts that call it into the archive.
    #[arg(long)]
    pub no_tools: bool,
    /// Only list the rules and what each leaves out.
    #[arg(long)]
    pub dry_run: bool,
}

/// Reads a size: a number, and a unit of which each is a thousand of the one before.
fn parse_size(text: &str) -> Result<u64, String> {
    let at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let number: u64 = number
        .parse()
        .map_err(|_| format!("`{text}` is no size; write 700MB or 2GB"))?;
    let factor = match unit.trim().to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "K" | "KB" => 1_000,
        "M" | "MB" => 1_000_000,
        "G" | "GB" => 1_000_000_000,
        _ => return Err(format!("`{unit}` is no unit; there are KB, MB and GB")),
    };
    match number.checked_mul(factor) {
        Some(size) if size >= 1_000_000 => Ok(size),
        _ => Err("a volume has at least 1MB".to_owned()),
    }
}

impl PackArgs {
    /// Returns what is to be packed; `epoch` is `SOURCE_DATE_EPOCH`, `program` this one.
    pub fn request(&self, epoch: Option<i64>, program: Option<Utf8PathBuf>) -> PackRequest {
        let named = self.output.as_ref().and_then(|path| path.file_name());
        let form = match self.archive {
            Some(FormArg::Zip) => Form::Zip,
            Some(FormArg::TarZst) => Form::TarZst,
            None => named.and_then(Form::of_name).unwrap_or_default(),
        };
        PackRequest {
            output: self.output.clone(),
            form,
            name: self.name.clone(),
            version: self.pack_version.clone(),
            history: !self.no_snapshots,
            clean: self.clean.clone(),
            keep: self.keep.clone(),
            split: self.split,
            smoke: self.smoke,
            dry_run: self.dry_run,
            epoch: epoch.unwrap_or(0),
            program: program.filter(|_| !self.no_tools),
        }
    }
}

/// `portenv unpack`.
#[derive(Debug, Args)]
pub struct UnpackArgs {
    /// The archive; of several volumes the first.
    #[arg(value_name = "ARCHIVE")]
    pub file: Utf8PathBuf,
    /// The directory to make [default: the archive's name, in the working directory].
    #[arg(value_name = "DIR")]
    pub dir: Option<Utf8PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn sizes_are_numbers_with_a_unit() {
        assert_eq!(parse_size("2GB"), Ok(2_000_000_000));
        assert_eq!(parse_size("700 mb"), Ok(700_000_000));
        assert_eq!(parse_size("1500000"), Ok(1_500_000));
        for wrong in ["", "GB", "2TB", "10", "-1GB", "99999999999GB"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }
}
