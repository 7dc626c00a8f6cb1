//! Tests of the likeliest cause by example.

use std::time::{Duration, SystemTime};

use super::*;
use crate::aws::credentials::Credentials;
use crate::aws::credentials::tests::credentials;
use crate::base::context::Env;
use crate::base::secret::Secret;
use crate::plan::resolve::tests::Home;
use crate::settings::accounts::Accounts;

const KEYS: &str = "[jump]\naws_access_key_id = AKIAJUMP\naws_secret_access_key = canary\n";
const ROLE: &str = "role_arn = \"arn:aws:iam::222222222222:role/Deploy\"\nsource_profile = \"jump\"\n";
const MFA: &str = "mfa_serial = \"arn:aws:iam::111111111111:mfa/alice\"\n";
const USER: &str = "arn:aws:iam::111111111111:user/alice";
const INSTANCE: &str = "arn:aws:sts::111111111111:assumed-role/App/i-0";
const NOW: Duration = Duration::from_secs(1_000_000);

fn denied(caller: &str, action: &str, reason: &str) -> String {
    format!(
        "User: {caller} is not authorized to perform: {action} on resource: arn:aws:iam::222222222222:role/Deploy{reason}"
    )
}

/// Explains a refusal of a plan's last call, whose caller got its credentials some minutes ago.
fn explained(more: &str, minutes: u64, worked_before: bool, code: &str, message: &str) -> Problem {
    let text = format!("{ROLE}{more}");
    let text = if more.contains("cn-") { text.replace("arn:aws:", "arn:aws-cn:") } else { text };
    let plan = Home::new("", KEYS, &[("USER", "alice")]).plan(&text).unwrap();
    let now = SystemTime::UNIX_EPOCH + NOW;
    let index = plan.steps.len() - 1;
    let is_session = index > 0 || message.contains("assumed-role");
    let caller = Credentials {
        access_key_id: "AKIAJUMP".into(),
        secret_access_key: Secret::new("canary"),
        session_token: is_session.then(|| Secret::new("canary")),
        issued: now - Duration::from_secs(minutes * 60),
        expiration: None,
        size_percent: None,
        arn: None,
    };
    let accounts = Accounts::default();
    let call = FailedCall {
        plan: &plan,
        index,
        caller: &caller,
        now,
        clock_command: Env::default().clock_command(),
        accounts: &accounts,
        worked_before,
        identity: false,
    };
    let error = StsError::Refused { code: code.into(), message: message.into(), server_time: Some(now) };
    explain(&call, &error)
}

#[test]
fn names_the_likeliest_cause_first() {
    let (assume, tag) = ("sts:AssumeRole", "sts:TagSession");
    let by_identity = " because no identity-based policy allows the sts:AssumeRole action";
    for (more, minutes, worked, message, hint) in [
        // A user without MFA.
        ("", 0, false, denied(USER, assume, ""), "no MFA code was sent"),
        ("", 0, true, denied(USER, assume, ""), "no MFA code was sent"),
        (
            "",
            0,
            false,
            denied(USER, assume, " with an explicit deny in an identity-based policy"),
            "no MFA code was sent",
        ),
        // An old session, the older the likelier.
        (MFA, 180, false, denied(USER, assume, ""), "the MFA code was entered 180 minutes ago"),
        (MFA, 10, true, denied(USER, assume, ""), "the MFA code was entered 10 minutes ago"),
        (MFA, 10, false, denied(USER, assume, ""), "both accounts must allow it"),
        // A role that was assumed before.
        (MFA, 1, true, denied(USER, assume, ""), "it worked before"),
        // A caller that never has MFA.
        ("", 0, false, denied(INSTANCE, assume, ""), "both accounts must allow it"),
        // AWS's own words.
        ("", 0, false, denied(USER, assume, by_identity), "`awsrole policy` prints the statement that is missing"),
        (
            "",
            0,
            false,
            denied(USER, assume, " with an explicit deny in a service control policy"),
            "a service control policy",
        ),
        // Another action, so the role exists.
        ("", 0, false, denied(USER, tag, ""), "both accounts must allow it"),
    ] {
        let problem = explained(more, minutes, worked, "AccessDenied", &message);
        assert!(problem.hints[0].starts_with(hint), "{message}: {problem}");
    }
}

#[test]
fn advises_no_region_to_export() {
    let message = "The security token included in the request is invalid.";
    for (region, hint) in [
        ("ap-east-1", "hasn't enabled ap-east-1"),
        ("cn-north-1", "partition aws-cn"),
        ("eu-west-1", "deleted or deactivated"),
    ] {
        let problem = explained(&format!("region = \"{region}\"\n"), 0, false, "InvalidClientTokenId", message);
        assert!(problem.hints[0].contains(hint) && !problem.to_string().contains("us-east-1"), "{problem}");
    }
}

/// Explains a refusal of GetScopedCredentials.
fn limit_refused(code: &str, message: &str) -> Problem {
    let config = "[profile sso]\nsso_start_url = https://corp.example.com/start\nsso_region = eu-central-1\n\
                  sso_account_id = 111111111111\nsso_role_name = Admin\n";
    let plan = Home::new(config, "", &[]).plan("profile = \"sso\"\npreset = \"read-only\"").unwrap();
    let now = SystemTime::UNIX_EPOCH + NOW;
    let caller = credentials(now, 3600);
    let accounts = Accounts::default();
    let call = FailedCall {
        plan: &plan,
        index: 0,
        caller: &caller,
        now,
        accounts: &accounts,
        worked_before: false,
        identity: false,
        clock_command: Env::default().clock_command(),
    };
    explain(&call, &StsError::Refused { code: code.into(), message: message.into(), server_time: Some(now) })
}

#[test]
fn a_refused_limit_says_how_to_get_a_limited_session() {
    let denied = "User: arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/ana is not \
                  authorized to perform: sts:GetScopedCredentials";
    for (code, message, hint) in [
        ("AccessDenied", denied, "check that a policy of permission set Admin allows sts:GetScopedCredentials"),
        ("InvalidAction", "Could not find operation", "AssumeRole accepts a session policy"),
        ("MalformedPolicyDocument", "Syntax errors in policy.", "preset read-only isn't an IAM policy"),
        ("PackedPolicyTooLarge", "Packed size", "no space for preset read-only"),
        ("InsufficientSessionLifetime", "too long", "ends sooner"),
        ("InvalidSubjectCredentials", "no session", "`awsrole login` signs in again"),
        ("ExpiredToken", "expired", "the caller's credentials have expired"),
        ("RegionDisabledException", "disabled", "STS is disabled in"),
    ] {
        let problem = limit_refused(code, message);
        assert!(problem.hints.iter().any(|text| text.contains(hint)), "{problem}");
        assert!(problem.summary.starts_with("STS refused a session of sso limited by preset read-only"), "{problem}");
        let rows: usize = problem.to_string().lines().map(|line| line.chars().count().div_ceil(80)).sum();
        assert!(rows <= 8, "{rows} rows: {problem}");
    }
}

#[test]
fn a_refusal_fits_on_eight_rows() {
    let longest = "x".repeat(64);
    for action in ["sts:AssumeRole", "sts:TagSession"] {
        for caller in [USER, INSTANCE, &format!("arn:aws:iam::111111111111:user/{longest}")] {
            for reason in ["", " because no role trust policy allows the sts:AssumeRole action"] {
                for more in ["", "external_id = \"shop/42\"\n"] {
                    let text = explained(more, 0, false, "AccessDenied", &denied(caller, action, reason)).to_string();
                    let rows: usize = text.lines().map(|line| line.chars().count().div_ceil(80)).sum();
                    assert!(rows <= 8, "{rows} rows: {text}");
                    assert!(text.ends_with("`awsrole refresh` after the fix"), "{text}");
                }
            }
        }
    }
}

#[test]
fn says_which_policy_is_missing() {
    let missing = |reason: &str| {
        let problem = explained("", 0, false, "AccessDenied", &denied(USER, "sts:AssumeRole", reason));
        missing_policy(&problem.refusal.unwrap())
    };
    assert_eq!(missing(" because no identity-based policy allows it"), Ok(Document::Identity));
    assert_eq!(missing(" because no role trust policy allows it"), Ok(Document::Trust));
    assert_eq!(missing(" because no permissions boundary allows it"), Ok(Document::Boundary));
    assert_eq!(missing(""), Err(None));
    let words = "explicit deny in an identity-based policy";
    assert_eq!(missing(&format!(" with an {words}")), Err(Some(words.to_owned())));
}
