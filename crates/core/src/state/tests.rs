//! What is taken back, and what a person changed.

use std::time::{Duration, SystemTime};

use super::*;
use crate::credentials::tests::credentials;

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
