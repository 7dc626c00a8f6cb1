//! Tests which call sends each limit, and that no two limits share a call.

use super::*;
use crate::aws::credentials::Credentials;
use crate::aws::credentials::tests::credentials;
use crate::plan::resolve::tests::Home;

const CONFIG: &str = "\
[profile sso]
sso_start_url = https://corp.example.com/start
sso_region = eu-central-1
sso_account_id = 111111111111
sso_role_name = Admin
[profile ci]
role_arn = arn:aws:iam::222222222222:role/Ci
web_identity_token_file = /token
[profile dev]
role_arn = arn:aws-cn:iam::222222222222:role/Dev
source_profile = jump
region = cn-north-1
";
const KEYS: &str = "[jump]\naws_access_key_id = AKIAJUMP\naws_secret_access_key = canary\nregion = cn-north-1\n";
const ALLOW: &str = r#"{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;

fn plan(file: &str) -> RolePlan {
    Home::new(CONFIG, KEYS, &[]).plan(file).unwrap_or_else(|problem| panic!("{problem}"))
}

fn limit(policy: Option<&str>, preset: Option<Preset>, duration: Option<u64>) -> Limit {
    Limit {
        policy: policy.map(str::to_owned),
        preset,
        duration: duration.map(|seconds| SessionDuration::for_scoped_session(&seconds.into()).unwrap()),
        description: Some(SessionDescription::parse("agent claude").unwrap()),
        origin: Origin { file: "/shop/.awsrole.toml".into(), line: 7 },
    }
}

/// Formats the limits of a plan: for each call what it sends, and `+` if its policy lets the session be limited again.
fn shown(plan: &RolePlan) -> String {
    let policy = |name: &str, inline: Option<&str>, arns: &[String], duration: Option<SessionDuration>| {
        let inline = inline.map(|text| {
            let kind = if text.contains("s3:*") {
                "policy"
            } else if text.contains("ec2:Describe*") {
                "document"
            } else {
                "secrets"
            };
            let again = if arns.is_empty() && kind == "document" { "" } else { "+" };
            format!(" {kind}{}", if text.contains(SCOPE) { again } else { "" })
        });
        let arn = if arns.is_empty() { "" } else { " arn" };
        let duration = duration.map(|duration| format!(" {}", duration.human())).unwrap_or_default();
        format!("{name}{}{arn}{duration}", inline.unwrap_or_default())
    };
    let source = match &plan.source {
        Source::WebIdentity(token) => {
            Some(policy("token", token.policy.inline.as_deref(), &token.policy.arns, token.duration))
        }
        _ => None,
    };
    let steps = plan.steps.iter().map(|step| match step {
        Step::AssumeRole(role) => policy("role", role.policy.inline.as_deref(), &role.policy.arns, role.duration),
        Step::GetSessionToken(_) => "session".to_owned(),
        Step::GetScopedCredentials(step) => {
            assert!(step.description.is_some() || step.limited_by.origin.line != 7);
            policy("scope", step.policy.as_deref(), &[], step.duration)
        }
    });
    source.into_iter().chain(steps).collect::<Vec<_>>().join(", ")
}

#[test]
fn each_limit_has_a_call_of_its_own() {
    let (policy, preset) = (Some(ALLOW), Some(Preset::ReadOnly));
    let (own, read_only) = ("policy = '{\"Statement\":[{\"Action\":\"s3:*\"}]}'\n", "preset = \"read-only\"\n");
    for (file, limit, expected) in [
        ("profile = \"dev\"", limit(policy, None, None), "role policy"),
        ("profile = \"dev\"", limit(None, preset, Some(900)), "role secrets arn 15m"),
        ("profile = \"dev\"", limit(policy, preset, None), "role policy+, scope document"),
        ("profile = \"dev\"", limit(None, None, Some(900)), "role 15m"),
        ("profile = \"dev\"", limit(None, None, Some(7200)), "role"),
        ("profile = \"dev\"", limit(None, None, None), "role"),
        ("profile = \"ci\"", limit(policy, None, Some(1800)), "token policy 30m"),
        ("profile = \"ci\"", limit(policy, preset, None), "token policy+, scope document"),
        ("profile = \"sso\"", limit(policy, None, Some(900)), "scope policy 15m"),
        ("profile = \"sso\"", limit(None, preset, None), "scope document"),
        ("profile = \"sso\"", limit(None, None, Some(900)), "scope 15m"),
        ("profile = \"jump\"", limit(None, preset, None), "session, scope document"),
        // The file has a limit of its own.
        (&format!("profile = \"dev\"\n{own}"), limit(None, preset, Some(900)), "role policy+, scope document 15m"),
        (&format!("profile = \"dev\"\n{read_only}"), limit(policy, None, None), "role secrets+ arn, scope policy"),
        (&format!("profile = \"ci\"\n{own}"), limit(policy, None, None), "token policy+, scope policy"),
        (&format!("profile = \"sso\"\n{own}"), limit(None, preset, None), "scope policy+, scope document"),
        (&format!("profile = \"sso\"\n{read_only}"), limit(policy, None, None), "scope document, scope policy"),
        (&format!("profile = \"jump\"\n{own}"), limit(policy, None, None), "session, scope policy+, scope policy"),
    ] {
        let limited = plan(file).limited(&limit).unwrap_or_else(|problem| panic!("{problem}"));
        assert_eq!(shown(&limited), expected, "{file}");
    }
}

#[test]
fn a_limit_keeps_role_account_and_title() {
    for file in ["profile = \"dev\"", "profile = \"ci\"", "profile = \"sso\""] {
        let limit = limit(Some(ALLOW), Some(Preset::ReadOnly), Some(900));
        let (before, after) = (plan(file), plan(file).limited(&limit).unwrap());
        assert_eq!(before.role_arn(), after.role_arn());
        assert_eq!((before.account(), before.title()), (after.account(), after.title()));
    }
}

#[test]
fn refuses_a_fourth_layer() {
    let policy = |number: usize| limit(Some(&ALLOW.replace("s3:*", &format!("s3:*{number}"))), None, None);
    let mut limited = plan("profile = \"sso\"");
    for number in 0..3 {
        limited = limited.limited(&policy(number)).unwrap();
    }
    assert_eq!(shown(&limited), "scope policy+, scope policy+, scope policy");
    // A duration adds no layer.
    let limited = limited.limited(&limit(None, None, Some(900))).unwrap();
    assert_eq!(limited.steps.len(), 3);
    let problem = limited.limited(&policy(3)).err().unwrap();
    assert_eq!(problem.summary, "/shop/.awsrole.toml:7: cannot limit sso by policy");
    let cause = "at most 3 policies to a session: policy (/shop/.awsrole.toml:7), policy (/shop/.awsrole.toml:7), ";
    assert!(problem.causes[0].contains(cause), "{problem}");
    // A session policy of AssumeRole isn't counted.
    let mut limited = plan("profile = \"dev\"");
    for number in 0..4 {
        limited = limited.limited(&policy(number)).unwrap();
    }
    assert!(limited.limited(&policy(4)).is_err());
}

#[test]
fn the_same_policy_is_sent_once() {
    let own = format!("policy = '{ALLOW}'\n");
    let (policy, preset) = (limit(Some(ALLOW), None, None), limit(None, Some(Preset::ReadOnly), None));
    let code = "mfa_serial = \"arn:aws:iam::111111111111:mfa/alice\"\nduration_seconds = 7200\n";
    for (profile, role, expected) in [
        ("dev", "preset = \"read-only\"\n", "role secrets+ arn, scope policy"),
        ("ci", "preset = \"read-only\"\n", "token secrets+ arn, scope policy"),
        ("sso", "preset = \"read-only\"\n", "scope document, scope policy"),
        ("jump", "preset = \"read-only\"\n", "session, scope document, scope policy"),
        ("dev", own.as_str(), "role policy+, scope document"),
        ("sso", own.as_str(), "scope policy+, scope document"),
        ("dev", &format!("{code}preset = \"read-only\"\n"), "role secrets arn 2h, scope policy"),
    ] {
        let mut limited = plan(&format!("profile = \"{profile}\"\n{role}"));
        for limit in [&preset, &policy, &preset, &policy, &policy] {
            limited = limited.limited(limit).unwrap_or_else(|problem| panic!("{problem}"));
        }
        assert_eq!(shown(&limited), expected, "{profile} {role}");
    }
    // A policy of a role in the middle of the chain doesn't limit the result.
    let far = "source_role = \"a\"\nrole_arn = \"arn:aws-cn:iam::333333333333:role/Far\"\n";
    let chain = plan(&format!("default_role = \"b\"\n[role.a]\nprofile = \"dev\"\n{own}[role.b]\n{far}"));
    assert_eq!(shown(&chain.limited(&policy).unwrap()), "role policy, role policy");
}

#[test]
fn a_policy_that_permits_the_next_call_is_sent_as_sts_accepts_it() {
    let policy = ALLOW.replace(r#""s3:*""#, r#"["s3:*","s3:\u2192"]"#);
    let limited = plan("profile = \"sso\"").limited(&limit(Some(&policy), Some(Preset::ReadOnly), None)).unwrap();
    let Step::GetScopedCredentials(first) = &limited.steps[0] else { panic!() };
    let sent = first.policy.as_deref().unwrap();
    assert!(sent.contains("s3:\\u2192") && sent.contains(SCOPE) && sent.is_ascii(), "{sent}");
}

#[test]
fn a_step_is_made_with_temporary_credentials_and_within_their_lifetime() {
    let now = std::time::UNIX_EPOCH;
    let caller = credentials(now, 1000);
    let call = |limit: &Limit, caller: &Credentials| {
        let limited = plan("profile = \"sso\"").limited(limit).unwrap();
        limited.steps[0].called_by(caller, &limited.source, now).map(|step| step.map(std::borrow::Cow::into_owned))
    };
    let duration = |limit: &Limit| match call(limit, &caller).unwrap() {
        Some(Step::GetScopedCredentials(step)) => step.duration.map(SessionDuration::seconds),
        _ => Some(0),
    };
    assert_eq!(duration(&limit(Some(ALLOW), None, Some(900))), Some(900));
    // The caller's session ends sooner, so the result does, too.
    assert_eq!(duration(&limit(Some(ALLOW), None, Some(1000))), None);
    assert_eq!(duration(&limit(None, None, Some(1000))), Some(0), "no call is needed");
    let keys = Credentials { session_token: None, ..caller.clone() };
    let problem = call(&limit(Some(ALLOW), None, None), &keys).err().unwrap();
    assert!(problem.summary.ends_with("returned long-lived keys"), "{problem}");
}

#[test]
fn refuses_a_policy_without_space_for_the_next_call() {
    let long = ALLOW.replace("s3:*", &format!("s3:{}*", "x".repeat(MAX_POLICY - ALLOW.len() - 10)));
    let limited = plan("profile = \"sso\"").limited(&limit(Some(&long), None, None)).unwrap();
    let problem = limited.limited(&limit(None, Some(Preset::ReadOnly), None)).err().unwrap();
    assert!(problem.causes[0].contains("no space for sts:GetScopedCredentials"), "{problem}");
}
