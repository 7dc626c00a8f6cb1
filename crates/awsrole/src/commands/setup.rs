//! `awsrole setup`: adds the hook and completions to the startup file of the user's shell, and continues to a first
//! project and its identity. For a shell with a module it prints the lines instead.

mod dotfiles;
mod first_role;
mod startup_lines;

use std::path::Path;

use awsrole_core::base::context::Context;
use awsrole_core::base::problem::{Problem, escape};
use awsrole_core::explain::startup::{module_line, own_files};
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::module::ModuleShell;
use awsrole_core::shell::state::OuterEnv;
use awsrole_core::shell::statements::Shell;
use awsrole_system::parent::{parent_module_shell, parent_shell};
use awsrole_system::print::{out, print_error, print_line, print_notice};

use self::dotfiles::{Keeper, keeper};
use self::startup_lines::{FileLines, Line, ShellSetup};
use super::block_edit::BlockEdit;
use crate::cli::SetupOptions;
use crate::report::{CommandError, Outcome};
use crate::terminal::Terminal;

/// The line end of the block. Shells accept no other.
const NEWLINE: fn(&[u8]) -> &'static str = |_| "\n";

/// The mode of a new rc file.
const MODE: u32 = 0o644;

/// A shell that can be set up.
enum UserShell {
    /// Its startup files are changed.
    Hook(Shell),
    /// It has a module, which the user adds.
    Module(ModuleShell),
}

/// How the steps are confirmed.
enum Consent {
    /// The user answers a question before each step.
    Ask(Terminal),
    /// The user agrees to all steps.
    Given,
    /// Nothing is changed.
    DryRun,
}

pub(super) fn run(options: &SetupOptions, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    if options.remove {
        return remove(options.dry_run, &outer);
    }
    let (consent, outcome) = match shell(options, &outer)? {
        UserShell::Hook(shell) => {
            let consent = consent(options)?;
            let outcome = startup_files(shell, &consent, &outer)?;
            (consent, outcome)
        }
        UserShell::Module(shell) => {
            show_module(shell, &outer);
            // Without a terminal, the lines are all that was asked for.
            let Ok(consent) = consent(options) else { return Ok(Outcome::Done) };
            (consent, Outcome::Done)
        }
    };
    match consent {
        Consent::DryRun => return Ok(outcome),
        Consent::Given => {
            first_role::show_overrides(&outer);
            first_role::show(false, &outer, settings);
        }
        Consent::Ask(terminal) => {
            // `init` opens the terminal itself.
            let wanted = first_role::is_wanted(&terminal, &outer)?;
            drop(terminal);
            if wanted {
                first_role::create(context, settings);
            } else {
                first_role::show_overrides(&outer);
            }
            first_role::show(true, &outer, settings);
        }
    }
    if let Some(missing) = super::this_shell::missing(&outer).filter(|_| outcome == Outcome::Done) {
        print_notice(missing);
    }
    Ok(outcome)
}

/// Returns the shell to set up: the one of the option, the one that called awsrole, or the one of the account.
fn shell(options: &SetupOptions, context: &Context) -> Result<UserShell, CommandError> {
    let caller = || parent_shell().map(|parent| parent.shell);
    let named = || context.env.text("SHELL")?.rsplit('/').next();
    let found = options.shell.map(Shell::from).or_else(caller).map(UserShell::Hook);
    let found = found.or_else(|| parent_module_shell().map(UserShell::Module));
    let found = found.or_else(|| Shell::parse(named()?).map(UserShell::Hook));
    found.or_else(|| ModuleShell::parse(named()?).map(UserShell::Module)).ok_or_else(|| CommandError {
        problem: Problem::new("awsrole has no hook for your shell").hint(
            "`awsrole setup --shell bash` sets up bash, zsh or fish, and `awsrole exec -- CMD` works without a hook",
        ),
        outcome: Outcome::Code(2),
    })
}

/// Prints the lines that load a module. They are not added, because each of these shells has a syntax of its own for
/// comments and blocks.
fn show_module(shell: ModuleShell, context: &Context) {
    if let Some(line) = module_line(context, shell) {
        print_notice(format!("{} loads the hook", line.shown(context)));
        return;
    }
    let (file, lines) = shell.startup_lines();
    print_notice(format!("setup doesn't change {file}: add to it manually, then start a new shell"));
    lines.lines().for_each(|line| print_line(format!("    {line}")));
}

fn consent(options: &SetupOptions) -> Result<Consent, CommandError> {
    match options {
        SetupOptions { dry_run: true, .. } => Ok(Consent::DryRun),
        SetupOptions { yes: true, .. } => Ok(Consent::Given),
        _ => Terminal::open().map(Consent::Ask).map_err(|_| CommandError {
            problem: Problem::new("there is no terminal to ask on")
                .hint("`awsrole setup --yes` asks nothing, and `awsrole setup --dry-run` shows the lines"),
            outcome: Outcome::Code(2),
        }),
    }
}

/// Adds the missing lines to the startup files. If a file can't be changed, prints the lines to add manually.
fn startup_files(shell: Shell, consent: &Consent, context: &Context) -> Result<Outcome, CommandError> {
    let login = parent_shell().is_some_and(|parent| parent.shell == shell && parent.login);
    let ShellSetup { present, files } = ShellSetup::of(shell, login, context);
    present.iter().for_each(print_notice);
    let mut outcome = Outcome::Done;
    for FileLines { path, mut lines } in files {
        let shown = context.shorten(&path);
        let added = match obstacle(&path, context) {
            Some(problem) => Err(problem),
            None => {
                if let Consent::Ask(terminal) = consent {
                    lines = agreed(lines, &shown, terminal)?;
                }
                add(&path, &lines, consent, context)
            }
        };
        if let Err(problem) = added {
            outcome = Outcome::Failed;
            print_error(&problem);
            print_line(format!("  add to {shown} manually:"));
            lines.iter().for_each(|line| print_line(format!("    {}", line.text)));
        }
    }
    Ok(outcome)
}

/// Returns why the lines of a file can't be added, or not permanently.
fn obstacle(path: &Path, context: &Context) -> Option<Problem> {
    let shown = context.shorten(path);
    if let Some(Keeper::Generated(by)) = keeper(path, context) {
        return Some(Problem::new(format!("{shown} was not changed: {by} generates it")));
    }
    match BlockEdit::of(path, NEWLINE, context, <[String]>::to_vec) {
        Ok(edit) if edit.file.is_read_only() => Some(Problem::new(format!("{shown} was not changed: it is read-only"))),
        Ok(_) => None,
        Err(problem) => Some(problem),
    }
}

/// Asks a question for each line and returns those to which the user agrees.
fn agreed(lines: Vec<Line>, shown: &str, terminal: &Terminal) -> Result<Vec<Line>, Problem> {
    let mut wanted = Vec::new();
    for line in lines {
        terminal.show(&format!("  {}\n", escape(&line.text)));
        let question = format!("awsrole: add this line to {}, for {}?", escape(shown), line.purpose);
        if terminal.agree(&question).map_err(|_| Problem::new("the setup was cancelled"))? {
            wanted.push(line);
        }
    }
    Ok(wanted)
}

/// Adds lines to the block of a file, or shows them.
fn add(path: &Path, lines: &[Line], consent: &Consent, context: &Context) -> Result<(), Problem> {
    let new = lines.iter().map(|line| line.text.clone());
    let edit = BlockEdit::of(path, NEWLINE, context, |before| before.iter().cloned().chain(new).collect())?;
    if !edit.is_change() {
        return Ok(());
    }
    if matches!(consent, Consent::DryRun) {
        return out(&edit.diff(context));
    }
    edit.apply(MODE, context)?;
    let purposes = lines.iter().map(|line| line.purpose).collect::<Vec<_>>().join(" and ");
    print_notice(format!("added to {}: {purposes}", context.shorten(path)));
    if let Some(Keeper::Repository(note)) = keeper(path, context) {
        print_notice(note);
    }
    Ok(())
}

/// Removes the blocks from all startup files, and reports lines that the user added.
fn remove(dry_run: bool, context: &Context) -> Result<Outcome, CommandError> {
    let (mut outcome, mut found) = (Outcome::Done, false);
    for path in own_files(context) {
        let removed = BlockEdit::of(&path, NEWLINE, context, |_| Vec::new()).and_then(|edit| {
            if !edit.is_change() {
                return Ok(());
            }
            found = true;
            if dry_run {
                return out(&edit.diff(context));
            }
            let shown = context.shorten(&path);
            if let Some(Keeper::Generated(by)) = keeper(&path, context) {
                return Err(Problem::new(format!("{shown} was not changed: {by} generates it"))
                    .hint("remove the lines of awsrole from its source"));
            }
            if edit.file.is_read_only() {
                return Err(Problem::new(format!("{shown} was not changed: it is read-only"))
                    .hint("remove the lines of awsrole manually"));
            }
            edit.apply(MODE, context)?;
            print_notice(format!("removed awsrole's lines from {shown}"));
            Ok(())
        });
        if let Err(problem) = removed {
            print_error(&problem);
            outcome = Outcome::Failed;
        }
    }
    if !found && outcome == Outcome::Done {
        print_notice("no startup file has lines of `awsrole setup`");
    }
    for line in startup_lines::manual(context) {
        print_notice(format!("{line} loads the hook, and `awsrole setup` didn't add it: remove it manually"));
    }
    Ok(outcome)
}
