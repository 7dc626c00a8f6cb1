//! The server's state as a whole, and the part of it that an action works with.

use std::time::{Duration, SystemTime};

use crate::fixture::world::World;
use crate::protocol::timestamp;
use crate::state::access_keys::LongTermKeys;
use crate::state::calls::{CallLog, RecordedCall};
use crate::state::faults::{FaultEffects, Faults};
use crate::state::federation::FederationState;
use crate::state::identity_center::IdentityCenterState;
use crate::state::metadata::MetadataState;
use crate::state::mfa::UsedCodes;
use crate::state::sessions::Sessions;
use crate::state::signin::SigninState;

/// Everything that changes while the server runs.
pub(crate) struct ServerState {
    pub(crate) access_keys: LongTermKeys,
    pub(crate) sessions: Sessions,
    pub(crate) used_codes: UsedCodes,
    pub(crate) metadata: MetadataState,
    pub(crate) identity_center: IdentityCenterState,
    pub(crate) signin: SigninState,
    pub(crate) federation: FederationState,
    pub(crate) calls: CallLog,
    pub(crate) faults: Faults,
}

/// What an action works with while it handles one call.
pub(crate) struct RequestContext<'a> {
    pub(crate) state: &'a mut ServerState,
    /// Number of the call in the call log.
    number: u64,
    /// The server's time, with the offset that a fault sets.
    pub(crate) now: SystemTime,
    /// Lifetime that a fault sets for whatever the call issues.
    lifetime: Option<Duration>,
    /// How long a new access key stays unknown to the services.
    pub(crate) key_delay: Duration,
}

impl ServerState {
    /// Returns the state of a server that has just started.
    pub(crate) fn new(world: &World) -> Self {
        Self {
            access_keys: LongTermKeys::of(world),
            sessions: Sessions::default(),
            used_codes: UsedCodes::default(),
            metadata: MetadataState::default(),
            identity_center: IdentityCenterState::default(),
            signin: SigninState::default(),
            federation: FederationState::default(),
            calls: CallLog::default(),
            faults: Faults::default(),
        }
    }

    /// Returns the context of the call with this number in the call log.
    pub(crate) fn context(&mut self, number: u64, now: SystemTime, effects: &FaultEffects) -> RequestContext<'_> {
        RequestContext { state: self, number, now, lifetime: effects.lifetime, key_delay: effects.key_delay }
    }
}

impl RequestContext<'_> {
    /// Returns the expiration of something that lives for `default`, or as long as a fault says.
    pub(crate) fn expiry(&self, default: Duration) -> SystemTime {
        timestamp::whole_seconds(self.now + self.lifetime(default))
    }

    /// Returns `default`, or the lifetime that a fault sets instead.
    pub(crate) fn lifetime(&self, default: Duration) -> Duration {
        self.lifetime.unwrap_or(default)
    }

    /// Records the caller in the call log: the access key, and its owner's ARN once that is known.
    pub(crate) fn record_caller(&mut self, access_key_id: &str, arn: Option<&str>) {
        self.state.calls.set_caller(self.number, access_key_id, arn);
    }

    /// Adds to the call's entry in the call log.
    pub(crate) fn record(&mut self, change: impl FnOnce(&mut RecordedCall)) {
        if let Some(call) = self.state.calls.call(self.number) {
            change(call);
        }
    }
}
