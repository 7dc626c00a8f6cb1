use std::rc::Rc;
use std::time::SystemTime;

use awsrole_core::aws::access_keys::{KeyRef, Record, StoreKind};
use awsrole_core::base::cache_key_backend::{CacheKeyBackend, KeyBackend, KeyUnavailable};
use awsrole_core::base::context::{Env, Paths};
use awsrole_core::base::files::write_private;
use awsrole_core::base::seal::Key;
use awsrole_core::session::history::{History, HistoryEntry, Recipient};

use super::super::choices::{LastUse, profiles_by_last_use};
use super::*;

/// A backend that is never used: nothing here is encrypted.
struct NoKeys;

impl CacheKeyBackend for NoKeys {
    fn find(&self, _: KeyBackend, _: &str) -> Result<Option<Key>, KeyUnavailable> {
        Ok(None)
    }
    fn put(&self, _: KeyBackend, _: &str, _: &Key) -> Result<(), KeyUnavailable> {
        Err(KeyUnavailable(String::new()))
    }
    fn keep(&self, _: KeyBackend, _: &str) {}
    fn remove(&self, _: KeyBackend, _: &str) {}
}

const CONFIG: &str = "\
[default]
region = us-east-1
[profile jump]
credential_process = keys
[profile shop-dev]
role_arn = arn:aws:iam::222222222222:role/Deploy
source_profile = jump
[profile shop-prod]
sso_session = corp
sso_account_id = 333333333333
sso_role_name = Admin
[sso-session corp]
sso_start_url = https://corp.example.com/start
sso_region = us-east-1
[profile settings]
region = eu-west-1
endpoint_url = http://127.0.0.1:1
[profile \"two words\"]
role_arn = arn:aws:iam::111111111111:role/Build
source_profile = jump
";

/// A home directory with the AWS files.
fn home() -> (tempfile::TempDir, Context) {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().to_owned();
    write_private(&root.join(".aws/config"), CONFIG.as_bytes()).unwrap();
    let [config, data, state, cache] = ["config", "data", "state", "cache"].map(|name| root.join(name));
    let paths = Paths { config, data, state, cache, home: root.clone(), organization: root.join("etc") };
    let (env, now, keys) = (Env::default(), SystemTime::UNIX_EPOCH, Rc::new(NoKeys));
    let organization = Rc::default();
    (home, Context { dir: root, env, now, paths, keys, host: String::new, program: None, organization })
}

fn profiles() -> Profiles {
    Profiles::load(&home().1).ok().unwrap()
}

/// Composes the file for options, each an empty text if it isn't given.
fn composed(profile: &str, role_arn: &str, source_profile: &str, region: &str, pin: bool) -> Result<String, String> {
    let [profile, role_arn, source_profile, region] = [profile, role_arn, source_profile, region]
        .map(|option| Some(option).filter(|option| !option.is_empty()).map(str::to_owned));
    let wanted = InitOptions { profile, role_arn, source_profile, permission_set: None, region, pin };
    let text = compose(&[wanted], &profiles()).map_err(|problem| problem.summary)?;
    let (comment, keys) = text.split_once('\n').unwrap();
    assert!(comment.starts_with("# "), "{comment}");
    Ok(keys.to_owned())
}

#[test]
fn writes_the_given_options() {
    let arn = "arn:aws:iam::222222222222:role/Deploy";
    assert_eq!(composed("shop-dev", "", "", "", false).unwrap(), "profile = \"shop-dev\"\n");
    assert_eq!(
        composed("", arn, "jump", "ap-northeast-1", false).unwrap(),
        format!("role_arn = \"{arn}\"\nsource_profile = \"jump\"\nregion = \"ap-northeast-1\"\n")
    );
}

#[test]
fn pins_the_account_if_it_is_known() {
    for (profile, role_arn, account) in [
        ("shop-dev", "", Some("222222222222")),
        ("shop-prod", "", Some("333333333333")),
        ("", "arn:aws:iam::444444444444:role/Deploy", Some("444444444444")),
        ("jump", "", None),
    ] {
        let text = composed(profile, role_arn, "", "", true).unwrap();
        let pin = account.map(|account| format!("account_id = \"{account}\" "));
        assert_eq!(text.contains("account_id"), pin.is_some(), "{text}");
        assert!(text.contains(&pin.unwrap_or_default()), "{text}");
    }
}

#[test]
fn rejects_options_that_would_not_work() {
    for (profile, role_arn, source_profile, region, expected) in [
        ("shop-dve", "", "", "", "--profile: there is no profile `shop-dve`"),
        ("", "arn:aws:iam::222222222222:role/Deploy", "jmup", "", "--source-profile: there is no profile `jmup`"),
        ("", "arn:aws:s3:::bucket", "jump", "", "--role-arn "),
        ("shop-dev", "", "", "Europe", "--region "),
    ] {
        let problem = composed(profile, role_arn, source_profile, region, false).unwrap_err();
        assert!(problem.starts_with(expected), "{problem}");
    }
}

#[test]
fn writes_a_table_for_each_of_several_profiles() {
    let wanted = ["two words", "shop-dev", "jump"].map(|name| InitOptions::of_profile(name.to_owned(), None));
    let text = compose(&wanted, &profiles()).unwrap();
    let expected = "\
default_role = \"two-words\"

[role.two-words]
profile = \"two words\"
account_id = \"111111111111\"   # the pin: no other account's credentials are ever exported

[role.shop-dev]
profile = \"shop-dev\"
account_id = \"222222222222\"   # the pin: no other account's credentials are ever exported

[role.jump]
profile = \"jump\"
";
    assert_eq!(text.split_once('\n').unwrap().1, expected);
}

#[test]
fn names_of_roles_are_valid_and_unique() {
    let taken = ["a-b".to_owned(), "a-b-2".to_owned()];
    for (profile, expected) in
        [("a", "a"), ("a b", "a-b-3"), ("--x", "x"), (" ", "role"), ("größe.1", "größe.1"), ("a\nb", "a-b-3")]
    {
        assert_eq!(role_name(profile, &taken), expected);
    }
    assert_eq!([toml_key("a-b_1"), toml_key("größe.1"), toml_key("a\"b")], ["a-b_1", "\"größe.1\"", "\"a\\\"b\""]);
}

#[test]
fn offers_the_last_used_profile_and_then_those_with_a_role() {
    let (_home, context) = home();
    let profiles = profiles();
    let names = || -> Vec<_> {
        profiles_by_last_use(&profiles, &LastUse::read(&context), &context).iter().map(|profile| profile.name).collect()
    };
    assert_eq!(names(), ["shop-dev", "two words", "jump", "shop-prod"]);
    // The keys of a profile may be in a store.
    let place = KeyRef { profile: "settings".into(), access_key_id: "AKIASTORED".into(), store: StoreKind::File };
    Record::new(&place, context.now).save(&context.paths).unwrap();
    assert_eq!(names(), ["shop-dev", "two words", "jump", "settings", "shop-prod"]);
    Record::forget(&context.paths, "settings").unwrap();
    for role in ["shop-prod", "jump", "settings", "shop-prod"] {
        let entry = HistoryEntry {
            at: "2026-01-01T00:00:00Z".into(),
            what: Recipient::Exec,
            new: false,
            directory: "/".into(),
            role: role.into(),
            role_arn: None,
            account: None,
            source: String::new(),
            key: String::new(),
            expires: None,
            profile: None,
            shell: None,
            agent: None,
        };
        History::in_dir(&context.paths.state).append(&entry).unwrap();
    }
    assert_eq!(names(), ["shop-prod", "jump", "shop-dev", "two words"]);
}
