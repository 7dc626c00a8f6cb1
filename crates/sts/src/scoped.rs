//! GetScopedCredentials, which the SDK doesn't have yet (aws-sdk-sts 1.124).

use aws_sdk_sts::primitives::{DateTime, DateTimeFormat};
use awsrole_core::aws::credentials::Credentials;
use awsrole_core::aws::endpoint::Endpoint;
use awsrole_core::plan::role_plan::GetScopedCredentials;
use awsrole_core::session::sts::StsError;

use crate::client::keys;
use crate::{ATTEMPTS, RemoteSts, percent, query};

const ACTION: &str = "GetScopedCredentials";

/// Returns the caller's session with the limits of a step.
pub(crate) fn fetch(
    sts: &RemoteSts<'_>,
    caller: &Credentials,
    step: &GetScopedCredentials,
    endpoint: &Endpoint,
) -> Result<Credentials, StsError> {
    let parameters: Vec<(&str, String)> = [
        ("Policy", step.policy.clone()),
        ("DurationSeconds", step.duration.map(|duration| duration.seconds().to_string())),
        ("ScopedSessionDescription", step.description.as_ref().map(|text| text.as_str().to_owned())),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect();
    let settings = sts.client()?.query(endpoint, ATTEMPTS)?;
    let call = query::call(ACTION, &parameters, keys(caller), endpoint, settings);
    let response = sts.call(ACTION, endpoint, call)?;
    let result = |path: &[&str]| response.text(&[&["GetScopedCredentialsResult"], path].concat());
    let secret = |name: &str| result(&["Credentials", name]).unwrap_or_default();
    let expiration = result(&["Credentials", "Expiration"])
        .and_then(|text| DateTime::from_str(&text, DateTimeFormat::DateTime).ok())
        .ok_or_else(|| StsError::Malformed("the response contains no credentials".to_owned()))?;
    let credentials = aws_sdk_sts::types::Credentials::builder()
        .access_key_id(secret("AccessKeyId"))
        .secret_access_key(secret("SecretAccessKey"))
        .session_token(secret("SessionToken"))
        .expiration(expiration)
        .build()
        .map_err(|error| StsError::Malformed(error.to_string()))?;
    let arn = result(&["SessionInfo", "Arn"]).or_else(|| caller.arn.clone());
    // The identity is that of the caller (STS API Reference, `ScopedSession`).
    if let Some(expected) = caller.arn.as_ref().filter(|_| arn != caller.arn) {
        let other = arn.unwrap_or_default();
        return Err(StsError::Malformed(format!("the response contains credentials of {other} instead of {expected}")));
    }
    let size = result(&["SessionTokenUtilization"]).and_then(|text| text.parse().ok());
    Ok(Credentials { size_percent: percent(size), ..sts.credentials(Some(credentials), arn)? })
}
