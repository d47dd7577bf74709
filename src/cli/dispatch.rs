//! From arguments to an outcome to the screen.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use camino::Utf8Path;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};

use super::args::{
    BisectCommand, CacheCommand, Cli, Command, KindArg, PartArg, SnapshotCommand, StepArgs,
    SwitchArgs, VenvCommand, WheelhouseCommand,
};
use super::failure::{ErrorCode, Exit, Failure, LISTS_COMMANDS};
use super::line::Line;
use super::screen::{ColorChoice, Format, Screen};
use super::{settings, view};
use crate::environment::files::Depth;
use crate::lock::export::Hashing;
use crate::ops::bisect::Event;
use crate::ops::cache::CacheRequest;
use crate::ops::changes::{ChangeInfo, NodeChange};
use crate::ops::explain::kept::{Ending, Kept};
use crate::ops::export::{ExportKind, ExportRequest};
use crate::ops::inputs::ResolveFlags;
use crate::ops::lock::LockRequest;
use crate::ops::outcome::{Applied, Consent};
use crate::ops::preview::{Preview, PreviewRequest};
use crate::ops::resolve::ResolveRequest;
use crate::ops::rollback::{Destination, Parts, RollbackRequest};
use crate::ops::switch::{Switch, SwitchOutcome, SwitchRequest};
use crate::ops::sync::SyncRequest;
use crate::ops::tree::TreeRequest;
use crate::ops::unpack::UnpackRequest;
use crate::ops::update::{UpdateOutcome, UpdateRequest};
use crate::ops::verify::VerifyRequest;
use crate::ops::why::WhyRequest;
use crate::ops::{self, Context};
use crate::progress::Cancel;
use crate::requirements::text::decode;
use crate::requirements::{Origin, OriginKind};
use crate::workspace::settings::BuildMode;

/// Runs the program.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    let mut cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return refuse(&args, &error),
    };
    let line = Line::read(&args);
    if line.wants_core() {
        // There the flag does not say where it lies.
        cli.global.core = None;
    }
    let shown = line.shown();
    let screen = Screen::new(cli.global.format, cli.global.color, cli.global.quiet).of(line);
    let cancel = Cancel::default();
    watch(&cancel);
    let name = cli.command.as_ref().map_or("status", Command::name);
    let context = fitting(cli.global.format, name)
        .and_then(|()| settings::context(&cli.global, cancel))
        .map_err(|message| Failure::new(ErrorCode::Usage, message));
    let exit = context.as_ref().map_err(Clone::clone).and_then(|context| {
        Run {
            cli: &cli,
            context,
            screen: &screen,
            line: shown,
            kept: RefCell::default(),
        }
        .finish()
    });
    let exit = exit.unwrap_or_else(|failure| {
        let failure = match &context {
            Ok(context) => relative(failure, context, name),
            Err(_) => failure,
        };
        let lost = cli.command.is_none() && failure.code == ErrorCode::NoInstallation;
        let failure = if lost {
            failure.hint("portenv demo shows what portenv does, in a throw-away installation")
        } else {
            failure
        };
        view::show_failure(&screen, name, &failure);
        failure.exit()
    });
    ExitCode::from(exit as u8)
}

/// Most forms of a result are for the gate alone.
fn fitting(format: Format, command: &str) -> Result<(), String> {
    let is_page = command == "preview" && format == Format::Markdown;
    if format.is_general() || is_page || command == "check" {
        return Ok(());
    }
    let word = format.to_possible_value();
    let word = word.as_ref().map_or("", |value| value.get_name());
    Err(format!(
        "`portenv {command}` has no format `{word}`; it has text{} and json",
        if command == "preview" {
            ", markdown"
        } else {
            ""
        }
    ))
}

/// A file in the installation is named relative to its root, without one relative to the
/// working directory where a check is run.
fn relative(mut failure: Failure, context: &Context, command: &str) -> Failure {
    let Some(file) = failure
        .origin
        .as_mut()
        .and_then(|origin| origin.file.as_mut())
    else {
        return failure;
    };
    // A gate needs no installation, and its annotations are of the working directory.
    let root = match context.installation() {
        Ok(installation) => installation.root,
        Err(_) if command == "check" => context.dir.clone(),
        Err(_) => return failure,
    };
    if let Ok(shown) = Utf8Path::new(file.as_str()).strip_prefix(&root) {
        let shown = shown.as_str().replace('\\', "/");
        failure.message = failure.message.replace(file.as_str(), &shown);
        for hint in &mut failure.hints {
            *hint = hint.replace(file.as_str(), &shown);
        }
        *file = shown;
    }
    failure
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
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let _ = error.print();
            return ExitCode::from(Exit::Done as u8);
        }
        _ => {}
    }
    let words: Vec<String> = args
        .iter()
        .skip(1)
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    let format = typed_format(&words);
    let screen = Screen::new(format, ColorChoice::Auto, false).of(Line::read(args));
    let known = |word: &&String| Cli::command().find_subcommand(word.as_str()).is_some();
    let name = words.iter().find(known);
    let mut text = error.to_string();
    for word in &words {
        // An address in the wrong place may carry a password.
        let shown = crate::package::redact(word);
        if shown != *word {
            text = text.replace(word.as_str(), &shown);
        }
    }
    let failure = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            let names = |command: &clap::Command| {
                let all: Vec<&str> = command
                    .get_subcommands()
                    .map(clap::Command::get_name)
                    .collect();
                all.join(", ")
            };
            let cli = Cli::command();
            let command = name.and_then(|name| cli.find_subcommand(name));
            let text = command.map_or(String::new(), |command| format!(": {}", names(command)));
            Failure::new(
                ErrorCode::Usage,
                format!("the name of a subcommand is missing{text}"),
            )
        }
        _ => usage_failure(&text),
    };
    let help = name.map_or_else(
        || LISTS_COMMANDS.to_owned(),
        |name| format!("portenv {name} --help lists its arguments and flags"),
    );
    view::show_failure(
        &screen,
        name.map_or("portenv", String::as_str),
        &failure.hint(help),
    );
    ExitCode::from(Exit::Usage as u8)
}

/// The form that was asked for on a line that cannot be read as a whole.
fn typed_format(words: &[String]) -> Format {
    let spaced = words.windows(2).find(|pair| pair[0] == "--format");
    let spaced = spaced.map(|pair| pair[1].clone());
    let joined = || words.iter().find_map(|word| word.strip_prefix("--format="));
    let around = || std::env::var("PORTENV_FORMAT").ok();
    let word = spaced
        .or_else(|| joined().map(str::to_owned))
        .or_else(around);
    word.and_then(|word| Format::from_str(&word, false).ok())
        .unwrap_or_default()
}

/// The parser's message in the words of this program: the first paragraph is the
/// message, each tip a hint.
fn usage_failure(text: &str) -> Failure {
    let mut paragraphs = text.trim_start_matches("error: ").split("\n\n");
    let message: Vec<&str> = paragraphs
        .next()
        .unwrap_or("bad usage")
        .lines()
        .map(str::trim)
        .collect();
    let mut failure = Failure::new(ErrorCode::Usage, message.join(" "));
    for tip in paragraphs.flat_map(str::lines) {
        if let Some(tip) = tip.trim().strip_prefix("tip: ") {
            failure = failure.hint(tip);
        }
    }
    failure
}

/// Reads a requirement file from standard input, in the encodings that a file may have.
fn read_stdin() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let fail = |message: String| Failure::new(ErrorCode::InvalidFile, message);
    std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|error| fail(format!("cannot read standard input: {error}")))?;
    decode(&bytes).map_err(|error| {
        let origin = Origin::file(OriginKind::File, None, "-").at(error.line, error.column);
        fail(format!("{}: {}", origin.place(), error.message))
            .at(Some(origin))
            .hint("save the text as UTF-8")
    })
}

/// One run of a command.
struct Run<'a> {
    cli: &'a Cli,
    context: &'a Context,
    screen: &'a Screen,
    line: String,
    /// The conflict that it ended with, once it is kept.
    kept: RefCell<Option<Kept>>,
}

impl Run<'_> {
    /// Runs the command, and says last where to read more of a conflict.
    fn finish(&self) -> Result<Exit, Failure> {
        let exit = self.command()?;
        if let Some(kept) = self.kept.take() {
            view::explain::show_kept(self.screen, &kept);
        }
        Ok(exit)
    }

    /// Keeps the conflicts of an outcome, if it ends with any, for `explain`.
    fn kept<E: Ending>(&self, outcome: E) -> E {
        let words = self.screen.line().words();
        self.kept
            .replace(ops::explain::kept::keep(self.context, words, &outcome));
        outcome
    }

    fn command(&self) -> Result<Exit, Failure> {
        let (context, screen, verbose) = (self.context, self.screen, self.cli.global.verbose);
        // Nobody may clean the cache meanwhile.
        let _using = match &self.cli.command {
            Some(
                Command::Cache(_)
                | Command::Demo(_)
                | Command::Explain(_)
                | Command::Export(_)
                | Command::Completions { .. }
                | Command::Man
                | Command::Run(_),
            ) => None,
            _ => ops::cache::hold(context),
        };
        if let None | Some(Command::Status(_) | Command::Diff(_) | Command::Snapshot(_)) =
            &self.cli.command
            && let Ok(Some(words)) = ops::snapshot::newer(context)
        {
            screen.warning(&words);
        }
        let Some(command) = &self.cli.command else {
            return Ok(view::status::show_status(
                screen,
                &ops::status::run(context)?,
                false,
                false,
            ));
        };
        Ok(match command {
            Command::Demo(args) => super::demo::run(context, screen, args.dir.as_deref())?,
            Command::Init => view::status::show_init(screen, &ops::init::run(context)?),
            Command::Resolve(args) => {
                let wanted = args.files.iter().any(|file| file == "-");
                let stdin = wanted.then(read_stdin).transpose()?;
                let request = ResolveRequest {
                    files: args.files.clone(),
                    stdin,
                    flags: ResolveFlags {
                        universal: args.universal,
                        ..args.options.flags()
                    },
                };
                let found = self.kept(ops::resolve::run(context, &request)?);
                view::resolve::show_resolve(screen, &found, verbose)
            }
            Command::Lock(args) => {
                let request = LockRequest {
                    check: args.check,
                    upgrade: args.upgrade,
                    upgrade_packages: args.upgrade_package.clone(),
                    allow_change: args.allow_change.clone(),
                    strict: args.strict,
                    best_effort: (args.best_effort).then_some(Duration::from_secs(args.time_limit)),
                    flags: args.options.flags(),
                };
                let found = self.kept(ops::lock::run(context, &request)?);
                view::resolve::show_lock(screen, &context.dir, &found, verbose)
            }
            Command::Preview(args) => {
                let request = PreviewRequest {
                    nodes: args.nodes.clone(),
                    allow_change: args.allow_change.clone(),
                    flags: args.options.flags(),
                    build: BuildMode::Static,
                    strict: false,
                    advisories: args.advisories.clone(),
                    ..PreviewRequest::default()
                };
                let found = self.kept(ops::preview::run(context, &request)?);
                view::preview::show_preview(screen, "preview", &found, verbose)
            }
            Command::Check(args) => {
                let request = args.request(self.cli.global.core.as_ref());
                let mut found = ops::check::run(context, &request)?;
                if args.subset {
                    let limit = Duration::from_secs(args.time_limit);
                    let subset = ops::subset::run(context, &args.nodes, &request.flags, limit)?;
                    found.subset = Some(subset);
                }
                view::check::show_check(screen, &self.kept(found), verbose)
            }
            Command::Explain(args) => match (&args.code, args.apply) {
                (Some(code), _) => {
                    view::explain::show_explanation(screen, &ops::explain::run(code)?)
                }
                (None, Some(number)) => view::explain::show_taking(
                    screen,
                    &context.dir,
                    &ops::explain::take(context, number.into())?,
                ),
                (None, None) => view::explain::show_conflict(
                    screen,
                    &context.dir,
                    &ops::explain::last(context)?,
                ),
            },
            Command::Add(args) => {
                let request = PreviewRequest {
                    nodes: args.nodes.clone(),
                    allow_change: args.allow_change.clone(),
                    flags: args.options.flags(),
                    build: BuildMode::Allow,
                    strict: false,
                    advisories: args.advisories.clone(),
                    scripts: args.scripts(),
                    core: None,
                };
                let tell = |preview: &Preview| {
                    screen.note(&view::preview::page(preview, &preview.plan, verbose));
                };
                let outcome = self.consenting(args.plan.as_deref(), |consent| {
                    ops::add::run(context, &request, &self.line, consent, &tell)
                })?;
                match self.kept(outcome) {
                    ops::add::AddOutcome::Done(applied) => {
                        view::applied::show_applied(screen, "add", &applied)
                    }
                    ops::add::AddOutcome::No(preview, nodes) => {
                        view::preview::show_stopped(screen, "add", &preview, nodes, verbose)
                    }
                }
            }
            Command::Remove(args) => {
                let flags = args.options.flags();
                let outcome = self.consenting(args.plan.as_deref(), |consent| {
                    ops::remove::run(context, &args.nodes, &flags, &self.line, consent)
                })?;
                match self.kept(outcome) {
                    ops::remove::RemoveOutcome::Done(applied) => {
                        view::applied::show_applied(screen, "remove", &applied)
                    }
                    ops::remove::RemoveOutcome::No(conflicts) => {
                        view::applied::show_conflicts(screen, "remove", &conflicts)
                    }
                }
            }
            Command::Update(args) => {
                let request = UpdateRequest {
                    nodes: args.nodes.clone(),
                    core: args.core().filter(|_| screen.line().wants_core()),
                    dry_run: args.dry_run,
                    stash: args.stash,
                    allow_change: args.allow_change.clone(),
                    flags: args.options.flags(),
                };
                let tell = |found: &UpdateOutcome| {
                    screen.note(&view::update::to_be_asked(found, verbose));
                };
                let outcome = self.consenting(args.plan.as_deref(), |consent| {
                    ops::update::run(context, &request, &self.line, consent, &tell)
                })?;
                view::update::show_update(screen, &self.kept(outcome), verbose)
            }
            Command::Enable(args) => self.switch(Switch::Enable, args)?,
            Command::Disable(args) => self.switch(Switch::Disable, args)?,
            Command::Sync(args) => {
                let request = SyncRequest {
                    all: args.all,
                    prune: args.prune,
                    dry_run: args.dry_run,
                };
                let tell = |planned: &Applied| screen.note(&view::applied::to_text(planned));
                let applied = self.consenting(args.plan.as_deref(), |consent| {
                    ops::sync::run(context, request, &self.line, consent, &tell)
                })?;
                view::applied::show_applied(screen, "sync", &applied)
            }
            Command::Status(args) => view::status::show_status(
                screen,
                &ops::status::run(context)?,
                args.exit_code,
                args.waivers,
            ),
            Command::Verify(args) => {
                let request = VerifyRequest {
                    depth: if args.deep {
                        Depth::Contents
                    } else {
                        Depth::Sizes
                    },
                    fix: args.fix,
                };
                let found = ops::verify::run(context, request, &self.line)?;
                view::verify::show_verification(screen, &found, verbose)
            }
            Command::Recover => view::applied::show_applied(
                screen,
                "recover",
                &ops::recover::run(context, &self.line)?,
            ),
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
                    to: (args.snapshot.clone()).map_or(Destination::Before, Destination::Named),
                    parts,
                    dry_run: args.dry_run,
                    stash: args.stash,
                };
                self.go(&request, args.plan.as_deref())?
            }
            Command::Bisect(BisectCommand::Run(args)) => {
                let tell = |event: &Event<'_>| screen.note(&view::bisect::event_to_text(event));
                let found = ops::bisect::run(context, &args.request(), &self.line, &tell)?;
                view::bisect::show_bisect(screen, &found)
            }
            Command::Undo(args) => self.walk(Destination::Undo, args)?,
            Command::Redo(args) => self.walk(Destination::Redo, args)?,
            Command::Why(args) => {
                let request = WhyRequest {
                    package: args.package.clone(),
                    target: args.target.clone(),
                    flags: args.options.flags(),
                };
                view::why::show_why(screen, ops::why::run(context, &request)?, verbose)
            }
            Command::Tree(args) => {
                let request = TreeRequest {
                    names: args.names.clone(),
                    invert: args.invert,
                    orphans: args.orphans,
                    depth: args.depth,
                    target: args.target.clone(),
                };
                view::tree::show_tree(screen, &ops::tree::run(context, &request)?, verbose)
            }
            Command::Export(args) => {
                let request = ExportRequest {
                    kind: match args.kind {
                        KindArg::Requirements => ExportKind::Requirements,
                        KindArg::Constraints => ExportKind::Constraints,
                        KindArg::Pylock => ExportKind::Pylock,
                    },
                    output: args.output.clone(),
                    target: args.target.clone(),
                    hashing: if args.no_hashes {
                        Hashing::None
                    } else {
                        Hashing::Required
                    },
                };
                view::export::show_export(screen, &ops::export::run(context, &request)?)
            }
            Command::Wheelhouse(command) => self.wheelhouse(command)?,
            Command::Pack(args) => {
                let request = args.request(settings::build_epoch()?, settings::program());
                view::pack::show_pack(screen, &ops::pack::run(context, &request)?)
            }
            Command::Unpack(args) => {
                let request = UnpackRequest {
                    archive: args.file.clone(),
                    dir: args.dir.clone(),
                };
                view::pack::show_unpack(screen, &ops::unpack::run(context, &request)?)
            }
            Command::Venv(command) => self.venv(command)?,
            Command::Run(args) => self.hand_over(&args.name, &args.command)?,
            Command::Cache(command) => {
                let request = match command {
                    CacheCommand::Dir => CacheRequest::Look,
                    CacheCommand::Prune { unused_for } => CacheRequest::Prune { days: *unused_for },
                    CacheCommand::Clean { packages } => CacheRequest::Clean {
                        packages: packages.clone(),
                    },
                };
                view::cache::show_cache(screen, &request, &ops::cache::run(context, &request)?)
            }
            Command::SelfInfo => view::self_info::show_self(screen, &ops::self_info::run(context)?),
            Command::Completions { shell } => {
                let mut text = Vec::new();
                clap_complete::generate(*shell, &mut Cli::command(), "portenv", &mut text);
                view::show_text(screen, "completions", &String::from_utf8_lossy(&text))
            }
            Command::Man => {
                let mut text = Vec::new();
                let made = clap_mangen::Man::new(Cli::command()).render(&mut text);
                made.map_err(|error| Failure::new(ErrorCode::Internal, error.to_string()))?;
                view::show_text(screen, "man", &String::from_utf8_lossy(&text))
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
                let bytes = ops::snapshot::stored_bytes(context)?;
                view::snapshot::show_list(screen, &ops::snapshot::list(context)?, bytes)
            }
            SnapshotCommand::Show { snapshot } => {
                view::snapshot::show_one(screen, &ops::snapshot::show(context, snapshot)?)
            }
            SnapshotCommand::Prune(args) => {
                view::prune::show_prune(screen, &ops::prune::run(context, args.request())?)
            }
            SnapshotCommand::Label { snapshot, label } => view::snapshot::show_created(
                screen,
                &ops::snapshot::label(context, snapshot, label)?,
            ),
        })
    }

    fn wheelhouse(&self, command: &WheelhouseCommand) -> Result<Exit, Failure> {
        let (context, screen) = (self.context, self.screen);
        Ok(match command {
            WheelhouseCommand::Build(args) => view::wheelhouse::show_build(
                screen,
                &ops::wheelhouse::build::run(context, &args.request())?,
            ),
            WheelhouseCommand::Check(args) => view::wheelhouse::show_check(
                screen,
                &ops::wheelhouse::check::run(context, &args.request())?,
            ),
            WheelhouseCommand::Install(args) => {
                let applied = self.consenting(args.plan.as_deref(), |consent| {
                    ops::wheelhouse::install::run(context, &args.request(), &self.line, consent)
                })?;
                view::applied::show_applied(screen, "wheelhouse", &applied)
            }
        })
    }

    fn venv(&self, command: &VenvCommand) -> Result<Exit, Failure> {
        let (context, screen) = (self.context, self.screen);
        Ok(match command {
            VenvCommand::Create(args) => {
                view::venv::show_created(screen, &ops::venv::create::run(context, &args.request())?)
            }
            VenvCommand::List => view::venv::show_list(screen, &ops::venv::list::run(context)?),
            VenvCommand::Remove { name } => {
                view::venv::show_removed(screen, name, &ops::venv::remove::run(context, name)?)
            }
        })
    }

    fn hand_over(&self, name: &str, command: &[String]) -> Result<Exit, Failure> {
        let code = ops::run::run(self.context, name, command)?;
        std::process::exit(code)
    }

    fn walk(&self, to: Destination, args: &StepArgs) -> Result<Exit, Failure> {
        let request = RollbackRequest {
            to,
            parts: Parts::All,
            dry_run: args.dry_run,
            stash: args.stash,
        };
        self.go(&request, args.plan.as_deref())
    }

    fn go(&self, request: &RollbackRequest, plan: Option<&str>) -> Result<Exit, Failure> {
        let name = request.to.kind();
        let tell = |over: &str| self.screen.note(&view::applied::step_to_text(name, over));
        let applied = self.consenting(plan, |consent| {
            ops::rollback::run(self.context, request, &self.line, consent, &tell)
        })?;
        Ok(view::applied::show_applied(self.screen, name, &applied))
    }

    fn switch(&self, switch: Switch, args: &SwitchArgs) -> Result<Exit, Failure> {
        let request = SwitchRequest {
            switch,
            nodes: args.nodes.clone(),
            allow_change: args.allow_change.clone(),
            flags: args.options.flags(),
        };
        let outcome = self.consenting(args.plan.as_deref(), |consent| {
            ops::switch::run(self.context, &request, &self.line, consent)
        })?;
        let (screen, name) = (self.screen, switch.as_str());
        Ok(match self.kept(outcome) {
            SwitchOutcome::Done(applied) => view::applied::show_applied(screen, name, &applied),
            SwitchOutcome::No(preview) if switch == Switch::Disable => {
                view::applied::show_conflicts(screen, name, &preview.conflicts)
            }
            SwitchOutcome::No(preview) => {
                view::preview::show_preview(screen, name, &preview, self.cli.global.verbose)
            }
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
        .map_err(Failure::from)
    }
}
