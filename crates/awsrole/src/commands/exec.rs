//! `awsrole exec`: a command with the directory's role, where no hook is.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use awsrole_core::cache::Cache;
use awsrole_core::context::Context;
use awsrole_core::environment::EnvDiff;
use awsrole_core::export::{confirmed, plan_of};
use awsrole_core::obtain::{Wish, obtain};
use awsrole_core::problem::Problem;
use awsrole_core::shell::child_environment;
use awsrole_core::user_config::UserConfig;

use super::long_run;
use crate::report::{Failure, Outcome, complain, say};

pub(super) fn run(
    role: Option<&str>,
    min_ttl: Option<Duration>,
    renew: bool,
    command: &[OsString],
    context: &Context,
) -> Result<Outcome, Failure> {
    let (outer, allowed, files) = super::allowed(None, context)?;
    let role = super::role_or_chosen(role, context, &files);
    let role = role.as_deref();
    let plan = plan_of(&outer, &allowed, role)?;
    confirmed(&allowed, role).map_err(Failure::no_role)?;
    let at_least = min_ttl.unwrap_or_default();
    let wish = Wish { at_least, ..Wish::asked(context.now) };
    let cache = Cache::in_dir(&context.paths.cache);
    let obtained = super::with_outside(&outer, true, |outside| obtain(&plan, &cache, outside, wish));
    let obtained = obtained?;
    if let Some(problem) = &obtained.problem {
        complain(problem);
    }
    let text = |time: Duration| humantime::format_duration(Duration::from_secs(time.as_secs())).to_string();
    let left = obtained.credentials.remaining(context.now);
    // STS counts whole seconds, and the call took some: what was asked for is granted.
    if left.saturating_add(Duration::from_secs(60)) < at_least {
        return Err(Failure::aws(
            Problem::new(format!(
                "{} lasts only {}, but --min-ttl asks for {}",
                plan.title(),
                text(left),
                text(at_least)
            ))
            .hint("raise duration_seconds in .awsrole.toml, up to the role's maximum session duration"),
        ));
    }
    for notice in plan.notices.iter().filter(|_| obtained.fresh) {
        say(notice);
    }
    let file = files.first().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
    let (diff, prepared) = if renew {
        let dir = super::directory(None, context)?;
        let (diff, prepared) = long_run::prepare(&plan, &obtained.credentials, &outer, &file, role, &dir)?;
        if let Some(left) = long_run::without_code(&plan, &cache, context.now) {
            say(format!(
                "{} renews itself for {}; then it needs an MFA code, which `awsrole exec -- true` in another terminal asks for",
                plan.title(),
                text(left)
            ));
        }
        (diff, Some(prepared))
    } else {
        (
            EnvDiff::of_role(
                &plan,
                &obtained.credentials,
                &outer.env,
                &file,
                role,
                &UserConfig::load(&outer)?.accounts,
            ),
            None,
        )
    };
    let env = child_environment(&outer.env, &diff);
    let program = &command[0];
    let error = Command::new(program).args(&command[1..]).env_clear().envs(env.0).exec();
    if let Some(prepared) = prepared {
        prepared.remove();
    }
    complain(
        &Problem::new(format!("{} can't be run", program.to_string_lossy()))
            .because(&error)
            .hint("is it installed and in PATH? what stands after `--` is a program and its arguments; for shell syntax: -- sh -c '…'"),
    );
    // As shells and env(1) do.
    let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
    Ok(Outcome::Code(code))
}
