//! From a plan to new credentials: step by step, from those that are still cached.

use std::cell::{OnceCell, RefCell};
use std::time::{Duration, SystemTime};

use crate::aws::access_keys::{AccessKeyStores, KeyRef};
use crate::aws::credentials::Credentials;
use crate::aws::mfa::Authenticator;
use crate::aws::source::{Source, Sources, StaticKeys};
use crate::aws::time::rfc3339;
use crate::base::cache_key_backend::KeyUnavailable;
use crate::base::digest::sha256;
use crate::base::files::FileError;
use crate::base::lock::{Lock, LockError};
use crate::base::problem::Problem;
use crate::plan::account_pin;
use crate::plan::role_plan::{RolePlan, Step};
use crate::session::advice;
use crate::session::cache::{Cache, Failure, FailureKind, PlanKeys, Stored, Trigger};
use crate::session::lookup::{BLOCKING_RENEWAL_THRESHOLD, Lookup, MIN_REMAINING, ObtainOptions, Obtained, lookup};
use crate::session::sts::Sts;

/// How long to wait for another process that fetches the same credentials.
const LOCK_TIMEOUT: Duration = Duration::from_secs(20);

/// From this age on an MFA session may be too old for a trust policy with `aws:MultiFactorAuthAge`.
const MFA_AGE_RETRY_THRESHOLD: Duration = Duration::from_secs(300);

/// What credentials are fetched from.
#[derive(Clone, Copy)]
pub struct Providers<'a> {
    /// STS.
    pub sts: &'a dyn Sts,
    /// The sources of first credentials.
    pub sources: &'a dyn Sources,
    /// The stores of long-lived keys.
    pub keys: &'a dyn AccessKeyStores,
    /// The person with an MFA device, or a program that prints codes.
    pub authenticator: &'a dyn Authenticator,
    /// The clock: a call or a prompt may take so long that what was valid has expired.
    pub clock: fn() -> SystemTime,
}

/// Returns the credentials of a plan: from the cache if they are there, and fetched otherwise.
///
/// # Errors
/// A remembered failure, or what [`fetch`] says.
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
/// It starts at the last step whose result is cached; each result is stored by itself. Any number of processes that
/// fetch the same credentials make one call: the others wait, and take the result or the failure.
///
/// # Errors
/// What a source, STS or the person refused, and a cache that can't be used. Credentials that should have been
/// renewed but are still valid are returned instead, with the problem.
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
        let (mfa_prompted, not_cached) = (fetcher.mfa_prompted.take(), fetcher.not_cached.take());
        let fresh = problem.is_none();
        let key = fetcher.session(steps);
        Ok(Obtained { credentials, problem, due: false, fresh, mfa_prompted, key, not_cached })
    };
    let failed = match fetcher.credentials_after(steps) {
        Ok(credentials) => {
            credentials.temporary(&plan.source)?;
            return done(credentials, None);
        }
        Err(failed) => failed,
    };
    match options.still_valid(cache, &fetcher.keys.borrow(), &before, failed.kind, fetcher.now()) {
        Some(entry) => done(entry.credentials, Some(failed.problem)),
        None => Err(failed.into()),
    }
}

/// The credentials at the end of a plan, for calls of awsrole's own: here they may be long-lived keys.
pub fn obtain_unexported(
    plan: &RolePlan,
    cache: &Cache,
    providers: Providers<'_>,
    options: ObtainOptions,
) -> Result<Credentials, ObtainError> {
    ChainFetcher::new(plan, cache, providers, options).credentials_after(plan.steps.len()).map_err(ObtainError::from)
}

/// The ARN of who makes a plan's first call, from GetCallerIdentity.
pub fn fetch_caller_arn(
    plan: &RolePlan,
    cache: &Cache,
    providers: Providers<'_>,
    options: ObtainOptions,
) -> Result<String, ObtainError> {
    let fetcher = ChainFetcher::new(plan, cache, providers, options);
    let credentials = fetcher.credentials_after(0)?;
    let arn = providers.sts.caller_arn(&credentials, &plan.endpoint);
    arn.map_err(|error| advice::explain_identity(plan, &credentials, &error, options.now).into())
}

/// Why there are no credentials.
pub struct ObtainError {
    /// What is wrong.
    pub problem: Problem,
    /// It is wrong on this machine; AWS has no part in it.
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

/// A failure, and how long it is to be believed; `None`: not at all.
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

    /// The cache can't be used.
    fn local(error: &FileError) -> Self {
        let problem = Problem::new("the cache of temporary credentials can't be used").because(error).hint(
            "without it every prompt would ask STS; make the directory writable for you, and see that the disk isn't full",
        );
        Self { problem, kind: None, is_local: true }
    }
}

/// Fetches the results of a plan's steps, each at most once.
struct ChainFetcher<'a> {
    plan: &'a RolePlan,
    cache: &'a Cache,
    providers: Providers<'a>,
    options: ObtainOptions,
    /// Held from the last link down to the one being asked for, so that no two processes can hold
    /// them in different orders.
    locks: RefCell<Vec<Lock>>,
    mfa_prompted: RefCell<bool>,
    /// Keys that a store gave: one question is enough.
    load_stored_keys: OnceCell<Credentials>,
    /// The names of the results, as of the source's last answer.
    keys: RefCell<PlanKeys<'a>>,
    /// Why the last result isn't cached.
    not_cached: RefCell<Vec<KeyUnavailable>>,
}

impl<'a> ChainFetcher<'a> {
    fn new(plan: &'a RolePlan, cache: &'a Cache, providers: Providers<'a>, options: ObtainOptions) -> Self {
        let keys = RefCell::new(cache.keys(plan));
        let (locks, mfa_prompted, load_stored_keys, not_cached) = Default::default();
        Self { plan, cache, providers, options, locks, mfa_prompted, load_stored_keys, keys, not_cached }
    }

    fn session(&self, count: usize) -> String {
        self.keys.borrow().session(count)
    }

    /// Makes the names anew: another process, or this one, may have asked the source or renewed a sign-in.
    fn update_keys(&self) {
        self.keys.replace(self.cache.keys(self.plan));
    }

    /// The failure that stands for another try: that the user logged out of the session, or one of fetching it.
    fn failure(&self, count: usize, trigger: Trigger) -> Option<Failure> {
        self.cache.failure_after(&self.keys.borrow(), count, self.options.now, trigger)
    }

    /// The time after all that was waited for.
    fn now(&self) -> SystemTime {
        (self.providers.clock)()
    }

    fn cached(&self, count: usize) -> Option<Credentials> {
        let entry = self.cache.load(&self.session(count), self.options.now);
        entry.filter(|entry| self.options.is_good(self.plan, count, entry)).map(|entry| entry.credentials)
    }

    /// The credentials after the first `count` steps; 0 is the source.
    fn credentials_after(&self, count: usize) -> Result<Credentials, FetchError> {
        if let (0, Source::StaticKeys(keys)) = (count, &self.plan.source) {
            let mut credentials = keys.credentials();
            let exported = self.plan.steps.is_empty() && credentials.session_token.is_some();
            if exported && self.plan.pin.is_some() {
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
        // Before the lock is given back, lest the next one who waits for it asks again.
        let remembered = match &result {
            Err(FetchError { problem, kind: Some(kind), .. }) if count == self.plan.steps.len() => {
                let name = self.keys.borrow().failure(count);
                self.cache.remember(&name, self.now(), *kind, problem)
            }
            _ => Ok(()),
        };
        self.locks.borrow_mut().pop();
        // An inner link that can't be renewed serves to its end.
        if let (Err(failed), true) = (&result, count < self.plan.steps.len())
            && !failed.is_local
            && let Some(entry) = self.cache.load(&self.session(count), self.now()).filter(|entry| !entry.stale)
            && entry.credentials.remaining(self.now()) > BLOCKING_RENEWAL_THRESHOLD
        {
            return Ok(entry.credentials);
        }
        remembered.map_err(|e| FetchError::local(&e)).and(result)
    }

    fn fetch_locked(&self, count: usize) -> Result<Credentials, FetchError> {
        // Whoever had the lock may have brought it, or learned that it can't be had.
        if let Some(credentials) = self.cached(count) {
            return Ok(credentials);
        }
        if let Some(failure) = self.failure(count, self.options.trigger) {
            return Err(FetchError::uncached(failure.problem));
        }
        let before = self.session(count);
        let mut credentials = match count.checked_sub(1) {
            None => self.ask_source()?,
            Some(index) => {
                let caller = self.credentials_after(index)?;
                // The source may have answered with keys whose session is cached.
                if self.session(count) != before
                    && let Some(credentials) = self.cached(count)
                {
                    return Ok(credentials);
                }
                self.call(index, caller)?
            }
        };
        // A long-term key with a token would pass for a temporary one: it goes neither into the cache nor into a call.
        if credentials.session_token.is_some() {
            let refused = |problem| FetchError::cacheable(problem, FailureKind::Refused);
            credentials.temporary(&self.plan.source).map_err(refused)?;
        }
        // The machine may have slept over the answer.
        if credentials.remaining(self.now()) <= MIN_REMAINING {
            return Err(self.already_expired_error(&credentials));
        }
        let last = count == self.plan.steps.len();
        if last && credentials.arn.is_none() && self.plan.pin.is_some() {
            credentials.arn = Some(self.caller_arn(&credentials)?);
        }
        // An answer for another account than the plan itself names is none. A pin where the plan names no account
        // isn't a part of what is cached: other directories may pin another one, or none.
        if last && self.plan.account().is_some() {
            let refused = |problem| FetchError::cacheable(problem, FailureKind::Refused);
            account_pin::check_result(self.plan, &credentials).map_err(refused)?;
        }
        // Whoever logged out meanwhile doesn't want to find it again.
        for name in [before, self.session(count)] {
            let failure = self.cache.failure(&name, self.options.now, Trigger::Background);
            if let Some(failure) = failure.filter(|failure| failure.is_logout_since(self.options.now)) {
                return Err(FetchError::uncached(failure.problem));
            }
        }
        self.store(count, &credentials);
        Ok(credentials)
    }

    /// Stores the result of a step. A cache that can't be written costs a call at the next command, not the role.
    fn store(&self, count: usize, credentials: &Credentials) {
        let keys = self.keys.borrow();
        if !keys.are_known() {
            return;
        }
        let step = count.checked_sub(1).map(|index| &self.plan.steps[index]);
        // What a program gave may have been a session already, which was passed on.
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

    /// Opens the store. Its keys go nowhere but into the next call: not into the cache.
    fn load_stored_keys(&self, place: &KeyRef) -> Result<Credentials, FetchError> {
        if let Some(credentials) = self.load_stored_keys.get() {
            return Ok(credentials.clone());
        }
        let ask = self.options.trigger == Trigger::User;
        let secret = self.providers.keys.secret(place, ask, &|phrase| self.announce(phrase));
        let secret = secret.map_err(|no| match no.depends_on_the_person() {
            true => FetchError::uncached(no.problem(place)),
            false => FetchError::cacheable(no.problem(place), FailureKind::Transient),
        })?;
        self.announce("");
        Ok(self.load_stored_keys.get_or_init(|| StaticKeys::long_term(place, secret).credentials()).clone())
    }

    /// Tells those who wait for the same what a person is being asked for; nothing: for nothing any more.
    fn announce(&self, phrase: &str) {
        for lock in self.locks.borrow().iter() {
            lock.announce(phrase);
        }
    }

    /// Asks the source. All roles of one Identity Center or console session share a refresh token that
    /// is good for one use: two refreshes at the same time would cost one of them its sign-in.
    fn ask_source(&self) -> Result<Credentials, FetchError> {
        let session = match &self.plan.source {
            Source::IdentityCenter(role) => Some(sha256(&[b"sso", role.start_url.as_bytes()])),
            Source::ConsoleLogin(login) => Some(sha256(&[b"login", login.session.as_bytes()])),
            _ => None,
        };
        let lock = session.map(|key| self.cache.lock(&key, LOCK_TIMEOUT)).transpose();
        let _held = lock.map_err(|error| self.lock_error(error))?;
        let failed = |problem| FetchError::cacheable(problem, FailureKind::Transient);
        let credentials = match &self.plan.source {
            Source::WebIdentity(token) => self.open_by_token(token)?,
            source => self.providers.sources.credentials(source).map_err(failed)?,
        };
        // A sign-in may have been renewed for it; and what follows is named by the keys that were given.
        self.update_keys();
        let recorded = self.cache.record_source_id(&self.session(0), &credentials.access_key_id);
        recorded.map_err(|e| FetchError::local(&e))?;
        self.update_keys();
        Ok(credentials)
    }

    fn already_expired_error(&self, credentials: &Credentials) -> FetchError {
        let title = self.plan.title();
        let ended = credentials.expiration.map(rfc3339).unwrap_or_default();
        let problem = Problem::new(format!("what came for {title} had ended before it could be used"))
            .because(format!("its end is {ended}, and by this machine's clock it is {}", rfc3339(self.now())))
            .hint("see that the clock is right (`timedatectl`); `awsrole refresh` asks again");
        FetchError::cacheable(problem, FailureKind::Transient)
    }

    fn lock_error(&self, error: LockError) -> FetchError {
        let title = self.plan.title();
        FetchError::uncached(match error {
            LockError::File(error) => return FetchError::local(&error),
            LockError::Asking(phrase) => Problem::new(format!("{title} has to wait: {phrase}"))
                .hint("answer there; this shell follows at its next prompt"),
            LockError::Busy => {
                let seconds = LOCK_TIMEOUT.as_secs();
                Problem::new(format!("another awsrole has been getting {title} for {seconds} seconds"))
                    .hint("end it, or run `awsrole refresh` when it is done")
            }
        })
    }
}

mod call;
