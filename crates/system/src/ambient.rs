//! What a process finds around it, read once: environment, working directory, clock, paths.
#![expect(clippy::disallowed_methods, reason = "this is the one file that looks around")]

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::SystemTime;

use awsrole_core::base::context::{Context, Env, Paths};
use awsrole_core::base::problem::Problem;

use crate::key_store::System;

/// What started this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// The function `awsrole` of a shell that has the hook.
    Hook,
    /// The same, after `awsrole off`.
    HookOff,
    /// A program, or a shell without the hook.
    Other,
}

/// How the snippets' function says that it called. No child of this process gets to see it.
const HOOK: &str = "AWSROLE_HOOK";

/// What brings awsrole back after `awsrole off`.
pub const ON_AGAIN: &str = "`awsrole on` lets awsrole in again";

/// What started this process.
pub fn caller() -> Caller {
    match std::env::var_os(HOOK) {
        Some(value) if value == "off" => Caller::HookOff,
        Some(_) => Caller::Hook,
        None => Caller::Other,
    }
}

/// An environment in which this program, started anew, knows what started it first.
pub fn with_caller_marker(mut env: Env) -> Env {
    env.0.extend(std::env::var_os(HOOK).map(|value| (HOOK.into(), value)));
    env
}

/// The surroundings as plain values.
pub fn context() -> Result<Context, Problem> {
    let mut env = Env(std::env::vars_os().collect());
    env.0.remove(OsStr::new(HOOK));
    let missing = |what: &str| Problem::new(format!("there is no {what} directory")).hint("set HOME");
    let home = dirs::home_dir().filter(|home| home.is_absolute()).ok_or_else(|| missing("home"))?;
    let data = dirs::data_dir().ok_or_else(|| missing("data"))?.join("awsrole");
    let paths = Paths {
        config: dirs::config_dir().ok_or_else(|| missing("config"))?.join("awsrole"),
        // macOS has no directory of its own for state.
        state: dirs::state_dir().map_or_else(|| data.clone(), |dir| dir.join("awsrole")),
        cache: dirs::cache_dir().ok_or_else(|| missing("cache"))?.join("awsrole"),
        data,
        home,
    };
    let keys = Rc::new(System::of(&env));
    Ok(Context { dir: working_dir(&env), env, now: now(), paths, keys, host })
}

/// The time. Also handed to the calls, which record when their answer came.
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Tells this machine, container or pod from others. On Linux: the kernel's random id of this boot, the network
/// namespace (a pod's or container's own), and the host's name.
fn host() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let network = std::fs::read_link("/proc/self/ns/net").unwrap_or_default();
    let system = rustix::system::uname();
    format!("{}\n{}\n{}", boot.trim(), network.display(), system.nodename().to_string_lossy())
}

/// The program under the spelling by which it was found, made absolute: a versioned folder behind a link would be gone
/// after an upgrade.
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

/// Returns the path of `awsrole`, for the hook binary, whose name is awsrole's and `-hook`.
#[must_use]
pub fn main_program() -> Option<PathBuf> {
    let hook = binary()?;
    let name = hook.file_name()?.as_bytes().strip_suffix(b"-hook")?;
    Some(hook.with_file_name(OsStr::from_bytes(name)))
}

/// A word that nobody can guess.
pub fn random_token() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The words after the program's name.
pub fn args() -> Vec<OsString> {
    std::env::args_os().skip(1).collect()
}

/// Runs this program anew in the place of this process. It returns only if that fails.
pub fn reexec(args: &[OsString], env: &Env) -> io::Error {
    let program = match current_program() {
        Ok(program) => program,
        Err(error) => return error,
    };
    let called = std::env::args_os().next().unwrap_or_else(|| program.clone().into());
    Command::new(program).arg0(called).args(args).env_clear().envs(&env.0).exec()
}

/// The program that runs here, which isn't always found under its name any more: an upgrade in this
/// very moment may have put another one there.
fn current_program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

/// The working directory as the shell spells it, if that is where we are; empty if it is gone.
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
