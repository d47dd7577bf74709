//! From arguments to an outcome to the screen.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::args::{Cli, Command, PartArg, SnapshotCommand};
use super::failure::{Exit, Failure, Next};
use super::screen::{Format, Screen};
use super::{settings, view};
use crate::ops::changes::{ChangeInfo, NodeChange};
use crate::ops::lock::LockRequest;
use crate::ops::outcome::Consent;
use crate::ops::preview::PreviewRequest;
use crate::ops::resolve::ResolveRequest;
use crate::ops::rollback::{Parts, RollbackRequest};
use crate::ops::sync::SyncRequest;
use crate::ops::{self, Context};
use crate::progress::Cancel;
use crate::workspace::settings::BuildMode;

/// Runs the program.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return refuse(&args, &error),
    };
    let screen = Screen::new(cli.global.format, cli.global.color, cli.global.quiet);
    let cancel = Cancel::default();
    watch(&cancel);
    let name = cli.command.as_ref().map_or("status", Command::name);
    let line: Vec<String> = args
        .iter()
        .skip(1)
        .map(|arg| crate::package::redact(&arg.to_string_lossy()))
        .collect();
    let context = settings::context(&cli.global, cancel)
        .map_err(|message| Failure::new("usage", Exit::Usage, message));
    let exit = context.and_then(|context| {
        Run {
            cli: &cli,
            context: &context,
            screen: &screen,
            line: line.join(" "),
            words: &line,
        }
        .command()
    });
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
fn refuse(args: &[OsString], error: &clap::Error) -> ExitCode {
    let is_help = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    let words: Vec<String> = args
        .iter()
        .skip(1)
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    let wants_json = words.windows(2).any(|pair| pair == ["--format", "json"])
        || words.iter().any(|arg| arg == "--format=json");
    if !is_help && wants_json {
        let screen = Screen::new(Format::Json, super::screen::ColorChoice::Never, false);
        let text = error.to_string();
        let message = text
            .trim_start_matches("error: ")
            .lines()
            .next()
            .unwrap_or("bad usage")
            .to_owned();
        let known = |word: &&String| Cli::command().find_subcommand(word.as_str()).is_some();
        let name = words.iter().find(known).map_or("portenv", String::as_str);
        view::show_failure(
            &screen,
            name,
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

/// One run of a command.
struct Run<'a> {
    cli: &'a Cli,
    context: &'a Context,
    screen: &'a Screen,
    line: String,
    words: &'a [String],
}

impl Run<'_> {
    fn command(&self) -> Result<Exit, Failure> {
        let (context, screen, verbose) = (self.context, self.screen, self.cli.global.verbose);
        let Some(command) = &self.cli.command else {
            return Ok(view::status::show_status(
                screen,
                &ops::status::run(context)?,
                false,
            ));
        };
        Ok(match command {
            Command::Demo(args) => super::demo::run(context, screen, args.dir.as_deref())?,
            Command::Init => view::status::show_init(screen, &ops::init::run(context)?),
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
                let request = ResolveRequest {
                    files: args.files.clone(),
                    stdin,
                    flags: args.options.flags(),
                };
                view::resolve::show_resolve(screen, &ops::resolve::run(context, &request)?, verbose)
            }
            Command::Lock(args) => {
                let request = LockRequest {
                    check: args.check,
                    upgrade: args.upgrade,
                    upgrade_packages: args.upgrade_package.clone(),
                    allow_change: args.allow_change.clone(),
                    flags: args.options.flags(),
                };
                view::resolve::show_lock(
                    screen,
                    &context.dir,
                    &ops::lock::run(context, &request)?,
                    args.check,
                    verbose,
                )
            }
            Command::Preview(args) => {
                let request = PreviewRequest {
                    nodes: args.nodes.clone(),
                    allow_change: args.allow_change.clone(),
                    flags: args.options.flags(),
                    build: BuildMode::Static,
                };
                view::preview::show_preview(
                    screen,
                    "preview",
                    &ops::preview::run(context, &request)?,
                    verbose,
                )
            }
            Command::Check(args) => view::check::show_check(
                screen,
                &ops::check::run(context, &args.nodes, &args.options.flags())?,
            ),
            Command::Add(args) => {
                let request = PreviewRequest {
                    nodes: args.nodes.clone(),
                    allow_change: args.allow_change.clone(),
                    flags: args.options.flags(),
                    build: BuildMode::Allow,
                };
                match self.consenting(args.plan.as_deref(), |consent| {
                    ops::add::run(context, &request, &self.line, consent)
                })? {
                    ops::add::AddOutcome::Done(applied) => {
                        view::applied::show_applied(screen, "add", &applied)
                    }
                    ops::add::AddOutcome::No(preview) => {
                        view::preview::show_preview(screen, "add", &preview, verbose)
                    }
                }
            }
            Command::Remove(args) => {
                let flags = args.options.flags();
                match self.consenting(args.plan.as_deref(), |consent| {
                    ops::remove::run(context, &args.nodes, &flags, &self.line, consent)
                })? {
                    ops::remove::RemoveOutcome::Done(applied) => {
                        view::applied::show_applied(screen, "remove", &applied)
                    }
                    ops::remove::RemoveOutcome::No(conflicts) => {
                        view::applied::show_conflicts(screen, "remove", &conflicts)
                    }
                }
            }
            Command::Sync(args) => {
                let request = SyncRequest {
                    prune: args.prune,
                    dry_run: args.dry_run,
                };
                let applied = self.consenting(args.plan.as_deref(), |consent| {
                    ops::sync::run(context, request, &self.line, consent)
                })?;
                view::applied::show_applied(screen, "sync", &applied)
            }
            Command::Status(args) => {
                view::status::show_status(screen, &ops::status::run(context)?, args.exit_code)
            }
            Command::Recover => {
                view::applied::show_applied(screen, "recover", &ops::recover::run(context)?)
            }
            Command::Snapshot(command) => self.snapshot(command)?,
            Command::Diff(args) => {
                let found = ops::diff::run(context, args.from.as_deref(), args.to.as_deref())?;
                view::diff::show_diff(screen, &found, args.exit_code)
            }
            Command::Rollback(args) => {
                let parts = match args.only {
                    None => Parts::All,
                    Some(PartArg::Packages) => Parts::Packages,
                    Some(PartArg::Nodes) => Parts::Nodes,
                    Some(PartArg::Core) => Parts::Core,
                };
                let request = RollbackRequest {
                    snapshot: args.snapshot.clone(),
                    parts,
                    dry_run: args.dry_run,
                };
                let applied = self.consenting(args.plan.as_deref(), |consent| {
                    ops::rollback::run(context, &request, &self.line, consent)
                })?;
                view::applied::show_applied(screen, "rollback", &applied)
            }
            Command::Completions { shell } => {
                let mut text = Vec::new();
                clap_complete::generate(*shell, &mut Cli::command(), "portenv", &mut text);
                screen.result(&String::from_utf8_lossy(&text));
                Exit::Done
            }
            Command::Man => {
                let mut text = Vec::new();
                let made = clap_mangen::Man::new(Cli::command()).render(&mut text);
                made.map_err(|error| Failure::new("internal", Exit::Internal, error.to_string()))?;
                screen.result(&String::from_utf8_lossy(&text));
                Exit::Done
            }
        })
    }

    fn snapshot(&self, command: &SnapshotCommand) -> Result<Exit, Failure> {
        let (context, screen) = (self.context, self.screen);
        Ok(match command {
            SnapshotCommand::Create { label } => view::snapshot::show_created(
                screen,
                &ops::snapshot::create(context, label.as_deref())?,
            ),
            SnapshotCommand::List => {
                view::snapshot::show_list(screen, &ops::snapshot::list(context)?)
            }
            SnapshotCommand::Show { snapshot } => {
                view::snapshot::show_one(screen, &ops::snapshot::show(context, snapshot)?)
            }
            SnapshotCommand::Label { snapshot, label } => view::snapshot::show_created(
                screen,
                &ops::snapshot::label(context, snapshot, label)?,
            ),
        })
    }

    /// Runs a changing command with the consent that was given or can be asked for.
    fn consenting<T>(
        &self,
        plan: Option<&str>,
        work: impl FnOnce(&Consent<'_>) -> Result<T, ops::OpError>,
    ) -> Result<T, Failure> {
        let ask = |changes: &[ChangeInfo], nodes: &[NodeChange]| {
            self.screen.note(&view::changes::to_text(changes, nodes));
            self.screen.ask("Go on?")
        };
        work(&Consent {
            yes: self.cli.global.yes,
            plan,
            ask: &ask,
        })
        .map_err(|error| {
            let failure = Failure::from(error);
            let Some(plan) = failure.plan.clone() else {
                return failure;
            };
            let mut next = Next::new("portenv", true, "applies exactly this plan");
            next.argv.extend(self.words.iter().cloned());
            next.argv.extend(["--plan".to_owned(), plan]);
            failure.next(next)
        })
    }
}
