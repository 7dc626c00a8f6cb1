//! Web identity tokens: reading the file, and explaining errors of STS.

use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::aws::endpoint::Endpoint;
use crate::aws::source::{Claims, WebIdentity};
use crate::aws::time::rfc3339;
use crate::base::files::read_regular;
use crate::base::problem::Problem;
use crate::base::secret::Secret;
use crate::session::advice;
use crate::session::sts::StsError;

/// The maximum length of a token in characters (STS API Reference, AssumeRoleWithWebIdentity).
const MAX_CHARACTERS: usize = 20_000;

/// Reads the token, without surrounding white space.
///
/// # Errors
/// Fails if the file doesn't exist, can't be read, or contains no token. The error names the file.
pub(crate) fn read_token(token: &WebIdentity) -> Result<Secret, Problem> {
    let file = &token.token_file;
    let problem = |why: &dyn std::fmt::Display| opens_nothing(token).because(why);
    // Room for a token in any encoding and for surrounding white space.
    let bytes = read_regular(file, 4 * MAX_CHARACTERS as u64 + 1024).map(Zeroizing::new).map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::NotFound => {
                "the platform writes the file: is `web_identity_token_file` the right path?"
            }
            _ => "`web_identity_token_file` must name a regular file that contains only a token",
        };
        problem(&error).hint(hint)
    })?;
    let unusable =
        |why: &str| problem(&why).hint("the file, which the platform writes, must contain one token (a JWT) as text");
    let text = std::str::from_utf8(&bytes).map_err(|_| unusable("the file isn't text"))?.trim();
    match text.chars().count() {
        0 => Err(unusable("the file is empty")),
        1..4 => Err(unusable("the file contains no token")),
        4..=MAX_CHARACTERS if text.contains(char::is_whitespace) || text.contains(char::is_control) => {
            Err(unusable("the file contains more than a token"))
        }
        4..=MAX_CHARACTERS => Ok(Secret::new(text)),
        count => Err(unusable(&format!("the token has {count} characters, but STS accepts at most {MAX_CHARACTERS}"))),
    }
}

/// Explains why STS returned no session.
pub(crate) fn explain(
    token: &WebIdentity,
    endpoint: &Endpoint,
    error: &StsError,
    now: SystemTime,
    clock_command: &str,
) -> Problem {
    let what = format!("the session of {}", token.role_arn);
    let (code, message) = match advice::unanswered(&what, &endpoint.shown(), error, now, clock_command) {
        Ok(problem) => return problem,
        Err(refused) => refused,
    };
    let problem = opens_nothing(token).because(format!("{code}: {message}"));
    let problem = match error.is_transient() {
        true => problem.temporary(),
        false => problem.refused(None, code, message),
    };
    match code {
        "ValidationError" if message.contains("MaxSessionDuration") => problem.hint("lower duration_seconds"),
        "PackedPolicyTooLarge" | "PackedPolicyTooLargeException" => {
            problem.hint("policy and policy_arns share one size limit: make them shorter")
        }
        "MalformedPolicyDocument" | "MalformedPolicyDocumentException" => problem.hint(advice::not_a_policy(advice::POLICY_KEY)),
        "RegionDisabledException" => problem.hint(format!(
            "STS is disabled in {} for the role's account: set another `region`, or enable it (IAM console, Account settings)",
            endpoint.region.as_str()
        )),
        _ if error.is_transient() => problem.hint(advice::TRY_AGAIN),
        _ => match Claims::load(&token.token_file) {
            Some(claims) => rejected(token, &claims, (code, message), now),
            None => problem.hint("the file must contain an OIDC token (a JWT, in three parts separated by dots)"),
        },
    }
}

/// Explains why STS rejected a token, with the relevant claims.
fn rejected(token: &WebIdentity, claims: &Claims, (code, message): (&str, &str), now: SystemTime) -> Problem {
    let Claims { issuer, audience, subject, .. } = claims;
    let (account, lower) = (token.role_arn.account(), message.to_ascii_lowercase());
    let provider = format!("arn:{}:iam::{account}:oidc-provider/{}", token.role_arn.partition(), claims.provider());
    // The hint says it in other words.
    let problem = opens_nothing(token).because(code).refused(None, code, message);
    match claims.expires {
        Some(end) if end <= now || code.starts_with("ExpiredToken") => {
            return problem.fact("token", format!("iss {issuer}, exp {}", rfc3339(end))).hint(format!(
                "the token has expired: the program that wrote {} must write a new one",
                token.token_file.display()
            ));
        }
        _ => {}
    }
    let of_provider = format!("iss {issuer}, aud {audience}");
    match code {
        "AccessDenied" => problem
            .fact("token", format!("{of_provider}, sub {subject}"))
            .hint("`awsrole policy` prints the statement for the role's trust policy")
            .other(format!("there is no such role in account {account}: STS returns the same error"))
            .detail(format!("the trust policy must name {provider}, and its conditions must match the token's aud and sub"))
            .detail(format!("there is no such role in account {account}: STS returns the same error")),
        _ if lower.contains("audience") => problem.fact("token", of_provider).hint(format!(
            "add the audience to the provider: `aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {provider} --client-id {audience}`"
        )),
        _ if lower.contains("provider") => problem.fact("token", of_provider).hint(format!(
            "account {account} has no such provider: `aws iam create-open-id-connect-provider --url {issuer} --client-id-list {audience}`"
        )),
        _ => opens_nothing(token)
            .because(format!("{code}: {message}"))
            .refused(None, code, message)
            .fact("token", of_provider)
            .hint(format!("the token must be one of {provider}, for an audience that is listed there")),
    }
}

fn opens_nothing(token: &WebIdentity) -> Problem {
    Problem::new(format!("cannot use the token in {} for {}", token.token_file.display(), token.role_arn))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::arn::RoleArn;
    use crate::aws::parameters::SessionName;
    use crate::aws::session_policy::SessionPolicy;

    fn read(content: Option<&[u8]>) -> Result<String, String> {
        let home = tempfile::tempdir().unwrap();
        let token_file = home.path().join("token");
        if let Some(content) = content {
            crate::base::files::write_private(&token_file, content).unwrap();
        }
        let token = WebIdentity {
            profile: "ci".into(),
            token_file: token_file.clone(),
            role_arn: RoleArn::parse("arn:aws:iam::111111111111:role/Ci").unwrap(),
            session_name: SessionName::of_user("ci"),
            duration: None,
            policy: SessionPolicy::default(),
        };
        read_token(&token).map(|token| token.expose().to_owned()).map_err(|problem| {
            assert!(problem.summary.contains(&token_file.display().to_string()), "{problem}");
            problem.causes.join(" ")
        })
    }

    #[test]
    fn reads_a_token_without_surrounding_white_space() {
        assert_eq!(read(Some(b"a.b.c")).unwrap(), "a.b.c");
        assert_eq!(read(Some(b"\n a.b.c\r\n")).unwrap(), "a.b.c");
        assert_eq!(read(Some(&[b'x'; MAX_CHARACTERS])).unwrap().len(), MAX_CHARACTERS);
    }

    #[test]
    fn reports_why_a_file_contains_no_token() {
        for (content, expected) in [
            (None, "No such file"),
            (Some(&b""[..]), "empty"),
            (Some(b" \n"), "empty"),
            (Some(b"a.b"), "contains no token"),
            (Some(b"a.b.c\nd.e.f"), "more than a token"),
            (Some(b"a.b.\0c"), "more than a token"),
            (Some(b"a.b.\xff"), "isn't text"),
            (Some(&[b'x'; MAX_CHARACTERS + 1]), "20001 characters"),
            (Some(&[b'x'; 200_000]), "larger than allowed"),
        ] {
            let said = read(content).unwrap_err();
            assert!(said.contains(expected), "{said} should say {expected}");
        }
    }
}
