//! Looks up a plan's credentials in the cache, without network, lock or prompt.

use std::time::{Duration, SystemTime};

use crate::aws::credentials::Credentials;
use crate::aws::source::Source;
use crate::base::cache_key_backend::KeyUnavailable;
use crate::base::problem::Problem;
use crate::plan::account_pin;
use crate::plan::role_plan::{RolePlan, Step};
use crate::session::cache::{Cache, Entry, FailureKind, PlanKeys, Trigger};

/// The remaining lifetime below which credentials are renewed while the user waits.
pub(crate) const BLOCKING_RENEWAL_THRESHOLD: Duration = Duration::from_secs(3);

/// The minimum remaining lifetime. Credentials that expire sooner count as expired, because a command would start too
/// late.
pub(crate) const MIN_REMAINING: Duration = Duration::from_secs(1);

/// The maximum time by which an entry may have been issued in the future, because another process may have started a
/// little later.
const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// Options for [`lookup`] and for fetching.
#[derive(Debug, Clone, Copy)]
pub struct ObtainOptions {
    /// The current time.
    pub now: SystemTime,
    /// What triggered the request.
    pub trigger: Trigger,
    /// The required remaining lifetime.
    pub min_ttl: Duration,
    /// Whether valid credentials that are due for renewal are accepted, because another process renews them.
    pub allow_stale: bool,
}

impl ObtainOptions {
    /// Returns options for a user who waits and may be prompted.
    #[must_use]
    pub fn interactive(now: SystemTime) -> Self {
        Self { now, trigger: Trigger::User, min_ttl: Duration::ZERO, allow_stale: false }
    }

    /// Returns options for a prompt or a program, which never prompts.
    #[must_use]
    pub fn background(now: SystemTime) -> Self {
        Self { trigger: Trigger::Background, ..Self::interactive(now) }
    }

    /// Returns whether an entry can be used as the result of a plan's first `steps` steps.
    pub(crate) fn is_good(&self, plan: &RolePlan, steps: usize, entry: &Entry) -> bool {
        let last = steps == plan.steps.len();
        // A limited session never outlives the one that it is made from.
        let has_its_end = plan.steps[steps..].iter().all(|step| matches!(step, Step::GetScopedCredentials(_)));
        let enough = !has_its_end || entry.credentials.remaining(self.now) >= self.min_ttl;
        let known = !last || is_comparable(plan, entry);
        // If they were issued in the future, the clock was set back, and they expire sooner than it seems.
        let dated = entry.credentials.issued <= self.now + CLOCK_SLACK;
        enough && known && dated && !entry.is_due(self.now)
    }

    /// Returns the cached entry that is used while new credentials can't be fetched.
    ///
    /// `before` is the cache key before anything was fetched. If the source has changed its credentials in the
    /// meantime, the entry of the previous caller is used, too, unless the new caller was refused.
    pub(crate) fn still_valid(
        &self,
        plan: &RolePlan,
        cache: &Cache,
        keys: &PlanKeys<'_>,
        before: &str,
        failure: Option<FailureKind>,
        now: SystemTime,
    ) -> Option<Entry> {
        let steps = keys.step_count();
        let earlier = keys.previous_session(steps).into_iter().chain([before.to_owned()]);
        let earlier = earlier.filter(|_| !matches!(failure, Some(FailureKind::Refused | FailureKind::WrongCode)));
        let mut entries = [keys.session(steps)].into_iter().chain(earlier).filter_map(|name| cache.load(&name, now));
        let left = |entry: &Entry| entry.credentials.remaining(now);
        entries.find(|entry| left(entry) >= self.min_ttl && left(entry) > MIN_REMAINING && is_comparable(plan, entry))
    }
}

/// The result of [`lookup`] and of fetching.
pub struct Obtained {
    /// The credentials, checked against the pin.
    pub credentials: Credentials,
    /// The reason why they couldn't be renewed although they are due.
    pub problem: Option<Problem>,
    /// Whether they should be renewed although they are still valid.
    pub due: bool,
    /// Whether they were fetched instead of cached.
    pub fresh: bool,
    /// Whether the user entered an MFA code or signed in. Other shells should then check again.
    pub prompted: bool,
    /// Their cache key.
    pub key: String,
    /// The reasons why no encryption key can be stored. Empty if the credentials are cached.
    pub not_cached: Vec<KeyUnavailable>,
}

impl Obtained {
    /// Returns notices for the user about new credentials, one line each.
    #[must_use]
    pub fn notices(&self, plan: &RolePlan) -> Vec<String> {
        let not_cached = (!self.not_cached.is_empty()).then(|| {
            let reasons = KeyUnavailable::join(&self.not_cached);
            format!(
                "this session isn't cached, because no encryption key can be stored ({reasons}): see `awsrole doctor`"
            )
        });
        plan.notices.iter().cloned().chain(not_cached).collect()
    }
}

/// The result of a cache look-up.
pub enum Lookup {
    /// Credentials.
    Hit(Box<Obtained>),
    /// A cached failure, or credentials that must not be used for this plan.
    Failed(Problem),
    /// Not cached. The credentials must be fetched.
    Miss,
}

/// Returns whether the account of an entry is known if the plan needs it. Credentials that were fetched for a plan
/// without a pin may lack the ARN. They are fetched again.
fn is_comparable(plan: &RolePlan, entry: &Entry) -> bool {
    !plan.needs_account() || entry.credentials.arn.is_some()
}

/// Looks up a plan's credentials in the cache. Temporary keys that the plan uses unchanged count as cached.
#[must_use]
pub fn lookup(plan: &RolePlan, cache: &Cache, options: ObtainOptions) -> Lookup {
    let steps = plan.steps.len();
    let keys = cache.keys(plan);
    let key = keys.session(steps);
    let hit = |credentials: Credentials, problem, due, fresh| match account_pin::check_result(plan, &credentials) {
        Ok(()) => Lookup::Hit(Box::new(Obtained {
            credentials,
            problem,
            due,
            fresh,
            prompted: false,
            key: key.clone(),
            not_cached: Vec::new(),
        })),
        Err(problem) => Lookup::Failed(problem),
    };
    if let Some(entry) = cache.load(&key, options.now) {
        if options.is_good(plan, steps, &entry) {
            return hit(entry.credentials, None, false, false);
        }
        let is_usable = options.allow_stale && !entry.stale && is_comparable(plan, &entry);
        if is_usable && entry.credentials.remaining(options.now) > BLOCKING_RENEWAL_THRESHOLD {
            let failure = cache.failure_after(&keys, steps, options.now, Trigger::Background);
            return hit(entry.credentials, failure.map(|failure| failure.problem), true, false);
        }
    }
    if let Some(failure) = cache.failure_after(&keys, steps, options.now, options.trigger) {
        return match options.still_valid(plan, cache, &keys, &key, Some(failure.kind()), options.now) {
            Some(entry) => hit(entry.credentials, Some(failure.problem), false, false),
            None => Lookup::Failed(failure.problem),
        };
    }
    if let (Source::StaticKeys(keys), [], false) = (&plan.source, plan.steps.as_slice(), plan.needs_account()) {
        let credentials = keys.credentials();
        return match credentials.temporary(&plan.source) {
            Ok(_) => hit(credentials, None, false, true),
            Err(problem) => Lookup::Failed(problem),
        };
    }
    Lookup::Miss
}
