//! MFA codes. STS accepts each code once, and only from the caller's own device.

use std::collections::HashSet;
use std::time::SystemTime;

use crate::crypto::totp;
use crate::protocol::error::ApiError;
use crate::protocol::timestamp;
use crate::state::sessions::{ApiCaller, CredentialOwner};

/// Serial number and time step of each code that was used.
#[derive(Default)]
pub(crate) struct UsedCodes(HashSet<(String, u64)>);

impl UsedCodes {
    /// Returns whether a device's code of this time step was used.
    pub(crate) fn contains(&self, serial: &str, step: u64) -> bool {
        self.0.contains(&(serial.to_owned(), step))
    }

    /// Checks a call's serial number and code and records the code as used. Returns whether the call has one.
    ///
    /// # Errors
    /// `AccessDenied`: only one of the two, another user's device, a wrong code, a used code.
    pub(crate) fn redeem(
        &mut self,
        caller: &ApiCaller,
        serial: Option<&str>,
        code: Option<&str>,
        now: SystemTime,
    ) -> Result<bool, ApiError> {
        let (serial, code) = match (serial, code) {
            (None, None) => return Ok(false),
            (Some(serial), Some(code)) => (serial, code),
            _ => {
                return Err(ApiError::access_denied(
                    "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.",
                ));
            }
        };
        let device = match &caller.owner {
            CredentialOwner::User { user, .. } => user.device.as_ref().filter(|device| device.serial == serial),
            CredentialOwner::Role(_) => None,
        };
        let Some(device) = device else {
            return Err(ApiError::access_denied(
                "MultiFactorAuthentication failed, unable to validate MFA code.  \
                 Please verify your MFA serial number is valid and associated with this user.",
            ));
        };
        let step = totp::accepted_step(device.seed.expose(), timestamp::unix_seconds(now), code);
        if step.is_some_and(|step| self.0.insert((serial.to_owned(), step))) {
            return Ok(true);
        }
        Err(ApiError::access_denied("MultiFactorAuthentication failed with invalid MFA one time pass code."))
    }
}
