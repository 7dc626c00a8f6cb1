//! From a plan to credentials: from the cache, or link by link from those who know.

use std::cell::{OnceCell, RefCell};
use std::time::{Duration, SystemTime};

use crate::access_keys::{KeyStores, Place};
use crate::advice;
use crate::cache::{Cache, Entry, Failure, FailureKind, Patience, PlanKeys, Stored};
use crate::credentials::{Credentials, rfc3339};
use crate::digest::sha256;
use crate::files::FileError;
use crate::lock::{Lock, LockError};
use crate::mfa::Authenticator;
use crate::pin;
use crate::plan::{RolePlan, Step};
use crate::problem::Problem;
use crate::source::{Source, Sources, StaticKeys};
use crate::sts::Sts;
use crate::vault::Unavailable;

/// How long to wait for another process that asks for the same.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);

/// With so little left, credentials are renewed while the person waits.
const AT_THE_END: Duration = Duration::from_secs(3);

/// Credentials that end within a second are as good as ended: a command that got them would start
/// too late.
pub(crate) const LAST_SECOND: Duration = Duration::from_secs(1);

/// How far in the future an entry may have been made: another process may have started a little
/// later than this one.
const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// From this age on an MFA session may be too old for a trust policy with `aws:MultiFactorAuthAge`.
const OLD_MFA: Duration = Duration::from_secs(300);

/// Those who answer.
#[derive(Clone, Copy)]
pub struct Outside<'a> {
    /// STS.
    pub sts: &'a dyn Sts,
    /// The sources of first credentials.
    pub sources: &'a dyn Sources,
    /// The stores of long-lived keys.
    pub keys: &'a dyn KeyStores,
    /// A person with an authenticator, or a program of theirs.
    pub authenticator: &'a dyn Authenticator,
    /// The clock: what is asked of the others may take so long that what was good is over.
    pub clock: fn() -> SystemTime,
}

/// What is wanted beside the role itself.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// The time.
    pub now: SystemTime,
    /// Whether a person waits for it.
    pub patience: Patience,
    /// The life that must remain.
    pub at_least: Duration,
    /// Whether credentials that are due for renewal, but good, will do: somebody else renews them.
    pub due_will_do: bool,
}

impl Wish {
    /// What a person wants who waits for it.
    #[must_use]
    pub fn asked(now: SystemTime) -> Self {
        Self { now, patience: Patience::Asked, at_least: Duration::ZERO, due_will_do: false }
    }

    /// What is wanted by the way, with nobody waiting.
    #[must_use]
    pub fn passing(now: SystemTime) -> Self {
        Self { patience: Patience::Passing, ..Self::asked(now) }
    }
}

/// Credentials, and how they were come by.
pub struct Obtained {
    /// The credentials, checked against the pin.
    pub credentials: Credentials,
    /// Why they couldn't be renewed although they should have been.
    pub problem: Option<Problem>,
    /// They should be renewed, though they are still good.
    pub due: bool,
    /// They are new, not from the cache.
    pub fresh: bool,
    /// A code was given: other shells may want to look again.
    pub asked: bool,
    /// The name under which they are cached.
    pub key: String,
    /// Why they aren't cached: no encryption key can be stored. Empty if they are.
    pub not_cached: Vec<Unavailable>,
}

impl Obtained {
    /// Returns what the person should know of new credentials although all is well; each one line.
    #[must_use]
    pub fn notices(&self, plan: &RolePlan) -> Vec<String> {
        let not_cached = (!self.not_cached.is_empty()).then(|| {
            let reasons = Unavailable::join(&self.not_cached);
            format!(
                "this session isn't cached, since no encryption key can be stored ({reasons}): see `awsrole doctor`"
            )
        });
        plan.notices.iter().cloned().chain(not_cached).collect()
    }
}

/// Obtains the credentials of a plan.
///
/// With a good entry in the cache nothing else is touched. Otherwise the links are taken up from the
/// last one that is still cached; each result is stored by itself. Any number of processes that want
/// the same ask once: the others wait and take the result, or the failure.
pub fn obtain(plan: &RolePlan, cache: &Cache, outside: Outside<'_>, wish: Wish) -> Result<Obtained, Unobtained> {
    let count = plan.steps.len();
    let walk = Walk::new(plan, cache, outside, wish);
    let key = walk.session(count);
    let done = |credentials: Credentials, problem| {
        pin::check_result(plan, &credentials)?;
        let (asked, not_cached, key) = (walk.asked.take(), walk.not_cached.take(), walk.session(count));
        Ok(Obtained { credentials, problem, due: false, fresh: false, asked, key, not_cached })
    };
    if let Some(entry) = cache.load(&key, wish.now) {
        if walk.is_good(count, &entry) {
            return done(entry.credentials, None);
        }
        if wish.due_will_do && !entry.stale && entry.credentials.remaining(wish.now) > AT_THE_END {
            let problem = walk.failure(count, Patience::Passing).map(|failure| failure.problem);
            return done(entry.credentials, problem).map(|obtained| Obtained { due: true, ..obtained });
        }
    }
    // A session that is still good is better than none, and the reason is told. What was assumed with credentials that the
    // source has replaced since serves while nothing can be reached; but not if its new ones were refused.
    let still_valid = |kind: Option<FailureKind>| {
        let now = (outside.clock)();
        let left = |entry: &Entry| entry.credentials.remaining(now);
        let before = walk.previous_session(count).into_iter().chain([key.clone()]);
        let before = before.filter(|_| kind != Some(FailureKind::Refused));
        let mut entries = [walk.session(count)].into_iter().chain(before).filter_map(|key| cache.load(&key, now));
        entries.find(|entry| left(entry) >= wish.at_least && left(entry) > LAST_SECOND)
    };
    if let Some(failure) = walk.failure(count, wish.patience) {
        return match still_valid(Some(failure.kind())) {
            Some(entry) => done(entry.credentials, Some(failure.problem)),
            None => Err(failure.problem.into()),
        };
    }
    let failed = match walk.link(count) {
        Ok(credentials) => {
            credentials.temporary(&plan.source)?;
            return done(credentials, None).map(|obtained| Obtained { fresh: true, ..obtained });
        }
        Err(failed) => failed,
    };
    match still_valid(failed.kind) {
        Some(entry) => done(entry.credentials, Some(failed.problem)),
        None => Err(failed.into()),
    }
}

/// The credentials at the end of a plan, for calls of awsrole's own: here they may be long-lived keys.
pub fn credentials(
    plan: &RolePlan,
    cache: &Cache,
    outside: Outside<'_>,
    wish: Wish,
) -> Result<Credentials, Unobtained> {
    Walk::new(plan, cache, outside, wish).link(plan.steps.len()).map_err(Unobtained::from)
}

/// The ARN of who makes a plan's first call, from GetCallerIdentity.
pub fn caller(plan: &RolePlan, cache: &Cache, outside: Outside<'_>, wish: Wish) -> Result<String, Unobtained> {
    let walk = Walk::new(plan, cache, outside, wish);
    let credentials = walk.link(0)?;
    let arn = outside.sts.caller_arn(&credentials, &plan.endpoint);
    arn.map_err(|error| advice::explain_identity(plan, &credentials, &error, wish.now).into())
}

/// Why there are no credentials.
pub struct Unobtained {
    /// What is wrong.
    pub problem: Problem,
    /// It is wrong on this machine; AWS has no part in it.
    pub here: bool,
}

impl From<Problem> for Unobtained {
    fn from(problem: Problem) -> Self {
        Self { problem, here: false }
    }
}

impl From<Failed> for Unobtained {
    fn from(failed: Failed) -> Self {
        Self { problem: failed.problem, here: failed.here }
    }
}

/// A failure, and how long it is to be believed; `None`: not at all.
struct Failed {
    problem: Problem,
    kind: Option<FailureKind>,
    here: bool,
}

impl Failed {
    fn once(problem: Problem) -> Self {
        Self { problem, kind: None, here: false }
    }

    fn remembered(problem: Problem, kind: FailureKind) -> Self {
        Self { problem, kind: Some(kind), here: false }
    }

    /// The cache can't be used.
    fn here(error: &FileError) -> Self {
        let problem = Problem::new("the cache of temporary credentials can't be used").because(error).hint(
            "without it every prompt would ask STS; make the directory writable for you, and see that the disk isn't full",
        );
        Self { problem, kind: None, here: true }
    }
}

/// One walk along a plan.
struct Walk<'a> {
    plan: &'a RolePlan,
    cache: &'a Cache,
    outside: Outside<'a>,
    wish: Wish,
    /// Held from the last link down to the one being asked for, so that no two processes can hold
    /// them in different orders.
    locks: RefCell<Vec<Lock>>,
    asked: RefCell<bool>,
    /// Keys that a store gave: one question is enough.
    stored: OnceCell<Credentials>,
    /// The names of the results, as of the source's last answer.
    keys: RefCell<PlanKeys<'a>>,
    /// Why the last result isn't cached.
    not_cached: RefCell<Vec<Unavailable>>,
}

impl<'a> Walk<'a> {
    fn new(plan: &'a RolePlan, cache: &'a Cache, outside: Outside<'a>, wish: Wish) -> Self {
        let (locks, asked, stored, not_cached) = Default::default();
        Self { plan, cache, outside, wish, locks, asked, stored, keys: RefCell::new(cache.keys(plan)), not_cached }
    }

    fn session(&self, count: usize) -> String {
        self.keys.borrow().session(count)
    }

    fn previous_session(&self, count: usize) -> Option<String> {
        self.keys.borrow().previous_session(count)
    }

    /// Makes the names anew: another process, or this one, may have asked the source or renewed a sign-in.
    fn update_keys(&self) {
        self.keys.replace(self.cache.keys(self.plan));
    }

    /// The failure that stands for another try: that the user logged out of the session, or one of fetching it.
    fn failure(&self, count: usize, patience: Patience) -> Option<Failure> {
        self.cache.failure_after(&self.keys.borrow(), count, self.wish.now, patience)
    }

    /// The time after all that was waited for.
    fn now(&self) -> SystemTime {
        (self.outside.clock)()
    }

    /// Whether an entry will do for the first `count` links.
    fn is_good(&self, count: usize, entry: &Entry) -> bool {
        let last = count == self.plan.steps.len();
        let enough = !last || entry.credentials.remaining(self.wish.now) >= self.wish.at_least;
        // What was fetched for a directory without a pin may not say whose it is.
        let known = !last || self.plan.pin.is_none() || entry.credentials.arn.is_some();
        // Handed out in the future: the clock was set back, and their end is nearer than it looks.
        let dated = entry.credentials.issued <= self.wish.now + CLOCK_SLACK;
        enough && known && dated && !entry.is_due(self.wish.now)
    }

    fn cached(&self, count: usize) -> Option<Credentials> {
        let entry = self.cache.load(&self.session(count), self.wish.now);
        entry.filter(|entry| self.is_good(count, entry)).map(|entry| entry.credentials)
    }

    /// The credentials after the first `count` steps; 0 is the source.
    fn link(&self, count: usize) -> Result<Credentials, Failed> {
        if let (0, Source::StaticKeys(keys)) = (count, &self.plan.source) {
            let mut credentials = keys.credentials();
            let exported = self.plan.steps.is_empty() && credentials.session_token.is_some();
            if exported && self.plan.pin.is_some() {
                credentials.arn = Some(self.caller_arn(&credentials)?);
            }
            return Ok(credentials);
        }
        if let (0, Source::StoredKeys(place)) = (count, &self.plan.source) {
            return self.stored(place);
        }
        if let Some(credentials) = self.cached(count) {
            return Ok(credentials);
        }
        self.outside.sts.about_to_ask();
        let lock = self.cache.lock(&self.keys.borrow().lock(count), LOCK_PATIENCE);
        self.locks.borrow_mut().push(lock.map_err(|error| self.locked_out(error))?);
        self.update_keys();
        let result = self.under_lock(count);
        // Before the lock is given back, lest the next one who waits for it asks again.
        let remembered = match &result {
            Err(Failed { problem, kind: Some(kind), .. }) if count == self.plan.steps.len() => {
                let name = self.keys.borrow().failure(count);
                self.cache.remember(&name, self.now(), *kind, problem)
            }
            _ => Ok(()),
        };
        self.locks.borrow_mut().pop();
        // An inner link that can't be renewed serves to its end.
        if let (Err(failed), true) = (&result, count < self.plan.steps.len())
            && !failed.here
            && let Some(entry) = self.cache.load(&self.session(count), self.now()).filter(|entry| !entry.stale)
            && entry.credentials.remaining(self.now()) > AT_THE_END
        {
            return Ok(entry.credentials);
        }
        remembered.map_err(|e| Failed::here(&e)).and(result)
    }

    fn under_lock(&self, count: usize) -> Result<Credentials, Failed> {
        // Whoever had the lock may have brought it, or learned that it can't be had.
        if let Some(credentials) = self.cached(count) {
            return Ok(credentials);
        }
        if let Some(failure) = self.failure(count, self.wish.patience) {
            return Err(Failed::once(failure.problem));
        }
        let before = self.session(count);
        let mut credentials = match count.checked_sub(1) {
            None => self.ask_source()?,
            Some(index) => {
                let caller = self.link(index)?;
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
            let refused = |problem| Failed::remembered(problem, FailureKind::Refused);
            credentials.temporary(&self.plan.source).map_err(refused)?;
        }
        // The machine may have slept over the answer.
        if credentials.remaining(self.now()) <= LAST_SECOND {
            return Err(self.over(&credentials));
        }
        let last = count == self.plan.steps.len();
        if last && credentials.arn.is_none() && self.plan.pin.is_some() {
            credentials.arn = Some(self.caller_arn(&credentials)?);
        }
        // An answer for another account than the plan itself names is none. A pin where the plan names no account isn't a
        // part of what is cached: other directories may pin another one, or none.
        if last && self.plan.account().is_some() {
            let refused = |problem| Failed::remembered(problem, FailureKind::Refused);
            pin::check_result(self.plan, &credentials).map_err(refused)?;
        }
        // Whoever logged out meanwhile doesn't want to find it again.
        for name in [before, self.session(count)] {
            let failure = self.cache.failure(&name, self.wish.now, Patience::Passing);
            if let Some(failure) = failure.filter(|failure| failure.is_logout_since(self.wish.now)) {
                return Err(Failed::once(failure.problem));
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
            let given = self.cache.load(&keys.session(before), self.wish.now);
            given.is_some_and(|given| given.credentials.access_key_id == credentials.access_key_id)
        };
        let of_user = matches!(step, Some(Step::SessionToken(_))) && !count.checked_sub(1).is_some_and(passed_on);
        if let Ok(Stored::NotEncrypted(reasons)) = self.cache.store(&keys.session(count), credentials, of_user) {
            self.not_cached.replace(reasons);
        }
        let _ = self.cache.forget_failure(&keys.failure(count));
    }

    /// Opens the store. Its keys go nowhere but into the next call: not into the cache.
    fn stored(&self, place: &Place) -> Result<Credentials, Failed> {
        if let Some(credentials) = self.stored.get() {
            return Ok(credentials.clone());
        }
        let ask = self.wish.patience == Patience::Asked;
        let secret = self.outside.keys.secret(place, ask, &|phrase| self.announce(phrase));
        let secret = secret.map_err(|no| match no.depends_on_the_person() {
            true => Failed::once(no.problem(place)),
            false => Failed::remembered(no.problem(place), FailureKind::Transient),
        })?;
        self.announce("");
        Ok(self.stored.get_or_init(|| StaticKeys::long_term(place, secret).credentials()).clone())
    }

    /// Tells those who wait for the same what a person is being asked for; nothing: for nothing any more.
    fn announce(&self, phrase: &str) {
        for lock in self.locks.borrow().iter() {
            lock.announce(phrase);
        }
    }

    /// Asks the source. All roles of one Identity Center or console session share a refresh token that
    /// is good for one use: two refreshes at the same time would cost one of them its sign-in.
    fn ask_source(&self) -> Result<Credentials, Failed> {
        let session = match &self.plan.source {
            Source::IdentityCenter(role) => Some(sha256(&[b"sso", role.start_url.as_bytes()])),
            Source::ConsoleLogin(login) => Some(sha256(&[b"login", login.session.as_bytes()])),
            _ => None,
        };
        let lock = session.map(|key| self.cache.lock(&key, LOCK_PATIENCE)).transpose();
        let _held = lock.map_err(|error| self.locked_out(error))?;
        let failed = |problem| Failed::remembered(problem, FailureKind::Transient);
        let credentials = match &self.plan.source {
            Source::WebIdentity(token) => self.open_by_token(token)?,
            source => self.outside.sources.credentials(source).map_err(failed)?,
        };
        // A sign-in may have been renewed for it; and what follows is named by the keys that were given.
        self.update_keys();
        let recorded = self.cache.record_source_id(&self.session(0), &credentials.access_key_id);
        recorded.map_err(|e| Failed::here(&e))?;
        self.update_keys();
        Ok(credentials)
    }

    fn over(&self, credentials: &Credentials) -> Failed {
        let title = self.plan.title();
        let ended = credentials.expiration.map(rfc3339).unwrap_or_default();
        let problem = Problem::new(format!("what came for {title} had ended before it could be used"))
            .because(format!("its end is {ended}, and by this machine's clock it is {}", rfc3339(self.now())))
            .hint("see that the clock is right (`timedatectl`); `awsrole refresh` asks again");
        Failed::remembered(problem, FailureKind::Transient)
    }

    fn locked_out(&self, error: LockError) -> Failed {
        let title = self.plan.title();
        Failed::once(match error {
            LockError::File(error) => return Failed::here(&error),
            LockError::Asking(phrase) => Problem::new(format!("{title} has to wait: {phrase}"))
                .hint("answer there; this shell follows at its next prompt"),
            LockError::Busy => {
                let seconds = LOCK_PATIENCE.as_secs();
                Problem::new(format!("another awsrole has been getting {title} for {seconds} seconds"))
                    .hint("end it, or run `awsrole refresh` when it is done")
            }
        })
    }
}

mod call;
