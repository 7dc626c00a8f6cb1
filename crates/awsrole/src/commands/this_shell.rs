//! How the hook is doing in the shell that called awsrole.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use awsrole_core::base::context::Context;
use awsrole_core::explain::doctor::{Finding, Level};
use awsrole_core::explain::startup::{self, MissingLine, missing_line, read};
use awsrole_core::shell::manual_change::Inactive;
use awsrole_core::shell::module::ModuleShell;
use awsrole_core::shell::state::OuterEnv;
use awsrole_core::shell::statements::Shell;
use awsrole_system::ambient::{self, Caller};
use awsrole_system::parent::{ParentShell, parent_module_shell, parent_shell};

/// Files in which administrators set variables for every bash.
const SYSTEM_FILES: [&str; 4] = ["/etc/bash.bashrc", "/etc/bashrc", "/etc/profile", "/etc/profile.d"];

/// Reports whether the hook works in this shell.
///
/// `context` has the environment of the process, `outer` the one without awsrole's exports.
pub(super) fn examine(context: &Context, outer: &Context) -> Finding {
    let about = "this shell";
    if let Some(change) =
        Inactive::of(&context.env, &OuterEnv::reconstruct(&context.env), ambient::caller() == Caller::Inactive)
    {
        return Finding::new(Level::Bad, about, format!("has the hook, which is inactive: {}", change.text()))
            .hint(format!("{}: the cached session is exported again", change.end()));
    }
    match (ambient::caller(), parent_shell()) {
        (Caller::Hook | Caller::Inactive, _) => Finding::new(Level::Ok, about, "has the hook"),
        (Caller::HookOff, _) => {
            Finding::new(Level::Note, about, "has the hook, and awsrole is off").hint(ambient::ON_AGAIN)
        }
        (Caller::ReadonlyPrompt, _) => readonly(outer),
        (Caller::Replaced, shell) => replaced(outer, shell),
        (Caller::Other, Some(shell)) => match missing_line(outer, shell.shell, shell.login) {
            Some(missing) => no_hook(&missing, shell, outer),
            None => not_loaded(shell, outer),
        },
        (Caller::Other, None) if let Some(shell) = parent_module_shell() => match startup::module_line(outer, shell) {
            Some(line) => Finding::new(
                Level::Bad,
                about,
                format!("{} loads the hook, but this shell does not have it", line.shown(outer)),
            )
            .hint("start a new shell. If it has no hook either, the line fails"),
            None => Finding::new(Level::Bad, about, "has no hook").hint(add_module(shell)),
        },
        (Caller::Other, None) => Finding::new(Level::Note, about, "has no hook, or a program called awsrole")
            .hint("a shell loads the hook when it starts: start a new shell after you edit an rc file"),
    }
}

/// Returns what loads the module of the shell that called awsrole, if it is one of those with a module.
pub(super) fn module_line() -> Option<String> {
    parent_module_shell().map(add_module)
}

fn add_module(shell: ModuleShell) -> String {
    let (file, lines) = shell.startup_lines();
    format!("add to {file}: {}", lines.replace('\n', "; "))
}

/// What an agent does instead of loading the hook.
pub(super) const FOR_AGENTS: &str = "`awsrole exec -- CMD` runs a command with the role";

/// Returns what to do about a shell without the hook, or `None` if this shell has it or a program called awsrole.
pub(super) fn missing(outer: &Context) -> Option<String> {
    let shell = parent_shell().filter(|_| ambient::caller() == Caller::Other)?;
    if ambient::is_of_agent() {
        return Some(FOR_AGENTS.to_owned());
    }
    Some(match missing_line(outer, shell.shell, shell.login) {
        Some(missing) => add(&missing, outer),
        None => format!("start a new shell with `{}`", restart(shell)),
    })
}

/// Reports the versions of both programs, and another awsrole that PATH finds first.
pub(super) fn programs() -> Vec<Finding> {
    let about = "programs";
    let Some(own) = ambient::binary() else { return Vec::new() };
    let version = awsrole_system::version();
    let mut name = own.clone().into_os_string();
    name.push("-hook");
    let hook = PathBuf::from(name);
    let mut findings = vec![match (hook.is_file(), version_of(&hook)) {
        (true, Some(found)) if found == format!("awsrole-hook {version}") => {
            Finding::new(Level::Ok, about, format!("awsrole and awsrole-hook {version} in {}", parent(&own)))
        }
        (true, found) => {
            let found = found.unwrap_or_else(|| "another version".to_owned());
            let text = format!("{} is {found}, and awsrole is version {version}", hook.display());
            Finding::new(Level::Bad, about, text).hint("install both programs again, in one directory")
        }
        (false, _) => {
            let text = format!("awsrole {version}, without {}: each `cd` takes longer", hook.display());
            Finding::new(Level::Note, about, text).hint("install both programs, in one directory")
        }
    }];
    if let Some(other) = ambient::in_path(Path::new("awsrole"))
        && other.canonicalize().ok() != own.canonicalize().ok()
    {
        let text = format!("PATH finds {} first, and this is {}", other.display(), own.display());
        findings.push(Finding::new(Level::Note, about, text).hint("remove one of them"));
    }
    findings
}

fn parent(path: &Path) -> String {
    path.parent().unwrap_or(path).display().to_string()
}

/// Returns the version of the hook binary. Every other program takes these arguments for a mistake.
fn version_of(program: &Path) -> Option<String> {
    let output = Command::new(program).args(["hook", "version"]).stdin(Stdio::null()).output().ok()?;
    String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned)
}

fn no_hook(missing: &MissingLine, shell: ParentShell, context: &Context) -> Finding {
    let place = missing.elsewhere.as_ref().map(|line| line.shown(context));
    let text = match place {
        Some(place) => format!("has no hook: {} doesn't read {place}, where the hook is", described(shell)),
        None => format!("has no hook: no startup file of {} loads it", described(shell)),
    };
    Finding::new(Level::Bad, "this shell", text).hint(add(missing, context))
}

fn not_loaded(shell: ParentShell, context: &Context) -> Finding {
    let startup = read(context, shell.shell, shell.login);
    let place = startup.hooks.first().map(|line| line.shown(context)).unwrap_or_default();
    Finding::new(Level::Bad, "this shell", format!("{place} loads the hook, but this shell does not have it"))
        .hint(format!("start a new shell (`{}`). If it has no hook either, the line fails", restart(shell)))
}

fn readonly(context: &Context) -> Finding {
    let text = "the hook is inactive, because PROMPT_COMMAND is readonly: awsrole can't notice changes";
    let place = readonly_line(context).map_or("where it is made readonly".to_owned(), |place| format!("in {place}"));
    Finding::new(Level::Bad, "this shell", text)
        .hint(format!("remove `readonly` {place}, or run commands with `awsrole exec -- COMMAND`"))
}

/// Returns the line that makes PROMPT_COMMAND readonly.
fn readonly_line(context: &Context) -> Option<String> {
    let own = [false, true].into_iter().flat_map(|login| read(context, Shell::Bash, login).files);
    let parts = std::fs::read_dir("/etc/profile.d").into_iter().flatten().flatten().map(|entry| entry.path());
    let files: Vec<PathBuf> = SYSTEM_FILES.into_iter().map(PathBuf::from).chain(parts).chain(own).collect();
    files.iter().find_map(|file| {
        let text = std::fs::read(file).ok()?;
        let text = String::from_utf8_lossy(&text);
        let sets = |line: &str| line.contains("PROMPT_COMMAND") && (line.contains("readonly") || line.contains(" -r"));
        let line = text.lines().position(|line| sets(line) && !line.trim_start().starts_with('#'))?;
        Some(format!("{}:{}", context.shorten(Path::new(file)), line + 1))
    })
}

fn replaced(context: &Context, shell: Option<ParentShell>) -> Finding {
    let startup = shell.map(|shell| read(context, shell.shell, shell.login)).unwrap_or_default();
    let variable = match shell.map(|shell| shell.shell) {
        Some(Shell::Zsh) => "precmd_functions",
        Some(Shell::Fish) => "the handler of the prompt",
        _ => "PROMPT_COMMAND",
    };
    let by = startup.replaced.map_or("something".to_owned(), |line| line.shown(context));
    let text = format!("has the hook, but {by} replaced {variable} after it: awsrole can't notice changes");
    let last = startup.hooks.last().map_or("the hook line".to_owned(), |line| line.shown(context));
    Finding::new(Level::Bad, "this shell", text).hint(format!("move {last} to the end of the file, or below that line"))
}

fn described(shell: ParentShell) -> String {
    let name = shell.shell.name();
    if shell.login { format!("a login shell of {name}") } else { name.to_owned() }
}

fn add(missing: &MissingLine, context: &Context) -> String {
    format!("add to {}: {}", context.shorten(&missing.file), missing.line)
}

fn restart(shell: ParentShell) -> String {
    let login = if shell.login { " -l" } else { "" };
    format!("exec {}{login}", shell.shell.name())
}
