//! Converts errors of the SDK. No text here can contain a secret, because requests aren't printed.

use std::error::Error;
use std::time::SystemTime;

use aws_sdk_sts::error::{ErrorMetadata, ProvideErrorMetadata, SdkError};
use awsrole_core::session::sts::StsError;

use crate::Limits;

/// Converts an error of the SDK into one of core.
pub(crate) fn of<E>(error: &SdkError<E>, limits: Limits) -> StsError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(refused) => {
            let status = refused.raw().status().as_u16();
            let date = refused.raw().headers().get("date");
            let message = refused.err().message().map(str::to_owned);
            let message = message.or_else(|| oauth_description(refused.raw().body().bytes()?));
            match refused.err().code() {
                Some(code) => StsError::Refused {
                    code: code.to_owned(),
                    message: message.unwrap_or_else(|| "no reason given".to_owned()),
                    server_time: date.and_then(http_date),
                },
                None => StsError::Malformed(format!("HTTP status {status} with a response that isn't from STS")),
            }
        }
        // The SDK's text for a timeout of the last of several attempts.
        SdkError::TimeoutError(_) if root_cause(error).contains("single attempt") => {
            StsError::TimedOut(limits.attempt.as_secs())
        }
        SdkError::TimeoutError(_) => StsError::TimedOut(limits.whole.as_secs()),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            StsError::Unreachable(format!("no connection within {} s", limits.connect.as_secs()))
        }
        SdkError::ResponseError(_) => {
            StsError::Malformed(format!("the response isn't from STS: {}", root_cause(error)))
        }
        _ => StsError::Unreachable(root_cause(error)),
    }
}

/// Returns the message of an OAuth error (RFC 6749, section 5.2), which the SDK doesn't count as one.
fn oauth_description(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(body.get("error_description")?.as_str()?.to_owned())
}

/// Returns the innermost cause: "connection refused" is more specific than "dispatch failure".
pub(crate) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    let text = match error.downcast_ref::<ErrorMetadata>() {
        Some(answer) => match (answer.code(), answer.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(text), None) | (None, Some(text)) => text.to_owned(),
            (None, None) => "no reason given".to_owned(),
        },
        None => error.to_string(),
    };
    // The text of rustls for a response in plain text.
    if text.contains("InvalidContentType") {
        "the server did not answer with TLS. The URL may need http".to_owned()
    } else {
        text
    }
}

/// Parses a `Date` header (RFC 9110, section 5.6.7).
pub(crate) fn http_date(text: &str) -> Option<SystemTime> {
    use aws_sdk_sts::primitives::{DateTime, DateTimeFormat};
    crate::time(&DateTime::from_str(text, DateTimeFormat::HttpDate).ok()?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn reads_the_date_of_a_response() {
        let time = http_date("Thu, 01 Jan 1970 00:16:40 GMT").unwrap();
        assert_eq!(time, SystemTime::UNIX_EPOCH + Duration::from_secs(1000));
        for wrong in ["yesterday", "Wed, 31 Dec 1969 23:59:59 GMT"] {
            assert_eq!(http_date(wrong), None);
        }
    }
}
