//! The cache keys of a plan's results.

use serde::Serialize;

use super::{Cache, SourceIds};
use crate::aws::arn::AccountId;
use crate::aws::endpoint::Endpoint;
use crate::aws::source::Source;
use crate::base::digest::sha256;
use crate::plan::role_plan::{RolePlan, Step};

/// The cache keys of the results of a plan's steps: digests of everything that determines the identity, without
/// secrets.
///
/// Static keys are identified by their access key ID. Other sources are identified by what `Source::identity`
/// determines without contacting them, and this identifies their own credentials. Sessions that are assumed with these
/// credentials are identified by the access key ID that the source last returned, which is looked up in the cache. So a
/// source that changes its identity never gets the sessions of the previous one.
pub struct PlanKeys<'a> {
    plan: &'a RolePlan,
    /// The value of [`Source::identity`] when the keys were made.
    source: serde_json::Value,
    ids: SourceIds,
}

impl<'a> PlanKeys<'a> {
    pub(super) fn of(plan: &'a RolePlan, cache: &Cache) -> Self {
        let mut keys = Self { plan, source: plan.source.identity(), ids: SourceIds::default() };
        keys.ids = match plan.source.key_id() {
            Some(id) => SourceIds { current: Some(id.to_owned()), previous: None },
            None if plan.steps.is_empty() => SourceIds::default(),
            None => cache.source_ids(&keys.session(0)),
        };
        keys
    }

    /// Returns false if the identity of the source is unknown, such as after a sign-out. In that case nothing may be
    /// stored.
    pub(crate) fn are_known(&self) -> bool {
        self.plan.source.is_identified_by(&self.source)
    }

    /// Returns the number of steps.
    #[must_use]
    pub fn step_count(&self) -> usize {
        self.plan.steps.len()
    }

    /// Returns the cache key of the session after the first `count` steps. With 0 it is the source's own result.
    #[must_use]
    pub fn session(&self, count: usize) -> String {
        self.session_of(count, self.ids.current.as_deref())
    }

    /// Returns the cache key of the session if the source still had its previous access key ID.
    pub(crate) fn previous_session(&self, count: usize) -> Option<String> {
        let id = self.ids.previous.as_deref().filter(|_| count > 0)?;
        Some(self.session_of(count, Some(id)))
    }

    /// Returns the name of the lock that a process holds while it fetches the session. It is independent of the
    /// source's response.
    #[must_use]
    pub fn lock(&self, count: usize) -> String {
        self.digest(count, "lock", &self.source, self.is_regional(count))
    }

    /// Returns the cache key of a failure to fetch the session.
    ///
    /// It contains the endpoint, even if the session itself is valid in every region, because a failure of one endpoint
    /// says nothing about another.
    #[must_use]
    pub fn failure(&self, count: usize) -> String {
        self.digest(count, "failure", &self.source, true)
    }

    /// Returns the cache keys of all results and failures of the plan, except for sessions that required an MFA code or
    /// a passphrase.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        let locked_up = matches!(self.plan.source, Source::StoredKeys(_));
        let costly = |count: usize| {
            count.checked_sub(1).is_some_and(|index| match &self.plan.steps[index] {
                Step::GetSessionToken(session) => locked_up || session.mfa_serial.is_some(),
                Step::AssumeRole(_) | Step::GetScopedCredentials(_) => false,
            })
        };
        let last = self.plan.steps.len();
        let sessions = (0..=last).filter(|count| *count == last || !costly(*count)).map(|count| self.session(count));
        sessions.chain((0..=last).map(|count| self.failure(count))).collect()
    }

    fn session_of(&self, count: usize, id: Option<&str>) -> String {
        let source = match id {
            Some(id) if count > 0 => &serde_json::json!(["key", id]),
            _ => &self.source,
        };
        self.digest(count, "session", source, self.is_regional(count))
    }

    /// A session of long-lived keys is valid in every region, so a code is needed once a day instead of once a day and
    /// region.
    fn is_regional(&self, count: usize) -> bool {
        self.plan.steps[..count].iter().any(|step| !matches!(step, Step::GetSessionToken(_)))
    }

    fn digest(&self, count: usize, kind: &str, source: &serde_json::Value, regional: bool) -> String {
        #[derive(Serialize)]
        struct Identity<'a> {
            version: u32,
            kind: &'a str,
            source: &'a serde_json::Value,
            endpoint: Option<&'a Endpoint>,
            url: Option<&'a str>,
            partition: &'a str,
            steps: &'a [Step],
            #[serde(skip_serializing_if = "Option::is_none")]
            source_accounts: Option<&'a [AccountId]>,
        }
        let endpoint = &self.plan.endpoint;
        let identity = Identity {
            version: 2,
            kind,
            source,
            endpoint: regional.then_some(endpoint),
            url: endpoint.url.as_deref(),
            partition: endpoint.partition(),
            steps: &self.plan.steps[..count],
            // The caller of the first AssumeRole was compared with these accounts. A session without a role is shared
            // by all files.
            source_accounts: self.plan.source_accounts.as_deref().filter(|_| self.is_regional(count)),
        };
        // A struct of strings and numbers always serializes. An empty key would only cause a miss.
        sha256(&[&serde_json::to_vec(&identity).unwrap_or_default()])
    }
}
