//! `awsrole console`: opens the AWS console with the directory's role.

use std::time::Duration;

use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::session::console::{Console, DURATION, SessionKind, check_arn, session_kind};
use awsrole_core::session::history::Recipient;
use awsrole_core::settings::user_config::Settings;
use awsrole_sts::sign_in_token;

use super::held::{PlannedRole, Wanted};
use crate::browser::{Browser, OpenError, Opened};
use crate::report::{CommandError, Outcome};
use awsrole_system::print::{out, print_notice};

pub(super) fn run(
    print: bool,
    service: Option<&str>,
    duration: Option<Duration>,
    wanted: Wanted,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    let planned = PlannedRole::of(wanted, context, settings)?;
    // This check precedes any prompt, such as that for an MFA code.
    let kind = session_kind(&planned.target.plan)?;
    let console = Console::of(&planned.target.plan, service, &planned.target.outer.env)?;
    let duration = lasting(&kind, duration, &planned.target.plan.title())?;
    let held = planned.get(Recipient::Console, context, settings)?;
    let token = super::common::with_remote(&held.target.outer, settings, |sts| {
        if kind == SessionKind::Unknown {
            let arn = awsrole_core::session::sts::Sts::caller_arn(sts, &held.credentials, &held.target.plan.endpoint);
            let arn = arn.map_err(|error| {
                Problem::new(format!("cannot determine the identity of {}", held.target.plan.title())).because(error)
            })?;
            check_arn(&held.target.plan.source.to_string(), &arn)?;
        }
        let ca_bundle = held.target.plan.endpoint.ca_bundle.as_ref();
        sign_in_token(
            sts,
            &console.federation,
            ca_bundle,
            held.credentials.temporary(&held.target.plan.source)?,
            duration,
        )
    });
    let address = console.address(&token.map_err(|problem| CommandError::aws(held.target.with_options(problem)))?);
    if print {
        out(&address)?;
        out("\n")?;
        return Ok(Outcome::Done);
    }
    let instead = held.target.command("console --print");
    let tell = || print_notice(format!("waiting for the browser … If it does not open: {instead}"));
    let browser = Browser::of(&held.target.outer, settings);
    let opened = browser.open(&address, tell).map_err(|why| open_error(&why, &instead))?;
    let account = held.credentials.account().or_else(|| held.target.plan.account());
    let account = account.map(|account| format!(" in {}", held.accounts.shown(&account))).unwrap_or_default();
    let whose = format!("{}{account}", held.target.plan.title());
    print_notice(match opened {
        Opened::Delivered => format!("opened the console as {whose} in the browser"),
        Opened::BrowserStarted => format!("started a browser for the console as {whose}"),
    });
    Ok(Outcome::Done)
}

/// Returns the error that no browser received the URL. Nobody else received it either. `instead` is the command that
/// prints it.
fn open_error(why: &OpenError, instead: &str) -> Problem {
    let summary = match why {
        OpenError::Another(_) => "another user of this machine requested the console URL: nothing was sent",
        OpenError::Unknown => "the console URL was not sent",
        OpenError::Failed(_) | OpenError::NoConnection => "no browser requested the console URL",
    };
    Problem::new(summary)
        .because(why)
        .hint(format!("{instead} prints the URL, which signs in anyone who opens it within 15 minutes"))
}

/// Returns the duration of the console session, if it can have one of its own.
fn lasting(kind: &SessionKind, asked: Option<Duration>, title: &str) -> Result<Option<Duration>, Problem> {
    match (kind, asked) {
        (_, Some(asked)) if !DURATION.contains(&asked) => {
            Err(Problem::new("--duration: a console session lasts 15m to 12h").hint("such as --duration 4h"))
        }
        (SessionKind::Role, None) => Ok(Some(*DURATION.end())),
        (SessionKind::Role, asked) => Ok(asked),
        (_, None) => Ok(None),
        (_, Some(_)) => Err(Problem::new(format!("cannot set a duration for the console session of {title}"))
            .because("AWS accepts no duration for role chaining, and using an MFA session counts as such")
            .hint("omit --duration: the session then lasts as long as the credentials")),
    }
}
