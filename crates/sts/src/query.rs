//! Signed calls of the AWS query protocol, for actions that the SDK doesn't have.
//!
//! Connections, retries, timeouts and error codes are those of the SDK's own calls.

use std::fmt;
use std::time::SystemTime;

use aws_credential_types::Credentials as Keys;
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_sdk_sts::config::http::{HttpRequest, HttpResponse};
use aws_sdk_sts::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_sts::config::{BehaviorVersion, ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_sts::error::{BoxError, ErrorMetadata, SdkError};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use aws_smithy_xml::decode::{Document, ScopedDecoder, try_data};
use awsrole_core::aws::endpoint::Endpoint;
use awsrole_core::base::secret::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::client::QuerySettings;

/// The characters of RFC 3986, section 2.3, are sent as they are.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The version of STS's API.
const VERSION: &str = "2011-06-15";

/// The body of a response.
pub(crate) struct Response(Secret);

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Response")
    }
}

impl Response {
    /// Returns the text of the element at a path below the root. An element without text is empty.
    pub(crate) fn text(&self, path: &[&str]) -> Option<String> {
        let mut document = Document::new(self.0.expose());
        text(&mut document.root_element().ok()?, path)
    }
}

fn text(element: &mut ScopedDecoder<'_, '_>, path: &[&str]) -> Option<String> {
    let Some((name, rest)) = path.split_first() else {
        return try_data(element).ok().map(std::borrow::Cow::into_owned);
    };
    while let Some(mut child) = element.next_tag() {
        if child.start_el().matches(name) {
            return text(&mut child, rest);
        }
    }
    None
}

/// Calls an action of STS with these parameters, signed with `keys`.
pub(crate) async fn call(
    action: &'static str,
    parameters: &[(&str, String)],
    keys: Keys,
    endpoint: &Endpoint,
    settings: QuerySettings,
) -> Result<Response, SdkError<ErrorMetadata>> {
    let params = Params::builder()
        .region(endpoint.region.as_str())
        .use_fips(endpoint.fips)
        .use_dual_stack(endpoint.dual_stack)
        .set_endpoint(endpoint.url.clone())
        .build()
        .map_err(SdkError::construction_failure)?;
    let resolved = DefaultResolver::new().resolve_endpoint(&params).await.map_err(SdkError::construction_failure)?;
    let body = body(action, parameters);
    let operation = Operation::builder()
        .service_name("sts")
        .operation_name(action)
        .behavior_version(BehaviorVersion::latest())
        .http_client(settings.http)
        .endpoint_url(resolved.url())
        .no_auth()
        .standard_retry(&settings.retries)
        .retry_classifier(AwsErrorCodeClassifier::<ErrorMetadata>::new())
        .retry_classifier(TransientErrorClassifier::<ErrorMetadata>::new())
        .retry_classifier(HttpStatusCodeClassifier::default())
        .timeout_config(settings.timeouts)
        .interceptor(settings.clock)
        .interceptor(Signature { keys, region: endpoint.region.as_str().to_owned() })
        .serializer(move |()| request(&body))
        .deserializer(|response: &HttpResponse| read(response))
        .build();
    operation.invoke(()).await
}

fn body(action: &str, parameters: &[(&str, String)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
    let parameters = parameters.iter().map(|(name, value)| format!("&{name}={}", encode(value)));
    format!("Action={action}&Version={VERSION}{}", parameters.collect::<String>())
}

fn request(body: &str) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(body.into());
    request.set_method("POST")?;
    let headers = request.headers_mut();
    headers.insert("content-type", "application/x-www-form-urlencoded");
    headers.insert("content-length", body.len().to_string());
    // CloudTrail records it.
    headers.insert("user-agent", concat!("awsrole/", env!("CARGO_PKG_VERSION")));
    Ok(request)
}

/// Returns the body of a successful response, or the code and the message of an error (`ErrorResponse`).
fn read(response: &HttpResponse) -> Result<Response, OrchestratorError<ErrorMetadata>> {
    let body = response.body().bytes().and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
    let body = Response(Secret::new(body));
    if response.status().is_success() {
        return Ok(body);
    }
    let mut error = ErrorMetadata::builder();
    if let Some(code) = body.text(&["Error", "Code"]) {
        error = error.code(code);
    }
    if let Some(message) = body.text(&["Error", "Message"]) {
        error = error.message(message);
    }
    Err(OrchestratorError::operation(error.build()))
}

/// Signs each attempt with SigV4.
struct Signature {
    keys: Keys,
    region: String,
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Intercept for Signature {
    fn name(&self) -> &'static str {
        "Signature"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let now = components.time_source().map(|clock| clock.now()).ok_or("no clock")?;
        let headers = self.headers(context.request(), now)?;
        for (name, value) in headers {
            context.request_mut().headers_mut().insert(name, value);
        }
        Ok(())
    }
}

impl Signature {
    fn headers(&self, request: &HttpRequest, now: SystemTime) -> Result<Vec<(&'static str, String)>, BoxError> {
        let identity = self.keys.clone().into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("sts")
            .time(now)
            .settings(SigningSettings::default())
            .build()?
            .into();
        let body = request.body().bytes().ok_or("the body isn't in memory")?;
        let signable =
            SignableRequest::new(request.method(), request.uri(), request.headers().iter(), SignableBody::Bytes(body))?;
        let (instructions, _) = sign(signable, &parameters)?.into_parts();
        let (headers, _) = instructions.into_parts();
        Ok(headers.iter().map(|header| (header.name(), header.value().to_owned())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_elements_of_a_response() {
        let xml = "<R xmlns=\"urn:x\"><A><B>one</B><C>1 &lt; 2</C></A><E/></R>";
        let response = Response(Secret::new(xml));
        for (path, expected) in [
            (&["A", "B"][..], Some("one")),
            (&["A", "C"], Some("1 < 2")),
            (&["E"], Some("")),
            (&["A"], None),
            (&["B"], None),
        ] {
            assert_eq!(response.text(path).as_deref(), expected, "{path:?}");
        }
        assert_eq!(Response(Secret::new("<html>")).text(&["A"]), None);
    }

    #[test]
    fn encodes_parameters() {
        let body = body("Act", &[("Policy", "{\"a b\": \"*ü&=+~\"}".to_owned())]);
        assert_eq!(body, "Action=Act&Version=2011-06-15&Policy=%7B%22a%20b%22%3A%20%22%2A%C3%BC%26%3D%2B~%22%7D");
    }
}
