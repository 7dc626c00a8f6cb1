//! Prepares the files of `awsrole exec --renew` for a command that outlives a session, and removes them when the
//! command has ended.

use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use awsrole_core::aws::profiles::Profiles;
use awsrole_core::aws::profiles::copies::{CopyOptions, OtherProfiles};
use awsrole_core::aws::source::Source;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::base::quote::shell_quote;
use awsrole_core::project::config::Confirm;
use awsrole_core::session::cache::Cache;
use awsrole_core::session::encryption::{CacheEncryption, SealError};
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::confirm::Confirmation;
use awsrole_core::shell::environment::EnvDiff;
use awsrole_core::shell::export::agent_limits;
use awsrole_core::shell::long_run::{Run, SavedEnvironment, process_exists, remove_when_gone};
use awsrole_core::shell::role_profiles;

use super::held::ActiveRole;
use super::target::Target;
use awsrole_system::ambient;

/// The time between two checks whether a process still runs, on systems that have no handle to wait for.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Writes the copies of the AWS files and starts the process that removes them.
///
/// The caller then becomes the command, so signals, exit code and job control work as usual without an intermediate
/// process.
pub(super) fn prepare(held: &ActiveRole, settings: &Settings) -> Result<(EnvDiff, Run), Problem> {
    let Target { outer, plan, .. } = &held.target;
    if plan.identity_step().is_none() && matches!(plan.source, Source::StaticKeys(_)) {
        return Err(Problem::new(format!("{} contains temporary keys, which can't be renewed", plan.source))
            .hint("omit --renew: the command then uses them until they expire"));
    }
    let run = Run::open(&outer.paths, std::process::id()).map_err(|e| super::common::file_problem(&e))?;
    match fill(&run, held, settings) {
        Ok(diff) => Ok((diff, run)),
        Err(problem) => {
            run.remove();
            Err(problem)
        }
    }
}

/// Fills the directory of a run. After an error the caller removes what was written.
fn fill(run: &Run, held: &ActiveRole, settings: &Settings) -> Result<EnvDiff, Problem> {
    let Target { outer, role, .. } = &held.target;
    let command = format!("{} credential-process --run {}", role_profiles::program(outer)?, run.name());
    let roles = held.target.role_profiles()?;
    let comment = "Made by awsrole for one command, and removed with it.";
    // An agent gets limited sessions of the other profiles, too, and no identity with which it could get others.
    let own = |name: &str| Some(format!("{command} {}", shell_quote(&format!("--profile={name}"))?));
    let others = match held.target.plan.agent {
        Some(_) => OtherProfiles::OnlyCommands(&own),
        None => OtherProfiles::Unchanged,
    };
    let options = CopyOptions { comment, default: &command, roles: &roles, others };
    let mut paths = [String::new(), String::new()];
    for ((name, text), path) in
        ["config", "credentials"].iter().zip(Profiles::load(outer)?.copies(&options)).zip(&mut paths)
    {
        let written = run.write(name, &text).map_err(|e| super::common::file_problem(&e))?;
        written
            .to_str()
            .ok_or_else(|| {
                Problem::new(format!("{} isn't valid UTF-8", written.display()))
                    .hint("XDG_CACHE_HOME sets its location")
            })?
            .clone_into(path);
    }
    let diff = EnvDiff::of_run(&held.role_session()?, paths);
    let dir = held.target.dir();
    // A child that loses the variables of its agent stays limited.
    let agent = held.target.plan.agent.as_ref();
    let env = agent.map_or_else(|| outer.env.clone(), |agent| agent.marked(outer.env.clone()));
    // Where a shell is blocked, they are unknown, and an agent gets nothing.
    let tables = agent_limits(&Context { dir: dir.to_owned(), ..outer.clone() }, settings);
    let has_limits = tables.map_or(true, |tables| !tables.is_empty());
    let outside = SavedEnvironment::of(dir, role.as_deref(), held.target.profile(), &diff, &env).limited(has_limits);
    let outside = match held.target.guard.confirm {
        Confirm::Never => outside,
        Confirm::Yes | Confirm::Account => outside.confirmed(Confirmation::of(&held.target.plan)),
    };
    run.write_outside(&outside, &CacheEncryption::of_cache(outer, settings.or_default().key)).map_err(|error| {
        match error {
            SealError::File(error) => super::common::file_problem(&error),
            SealError::NoKey(_) => Problem::new("cannot store what --renew needs")
                .because(error)
                .hint("see `awsrole doctor`, or disable encryption with `[cache] key = \"none\"` in your config.toml"),
        }
    })?;
    // If the process can't be started, the next run removes the files.
    let process = std::process::id();
    let _ = watcher(outer, process, run.name(), true).map(|mut command| command.status());
    run.hand_over().map_err(|e| Problem::new("cannot prepare the AWS files for the command").because(e))?;
    Ok(diff)
}

/// Returns how long a plan that needs an MFA code is renewed without one.
pub(super) fn without_code(held: &ActiveRole, settings: &Settings, now: SystemTime) -> Option<Duration> {
    let index = held.target.plan.steps.iter().position(|step| step.mfa_serial().is_some())?;
    let cache = Cache::open(&held.target.outer, settings.or_default().key);
    Some(cache.load(&cache.keys(&held.target.plan).session(index + 1), now)?.credentials.remaining(now))
}

/// Waits for the end of a command and everything it started, then removes its files.
///
/// With `start`, another process does it that isn't a child of the command, because the command would notice a child
/// that it never started. It inherits no files: a `flock` or a pipe of the caller's would stay open with it.
pub(super) fn watch(process: u32, run: &str, start: bool, context: &Context) {
    if start {
        close_fds::set_fds_cloexec(3, &[]);
        let _ = watcher(context, process, run, false).map(|mut command| command.spawn());
        return;
    }
    // A new session detaches from the terminal, so that neither Ctrl-C nor closing the terminal ends this process.
    let _ = rustix::process::setsid();
    await_end(process);
    remove_when_gone(&context.paths, run);
}

fn watcher(context: &Context, process: u32, run: &str, start: bool) -> Option<Command> {
    let mut command = Command::new(ambient::binary()?);
    command.args(["hook", "watch"]).args(start.then_some("--start")).arg(process.to_string()).arg(run);
    command.env_clear().envs(&context.env.0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Some(command)
}

/// Waits for the end of a process. The lock isn't sufficient, because some programs close all inherited files.
fn await_end(process: u32) {
    if !await_handle(process) {
        while process_exists(process) {
            std::thread::sleep(POLL_INTERVAL);
        }
    }
}

/// Waits with a handle of the process. Returns false if the system has none.
#[cfg(target_os = "linux")]
fn await_handle(process: u32) -> bool {
    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    let Some(Ok(handle)) = pid.map(|pid| pidfd_open(pid, PidfdFlags::empty())) else { return false };
    while poll(&mut [PollFd::new(&handle, PollFlags::IN)], None) == Err(rustix::io::Errno::INTR) {}
    true
}

#[cfg(not(target_os = "linux"))]
fn await_handle(_process: u32) -> bool {
    false
}
