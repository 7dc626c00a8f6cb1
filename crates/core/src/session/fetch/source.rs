//! Fetches the credentials of the source, with which the first call is made.

use super::{ChainFetcher, FetchError, LOCK_TIMEOUT};
use crate::aws::access_keys::KeyRef;
use crate::aws::credentials::Credentials;
use crate::aws::mfa::NotSignedIn;
use crate::aws::source::{Source, SourceError, StaticKeys, WebIdentity};
use crate::base::digest::sha256;
use crate::session::cache::{FailureKind, Trigger};
use crate::session::web_identity;

impl ChainFetcher<'_> {
    /// Loads keys from a store. They are only used for the next call and never cached.
    pub(super) fn load_stored_keys(&self, place: &KeyRef) -> Result<Credentials, FetchError> {
        if let Some(credentials) = self.stored_keys.get() {
            return Ok(credentials.clone());
        }
        let ask = self.options.trigger == Trigger::User;
        let secret = self.providers.keys.secret(place, ask, &|phrase| self.announce(phrase));
        let secret = secret.map_err(|no| match no.depends_on_the_person() {
            true => FetchError::uncached(no.problem(place)),
            false => FetchError::cacheable(no.problem(place), FailureKind::Transient),
        })?;
        self.announce("");
        Ok(self.stored_keys.get_or_init(|| StaticKeys::long_term(place, secret).credentials()).clone())
    }

    /// Fetches the source's credentials.
    ///
    /// All roles of one Identity Center or console session share a refresh token that can be used once. Two refreshes
    /// at the same time would end the sign-in of one of them.
    pub(super) fn fetch_source(&self) -> Result<Credentials, FetchError> {
        let session = match &self.plan.source {
            Source::IdentityCenter(role) => Some(role.lock_key()),
            Source::ConsoleLogin(login) => Some(sha256(&[b"login", login.session.as_bytes()])),
            _ => None,
        };
        let lock = session.map(|key| self.cache.lock(&key, LOCK_TIMEOUT)).transpose();
        let lock = lock.map_err(|error| self.lock_error(error))?;
        let is_locked = lock.is_some();
        self.locks.borrow_mut().extend(lock);
        let credentials = match &self.plan.source {
            Source::WebIdentity(token) => self.fetch_web_identity_session(token),
            source => self.signed_in_credentials(source),
        };
        if is_locked {
            self.locks.borrow_mut().pop();
        }
        let credentials = credentials?;
        // The call may have renewed a sign-in, and later cache keys depend on the returned access key ID.
        self.update_keys();
        let recorded = self.cache.record_source_id(&self.session(0), &credentials.access_key_id);
        recorded.map_err(|e| FetchError::local(&e))?;
        self.update_keys();
        Ok(credentials)
    }

    /// Fetches the credentials of a source. If the user isn't signed in, asks them to sign in.
    fn signed_in_credentials(&self, source: &Source) -> Result<Credentials, FetchError> {
        let fetch = || self.providers.sources.credentials(source);
        let fetched = match fetch() {
            Err(SourceError::SignedOut(problem)) if self.options.trigger == Trigger::User => {
                match self.providers.authenticator.sign_in(source, &|phrase| self.announce(phrase)) {
                    Ok(()) => {
                        self.announce("");
                        self.prompted.replace(true);
                        fetch()
                    }
                    Err(NotSignedIn::Declined) => Err(SourceError::SignedOut(problem)),
                    Err(NotSignedIn::Failed(problem)) => Err(SourceError::Failed(problem)),
                }
            }
            fetched => fetched,
        };
        fetched.map_err(|error| FetchError::cacheable(error.problem(), FailureKind::Transient))
    }

    /// Requests the session of a web identity token. The file is read for each call, because other programs renew it.
    fn fetch_web_identity_session(&self, source: &WebIdentity) -> Result<Credentials, FetchError> {
        let endpoint = &self.plan.endpoint;
        let transient = |problem| FetchError::cacheable(problem, FailureKind::Transient);
        let token = web_identity::read_token(source).map_err(transient)?;
        self.providers.sts.assume_role_with_web_identity(source, &token, endpoint).map_err(|error| {
            // Cached for a short time only: the next token may work, and awsrole isn't notified of it.
            transient(web_identity::explain(source, endpoint, &error, self.options.now, self.providers.clock_command))
        })
    }
}
