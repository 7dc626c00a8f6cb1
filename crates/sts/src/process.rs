//! Runs a `credential_process`, a program of the user that prints credentials (AWS SDKs and Tools Reference Guide,
//! "Process credential provider").

use std::process::Stdio;

use awsrole_core::aws::credentials::Credentials;
use awsrole_core::aws::iso8601;
use awsrole_core::aws::source::{IN_PROCESS, Process};
use awsrole_core::base::problem::Problem;
use awsrole_core::base::secret::Secret;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::{RemoteSources, subprocess};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    version: serde_json::Number,
    access_key_id: Zeroizing<String>,
    secret_access_key: Zeroizing<String>,
    session_token: Option<Zeroizing<String>>,
    expiration: Option<String>,
}

/// Returns the command line to try. A command line that may contain a secret isn't repeated, but read from the profile.
fn command_line(process: &Process) -> String {
    let command = process.command.trim();
    let lower = command.to_ascii_lowercase();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " _-./~@:,+=".contains(c);
    let is_short = |word: &str| word.len() < 20 || word.contains('/') || word.starts_with("--");
    let suspicious = ["secret", "passw", "token", "key=", "://"].iter().any(|word| lower.contains(word));
    match command.chars().all(is_plain) && command.split([' ', '=']).all(is_short) && !suspicious {
        true => command.to_owned(),
        false => format!("sh -c \"$(aws configure get credential_process --profile {})\"", process.profile),
    }
}

/// Runs the program with /bin/sh in the outer environment. Its stderr and the terminal are available to the user, and
/// our stdin if the user may be prompted (botocore, `ProcessProvider`). Its output is never repeated.
pub(crate) fn run(process: &Process, sources: &RemoteSources<'_>) -> Result<Credentials, Problem> {
    let (sts, env, now) = (sources.sts, sources.env, sources.sts.now());
    let failed = |why: String| {
        Problem::new(format!("the credential_process of profile {} returned no credentials", process.profile))
            .because(why)
            .hint(format!("run it yourself: {}", command_line(process)))
            .hint(format!("it is set in profile {} in ~/.aws/config", process.profile))
    };
    let stdin = if sources.may_ask { Stdio::inherit() } else { Stdio::null() };
    let waiting = || sts.print_waiting(&format!("the credential_process of profile {}", process.profile));
    let running = process.running(env);
    let limit = sts.limits().process;
    let text = subprocess::run_attended(&process.command, env, (IN_PROCESS, &running), limit, stdin, &waiting)
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
        size_percent: None,
        arn: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_no_command_line_that_may_contain_a_secret() {
        for (command, repeated) in [
            ("vault-helper --json", true),
            ("/opt/company/bin/credentials-for --account 111111111111 --role Admin", true),
            ("no-such-program", true),
            ("echo '{\"SecretAccessKey\": \"canary\"}'", false),
            ("helper --password canary", false),
            ("helper --with=wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY", false),
            ("helper http://ana:canary@proxy", false),
        ] {
            let process = Process { profile: "p".into(), command: command.into(), surroundings: String::new() };
            let shown = command_line(&process);
            assert_eq!(shown == command, repeated, "{shown}");
            assert!(repeated || shown == "sh -c \"$(aws configure get credential_process --profile p)\"", "{shown}");
        }
    }
}
