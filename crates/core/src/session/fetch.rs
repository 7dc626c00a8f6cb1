//! Fetches a plan's credentials by calling STS for each step of the role chain that isn't cached.

use std::cell::{Cell, OnceCell, RefCell};
use std::time::{Duration, SystemTime};

use crate::aws::access_keys::AccessKeyStores;
use crate::aws::credentials::Credentials;
use crate::aws::mfa::{Authenticator, NeverAsk};
use crate::aws::source::{Source, Sources};
use crate::aws::time::rfc3339;
use crate::base::cache_key_backend::KeyUnavailable;
use crate::base::files::FileError;
use crate::base::lock::{Lock, LockError};
use crate::base::problem::Problem;
use crate::plan::account_pin;
use crate::plan::role_plan::{RolePlan, Step};
use crate::session::advice::{self, FailedCall};
use crate::session::cache::{Cache, Entry, Failure, FailureKind, PlanKeys, Stored, Trigger};
use crate::session::lookup::{BLOCKING_RENEWAL_THRESHOLD, Lookup, MIN_REMAINING, ObtainOptions, Obtained, lookup};
use crate::session::sts::Sts;
use crate::settings::accounts::Accounts;

/// The time to wait for another process that fetches the same credentials.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(20);

/// The age from which an MFA session may be too old for a trust policy with `aws:MultiFactorAuthAge`.
pub const MFA_AGE_RETRY_THRESHOLD: Duration = Duration::from_secs(300);

/// External services that credentials are fetched from.
#[derive(Clone, Copy)]
pub struct Providers<'a> {
    /// STS.
    pub sts: &'a dyn Sts,
    /// The sources of initial credentials.
    pub sources: &'a dyn Sources,
    /// The stores of long-lived keys.
    pub keys: &'a dyn AccessKeyStores,
    /// The provider of MFA codes and sign-ins.
    pub authenticator: &'a dyn Authenticator,
    /// The user's names for accounts, for messages.
    pub accounts: &'a Accounts,
    /// The clock. A call or a prompt may take so long that cached credentials expire.
    pub clock: fn() -> SystemTime,
    /// The command that sets the clock, for messages.
    pub clock_command: &'static str,
}

/// Returns the credentials of a plan from the cache, or fetches them.
///
/// # Errors
/// Returns a cached failure, or the error of [`fetch`].
pub fn obtain(
    plan: &RolePlan,
    cache: &Cache,
    providers: Providers<'_>,
    options: ObtainOptions,
) -> Result<Obtained, ObtainError> {
    match lookup(plan, cache, options) {
        Lookup::Hit(obtained) => Ok(*obtained),
        Lookup::Failed(problem) => Err(problem.into()),
        Lookup::Miss => fetch(plan, cache, providers, options),
    }
}

/// Fetches the credentials of a plan that aren't cached.
///
/// It starts after the last step whose result is cached. Each result is stored separately. If several processes fetch
/// the same credentials, only one makes the call. The others wait for its result or failure.
///
/// # Errors
/// Fails if a source, STS or the user refuses, or if the cache can't be used. Credentials that should have been renewed
/// but are still valid are returned instead, with the problem.
pub fn fetch(
    plan: &RolePlan,
    cache: &Cache,
    providers: Providers<'_>,
    options: ObtainOptions,
) -> Result<Obtained, ObtainError> {
    let steps = plan.steps.len();
    let fetcher = ChainFetcher::new(plan, cache, providers, options);
    let before = fetcher.session(steps);
    let done = |credentials: Credentials, problem: Option<Problem>| -> Result<Obtained, ObtainError> {
        account_pin::check_result(plan, &credentials)?;
        let (prompted, not_cached) = (fetcher.prompted.take(), fetcher.not_cached.take());
        let fresh = problem.is_none();
        let key = fetcher.session(steps);
        Ok(Obtained { credentials, problem, due: false, fresh, prompted, key, not_cached })
    };
    let failed = match fetcher.credentials_after(steps) {
        Ok(credentials) => {
            credentials.temporary(&plan.source)?;
            return done(credentials, None);
        }
        Err(failed) => failed,
    };
    match options.still_valid(plan, cache, &fetcher.keys.borrow(), &before, failed.kind, fetcher.now()) {
        Some(entry) => done(entry.credentials, Some(failed.problem)),
        None => Err(failed.into()),
    }
}

/// Returns the credentials of a plan for awsrole's own calls. They may be long-lived keys.
pub fn obtain_unexported(
    plan: &RolePlan,
    cache: &Cache,
    providers: Providers<'_>,
    options: ObtainOptions,
) -> Result<Credentials, ObtainError> {
    ChainFetcher::new(plan, cache, providers, options).credentials_after(plan.steps.len()).map_err(ObtainError::from)
}

/// Returns the ARN of the caller of a plan's first call, from GetCallerIdentity.
pub fn fetch_caller_arn(
    plan: &RolePlan,
    cache: &Cache,
    providers: Providers<'_>,
    options: ObtainOptions,
) -> Result<String, ObtainError> {
    let fetcher = ChainFetcher::new(plan, cache, providers, options);
    let credentials = fetcher.credentials_after(0)?;
    let arn = providers.sts.caller_arn(&credentials, &plan.endpoint);
    arn.map_err(|error| {
        advice::explain(&FailedCall { identity: true, ..fetcher.of_call(0, &credentials) }, &error).into()
    })
}

/// The reason why there are no credentials.
pub struct ObtainError {
    /// The problem for the user.
    pub problem: Problem,
    /// Whether the cause is on this machine and not in AWS.
    pub is_local: bool,
}

impl From<Problem> for ObtainError {
    fn from(problem: Problem) -> Self {
        Self { problem, is_local: false }
    }
}

impl From<FetchError> for ObtainError {
    fn from(failed: FetchError) -> Self {
        Self { problem: failed.problem, is_local: failed.is_local }
    }
}

/// A failure and its cache lifetime. `None` means that it isn't cached.
struct FetchError {
    problem: Problem,
    kind: Option<FailureKind>,
    is_local: bool,
}

impl FetchError {
    fn uncached(problem: Problem) -> Self {
        Self { problem, kind: None, is_local: false }
    }

    fn cacheable(problem: Problem, kind: FailureKind) -> Self {
        Self { problem, kind: Some(kind), is_local: false }
    }

    /// Returns the error for a cache that can't be used.
    fn local(error: &FileError) -> Self {
        let problem =
            Problem::new("cannot use the cache of temporary credentials, without which each prompt calls STS");
        let problem = problem.because(error).hint(error.hint());
        Self { problem, kind: None, is_local: true }
    }
}

/// Fetches the results of a plan's steps, each at most once.
struct ChainFetcher<'a> {
    plan: &'a RolePlan,
    cache: &'a Cache,
    providers: Providers<'a>,
    options: ObtainOptions,
    /// The locks that are held, from the last step down to the one being fetched, so that no two processes acquire them
    /// in different orders.
    locks: RefCell<Vec<Lock>>,
    /// Whether the user entered an MFA code or signed in.
    prompted: RefCell<bool>,
    /// Keys from a store, so that it prompts only once.
    stored_keys: OnceCell<Credentials>,
    /// The cache keys, updated after each response of the source.
    keys: RefCell<PlanKeys<'a>>,
    /// The reasons why the last result isn't cached.
    not_cached: RefCell<Vec<KeyUnavailable>>,
    /// The number of steps after which the cached session is too old for the next step. The session remains valid for
    /// other roles, so it isn't marked in the cache before a new one replaces it.
    too_old: Cell<Option<usize>>,
}

impl<'a> ChainFetcher<'a> {
    fn new(plan: &'a RolePlan, cache: &'a Cache, providers: Providers<'a>, options: ObtainOptions) -> Self {
        let keys = RefCell::new(cache.keys(plan));
        let authenticator = if plan.agent.is_some() { &NeverAsk } else { providers.authenticator };
        let providers = Providers { authenticator, ..providers };
        let (locks, prompted, stored_keys, not_cached, too_old) = Default::default();
        Self { plan, cache, providers, options, locks, prompted, stored_keys, keys, not_cached, too_old }
    }

    fn session(&self, count: usize) -> String {
        self.keys.borrow().session(count)
    }

    /// Recomputes the cache keys, because this or another process may have called the source or renewed a sign-in.
    fn update_keys(&self) {
        self.keys.replace(self.cache.keys(self.plan));
    }

    /// Returns the failure that prevents another attempt: a logout from the session, or a failure to fetch it.
    fn failure(&self, count: usize, trigger: Trigger) -> Option<Failure> {
        self.cache.failure_after(&self.keys.borrow(), count, self.options.now, trigger)
    }

    /// Returns the current time, after all calls and prompts.
    fn now(&self) -> SystemTime {
        (self.providers.clock)()
    }

    fn cached(&self, count: usize) -> Option<Credentials> {
        let entry = self.cache.load(&self.session(count), self.options.now);
        let entry = entry.filter(|entry| self.options.is_good(self.plan, count, entry));
        entry.filter(|entry| !self.is_too_old(count, entry)).map(|entry| entry.credentials)
    }

    /// Returns whether a session was refused, probably because of its age, and not replaced since.
    fn is_too_old(&self, count: usize, entry: &Entry) -> bool {
        let age = self.options.now.duration_since(entry.credentials.issued).unwrap_or_default();
        self.too_old.get() == Some(count) && age > MFA_AGE_RETRY_THRESHOLD
    }

    /// Returns the credentials after the first `count` steps. With 0 it returns those of the source.
    fn credentials_after(&self, count: usize) -> Result<Credentials, FetchError> {
        if let (0, Source::StaticKeys(keys)) = (count, &self.plan.source) {
            let mut credentials = keys.credentials();
            let exported = self.plan.steps.is_empty() && credentials.session_token.is_some();
            if exported && self.plan.needs_account() {
                credentials.arn = Some(self.caller_arn(&credentials)?);
            }
            return Ok(credentials);
        }
        if let (0, Source::StoredKeys(place)) = (count, &self.plan.source) {
            return self.load_stored_keys(place);
        }
        if let Some(credentials) = self.cached(count) {
            return Ok(credentials);
        }
        let lock = self.cache.lock(&self.keys.borrow().lock(count), LOCK_TIMEOUT);
        self.locks.borrow_mut().push(lock.map_err(|error| self.lock_error(error))?);
        self.update_keys();
        let result = self.fetch_locked(count);
        // The failure is cached before the lock is released. Otherwise the next process would make the same call.
        let remembered = match &result {
            Err(FetchError { problem, kind: Some(kind), .. }) if count == self.plan.steps.len() => {
                let name = self.keys.borrow().failure(count);
                self.cache.remember(&name, self.now(), *kind, problem)
            }
            _ => Ok(()),
        };
        self.locks.borrow_mut().pop();
        // If renewing an intermediate session fails, keep using the cached one until it expires.
        if let (Err(failed), true) = (&result, count < self.plan.steps.len())
            && !failed.is_local
            && let Some(entry) = self.cache.load(&self.session(count), self.now())
            && !self.is_too_old(count, &entry)
            && entry.credentials.remaining(self.now()) > BLOCKING_RENEWAL_THRESHOLD
        {
            return Ok(entry.credentials);
        }
        remembered.map_err(|e| FetchError::local(&e)).and(result)
    }

    fn fetch_locked(&self, count: usize) -> Result<Credentials, FetchError> {
        // The previous holder of the lock may have fetched the credentials or failed.
        if let Some(credentials) = self.cached(count) {
            return Ok(credentials);
        }
        if let Some(failure) = self.failure(count, self.options.trigger) {
            return Err(FetchError::uncached(failure.problem));
        }
        let before = self.session(count);
        let mut credentials = match count.checked_sub(1) {
            None => self.fetch_source()?,
            Some(index) => {
                let caller = self.credentials_after(index)?;
                // The source may have returned keys whose session is cached.
                if self.session(count) != before
                    && let Some(credentials) = self.cached(count)
                {
                    return Ok(credentials);
                }
                self.call(index, caller)?
            }
        };
        // A long-lived key with a session token would be mistaken for a temporary one, so it is neither cached nor used
        // in a call.
        let refused = |problem| FetchError::cacheable(problem, FailureKind::Refused);
        if credentials.session_token.is_some() {
            credentials.temporary(&self.plan.source).map_err(refused)?;
        }
        // The machine may have been suspended during the call.
        if credentials.remaining(self.now()) <= MIN_REMAINING {
            return Err(self.already_expired_error(&credentials));
        }
        let last = count == self.plan.steps.len();
        if last && credentials.arn.is_none() && self.plan.needs_account() {
            credentials.arn = Some(self.caller_arn(&credentials)?);
        }
        // Credentials for an account other than the plan's are rejected before they are cached. A pin isn't part of the
        // cached result if the plan has no account of its own: other directories may have another pin, or none.
        if last && self.plan.account().is_some() {
            account_pin::check_result(self.plan, &credentials).map_err(refused)?;
        }
        // If the user logged out in the meantime, the session must not be cached again.
        for name in [before, self.session(count)] {
            let failure = self.cache.failure(&name, self.options.now, Trigger::Background);
            if let Some(failure) = failure.filter(|failure| failure.is_logout_since(self.options.now)) {
                return Err(FetchError::uncached(failure.problem));
            }
        }
        self.store(count, &credentials);
        Ok(credentials)
    }

    /// Stores the result of a step. If the cache can't be written, the next command makes the call again.
    fn store(&self, count: usize, credentials: &Credentials) {
        let keys = self.keys.borrow();
        if !keys.are_known() {
            return;
        }
        let step = count.checked_sub(1).map(|index| &self.plan.steps[index]);
        // The program may have returned a session, which was used unchanged.
        let passed_on = |before: usize| {
            let given = self.cache.load(&keys.session(before), self.options.now);
            given.is_some_and(|given| given.credentials.access_key_id == credentials.access_key_id)
        };
        let of_user = matches!(step, Some(Step::GetSessionToken(_))) && !count.checked_sub(1).is_some_and(passed_on);
        if let Ok(Stored::NotEncrypted(reasons)) = self.cache.store(&keys.session(count), credentials, of_user) {
            self.not_cached.replace(reasons);
        }
        let _ = self.cache.forget_failure(&keys.failure(count));
    }

    /// Publishes to waiting processes which prompt is open. An empty `phrase` clears it.
    fn announce(&self, phrase: &str) {
        for lock in self.locks.borrow().iter() {
            lock.announce(phrase);
        }
    }

    fn already_expired_error(&self, credentials: &Credentials) -> FetchError {
        let title = self.plan.title();
        let ended = credentials.expiration.map(rfc3339).unwrap_or_default();
        let problem = Problem::new(format!("credentials for {title} had already expired when received"))
            .because(format!("they expired at {ended}, and this machine's clock shows {}", rfc3339(self.now())))
            .hint("check the clock (`date -u`), then run `awsrole refresh`");
        FetchError::cacheable(problem, FailureKind::Transient)
    }

    fn lock_error(&self, error: LockError) -> FetchError {
        let title = self.plan.title();
        FetchError::uncached(match error {
            LockError::File(error) => return FetchError::local(&error),
            LockError::Asking(phrase) => Problem::new(format!("cannot get {title} yet: {phrase}"))
                .hint("answer the prompt there, and this shell continues at its next prompt"),
            LockError::Busy => {
                let seconds = LOCK_TIMEOUT.as_secs();
                Problem::new(format!(
                    "cannot get {title}: timed out after {seconds} s waiting for another awsrole process"
                ))
                .hint("end that process, or run `awsrole refresh` when it has finished")
            }
        })
    }
}

mod call;
mod source;
