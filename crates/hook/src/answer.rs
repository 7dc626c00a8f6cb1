//! Answers a shell: writes statements to stdout, and errors and notices to stderr.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use awsrole_core::aws::time;
use awsrole_core::base::agent::Agent;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::project::discover::upward;
use awsrole_core::session::history::{self, HistoryEntry};
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::dotenv::find_assignment;
use awsrole_core::shell::environment::{EnvDiff, Value};
use awsrole_core::shell::export::{Change, ChosenWords, Decision, Event, Export, Pending, export};
use awsrole_core::shell::generation;
use awsrole_core::shell::manual_change::ManualChange;
use awsrole_core::shell::posix;
use awsrole_core::shell::state::OuterEnv;
use awsrole_core::shell::views::{self, Views};
use awsrole_system::print::{out, out_bytes, print_error, print_error_of_blocked_shell, print_notice};
use awsrole_system::{ambient, local_time};

use crate::request::Request;

/// Answers a shell.
///
/// `awsrole` returns the path of the program that renews roles. `fetch` is called if the role isn't cached. It gets the
/// outer environment, and whether it may prompt.
///
/// # Errors
/// The statements cannot be written.
pub fn answer(
    request: Request,
    context: &Context,
    settings: &Settings,
    awsrole: fn() -> Option<PathBuf>,
    fetch: impl FnOnce(&Context, bool, Pending<'_>) -> Export,
) -> Result<(), Problem> {
    let Request { shell, event, ask, role, profile, changed, protocol: _, views, files } = request;
    let files = if files.is_empty() { upward(&context.dir) } else { files };
    let words = ChosenWords { role: role.as_deref(), profile: profile.as_deref() };
    let nearest = &files[..files.len().min(1)];
    if (!files.is_empty() || profile.is_some()) && context.paths.inside_project(nearest).is_none() {
        // On failure, the shell doesn't notice commands that are typed in other shells. But the directory isn't
        // writable then, so these commands cannot approve anything either.
        let _ = generation::ensure(&context.paths, context.now);
    }
    // Must run before the decision, so that the shell notices later changes at its next prompt.
    let views = views.then(|| Views::of(&files));
    let mut outer = OuterEnv::reconstruct(&context.env);
    let mut inner = context.with_env(std::mem::take(&mut outer.env));
    let change = ManualChange::of(&changed, &inner.env);
    for name in &change.unset {
        inner.env.0.remove(OsStr::new(name));
    }
    let decided = match event {
        Event::Changed => {
            for (name, (file, line)) in
                changed.iter().filter_map(|name| Some((name, find_assignment(&inner.dir, name)?)))
            {
                print_notice(format!("{}:{line} sets {name}", file.display()));
            }
            Export::of(Change::HandsOff { hide: change.hide })
        }
        _ => match export(&inner, settings, &outer, &files, words, event) {
            Decision::Export(export) => *export,
            Decision::Miss(pending) => fetch(&inner, ask, *pending),
        },
    };
    let export = Export { unset: change.unset, ..decided };
    if export.renew {
        let role = words.role.or(export.chosen.as_deref());
        let profile = words.profile.or(export.chosen_profile.as_deref());
        start_renewal(awsrole(), &inner, ChosenWords { role, profile }, &files);
    }
    tell(&export, event, context.now);
    out_bytes(&shell.statements(&export, views.as_ref()))?;
    let entry = export.entry.map(|entry| HistoryEntry { shell: ambient::parent_process(), ..entry });
    match export.may_repeat {
        true => history::note_once(entry.as_ref(), &inner),
        false => history::note(entry.as_ref(), &inner),
    }
    Ok(())
}

/// Answers a shell that runs a single command of an AI agent: writes statements for a POSIX shell to stdout, and
/// nothing to stderr. The parameters are those of [`answer`].
///
/// # Errors
/// The statements cannot be written.
pub fn answer_agent(
    context: &Context,
    settings: &Settings,
    awsrole: fn() -> Option<PathBuf>,
    fetch: impl FnOnce(&Context, Pending<'_>) -> Export,
) -> Result<(), Problem> {
    if Agent::recognize(&context.env).is_none() {
        return Ok(());
    }
    let files = upward(&context.dir);
    let mut outer = OuterEnv::reconstruct(&context.env);
    let inner = context.with_env(std::mem::take(&mut outer.env));
    let words = ChosenWords::default();
    let export = match export(&inner, settings, &outer, &files, words, Event::Prompt) {
        Decision::Export(export) => *export,
        Decision::Miss(pending) => fetch(&inner, *pending),
    };
    if export.renew {
        let words = ChosenWords { role: export.chosen.as_deref(), profile: export.chosen_profile.as_deref() };
        start_renewal(awsrole(), &inner, words, &files);
    }
    out_bytes(&posix::statements(&context.env, &posix::environment(&inner.env, &export, &files)))?;
    // Each command of the agent starts a shell, so only new sessions are recorded.
    history::note(export.entry.filter(|entry| entry.new).as_ref(), &inner);
    Ok(())
}

/// Prints a digest for a shell that must not open the files itself.
///
/// # Errors
/// The output cannot be written.
pub fn digest(files: &[PathBuf]) -> Result<(), Problem> {
    out(&views::digest(files))
}

/// Renews a role without output, in a process that [`answer`] started. A failure is cached, and the next [`answer`]
/// prints it.
pub fn renew(
    words: ChosenWords<'_>,
    files: &[PathBuf],
    context: &Context,
    settings: &Settings,
    fetch: impl FnOnce(&Context, Pending<'_>) -> Export,
) {
    let mut outer = OuterEnv::reconstruct(&context.env);
    let inner = context.with_env(std::mem::take(&mut outer.env));
    let export = match export(&inner, settings, &outer, files, words, Event::Renewal) {
        Decision::Export(export) => *export,
        Decision::Miss(pending) => fetch(&inner, *pending),
    };
    history::note(export.entry.as_ref(), &inner);
}

/// Starts a background renewal. Its output is discarded, because a process that keeps stdout open would block the
/// shell's `$(…)`. If it cannot be started, the next export renews the role while the user waits.
fn start_renewal(binary: Option<PathBuf>, outer: &Context, words: ChosenWords<'_>, files: &[PathBuf]) {
    let Some(binary) = binary else { return };
    let mut command = Command::new(binary);
    command.args(["hook", "renew"]).env_clear().envs(&outer.env.0);
    command.args(words.role.map(|word| format!("--role={word}")));
    command.args(words.profile.map(|word| format!("--profile={word}"))).arg("--").args(files);
    let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
}

/// Prints the error and the notices of an export. The result of a renewal or a retry is printed only if it differs from
/// what the user already knows.
fn tell(export: &Export, event: Event, now: SystemTime) {
    let holds_role = matches!(export.change, Change::Role(_));
    if let Some(problem) = &export.problem {
        let known = match event {
            Event::Cd | Event::Prompt => false,
            Event::Retry => true,
            Event::Due => holds_role && !export.ending,
            Event::Renewal | Event::Changed => true,
        };
        if !known {
            match &export.change {
                Change::Blocked => print_error_of_blocked_shell(problem),
                _ => print_error(problem),
            }
            // After `cd` the role is printed below.
            if let (Change::Role(diff), true) = (&export.change, export.kept && event != Event::Cd) {
                print_notice(entered(diff, export, now));
            }
        }
    }
    if let (Change::Role(diff), Event::Cd | Event::Retry) = (&export.change, event) {
        for notice in &export.notices {
            print_notice(notice);
        }
        print_notice(entered(diff, export, now));
    }
}

/// Returns the role that the shell holds, and when it is renewed, or how long the present credentials last if they
/// can't be renewed.
fn entered(diff: &EnvDiff, export: &Export, now: SystemTime) -> String {
    let plain = |wanted: &str| {
        diff.set.iter().find_map(|(name, value)| match value {
            Value::Plain(text) if *name == wanted => Some(text.as_str()),
            _ => None,
        })
    };
    let title = plain("AWSROLE_ROLE").unwrap_or_default();
    let account = match (plain("AWSROLE_ACCOUNT"), plain("AWSROLE_ACCOUNT_ID")) {
        (Some(name), Some(id)) if name != id => format!(" in {name} ({id})"),
        (_, id) => id.map(|id| format!(" in {id}")).unwrap_or_default(),
    };
    let expires = plain("AWSROLE_EXPIRES").and_then(|seconds| time::from_unix(seconds.parse().ok()?));
    if let (true, Some(expires)) = (export.kept, expires) {
        return format!("{title}{account}: {}", local_time::still_valid(expires, now));
    }
    let left = export
        .deadline
        .and_then(|time| time.duration_since(now).ok())
        .map(|left| Duration::from_secs(left.as_secs() / 60 * 60));
    match left {
        Some(left) if !left.is_zero() => format!("{title}{account}, renewed in {}", humantime::format_duration(left)),
        _ => format!("{title}{account}"),
    }
}
