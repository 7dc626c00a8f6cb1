//! `awsrole use`, `on` and `off` in a shell with a module: they change only the token that the module keeps.

use std::ffi::OsString;

use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::project::discover::upward;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::state::OuterEnv;
use awsrole_core::shell::token::{BackToOuter, Token};
use awsrole_hook::{AnswerReader, print_command};
use awsrole_system::print::{print_line, print_notice};

use super::common::project_applies;
use super::use_role::{picked, profile_token, role_token};
use crate::cli::{Command, PlaceOptions};
use crate::report::{CommandError, Outcome};

/// Runs a command and prints the new token, or the old one after `--help`.
pub(super) fn run(
    reader: AnswerReader,
    token: &str,
    words: &[OsString],
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    let mut token = Token::parse(token).unwrap_or_default();
    let command = match Command::of_module(words) {
        Ok(command) => command,
        Err(error) => {
            // The module reads stdout.
            error.render().to_string().lines().for_each(print_line);
            if error.exit_code() == 0 {
                print_command(reader, &token)?;
            }
            return Ok(Outcome::Code(u8::try_from(error.exit_code()).unwrap_or(1)));
        }
    };
    let files = upward(&context.dir);
    match command {
        Command::On => token.turn_on(),
        Command::Off => {
            token.turn_off(&files);
            print_notice("off: your environment is back in this shell, until `awsrole on`");
        }
        Command::Use { none: true, .. } => {
            announce_on(&token);
            token.use_none(&files);
        }
        Command::Use { profile, set, .. } if profile.is_some() || set.account.is_some() => {
            let place = PlaceOptions { profile, set, dir: None };
            if let Some(failed) = use_profile(&mut token, &place, context, settings)? {
                return Ok(failed);
            }
        }
        Command::Use { name: Some(name), yes, .. } if name == "-" && !yes => {
            if let Some(failed) = back(&mut token, context, settings)? {
                return Ok(failed);
            }
        }
        Command::Use { name: Some(name), yes, .. } => match role_token(&name, yes, context, settings)? {
            Ok(word) => token.use_role(word, &files),
            Err(failed) => return Ok(failed),
        },
        Command::Use { .. } => {
            let picked = match picked(context, settings)? {
                Ok(picked) => picked,
                Err(failed) => return Ok(failed),
            };
            match picked.strip_prefix("--profile=") {
                None => token.use_role(picked, &files),
                Some(name) => {
                    let place = PlaceOptions { profile: Some(name.to_owned()), ..PlaceOptions::default() };
                    if let Some(failed) = use_profile(&mut token, &place, context, settings)? {
                        return Ok(failed);
                    }
                }
            }
        }
        _ => return Err(Problem::new("this command doesn't change the shell").into()),
    }
    print_command(reader, &token)?;
    Ok(Outcome::Done)
}

/// Chooses a profile. Returns the outcome if its role cannot be assumed.
fn use_profile(
    token: &mut Token,
    place: &PlaceOptions,
    context: &Context,
    settings: &Settings,
) -> Result<Option<Outcome>, CommandError> {
    match profile_token(place, context, settings)? {
        Ok(word) => {
            announce_on(token);
            token.use_profile(word);
            Ok(None)
        }
        Err(failed) => Ok(Some(failed)),
    }
}

/// Says that an option ends `awsrole off`. In a project the shell then gets the project's role, which the option does
/// not name.
fn announce_on(token: &Token) {
    if token.off {
        print_notice("on: awsrole is active again in this shell");
    }
}

/// Goes back to the role, the profile or the environment before the last `awsrole use`. Returns the outcome if the role
/// cannot be assumed.
fn back(token: &mut Token, context: &Context, settings: &Settings) -> Result<Option<Outcome>, CommandError> {
    let files = upward(&context.dir);
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let project_applies = project_applies(&outer, settings);
    if token.knows_profiles() && !project_applies {
        token.exchange_profiles();
        return Ok(None);
    }
    match token.role_before(&files) {
        // Where the file doesn't apply, there is no role to leave.
        Err(BackToOuter) if !project_applies => token.use_role(String::new(), &files),
        Ok(None) => token.use_role(String::new(), &files),
        Ok(Some(name)) => match role_token(&name, false, context, settings)? {
            Ok(word) => token.use_role(word, &files),
            Err(failed) => return Ok(Some(failed)),
        },
        Err(BackToOuter) => {
            print_notice("your environment is back: `awsrole use -` assumes the role again");
            token.turn_off(&files);
        }
    }
    Ok(None)
}
