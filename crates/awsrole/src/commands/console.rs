//! `awsrole console`: the AWS console as the directory's role.

use std::time::Duration;

use awsrole_core::console::{Console, DURATION, Standing, check_arn, standing};
use awsrole_core::context::Context;
use awsrole_core::history::What;
use awsrole_core::problem::Problem;
use awsrole_sts::sign_in_token;

use super::held::Planned;
use crate::report::{Failure, Outcome, out, say};
use crate::{ambient, browser};

pub(super) fn run(
    print: bool,
    service: Option<&str>,
    duration: Option<Duration>,
    role: Option<&str>,
    context: &Context,
) -> Result<Outcome, Failure> {
    let planned = Planned::of(role, context)?;
    // Before anything is asked for, a code perhaps.
    let standing = standing(&planned.plan)?;
    let console = Console::of(&planned.plan, service, &planned.outer.env)?;
    let duration = lasting(&standing, duration, &planned.plan.title())?;
    let held = planned.get(What::Console, None, context)?;
    let token = super::with_remote(&held.outer, |sts| {
        if standing == Standing::Unknown {
            let arn = awsrole_core::sts::Sts::caller_arn(sts, &held.credentials, &held.plan.endpoint);
            let arn =
                arn.map_err(|error| Problem::new(format!("nobody says who {} is", held.plan.title())).because(error))?;
            check_arn(&held.plan.title(), &arn)?;
        }
        sign_in_token(sts, &console.federation, held.credentials.temporary(&held.plan.source)?, duration)
    });
    let address = console.address(&token.map_err(Failure::aws)?);
    if print {
        out(&address)?;
        out("\n")?;
        return Ok(Outcome::Done);
    }
    let path = ambient::unguessable().map_err(|e| Problem::new("the system has no randomness").because(e))?;
    browser::lead(&address, &path, &held.outer.env).map_err(|e| {
        Problem::new("no browser came for the console's address")
            .because(e)
            .hint("`awsrole console --print` prints it; whoever opens it within 15 minutes is signed in")
    })?;
    let account = held.credentials.account().or_else(|| held.plan.account());
    let account = account.map(|account| format!(" in {}", held.accounts.shown(&account))).unwrap_or_default();
    say(format!("the browser has the console as {}{account}", held.plan.title()));
    Ok(Outcome::Done)
}

/// The console session's own duration, where it may have one.
fn lasting(standing: &Standing, asked: Option<Duration>, title: &str) -> Result<Option<Duration>, Problem> {
    match (standing, asked) {
        (_, Some(asked)) if !DURATION.contains(&asked) => {
            Err(Problem::new("--duration: a console session lasts 15m to 12h").hint("such as --duration 4h"))
        }
        (Standing::Role, None) => Ok(Some(*DURATION.end())),
        (Standing::Role, asked) => Ok(asked),
        (_, None) => Ok(None),
        (_, Some(_)) => Err(Problem::new(format!("the console session of {title} can't be given a duration"))
            .because("its credentials were got with temporary ones (role chaining; an MFA session counts), and AWS takes none then")
            .hint("without --duration it lasts as long as the credentials")),
    }
}
