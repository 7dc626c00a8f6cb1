//! Signs in to IAM Identity Center, for every command that needs a sign-in.

use std::path::Path;
use std::time::Duration;

use awsrole_core::aws::sso_session::SsoSession;
use awsrole_core::base::context::Context;
use awsrole_core::base::files::read_regular;
use awsrole_core::base::lock::{self, Lock, LockError};
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use awsrole_core::settings::account_names;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::generation;
use awsrole_sts::{
    AuthorizationRequest, DeviceAuthorization, RemoteSts, account_names, sign_in_by_code, sign_in_by_device,
};
use zeroize::Zeroizing;

use crate::browser::{Browser, Callback, CallbackError, OpenError};
use crate::cli::SignInOptions;
use crate::interrupt::Interruptible;
use crate::report::CommandError;
use awsrole_system::print::print_notice;

/// The time within which the browser must return. A device code is valid for the same time.
const BROWSER_TIMEOUT: Duration = Duration::from_secs(600);

/// The time for which a terminal waits for the sign-in of another one, which ends before.
const TURN_TIMEOUT: Duration = Duration::from_secs(660);

/// The largest token file that is compared, in bytes.
const MAX_BYTES: u64 = 256 * 1024;

/// Signs in to a session. All shells notice it at their next prompts.
///
/// If another terminal is signing in to the same session, waits for it and uses its token.
///
/// # Errors
/// Fails if the sign-in is refused, denied or not completed in time, and if the token can't be written. Ctrl-C ends the
/// process.
pub(super) fn run(
    session: &SsoSession,
    options: SignInOptions,
    outer: &Context,
    settings: &Settings,
) -> Result<(), CommandError> {
    let _interruptible = Interruptible::with_notice("sign-in cancelled");
    let Some(_turn) = Turn::wait(&session.token_file, session.title(), outer)? else {
        print_notice(format!("signed in to {} in another terminal", session.title()));
        return Ok(());
    };
    let browser = Browser::of(outer, settings);
    let names = super::common::with_remote(outer, settings, |sts| {
        let token = match callback(session, options, &browser, outer) {
            Some(callback) => by_code(sts, session, &callback, &browser),
            None => sign_in_by_device(sts, session, &|device| invite(device, &browser, options)),
        };
        token.map(|token| account_names(sts, session, &token))
    });
    let names = names.map_err(CommandError::aws)?;
    // Without them accounts are shown by their numbers.
    let _ = account_names::record(&outer.paths, names);
    generation::bump(&outer.paths, outer.now).map_err(|e| super::common::file_problem(&e))?;
    print_notice(format!("signed in to {}", session.title()));
    Ok(())
}

/// The right to sign in to a session, which one process has at a time.
pub(super) struct Turn(#[expect(dead_code, reason = "the lock is released when it is dropped")] Lock);

impl Turn {
    /// Waits until no other process signs in. Returns `None` if another one has signed in meanwhile.
    pub(super) fn wait(token_file: &Path, title: &str, outer: &Context) -> Result<Option<Self>, Problem> {
        let token = || read_regular(token_file, MAX_BYTES).map(Zeroizing::new).ok();
        let name = token_file.with_extension("lock");
        let path = outer.paths.state.join("sign-ins").join(name.file_name().unwrap_or_default());
        let before = token();
        match lock::acquire(&path, Duration::ZERO) {
            Ok(lock) => return Ok(Some(Self(lock))),
            Err(LockError::File(error)) => return Err(super::common::file_problem(&error)),
            Err(LockError::Busy | LockError::Asking(_)) => {}
        }
        print_notice(format!("waiting for the sign-in of another terminal to {title} …"));
        let lock = lock::acquire(&path, TURN_TIMEOUT).map_err(|error| {
            Problem::new(format!("cannot sign in to {title}"))
                .because(error)
                .hint("finish or cancel the sign-in in the other terminal")
        })?;
        let now = token();
        Ok((now.is_none() || now == before).then_some(Self(lock)))
    }
}

/// Returns the listener for a browser on this machine. `None` means that the user confirms a code.
///
/// A profile in the legacy format has no registration for the other flow (AWS CLI, `do_sso_login`).
fn callback(session: &SsoSession, options: SignInOptions, browser: &Browser, outer: &Context) -> Option<Callback> {
    session.name.as_ref().and_then(|_| listen(options, browser, outer))
}

/// Returns the listener for a browser on this machine, unless the options or the environment exclude it.
pub(super) fn listen(options: SignInOptions, browser: &Browser, outer: &Context) -> Option<Callback> {
    if options.device || options.no_browser || !browser.is_here() {
        return None;
    }
    let listening = Callback::listen(&outer.env);
    listening.map_err(|error| print_notice(format!("the browser can't return to this machine: {error}"))).ok()
}

fn by_code(
    sts: &RemoteSts<'_>,
    session: &SsoSession,
    callback: &Callback,
    browser: &Browser,
) -> Result<Secret, Problem> {
    sign_in_by_code(sts, session, &callback.redirect_uri(), &|request: &AuthorizationRequest| {
        receive(request, session.title(), callback, browser).map_err(|error| explain(session.failure(&error), &error))
    })
}

/// Opens the sign-in page, and returns the authorization code with which the browser returns.
pub(super) fn receive(
    request: &AuthorizationRequest,
    title: &str,
    callback: &Callback,
    browser: &Browser,
) -> Result<Secret, CallbackError> {
    print_notice(format!("sign in to {title} in the browser. If it does not open: {}", request.url));
    open_page(&request.url, browser);
    print_waiting(BROWSER_TIMEOUT);
    callback.receive(&request.state, BROWSER_TIMEOUT)
}

/// Adds the hint for a browser that brought no code.
pub(super) fn explain(problem: Problem, error: &CallbackError) -> Problem {
    match error {
        CallbackError::Refused(_) => problem.hint("run `awsrole login` again"),
        _ => problem.hint("`awsrole login --device` shows a code for any browser"),
    }
}

fn invite(device: &DeviceAuthorization, browser: &Browser, options: SignInOptions) {
    print_notice(format!("open {} and confirm the code {}", device.url, device.user_code));
    if !options.no_browser {
        open_page(&device.url, browser);
    }
    print_waiting(device.lasts);
}

fn print_waiting(lasts: Duration) {
    print_notice(format!(
        "waiting for your confirmation in the browser, {} at most …",
        humantime::format_duration(lasts)
    ));
}

/// Opens the page for the sign-in, while this process waits for the result.
///
/// The URL contains the code or the state, so it isn't passed as an argument: another user could sign in there as
/// themselves, and this user would work with that identity.
fn open_page(url: &str, browser: &Browser) {
    let (url, browser) = (url.to_owned(), browser.clone());
    // Errors are ignored because the URL is also printed on the terminal.
    std::thread::spawn(move || {
        if let Err(OpenError::Another(uid)) = browser.open(&url, || ()) {
            print_notice(format!(
                "another user of this machine (uid {uid}) requested the URL: nothing was sent, so open it from here"
            ));
        }
    });
}
