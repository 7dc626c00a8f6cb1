//! Cached failures, so that AWS isn't called again at every prompt.

use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::{Cache, MAX_BYTES, PlanKeys, seconds};
use crate::base::files::{self, FileError, read_own};
use crate::base::problem::Problem;

/// The file-name extension of failures.
pub(super) const FAILURE: &str = "failure";

/// A cached failure, so that STS isn't called again at every prompt.
#[derive(Serialize, Deserialize)]
pub struct Failure {
    version: u32,
    at: u64,
    kind: FailureKind,
    /// The error.
    pub problem: Problem,
}

impl Failure {
    /// Returns the kind, which determines how long the failure is cached.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    /// Returns whether the user logged out after a time.
    pub(crate) fn is_logout_since(&self, time: SystemTime) -> bool {
        self.kind == FailureKind::LoggedOut && self.at > seconds(time)
    }
}

/// The kind of a failure, which determines its cache lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// A network or server error, cached for 30 seconds.
    Transient,
    /// A refusal by STS, cached for 30 seconds. It lasts until a policy is changed, maybe by a colleague right now.
    Refused,
    /// A wrong MFA code, cached for 30 seconds. The user can enter another one at once.
    WrongCode,
    /// A logout, cached until the user's next action.
    LoggedOut,
}

/// What triggered the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The user typed `cd` or a command. Only failures of the last seconds are used, such as that of another terminal
    /// at the same moment, and wrong codes only if this process waited for their prompt.
    User,
    /// A prompt or a program. All cached failures are used.
    Background,
}

impl Cache {
    /// Caches a failure.
    pub fn remember(&self, key: &str, now: SystemTime, kind: FailureKind, problem: &Problem) -> Result<(), FileError> {
        let failure = Failure { version: 1, at: seconds(now), kind, problem: problem.clone() };
        let bytes = serde_json::to_vec(&failure).unwrap_or_default();
        files::write_private(&self.path(key, FAILURE), &bytes)
    }

    /// Removes a cached failure.
    pub fn forget_failure(&self, key: &str) -> Result<(), FileError> {
        files::remove(&self.path(key, FAILURE))
    }

    /// Returns the failure that prevents another attempt.
    #[must_use]
    pub fn failure(&self, key: &str, now: SystemTime, trigger: Trigger) -> Option<Failure> {
        let failure = read_failure(&self.path(key, FAILURE))?;
        // A process that started just before another one failed sees a failure in its future. A failure far in the
        // future means that the clock was wrong.
        let age = seconds(now).saturating_sub(failure.at);
        if failure.at > seconds(now) + 60 {
            return None;
        }
        let lifetime = match (trigger, failure.kind) {
            (Trigger::User, FailureKind::LoggedOut) => 0,
            // Only a process that waited for the prompt uses its failure. It started before the failure.
            (Trigger::User, FailureKind::WrongCode) => u64::from(failure.at > seconds(now)),
            (Trigger::User, _) => 5,
            (Trigger::Background, FailureKind::Transient | FailureKind::Refused | FailureKind::WrongCode) => 30,
            (Trigger::Background, FailureKind::LoggedOut) => u64::MAX,
        };
        (failure.version == 1 && age < lifetime).then_some(failure)
    }

    /// Returns how the last attempt at a plan failed, to explain it. `None` if it succeeded or was long ago.
    #[must_use]
    pub fn last_failure(&self, keys: &PlanKeys<'_>, now: SystemTime) -> Option<Failure> {
        let names = [keys.session(keys.step_count()), keys.failure(keys.step_count())];
        let failures = names.iter().filter_map(|name| read_failure(&self.path(name, FAILURE)));
        let recent = |failure: &Failure| {
            let known_for = match failure.kind {
                FailureKind::Transient => 300,
                FailureKind::Refused | FailureKind::WrongCode => 24 * 3600,
                FailureKind::LoggedOut => u64::MAX,
            };
            failure.version == 1 && seconds(now).abs_diff(failure.at) < known_for
        };
        failures.filter(recent).max_by_key(|failure| failure.at)
    }

    /// Returns the failure that prevents another attempt at a plan's first `count` steps: a logout from their session,
    /// or a failure to fetch it.
    pub(crate) fn failure_after(
        &self,
        keys: &PlanKeys<'_>,
        count: usize,
        now: SystemTime,
        trigger: Trigger,
    ) -> Option<Failure> {
        let names = [keys.session(count), keys.failure(count)];
        names.iter().find_map(|name| self.failure(name, now, trigger))
    }
}

/// Returns whether a file records that the user logged out.
pub(super) fn is_logout(path: &Path) -> bool {
    read_failure(path).is_some_and(|failure| failure.kind == FailureKind::LoggedOut)
}

fn read_failure(path: &Path) -> Option<Failure> {
    serde_json::from_slice(&read_own(path, MAX_BYTES).ok()?).ok()
}
