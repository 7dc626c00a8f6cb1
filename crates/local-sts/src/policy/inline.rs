//! Inline policies of a user or role.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::policy::document::PolicyDocument;

/// Inline policies by name. They are all that changes in a user or role while the server runs.
#[derive(Debug, Default)]
pub(crate) struct InlinePolicies(Mutex<BTreeMap<String, PolicyDocument>>);

impl InlinePolicies {
    /// Adds a policy, or replaces the one of the same name.
    pub(crate) fn put(&self, name: &str, policy: PolicyDocument) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), policy);
    }

    /// Returns the current policies.
    pub(crate) fn all(&self) -> Vec<PolicyDocument> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
