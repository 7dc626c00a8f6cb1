//! One-time codes as STS takes them: from the caller's own device, and each only once.

use std::collections::HashSet;
use std::time::SystemTime;

use crate::crypto::totp;
use crate::protocol::error::ApiError;
use crate::protocol::timestamp;
use crate::state::sessions::{ApiCaller, CredentialOwner};

/// The codes that were used: serial number and step.
#[derive(Default)]
pub(crate) struct UsedCodes(HashSet<(String, u64)>);

impl UsedCodes {
    /// Whether a device's code of this step was taken already.
    pub(crate) fn holds(&self, serial: &str, step: u64) -> bool {
        self.0.contains(&(serial.to_owned(), step))
    }

    /// Checks a call's serial number and code, and burns the code. Returns whether there was one.
    ///
    /// # Errors
    /// `AccessDenied` with the text for: only one of the two, not the caller's device, not a code of now, a used code.
    pub(crate) fn check(
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
