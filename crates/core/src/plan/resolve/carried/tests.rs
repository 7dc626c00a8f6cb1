//! Tests every source, alone and with roles, with every key of the project file: which call sends it, or whether it is
//! rejected.

use super::Parameter;
use crate::aws::access_keys::{KeyRef, Record, StoreKind};
use crate::aws::source::Source;
use crate::base::problem::Problem;
use crate::plan::resolve::tests::Home;
use crate::plan::role_plan::{RolePlan, Step};

const CONFIG: &str = "\
[profile vault]
credential_process = vault
[profile sso]
sso_start_url = https://corp.example.com/start
sso_region = eu-central-1
sso_account_id = 111111111111
sso_role_name = Admin
[profile console]
login_session = arn:aws:iam::111111111111:user/alice
[profile ci]
role_arn = arn:aws:iam::222222222222:role/Ci
web_identity_token_file = /token
[profile stored]
region = eu-west-1
";
const CREDENTIALS: &str = "\
[jump]
aws_access_key_id = AKIAJUMP
aws_secret_access_key = canary
[session]
aws_access_key_id = ASIASESSION
aws_secret_access_key = canary
aws_session_token = canary
";
const USER: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKIAENV"), ("AWS_SECRET_ACCESS_KEY", "canary")];
const SESSION: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "ASIAENV"), ("AWS_SECRET_ACCESS_KEY", "canary"), ("AWS_SESSION_TOKEN", "canary")];

/// The result for each source and key, in the order of [`KEYS`]: `A`ssumeRole, Get`S`essionToken,
/// AssumeRoleWith`W`ebIdentity, `G`etScopedCredentials, or rejected (`-`). The second text is for a role that the
/// source assumes.
const TABLE: [(&str, &str, &str); 11] = [
    ("jump", "G-G-----SS", "AAAAAAAAAS"),
    ("stored", "G-G-----SS", "AAAAAAAAAS"),
    ("user in the environment", "G-G-----SS", "AAAAAAAAAS"),
    // A GetSessionToken is planned, because only running the program shows whether its keys are long-lived.
    ("vault", "G-G-----SS", "AAAAAAAAAS"),
    ("session", "G-G-------", "AAAAAAAAA-"),
    ("session in the environment", "G-G-------", "AAAAAAAAA-"),
    ("sso", "G-G-------", "AAAAAAAAA-"),
    ("console", "G-G-------", "AAAAAAAAA-"),
    ("instance", "G-G-------", "AAAAAAAAA-"),
    ("container", "G-G-------", "AAAAAAAAA-"),
    ("ci", "WWW----WW-", "AAAAAAAAA-"),
];
const CHAINED: &str = "AAAAAAAAA-";

/// A line for each parameter, and its form in a plan.
const KEYS: [(Parameter, &str); 10] = [
    (Parameter::Policy, "policy = '{\"a\":1}'"),
    (Parameter::PolicyArns, "policy_arns = [\"arn:aws:iam::aws:policy/ReadOnlyAccess\"]"),
    (Parameter::Preset, "preset = \"read-only\""),
    (Parameter::SessionTags, "session_tags = { team = \"shop\" }"),
    (Parameter::TransitiveSessionTags, "transitive_session_tags = [\"team\"]"),
    (Parameter::SourceIdentity, "source_identity = \"ana\""),
    (Parameter::ExternalId, "external_id = \"shop/42\""),
    (Parameter::RoleSessionName, "role_session_name = \"by-file\""),
    (Parameter::DurationSeconds, "duration_seconds = 1800"),
    (Parameter::MfaSerial, "mfa_serial = \"arn:aws:iam::111111111111:mfa/ana\""),
];

const ROLE: &str = "role_arn = \"arn:aws:iam::333333333333:role/Deploy\"\n";

/// Returns the lines that name a source, for use alone or with a role.
fn named(source: &str, for_role: bool) -> String {
    match source {
        "user in the environment" | "session in the environment" => "credential_source = \"Environment\"\n".to_owned(),
        "instance" => "credential_source = \"Ec2InstanceMetadata\"\n".to_owned(),
        "container" => "credential_source = \"EcsContainer\"\n".to_owned(),
        _ if for_role => format!("source_profile = \"{source}\"\n"),
        _ => format!("profile = \"{source}\"\n"),
    }
}

/// A home directory for each environment.
struct World {
    plain: Home,
    user: Home,
    session: Home,
}

impl World {
    fn new() -> Self {
        let [plain, user, session] =
            [&[][..], &USER, &SESSION].map(|env: &[(&str, &str)]| Home::new(CONFIG, CREDENTIALS, env));
        let place = KeyRef { profile: "stored".into(), access_key_id: "AKIASTORED".into(), store: StoreKind::File };
        Record::new(&place, plain.context.now).save(&plain.context.paths).unwrap();
        Self { plain, user, session }
    }

    fn plan(&self, source: &str, file: &str) -> Result<RolePlan, Problem> {
        match source {
            "user in the environment" => self.user.plan(file),
            "session in the environment" => self.session.plan(file),
            _ => self.plain.plan(file),
        }
    }

    /// Checks a file whose last lines set one key.
    fn check(&self, source: &str, file: &str, parameter: Parameter, expected: char) {
        let key = parameter.key();
        match self.plan(source, file) {
            Ok(plan) => {
                assert_ne!(expected, '-', "{source}: {key} is lost: {file}");
                assert_eq!(carried(&plan, parameter), expected, "{source}: {file}");
            }
            Err(problem) => {
                let at = format!(".awsrole.toml:{}: ", line_of(file, key));
                assert_eq!(expected, '-', "{source}: {file}: {problem}");
                assert!(problem.summary.contains(&at), "{file}: {problem}");
                assert!(problem.summary.contains(": cannot send ") && !problem.hints.is_empty(), "{problem}");
            }
        }
    }
}

/// Returns the call that sends a parameter in a plan, or `-`.
fn carried(plan: &RolePlan, parameter: Parameter) -> char {
    let token = match &plan.source {
        Source::WebIdentity(token) => Some(token),
        _ => None,
    };
    let in_token = token.is_some_and(|token| match parameter {
        Parameter::Policy => token.policy.inline.is_some(),
        Parameter::PolicyArns | Parameter::Preset => !token.policy.arns.is_empty(),
        Parameter::RoleSessionName => token.session_name.as_str() == "by-file",
        Parameter::DurationSeconds => token.duration.is_some_and(|duration| duration.seconds() == 1800),
        _ => false,
    });
    let in_session = plan.steps.iter().any(|step| match step {
        Step::GetSessionToken(step) => match parameter {
            Parameter::DurationSeconds => step.duration.is_some(),
            Parameter::MfaSerial => step.mfa_serial.is_some(),
            _ => false,
        },
        Step::AssumeRole(_) | Step::GetScopedCredentials(_) => false,
    });
    let in_scope = plan.steps.iter().any(|step| match step {
        Step::GetScopedCredentials(step) => step.limited_by.setting.starts_with(parameter.key()),
        Step::AssumeRole(_) | Step::GetSessionToken(_) => false,
    });
    let in_role = plan.role().is_some_and(|step| match parameter {
        Parameter::Policy => step.policy.inline.is_some(),
        Parameter::PolicyArns | Parameter::Preset => !step.policy.arns.is_empty(),
        Parameter::SessionTags => step.tags.tags.contains_key("team"),
        Parameter::TransitiveSessionTags => step.tags.transitive == ["team"],
        Parameter::SourceIdentity => step.source_identity.is_some(),
        Parameter::ExternalId => step.external_id.is_some(),
        Parameter::RoleSessionName => step.session_name.as_str() == "by-file",
        Parameter::DurationSeconds => step.duration.is_some_and(|duration| duration.seconds() == 1800),
        Parameter::MfaSerial => step.mfa_serial.is_some(),
    });
    match (in_token, in_session, in_role, in_scope) {
        (true, false, false, false) => 'W',
        (false, true, false, false) => 'S',
        (false, false, true, false) => 'A',
        (false, false, false, true) => 'G',
        (false, false, false, false) => '-',
        _ => panic!("sent twice"),
    }
}

/// Returns the line of the first key that no call sends. Transitive tags follow the tags that they need.
fn line_of(file: &str, key: &str) -> usize {
    let key = if key == "transitive_session_tags" { "session_tags" } else { key };
    1 + file.lines().position(|line| line.starts_with(key)).unwrap()
}

/// Returns the lines that set a key and those that it requires.
fn lines(parameter: Parameter) -> String {
    let line = |parameter| KEYS.iter().find(|(known, _)| *known == parameter).unwrap().1;
    let tags = if parameter == Parameter::TransitiveSessionTags { line(Parameter::SessionTags) } else { "" };
    format!("{tags}\n{}\n", line(parameter))
}

#[test]
fn source_alone() {
    let world = World::new();
    for (source, alone, _) in TABLE {
        for ((parameter, _), expected) in KEYS.iter().zip(alone.chars()) {
            world.check(source, &(named(source, false) + &lines(*parameter)), *parameter, expected);
            // Naming a profile without a role as the source has the same result.
            world.check(source, &(named(source, true) + &lines(*parameter)), *parameter, expected);
        }
    }
}

#[test]
fn source_with_a_role() {
    let world = World::new();
    for (source, _, with_role) in TABLE {
        for ((parameter, _), expected) in KEYS.iter().zip(with_role.chars()) {
            world.check(source, &(named(source, true) + ROLE + &lines(*parameter)), *parameter, expected);
        }
    }
}

#[test]
fn role_chain() {
    let world = World::new();
    for (source, alone, with_role) in TABLE {
        for (index, (parameter, _)) in KEYS.iter().enumerate() {
            let (lines, first) = (lines(*parameter), named(source, true));
            let chain = |first: &str, second: &str| {
                format!("default_role = \"b\"\n[role.a]\n{first}[role.b]\n{ROLE}source_role = \"a\"\n{second}")
            };
            world.check(
                source,
                &chain(&(first.clone() + ROLE), &lines),
                *parameter,
                CHAINED.chars().nth(index).unwrap(),
            );
            // A role earlier in the chain needs to send only what its own table contains, not the keys at top level.
            let below = with_role.chars().nth(index).unwrap();
            if below == '-' {
                world.check(source, &chain(&(first.clone() + ROLE + &lines), ""), *parameter, below);
            }
            if matches!(alone.chars().nth(index).unwrap(), '-' | 'G') {
                world.check(
                    source,
                    &chain(&(first.clone() + &lines), ""),
                    *parameter,
                    alone.chars().nth(index).unwrap(),
                );
                if *parameter != Parameter::MfaSerial {
                    world.check(source, &(lines + &chain(&first, "")), *parameter, 'A');
                }
            }
        }
    }
}

#[test]
fn role_of_another_profile_sends_nothing() {
    let config =
        format!("{CONFIG}[profile dev]\nrole_arn = arn:aws:iam::333333333333:role/Dev\nsource_profile = jump\n");
    for (parameter, _) in KEYS {
        let file = format!("source_profile = \"dev\"\n{}", lines(parameter));
        match Home::new(&config, CREDENTIALS, &[]).plan(&file) {
            Ok(plan) => assert_eq!(carried(&plan, parameter), 'G', "{file}"),
            Err(problem) => {
                assert!(!matches!(parameter, Parameter::Policy | Parameter::Preset), "{problem}");
                assert!(problem.summary.contains(": cannot send "), "{problem}");
            }
        }
    }
}

#[test]
fn the_region_is_always_exported() {
    let world = World::new();
    for (source, ..) in TABLE {
        for more in ["", ROLE] {
            let plan = world.plan(source, &(named(source, true) + more + "region = \"eu-west-3\"\n"));
            let plan = plan.unwrap_or_else(|problem| panic!("{problem}"));
            assert_eq!(plan.region.map(|region| region.as_str().to_owned()).as_deref(), Some("eu-west-3"), "{source}");
            assert_eq!(plan.endpoint.region.as_str(), "eu-west-3");
        }
    }
}

#[test]
fn empty_list_requests_nothing() {
    for lines in ["policy_arns = []", "session_tags = {}", "transitive_session_tags = []"] {
        assert!(World::new().plan("sso", &format!("profile = \"sso\"\n{lines}\n")).is_ok(), "{lines}");
    }
}

/// The AWS CLI ignores them, so a profile's own settings are never an error.
#[test]
fn role_settings_of_a_profile_do_not_apply_to_its_source() {
    let settings = "duration_seconds = 7200\nexternal_id = x1\nrole_session_name = by-profile\n\
                    mfa_serial = arn:aws:iam::111111111111:mfa/ana\n";
    let config = CONFIG.replace("[profile sso]\n", &format!("[profile sso]\n{settings}"));
    let config = config.replace("[profile ci]\n", &format!("[profile ci]\n{settings}"));
    let home = Home::new(&config, CREDENTIALS, &[]);
    let file = |text: &str| home.plan(text).unwrap_or_else(|problem| panic!("{problem}"));
    assert!(file("profile = \"sso\"\n").steps.is_empty());
    let Source::WebIdentity(token) = file("profile = \"ci\"\n").source else { panic!() };
    assert_eq!((token.session_name.as_str(), token.duration), ("by-profile", None));
    let Source::WebIdentity(token) = file("profile = \"ci\"\nrole_session_name = \"by-file\"\n").source else {
        panic!()
    };
    assert_eq!(token.session_name.as_str(), "by-file");
}
