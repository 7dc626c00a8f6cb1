//! `awsrole console`: opens the AWS console with the directory's role.

use std::time::Duration;

use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::session::console::{Console, DURATION, SessionKind, check_arn, standing};
use awsrole_core::session::history::What;
use awsrole_core::settings::user_config::Settings;
use awsrole_sts::sign_in_token;

use super::held::PlannedRole;
use crate::browser::{self, Led, NotLed};
use crate::report::{CommandError, Outcome};
use awsrole_system::print::{out, print_notice};

pub(super) fn run(
    print: bool,
    service: Option<&str>,
    duration: Option<Duration>,
    role: Option<&str>,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    let planned = PlannedRole::of(role, context, settings)?;
    // This check precedes any prompt, such as that for an MFA code.
    let standing = standing(&planned.plan)?;
    let console = Console::of(&planned.plan, service, &planned.outer.env)?;
    let duration = lasting(&standing, duration, &planned.plan.title())?;
    let held = planned.get(What::Console, None, context, settings)?;
    let token = super::common::with_remote(&held.outer, settings, |sts| {
        if standing == SessionKind::Unknown {
            let arn = awsrole_core::session::sts::Sts::caller_arn(sts, &held.credentials, &held.plan.endpoint);
            let arn = arn.map_err(|error| {
                Problem::new(format!("cannot determine the identity of {}", held.plan.title())).because(error)
            })?;
            check_arn(&held.plan.title(), &arn)?;
        }
        let ca_bundle = held.plan.endpoint.ca_bundle.as_ref();
        sign_in_token(sts, &console.federation, ca_bundle, held.credentials.temporary(&held.plan.source)?, duration)
    });
    let address = console.address(&token.map_err(CommandError::aws)?);
    if print {
        out(&address)?;
        out("\n")?;
        return Ok(Outcome::Done);
    }
    let led = browser::lead(&address, &held.outer.env, &held.outer.paths).map_err(|why| not_led(&why))?;
    let account = held.credentials.account().or_else(|| held.plan.account());
    let account = account.map(|account| format!(" in {}", held.accounts.shown(&account))).unwrap_or_default();
    let whose = format!("{}{account}", held.plan.title());
    print_notice(match led {
        Led::There => format!("opened the console as {whose} in the browser"),
        Led::Handed => format!("started a browser for the console as {whose}"),
    });
    Ok(Outcome::Done)
}

/// Returns the error that no browser received the URL. Nobody else received it either.
fn not_led(why: &NotLed) -> Problem {
    let summary = match why {
        NotLed::Another(_) => "another user of this machine requested the console URL: nothing was sent",
        NotLed::Unknown => "the console URL was not sent",
        NotLed::Failed(_) | NotLed::NobodyCame => "no browser requested the console URL",
    };
    let problem = Problem::new(summary)
        .because(why)
        .hint("`awsrole console --print` prints the URL, which signs in anyone who opens it within 15 minutes");
    match why {
        // On WSL, the relay for the Windows browser runs as root.
        NotLed::Another(0) => {
            problem.hint("in WSL, connections of Windows browsers come from uid 0 and can't be told apart")
        }
        _ => problem,
    }
}

/// Returns the duration of the console session, if it can have one of its own.
fn lasting(standing: &SessionKind, asked: Option<Duration>, title: &str) -> Result<Option<Duration>, Problem> {
    match (standing, asked) {
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
