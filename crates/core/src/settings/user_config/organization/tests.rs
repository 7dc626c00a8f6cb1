//! Tests of an organization's settings.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::aws::arn::AccountId;
use crate::aws::profiles::tests::home;
use crate::base::files::write_private;
use crate::settings::accounts::Color;
use crate::settings::user_config::Settings;

/// Writes the two settings files, and returns the context that refers to them.
fn with(organization: &str, user: &str) -> (tempfile::TempDir, Context) {
    let (home, context) = home("", "");
    write_private(&context.paths.organization, organization.as_bytes()).unwrap();
    write_private(&UserConfig::path(&context), user.as_bytes()).unwrap();
    (home, context)
}

fn id(digit: char) -> AccountId {
    AccountId::parse(&digit.to_string().repeat(12)).unwrap()
}

#[test]
fn the_users_settings_take_precedence() {
    let (_home, context) = with(
        "[accounts.111111111111]\nname = \"theirs\"\ncolor = \"red\"\n\
         [accounts.222222222222]\nname = \"two\"\ncolor = \"blue\"\n\
         [accounts.333333333333]\nname = \"mine\"\nprotect = true\n\
         [[trust]]\npath = \"/srv\"\naccounts = [\"111111111111\"]\n",
        "[accounts.111111111111]\nname = \"mine\"\nprotect = true\n[accounts.333333333333]\nprotect = false\n\
         [[trust]]\npath = \"~/src\"\naccounts = [\"222222222222\"]\n",
    );
    let settings = Settings::load(&context);
    let config = settings.get().unwrap();
    let names = ['1', '2', '3'].map(|digit| config.accounts.name(&id(digit)).map(str::to_owned));
    assert_eq!(names, [Some("mine".into()), Some("two".into()), None], "a name means one account");
    let colors = ['1', '2', '3'].map(|digit| config.accounts.color(&id(digit)));
    assert_eq!(colors, [Some(Color::Red), Some(Color::Blue), Some(Color::Red)]);
    let protected = ['1', '2', '3'].map(|digit| config.accounts.is_protected(&id(digit)));
    assert_eq!(protected, [true, false, true], "either protects");
    let paths: Vec<_> = config.trust.iter().map(|rule| rule.path.clone()).collect();
    assert_eq!(paths, [context.paths.home.join("src"), "/srv".into()]);
    assert_eq!(settings.organization(), Some("3 accounts, 1 trust rule"));
}

#[test]
fn a_user_can_only_tighten_the_limits_of_agents() {
    let (_home, context) = with("[agent]\ndeny = true\n", "[agent]\ndeny = false\nduration_seconds = \"15m\"\n");
    let settings = Settings::load(&context);
    let [user, organization] = &settings.get().unwrap().agent[..] else { panic!() };
    assert!(user.denied_at().is_none() && user.duration.is_some());
    assert_eq!(organization.denied_at().unwrap().file, context.paths.organization);
    assert_eq!(settings.organization(), Some("agents get no role"));
}

#[test]
fn a_missing_file_has_no_settings() {
    let (_home, context) = home("", "");
    assert!(Organization::load(&context).unwrap().is_none());
    assert!(Settings::load(&context).organization().is_none());
}

type Change = fn(&Path);

#[test]
fn an_unsafe_file_is_an_error() {
    let changes: [(&str, Change); 7] = [
        ("can't be trusted", |path| set_mode(path, 0o664)),
        ("can't be trusted", |path| set_mode(path, 0o646)),
        ("can't be trusted", |path| set_mode(path.parent().unwrap(), 0o777)),
        ("can't be read", |path| {
            fs::remove_file(path).unwrap();
            symlink("nowhere", path).unwrap();
        }),
        ("can't be read", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
        ("can't be read", |path| write_private(path, &vec![b'#'; 1024 * 1024 + 1]).unwrap()),
        ("can't be trusted", |path| {
            fs::remove_dir_all(path.parent().unwrap()).unwrap();
            write_private(path.parent().unwrap(), b"").unwrap();
        }),
    ];
    for (index, (expected, change)) in changes.into_iter().enumerate() {
        let (_home, context) = with("", "[cache]\nkey = \"none\"\n");
        change(&context.paths.organization);
        let settings = Settings::load(&context);
        let problem = settings.get().unwrap_err();
        assert!(problem.summary.contains("etc/config.toml"), "{index}: {problem}");
        assert!(problem.summary.contains(expected), "{index}: {problem}");
        assert_eq!(settings.or_default().key, crate::base::cache_key_backend::CacheKeySetting::None);
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_process_reads_the_file_once() {
    let (_home, context) = with("source_identity = \"auto\"", "");
    let path = &context.paths.organization;
    assert_eq!(Settings::load(&context).organization(), Some("source identity"));
    fs::remove_file(path).unwrap();
    let outer = context.with_env(Env::default());
    assert_eq!(
        Organization::load(&outer).unwrap().map(|settings| settings.shown()),
        Some("source identity".to_owned())
    );
    // An error isn't forgotten, either.
    let (_home, context) = with("", "");
    fs::set_permissions(&context.paths.organization, fs::Permissions::from_mode(0o666)).unwrap();
    let problem = Organization::load(&context).unwrap_err();
    fs::remove_file(&context.paths.organization).unwrap();
    assert_eq!(Organization::load(&context).unwrap_err(), problem);
}

#[test]
fn commands_and_wrong_values_are_errors_with_their_line() {
    for (text, expected) in [
        ("\nmfa_process = \"id\"", ":2: `mfa_process` isn't a setting of an organization"),
        ("[browser]\ncommand = [\"id\"]", ":1: `browser` isn't a setting of an organization"),
        ("[keys]\nstore = \"file\"", ":1: `keys` isn't"),
        ("[cache]\nkey = \"none\"", ":1: `cache` isn't"),
        ("[limits]\nwhole = \"1s\"", ":1: `limits` isn't"),
        ("[account.111111111111]", ":1: unknown key `account`"),
        ("region = \"eu-west-1\"", ":1: `region` is a key of a project's file"),
        ("source_identity = \"alice\"", ":1: `source_identity` can't be `alice`"),
        ("\n\nrole_session_name = \"corp\"", ":3: role_session_name `corp` must contain `{user}`"),
        ("role_session_name = \"{user} {host}\"", ":1: role_session_name"),
        ("role_session_name = \"{user}{user}\"", ":1: role_session_name"),
        ("[agent]\nrole = \"x\"", ":2: `role` isn't allowed in [agent] here"),
        ("[accounts.1]\nname = \"x\"", ":1: accounts:"),
        ("[accounts", ":1: "),
    ] {
        let (_home, context) = with(text, "");
        let problem = Organization::load(&context).unwrap_err();
        assert!(problem.summary.contains("etc/config.toml"), "{problem}");
        assert!(problem.summary.contains(expected), "{text}: {problem}");
    }
}

#[test]
fn errors_of_rules_and_accounts_name_their_line() {
    for (text, expected) in [
        ("[[trust]]\npath = \"src\"\naccounts = [\"111111111111\"]", ":2: [[trust]] path `src` must begin with"),
        ("[[trust]]\npath = \"/srv\"\naccounts = []", ":3: [[trust]] needs the `accounts`"),
        ("[[trust]]\npath = \"/srv\"\naccounts = [\n  \"111111111111\",\n  \"22\",\n]", ":5: [[trust]] accounts: `22`"),
        ("[[trust]]\npath = \"/srv\"", ":1: `accounts` is missing"),
        ("\n[[trust]]\npath = 5\naccounts = []", ":3: `path` must be a string"),
        ("[[trust]]\npath = \"/srv\"\naccounts = [\n  5,\n]", ":4: a value must be a string"),
        ("\n[accounts.1]\nname = \"x\"", ":2: accounts: `1`"),
        ("[accounts]\n1 = { name = \"x\" }", ":2: accounts: `1`"),
        ("[accounts]\n111111111111 = 5", ":2: `111111111111` must be a table"),
        ("\n[accounts.111111111111]\nname = \"a;b\"", ":3: name: `a;b`"),
        ("[accounts.111111111111]\ncolor = \"rde\"", ":2: color: `rde`"),
        (
            "[accounts.111111111111]\nname = \"x\"\n[accounts.222222222222]\nname = \"x\"",
            ":3: account 111111111111 also has the name x",
        ),
        ("[accounts.111111111111]\nprotect = \"yes\"", ":2: `protect` must be a boolean"),
    ] {
        let (_home, context) = with(text, text);
        let files = [context.paths.organization.clone(), UserConfig::path(&context)];
        let problems = [Organization::load(&context).err().unwrap(), UserConfig::load(&context).err().unwrap()];
        for (file, problem) in files.iter().zip(problems) {
            let expected = format!("{}{expected}", file.display());
            assert!(problem.summary.starts_with(&expected), "{text}: {problem}");
        }
    }
}

#[test]
fn session_names_are_within_the_limits_of_sts() {
    let name = |template: &str, login: &str| NameTemplate::parse(template).unwrap().of_user(login).as_str().to_owned();
    assert_eq!(name("{user}@corp", "alice"), "alice@corp");
    assert_eq!(name("{user}", "Ana María"), "Ana-Mar-a");
    assert_eq!(name("a-{user}", ""), "a-user-");
    let long = name("corp-{user}@x", &"é".repeat(100));
    assert_eq!((long.len(), long.starts_with("corp--"), long.ends_with("-@x")), (64, true, true));
    assert_eq!(name(&format!("{}{{user}}", "x".repeat(62)), "alice").len(), 64);
    assert!(NameTemplate::parse(&format!("{}{{user}}", "x".repeat(63))).is_err());
}
