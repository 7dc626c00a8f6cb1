//! IAM: access keys of a user, and inline policies that revoke sessions.

use std::time::SystemTime;

use aws_sdk_iam::types::StatusType;
use awsrole_core::aws::credentials::Credentials;
use awsrole_core::aws::endpoint::Endpoint;
use awsrole_core::base::secret::Secret;
use awsrole_core::session::sts::StsError;

use crate::{RemoteSts, time};

/// An IAM client with the same connections and timeouts as STS.
pub struct Iam<'a> {
    /// The runtime and the connections.
    pub remote: &'a RemoteSts<'a>,
    /// The credentials of the caller.
    pub caller: &'a Credentials,
    /// The endpoint of IAM.
    pub endpoint: &'a Endpoint,
}

/// A key in IAM's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// `AKIA…`
    pub id: String,
    /// Whether the key is active.
    pub active: bool,
    /// When the key was created.
    pub created: Option<SystemTime>,
}

impl Iam<'_> {
    /// Creates a key for the caller. The call is attempted only once, because a retry after a lost response would
    /// create a second key.
    pub fn create_access_key(&self) -> Result<(String, Secret), StsError> {
        let call = self.client(1)?.create_access_key();
        let key = self.call("CreateAccessKey", call.send())?.access_key;
        let key = key.ok_or_else(|| StsError::Malformed("the response contains no key".to_owned()))?;
        Ok((key.access_key_id, Secret::new(key.secret_access_key)))
    }

    /// Lists the caller's keys. A user has at most two, so they are on one page.
    pub fn access_keys(&self) -> Result<Vec<AccessKey>, StsError> {
        let answer = self.call("ListAccessKeys", self.client(3)?.list_access_keys().send())?;
        let keys = answer.access_key_metadata.into_iter().map(|key| AccessKey {
            active: key.status == Some(StatusType::Active),
            created: key.create_date.as_ref().and_then(time),
            id: key.access_key_id.unwrap_or_default(),
        });
        Ok(keys.collect())
    }

    /// Deactivates one of the caller's keys.
    pub fn deactivate_access_key(&self, id: &str) -> Result<(), StsError> {
        let call = self.client(3)?.update_access_key().access_key_id(id).status(StatusType::Inactive);
        self.call("UpdateAccessKey", call.send()).map(drop)
    }

    /// Deletes one of the caller's keys.
    pub fn delete_access_key(&self, id: &str) -> Result<(), StsError> {
        let call = self.client(3)?.delete_access_key().access_key_id(id);
        self.call("DeleteAccessKey", call.send()).map(drop)
    }

    /// Attaches an inline policy to a role, replacing one of the same name.
    pub fn put_role_policy(&self, role: &str, name: &str, document: &str) -> Result<(), StsError> {
        let call = self.client(3)?.put_role_policy().role_name(role).policy_name(name).policy_document(document);
        self.call("PutRolePolicy", call.send()).map(drop)
    }

    /// Attaches an inline policy to a user, replacing one of the same name.
    pub fn put_user_policy(&self, user: &str, name: &str, document: &str) -> Result<(), StsError> {
        let call = self.client(3)?.put_user_policy().user_name(user).policy_name(name).policy_document(document);
        self.call("PutUserPolicy", call.send()).map(drop)
    }

    fn client(&self, attempts: u32) -> Result<aws_sdk_iam::Client, StsError> {
        self.remote.client()?.iam(self.caller, self.endpoint, attempts)
    }

    fn call<T, E, F>(&self, what: &str, call: F) -> Result<T, StsError>
    where
        F: Future<Output = Result<T, aws_sdk_sts::error::SdkError<E>>>,
        E: aws_sdk_sts::error::ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.remote.call(what, self.endpoint, call)
    }
}
