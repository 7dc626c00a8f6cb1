//! `awsrole hook`: the snippets, and what they call.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use awsrole_core::context::Context;
use awsrole_core::discover::upward;
use awsrole_core::environment::{EnvDiff, Value};
use awsrole_core::export::{Change, Event, Export, export, over};
use awsrole_core::generation;
use awsrole_core::manual_change::ManualChange;
use awsrole_core::obtain::Outside;
use awsrole_core::problem::Problem;
use awsrole_core::shell::Shell;
use awsrole_core::snippet::Snippet;
use awsrole_core::state::Outer;
use awsrole_core::views::{self, Views};

use crate::ambient;
use crate::cli::{EventName, Hook, HookExport, Neighbour, ShellName};
use crate::report::{Failure, Outcome, complain, out, out_bytes, say};

pub(super) fn run(hook: Hook, context: &Context) -> Result<Outcome, Failure> {
    match hook {
        Hook::Bash { with } => snippet(Shell::Bash, with, context),
        Hook::Zsh { with } => snippet(Shell::Zsh, with, context),
        Hook::Fish { with } => snippet(Shell::Fish, with, context),
        Hook::Watch { process, run, start } => {
            super::long_run::watch(process, &run, start, context);
            Ok(Outcome::Done)
        }
        Hook::Choose { name } => super::use_role::check(&name, context),
        Hook::Digest { files } => digest(&files),
        Hook::Renew { role, files } => renew(role.as_deref(), &files, context),
        Hook::Export(asked) => {
            answer(asked, context, ambient::binary, |outer, ask, export| super::with_outside(outer, ask, export))
        }
    }
}

/// Answers a shell. `awsrole` is the path of the whole program, which renews roles; `with_outside` brings those who may have to be asked, over the outer environment, and if `true` a
/// person among them.
pub(crate) fn answer(
    asked: HookExport,
    context: &Context,
    awsrole: fn() -> Option<PathBuf>,
    with_outside: impl FnOnce(&Context, bool, &dyn Fn(Outside<'_>) -> Export) -> Export,
) -> Result<Outcome, Failure> {
    let HookExport { shell, event, ask, role, changed, snippet: _, views, files } = asked;
    let shell = match shell {
        ShellName::Bash => Shell::Bash,
        ShellName::Zsh => Shell::Zsh,
        ShellName::Fish => Shell::Fish,
    };
    let event = match event {
        EventName::Cd => Event::Cd,
        EventName::Prompt => Event::Prompt,
        EventName::Due => Event::Due,
        EventName::Retry => Event::Retry,
        EventName::Changed => Event::Changed,
    };
    let files = if files.is_empty() { upward(&context.dir) } else { files };
    if !files.is_empty() && context.paths.inside_project(&files[..1]).is_none() {
        ensure_generation(context);
    }
    // Before anything is decided: what changes from now on, the shell sees at its next prompt.
    let views = views.then(|| Views::of(&files));
    let mut outer = Outer::of(&context.env);
    let mut inner = over(context, std::mem::take(&mut outer.env));
    let change = ManualChange::of(&changed, &inner.env);
    for name in &change.unset {
        inner.env.0.remove(OsStr::new(name));
    }
    let decided = match event {
        Event::Changed => Export::of(Change::HandsOff { hide: change.hide }),
        _ => with_outside(&inner, ask, &|outside| export(&inner, &outer, &files, role.as_deref(), event, outside)),
    };
    let export = Export { unset: change.unset, ..decided };
    if export.renew {
        let role = role.as_deref().or(export.chosen.as_deref());
        start_renewal(awsrole(), &inner, role, &files);
    }
    tell(&export, event, context.now);
    out_bytes(&shell.statements(&export, views.as_ref()))?;
    super::note(export.entry.as_ref(), &inner);
    Ok(Outcome::Done)
}

/// Prints what a shell compares where it opens no file itself.
pub(crate) fn digest(files: &[PathBuf]) -> Result<Outcome, Failure> {
    out(&views::digest(files))?;
    Ok(Outcome::Done)
}

/// Where no file can be made, no shell is told what is typed in others; but nothing can be allowed there either.
fn ensure_generation(context: &Context) {
    let _ = generation::ensure(&context.paths, context.now);
}

fn snippet(shell: Shell, with: Option<Neighbour>, context: &Context) -> Result<Outcome, Failure> {
    let direnv = with == Some(Neighbour::Direnv) || ambient::in_path(Path::new("direnv")).is_some();
    let text = |path: &Path| {
        let text = path.to_str().map(str::to_owned);
        text.ok_or_else(|| Problem::new(format!("{} isn't valid UTF-8, so no shell can be given it", path.display())))
    };
    let binary: PathBuf = ambient::binary().ok_or_else(|| Problem::new("the path of awsrole can't be found out"))?;
    ensure_generation(context);
    // Without its clock fish would ask at every prompt; elsewhere nothing depends on it. Nothing is made in another
    // user's home: no role is in force there, and with none there is nothing to ask for.
    if shell == Shell::Fish {
        match generation::ensure_clock(&context.paths) {
            Err(error) if !error.is_foreign() => return Err(super::own_file(&error).into()),
            _ => {}
        }
    }
    let [generations, clock] = [context.paths.generations(), context.paths.clock()];
    let [binary, generations, clock] = [text(&binary)?, text(&generations)?, text(&clock)?];
    let snippet = Snippet { binary: &binary, generations: &generations, clock: &clock, build: crate::BUILD, direnv };
    out(&snippet.render(shell))?;
    Ok(Outcome::Done)
}

/// Starts the renewal on its own: a process that kept our stdout would hold the shell's `$(…)` open.
/// If it can't be started, the next export renews while the person waits.
fn start_renewal(binary: Option<PathBuf>, outer: &Context, role: Option<&str>, files: &[PathBuf]) {
    let Some(binary) = binary else { return };
    let mut command = Command::new(binary);
    command.args(["hook", "renew"]).env_clear().envs(&outer.env.0);
    command.args(role.map(|name| format!("--role={name}"))).arg("--").args(files);
    let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
}

/// Renews a role without a word. What fails is remembered, and told by the next export.
fn renew(role: Option<&str>, files: &[PathBuf], context: &Context) -> Result<Outcome, Failure> {
    // Away from the terminal: neither its Ctrl-C nor its end is ours.
    let _ = rustix::process::setsid();
    let mut outer = Outer::of(&context.env);
    let inner = over(context, std::mem::take(&mut outer.env));
    let export =
        super::with_outside(&inner, false, |outside| export(&inner, &outer, files, role, Event::Renewal, outside));
    super::note(export.entry.as_ref(), &inner);
    Ok(Outcome::Done)
}

/// Says what a person should know of an export, once: what is renewed or looked at again by itself
/// stays silent unless its outcome is new.
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
            complain(problem);
        }
    }
    if let (Change::Role(diff), Event::Cd | Event::Retry) = (&export.change, event) {
        for notice in &export.notices {
            say(notice);
        }
        say(entered(diff, export.deadline, now));
    }
}

fn entered(diff: &EnvDiff, deadline: Option<SystemTime>, now: SystemTime) -> String {
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
    let left = deadline
        .and_then(|time| time.duration_since(now).ok())
        .map(|left| Duration::from_secs(left.as_secs() / 60 * 60));
    match left {
        Some(left) if !left.is_zero() => format!("{title}{account}, renewed in {}", humantime::format_duration(left)),
        _ => format!("{title}{account}"),
    }
}
