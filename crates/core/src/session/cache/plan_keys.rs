//! The names of a plan's results in the cache.

use serde::Serialize;

use super::{Cache, SourceIds};
use crate::aws::arn::AccountId;
use crate::aws::endpoint::Endpoint;
use crate::aws::source::Source;
use crate::base::digest::sha256;
use crate::plan::role_plan::{RolePlan, Step};

/// Names the result of each step of one plan by a digest of everything that decides the identity, and of no secret.
///
/// Keys are identified by their id. Any other source is identified by what `Source::identity` can tell without asking
/// it; that names its own credentials. What is assumed with them is named by the access key id that it gave last,
/// which is looked up in the cache: so a source that answers for somebody else never gets the sessions of whom it
/// answered for before.
pub struct PlanKeys<'a> {
    plan: &'a RolePlan,
    /// [`Source::identity`] when these names were made.
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

    /// Returns false if whom the source answers for can't be told, such as after a sign-out: then nothing may be
    /// stored.
    #[must_use]
    pub fn are_known(&self) -> bool {
        self.plan.source.is_identified_by(&self.source)
    }

    /// Returns the number of steps.
    #[must_use]
    pub fn last(&self) -> usize {
        self.plan.steps.len()
    }

    /// Returns the name of the session after the first `count` steps; 0 is what the source itself gives.
    #[must_use]
    pub fn session(&self, count: usize) -> String {
        self.session_of(count, self.ids.current.as_deref())
    }

    /// Returns the same with the access key id that the source gave before the last one.
    #[must_use]
    pub fn previous_session(&self, count: usize) -> Option<String> {
        let id = self.ids.previous.as_deref().filter(|_| count > 0)?;
        Some(self.session_of(count, Some(id)))
    }

    /// Returns the name of the lock that a process holds while it fetches the session. It doesn't change with what the
    /// source answers.
    #[must_use]
    pub fn lock(&self, count: usize) -> String {
        self.digest(count, "lock", &self.source, self.is_regional(count))
    }

    /// Returns the name of a remembered failure to fetch the session. It contains the endpoint, even where the session
    /// itself is good in every region: what one endpoint refused says nothing of another.
    #[must_use]
    pub fn failure(&self, count: usize) -> String {
        self.digest(count, "failure", &self.source, true)
    }

    /// Returns the names of all results on the way and of remembered failures, but not of sessions that cost an MFA
    /// code or a passphrase.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        let locked_up = matches!(self.plan.source, Source::StoredKeys(_));
        let costly = |count: usize| {
            count.checked_sub(1).is_some_and(|index| match &self.plan.steps[index] {
                Step::GetSessionToken(session) => locked_up || session.mfa_serial.is_some(),
                Step::AssumeRole(_) => false,
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

    /// A session of long-term keys is good in every region, and a code is asked for once a day, not once a day and
    /// region.
    fn is_regional(&self, count: usize) -> bool {
        self.plan.steps[..count].iter().any(|step| matches!(step, Step::AssumeRole(_)))
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
            // The caller of the first AssumeRole was compared with these. A session without a role serves all files.
            source_accounts: self.plan.source_accounts.as_deref().filter(|_| self.is_regional(count)),
        };
        // A struct of strings and numbers always serializes; the empty key could only cause a miss.
        sha256(&[&serde_json::to_vec(&identity).unwrap_or_default()])
    }
}
