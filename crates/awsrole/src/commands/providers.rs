//! Connects the stages that fetch credentials with AWS, with stores of keys and with the user.

use awsrole_core::aws::profiles::Profiles;
use awsrole_core::aws::source::Source;
use awsrole_core::aws::sso_session::SsoSession;
use awsrole_core::base::agent::Agent;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::session::fetch::Providers;
use awsrole_core::settings::user_config::Settings;
use awsrole_keys::Stores;
use awsrole_sts::{RemoteSources, RemoteSts};
use awsrole_system::ambient;

use super::common;
use super::console_sign_in;
use super::sign_in;
use crate::authenticator::TerminalPrompter;
use crate::cli::SignInOptions;

/// Runs a function with all providers. The user is prompted only if they just typed a command that allows it.
pub(in crate::commands) fn with_providers<T>(
    outer: &Context,
    settings: &Settings,
    may_ask: bool,
    act: impl FnOnce(Providers<'_>) -> T,
) -> T {
    with_remote_and_providers(outer, settings, may_ask, |_, providers| act(providers))
}

/// Does what [`with_providers`] does for a function that also calls another service of AWS.
pub(in crate::commands) fn with_remote_and_providers<T>(
    outer: &Context,
    settings: &Settings,
    may_ask: bool,
    act: impl FnOnce(&RemoteSts<'_>, Providers<'_>) -> T,
) -> T {
    // The stores of keys prompt for passphrases, and the user's browser signs in.
    let may_ask = may_ask && Agent::recognize(&outer.env).is_none();
    common::with_remote(outer, settings, |sts| {
        let sources = RemoteSources::new(sts, outer, may_ask);
        let sign_in = |source: &Source| sign_in(source, outer, settings);
        let person = TerminalPrompter::new(may_ask, outer, settings).signing_in_with(&sign_in);
        let keys = Stores::new(&outer.paths, &person);
        let accounts = &settings.or_default().accounts;
        act(
            sts,
            Providers { sts, sources: &sources, keys: &keys, authenticator: &person, accounts, clock: ambient::now },
        )
    })
}

/// Signs in to a source as `awsrole login` does.
fn sign_in(source: &Source, outer: &Context, settings: &Settings) -> Result<(), Problem> {
    let options = SignInOptions::default();
    let signed_in = match source {
        Source::IdentityCenter(role) => {
            sign_in::run(&SsoSession::of_role(role, &Profiles::load(outer)?), options, outer, settings)
        }
        Source::ConsoleLogin(login) => console_sign_in::run(login, options, outer, settings),
        other => Err(Problem::new(format!("there is nothing to sign in to: the source is {other}")).into()),
    };
    signed_in.map_err(|error| error.problem)
}
