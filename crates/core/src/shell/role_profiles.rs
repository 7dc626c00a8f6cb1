//! Copies of the AWS files in which each `[role.NAME]` of a project is a profile (`profiles = true`), for programs that
//! use several roles at once.
//!
//! The copies contain no secrets: a profile with keys gets them from awsrole, too. Each pair of copies is stored in a
//! directory that is named by a digest of the content, so that shells with different copies never share one.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::aws::profiles::Profiles;
use crate::aws::profiles::copies::{CopyOptions, OtherProfiles, RoleProfile, is_name};
use crate::base::context::{Context, Env, Paths};
use crate::base::digest::{is_sha256, sha256};
use crate::base::files::{self, FileError, read_own};
use crate::base::problem::Problem;
use crate::base::quote::shell_quote;
use crate::project::approval::Allowed;
use crate::shell::state;

/// The names of the two copies.
const NAMES: [&str; 2] = ["config", "credentials"];

/// The variables with their paths.
const VARIABLES: [&str; 2] = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"];

/// The name of the file with the prior values of [`VARIABLES`].
const OUTER: &str = "outer";

/// The age at which copies are written again although they didn't change. Their age shows whether they are in use.
const REFRESHED: Duration = Duration::from_secs(24 * 60 * 60);

/// The age at which copies are removed. No session lasts as long as the difference to [`REFRESHED`].
const UNUSED: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Maximum size of a copy, in bytes. A larger one is always written again.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// Writes the copies and returns their paths. Returns `None` if the project doesn't have `profiles = true`.
///
/// `role` is the role that was chosen by its name, which then is also that of the default profile.
///
/// # Errors
/// Fails if a role's name cannot be that of a profile, or if the copies cannot be written.
pub fn write(
    context: &Context,
    allowed: &Allowed,
    role: Option<&str>,
    profiles: &Profiles,
) -> Result<Option<[String; 2]>, Problem> {
    if allowed.config().profiles != Some(true) {
        return Ok(None);
    }
    let roles = of(context, allowed, profiles)?;
    let (dir, chosen) = (dir(allowed)?, role.map(|name| format!("--role={name}")));
    let default = [Some(dir.as_str()), chosen.as_deref()].into_iter().flatten().collect::<Vec<_>>();
    let default = command(context, &default)?;
    let own = |name: &str| of_profile(context, name);
    let texts = profiles.copies(&CopyOptions {
        comment: "Made by awsrole for a project. Change ~/.aws or .awsrole.toml instead.",
        default: &default,
        roles: &roles,
        others: OtherProfiles::WithoutKeys(&own),
    });
    let prior = VARIABLES.map(|name| Some((name, context.env.text(name)?)));
    let outer: BTreeMap<&str, &str> = prior.into_iter().flatten().collect();
    let outer = serde_json::to_string(&outer).unwrap_or_default();
    let all = folder(&context.paths);
    let digest = sha256(&[texts[0].as_bytes(), b"\0", texts[1].as_bytes(), b"\0", outer.as_bytes()]);
    let dir = all.join(&digest);
    let is_fresh = fs::metadata(&dir)
        .and_then(|found| found.modified())
        .is_ok_and(|time| context.now.duration_since(time).unwrap_or_default() < REFRESHED);
    let same =
        |(name, text): (&str, &str)| read_own(&dir.join(name), MAX_BYTES).is_ok_and(|found| found == text.as_bytes());
    let files = [(NAMES[0], texts[0].as_str()), (NAMES[1], texts[1].as_str()), (OUTER, outer.as_str())];
    if !is_fresh || !files.into_iter().all(same) {
        let write = || -> Result<(), FileError> {
            files::private_dir(&all)?;
            files::private_dir(&dir)?;
            files.into_iter().try_for_each(|(name, text)| files::write_private(&dir.join(name), text.as_bytes()))
        };
        write().map_err(|error| {
            let hint = error.hint();
            Problem::new("cannot write the profiles of this project").because(error).hint(hint)
        })?;
        remove_unused(&all, context.now);
    }
    let path = |name: &str| dir.join(name).to_str().map(str::to_owned);
    match NAMES.map(path) {
        [Some(config), Some(credentials)] => Ok(Some([config, credentials])),
        _ => Err(Problem::new(format!("{} isn't valid UTF-8", dir.display())).hint("XDG_CACHE_HOME sets its location")),
    }
}

/// Returns the profiles of a project with `profiles = true`, and none without it.
///
/// # Errors
/// Fails if a role's name cannot be that of a profile, or if the program's path cannot be written into a config file.
pub fn of(context: &Context, allowed: &Allowed, profiles: &Profiles) -> Result<Vec<RoleProfile>, Problem> {
    let config = allowed.config();
    if config.profiles != Some(true) {
        return Ok(Vec::new());
    }
    let dir = dir(allowed)?;
    let role = |name: &str| {
        if !is_name(name) {
            let at = config.origin(Some(name), "");
            return Err(Problem::new(format!("{at}: [role.{name}] cannot be a profile")).hint(
                "with `profiles = true`, names consist of letters, digits and `_+=,.@:/-`, and none is `default`",
            ));
        }
        let (_, keys) = config.select(Some(name))?;
        let region = keys.region.as_ref().map(|region| region.as_str().to_owned()).or_else(|| {
            let profile = profiles.get(keys.profile.as_deref()?)?;
            profile.text("region").map(str::to_owned)
        });
        let command = command(context, &[&dir, &format!("--role={name}")])?;
        Ok(RoleProfile { name: name.to_owned(), command, region })
    };
    let roles: Vec<RoleProfile> = config.role_names().map(role).collect::<Result<_, _>>()?;
    if roles.is_empty() {
        return Err(Problem::new(format!("{}: there is no [role.NAME]", config.origin(None, "profiles")))
            .hint("with `profiles = true`, each [role.NAME] becomes a profile"));
    }
    Ok(roles)
}

/// Restores the prior paths of the AWS files if those in the environment are copies.
///
/// A program that a client starts as a `credential_process` may get them without AWSROLE_STATE. awsrole would otherwise
/// read its own copies, whose profiles start it again. With AWSROLE_STATE, [`crate::shell::state::OuterEnv`] restores
/// them.
pub fn restore_aws_files(env: &mut Env, paths: &Paths) {
    if env.has(state::NAME) {
        return;
    }
    let all = folder(paths);
    let is_copy = |name: &str| {
        let dir = Path::new(env.text(name)?).parent()?;
        let is_ours = dir.parent() == Some(&all) && dir.file_name().and_then(OsStr::to_str).is_some_and(is_sha256);
        is_ours.then(|| dir.to_owned())
    };
    for (name, dir) in VARIABLES.map(|name| Some((name, is_copy(name)?))).into_iter().flatten() {
        let outer = read_own(&dir.join(OUTER), MAX_BYTES).ok();
        let outer: BTreeMap<String, String> =
            outer.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        match outer.get(name) {
            Some(path) => env.0.insert(name.into(), path.into()),
            None => env.0.remove(OsStr::new(name)),
        };
    }
}

fn folder(paths: &Paths) -> PathBuf {
    paths.cache.join("profiles")
}

/// Returns the path of awsrole for a `credential_process`.
///
/// # Errors
/// Fails if no line of a config file can contain it.
pub fn program(context: &Context) -> Result<String, Problem> {
    context.program.as_deref().and_then(Path::to_str).and_then(shell_quote).ok_or_else(|| {
        Problem::new("cannot write the path of awsrole into a copy of ~/.aws/config")
            .hint("install it at a path without control characters")
    })
}

/// Returns the option that selects the project.
fn dir(allowed: &Allowed) -> Result<String, Problem> {
    let dir = allowed.config().file.parent().unwrap_or(Path::new("/"));
    let text = dir.to_str().ok_or_else(|| Problem::new(format!("{} isn't valid UTF-8", dir.display())));
    Ok(format!("--dir={}", text.map_err(|problem| problem.hint("`profiles = true` needs a path of valid UTF-8"))?))
}

/// Returns the `credential_process` that gives a profile of the user. `None` for a name that a copy cannot contain.
fn of_profile(context: &Context, name: &str) -> Option<String> {
    command(context, &[&format!("--profile={name}")]).ok()
}

/// Returns a `credential_process` with these options.
fn command(context: &Context, options: &[&str]) -> Result<String, Problem> {
    let mut command = format!("{} credential-process", program(context)?);
    for option in options {
        let quoted = shell_quote(option).ok_or_else(|| {
            Problem::new(format!("{option} cannot be written into a copy of ~/.aws/config"))
                .hint("`profiles = true` needs a path without control characters")
        })?;
        command.extend([" ", &quoted]);
    }
    Ok(command)
}

/// Removes copies that no shell has used for a long time.
fn remove_unused(all: &Path, now: SystemTime) {
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(is_sha256);
        let age = entry.metadata().and_then(|found| found.modified()).map(|time| now.duration_since(time));
        if is_ours && age.is_ok_and(|age| age.is_ok_and(|age| age > UNUSED)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
