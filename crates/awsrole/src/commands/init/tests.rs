use std::rc::Rc;
use std::time::SystemTime;

use awsrole_core::base::cache_key_backend::{CacheKeyBackend, KeyBackend, KeyUnavailable};
use awsrole_core::base::context::{Env, Paths};
use awsrole_core::base::files::write_private;
use awsrole_core::base::seal::Key;

use super::questions::{choices, matching};
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

fn profiles() -> Profiles {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().to_owned();
    write_private(&root.join(".aws/config"), CONFIG.as_bytes()).unwrap();
    let [config, data, state, cache] = ["config", "data", "state", "cache"].map(|name| root.join(name));
    let paths = Paths { config, data, state, cache, home: root.clone() };
    let (env, now, keys) = (Env::default(), SystemTime::UNIX_EPOCH, Rc::new(NoKeys));
    Profiles::load(&Context { dir: root, env, now, paths, keys, host: String::new }).ok().unwrap()
}

/// Composes the file for options, each an empty text if it isn't given.
fn composed(profile: &str, role_arn: &str, source_profile: &str, region: &str, pin: bool) -> Result<String, String> {
    let [profile, role_arn, source_profile, region] = [profile, role_arn, source_profile, region]
        .map(|option| Some(option).filter(|option| !option.is_empty()).map(str::to_owned));
    let wanted = InitOptions { profile, role_arn, source_profile, permission_set: None, region, pin };
    let text = compose(&wanted, &profiles()).map_err(|problem| problem.summary)?;
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
fn offers_profiles_with_credentials_and_roles_first() {
    let profiles = profiles();
    let names: Vec<_> = choices(&profiles).iter().map(|profile| profile.name).collect();
    assert_eq!(names, ["shop-dev", "two words", "jump", "shop-prod"]);
}

#[test]
fn finds_profiles_by_number_name_and_part_of_a_name() {
    let profiles = profiles();
    let all = choices(&profiles);
    for (answer, expected) in [
        ("1", &["shop-dev"][..]),
        ("4", &["shop-prod"]),
        ("jump", &["jump"]),
        ("two", &["two words"]),
        ("shop", &["shop-dev", "shop-prod"]),
        ("", &[]),
        ("0", &[]),
        ("5", &[]),
        ("settings", &[]),
    ] {
        let found: Vec<_> = matching(answer, &all).iter().map(|profile| profile.name).collect();
        assert_eq!(found, expected, "{answer:?}");
    }
}
