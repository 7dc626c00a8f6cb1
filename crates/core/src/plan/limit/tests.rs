//! Tests which call sends each limit, and that no two limits share a call.

use super::*;
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
        duration: duration.map(|seconds| SessionDuration::for_scoped_session(seconds).unwrap()),
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
    let policy = limit(Some(ALLOW), None, None);
    let mut limited = plan("profile = \"sso\"");
    for _ in 0..3 {
        limited = limited.limited(&policy).unwrap();
    }
    assert_eq!(shown(&limited), "scope policy+, scope policy+, scope policy");
    // A duration adds no layer.
    let limited = limited.limited(&limit(None, None, Some(900))).unwrap();
    assert_eq!(limited.steps.len(), 3);
    let problem = limited.limited(&policy).err().unwrap();
    assert_eq!(problem.summary, "/shop/.awsrole.toml:7: cannot limit sso by policy");
    assert!(problem.causes[0].contains("at most 3"), "{problem}");
    // A session policy of AssumeRole isn't counted.
    let mut limited = plan("profile = \"dev\"");
    for _ in 0..4 {
        limited = limited.limited(&policy).unwrap();
    }
    assert!(limited.limited(&policy).is_err());
}

#[test]
fn refuses_a_policy_without_space_for_the_next_call() {
    let long = ALLOW.replace("s3:*", &format!("s3:{}*", "x".repeat(MAX_POLICY - ALLOW.len() - 10)));
    let limited = plan("profile = \"sso\"").limited(&limit(Some(&long), None, None)).unwrap();
    let problem = limited.limited(&limit(None, Some(Preset::ReadOnly), None)).err().unwrap();
    assert!(problem.causes[0].contains("no space for sts:GetScopedCredentials"), "{problem}");
}
