//! The ambient values of a process, read once: environment, working directory, clock, paths.
#![expect(clippy::disallowed_methods, reason = "this is the one file that looks around")]

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::SystemTime;

use awsrole_core::base::agent::Agent;
use awsrole_core::base::context::{Context, Env, Paths};
use awsrole_core::base::problem::Problem;
use awsrole_core::shell::role_profiles::restore_aws_files;

use crate::key_store::System;

/// The caller of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// The function `awsrole` of a shell with the hook.
    Hook,
    /// The same function after `awsrole off`.
    HookOff,
    /// The same function after a manual change, because of which awsrole is inactive in this directory.
    Inactive,
    /// The same function in a bash whose PROMPT_COMMAND is readonly, so that the hook is inactive.
    ReadonlyPrompt,
    /// The same function in a shell where another program removed the hook from the prompt.
    Replaced,
    /// A program, or a shell without the hook.
    Other,
}

/// The variable with which the snippets' function marks its call. It isn't passed to child processes.
const HOOK: &str = "AWSROLE_HOOK";

/// The settings of an organization for all users of the machine.
const ORGANIZATION: &str = "/etc/awsrole/config.toml";

/// The hint after `awsrole off`.
pub const ON_AGAIN: &str = "`awsrole on` activates awsrole again";

/// Returns the caller of this process.
pub fn caller() -> Caller {
    let Some(value) = std::env::var_os(HOOK) else { return Caller::Other };
    match value.to_str() {
        Some("off") => Caller::HookOff,
        Some("inactive") => Caller::Inactive,
        Some("readonly") => Caller::ReadonlyPrompt,
        Some("replaced") => Caller::Replaced,
        _ => Caller::Hook,
    }
}

/// Returns whether output to a stream may contain colors: it is a terminal that supports them, and NO_COLOR isn't set
/// (<https://no-color.org>).
#[must_use]
pub fn may_color(stream: &impl IsTerminal) -> bool {
    let filled = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    stream.is_terminal() && filled("NO_COLOR").is_none() && filled("TERM").is_some_and(|term| term != "dumb")
}

/// Returns whether an AI agent runs this process and reads its output.
#[must_use]
pub fn is_of_agent() -> bool {
    Agent::recognize(&Env(std::env::vars_os().collect())).is_some()
}

/// Returns an environment with the marker, so that a restarted process knows its original caller.
pub fn with_caller_marker(mut env: Env) -> Env {
    env.0.extend(std::env::var_os(HOOK).map(|value| (HOOK.into(), value)));
    env
}

/// Returns the ambient values as a [`Context`].
pub fn context() -> Result<Context, Problem> {
    let mut env = Env(std::env::vars_os().collect());
    env.0.remove(OsStr::new(HOOK));
    let missing = |what: &str| Problem::new(format!("there is no {what} directory")).hint("set HOME");
    let home = dirs::home_dir().filter(|home| home.is_absolute()).ok_or_else(|| missing("home"))?;
    let data = dirs::data_dir().ok_or_else(|| missing("data"))?.join("awsrole");
    let paths = Paths {
        config: dirs::config_dir().ok_or_else(|| missing("config"))?.join("awsrole"),
        // macOS has no directory for state.
        state: dirs::state_dir().map_or_else(|| data.clone(), |dir| dir.join("awsrole")),
        cache: dirs::cache_dir().ok_or_else(|| missing("cache"))?.join("awsrole"),
        data,
        home,
        organization: ORGANIZATION.into(),
    };
    restore_aws_files(&mut env, &paths);
    let keys = Rc::new(System::of(&env));
    let (program, organization) = (main_program().or_else(binary), Rc::default());
    Ok(Context { dir: working_dir(&env), env, now: now(), paths, keys, host, program, organization })
}

/// Returns the current time. The function is also passed to calls, which record when their response arrived.
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Returns an identifier of this machine, container or pod. On Linux it consists of the kernel's random boot ID, the
/// network namespace (separate for each pod or container), and the host name.
fn host() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let network = std::fs::read_link("/proc/self/ns/net").unwrap_or_default();
    let system = rustix::system::uname();
    format!("{}\n{}\n{}", boot.trim(), network.display(), system.nodename().to_string_lossy())
}

/// Returns the absolute path of this program, as it was found. Symbolic links aren't resolved, because an upgrade may
/// remove a versioned directory behind a link.
pub fn binary() -> Option<PathBuf> {
    let called = std::env::args_os().next().map(PathBuf::from)?;
    if called.components().count() > 1 {
        return std::path::absolute(called).ok();
    }
    let found = in_path(&called);
    found.and_then(|file| std::path::absolute(file).ok()).or_else(|| std::env::current_exe().ok())
}

/// Returns the first program of this name in PATH.
#[must_use]
pub fn in_path(name: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| is_program(file))
}

/// Returns the path of `awsrole`, for the hook binary, whose name is awsrole's with the suffix `-hook`.
#[must_use]
pub fn main_program() -> Option<PathBuf> {
    let hook = binary()?;
    let name = hook.file_name()?.as_bytes().strip_suffix(b"-hook")?;
    Some(hook.with_file_name(OsStr::from_bytes(name)))
}

/// Returns a 256-bit random hexadecimal token.
pub fn random_token() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Returns the process that started this one.
#[must_use]
pub fn parent_process() -> Option<u32> {
    rustix::process::getppid().map(|parent| parent.as_raw_nonzero().get().unsigned_abs())
}

/// Returns the command-line arguments without the program's name.
pub fn args() -> Vec<OsString> {
    std::env::args_os().skip(1).collect()
}

/// Replaces this process with a new run of the same program. Returns only if that fails.
pub fn reexec(args: &[OsString], env: &Env) -> io::Error {
    let program = match current_program() {
        Ok(program) => program,
        Err(error) => return error,
    };
    let called = std::env::args_os().next().unwrap_or_else(|| program.clone().into());
    Command::new(program).arg0(called).args(args).env_clear().envs(&env.0).exec()
}

/// Changes the working directory, and PWD in the environment of a new run, which keeps the spelling of the path.
pub fn enter(dir: &Path, env: &mut Env) -> io::Result<()> {
    std::env::set_current_dir(dir)?;
    env.0.insert("PWD".into(), dir.into());
    Ok(())
}

/// Returns the running program. It may no longer be found under its name, because an upgrade may have replaced the
/// file.
fn current_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

/// Returns the working directory in the shell's spelling, if that is correct. Empty if the directory was removed.
fn working_dir(env: &Env) -> PathBuf {
    let spelled = env.0.get(OsStr::new("PWD")).map(PathBuf::from).filter(|dir| dir.is_absolute());
    let same = |dir: &Path| match (dir.metadata(), Path::new(".").metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    };
    spelled.filter(|dir| same(dir)).or_else(|| std::env::current_dir().ok()).unwrap_or_default()
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0)
}
