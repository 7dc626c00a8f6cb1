//! From a plan to credentials: from the cache, or from STS step by step.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::advice;
use crate::cache::{Cache, Entry, FailureKind, Patience};
use crate::credentials::Credentials;
use crate::files::FileError;
use crate::pin;
use crate::plan::{RolePlan, Source, Step};
use crate::problem::Problem;
use crate::sts::Sts;

/// How long to wait for another process that asks STS for the same.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);

/// What is wanted beside the role itself.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// The time.
    pub now: SystemTime,
    /// Whether a person waits for it.
    pub patience: Patience,
    /// The life that must remain.
    pub at_least: Duration,
}

/// Credentials, and what went wrong on the way if they are older than they should be.
pub struct Obtained {
    /// The credentials, checked against the pin.
    pub credentials: Credentials,
    /// Why they couldn't be renewed although they should have been.
    pub problem: Option<Problem>,
}

/// Obtains the credentials of a plan.
///
/// With a good entry in the cache nothing else is touched. Otherwise the steps are taken from the
/// last link that is still cached, each result being stored by itself. Any number of processes that
/// want the same make one call: the others wait and take its result, or its failure.
pub fn obtain(plan: &RolePlan, cache: &Cache, sts: &dyn Sts, wish: Wish) -> Result<Obtained, Problem> {
    let good = |entry: &Entry| !entry.is_due(wish.now) && entry.credentials.remaining(wish.now) >= wish.at_least;
    if plan.steps.is_empty() {
        return from_source_alone(plan, sts);
    }
    let key = plan.cache_key(plan.steps.len());
    if let Some(entry) = cache.load(&key, wish.now).filter(good) {
        return checked(plan, entry.credentials, None);
    }
    let result = under_lock(plan, cache, sts, wish, &key, &good);
    match (result, cache.load(&key, wish.now)) {
        (Ok(credentials), _) => checked(plan, credentials, None),
        // What there is, is still good: better than nothing, and the reason is told.
        (Err(problem), Some(entry)) if entry.credentials.remaining(wish.now) >= wish.at_least => {
            checked(plan, entry.credentials, Some(problem))
        }
        (Err(problem), _) => Err(problem),
    }
}

fn under_lock(
    plan: &RolePlan,
    cache: &Cache,
    sts: &dyn Sts,
    wish: Wish,
    key: &str,
    good: &dyn Fn(&Entry) -> bool,
) -> Result<Credentials, Problem> {
    if let Some(failure) = cache.failure(key, wish.now, wish.patience) {
        return Err(failure.problem);
    }
    let Some(_lock) = cache.lock(key, LOCK_PATIENCE).map_err(|e| unusable(&e))? else {
        return Err(Problem::new(format!(
            "another awsrole has been asking for {} for {} seconds",
            plan.title(),
            LOCK_PATIENCE.as_secs()
        ))
        .hint("end it, or try `awsrole refresh` when it is done"));
    };
    // Whoever had the lock may have brought it, or learned that it can't be had.
    if let Some(entry) = cache.load(key, wish.now).filter(good) {
        return Ok(entry.credentials);
    }
    if let Some(failure) = cache.failure(key, wish.now, wish.patience) {
        return Err(failure.problem);
    }
    match ask(plan, cache, sts, wish) {
        Ok(credentials) => Ok(credentials),
        Err((problem, kind)) => {
            cache.remember(key, wish.now, kind, &problem).map_err(|e| unusable(&e))?;
            Err(problem)
        }
    }
}

/// Asks STS for what isn't cached yet.
fn ask(plan: &RolePlan, cache: &Cache, sts: &dyn Sts, wish: Wish) -> Result<Credentials, (Problem, FailureKind)> {
    let usable = |count: usize| {
        let entry = cache.load(&plan.cache_key(count), wish.now)?;
        (!entry.is_due(wish.now)).then_some((count, entry.credentials))
    };
    let (done, mut caller) =
        (1..plan.steps.len()).rev().find_map(usable).unwrap_or_else(|| (0, source_credentials(&plan.source)));
    for (index, step) in plan.steps.iter().enumerate().skip(done) {
        let answer = match step {
            Step::AssumeRole(role) => sts.assume_role(&caller, role, &plan.endpoint),
            Step::SessionToken(session) => sts.get_session_token(&caller, session, &plan.endpoint),
        };
        let mut credentials = answer.map_err(|error| {
            let kind = if error.is_transient() { FailureKind::Transient } else { FailureKind::Refused };
            (advice::explain(plan, index, &caller, &error, wish.now), kind)
        })?;
        if credentials.arn.is_none() && plan.pin.is_some() {
            let arn = sts.caller_arn(&credentials, &plan.endpoint);
            credentials.arn =
                Some(arn.map_err(|error| {
                    (advice::explain(plan, index, &caller, &error, wish.now), FailureKind::Transient)
                })?);
        }
        let last = index + 1 == plan.steps.len();
        if last {
            pin::check_result(plan, &credentials).map_err(|problem| (problem, FailureKind::Refused))?;
        }
        // A cache that can't be written costs a call at the next command, not the role.
        let _ = cache.store(&plan.cache_key(index + 1), &credentials);
        caller = credentials;
    }
    Ok(caller)
}

/// Temporary keys of a profile are exported as they are.
fn from_source_alone(plan: &RolePlan, sts: &dyn Sts) -> Result<Obtained, Problem> {
    let mut credentials = source_credentials(&plan.source);
    if credentials.session_token.is_none() {
        return Err(Problem::new(format!("{} has long-term keys, which are never exported", plan.source)));
    }
    if plan.pin.is_some() {
        let arn = sts.caller_arn(&credentials, &plan.endpoint);
        credentials.arn = Some(arn.map_err(|error| {
            Problem::new(format!("{} can't be checked against account_id", plan.source)).because(error)
        })?);
    }
    checked(plan, credentials, None)
}

fn source_credentials(source: &Source) -> Credentials {
    match source {
        Source::StaticKeys(keys) => Credentials {
            access_key_id: keys.access_key_id.clone(),
            secret_access_key: keys.secret_access_key.clone(),
            session_token: keys.session_token.clone(),
            issued: UNIX_EPOCH,
            expiration: None,
            arn: None,
        },
    }
}

fn checked(plan: &RolePlan, credentials: Credentials, problem: Option<Problem>) -> Result<Obtained, Problem> {
    pin::check_result(plan, &credentials)?;
    Ok(Obtained { credentials, problem })
}

fn unusable(error: &FileError) -> Problem {
    Problem::new("the cache of temporary credentials can't be used").because(error).hint(
        "without it every prompt would ask STS; make the directory writable for you, and see that the disk isn't full",
    )
}
