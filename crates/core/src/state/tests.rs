//! What is taken back, and what a person changed.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use super::*;
use crate::credentials::tests::credentials;
use crate::shell::Shell;

fn env(pairs: &[(&str, &str)]) -> Env {
    Env(pairs.iter().map(|(k, v)| (OsString::from(k), OsString::from(v))).collect())
}

fn inside(outer: &Env) -> Env {
    let credentials = credentials(SystemTime::UNIX_EPOCH + Duration::from_secs(1000), 900);
    let settings = [("AWS_REGION", "eu-west-1".to_owned()), ("AWS_DEFAULT_REGION", "eu-west-1".to_owned())];
    let state = State::of_role("Deploy", None, "222222222222", "/p/.awsrole.toml", &credentials, &settings, outer);
    assert!(!state.to_text().contains("canary"));
    let mut inside = outer.clone();
    inside.0.retain(|name, _| !HIDDEN.contains(&name.to_str().unwrap()));
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", "ASIAEXAMPLEEXAMPLE00"),
        ("AWS_SECRET_ACCESS_KEY", "canary-secret"),
        ("AWS_SESSION_TOKEN", "canary-token"),
        ("AWS_CREDENTIAL_EXPIRATION", "1970-01-01T00:31:40Z"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWSROLE_ROLE", "Deploy"),
        ("AWSROLE_ACCOUNT_ID", "222222222222"),
        (NAME, &state.to_text()),
    ] {
        inside.0.insert(name.into(), value.into());
    }
    inside
}

#[test]
fn the_outer_environment_comes_back_as_far_as_it_is_no_secret() {
    let before = env(&[("PATH", "/bin"), ("AWS_PROFILE", "base"), ("AWS_REGION", "us-west-2")]);
    let outer = Outer::of(&inside(&before));
    assert!(outer.env == before);
    assert_eq!(outer.role.unwrap().role, "Deploy");
    assert!(outer.adopt.contains(&("AWS_PROFILE".into(), Some("base".into()))));
    assert!(outer.adopt.contains(&("AWS_SECRET_ACCESS_KEY".into(), None)));
}

#[test]
fn what_a_person_changed_stays() {
    let mut changed = inside(&env(&[("AWS_REGION", "us-west-2")]));
    changed.0.insert("AWS_REGION".into(), "by-hand".into());
    assert_eq!(Outer::of(&changed).env.text("AWS_REGION"), Some("by-hand"));
    changed.0.insert("AWS_ACCESS_KEY_ID".into(), "AKIAMINE".into());
    let outer = Outer::of(&changed);
    assert_eq!(outer.env.text("AWS_ACCESS_KEY_ID"), Some("AKIAMINE"));
    assert_eq!(outer.env.text("AWS_SECRET_ACCESS_KEY"), Some("canary-secret"), "one unit");
    assert!(outer.role.is_none());
}

#[test]
fn placeholders_of_a_closed_directory_are_dropped() {
    let closed = env(&[(NAME, "closed"), ("AWS_PROFILE", NO_ROLE), ("AWS_ACCESS_KEY_ID", NO_ROLE), ("A", "b")]);
    assert!(Outer::of(&closed).env == env(&[("A", "b")]));
}

/// A closed shell, outside of which were a profile, a container's address, and names that only a forger exports.
fn closed(by_hand: &[(&str, &str)]) -> Env {
    let mut closed = env(&[
        (NAME, CLOSED),
        ("AWS_PROFILE", NO_ROLE),
        ("AWS_ACCESS_KEY_ID", NO_ROLE),
        ("AWS_SECRET_ACCESS_KEY", NO_ROLE),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWSROLE_PRIOR_AWS_PROFILE", "staging"),
        ("AWSROLE_PRIOR_AWS_DEFAULT_PROFILE", "base"),
        ("AWSROLE_PRIOR_AWS_EC2_METADATA_DISABLED", "false"),
        ("AWSROLE_PRIOR_AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://x"),
        ("AWSROLE_PRIOR_AWS_ROLE_ARN", NO_ROLE),
        ("AWSROLE_PRIOR_AWS_SECRET_ACCESS_KEY", "forged"),
        ("AWSROLE_PRIOR_PATH", "/forged"),
    ]);
    closed.0.extend(env(by_hand).0);
    closed
}

fn of(env: &Env) -> Env {
    let mut outer = Outer::of(env).env;
    outer.0.retain(|name, _| name != "AWSROLE_PRIOR_PATH" && name != "AWSROLE_PRIOR_AWS_SECRET_ACCESS_KEY");
    outer
}

#[test]
fn what_a_closed_shell_exports_of_outside_comes_back_and_no_other_name() {
    let always = [("AWS_EC2_METADATA_DISABLED", "false"), ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://x")];
    let with = |more: &[(&str, &str)]| env(&[always.as_slice(), more].concat());
    let outside = with(&[("AWS_PROFILE", "staging"), ("AWS_DEFAULT_PROFILE", "base")]);
    assert!(of(&closed(&[])) == outside);
    let adopted = Outer::of(&closed(&[])).adopt;
    assert!(adopted.contains(&("AWS_PROFILE".into(), Some("staging".into()))));
    assert!(adopted.contains(&("AWSROLE_PRIOR_AWS_PROFILE".into(), None)));
    // A process that started anew for the SDK finds some of them given back already.
    let anew = Outer::of(&closed(&[])).for_the_sdk(&closed(&[])).unwrap();
    assert!(anew.text("AWS_CONTAINER_CREDENTIALS_FULL_URI") == Some("http://x") && of(&anew) == outside);
    let mine = [("AWS_PROFILE", "mine")];
    assert!(of(&closed(&mine)) == with(&mine), "no second profile beside the user's own");
    let mine = [("AWS_DEFAULT_PROFILE", "mine")];
    assert!(of(&closed(&mine)) == with(&mine), "no second profile beside the user's own");
    let mine = [("AWS_ACCESS_KEY_ID", "AKIAMINE"), ("AWS_SECRET_ACCESS_KEY", "mine")];
    assert!(of(&closed(&mine)) == with(&mine), "no profile beside the user's own keys");
    let mine = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://mine");
    assert_eq!(of(&closed(&[mine])).text(mine.0), Some(mine.1));
    for other in ["{", "closed "] {
        let outer = of(&closed(&[(NAME, other)]));
        assert!(outer.text("AWS_PROFILE") == Some(NO_ROLE) && !outer.has("AWSROLE_PRIOR_AWS_PROFILE"), "{other}");
    }
}

#[test]
fn what_was_chosen_holds_for_its_file_and_while_the_shell_is_closed() {
    let parent = |state: &str, profile: &str, chosen: &str| {
        env(&[
            (NAME, state),
            ("AWS_PROFILE", profile),
            ("AWS_ACCESS_KEY_ID", NO_ROLE),
            (CHOSEN, chosen),
            ("AWS_REGION", "eu-west-1"),
        ])
    };
    let of = |state, profile, chosen, file: &str| {
        let outer = Outer::of(&parent(state, profile, chosen));
        assert!(!outer.env.has(CHOSEN) && outer.adopt.contains(&(CHOSEN.into(), None)), "{state} {chosen}");
        outer.chosen(&[PathBuf::from(file), PathBuf::from("/.awsrole.toml")])
    };
    let file = "/p/.awsrole.toml";
    assert_eq!(of(CLOSED, NO_ROLE, "/p/.awsrole.toml=a=b", file), Some("a=b".to_owned()));
    for other in ["/.awsrole.toml", "/p/q/.awsrole.toml", "/p/.awsrole.tom"] {
        assert_eq!(of(CLOSED, NO_ROLE, "/p/.awsrole.toml=other", other), None, "{other}");
    }
    for forged in ["", "=", "other", "=other", "/p/.awsrole.toml", "/p/.awsrole.toml=", "/p/.awsrole.tomlother"] {
        assert_eq!(of(CLOSED, NO_ROLE, forged, file), None, "{forged}");
    }
    assert_eq!(of(CLOSED, "mine", "/p/.awsrole.toml=other", file), None, "changed by hand");
    assert_eq!(of("{", NO_ROLE, "/p/.awsrole.toml=other", file), None, "a state that isn't ours");
    let alone = Outer::of(&env(&[(CHOSEN, "/p/.awsrole.toml=other")]));
    assert_eq!(alone.chosen(&[PathBuf::from(file)]), None, "without a state");
}

#[test]
fn a_forged_state_restores_nothing() {
    for forged in [
        "",
        "{",
        "{\"v\":1}",
        "{\"v\":1,\"file\":\"\",\"role\":\"\",\"account\":\"\",\"key\":\"\",\"expires\":\"\",\"set\":{},\"prior\":{\"LD_PRELOAD\":\"x\"}}",
    ] {
        let outer = Outer::of(&env(&[(NAME, forged), ("A", "b")]));
        assert!(outer.env == env(&[("A", "b")]), "{forged}");
    }
}

/// A list of names as it stands in a snippet.
fn listed(shell: Shell, name: &str) -> BTreeSet<String> {
    let text = shell.snippet("", "", "", "").replace("\\\n", " ");
    let (before, end) =
        if shell == Shell::Fish { (format!("set -g {name} "), '\n') } else { (format!("{name}=("), ')') };
    let (_, list) = text.split_once(&before).unwrap();
    let names: Vec<String> = list.split(end).next().unwrap().split_whitespace().map(str::to_owned).collect();
    let set: BTreeSet<String> = names.iter().cloned().collect();
    assert_eq!(set.len(), names.len(), "a name stands twice in {name} of {}", shell.name());
    set
}

#[test]
fn the_snippets_have_the_names_that_stand_here() {
    let names = |lists: &[&[&str]]| -> BTreeSet<String> { lists.concat().into_iter().map(str::to_owned).collect() };
    let sets = names(&[&CLOSED_SET]);
    let closed = names(&[&KEYS, &HIDDEN, &["AWS_ACCOUNT_ID", CHOSEN], &RUN_HIDDEN, &TOLD, &CLOSED_SET]);
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let listed = |name: &str| listed(shell, name);
        assert_eq!(listed("__awsrole_keys"), names(&[&KEYS]), "{}", shell.name());
        assert_eq!(listed("__awsrole_profiles"), names(&[&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]]), "{}", shell.name());
        assert_eq!(listed("__awsrole_hidden_if_closed"), &closed - &sets, "{}", shell.name());
        assert_eq!(listed("__awsrole_open_if_closed"), names(&[&CLOSED_OPEN]), "{}", shell.name());
        // What is set beside them stands in the function that closes.
        let text = shell.snippet("", "", "", "");
        let [profile, key, secret, metadata] = CLOSED_SET;
        assert!(text.contains(&format!("for name in {profile} {key} {secret}")), "{}", shell.name());
        assert!(text.contains(&format!("__awsrole_set {metadata} true")), "{}", shell.name());
        assert!(
            text.contains(&format!(" {NO_ROLE}")) && text.contains(&format!("{NAME} {CLOSED}")),
            "{}",
            shell.name()
        );
        assert!(text.contains(PRIOR) && text.contains(&format!("__awsrole_set {CHOSEN} ")), "{}", shell.name());
    }
    assert!(names(&[&CLOSED_OPEN]).is_subset(&closed), "only what a closed shell changes comes back");
    let secret = |name: &&str| {
        name.contains("SECRET") || name.contains("KEY") || name.ends_with("TOKEN") || name.contains("BEARER")
    };
    assert!(!CLOSED_OPEN.iter().any(secret));
}
