//! The console's federation endpoint, which exchanges credentials for a sign-in token.

use std::time::Duration;

use aws_sdk_sts::config::http::HttpRequest;
use aws_smithy_runtime_api::client::http::HttpConnector;
use awsrole_core::aws::credentials::Temporary;
use awsrole_core::aws::endpoint::CaBundle;
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::RemoteSts;

/// The largest response that is read, in bytes.
const MAX_BYTES: usize = 64 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    signin_token: String,
}

/// Requests a sign-in token, which is valid for 15 minutes. The credentials are sent by POST, because URLs appear in
/// logs.
///
/// # Errors
/// Fails without a response and if the endpoint refuses. The endpoint returns a status but rarely a reason.
pub fn sign_in_token(
    sts: &RemoteSts<'_>,
    federation: &str,
    ca_bundle: Option<&CaBundle>,
    credentials: Temporary<'_>,
    duration: Option<Duration>,
) -> Result<Secret, Problem> {
    let unreachable = |why: String| {
        Problem::new(format!("no response from {federation}"))
            .because(why)
            .hint("check the network and proxies (HTTPS_PROXY)")
    };
    let client = sts.client().map_err(|error| unreachable(error.to_string()))?;
    let session = Zeroizing::new(
        serde_json::json!({
            "sessionId": credentials.access_key_id,
            "sessionKey": credentials.secret_access_key.expose(),
            "sessionToken": credentials.session_token.as_ref().map(Secret::expose),
        })
        .to_string(),
    );
    // Allocate the full size at once: a growing buffer would leave copies of secrets in memory.
    let mut form = Zeroizing::new(String::with_capacity(3 * session.len() + 128));
    form.push_str("Action=getSigninToken&Session=");
    for byte in session.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => form.push(char::from(byte)),
            _ => form.push_str(&format!("%{byte:02X}")),
        }
    }
    if let Some(duration) = duration {
        form.push_str(&format!("&SessionDuration={}", duration.as_secs()));
    }
    let mut request = HttpRequest::new(form.as_str().into());
    request.set_method("POST").map_err(|error| unreachable(error.to_string()))?;
    request.set_uri(federation).map_err(|error| unreachable(error.to_string()))?;
    let headers = request.headers_mut();
    headers.insert("content-type", "application/x-www-form-urlencoded");
    headers.insert("content-length", form.len().to_string());
    let whole = sts.limits().whole;
    let connector = client.connector(ca_bundle).map_err(|error| unreachable(error.to_string()))?;
    let call = async {
        let response = connector.call(request).await.map_err(|error| {
            let error: &dyn std::error::Error = &error;
            std::iter::successors(Some(error), |error| error.source()).last().unwrap_or(error).to_string()
        })?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await.map_err(|error| error.to_string())?;
        Ok::<_, String>((status, Zeroizing::new(body.to_bytes().to_vec())))
    };
    let answer = sts.wait(client, federation, async { tokio::time::timeout(whole, call).await });
    let answer = answer.map_err(|_| unreachable(format!("no response within {} s", whole.as_secs())))?;
    let (status, body) = answer.map_err(unreachable)?;
    if status != 200 {
        let why = String::from_utf8_lossy(&body);
        // HTML pages contain no useful message.
        let why = why.lines().next().filter(|line| !line.trim_start().starts_with('<')).unwrap_or_default();
        return Err(Problem::new(format!("{federation} rejected the session"))
            .because(format!("HTTP {status} {why}").trim())
            .hint("run `awsrole refresh` if this session was revoked in AWS"));
    }
    let answer: Answer = serde_json::from_slice(&body).map_err(|_| {
        Problem::new(format!("{federation} returned no sign-in token")).hint("is it AWS that responds there?")
    })?;
    Ok(Secret::new(answer.signin_token))
}
