//! Explains why STS didn't answer.

use std::time::{Duration, SystemTime};

use crate::base::problem::Problem;
use crate::session::sts::StsError;

/// The hint for a CA bundle that can't be used.
pub const NO_CA_BUNDLE: &str = "the setting must name a CA bundle (PEM): remove it if no proxy intercepts TLS";

/// The hint for a server that can't answer at the moment.
pub(crate) const TRY_AGAIN: &str = "STS is busy or has an outage: try again in a moment";

/// Explains why STS didn't answer. If STS refused the call, returns its code and message instead.
pub(crate) fn unanswered<'e>(
    what: &str,
    endpoint: &str,
    error: &'e StsError,
    now: SystemTime,
    clock_command: &str,
) -> Result<Problem, (&'e str, &'e str)> {
    Ok(match error {
        StsError::Refused { code, message, .. } => return Err((code, message)),
        StsError::Trust(_) => Problem::new(format!("cannot get {what}: the CA bundle for {endpoint} can't be used"))
            .because(error)
            .hint(NO_CA_BUNDLE),
        StsError::Unreachable(why) if why.starts_with("this machine has no CA certificates") => {
            Problem::new(format!("cannot get {what}: the TLS certificate of {endpoint} is not trusted"))
                .because(error)
                .hint("install the package ca-certificates, or set AWS_CA_BUNDLE to a CA bundle (PEM)")
        }
        StsError::Unreachable(why) if why.contains("certificate") => {
            Problem::new(format!("cannot get {what}: the TLS certificate of {endpoint} is not trusted"))
                .because(error)
                .hint("if a proxy intercepts TLS, set AWS_CA_BUNDLE to a file with its CA certificate (PEM)")
        }
        // The SDK's text for settings that exclude each other. No call was made.
        StsError::Unreachable(why) if why.starts_with("Invalid Configuration: ") => {
            let what = format!("cannot get {what}: the settings for {endpoint} exclude each other");
            let problem = Problem::new(what).because(why.trim_start_matches("Invalid Configuration: "));
            let kind = if why.contains("FIPS") { "fips" } else { "dualstack" };
            problem.hint(format!(
                "remove use_{kind}_endpoint (or unset AWS_USE_{}_ENDPOINT), or remove the endpoint URL",
                kind.to_uppercase()
            ))
        }
        StsError::Unresolved { host, .. } => {
            let problem = Problem::new(format!("cannot get {what}: cannot resolve {host}")).because(error).temporary();
            // A configured endpoint is shown as its URL.
            problem.hint(match endpoint.contains("://") {
                true => "check the name in the endpoint URL, the network and its DNS server",
                false => "check the network, its DNS server and the region",
            })
        }
        StsError::Unreachable(_) | StsError::TimedOut(_) => {
            Problem::new(format!("cannot get {what}: {endpoint} is unreachable"))
                .because(error)
                .temporary()
                .hint(format!("check {}", suspects(error)))
        }
        StsError::Clock(server) => Problem::new(format!("cannot get {what}: this machine's clock is wrong"))
            .because(error)
            .hint(set_the_clock(minutes_off(now, *server), clock_command)),
        StsError::Malformed(_) => Problem::new(format!("cannot get {what}: {endpoint} returned an invalid response"))
            .because(error)
            .hint("is the endpoint STS? check AWS_ENDPOINT_URL and `endpoint_url` in ~/.aws/config")
            .hint("a proxy or the login page of a network (hotel, train) may respond instead of STS"),
    })
}

/// Returns what may prevent a connection. A proxy is named only if one is set.
#[must_use]
pub fn suspects(error: &StsError) -> &'static str {
    match error.to_string().to_ascii_lowercase().contains("_proxy is ") {
        true => "the proxy, then the network and the region",
        false => "the network and the region",
    }
}

/// Returns the hint for a clock that is this many minutes ahead.
pub(super) fn set_the_clock(minutes: i64, command: &str) -> String {
    let direction = if minutes > 0 { "fast" } else { "slow" };
    let off = match minutes.unsigned_abs() {
        minutes @ ..120 => format!("{minutes} minutes"),
        minutes => humantime::format_duration(Duration::from_secs(minutes * 60)).to_string(),
    };
    format!("this machine's clock is {off} {direction}: set it (`{command}`)")
}

/// Returns by how many minutes the local clock is ahead of the server's.
pub(super) fn minutes_off(local: SystemTime, server: SystemTime) -> i64 {
    let minutes = |duration: Duration| i64::try_from((duration.as_secs() + 30) / 60).unwrap_or(i64::MAX);
    match local.duration_since(server) {
        Ok(ahead) => minutes(ahead),
        Err(behind) => -minutes(behind.duration()),
    }
}
