//! Converts the times in responses of metadata and container endpoints into the only form of ISO 8601 that aws-config
//! parses.

use std::borrow::Cow;

use aws_sdk_sts::config::SharedHttpClient;
use aws_sdk_sts::config::http::HttpRequest;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use awsrole_core::aws::iso8601;
use awsrole_core::aws::time::rfc3339;
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;

/// The largest response that is read, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// A client that converts the `Expiration` in its responses.
#[derive(Debug)]
pub(crate) struct Normalized(pub(crate) SharedHttpClient);

impl HttpClient for Normalized {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector(self.0.http_connector(settings, components)))
    }
}

#[derive(Debug)]
struct Connector(SharedHttpConnector);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let call = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let mut answer = call.await?;
            let body = std::mem::replace(answer.body_mut(), "".into());
            let body = Limited::new(body, MAX_BYTES).collect().await.map_err(ConnectorError::io)?.to_bytes();
            let normal = normalized(&body).map_err(|why| ConnectorError::user(why.into()))?;
            if normal.is_some() {
                // The SDK compares it with the length of the body.
                answer.headers_mut().remove("content-length");
            }
            *answer.body_mut() = normal.map_or_else(|| body.into(), Into::into);
            Ok(answer)
        })
    }
}

/// Returns the response with a converted expiration, or `None` if it needs no conversion. The caller rejects a body
/// that isn't JSON with credentials.
fn normalized(body: &[u8]) -> Result<Option<String>, String> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow, alias = "expiration", alias = "ExpiresAt", rename = "Expiration")]
        expiration: Option<Cow<'a, str>>,
    }
    let Ok(text) = std::str::from_utf8(body) else { return Ok(None) };
    let Ok(Answer { expiration: Some(written) }) = serde_json::from_str::<Answer<'_>>(text) else { return Ok(None) };
    let end = iso8601::parse(&written).map_err(|why| format!("the Expiration in the response {why}"))?;
    let usual = rfc3339(end);
    Ok((*written != usual).then(|| text.replacen(&*written, &usual, 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_only_unusual_expirations() {
        let body = |end: &str| format!("{{\"AccessKeyId\":\"ASIA\",\"Expiration\" : \"{end}\",\"Token\":\"t\"}}");
        assert_eq!(normalized(body("2030-01-02T03:04:05Z").as_bytes()), Ok(None));
        for unusual in ["2030-01-02T05:04:05+02:00", "2030-01-02T05:04:05+0200", "2030-01-02 03:04:05.5 UTC"] {
            assert_eq!(normalized(body(unusual).as_bytes()), Ok(Some(body("2030-01-02T03:04:05Z"))), "{unusual}");
        }
        let said = normalized(body("tomorrow").as_bytes()).unwrap_err();
        assert_eq!(said, "the Expiration in the response isn't a time (2030-01-02T03:04:05Z)");
        for other in ["", "role-name", "[]", "{\"Code\":\"x\"}", "{\"Expiration\":1}", "\u{fffd}"] {
            assert_eq!(normalized(other.as_bytes()), Ok(None), "{other}");
        }
    }
}
