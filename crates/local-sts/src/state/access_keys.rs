//! Long-term access keys: those of the fixture, and those that IAM's calls make, switch and delete.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::BASE64;

use crate::crypto::random;
use crate::crypto::secret::SecretValue;
use crate::fixture::user::User;
use crate::fixture::world::World;
use crate::protocol::error::ApiError;
use crate::state::access_key_id;

/// How many a user may have; AWS raises this quota for nobody.
const QUOTA: usize = 2;

/// When the fixture's keys were made: 2024-01-01.
const FIXTURE_CREATED: Duration = Duration::from_secs(1_704_067_200);

/// One key of a user.
pub(crate) struct LongTermKey {
    pub(crate) user: Arc<User>,
    pub(crate) id: String,
    pub(crate) secret: SecretValue<String>,
    pub(crate) active: bool,
    pub(crate) created: SystemTime,
    /// Until then no service knows the key: IAM is "eventually consistent".
    pub(crate) known_from: SystemTime,
}

/// All keys, in the order in which they were made.
pub(crate) struct LongTermKeys(Vec<LongTermKey>);

impl LongTermKeys {
    /// Those of the fixture.
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

    /// The key with this id, if the services know it by now.
    pub(crate) fn find(&self, id: &str, now: SystemTime) -> Option<&LongTermKey> {
        self.0.iter().find(|key| key.id == id && key.known_from <= now)
    }

    /// A user's keys.
    pub(crate) fn of_user<'a>(&'a self, user: &'a User) -> impl Iterator<Item = &'a LongTermKey> {
        self.0.iter().filter(|key| key.user.arn == user.arn)
    }

    /// Makes a key that the services know after `delay`.
    ///
    /// # Errors
    /// `LimitExceeded` beyond two keys; `InternalFailure` when the system has no randomness.
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

    /// Switches a user's key on or off.
    ///
    /// # Errors
    /// `NoSuchEntity` for a key that isn't this user's.
    pub(crate) fn switch(&mut self, user: &User, id: &str, active: bool) -> Result<(), ApiError> {
        let key = self.0.iter_mut().find(|key| key.user.arn == user.arn && key.id == id);
        key.ok_or_else(|| no_such_key(id))?.active = active;
        Ok(())
    }

    /// Deletes a user's key. Its sessions live on, as at AWS.
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
