//! `awsrole init`: writes a first `.awsrole.toml` from options or by prompting.

mod permission_sets;
mod questions;

use std::io;
use std::path::{Path, PathBuf};

use awsrole_core::aws::arn::{AccountId, RoleArn};
use awsrole_core::aws::parameters::Region;
use awsrole_core::aws::profiles::Profiles;
use awsrole_core::aws::regions;
use awsrole_core::base::agent::Agent;
use awsrole_core::base::context::Context;
use awsrole_core::base::files::write_new;
use awsrole_core::base::problem::{Problem, escape};
use awsrole_core::base::quote::shell_quote;
use awsrole_core::base::suggest::suggestion;
use awsrole_core::project::discover::FILE_NAME;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::state::OuterEnv;

use self::permission_sets::Portal;
use self::questions::Questions;
use crate::report::{CommandError, Outcome};
use crate::terminal::Terminal;
use awsrole_system::print::print_notice;
pub(super) use permission_sets::{ChosenSet, SetOptions};

/// A role of the new file.
#[derive(Default)]
pub(super) struct InitOptions {
    pub(super) profile: Option<String>,
    pub(super) role_arn: Option<String>,
    pub(super) source_profile: Option<String>,
    pub(super) permission_set: Option<ChosenSet>,
    pub(super) region: Option<String>,
    /// Whether to pin the account, if it is known.
    pub(super) pin: bool,
}

impl InitOptions {
    fn of_profile(name: String, region: Option<String>) -> Self {
        Self { profile: Some(name), region, pin: true, ..Self::default() }
    }
}

pub(super) fn run(
    wanted: InitOptions,
    set: Option<&SetOptions>,
    yes: bool,
    dir: Option<PathBuf>,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    let path = super::common::directory(dir, context)?.join(FILE_NAME);
    // An existing file is never overwritten. This is checked before any prompt.
    let is_there =
        || Problem::new(format!("{} already exists", context.shorten(&path))).hint("edit it, then run `awsrole allow`");
    if path.symlink_metadata().is_ok() {
        return Err(is_there().into());
    }
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let profiles = Profiles::load(&outer)?;
    let accounts = settings.get()?.accounts.clone();
    let portal = Portal { profiles: &profiles, outer: &outer, settings };
    let terminal = match set {
        Some(set) if set.is_complete() => None,
        // Without a terminal, what the options don't name must be unambiguous.
        Some(_) => terminal(context).ok(),
        None if wanted.profile.is_some() || wanted.role_arn.is_some() => None,
        None => Some(terminal(context).map_err(|why| no_role(why, &profiles))?),
    };
    let questions = terminal.map(|terminal| Questions {
        terminal,
        profiles: &profiles,
        accounts: &accounts,
        portal: &portal,
        context,
    });
    if !yes {
        confirm_directory(&path, context)?;
    }
    let chosen = set.map(|set| portal.complete(set, questions.as_ref())).transpose()?.unwrap_or_default();
    let roles = match &questions {
        Some(questions) => questions.wanted(wanted, chosen)?,
        // Several are marked on a terminal.
        None => vec![InitOptions { permission_set: chosen.into_iter().next(), ..wanted }],
    };
    let text = compose(&roles, &profiles)?;
    if let Some(questions) = &questions
        && !questions.agreed(&text, &context.shorten(&path))?
    {
        return Err(Problem::new("nothing was written").into());
    }
    let failed = |e: io::Error| match e.kind() {
        io::ErrorKind::AlreadyExists => is_there(),
        _ => Problem::new(format!("cannot write {}", context.shorten(&path))).because(e),
    };
    write_new(&path, text.as_bytes()).map_err(failed)?;
    // The hook, or a command that needs the role, reports that the file isn't allowed yet.
    print_notice(format!("wrote {}", context.shorten(&path)));
    match questions {
        Some(questions) if questions.yes("allow it now?")? => super::allow::run(
            Some(path),
            super::allow::Consent::GivenFor(&text),
            super::allow::Strictness::Warn,
            context,
            settings,
        ),
        _ => {
            super::allow::show_overrides(&[path], &outer);
            Ok(Outcome::Done)
        }
    }
}

/// Asks before a file is written that would apply to every project of the user: in the home directory, above it, or in
/// the root directory.
///
/// # Errors
/// Fails unless the answer is yes.
fn confirm_directory(path: &Path, context: &Context) -> Result<(), CommandError> {
    let real = |dir: &Path| dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let dir = path.parent().unwrap_or(path);
    if !real(&context.paths.home).starts_with(real(dir)) {
        return Ok(());
    }
    let shown = context.shorten(dir);
    let what = format!("a file in {shown} would apply to every directory below it");
    let Ok(terminal) = terminal(context) else {
        let problem = Problem::new(what).hint("change to the directory of a project, or add `--yes`");
        return Err(problem.into());
    };
    print_notice(what);
    match terminal.confirm(&format!("awsrole: write {} anyway?", escape(&context.shorten(path)))) {
        true => Ok(()),
        false => Err(Problem::new("nothing was written").hint("change to the directory of a project").into()),
    }
}

/// Returns the terminal for prompts, or the reason why nobody can answer.
///
/// An agent may have a terminal, but it would wait there for its user, who doesn't see the question.
fn terminal(context: &Context) -> Result<Terminal, &'static str> {
    match Agent::recognize(&context.env) {
        Some(_) => Err("agents are not asked"),
        None => Terminal::open().map_err(|_| "there is no terminal to prompt on"),
    }
}

/// Returns the error that no option selects the role, and nobody can be asked.
fn no_role(why: &str, profiles: &Profiles) -> CommandError {
    let problem = Problem::new(format!("no role given, and {why}"))
        .hint("`awsrole init --profile NAME`, or `awsrole init --role-arn ARN --source-profile NAME`");
    let session = profiles.sso_sessions().first().and_then(|session| shell_quote(session.name));
    let problem = match session {
        Some(name) => problem.hint(format!("`awsrole init --sso-session {name} --account ACCOUNT --role-name NAME`")),
        None => problem,
    };
    let problem = problem.hint(suggestion("", "the existing profiles are", &profiles.names()));
    CommandError { problem, outcome: Outcome::Code(2) }
}

/// Returns the account of the role, if it is known without calling AWS.
fn account_of(wanted: &InitOptions, profiles: &Profiles) -> Option<AccountId> {
    if let Some(set) = &wanted.permission_set {
        return Some(set.account.clone());
    }
    match &wanted.role_arn {
        Some(arn) => RoleArn::parse(arn).ok().map(|arn| arn.account().clone()),
        None => super::choices::account_of(&profiles.get(wanted.profile.as_deref()?)?),
    }
}

/// Returns the content of the file: the keys of one role, or a table for each of several. The first is the default.
fn compose(wanted: &[InitOptions], profiles: &Profiles) -> Result<String, Problem> {
    if let [one] = wanted {
        let comment = "# The AWS role of this directory: see `awsrole status --long`.";
        return Ok(format!("{comment}\n{}\n", keys(one, profiles)?.join("\n")));
    }
    let mut names: Vec<String> = Vec::new();
    let mut text = String::new();
    for one in wanted {
        let set = one.permission_set.as_ref().map(|chosen| chosen.permission_set.as_str());
        let name = role_name(one.profile.as_deref().or(set).unwrap_or_default(), &names);
        text += &format!("\n[role.{}]\n{}\n", toml_key(&name), keys(one, profiles)?.join("\n"));
        names.push(name);
    }
    let default = names.first().map(String::as_str).unwrap_or_default();
    let comment = "# The AWS roles of this directory: `awsrole use NAME` selects one.";
    Ok(format!("{comment}\ndefault_role = {}\n{text}", toml_string(default)))
}

/// Returns a name for the role of a profile or a permission set. Names of roles contain no white space and don't begin
/// with `-`.
fn role_name(profile: &str, taken: &[String]) -> String {
    let allowed = |c: char| if c.is_whitespace() || c.is_control() { '-' } else { c };
    let name: String = profile.chars().map(allowed).collect();
    let name = match name.trim_start_matches('-') {
        "" => "role",
        name => name,
    };
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken.contains(name)).unwrap_or_default()
}

/// Returns the lines of a role.
fn keys(wanted: &InitOptions, profiles: &Profiles) -> Result<Vec<String>, Problem> {
    let outside = |key: &str, error: &dyn std::fmt::Display| Problem::new(format!("--{key} {error}"));
    let mut lines = Vec::new();
    let mut set = |key: &str, value: &str| lines.push(format!("{key} = {}", toml_string(value)));
    let mut role_arn = wanted.role_arn.clone();
    for (option, name) in [("profile", &wanted.profile), ("source-profile", &wanted.source_profile)] {
        let Some(name) = name else { continue };
        let Some(profile) = profiles.get(name) else {
            return Err(Problem::new(format!("--{option}: there is no profile `{name}`")).hint(suggestion(
                name,
                "the existing profiles are",
                &profiles.names(),
            )));
        };
        if option == "profile" {
            role_arn = profile.text("role_arn").map(str::to_owned);
            set("profile", name);
        }
    }
    if let (Some(arn), Some(source)) = (&wanted.role_arn, &wanted.source_profile) {
        set("role_arn", arn);
        set("source_profile", source);
    }
    if let Some(chosen) = &wanted.permission_set {
        set("sso_session", &chosen.session);
        set("sso_account_id", chosen.account.as_str());
        set("sso_role_name", chosen.permission_set.as_str());
    }
    role_arn.map(|arn| RoleArn::parse(&arn).map_err(|e| outside("role-arn", &e))).transpose()?;
    if let Some(region) = &wanted.region {
        Region::parse(region).map_err(|e| outside("region", &e))?;
        if let Some(warning) = regions::warning(region) {
            match regions::may_be_new(region) {
                true => print_notice(format!("--region: {warning}")),
                false => return Err(Problem::new(format!("--region: {warning}"))),
            }
        }
        set("region", region);
    }
    if let Some(account) = account_of(wanted, profiles).filter(|_| wanted.pin) {
        let name = wanted.permission_set.as_ref().and_then(|chosen| chosen.account_name.as_deref());
        // The name is from the server. Escaped, it can't end the comment.
        let name = name.map(|name| format!(", {}", escape(name))).unwrap_or_default();
        lines.push(format!(
            "account_id = \"{account}\"   # the pin{name}: no other account's credentials are ever exported"
        ));
    }
    Ok(lines)
}

/// Formats a TOML key (TOML 1.0, "Keys").
pub(in crate::commands) fn toml_key(name: &str) -> String {
    let is_bare = name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) && !name.is_empty();
    if is_bare { name.to_owned() } else { toml_string(name) }
}

/// Formats a TOML basic string (TOML 1.0, "String"). All JSON escapes are valid in it.
pub(in crate::commands) fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests;
