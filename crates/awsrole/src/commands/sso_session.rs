//! Decides which SSO session a command uses.

use awsrole_core::aws::profiles::{Profile, Profiles};
use awsrole_core::aws::source::{ConsoleLogin, Source};
use awsrole_core::aws::sso_session::SsoSession;
use awsrole_core::base::context::{Context, Env};
use awsrole_core::base::problem::Problem;
use awsrole_core::project::discover::upward;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::state::OuterEnv;

use super::common;
use super::target::Target;
use crate::cli::TargetOptions;
use crate::picker::{Item, Picked, Question, pick_one};
use crate::report::{CommandError, Outcome};
use crate::terminal::Terminal;

/// What a command does with a session.
#[derive(Clone, Copy)]
pub(super) enum Purpose {
    SignIn,
    SignOut,
}

/// What a user signs in to.
pub(super) enum SignInTarget {
    /// IAM Identity Center.
    Sso(Box<SsoSession>),
    /// The AWS console, for a profile with `login_session`.
    Console(ConsoleLogin),
}

/// Returns the session of IAM Identity Center that [`select_any`] selects.
///
/// # Errors
/// As [`select_any`], and for a console session.
pub(super) fn select(
    named: Option<&str>,
    target: TargetOptions,
    purpose: Purpose,
    context: &Context,
    settings: &Settings,
) -> Result<(Context, SsoSession), CommandError> {
    match select_any(named, target, purpose, context, settings)? {
        (outer, SignInTarget::Sso(session)) => Ok((outer, *session)),
        (_, SignInTarget::Console(login)) => Err(nothing(&Source::ConsoleLogin(login), purpose)),
    }
}

/// Returns the session with a name, or that of the profile with this name, or else that of the project or profile that
/// the options select. Without them it is
/// that of the project or of the profile that this shell uses. If there is neither, it is the only session of the AWS
/// files, or the one that the user selects from a list. Also returns the context without awsrole's exports.
///
/// # Errors
/// Fails if there is no such session, if the source of the role has no sign-in, and if there are several
/// sessions and no terminal.
pub(super) fn select_any(
    named: Option<&str>,
    target: TargetOptions,
    purpose: Purpose,
    context: &Context,
    settings: &Settings,
) -> Result<(Context, SignInTarget), CommandError> {
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let mut target = target;
    if let Some(name) = named {
        let profiles = Profiles::load(&outer)?;
        if profiles.sso_session(name).is_some() || profiles.get(name).is_none() {
            let session = SsoSession::named(name, &profiles, &outer)?;
            return Ok((outer, SignInTarget::Sso(session.into())));
        }
        // The name of a profile means the session of that profile.
        target.place.profile = Some(name.to_owned());
    }
    let names_nothing = target.place.is_empty() && target.role.is_none();
    if names_nothing && upward(&outer.dir).is_empty() && common::profile_in_use(context, settings)?.is_none() {
        let profiles = Profiles::load(&outer)?;
        let name = choose(&profiles, &outer)?;
        let session = SsoSession::named(name, &profiles, &outer)?;
        return Ok((outer, SignInTarget::Sso(session.into())));
    }
    let Target { outer, plan, .. } = Target::of(target, context, settings)?;
    let target = match plan.source {
        Source::IdentityCenter(role) => SignInTarget::Sso(SsoSession::of_role(&role, &Profiles::load(&outer)?).into()),
        Source::ConsoleLogin(login) => SignInTarget::Console(login),
        other => return Err(nothing(&other, purpose)),
    };
    Ok((outer, target))
}

fn nothing(source: &Source, purpose: Purpose) -> CommandError {
    let (what, command, more) = match purpose {
        Purpose::SignIn => ("sign in to", "login", ", sso_start_url or login_session"),
        Purpose::SignOut => ("sign out of", "logout --sso", " or sso_start_url"),
    };
    Problem::new(format!("there is nothing to {what}: the source is {source}"))
        .hint(format!("`awsrole {command}` is for profiles with sso_session{more}"))
        .hint(format!("`awsrole {command} NAME` is for an [sso-session NAME] of ~/.aws/config"))
        .into()
}

/// Returns the name of the only session, or of the one that the user selects.
fn choose<'p>(profiles: &'p Profiles, outer: &Context) -> Result<&'p str, CommandError> {
    let sessions = profiles.sso_sessions();
    let [config, _] = profiles.shown(outer);
    match sessions.as_slice() {
        [] => Err(CommandError::no_role(
            Problem::new(format!("there is no project here, and {config} has no [sso-session NAME]"))
                .hint("`awsrole login --start-url URL --region REGION` writes one and signs in")
                .hint("`--profile NAME` selects a profile of ~/.aws/config instead"),
        )),
        [session] => Ok(session.name),
        several => {
            let names: Vec<&str> = several.iter().map(|session| session.name).collect();
            let terminal = Terminal::open().map_err(|_| CommandError {
                problem: Problem::new("no session given, and there is no terminal to prompt on")
                    .hint(format!("the sessions are: {}", names.join(", "))),
                outcome: Outcome::Code(2),
            })?;
            Ok(ask(&terminal, &outer.env, several)?)
        }
    }
}

/// Lets the user pick a session.
fn ask<'p>(terminal: &Terminal, env: &Env, sessions: &[Profile<'p>]) -> Result<&'p str, Problem> {
    let item = |session: &Profile<'_>| Item {
        name: session.name.to_owned(),
        about: session.text("sso_start_url").unwrap_or("no start URL").to_owned(),
        marks: Vec::new(),
        color: None,
    };
    let items: Vec<Item> = sessions.iter().map(item).collect();
    let question = Question { text: "number or name of a session:", cancelled: "no session was selected" };
    loop {
        match pick_one(terminal, env, &question, &items)? {
            Picked::Items(index) => return Ok(sessions[index].name),
            Picked::Text(_) => terminal.show("  no such session (Ctrl-C cancels)\n"),
        }
    }
}
