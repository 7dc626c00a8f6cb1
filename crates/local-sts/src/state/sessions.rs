//! Temporary credentials and their owners.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::SystemTime;

use data_encoding::BASE64;

use crate::crypto::random;
use crate::crypto::secret::SecretValue;
use crate::fixture::role::Role;
use crate::fixture::user::User;
use crate::policy::document::PolicyDocument;
use crate::policy::principal::Identity;
use crate::protocol::error::ApiError;
use crate::state::access_key_id;

/// A session tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionTag {
    pub(crate) key: String,
    pub(crate) value: String,
    /// Whether role chaining passes it on.
    pub(crate) transitive: bool,
}

/// A role session.
#[derive(Debug)]
pub(crate) struct AssumedRoleSession {
    pub(crate) role: Arc<Role>,
    pub(crate) arn: String,
    /// `AROA…:name`
    pub(crate) id: String,
    pub(crate) source_identity: Option<String>,
    pub(crate) tags: Vec<SessionTag>,
    /// Session policies, if the call had any. They limit what the role's policies allow.
    pub(crate) session_policies: Option<Vec<PolicyDocument>>,
    /// Whether it comes from role chaining.
    pub(crate) chained: bool,
}

impl AssumedRoleSession {
    /// Creates a session without tags, source identity and session policies.
    pub(crate) fn plain(partition: &str, role: &Arc<Role>, name: &str) -> Self {
        Self {
            arn: format!("arn:{partition}:sts::{}:assumed-role/{}/{name}", role.account, role.name),
            id: format!("{}:{name}", role.id),
            role: Arc::clone(role),
            source_identity: None,
            tags: vec![],
            session_policies: None,
            chained: false,
        }
    }
}

/// The identity that credentials belong to.
#[derive(Clone, Debug)]
pub(crate) enum CredentialOwner {
    /// A user. `mfa_at` is the time of MFA, for a session of GetSessionToken.
    User {
        user: Arc<User>,
        mfa_at: Option<SystemTime>,
    },
    Role(Arc<AssumedRoleSession>),
}

/// A policy that GetScopedCredentials added to a session.
#[derive(Clone, Debug)]
pub(crate) struct ScopePolicy {
    pub(crate) document: PolicyDocument,
    /// Length of its text in bytes.
    pub(crate) length: usize,
}

/// An authenticated caller.
#[derive(Clone, Debug)]
pub(crate) struct ApiCaller {
    pub(crate) owner: CredentialOwner,
    /// The time when the session was issued, or `None` for a long-term key.
    pub(crate) issued: Option<SystemTime>,
    /// The time when the session ends, if the caller has issued credentials.
    pub(crate) expires: Option<SystemTime>,
    /// The policies of GetScopedCredentials. Each of them limits the session.
    pub(crate) scopes: Vec<ScopePolicy>,
}

impl ApiCaller {
    /// Returns the caller with a long-term key or, with the time when it was issued, with a session.
    pub(crate) fn new(owner: CredentialOwner, issued: Option<SystemTime>) -> Self {
        Self { owner, issued, expires: None, scopes: Vec::new() }
    }

    /// Returns whether the credentials are temporary.
    pub(crate) fn is_temporary(&self) -> bool {
        self.issued.is_some()
    }
}

/// Temporary credentials.
#[derive(Debug)]
pub(crate) struct IssuedCredentials {
    pub(crate) access_key_id: String,
    pub(crate) secret: SecretValue<String>,
    pub(crate) token: SecretValue<String>,
    pub(crate) issued: SystemTime,
    pub(crate) expires: SystemTime,
    /// As in [`ApiCaller::scopes`].
    pub(crate) scopes: Vec<ScopePolicy>,
}

/// All sessions that were issued. Expired ones are kept to tell them from unknown ones.
#[derive(Default)]
pub(crate) struct Sessions(HashMap<String, (IssuedCredentials, CredentialOwner)>);

impl Sessions {
    /// Issues credentials at `now` that expire at `expires`.
    ///
    /// # Errors
    /// `InternalFailure` if the system has no randomness.
    pub(crate) fn issue(
        &mut self,
        owner: CredentialOwner,
        now: SystemTime,
        expires: SystemTime,
    ) -> Result<&IssuedCredentials, ApiError> {
        self.issue_scoped(owner, Vec::new(), now, expires, 0)
    }

    /// Issues credentials that these policies limit, with a token of at least this number of bytes.
    ///
    /// # Errors
    /// As for [`Sessions::issue`].
    pub(crate) fn issue_scoped(
        &mut self,
        owner: CredentialOwner,
        scopes: Vec<ScopePolicy>,
        now: SystemTime,
        expires: SystemTime,
        minimum_token_size: usize,
    ) -> Result<&IssuedCredentials, ApiError> {
        let secret = random::bytes::<30>()?;
        // Session tokens begin with `IQoJb3JpZ2luX2Vj`, the base64 of these twelve bytes.
        let mut token = b"!\n\torigin_ec".to_vec();
        token.extend(random::bytes::<420>()?);
        // Base64 encodes three bytes as four characters.
        token.resize(token.len().max(minimum_token_size.div_ceil(4) * 3), 0);
        let credentials = IssuedCredentials {
            access_key_id: access_key_id::new("ASIA", owner.account(), random::bytes()?),
            secret: SecretValue::new(BASE64.encode(&secret)),
            token: SecretValue::new(BASE64.encode(&token)),
            issued: now,
            expires,
            scopes,
        };
        let entry = self.0.entry(credentials.access_key_id.clone());
        Ok(&entry.insert_entry((credentials, owner)).into_mut().0)
    }

    /// Returns the credentials with this key ID and their owner.
    pub(crate) fn find(&self, access_key_id: &str) -> Option<&(IssuedCredentials, CredentialOwner)> {
        self.0.get(access_key_id)
    }

    /// Returns the owner's ARN of each session by access key ID.
    pub(crate) fn arns(&self) -> BTreeMap<&str, &str> {
        self.0.iter().map(|(id, (_, owner))| (id.as_str(), owner.arn())).collect()
    }

    /// Ends one session or all, and returns how many were still valid.
    pub(crate) fn expire(&mut self, access_key_id: Option<&str>, now: SystemTime) -> usize {
        let live = self.0.values_mut().map(|(credentials, _)| credentials).filter(|credentials| {
            credentials.expires > now && access_key_id.is_none_or(|id| id == credentials.access_key_id)
        });
        live.map(|credentials| credentials.expires = now).count()
    }
}

impl CredentialOwner {
    /// Returns the identity's account.
    pub(crate) fn account(&self) -> &str {
        match self {
            Self::User { user, .. } => &user.account,
            Self::Role(session) => &session.role.account,
        }
    }

    /// Returns the value that GetCallerIdentity shows.
    pub(crate) fn arn(&self) -> &str {
        match self {
            Self::User { user, .. } => &user.arn,
            Self::Role(session) => &session.arn,
        }
    }

    /// Returns the value that GetCallerIdentity shows.
    pub(crate) fn user_id(&self) -> &str {
        match self {
            Self::User { user, .. } => &user.id,
            Self::Role(session) => &session.id,
        }
    }

    /// Returns the identity as policies see it.
    pub(crate) fn identity(&self) -> Identity {
        let principal_arn = match self {
            Self::User { user, .. } => &user.arn,
            Self::Role(session) => &session.role.arn,
        };
        Identity {
            account: self.account().to_owned(),
            arn: self.arn().to_owned(),
            principal_arn: principal_arn.clone(),
            external: None,
        }
    }

    /// Returns the identity's current policies, including inline ones that calls to IAM added.
    pub(crate) fn policies(&self) -> Vec<PolicyDocument> {
        let (own, inline) = match self {
            Self::User { user, .. } => (&user.policies, &user.inline),
            Self::Role(session) => (&session.role.policies, &session.role.inline),
        };
        own.iter().cloned().chain(inline.all()).collect()
    }

    /// Returns the role session, or `None` for a user.
    pub(crate) fn role_session(&self) -> Option<&AssumedRoleSession> {
        match self {
            Self::User { .. } => None,
            Self::Role(session) => Some(session),
        }
    }
}
