//! The server's clock, read from each answer: the SDK corrects its signatures for a local clock that
//! is off and says nothing, but when credentials expire is told by that clock.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_sdk_sts::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_sts::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sts::error::BoxError;
use awsrole_core::session::sts::StsError;

use crate::refusal::http_date;

/// How far apart the clocks may be. AWS's own limit for signatures.
const TOLERANCE: Duration = Duration::from_secs(300);

/// The `Date` of the last answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerClock(Arc<Mutex<Option<SystemTime>>>);

impl ServerClock {
    /// The time of the last answer.
    pub(crate) fn last(&self) -> Option<SystemTime> {
        self.0.lock().ok().and_then(|time| *time)
    }

    /// Compares the last answer's time with the local one.
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
