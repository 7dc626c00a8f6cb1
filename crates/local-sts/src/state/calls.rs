//! The call log: action, caller, parameters and outcome of each call, without secrets.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::protocol::request::{Form, HttpRequest};

/// One call of any service.
#[derive(Debug, Serialize)]
pub(crate) struct RecordedCall {
    number: u64,
    action: String,
    access_key_id: Option<String>,
    caller_arn: Option<String>,
    pub(crate) role_arn: Option<String>,
    role_session_name: Option<String>,
    pub(crate) duration_seconds: Option<String>,
    external_id: Option<String>,
    /// Parameter of IAM, as the following three.
    user_name: Option<String>,
    role_name: Option<String>,
    policy_name: Option<String>,
    /// The key to update or delete.
    about_key: Option<String>,
    source_identity: Option<String>,
    serial_number: Option<String>,
    has_token_code: bool,
    has_policy: bool,
    scoped_session_description: Option<String>,
    policy_arns: Vec<String>,
    tags: BTreeMap<String, String>,
    transitive_tag_keys: Vec<String>,
    /// `OK`, an error's code, `Pending`, `Dropped` or `Truncated`.
    outcome: String,
    connection: u64,
    user_agent: Option<String>,
    /// Parameter of CreateToken and CreateOAuth2Token.
    pub(crate) grant_type: Option<String>,
    /// User of the access token in a call to the portal.
    pub(crate) sso_user: Option<String>,
    /// The login session that was refreshed.
    pub(crate) login_session: Option<String>,
}

/// All calls since the start or the last reset.
#[derive(Default)]
pub(crate) struct CallLog {
    next: u64,
    calls: Vec<RecordedCall>,
}

impl CallLog {
    /// Records the start of a call and returns its number.
    pub(crate) fn start(&mut self, action: &str, request: &HttpRequest, form: &Form) -> u64 {
        let value = |name: &str| form.value(name).map(str::to_owned);
        let list = |name: &str, field: &str| form.list(name, field).into_iter().flatten().map(str::to_owned).collect();
        let tags = form.list("Tags", "Key").into_iter().zip(form.list("Tags", "Value"));
        let tags = tags.map(|(key, value)| (key.unwrap_or_default().to_owned(), value.unwrap_or_default().to_owned()));
        self.next += 1;
        self.calls.push(RecordedCall {
            number: self.next,
            action: action.to_owned(),
            access_key_id: None,
            caller_arn: None,
            role_arn: value("RoleArn"),
            role_session_name: value("RoleSessionName"),
            duration_seconds: value("DurationSeconds"),
            external_id: value("ExternalId"),
            user_name: value("UserName"),
            role_name: value("RoleName"),
            policy_name: value("PolicyName"),
            about_key: value("AccessKeyId"),
            source_identity: value("SourceIdentity"),
            serial_number: value("SerialNumber"),
            has_token_code: form.value("TokenCode").is_some(),
            scoped_session_description: value("ScopedSessionDescription"),
            has_policy: form.value("Policy").is_some(),
            policy_arns: list("PolicyArns", "arn"),
            tags: tags.collect(),
            transitive_tag_keys: list("TransitiveTagKeys", ""),
            outcome: "Pending".into(),
            connection: request.connection,
            user_agent: request.header("user-agent").map(str::to_owned),
            grant_type: None,
            sso_user: None,
            login_session: None,
        });
        self.next
    }

    /// Records the key of a call, and its owner once that is known.
    pub(crate) fn set_caller(&mut self, number: u64, access_key_id: &str, caller_arn: Option<&str>) {
        if let Some(call) = self.call(number) {
            call.access_key_id = Some(access_key_id.to_owned());
            call.caller_arn = caller_arn.map(str::to_owned);
        }
    }

    /// Records the outcome of a call.
    pub(crate) fn end(&mut self, number: u64, outcome: &str) {
        if let Some(call) = self.call(number) {
            outcome.clone_into(&mut call.outcome);
        }
    }

    /// Returns a call by its number, or `None` if the log was cleared since the call began.
    pub(crate) fn call(&mut self, number: u64) -> Option<&mut RecordedCall> {
        self.calls.iter_mut().rev().find(|call| call.number == number)
    }

    /// Returns all calls in their order.
    pub(crate) fn all(&self) -> &[RecordedCall] {
        &self.calls
    }

    /// Returns the number of calls by action, and the number of `connections`.
    pub(crate) fn counts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for call in &self.calls {
            *counts.entry(call.action.as_str()).or_default() += 1;
        }
        let connections: BTreeSet<u64> = self.calls.iter().map(|call| call.connection).collect();
        counts.insert("connections", connections.len());
        counts
    }

    /// Clears the log. Numbers aren't used again.
    pub(crate) fn reset(&mut self) {
        self.calls.clear();
    }
}
