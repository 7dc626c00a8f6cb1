//! Long-term access keys: those of the fixture, and those that calls to IAM create, update and delete.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::BASE64;

use crate::crypto::random;
use crate::crypto::secret::SecretValue;
use crate::fixture::user::User;
use crate::fixture::world::World;
use crate::protocol::error::ApiError;
use crate::state::access_key_id;

/// Maximum number of keys of a user.
const QUOTA: usize = 2;

/// Creation time of the fixture's keys: 2024-01-01.
const FIXTURE_CREATED: Duration = Duration::from_secs(1_704_067_200);

/// A user's access key.
pub(crate) struct LongTermKey {
    pub(crate) user: Arc<User>,
    pub(crate) id: String,
    pub(crate) secret: SecretValue<String>,
    pub(crate) active: bool,
    pub(crate) created: SystemTime,
    /// When services begin to accept the key. IAM is "eventually consistent".
    pub(crate) known_from: SystemTime,
}

/// All keys, in the order of their creation.
pub(crate) struct LongTermKeys(Vec<LongTermKey>);

impl LongTermKeys {
    /// Returns the keys of the fixture.
    pub(crate) fn of(world: &World) -> Self {
        let keys = world.users.iter().map(|user| LongTermKey {
            user: Arc::clone(user),
            id: user.access_key_id.clone(),
            secret: user.secret.clone(),
            active: user.active,
            created: UNIX_EPOCH + FIXTURE_CREATED,
            known_from: UNIX_EPOCH,
        });
        Self(keys.collect())
    }

    /// Returns the key with this ID, if services accept it at `now`.
    pub(crate) fn find(&self, id: &str, now: SystemTime) -> Option<&LongTermKey> {
        self.0.iter().find(|key| key.id == id && key.known_from <= now)
    }

    /// Returns a user's keys.
    pub(crate) fn of_user<'a>(&'a self, user: &'a User) -> impl Iterator<Item = &'a LongTermKey> {
        self.0.iter().filter(|key| key.user.arn == user.arn)
    }

    /// Creates a key that services accept after `delay`.
    ///
    /// # Errors
    /// `LimitExceeded` beyond two keys, `InternalFailure` if the system has no randomness.
    pub(crate) fn create(
        &mut self,
        user: &Arc<User>,
        now: SystemTime,
        delay: Duration,
    ) -> Result<&LongTermKey, ApiError> {
        if self.of_user(user).count() >= QUOTA {
            let message = format!("Cannot exceed quota for AccessKeysPerUser: {QUOTA}");
            return Err(ApiError::new(409, "LimitExceeded", message));
        }
        let secret = random::bytes::<30>()?;
        self.0.push(LongTermKey {
            user: Arc::clone(user),
            id: access_key_id::new("AKIA", &user.account, random::bytes()?),
            secret: SecretValue::new(BASE64.encode(&secret)),
            active: true,
            created: now,
            known_from: now + delay,
        });
        self.0.last().ok_or_else(ApiError::internal)
    }

    /// Activates or deactivates a user's key.
    ///
    /// # Errors
    /// `NoSuchEntity` for a key that isn't this user's.
    pub(crate) fn set_active(&mut self, user: &User, id: &str, active: bool) -> Result<(), ApiError> {
        let key = self.0.iter_mut().find(|key| key.user.arn == user.arn && key.id == id);
        key.ok_or_else(|| no_such_key(id))?.active = active;
        Ok(())
    }

    /// Deletes a user's key. Its sessions stay valid, as at AWS.
    ///
    /// # Errors
    /// `NoSuchEntity` for a key that isn't this user's.
    pub(crate) fn delete(&mut self, user: &User, id: &str) -> Result<(), ApiError> {
        let place = self.0.iter().position(|key| key.user.arn == user.arn && key.id == id);
        self.0.remove(place.ok_or_else(|| no_such_key(id))?);
        Ok(())
    }
}

fn no_such_key(id: &str) -> ApiError {
    ApiError::new(404, "NoSuchEntity", format!("The Access Key with id {id} cannot be found."))
}
