//! Tests of profiles by example.

use std::rc::Rc;
use std::time::SystemTime;

use super::*;
use crate::base::context::{Env, Paths};
use crate::session::encryption::tests::Shelf;

/// Writes the two files and returns the context that refers to them.
pub(crate) fn home(config: &str, credentials: &str) -> (tempfile::TempDir, Context) {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().to_owned();
    crate::base::files::write_private(&root.join(".aws/config"), config.as_bytes()).unwrap();
    crate::base::files::write_private(&root.join(".aws/credentials"), credentials.as_bytes()).unwrap();
    let paths = Paths {
        config: root.join("config"),
        data: root.join("data"),
        state: root.join("state"),
        cache: root.join("cache"),
        home: root.clone(),
        organization: root.join("etc/config.toml"),
    };
    let (env, now, keys) = (Env::default(), SystemTime::UNIX_EPOCH, Shelf::new());
    (
        home,
        Context {
            dir: root,
            env,
            now,
            paths,
            keys,
            host: || "host".to_owned(),
            program: Some("/bin/awsrole".into()),
            organization: Rc::default(),
        },
    )
}

fn load(config: &str, credentials: &str) -> Result<Profiles, Problem> {
    Profiles::load(&home(config, credentials).1)
}

#[test]
fn reads_profiles_as_the_aws_cli_does() {
    let profiles = load(
        "# comment\n[default]\nregion = us-east-1 # not a comment\n[profile \"two words\"]\nRegion: \"eu-west-1\"\n[profile p]\nrole_arn=a=b:c\ns3 =\n  max = 2\nregion = x\n[plain]\nregion = no\n[services local]\nsts =\n  endpoint_url = http://127.0.0.1:1\n",
        "[p]\nregion = y\naws_access_key_id = AKIA\naws_secret_access_key = a#b\"c\n",
    )
    .unwrap();
    let text = |profile: &str, key: &str| profiles.get(profile).and_then(|p| p.text(key)).map(str::to_owned);
    assert_eq!(text("default", "region").unwrap(), "us-east-1 # not a comment");
    assert_eq!(text("two words", "region").unwrap(), "\"eu-west-1\"");
    assert_eq!(text("p", "role_arn").unwrap(), "a=b:c");
    assert_eq!(text("p", "s3").unwrap(), "max = 2");
    assert_eq!(text("p", "region").unwrap(), "y", "the credentials file wins");
    assert_eq!(profiles.get("p").unwrap().secret("aws_secret_access_key").unwrap().expose(), "a#b\"c");
    assert!(profiles.get("plain").is_none(), "[plain] in the config file is no profile");
    assert_eq!(profiles.names(), ["default", "p", "two words"]);
    assert_eq!(profiles.get("p").unwrap().origin("role_arn").line, 7);
    assert_eq!(profiles.endpoint_of_services("local", "sts"), Some("http://127.0.0.1:1"));
}

/// Returns all keys of a profile, with the lines of each value separated by `|`.
fn shown(profiles: &Profiles, name: &str) -> String {
    let settings = profiles.get(name).map(|profile| profile.settings()).unwrap_or_default();
    let pairs = settings.iter().map(|(key, value)| match value {
        Setting::Text(text) => format!("{key}={}", text.replace('\n', "|")),
        Setting::Nested(settings) => format!("{key}={settings:?}"),
    });
    pairs.collect::<Vec<_>>().join(" ")
}

#[test]
fn parses_values_as_configparser_does() {
    for (config, expected) in [
        // Continuation lines with a comment and an empty line between them, and an empty line at the end.
        ("[default]\na = 1\n  2\n  # no\n\n\t3\n\nb = 4\n", "a=1|2||3 b=4"),
        ("[default]\na =\n\n  x = 1\n   y=2\n", "a={\"x\": \"1\", \"y\": \"2\"}"),
        // An indented key that doesn't continue a value, followed by a less indented key.
        ("[default]\n  a = 1\nb = 2\n", "a=1 b=2"),
        ("  [default]\n a = 1\n b = 2\n", "a=1 b=2"),
        // Indentation is counted in characters.
        ("[default]\n\u{a0}a = 1\n  b = 2\n", "a=1|b = 2"),
        // Line ends, white space and case are those of Python.
        ("[default]\ra = 1\r\n\r\nb\t:\x1f2\x1c\n", "a=1 b=2"),
        ("[default]\nÄ = 1\n", "ä=1"),
        ("[default]\n[] = 1\n[b = 2\n", "[]=1 [b=2"),
        ("[x]\na = 1\n[default]\na = 2", "a=2"),
        // `[DEFAULT]` may be anywhere and occur more than once.
        ("[default]\na = 1\n[DEFAULT]\na = 2\nb = 3\n[DEFAULT]\nc = 4\n", "a=1 b=3 c=4"),
        ("[DEFAULT]\na = 2\n", ""),
        // Of two headers with the same meaning, the later one is used.
        ("[default]\na = 1\n[profile default]\nb = 2\n", "b=2"),
        ("", ""),
    ] {
        match load(config, "") {
            Ok(profiles) => assert_eq!(shown(&profiles, "default"), expected, "{config:?}"),
            Err(problem) => panic!("{config:?}: {problem}"),
        }
    }
}

#[test]
fn default_section_applies_to_its_own_file_only() {
    let profiles = load(
        "[DEFAULT]\nregion = x\noutput = json\n[profile a]\nregion = y\n[profile b]\n",
        "[DEFAULT]\nregion = z\n[a]\naws_access_key_id = AKIA\n",
    )
    .unwrap();
    assert_eq!(shown(&profiles, "a"), "aws_access_key_id=AKIA output=json region=z");
    assert_eq!(shown(&profiles, "b"), "output=json region=x");
    assert_eq!(profiles.names(), ["a", "b"]);
    let a = profiles.get("a").unwrap();
    assert!(a.inherits("region") && a.inherits("output") && !a.inherits("aws_access_key_id") && !a.inherits("x"));
    assert_eq!(a.origin("region").line, 2);
}

#[test]
fn session_token_is_from_the_same_file_and_prefers_the_older_name() {
    let of = |config: &str, credentials: &str| {
        let profiles = load(config, credentials).unwrap();
        let a = profiles.get("a").unwrap();
        let file = a.in_credentials_file().filter(|file| file.has_static_keys()).or(a.in_config_file()).unwrap();
        (file.text("aws_access_key_id").map(str::to_owned), file.session_token().map(|token| token.expose().to_owned()))
    };
    let pair = |id: &str, token: Option<&str>| (Some(id.to_owned()), token.map(str::to_owned));
    assert_eq!(of("[profile a]\naws_access_key_id = AKIA1\n", "[a]\naws_session_token = t\n"), pair("AKIA1", None));
    assert_eq!(of("[profile a]\naws_session_token = t\n", "[a]\naws_access_key_id = AKIA2\n"), pair("AKIA2", None));
    let both = "[a]\naws_access_key_id = ASIA3\naws_session_token = new\naws_security_token = old\n";
    assert_eq!(of("", both), pair("ASIA3", Some("old")));
    assert_eq!(of("", &both.replace("= old", "=")), pair("ASIA3", None));
}

#[test]
fn later_setting_of_a_service_takes_precedence() {
    let profiles = load(
        "[services a]\nsts =\n  endpoint_url = http://1\n  endpoint_url=http://2\niam = endpoint_url = http://3\n",
        "",
    );
    let profiles = profiles.unwrap();
    assert_eq!(profiles.endpoint_of_services("a", "sts"), Some("http://2"));
    assert_eq!(profiles.endpoint_of_services("a", "iam"), None);
}

#[test]
fn reports_the_line_that_can_not_be_parsed() {
    for (config, expected) in [
        ("region = x\n", ":1: something precedes the first [section]"),
        ("[default]\nnonsense\n", ":2: neither"),
        ("[default]\na = 1\nA = 2\n", ":3: `a` is already on line 2"),
        ("[default]\n\n[default]\n", ":3: [default] is already on line 1"),
        ("[]\n", ":1: something precedes the first [section]"),
        ("[default]\n[]\n", ":2: a section needs a name"),
        ("\u{feff}[default]\na = 1\n", ":1: the file begins with a byte order mark"),
        ("[default]\n= 1\n", ":2: a value without a key"),
        ("[default]\ra = 1\r\nb\r", ":3: neither"),
        // The error is reported even in sections that aren't used.
        ("[plugins]\na = 1\na : 2\n", ":3: `a` is already on line 2"),
        ("[plugins]\na =\n  b = 1\n\n  c\n", ":5: a setting below an empty value needs a `=`"),
        ("[default]\nsource_profile =\n  jump\n", ":3: a setting below an empty value needs a `=`"),
        ("[default]\na =\n  b = 1\x0bc\n", ":3: a setting below an empty value needs a `=`"),
        ("[DEFAULT]\na = 1\n[default]\n[DEFAULT]\na = 2\n", ":5: `a` is already on line 2"),
        ("[DEFAULT]\na =\n  b\n[default]\n", ":3: a setting below an empty value needs a `=`"),
    ] {
        let problem = load(config, "").err().unwrap();
        assert!(problem.summary.contains(&format!(".aws/config{expected}")), "{config:?}: {problem}");
    }
    // Errors in sections that no other section inherits are ignored.
    for config in ["[DEFAULT]\na =\n  b\n", "[DEFAULT]\na =\n  b\n[default]\na = 1\n"] {
        assert!(load(config, "").is_ok(), "{config:?}");
    }
}

#[test]
fn warns_about_suspicious_lines_with_their_location() {
    let profiles = load(
        "[profile two words]\n[profile \"x]\n[sso-session]\n[plain]\n[profile a]\nregion = \"us-east-1\"\n  role_arn = x\n  [profile b]\ns3 =\n  region = 1\noutput = json # no\n[profile 'a']\nsource_profile = 'c'\ncredential_process = 'a b' # fine'\n",
        "[profile dev]\naws_secret_access_key = 'canary'\n",
    )
    .unwrap();
    let warnings: Vec<String> = profiles.warnings().iter().map(|w| format!("{}: {}", w.at.line, w.text)).collect();
    for (said, expected) in warnings.iter().zip([
        "1: [profile two words] names nothing, so the AWS CLI ignores the section: write `[profile \"two words\"]`",
        "2: [profile \"x] has an unclosed quote",
        "3: [sso-session] has no name",
        "7: `role_arn` is indented deeper than `region`",
        "8: `[profile b]` is indented",
        "11: the comment is part of `output`",
        "12: [profile 'a'] means the same as line 5",
        "13: the quotes are part of `source_profile`",
        "2: the quotes are part of `aws_secret_access_key`",
        "1: [profile dev] is a profile named `profile dev`",
    ]) {
        assert!(said.starts_with(expected), "{said}\n{expected}");
    }
    assert_eq!(warnings.len(), 10, "{warnings:#?}");
    assert!(!warnings.join("").contains("canary"));
    let about: Vec<usize> = profiles.warnings_about("a").iter().map(|warning| warning.at.line).collect();
    assert_eq!(about, [13]);
    for (name, expected) in [
        ("two words", "must be `[profile \"two words\"]`"),
        ("plain", "must be `[profile plain]`"),
        ("dev", "[profile dev] must be `[dev]` in this file"),
        ("b", "`[profile b]` is indented"),
    ] {
        assert!(profiles.almost(name).unwrap().text.contains(expected), "{name}");
    }
    assert!(profiles.almost("a").is_none() && profiles.almost("nobody").is_none());
}

#[test]
fn reads_files_from_the_configured_paths() {
    let (_home, mut context) = home("[profile usual]\n", "");
    let elsewhere = context.paths.home.join("a b/elsewhere");
    crate::base::files::write_private(&elsewhere, b"[profile other]\n").unwrap();
    std::os::unix::fs::symlink("/dev/null", context.paths.home.join("null")).unwrap();
    context.env.0.insert("HERE".into(), elsewhere.parent().unwrap().into());
    for (path, expected) in [
        ("$HERE/elsewhere", &["other"][..]),
        ("${HERE}/elsewhere", &["other"]),
        ("~/a b/elsewhere", &["other"]),
        ("$NOWHERE/elsewhere", &[]),
        ("$HERE/elsewhere/below", &[]),
        ("/dev/null", &[]),
        ("~/null", &[]),
        ("", &[]),
    ] {
        context.env.0.insert("AWS_CONFIG_FILE".into(), path.into());
        let profiles = Profiles::load(&context).unwrap_or_else(|problem| panic!("{path}: {problem}"));
        assert_eq!(profiles.names(), expected, "{path}");
    }
    context.env.0.insert("AWS_CONFIG_FILE".into(), "/dev/zero".into());
    assert!(Profiles::load(&context).is_err(), "only the null device is an empty file");
}

#[test]
fn names_an_unreadable_file() {
    let (_home, context) = home("", "");
    std::fs::remove_file(context.paths.home.join(".aws/config")).unwrap();
    std::fs::create_dir(context.paths.home.join(".aws/config")).unwrap();
    let problem = Profiles::load(&context).err().unwrap();
    assert!(problem.summary.ends_with(".aws/config can't be read"), "{problem}");
}
