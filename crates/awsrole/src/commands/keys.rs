//! `awsrole keys`: manages long-lived keys in a secret store.

mod add;
mod list;
mod remove;
mod rotate;

use awsrole_core::aws::access_keys::{self, KeyRef, Record};
use awsrole_core::aws::endpoint::Endpoint;
use awsrole_core::aws::profiles::Profiles;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::plan::resolve::endpoint_of;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::state::OuterEnv;
use awsrole_keys::Stores;

use crate::authenticator::TerminalPrompter;
use crate::cli::KeysCommand;
use crate::report::{CommandError, Outcome};

pub(super) fn run(keys: KeysCommand, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    // A rotation makes many calls between reading the record and writing it, so the lock is held throughout.
    let _alone = match keys {
        KeysCommand::Add { .. } | KeysCommand::Rotate { .. } | KeysCommand::Remove { .. } => {
            Some(access_keys::lock(&outer.paths)?)
        }
        KeysCommand::List { .. } => None,
    };
    match keys {
        KeysCommand::Add { profile, stdin, import, take_out, replace, force, store } => {
            let wanted = add::AddOptions { profile, stdin, import, take_out, replace, force, store };
            add::run(&wanted, &outer, settings)
        }
        KeysCommand::List { json } => list::run(json, &outer),
        KeysCommand::Rotate { profile, deactivate, delete } => {
            rotate::run(&profile, deactivate, delete.as_deref(), &outer, settings)
        }
        KeysCommand::Remove { profile, yes } => remove::run(&profile, yes, &outer, settings),
    }
}

/// Runs a function with the stores, for a user who typed a command.
fn with_stores<T>(context: &Context, settings: &Settings, act: impl FnOnce(&Stores<'_>) -> T) -> T {
    act(&Stores::new(&context.paths, &TerminalPrompter::new(true, context, settings)))
}

/// Removes keys from their stores.
fn forget(stores: &Stores<'_>, places: impl IntoIterator<Item = KeyRef>) -> Result<(), Problem> {
    places.into_iter().try_for_each(|place| stores.remove(&place).map_err(|no| no.problem(&place)))
}

/// Returns the record of a profile.
fn stored(context: &Context, profile: &str) -> Result<Record, Problem> {
    Record::load(&context.paths, profile)?.ok_or_else(|| {
        Problem::new(format!("no keys are stored for profile {profile}")).hint("`awsrole keys list` lists stored keys")
    })
}

/// Returns the STS endpoint for a profile.
fn endpoint(profile: &str, context: &Context) -> Result<Endpoint, Problem> {
    endpoint_of(&Profiles::load(context)?, context, profile)
}

/// Makes every shell check its role again.
fn look_again(context: &Context) -> Result<(), Problem> {
    awsrole_core::shell::generation::bump(&context.paths, context.now).map_err(|e| super::common::file_problem(&e))
}
