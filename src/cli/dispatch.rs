//! From arguments to an outcome to the screen.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use super::args::{Cli, Command};
use super::failure::{Exit, Failure};
use super::screen::{Format, Screen};
use super::{settings, view};
use crate::ops::{self, Context};
use crate::progress::Cancel;

/// Runs the program.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let screen = Screen::new(cli.global.format, cli.global.color, cli.global.quiet);
    let cancel = Cancel::default();
    watch(&cancel);
    let name = cli.command.as_ref().map_or("status", Command::name);
    let exit = match settings::context(&cli.global, cancel)
        .map_err(|message| Failure::new("usage", Exit::Usage, message))
    {
        Ok(context) => command(&cli, &context, &screen),
        Err(failure) => Err(failure),
    };
    let exit = exit.unwrap_or_else(|failure| {
        view::show_failure(&screen, name, &failure);
        failure.exit
    });
    ExitCode::from(exit as u8)
}

/// The first ctrl-C asks all work to stop; the second ends the process, and the
/// journal heals what it left.
fn watch(cancel: &Cancel) {
    let cancel = cancel.clone();
    let _ = ctrlc::set_handler(move || {
        if cancel.is_requested() {
            #[expect(clippy::exit, reason = "a second ctrl-C means now")]
            std::process::exit(130);
        }
        cancel.request();
    });
}

/// Help and version are results; anything else is bad usage.
fn refuse(error: &clap::Error) -> ExitCode {
    let is_help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    let wants_json = std::env::args()
        .collect::<Vec<_>>()
        .windows(2)
        .any(|pair| pair == ["--format", "json"])
        || std::env::args().any(|arg| arg == "--format=json");
    if !is_help && wants_json {
        let screen = Screen::new(Format::Json, super::screen::ColorChoice::Never, false);
        let text = error.to_string();
        let message = text
            .trim_start_matches("error: ")
            .lines()
            .next()
            .unwrap_or("bad usage")
            .to_owned();
        let name = std::env::args()
            .skip(1)
            .find(|arg| !arg.starts_with('-'))
            .unwrap_or_else(|| "portenv".to_owned());
        view::show_failure(
            &screen,
            &name,
            &Failure::new("usage", Exit::Usage, message)
                .hint("portenv --help lists commands and flags"),
        );
        return ExitCode::from(Exit::Usage as u8);
    }
    let _ = error.print();
    ExitCode::from(if is_help {
        Exit::Done as u8
    } else {
        Exit::Usage as u8
    })
}

fn command(cli: &Cli, context: &Context, screen: &Screen) -> Result<Exit, Failure> {
    let Some(command) = &cli.command else {
        return Err(
            Failure::new("usage", Exit::Usage, "name a command").hint("portenv --help lists them")
        );
    };
    match command {
        Command::Resolve(args) => {
            let stdin = args
                .files
                .iter()
                .any(|file| file == "-")
                .then(|| std::io::read_to_string(std::io::stdin()));
            let stdin = stdin.transpose().map_err(|error| {
                Failure::new(
                    "invalid-file",
                    Exit::Usage,
                    format!("cannot read standard input: {error}"),
                )
            })?;
            let request = ops::resolve::ResolveRequest {
                files: args.files.clone(),
                stdin,
                flags: args.options.flags(),
            };
            let outcome = ops::resolve::run(context, &request)?;
            Ok(view::resolve::show_resolve(
                screen,
                &outcome,
                cli.global.verbose,
            ))
        }
        Command::Lock(args) => {
            let request = ops::lock::LockRequest {
                check: args.check,
                upgrade: args.upgrade,
                upgrade_packages: args.upgrade_package.clone(),
                allow_change: args.allow_change.clone(),
                flags: args.options.flags(),
            };
            let outcome = ops::lock::run(context, &request)?;
            Ok(view::resolve::show_lock(
                screen,
                &context.dir,
                &outcome,
                args.check,
                cli.global.verbose,
            ))
        }
    }
}
