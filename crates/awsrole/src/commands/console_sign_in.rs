//! Signs in with the AWS console, for profiles with `login_session`.

use awsrole_core::aws::source::ConsoleLogin;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::generation;
use awsrole_sts::{AuthorizationRequest, ConsoleBrowser, pasted_code, sign_in_to_console};

use super::common;
use super::sign_in::{Turn, explain, listen, receive};
use crate::browser::Browser;
use crate::cli::SignInOptions;
use crate::interrupt::Interruptible;
use crate::report::CommandError;
use crate::terminal::{NoAnswer, Terminal};
use awsrole_system::print::print_notice;

/// The number of attempts to enter a code.
const ATTEMPTS: u32 = 3;

/// Signs in to the session of a profile. All shells notice it at their next prompts.
///
/// If another terminal is signing in to the same session, waits for it and uses its result.
///
/// # Errors
/// Fails if the sign-in is refused, denied or not completed in time, if the user signs in as another identity, and if
/// the token can't be written. Ctrl-C ends the process.
pub(super) fn run(
    login: &ConsoleLogin,
    options: SignInOptions,
    outer: &Context,
    settings: &Settings,
) -> Result<(), CommandError> {
    let _interruptible = Interruptible::with_notice("sign-in cancelled");
    let Some(_turn) = Turn::wait(&login.token_file, &login.profile, outer)? else {
        print_notice(format!("signed in to {} in another terminal", login.profile));
        return Ok(());
    };
    let browser = Browser::of(outer, settings);
    let signed_in = common::with_remote(outer, settings, |sts| match listen(options, &browser, outer) {
        Some(callback) => {
            let uri = callback.redirect_uri();
            sign_in_to_console(sts, login, ConsoleBrowser::Here(&uri), &|request| {
                let code = receive(request, &login.profile, &callback, &browser);
                code.map_err(|error| explain(failure(login).because(&error), &error))
            })
        }
        None => sign_in_to_console(sts, login, ConsoleBrowser::Elsewhere, &|request| ask(request, login)),
    });
    signed_in.map_err(CommandError::aws)?;
    generation::bump(&outer.paths, outer.now).map_err(|e| common::file_problem(&e))?;
    print_notice(format!("signed in to {} as {}", login.profile, login.session));
    Ok(())
}

/// Prompts for the code that the page shows in a browser on another device.
fn ask(request: &AuthorizationRequest, login: &ConsoleLogin) -> Result<Secret, Problem> {
    let no_code = |why| match why {
        NoAnswer::NoTerminal => failure(login)
            .because("there is no terminal for the code that the browser shows")
            .hint("run `awsrole login` in a terminal"),
        NoAnswer::Cancelled => failure(login).because("the prompt was cancelled").hint("run `awsrole login` again"),
    };
    let terminal = Terminal::open().map_err(no_code)?;
    print_notice(format!(
        "sign in to {} in any browser, and copy the code that it shows: {}",
        login.profile, request.url
    ));
    for attempt in 1..=ATTEMPTS {
        let text = terminal.ask("awsrole: code from the browser: ").map_err(no_code)?;
        if let Some(code) = pasted_code(&text, &request.state) {
            return Ok(code);
        }
        if attempt < ATTEMPTS {
            print_notice("this isn't the code of this sign-in: copy all of it and try again");
        }
    }
    Err(failure(login).because("the input isn't the code of this sign-in").hint("run `awsrole login` again"))
}

fn failure(login: &ConsoleLogin) -> Problem {
    Problem::new(format!("cannot sign in to the console for profile {}", login.profile))
}
