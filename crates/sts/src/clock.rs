//! The server's clock, read from each response.
//!
//! The SDK silently corrects its signatures for a wrong local clock, but the local clock determines when credentials
//! expire.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_sdk_sts::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_sts::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sts::error::BoxError;
use awsrole_core::session::sts::StsError;

use crate::refusal::http_date;

/// The maximum difference between the clocks, which is AWS's limit for signatures.
const TOLERANCE: Duration = Duration::from_secs(300);

/// The `Date` of the last response.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerClock(Arc<Mutex<Option<SystemTime>>>);

impl ServerClock {
    /// Returns the time of the last response.
    pub(crate) fn last(&self) -> Option<SystemTime> {
        self.0.lock().ok().and_then(|time| *time)
    }

    /// Compares the time of the last response with the local time.
    pub(crate) fn check(&self, now: SystemTime) -> Result<(), StsError> {
        let Some(server) = self.last() else { return Ok(()) };
        let apart = now.duration_since(server).unwrap_or_else(|ahead| ahead.duration());
        if apart > TOLERANCE { Err(StsError::Clock(server)) } else { Ok(()) }
    }
}

impl Intercept for ServerClock {
    fn name(&self) -> &'static str {
        "ServerClock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let (Some(date), Ok(mut last)) = (context.response().headers().get("date"), self.0.lock()) {
            *last = http_date(date);
        }
        Ok(())
    }
}
