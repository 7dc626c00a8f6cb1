//! Plans and refusals, by example.

use super::*;
use crate::limits::SessionDuration;
use crate::profiles::tests::home;
use crate::trust::{Approvals, Verdict, vet};
use crate::user_config::UserConfig;

const CONFIG: &str = "\
[default]
region = us-east-2
[profile dev]
role_arn = arn:aws:iam::222222222222:role/Dev
source_profile = jump
region = eu-west-1
external_id = from-profile
duration_seconds = 7200
[profile chained]
role_arn = arn:aws:iam::333333333333:role/Far
source_profile = dev
duration_seconds = 7200
[profile loop-a]
role_arn = arn:aws:iam::222222222222:role/A
source_profile = loop-b
[profile loop-b]
role_arn = arn:aws:iam::222222222222:role/B
source_profile = loop-a
[profile self]
role_arn = arn:aws:iam::222222222222:role/Self
source_profile = self
[profile empty]
region = eu-west-1
[profile half]
aws_access_key_id = AKIAHALF
[profile mfa]
role_arn = arn:aws:iam::222222222222:role/Mfa
source_profile = jump
mfa_serial = arn:aws:iam::111111111111:mfa/alice
[profile sso]
sso_session = corp
[profile both]
role_arn = arn:aws:iam::222222222222:role/Dev
source_profile = jump
credential_source = Environment
[profile bad]
role_arn = arn:aws:s3:::bucket-of-mine
source_profile = jump
";
const CREDENTIALS: &str = "\
[default]
aws_access_key_id = AKIAJUNK
aws_secret_access_key = junk
[jump]
aws_access_key_id = AKIAJUMP
aws_secret_access_key = canary
[self]
aws_access_key_id = AKIASELF
aws_secret_access_key = canary
[role-here]
role_arn = arn:aws:iam::222222222222:role/Here
source_profile = jump
";

fn resolve(text: &str) -> Result<RolePlan, Problem> {
    let (_home, mut context) = home(CONFIG, CREDENTIALS);
    context.env.0.insert("USER".into(), "Ana María".into());
    let path = context.dir.join(".awsrole.toml");
    crate::files::write_private(&path, text.as_bytes()).unwrap();
    let approvals = Approvals::below(&context.paths.data);
    approvals.allow(&crate::discover::read(&path).unwrap()).unwrap();
    match vet(&[path], &approvals, &UserConfig::default()).0 {
        Verdict::Allowed(allowed) => plan(&allowed, None, &Profiles::load(&context).unwrap(), &context),
        Verdict::Broken { problem, .. } => Err(problem),
        Verdict::Refused { .. } => panic!(),
    }
}

/// A plan in one line: source, then each step.
fn shown(plan: &RolePlan) -> String {
    let steps = plan.steps.iter().map(|step| match step {
        Step::SessionToken(step) => format!(
            "session {}{}",
            step.duration.map_or(0, SessionDuration::seconds),
            if step.mfa_serial.is_some() { " by MFA" } else { "" }
        ),
        Step::AssumeRole(step) => format!(
            "{} as {}{}{}",
            step.role_arn.name(),
            step.session_name.as_str(),
            step.external_id.as_ref().map(|id| format!(" with {}", id.as_str())).unwrap_or_default(),
            step.duration.map(|d| format!(" for {}", d.human())).unwrap_or_default()
        ),
    });
    let all: Vec<String> = std::iter::once(plan.source.to_string()).chain(steps).collect();
    all.join(" → ")
}

#[test]
fn plans() {
    for (text, expected) in [
        ("profile = \"dev\"", "profile jump → Dev as Ana-Mar-a with from-profile for 2h"),
        (
            "profile = \"dev\"\nexternal_id = \"mine\"\nduration_seconds = \"15m\"\nrole_session_name = \"me\"",
            "profile jump → Dev as me with mine for 15m",
        ),
        (
            "profile = \"dev\"\nrole_arn = \"arn:aws:iam::444444444444:role/Other\"",
            "profile jump → Other as Ana-Mar-a with from-profile for 2h",
        ),
        ("role_arn = \"arn:aws:iam::222222222222:role/X\"\nsource_profile = \"jump\"", "profile jump → X as Ana-Mar-a"),
        ("role_arn = \"arn:aws:iam::222222222222:role/X\"\nprofile = \"jump\"", "profile jump → X as Ana-Mar-a"),
        ("profile = \"chained\"", "profile jump → Dev as Ana-Mar-a with from-profile for 2h → Far as Ana-Mar-a for 1h"),
        ("profile = \"self\"", "profile self → Self as Ana-Mar-a"),
        ("profile = \"mfa\"", "profile jump → session 0 by MFA → Mfa as Ana-Mar-a"),
        ("profile = \"mfa\"\nduration_seconds = \"2h\"", "profile jump → Mfa as Ana-Mar-a for 2h"),
        ("profile = \"role-here\"", "profile jump → Here as Ana-Mar-a"),
        ("source_profile = \"jump\"\nduration_seconds = \"8h\"", "profile jump → session 28800"),
        (
            "default_role = \"b\"\n[role.a]\nprofile = \"role-here\"\n[role.b]\nrole_arn = \"arn:aws:iam::333333333333:role/B\"\nsource_role = \"a\"",
            "profile jump → Here as Ana-Mar-a → B as Ana-Mar-a",
        ),
    ] {
        match resolve(text) {
            Ok(plan) => assert_eq!(shown(&plan), expected, "{text}"),
            Err(problem) => panic!("{text}: {problem}"),
        }
    }
}

#[test]
fn what_can_not_be_planned_is_said_with_its_place() {
    for (text, file, expected) in [
        ("", ".awsrole.toml", "doesn't say which role this is"),
        ("role_arn = \"arn:aws:iam::222222222222:role/X\"", ".awsrole.toml:1", "doesn't say whose credentials"),
        ("profile = \"jmup\"", ".awsrole.toml:1", "there is no profile `jmup`"),
        ("profile = \"loop-a\"", ".aws/config:18", "leads in a circle: loop-a → loop-b → loop-a"),
        ("source_profile = \"loop-b\"", ".aws/config:15", "in a circle"),
        ("profile = \"empty\"", ".aws/config:22", "profile `empty` has no credentials"),
        ("profile = \"half\"", ".aws/config:24", "has no `aws_secret_access_key`"),
        ("profile = \"chained\"\nmfa_serial = \"GAHT12345\"", ".awsrole.toml:2", "can't use an MFA device"),
        ("profile = \"dev\"\nmfa_serial = \"x\"", ".awsrole.toml:2", "9–256"),
        ("profile = \"sso\"", ".aws/config:31", "there is no [sso-session corp]"),
        ("profile = \"both\"", ".aws/config:35", "exclude each other"),
        ("profile = \"bad\"", ".aws/config:37", "is an ARN of `s3`"),
        ("profile = \"dev\"\nrole_arn = \"arn:aws:s3:::bucket-of-mine\"", ".awsrole.toml:2", "is an ARN of `s3`"),
        ("profile = \"dev\"\nrole_session_name = \"a b\"", ".awsrole.toml:2", "role_session_name `a b` contains ` `"),
        ("profile = \"dev\"\nduration_seconds = 899", ".awsrole.toml:2", "duration_seconds `899` is out of range"),
        ("profile = \"dev\"\nregion = \"evil.example/\"", ".awsrole.toml:2", "region"),
        ("profile = \"chained\"\nduration_seconds = \"2h\"", ".awsrole.toml:2", "lasts at most 1h"),
        (
            "profile = \"dev\"\naccount_id = \"999999999999\"",
            ".awsrole.toml:2",
            "belongs to account 222222222222, but account_id pins 999999999999",
        ),
        ("profile = \"dev\"\naccount_id = \"99\"", ".awsrole.toml:2", "12 digits"),
        (
            "default_role = \"a\"\n[role.a]\nrole_arn = \"arn:aws:iam::333333333333:role/A\"\nsource_role = \"b\"\n[role.b]\nrole_arn = \"arn:aws:iam::333333333333:role/B\"\nsource_role = \"a\"",
            ".awsrole.toml:7",
            "leads in a circle: a → b → a",
        ),
        ("default_role = \"a\"\n[role.a]\nsource_role = \"a\"", ".awsrole.toml:3", "needs a `role_arn`"),
    ] {
        let problem = resolve(text).err().unwrap_or_else(|| panic!("{text} gives a plan"));
        assert!(problem.summary.contains(expected) && problem.summary.contains(file), "{text}: {problem}");
    }
}

#[test]
fn the_cache_key_holds_everything_that_decides_who_one_becomes() {
    let base = "profile = \"dev\"\n";
    let mut keys = vec![resolve(base).ok().unwrap().cache_key(1)];
    assert_eq!(keys[0], resolve(base).ok().unwrap().cache_key(1));
    for more in [
        "role_arn = \"arn:aws:iam::222222222222:role/X\"",
        "role_session_name = \"me\"",
        "external_id = \"x1\"",
        "source_identity = \"me\"",
        "duration_seconds = 900",
        "session_tags = { a = \"1\" }",
        "session_tags = { a = \"1\" }\ntransitive_session_tags = [\"a\"]",
        "policy = \"{}\"",
        "policy_arns = [\"arn:aws:iam::aws:policy/ReadOnlyAccess\"]",
        "region = \"eu-west-3\"",
        "source_profile = \"self\"",
    ] {
        keys.push(resolve(&format!("{base}{more}")).unwrap_or_else(|p| panic!("{p}")).cache_key(1));
    }
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count);
}
