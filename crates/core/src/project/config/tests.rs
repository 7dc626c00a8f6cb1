//! Tests of valid and invalid files.

use super::*;
use crate::aws::arn::RoleArn;
use crate::aws::parameters::{ExternalId, Region};

fn parse(text: &str) -> Result<Config, Problem> {
    Config::parse(&ConfigFile {
        path: "/p/.awsrole.toml".into(),
        place: "/p/.awsrole.toml".into(),
        canonical: "/p/.awsrole.toml".into(),
        owner: None,
        text: text.into(),
    })
}

/// Parses a valid file, for tests of other modules.
pub(crate) fn config(text: &str) -> Config {
    parse(text).unwrap()
}

#[test]
fn parses_every_key() {
    let config = parse(
        r#"
        profile = "p"
        role_arn = "arn:aws:iam::222222222222:role/R"
        source_profile = "s"
        source_role = "dev"
        credential_source = "Environment"
        sso_session = "corp"
        sso_account_id = "222222222222"
        sso_role_name = "Admin"
        mfa_serial = "GAHT12345678"
        external_id = "e1"
        role_session_name = "n1"
        source_identity = "i1"
        duration_seconds = "1h 30m"
        session_tags = { team = "a" }
        transitive_session_tags = ["team"]
        policy = { Version = "2012-10-17", Statement = [{ Effect = "Deny" }] }
        policy_arns = ["x"]
        preset = "read-only"
        region = "eu-west-1"
        account_id = "222222222222"
        manual = true
        confirm = true
        elevate = "dev"
        [role.dev]
        expires_after = "30m"
        confirm = "account"
        "#,
    )
    .unwrap();
    let (name, keys) = config.select(None).unwrap();
    assert_eq!(name, None);
    assert_eq!(keys.duration_seconds.as_ref().map(|seconds| seconds.count), Some(5400));
    assert_eq!(keys.policy.as_ref().unwrap().json(), r#"{"Statement":[{"Effect":"Deny"}],"Version":"2012-10-17"}"#);
    assert_eq!((keys.confirm, keys.elevate.as_deref()), (Some(Confirm::Yes), Some("dev")));
    for key in RoleConfig::NAMES {
        assert!(config.origin(Some("dev"), key).line > 1, "{key}");
    }
    let dev = config.select(Some("dev")).unwrap().1;
    assert_eq!(dev.confirm, Some(Confirm::Account));
    assert_eq!(dev.expires_after.map(|time| time.duration().as_secs()), Some(1800));
}

#[test]
fn guards_that_cannot_hold_are_errors_with_their_line() {
    let role = "[role.dev]\nprofile = \"dev\"\n";
    for (text, expected) in [
        (format!("elevate = \"admn\"\n{role}[role.admin]\n"), ":1: there is no [role.admn]"),
        (format!("{role}elevate = \"admin\"\n"), ":3: there is no [role.admin]"),
        (format!("{role}source_role = \"bse\"\n[role.base]\n"), ":3: there is no [role.bse]"),
        (format!("{role}elevate = true\n"), ":3: `elevate` must be a string, but is the boolean `true`"),
        (format!("expires_after = \"30m\"\n{role}"), ":1: `expires_after` belongs in a role's table"),
        (format!("default_role = \"dev\"\n{role}expires_after = 1800\n"), ":4: the default role can't have"),
        (format!("{role}expires_after = \"119s\"\n"), ":3: expires_after `119s` isn't between 2m and 12h"),
        (format!("{role}expires_after = \"12h 1s\"\n"), ":3: expires_after `12h 1s` isn't between 2m and 12h"),
        (format!("{role}expires_after = \"soon\"\n"), ":3: expires_after `soon` isn't a duration"),
        (format!("{role}confirm = \"accounts\"\n"), ":3: confirm `accounts` isn't a confirmation"),
        (format!("{role}confirm = \"true\"\n"), ":3: confirm `true` isn't a confirmation"),
        (format!("{role}confirm = 1\n"), ":3: `confirm` must be true, false or \"account\", but is the integer `1`"),
    ] {
        let problem = parse(&text).err().unwrap_or_else(|| panic!("{text}"));
        assert!(problem.summary.contains(&format!(".awsrole.toml{expected}")), "{problem}\n{text}");
    }
    // The names of an inheriting file may be those of the file above.
    let near = parse("inherit = true\nelevate = \"admin\"\n[role.dev]\nexpires_after = \"30m\"").unwrap();
    let far = |default: &str| parse(&format!("default_role = \"{default}\"\n[role.admin]\n[role.dev]\n")).unwrap();
    assert!(near.clone().merged_over(far("admin")).check_references().is_ok());
    let problem = near.merged_over(far("dev")).check_references().err().unwrap();
    assert!(problem.summary.contains(":4: the default role can't have"), "{problem}");
}

#[test]
fn role_overrides_top_level_and_file_overrides_the_next() {
    let near = parse("inherit = true\nregion = \"a\"\n[role.dev]\nprofile = \"near\"").unwrap();
    let far = parse(
        "default_role = \"dev\"\nregion = \"b\"\nexternal_id = \"x1\"\n[role.dev]\nprofile = \"far\"\nrole_arn = \"arn:aws:iam::222222222222:role/R\"",
    )
    .unwrap();
    let merged = near.merged_over(far);
    let (name, keys) = merged.select(None).unwrap();
    assert_eq!(name.as_deref(), Some("dev"));
    assert_eq!(keys.profile.as_deref(), Some("near"));
    assert_eq!(keys.role_arn.as_ref().map(RoleArn::as_str), Some("arn:aws:iam::222222222222:role/R"));
    assert_eq!(keys.region.as_ref().map(Region::as_str), Some("a"));
    assert_eq!(keys.external_id.as_ref().map(ExternalId::as_str), Some("x1"));
}

#[test]
fn reports_invalid_input_with_line_and_hint() {
    for (text, summary, hint) in [
        ("region = \"a\"\nregoin = \"b\"", ":2: unknown key `regoin`", "did you mean `region`?"),
        ("[role.dev]\nprofil = \"b\"", ":2: unknown key `profil`", "did you mean `profile`?"),
        ("zzzzzz = 1", ":1: unknown key `zzzzzz`", "the keys are:"),
        (
            "\naccount_id = 222222222222",
            ":2: `account_id` must be a string, but is the integer `222222222222`",
            "quotes",
        ),
        ("duration_seconds = \"soon\"", ":1: duration_seconds `soon` isn't a duration", ""),
        ("duration_seconds = -1", ":1: duration_seconds `-1` isn't a duration", ""),
        ("\naccount_id = \"2222\"", ":2: account_id `2222` must be the 12 digits", ""),
        ("[role.x]\nregion = \"a\"\nrole_arn = \"deploy\"", ":3: role_arn `deploy` must look like", ""),
        ("external_id = \"\"\nregion = \"a\"", ":1: external_id `` must have 2–1224", ""),
        ("a = ", ":1: ", ""),
        ("x\n\n[role", ":1: ", ""),
        (
            "credential_process = \"rm\"",
            ":1: `credential_process` isn't allowed in a project's file: it runs a command",
            "~/.aws/config",
        ),
        ("[role.x]\nendpoint_url = \"rm\"", ":2: `endpoint_url` isn't allowed", "~/.aws/config"),
        (
            "[role.x]\nprotect = true",
            ":2: `protect` isn't allowed in a project's file: it is a setting of the user",
            "set it in your config.toml, in [accounts.ID]",
        ),
        ("mfa_process = \"x\"", ":1: `mfa_process` isn't allowed", "set it in your config.toml"),
        ("[role.x]\ninherit = true", ":2: `inherit` belongs to the top", ""),
        (
            "[role.x]\nsso_start_url = \"https://x.example.com\"",
            ":2: `sso_start_url` isn't allowed in a project's file: it configures your sign-in",
            "`awsrole login --start-url URL --region REGION NAME`",
        ),
        ("sso_region = \"eu-west-1\"", ":1: `sso_region` isn't allowed", "~/.aws/config"),
        ("sso_account_id = \"shop\"", ":1: sso_account_id `shop` must be the 12 digits", ""),
        ("sso_role_name = \"a b\"", ":1: sso_role_name `a b` contains a space", ""),
        ("inherit = \"yes\"", ":1: `inherit` must be a boolean, but is the string \"yes\"", ""),
        ("default_role = \"prod\"\n[role.dev]\n", ":1: there is no [role.prod]", "the roles here are: dev"),
        ("role = 1", ":1: `role` is a table", ""),
        ("[role]\ndev = 1", ":2: `dev` belongs in a role's table", ""),
        ("[role.\"\"]\n", ":1: a role's name", ""),
        ("region = \"a\"\nregion = \"b\"", ":2: `region` is defined twice, first in line 1", ""),
    ] {
        let problem = parse(text).unwrap_err();
        assert!(problem.summary.contains(summary), "{text}: {problem}");
        assert!(problem.hints.join("").contains(hint), "{text}: {problem}");
    }
}

#[test]
fn an_unknown_name_that_is_not_of_the_file_has_no_line() {
    let role = "[role.prod]\nprofile = \"prod\"\n";
    for text in [role.to_owned(), format!("default_role = \"prod\"\n{role}")] {
        let config = parse(&text).unwrap();
        let problem = config.select(Some("prd")).err().unwrap();
        assert_eq!(problem.summary, format!("there is no [role.prd] in {}", config.file.display()));
        assert_eq!(problem.hints, ["did you mean `prod`?"]);
    }
}
