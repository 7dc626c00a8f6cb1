//! Tests of policies by example.

use super::*;
use crate::plan::resolve::tests::Home;
use crate::settings::accounts::Accounts;

const CONFIG: &str = "[profile web]\nrole_arn = arn:aws:iam::111111111111:role/Ci\nweb_identity_token_file = /token\n";
const CREDENTIALS: &str = "[jump]\naws_access_key_id = AKIAJUMP\naws_secret_access_key = canary\n";
const ALICE: &str = "arn:aws:iam::111111111111:user/alice";
const ONE: &str = "role_arn = \"arn:aws:iam::222222222222:role/Deploy\"\nsource_profile = \"jump\"\n";

fn plan(more: &str) -> RolePlan {
    Home::new(CONFIG, CREDENTIALS, &[("USER", "alice")]).plan(&format!("{ONE}{more}")).unwrap()
}

fn chain(first: &str) -> RolePlan {
    let text = format!(
        "default_role = \"second\"\n[role.first]\n{ONE}{first}[role.second]\nrole_arn = \"arn:aws:iam::333333333333:role/Next\"\nsource_role = \"first\"\n"
    );
    Home::new(CONFIG, CREDENTIALS, &[("USER", "alice")]).plan(&text).unwrap()
}

fn statement(policy: Option<&Value>) -> &Value {
    &policy.unwrap()["Statement"][0]
}

#[test]
fn allows_no_more_actions_than_needed() {
    for (more, extra) in [
        ("", &[][..]),
        ("session_tags = { team = \"shop\" }", &["sts:TagSession"]),
        ("source_identity = \"alice\"", &["sts:SetSourceIdentity"]),
    ] {
        let expected: Vec<&str> = ["sts:AssumeRole"].iter().chain(extra).copied().collect();
        let [pair] = &required_policies(&plan(more), ALICE, None)[..] else { panic!("{more}") };
        for policy in [&pair.identity, &pair.trust] {
            assert_eq!(statement(policy.as_ref())["Action"], json!(expected), "{more}");
        }
        let role = pair.role_arn.as_ref().unwrap().as_str();
        assert_eq!(statement(pair.identity.as_ref())["Resource"], role, "never a star");
    }
}

#[test]
fn a_limit_needs_a_permission_of_its_caller() {
    let home = Home::new(CONFIG, CREDENTIALS, &[]);
    for (file, caller, holder) in [
        ("profile = \"jump\"", ALICE, "user alice"),
        ("profile = \"jump\"", "arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin_0123/ana", "permission set Admin"),
    ] {
        let plan = home.plan(&format!("{file}\npreset = \"read-only\"")).unwrap();
        let [pair] = &required_policies(&plan, caller, None)[..] else { panic!("{file}") };
        assert_eq!((pair.attach_to.as_str(), &pair.trust, pair.step), (holder, &None, Some(1)));
        assert_eq!(statement(pair.identity.as_ref())["Action"], "sts:GetScopedCredentials");
        assert!(to_text(std::slice::from_ref(pair), &Accounts::default()).unwrap().contains("GetScopedCredentials"));
    }
    // AssumeRole sends the limit of a role.
    let [pair] = &required_policies(&plan("preset = \"read-only\""), ALICE, None)[..] else { panic!() };
    assert!(pair.role_arn.is_some());
}

#[test]
fn passes_on_tags_and_identities_only_if_they_persist() {
    for (first, later) in [
        ("session_tags = { team = \"shop\" }\n", json!(["sts:AssumeRole"])),
        (
            "session_tags = { team = \"shop\" }\ntransitive_session_tags = [\"team\"]\n",
            json!(["sts:AssumeRole", "sts:TagSession"]),
        ),
        ("source_identity = \"alice\"\n", json!(["sts:AssumeRole", "sts:SetSourceIdentity"])),
    ] {
        let pairs = required_policies(&chain(first), ALICE, None);
        assert_eq!(statement(pairs[1].trust.as_ref())["Action"], later, "{first}");
        assert_eq!(pairs[1].caller, "arn:aws:iam::222222222222:role/Deploy");
        assert!(statement(pairs[1].trust.as_ref()).get("Condition").is_none(), "those of the first call don't apply");
    }
}

#[test]
fn keeps_the_conditions_that_the_call_satisfies() {
    let serial = "mfa_serial = \"arn:aws:iam::111111111111:mfa/alice\"";
    for (more, operator, expected) in [
        ("external_id = \"shop/42\"", "StringEquals", json!({ "sts:ExternalId": "shop/42" })),
        ("source_identity = \"alice\"", "StringEquals", json!({ "sts:SourceIdentity": "alice" })),
        ("role_session_name = \"build\"", "StringEquals", json!({ "sts:RoleSessionName": "build" })),
        (serial, "Bool", json!({ "aws:MultiFactorAuthPresent": "true" })),
    ] {
        let [pair] = &required_policies(&plan(more), ALICE, None)[..] else { panic!("{more}") };
        assert_eq!(statement(pair.trust.as_ref())["Condition"], json!({ operator: expected }), "{more}");
        assert_eq!(pair.is_without_mfa, more != serial);
    }
    assert!(statement(required_policies(&plan(""), ALICE, None)[0].trust.as_ref()).get("Condition").is_none());
}

#[test]
fn trusts_the_token_that_was_sent() {
    let plan = Home::new(CONFIG, CREDENTIALS, &[]).plan("profile = \"web\"").unwrap();
    let claims = Claims {
        issuer: "https://ci.example.com/a".into(),
        audience: "sts.amazonaws.com".into(),
        subject: "repo:org/app:main".into(),
        expires: None,
        has_tags: true,
        has_source_identity: false,
    };
    let [pair] = &required_policies(&plan, "arn:aws:iam::111111111111:role/Ci", Some(&claims))[..] else { panic!() };
    assert!(pair.identity.is_none() && pair.step.is_none());
    assert_eq!(
        statement(pair.trust.as_ref()),
        &json!({
            "Effect": "Allow",
            "Principal": { "Federated": "arn:aws:iam::111111111111:oidc-provider/ci.example.com/a" },
            "Action": ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"],
            "Condition": { "StringEquals": {
                "ci.example.com/a:aud": "sts.amazonaws.com",
                "ci.example.com/a:sub": "repo:org/app:main",
            } },
        })
    );
}

/// Returns the headings of a text, after checking that a complete policy document follows each.
fn headings(pairs: &[Pair]) -> Vec<String> {
    let text = to_text(pairs, &Accounts::default()).unwrap();
    let documents = text.split("\n\n").filter_map(|block| block.split_once('\n'));
    let documents = documents.filter(|(heading, _)| heading.contains("account "));
    documents
        .map(|(heading, document)| {
            let policy: Value = serde_json::from_str(document).unwrap();
            assert!(policy["Version"] == "2012-10-17" && policy["Statement"].is_array(), "{policy}");
            heading.to_owned()
        })
        .collect()
}

#[test]
fn prints_each_document_after_a_heading() {
    let both = [
        "account 111111111111: identity policy, attached to user alice",
        "account 222222222222: trust policy of role Deploy",
    ];
    let pair = || required_policies(&plan(""), ALICE, None).remove(0);
    assert_eq!(headings(&[pair()]), both.map(|heading| format!("# {heading}")));
    for (missing, heading) in [
        (Document::Identity, both[0]),
        (Document::Trust, both[1]),
        (Document::Boundary, "account 111111111111: permissions boundary of user alice"),
    ] {
        assert_eq!(headings(&[pair().only(missing)]), [format!("# {heading}")]);
    }
    let text = to_text(&[pair()], &Accounts::default()).unwrap();
    let add = "add this statement to the existing policy, don't replace it";
    assert_eq!(text.matches(add).count(), 2, "{text}");
    assert!(
        text.contains("Users, alice, tab \"Permissions\"")
            && text.contains("Roles, Deploy, tab \"Trust relationships\"")
    );
    assert!(text.find("If role Deploy requires MFA") < text.find("trust policy of role Deploy"), "{text}");
    let by_mfa = plan("mfa_serial = \"arn:aws:iam::111111111111:mfa/alice\"");
    assert!(!to_text(&required_policies(&by_mfa, ALICE, None), &Accounts::default()).unwrap().contains("If role"));
}

#[test]
fn names_callers_as_trust_policies_require() {
    for (arn, named, attach_to) in [
        ("arn:aws:iam::111111111111:user/team/alice", "arn:aws:iam::111111111111:user/team/alice", "user alice"),
        ("arn:aws:sts::111111111111:assumed-role/App/i-0123", "arn:aws:iam::111111111111:role/App", "role App"),
        (
            "arn:aws-cn:sts::111111111111:assumed-role/AWSReservedSSO_Dev_0123456789abcdef/a@b",
            "arn:aws-cn:iam::111111111111:root",
            "permission set Dev",
        ),
        ("arn:aws:iam::111111111111:root", "arn:aws:iam::111111111111:root", "the caller"),
        ("nonsense", "nonsense", "the caller"),
    ] {
        let principal = Principal::of(arn);
        assert_eq!((principal.named.as_str(), principal.attach_to.as_str()), (named, attach_to));
    }
}
