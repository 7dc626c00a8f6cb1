//! Tests of plans and errors by example.

use std::path::Path;

use super::*;
use crate::aws::parameters::SessionDuration;
use crate::aws::profiles::tests::home;
use crate::aws::sso_session::SsoSession;
use crate::base::cache_key_backend::CacheKeySetting;
use crate::base::files::write_private;
use crate::project::approval::{Approvals, Chain, Verdict, evaluate_files};
use crate::session::cache::Cache;
use crate::session::encryption::CacheEncryption;
use crate::session::encryption::tests::Shelf;
use crate::settings::user_config::{Settings, UserConfig};

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
    Home::new(CONFIG, CREDENTIALS, &[("USER", "Ana María")]).plan(text)
}

/// A home directory with AWS files, and an environment.
pub(crate) struct Home {
    _home: tempfile::TempDir,
    pub(crate) context: Context,
}

impl Home {
    pub(crate) fn new(config: &str, credentials: &str, env: &[(&str, &str)]) -> Self {
        let (_home, mut context) = home(config, credentials);
        context.env.0.extend(env.iter().map(|(name, value)| (name.into(), value.into())));
        Self { _home, context }
    }

    /// Plans an allowed file.
    pub(crate) fn plan(&self, text: &str) -> Result<RolePlan, Problem> {
        let path = self.context.dir.join(".awsrole.toml");
        write_private(&path, text.as_bytes()).unwrap();
        plan_in(&self.context, &path)
    }
}

fn plan_in(context: &Context, path: &Path) -> Result<RolePlan, Problem> {
    let approvals = Approvals::below(&context.paths.data);
    let paths = [path.to_owned()];
    let requester = Requester::of(context, &Settings::default())?;
    approvals.allow(&Chain::read(&paths)?).unwrap();
    match evaluate_files(&paths, &approvals, &UserConfig::default()).0 {
        Verdict::Allowed(allowed) => plan(&allowed, None, &Profiles::load(context).unwrap(), context, &requester),
        Verdict::Broken { problem, .. } => Err(problem),
        Verdict::Refused { .. } => panic!(),
    }
}

/// Formats a plan in one line: source, then each step.
fn shown(plan: &RolePlan) -> String {
    let steps = plan.steps.iter().map(|step| match step {
        Step::GetSessionToken(step) => format!(
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
        Step::GetScopedCredentials(step) => format!("limited by {}", step.limited_by.setting),
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
fn strips_fips_from_regions() {
    let plan = resolve("profile = \"dev\"\nregion = \"fips-us-west-2\"").unwrap_or_else(|problem| panic!("{problem}"));
    assert_eq!(plan.region.as_ref().map(Region::as_str), Some("us-west-2"));
    assert_eq!((plan.endpoint.region.as_str(), plan.endpoint.fips), ("us-west-2", true));
    assert_eq!(plan.settings, [("AWS_USE_FIPS_ENDPOINT".into(), "true".to_owned())]);
}

#[test]
fn errors_contain_the_location() {
    for (text, file, expected) in [
        ("", ".awsrole.toml", "doesn't say which role to assume"),
        ("role_arn = \"arn:aws:iam::222222222222:role/X\"", ".awsrole.toml:1", "doesn't say which credentials"),
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
        (
            "profile = \"dev\"\nrole_session_name = \"a b\"",
            ".awsrole.toml:2",
            "role_session_name `a b` contains a space",
        ),
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
fn cache_key_includes_everything_that_determines_the_identity() {
    let base = "profile = \"dev\"\n";
    let key = |plan: RolePlan| {
        let cache = Cache::in_dir(
            Path::new("/nowhere"),
            CacheEncryption::new(Path::new("/nowhere"), Shelf::new(), CacheKeySetting::Auto),
        );
        cache.keys(&plan).session(1)
    };
    let mut keys = vec![key(resolve(base).ok().unwrap())];
    assert_eq!(keys[0], key(resolve(base).ok().unwrap()));
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
        keys.push(key(resolve(&format!("{base}{more}")).unwrap_or_else(|p| panic!("{p}"))));
    }
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count);
}

const SOURCES: &str = "\
[profile jump]
[profile process]
credential_process = vault-aws
[profile other-process]
credential_process = vault-aws --other
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-west-1
[profile sso]
sso_session = corp
sso_account_id = 222222222222
sso_role_name = Dev
[profile sso-other-role]
sso_session = corp
sso_account_id = 222222222222
sso_role_name = Admin
[profile login]
login_session = arn:aws:iam::111111111111:user/alice
[profile web]
role_arn = arn:aws:iam::222222222222:role/Ci
web_identity_token_file = ~/token
[profile web-other-role]
role_arn = arn:aws:iam::222222222222:role/Other
web_identity_token_file = ~/token
";

/// A change of the plan's environment.
#[derive(Debug, Clone, Copy)]
enum Change {
    Env(&'static str, &'static str),
    Dir,
    Host,
    /// Replaces a file below the home directory. `None` removes it.
    File(&'static str, Option<&'static str>),
    /// Replaces a text in the project file.
    Project(&'static str, &'static str),
    /// Changes the access key ID that the source returns.
    Answer(&'static str),
}

/// Returns a JSON web token without a signature.
fn jwt(claims: &str) -> String {
    let part = |text: &str| data_encoding::BASE64URL_NOPAD.encode(text.as_bytes());
    format!("{}.{}.x", part("{}"), part(claims))
}

/// Tests ARCHITECTURE.md's table of what identifies each source. Each of these changes must lead to another session,
/// and no other change may.
#[test]
fn sessions_are_cached_by_the_identity_of_their_source() {
    use Change::{Answer, Dir, Env, File, Host, Project};
    let pod = |name: &'static str| -> &'static str {
        // All other changes are constants.
        Box::leak(jwt(&format!("{{\"iss\":\"eks\",\"sub\":\"{name}\",\"exp\":1}}")).into_boxed_str())
    };
    let renewed: &'static str = Box::leak(jwt("{\"iss\":\"eks\",\"sub\":\"a\",\"exp\":2}").into_boxed_str());
    let role = "role_arn = \"arn:aws:iam::222222222222:role/Dev\"\n";
    let sso: &'static str = Box::leak(
        crate::aws::source::IdentityCenter::token_file(Path::new(""), Some("corp"), "")
            .display()
            .to_string()
            .into_boxed_str(),
    );
    let login: &'static str = Box::leak(
        crate::aws::source::ConsoleLogin::token_file(
            Path::new(""),
            &crate::base::context::Env::default(),
            "arn:aws:iam::111111111111:user/alice",
        )
        .display()
        .to_string()
        .into_boxed_str(),
    );
    let cases: Vec<(String, Vec<Change>, Vec<Change>)> = vec![
        (
            format!("{role}source_profile = \"process\""),
            vec![
                Project("process\"", "other-process\""),
                Env("VAULT_ADDR", "https://b"),
                Env("AWS_PROFILE", "x"),
                Dir,
                Host,
                Answer("ASIASECOND"),
            ],
            vec![Env("SHLVL", "7"), Env("OLDPWD", "/x"), Env("COLUMNS", "80"), Env("_", "x"), Env("WINDOWID", "1")],
        ),
        (
            "profile = \"process\"".to_owned(),
            vec![Project("process\"", "other-process\""), Env("HTTPS_PROXY", "http://p"), Dir, Host],
            vec![Env("TMUX_PANE", "%1")],
        ),
        (
            "profile = \"sso\"".to_owned(),
            vec![
                Project("sso\"", "sso-other-role\""),
                Env("AWS_ENDPOINT_URL_SSO", "https://b"),
                Env("AWS_ENDPOINT_URL", "https://b"),
                File(sso, None),
                File(sso, Some("{\"accessToken\":\"second\"}")),
            ],
            vec![Env("VAULT_ADDR", "x"), Dir, Host, File(sso, Some("{\"accessToken\":\"first\",\"expiresAt\":\"x\"}"))],
        ),
        (
            format!("{role}source_profile = \"sso\""),
            vec![File(sso, None), File(sso, Some("{\"accessToken\":\"second\"}")), Answer("ASIASECOND")],
            vec![Dir, Host],
        ),
        (
            "profile = \"login\"".to_owned(),
            vec![
                File(login, None),
                File(login, Some("{\"dpopKey\":\"second\"}")),
                Env("AWS_LOGIN_CACHE_DIRECTORY", "/elsewhere"),
                Env("AWS_REGION", "eu-north-1"),
                Env("AWS_ENDPOINT_URL_SIGNIN", "https://b"),
            ],
            vec![Dir, Host, File(login, Some("{\"refreshToken\":\"renewed\",\"dpopKey\":\"first\"}"))],
        ),
        (
            "profile = \"web\"".to_owned(),
            vec![
                Project("web\"", "web-other-role\""),
                File("token", Some(pod("b"))),
                File("token", None),
                Env("AWS_ENDPOINT_URL_STS", "https://b"),
            ],
            vec![Dir, Host, File("token", Some(renewed))],
        ),
        (
            format!("{role}credential_source = \"Ec2InstanceMetadata\""),
            vec![
                Env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://b"),
                Env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6"),
                Host,
                Answer("ASIASECOND"),
            ],
            vec![Dir, Env("VAULT_ADDR", "x")],
        ),
        (
            format!("{role}credential_source = \"EcsContainer\""),
            vec![
                Env("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://b"),
                Env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/b"),
                Env("AWS_CONTAINER_AUTHORIZATION_TOKEN", "b"),
                File("token", Some(pod("b"))),
                Host,
                Answer("ASIASECOND"),
            ],
            vec![Dir, Env("VAULT_ADDR", "x"), File("token", Some(renewed))],
        ),
        (
            format!("{role}credential_source = \"Environment\""),
            vec![Env("AWS_ACCESS_KEY_ID", "AKIAOTHER")],
            vec![Dir, Host, Env("VAULT_ADDR", "x")],
        ),
        (format!("{role}source_profile = \"jump\""), vec![Project("jump", "self")], vec![Dir, Host, Env("A", "x")]),
    ];
    let (_home, mut context) = home(SOURCES, CREDENTIALS);
    let root = std::mem::replace(&mut context.dir, "/shop".into());
    let mut session = |text: &str, change| {
        for (name, text) in
            [(sso, "{\"accessToken\":\"first\"}"), (login, "{\"dpopKey\":\"first\"}"), ("token", pod("a"))]
        {
            write_private(&root.join(name), text.as_bytes()).unwrap();
        }
        context.dir = "/shop".into();
        context.host = || "host".to_owned();
        let token_file = root.join("token").into_os_string().into_string().unwrap();
        let variables = [
            ("USER", "alice"),
            ("AWS_ACCESS_KEY_ID", "AKIAENV"),
            ("AWS_SECRET_ACCESS_KEY", "canary"),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &token_file),
        ];
        context.env = crate::base::context::Env(variables.map(|(name, value)| (name.into(), value.into())).into());
        session_of(text, change, &mut context, &root)
    };
    for (text, others, same) in &cases {
        let before = session(text, None);
        assert_eq!(session(text, None), before, "{text}");
        for change in others {
            assert_ne!(session(text, Some(*change)), before, "{text}\n{change:?}");
        }
        for change in same {
            assert_eq!(session(text, Some(*change)), before, "{text}\n{change:?}");
        }
    }
}

/// Returns the cache name of a role's session. If `change` is given, it is made after the source returned a key.
fn session_of(text: &str, change: Option<Change>, context: &mut Context, root: &Path) -> String {
    let cache = Cache::in_dir(
        &root.join("cache"),
        CacheEncryption::new(&root.join("cache"), Shelf::new(), CacheKeySetting::Auto),
    );
    let path = root.join(".awsrole.toml");
    let planned = |text: &str, context: &Context| {
        write_private(&path, text.as_bytes()).unwrap();
        plan_in(context, &path).unwrap_or_else(|problem| panic!("{text}: {problem}"))
    };
    let plan = planned(text, context);
    cache.record_source_id(&cache.keys(&plan).session(0), "ASIAFIRST").unwrap();
    let mut text = text.to_owned();
    match change {
        Some(Change::Env(name, value)) => drop(context.env.0.insert(name.into(), value.into())),
        Some(Change::Dir) => context.dir = "/other".into(),
        Some(Change::Host) => context.host = || "another".to_owned(),
        Some(Change::File(name, Some(text))) => write_private(&root.join(name), text.as_bytes()).unwrap(),
        Some(Change::File(name, None)) => std::fs::remove_file(root.join(name)).unwrap(),
        Some(Change::Project(from, to)) => text = text.replace(from, to),
        Some(Change::Answer(id)) => cache.record_source_id(&cache.keys(&plan).session(0), id).unwrap(),
        None => {}
    }
    let plan = planned(&text, context);
    cache.keys(&plan).session(plan.steps.len())
}

#[test]
fn a_session_has_the_same_endpoints_with_and_without_a_role() {
    let endpoint = "endpoint_url = http://127.0.0.1:1\n";
    let config =
        format!("[default]\n{endpoint}ca_bundle = /ca.pem\n[profile ops]\n{}{SOURCES}", endpoint.replace(":1", ":2"));
    let (_home, mut context) = home(&config, "");
    for (profile, port) in [("", ":1"), ("ops", ":2")] {
        context.env.0.insert("AWS_PROFILE".into(), profile.into());
        let profiles = Profiles::load(&context).unwrap();
        let of_role = sign_in_of_session(&profiles, &context, "corp", "sso_session").unwrap();
        let named = SsoSession::named("corp", &profiles, &context).unwrap();
        assert!(named.oidc.url.as_ref().unwrap().ends_with(port), "{named:?}");
        assert_eq!(SsoSession::of_role(&of_role, &profiles), named);
    }
}
