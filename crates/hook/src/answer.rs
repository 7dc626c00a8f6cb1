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
use awsrole_core::shell::export::{Change, ChosenWords, Decision, Event, Export, LAST_MINUTE, Pending, export};
use awsrole_core::shell::generation;
use awsrole_core::shell::manual_change::ManualChange;
use awsrole_core::shell::posix;
use awsrole_core::shell::state::OuterEnv;
use awsrole_core::shell::views::{self, Views};
use awsrole_system::print::{out, out_bytes, print_error, print_error_of_blocked_shell, print_notice};
use awsrole_system::{ambient, local_time};

use crate::module;
use crate::request::{AnswerReader, Request};

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
    fetch: impl FnOnce(&Context, bool, Pending<'_>) -> Box<Export>,
) -> Result<(), Problem> {
    if request.compare {
        return module::compare(&request, context);
    }
    let token = request.token.as_deref().map(module::token).transpose()?;
    let off = token.as_ref().is_some_and(|token| token.off);
    let request = match &token {
        Some(token) => module::with_token(request, token),
        None => request,
    };
    let Request { reader, event, ask, role, profile, changed, views, files, .. } = request;
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
    // With the shell's own variables: keys of `awsrole env` are the user's, although the outer environment is without
    // them.
    let change = ManualChange::of(&changed, &context.env);
    for name in &change.unset {
        inner.env.0.remove(OsStr::new(name));
    }
    let mut export = match event {
        Event::Changed => {
            for (name, (file, line)) in
                changed.iter().filter_map(|name| Some((name, find_assignment(&inner.dir, name)?)))
            {
                print_notice(format!("{}:{line} sets {name}", file.display()));
            }
            Box::new(Export::of(Change::Inactive { hide: change.hide }))
        }
        _ if off => Box::new(Export { adopt: outer.adopt.clone(), ..Export::of(Change::Outer) }),
        _ => match export(&inner, settings, &outer, &files, words, event) {
            Decision::Export(export) => export,
            Decision::Miss(pending) => fetch(&inner, ask, *pending),
        },
    };
    export.unset = change.unset;
    renew_if_due(&export, words, awsrole, &inner, &files);
    let mut messages = messages(&export, event, context.now);
    let back = token.as_ref().and_then(|token| token.back.clone());
    messages.extend(back.filter(|_| matches!(export.change, Change::Outer)).map(Message::Notice));
    messages.iter().for_each(Message::print);
    match reader {
        AnswerReader::Snippet(shell) => out_bytes(&shell.statements(&export, views.as_ref()))?,
        AnswerReader::Json | AnswerReader::Tcsh => {
            let told = messages.iter().map(Message::text).collect();
            let request =
                module::Answered { token: token.unwrap_or_default(), words, files: &files, outer: &inner.env };
            module::print(reader, &mut export, told, request)?;
        }
    }
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
    fetch: impl FnOnce(&Context, Pending<'_>) -> Box<Export>,
) -> Result<(), Problem> {
    if Agent::recognize(&context.env).is_none() {
        return Ok(());
    }
    let files = upward(&context.dir);
    let mut outer = OuterEnv::reconstruct(&context.env);
    let inner = context.with_env(std::mem::take(&mut outer.env));
    let words = ChosenWords::default();
    let export = match export(&inner, settings, &outer, &files, words, Event::Prompt) {
        Decision::Export(export) => export,
        Decision::Miss(pending) => fetch(&inner, *pending),
    };
    renew_if_due(&export, words, awsrole, &inner, &files);
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
    fetch: impl FnOnce(&Context, Pending<'_>) -> Box<Export>,
) {
    let mut outer = OuterEnv::reconstruct(&context.env);
    let inner = context.with_env(std::mem::take(&mut outer.env));
    let export = match export(&inner, settings, &outer, files, words, Event::Renewal) {
        Decision::Export(export) => export,
        Decision::Miss(pending) => fetch(&inner, *pending),
    };
    history::note(export.entry.as_ref(), &inner);
}

/// Starts a background renewal of a role that is due. `words` are this shell's choices. Without one, that of its parent
/// applies. An empty word is a choice that has ended.
fn renew_if_due(
    export: &Export,
    words: ChosenWords<'_>,
    awsrole: fn() -> Option<PathBuf>,
    outer: &Context,
    files: &[PathBuf],
) {
    if !export.renew {
        return;
    }
    let role = words.role.or(export.chosen.as_deref().filter(|word| !word.is_empty()));
    let profile = words.profile.or(export.chosen_profile.as_deref());
    start_renewal(awsrole(), outer, ChosenWords { role, profile }, files);
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

/// A text that is printed about an export.
enum Message {
    Error(Problem),
    ErrorOfBlockedShell(Problem),
    Notice(String),
}

impl Message {
    fn print(&self) {
        match self {
            Self::Error(problem) => print_error(problem),
            Self::ErrorOfBlockedShell(problem) => print_error_of_blocked_shell(problem),
            Self::Notice(text) => print_notice(text),
        }
    }

    /// Returns the text for a tool, which may show it on a screen of its own.
    fn text(&self) -> String {
        match self {
            Self::Error(problem) => problem.to_string(),
            Self::ErrorOfBlockedShell(problem) => problem.of_blocked_shell(),
            Self::Notice(text) => format!("awsrole: {text}"),
        }
    }
}

/// Returns the error and the notices of an export. The result of a renewal or a retry is printed only if it differs
/// from what the user already knows.
fn messages(export: &Export, event: Event, now: SystemTime) -> Vec<Message> {
    let mut messages = Vec::new();
    let holds_role = matches!(export.change, Change::Role(_));
    messages.extend(choice_notice(export, event, now).map(Message::Notice));
    if let Some(problem) = &export.problem {
        let known = match event {
            Event::Cd | Event::Prompt => false,
            Event::Retry => true,
            Event::Due => holds_role && !export.ending,
            Event::Renewal | Event::Changed => true,
        };
        if !known {
            messages.push(match &export.change {
                Change::Blocked => Message::ErrorOfBlockedShell(problem.clone()),
                _ => Message::Error(problem.clone()),
            });
            // After `cd` the role is printed below.
            if let (Change::Role(diff), true) = (&export.change, export.kept && event != Event::Cd) {
                messages.push(Message::Notice(entered(diff, export, now)));
            }
        }
    }
    let returns = export.ended.is_some() && matches!(event, Event::Due | Event::Prompt);
    if let Change::Role(diff) = &export.change
        && (returns || matches!(event, Event::Cd | Event::Retry))
    {
        messages.extend(export.notices.iter().cloned().map(Message::Notice));
        messages.push(Message::Notice(entered(diff, export, now)));
    }
    messages
}

/// Returns the notice that the time of the chosen role is over, or that it will be within a minute.
fn choice_notice(export: &Export, event: Event, now: SystemTime) -> Option<String> {
    if matches!(event, Event::Renewal | Event::Changed) {
        return None;
    }
    if let Some(role) = &export.ended {
        return Some(format!("the time of role {role} is over: this shell returns to the default role"));
    }
    let (Change::Role(diff), Some(until)) = (&export.change, export.until) else { return None };
    // After `cd` the remaining time is printed with the role.
    let warns = until <= now + LAST_MINUTE && matches!(event, Event::Due | Event::Prompt);
    let role = variable(diff, "AWSROLE_ROLE").unwrap_or_default();
    warns.then(|| {
        let left = time::format_remaining(until.duration_since(now).unwrap_or_default());
        format!("role {role} ends in {left}: `awsrole use {role}` chooses it again")
    })
}

/// Returns the value of a variable that isn't secret.
fn variable<'d>(diff: &'d EnvDiff, wanted: &str) -> Option<&'d str> {
    diff.set.iter().find_map(|(name, value)| match value {
        Value::Plain(text) if *name == wanted => Some(text.as_str()),
        _ => None,
    })
}

/// Rounds a duration of a minute or more to whole minutes: a choice of 30 minutes that was made just now ends in 30
/// minutes.
fn to_minutes(time: Duration) -> Duration {
    match time.as_secs() {
        0..60 => time,
        seconds => Duration::from_secs((seconds + 30) / 60 * 60),
    }
}

/// Returns the role that the shell holds, and when it is renewed, or how long the present credentials last if they
/// can't be renewed.
fn entered(diff: &EnvDiff, export: &Export, now: SystemTime) -> String {
    let plain = |wanted: &str| variable(diff, wanted);
    let title = plain("AWSROLE_ROLE").unwrap_or_default();
    let account = match (plain("AWSROLE_ACCOUNT"), plain("AWSROLE_ACCOUNT_ID")) {
        (Some(name), Some(id)) if name != id => format!(" in {name} ({id})"),
        (_, id) => id.map(|id| format!(" in {id}")).unwrap_or_default(),
    };
    let expires = plain("AWSROLE_EXPIRES").and_then(|seconds| time::from_unix(seconds.parse().ok()?));
    if let (true, Some(expires)) = (export.kept, expires) {
        return format!("{title}{account}: {}", local_time::still_valid(expires, now));
    }
    if let Some(until) = export.until {
        let left = time::format_remaining(to_minutes(until.duration_since(now).unwrap_or_default()));
        return format!("{title}{account}, ends in {left}");
    }
    let left = export
        .deadline
        .and_then(|time| time.duration_since(now).ok())
        .map(|left| Duration::from_secs(left.as_secs() / 60 * 60));
    match left {
        Some(left) if !left.is_zero() => format!("{title}{account}, renews in {}", humantime::format_duration(left)),
        _ => format!("{title}{account}"),
    }
}
