//! Runs a `credential_process`, a program of the user that prints credentials (AWS SDKs and Tools Reference Guide,
//! "Process credential provider").

use std::time::{Duration, SystemTime};

use awsrole_core::aws::credentials::Credentials;
use awsrole_core::aws::iso8601;
use awsrole_core::aws::source::{IN_PROCESS, Process};
use awsrole_core::base::context::Env;
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::subprocess;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    version: serde_json::Number,
    access_key_id: Zeroizing<String>,
    secret_access_key: Zeroizing<String>,
    session_token: Option<Zeroizing<String>>,
    expiration: Option<String>,
}

/// Runs the program with /bin/sh in the outer environment. Its stderr and the terminal are available to the user. Its
/// output is never repeated.
pub(crate) fn run(process: &Process, env: &Env, limit: Duration, now: SystemTime) -> Result<Credentials, Problem> {
    let failed = |why: String| {
        Problem::new(format!("the credential_process of profile {} returned no credentials", process.profile))
            .because(why)
            .hint(format!(
                "see the profile in ~/.aws/config, and test it with: aws configure export-credentials --profile {}",
                process.profile
            ))
    };
    let text = subprocess::run(&process.command, env, (IN_PROCESS, &process.running(env)), limit)
        .map_err(|why| failed(format!("it {why}")))?;
    if text.trim().is_empty() {
        return Err(failed("it printed nothing".to_owned()));
    }
    // serde's error would repeat the output.
    let answer: Answer = serde_json::from_str(&text).map_err(|e| {
        failed(format!("its output isn't the JSON that SDKs expect (line {}, column {}): {{\"Version\": 1, \"AccessKeyId\": …, \"SecretAccessKey\": …}}", e.line(), e.column()))
    })?;
    // The AWS CLI compares numbers, so 1.0 equals 1.
    if answer.version.as_f64() != Some(1.0) {
        return Err(failed(format!("its output has version {}, not 1", answer.version)));
    }
    let expiration = answer.expiration.as_deref().map(iso8601::parse).transpose();
    let expiration = expiration.map_err(|why| failed(format!("its Expiration {why}")))?;
    if expiration.is_some_and(|end| end <= now) {
        return Err(failed("the credentials have already expired".to_owned()));
    }
    let secret = |text: Zeroizing<String>| Secret::new(text.as_str());
    Ok(Credentials {
        access_key_id: answer.access_key_id.to_string(),
        secret_access_key: secret(answer.secret_access_key),
        session_token: answer.session_token.filter(|token| !token.is_empty()).map(secret),
        issued: now,
        expiration,
        arn: None,
    })
}
