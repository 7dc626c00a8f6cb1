//! Credentials of a host for its role: every request gets the same ones until shortly before they expire.

use std::time::{Duration, SystemTime};

use crate::protocol::error::ApiError;
use crate::state::sessions::{CredentialOwner, IssuedCredentials, Sessions};

/// EC2's guide on roles promises new credentials at least five minutes before the old ones end.
const RENEWED_BEFORE: Duration = Duration::from_secs(300);

/// Access key ID of the current credentials and the time when they were issued, or `None` before the first request.
#[derive(Default)]
pub(crate) struct HostCredentials(Option<(String, SystemTime)>);

impl HostCredentials {
    /// Returns the current credentials and when they were issued. Issues new ones that expire at `expires` if there are
    /// none or if they are due for renewal.
    ///
    /// # Errors
    /// As for [`Sessions::issue`].
    pub(crate) fn current<'a>(
        &mut self,
        sessions: &'a mut Sessions,
        owner: CredentialOwner,
        now: SystemTime,
        expires: SystemTime,
    ) -> Result<(&'a IssuedCredentials, SystemTime), ApiError> {
        let current = self.0.clone().filter(|(id, since)| {
            sessions.find(id).is_some_and(|(credentials, _)| !is_due(*since, credentials.expires, now))
        });
        let (id, since) = match current {
            Some(current) => current,
            None => (sessions.issue(owner, now, expires)?.access_key_id.clone(), now),
        };
        self.0 = Some((id.clone(), since));
        sessions.find(&id).map(|(credentials, _)| (credentials, since)).ok_or_else(ApiError::internal)
    }
}

/// Returns whether credentials must be renewed. Lifetimes below ten minutes, as tests set them, are renewed in their
/// second half.
fn is_due(since: SystemTime, expires: SystemTime, now: SystemTime) -> bool {
    let lifetime = expires.duration_since(since).unwrap_or_default();
    expires.duration_since(now).unwrap_or_default() <= RENEWED_BEFORE.min(lifetime / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_comes_before_the_end() {
        let start = SystemTime::UNIX_EPOCH;
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        // Life, age, due.
        for (lifetime, age, due) in [
            (21_600, 0, false),
            (21_600, 21_299, false),
            (21_600, 21_300, true),
            (21_600, 30_000, true),
            (10, 4, false),
            (10, 5, true),
            (0, 0, true),
        ] {
            assert_eq!(is_due(start, at(lifetime), at(age)), due, "{age} of {lifetime}");
        }
    }
}
