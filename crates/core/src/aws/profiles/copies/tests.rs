use super::*;
use crate::aws::profiles::tests::home;

const MADE: &str = "# Made.\n[default]\ncredential_process = p\n";
const OPTIONS: CopyOptions<'_> =
    CopyOptions { comment: "Made.", default: "p", roles: &[], others: OtherProfiles::Unchanged };

fn copies(config: &str, credentials: &str) -> [String; 2] {
    let (_home, context) = home(config, credentials);
    Profiles::load(&context).unwrap().copies(&OPTIONS).map(|text| {
        let rest = text.strip_prefix(MADE).unwrap_or_else(|| panic!("{}", *text));
        assert!(!rest.contains("[default]") && !rest.contains("credential_process = p\n"), "{rest}");
        rest.to_owned()
    })
}

#[test]
fn default_profile_keeps_settings_but_not_its_identity() {
    let [config, credentials] = copies(
        "[default]\nregion = x\nROLE_ARN = a\nsource_profile=jump\ns3 =\n  max = 2\n  # old\n  Style=path\ncli_pager =\n[profile jump]\nregion = y",
        "# mine\n[default]\naws_access_key_id = AKIA\naws_secret_access_key: s\n[jump]\naws_access_key_id = AKIA2\naws_secret_access_key = s2\n",
    );
    assert_eq!(config, "region = x\ns3 =\n  max = 2\n  Style = path\ncli_pager = \n[profile jump]\nregion = y\n");
    assert_eq!(credentials, "[jump]\naws_access_key_id = AKIA2\naws_secret_access_key = s2\n");
}

#[test]
fn adds_a_missing_default_profile() {
    assert_eq!(copies("[profile \"default\"]\nsso_session = x", ""), ["", ""]);
    assert_eq!(copies("", "[a]\nregion = x\n"), ["", "[a]\nregion = x\n"]);
}

#[test]
fn leaves_out_sections_that_a_client_could_take_for_the_default_profile() {
    let keys = "aws_access_key_id = AKIA\naws_secret_access_key = canary\n";
    for name in [
        "DEFAULT",
        "Default",
        " default ",
        "profile default",
        "profile  default",
        "Profile default",
        "'default'",
        "awsrole-outside",
    ] {
        assert_eq!(copies("", &format!("[{name}]\n{keys}")), ["", ""], "{name}");
    }
    for name in [
        "DEFAULT",
        "profile DEFAULT",
        "profile Default",
        " default ",
        "Default",
        "profile awsrole-outside",
        "x",
        "profile\tdefault",
    ] {
        assert_eq!(copies(&format!("[{name}]\n{keys}"), ""), ["", ""], "{name}");
    }
}

#[test]
fn copies_contain_only_settings() {
    let nested =
        "[profile x]\ns3 =\n  [default] = x\n  aws_access_key_id = AKIA\n  AWS_Secret_Access_Key = canary\n  max = 2\n";
    assert_eq!(copies(nested, "")[0], "[profile x]\ns3 =\n  max = 2\n");
    let continued = "[profile x]\noutput = json\n  [default]\n  aws_access_key_id = AKIA\nregion = x\n";
    assert_eq!(copies(continued, "")[0], "[profile x]\nregion = x\n");
    assert_eq!(copies("[profile x]\ns3 =\n  [default] = x\n  aws_session_token = t\n", "")[0], "[profile x]\n");
    assert_eq!(copies("[profile x]\na b = c\n[d = e\n", "")[0], "[profile x]\n");
}

#[test]
fn keeps_other_profiles_and_sections() {
    let config = "\
[plugins]
cli_legacy_plugin_path = /x
[profile \"two words\"]
role_arn = r
source_profile = jump
mfa_serial = m
[services local]
sts =
  endpoint_url = http://127.0.0.1:1
[sso-session corp]
sso_start_url = https://x/#/
";
    assert_eq!(copies(config, "")[0], config);
}

#[test]
fn keeps_inherited_settings_but_not_the_default_profiles_keys() {
    let keys = "aws_access_key_id = AKIA\naws_secret_access_key = s\n";
    let [config, credentials] = copies(
        "[DEFAULT]\nregion = x\noutput = json\n[default]\n[profile a]\noutput = text\n",
        &format!("[DEFAULT]\n{keys}[a]\n[default]\n"),
    );
    assert_eq!(config, "region = x\noutput = json\n[profile a]\noutput = text\nregion = x\n");
    assert_eq!(credentials, format!("[a]\n{keys}"));
}

#[test]
fn joins_a_command_on_several_lines() {
    let [config, _] = copies("[profile a]\ncredential_process = cat\n\n  # mine\n  keys.json\noutput = a\n  b\n", "");
    assert_eq!(config, "[profile a]\ncredential_process = cat  keys.json\n");
}

#[test]
fn leaves_out_keys_that_no_client_uses() {
    let keys = "aws_access_key_id = AKIA\naws_secret_access_key = s\naws_session_token = t\n";
    for other in ["sso_account_id = 1", "sso_role_name = Dev", "web_identity_token_file = /x"] {
        let [config, credentials] = copies(&format!("[profile a]\n{other}\n"), &format!("[a]\n{keys}"));
        assert_eq!((config, credentials), (format!("[profile a]\n{other}\n"), "[a]\n".to_owned()));
    }
    for other in ["credential_process = x", "login_session = y"] {
        let [config, credentials] = copies(&format!("[profile a]\n{keys}{other}\n"), "");
        assert_eq!((config, credentials), (format!("[profile a]\n{other}\n"), String::new()));
        assert_eq!(copies(&format!("[profile a]\n{other}\n"), &format!("[a]\n{keys}"))[1], format!("[a]\n{keys}"));
    }
    let half = "[a]\naws_access_key_id = AKIA\n";
    assert_eq!(copies("", half)[1], "[a]\n");
    let twice = copies(&format!("[profile a]\n{keys}"), &format!("[a]\n{keys}"));
    assert_eq!(twice, ["[profile a]\n".to_owned(), format!("[a]\n{keys}")]);
}

#[test]
fn only_commands_leaves_no_profile_its_identity() {
    let identities = [
        "aws_access_key_id = AKIA\naws_secret_access_key = canary\n",
        "aws_access_key_id = AKIA\n",
        "credential_process = canary\n",
        "credential_process = canary\n  canary\n",
        "role_arn = canary\nsource_profile = jump\nmfa_serial = canary\n",
        "role_arn = canary\nsource_profile = default\n",
        "role_arn = canary\ncredential_source = Environment\n",
        "role_arn = canary\nweb_identity_token_file = canary\n",
        "login_session = canary\n",
        "sso_session = corp\nsso_account_id = canary\nsso_role_name = canary\n",
        "Credential_Process = canary\n",
    ];
    let own = |name: &str| (name != "no command").then(|| format!("awsrole {name}"));
    let options = CopyOptions { others: OtherProfiles::OnlyCommands(&own), ..OPTIONS };
    let copies = |config: &str, credentials: &str| {
        let (_home, context) = home(config, credentials);
        Profiles::load(&context).unwrap().copies(&options).map(|text| text.strip_prefix(MADE).unwrap().to_owned())
    };
    for identity in identities {
        let profile = |header: &str| format!("[{header}]\nregion = x\n{identity}output = json\n");
        let written = |header: &str, command: &str| {
            format!("[{header}]\nregion = x\noutput = json\n{command}").replace("\n\n", "\n")
        };
        let expected = |start: &str| {
            written(&format!("{start}a"), "credential_process = awsrole a\n")
                + &written(&format!("{start}no command"), "")
        };
        let [config, _] = copies(&(profile("profile a") + &profile("profile \"no command\"")), "");
        assert_eq!(config.replace('"', ""), expected("profile "), "{identity}");
        let [_, credentials] = copies("", &(profile("a") + &profile("no command")));
        assert_eq!(credentials, expected(""), "{identity}");
        // In a section of another kind, and inherited.
        let others = format!("[plugins]\n{identity}[sso-session corp]\n{identity}[services local]\n{identity}");
        let [config, _] = copies(&format!("[DEFAULT]\n{identity}[profile a]\n{others}"), "");
        let sections = config.split_once("[plugins]").unwrap();
        assert_eq!(sections.0, "[profile a]\ncredential_process = awsrole a\n", "{identity}");
        let sso = if identity.starts_with("sso_") { identity } else { "" };
        assert_eq!(sections.1, format!("\n[sso-session corp]\n{sso}[services local]\n"), "{identity}");
    }
    let plain = "[profile a]\nregion = x\n[sso-session corp]\nsso_start_url = https://x\nsso_region = y\n";
    assert_eq!(copies(plain, "")[0], plain);
}

#[test]
fn keeps_the_default_profile_as_a_source_profile() {
    for source in ["source_profile = default", "SOURCE_PROFILE=default"] {
        let [config, credentials] = copies(
            &format!("[default]\nregion = x\n[profile a]\nrole_arn = r\n{source}\n"),
            "[default]\naws_access_key_id = AKIA\naws_secret_access_key = s\n",
        );
        let a = "[profile a]\nrole_arn = r\nsource_profile = awsrole-outside\n";
        let expected = format!("region = x\n{a}[profile awsrole-outside]\nregion = x\n");
        assert_eq!(config, expected);
        assert_eq!(credentials, "[awsrole-outside]\naws_access_key_id = AKIA\naws_secret_access_key = s\n");
    }
}

#[test]
fn keeps_a_default_profile_that_is_its_own_source() {
    let text = "role_arn = r\nsource_profile = default\naws_access_key_id = AKIA\naws_secret_access_key = s\n";
    let [config, _] = copies(&format!("[default]\n{text}[profile a]\nrole_arn = r\nsource_profile = default\n"), "");
    assert!(
        config.ends_with(&format!("[profile awsrole-outside]\n{}", text.replace("default", ORIGINAL_DEFAULT))),
        "{config}"
    );
}

#[test]
fn copies_fit_the_allocated_capacity() {
    let dense = "[b]\n".to_owned() + &(0..50).map(|number| format!("a{number}=\n b=c\n d=e\n")).collect::<String>();
    let (_home, context) = home(&dense.replace("[b]", "[profile b]"), &dense);
    let profiles = Profiles::load(&context).unwrap();
    for (text, file) in profiles.copies(&OPTIONS).iter().zip([&profiles.config, &profiles.credentials]) {
        assert_eq!(text.capacity(), 4 * file.text.len() + 1 + 1024, "a growing buffer leaves copies of secrets behind");
    }
}
