//! Tests of [`OuterEnv::reconstruct`]: which variables are restored, and which manual changes are kept.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::*;
use crate::aws::credentials::tests::credentials;
use crate::aws::profiles::tests::home;
use crate::shell::choice::{Choices, Terms};

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

fn env(pairs: &[(&str, &str)]) -> Env {
    Env(pairs.iter().map(|(k, v)| (OsString::from(k), OsString::from(v))).collect())
}

fn inside(outer: &Env) -> Env {
    let credentials = credentials(SystemTime::UNIX_EPOCH + Duration::from_secs(1000), 900);
    let settings = ["AWS_REGION", "AWS_DEFAULT_REGION"].map(|name| (name.into(), "eu-west-1".to_owned()));
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
    let outer = OuterEnv::reconstruct(&inside(&before));
    assert!(outer.env == before);
    assert_eq!(outer.role.unwrap().role, "Deploy");
    assert!(outer.adopt.contains(&("AWS_PROFILE".into(), Some("base".into()))));
    assert!(outer.adopt.contains(&("AWS_SECRET_ACCESS_KEY".into(), None)));
}

#[test]
fn what_a_person_changed_stays() {
    let mut changed = inside(&env(&[("AWS_REGION", "us-west-2")]));
    changed.0.insert("AWS_REGION".into(), "by-hand".into());
    assert_eq!(OuterEnv::reconstruct(&changed).env.text("AWS_REGION"), Some("by-hand"));
    changed.0.insert("AWS_ACCESS_KEY_ID".into(), "AKIAMINE".into());
    let outer = OuterEnv::reconstruct(&changed);
    assert_eq!(outer.env.text("AWS_ACCESS_KEY_ID"), Some("AKIAMINE"));
    assert_eq!(outer.env.text("AWS_SECRET_ACCESS_KEY"), Some("canary-secret"), "one unit");
    assert!(outer.role.is_none());
}

#[test]
fn placeholders_of_a_blocked_directory_are_dropped() {
    let blocked = env(&[(NAME, "blocked"), ("AWS_PROFILE", NO_ROLE), ("AWS_ACCESS_KEY_ID", NO_ROLE), ("A", "b")]);
    assert!(OuterEnv::reconstruct(&blocked).env == env(&[("A", "b")]));
}

/// Returns the environment of a blocked shell. Its outer environment had a profile and a container's address. It also
/// contains names that only a forged environment has.
fn blocked(by_hand: &[(&str, &str)]) -> Env {
    let mut blocked = env(&[
        (NAME, BLOCKED),
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
    blocked.0.extend(env(by_hand).0.iter().map(|(name, value)| (name.clone(), value.clone())));
    blocked
}

fn of(env: &Env) -> Env {
    let mut outer = OuterEnv::reconstruct(env).env;
    outer.0.retain(|name, _| name != "AWSROLE_PRIOR_PATH" && name != "AWSROLE_PRIOR_AWS_SECRET_ACCESS_KEY");
    outer
}

#[test]
fn what_a_blocked_shell_exports_of_outside_comes_back_and_no_other_name() {
    let always = [("AWS_EC2_METADATA_DISABLED", "false"), ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://x")];
    let with = |more: &[(&str, &str)]| env(&[always.as_slice(), more].concat());
    let outside = with(&[("AWS_PROFILE", "staging"), ("AWS_DEFAULT_PROFILE", "base")]);
    assert!(of(&blocked(&[])) == outside);
    let adopted = OuterEnv::reconstruct(&blocked(&[])).adopt;
    assert!(adopted.contains(&("AWS_PROFILE".into(), Some("staging".into()))));
    assert!(adopted.contains(&("AWSROLE_PRIOR_AWS_PROFILE".into(), None)));
    // A process that executed itself again for the SDK finds some variables already restored.
    let anew = OuterEnv::reconstruct(&blocked(&[])).env_for_reexec(&blocked(&[])).unwrap();
    assert!(anew.text("AWS_CONTAINER_CREDENTIALS_FULL_URI") == Some("http://x") && of(&anew) == outside);
    let mine = [("AWS_PROFILE", "mine")];
    assert!(of(&blocked(&mine)) == with(&mine), "no second profile beside the user's own");
    let mine = [("AWS_DEFAULT_PROFILE", "mine")];
    assert!(of(&blocked(&mine)) == with(&mine), "no second profile beside the user's own");
    let mine = [("AWS_ACCESS_KEY_ID", "AKIAMINE"), ("AWS_SECRET_ACCESS_KEY", "mine")];
    assert!(of(&blocked(&mine)) == with(&mine), "no profile beside the user's own keys");
    let mine = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://mine");
    assert_eq!(of(&blocked(&[mine])).text(mine.0), Some(mine.1));
    for other in ["{", "blocked "] {
        let outer = of(&blocked(&[(NAME, other)]));
        assert!(outer.text("AWS_PROFILE") == Some(NO_ROLE) && !outer.has("AWSROLE_PRIOR_AWS_PROFILE"), "{other}");
    }
}

#[test]
fn what_was_chosen_holds_for_its_file_and_while_the_shell_is_blocked() {
    let (_home, context) = home("", "");
    let choices = Choices::of(&context.paths);
    let parent = |state: &str, profile: &str, chosen: &str| {
        env(&[
            (NAME, state),
            ("AWS_PROFILE", profile),
            ("AWS_ACCESS_KEY_ID", NO_ROLE),
            (CHOSEN, chosen),
            ("AWS_REGION", "eu-west-1"),
        ])
    };
    let of = |state, profile, chosen: &str, file: &str| {
        let outer = OuterEnv::reconstruct(&parent(state, profile, chosen));
        assert!(!outer.env.has(CHOSEN) && outer.adopt.contains(&(CHOSEN.into(), None)), "{state} {chosen}");
        outer.chosen(&[PathBuf::from(file), PathBuf::from("/.awsrole.toml")], &choices, NOW)
    };
    let file = "/p/.awsrole.toml";
    let word = choices.word(Path::new(file), "a=b", Terms::default()).unwrap();
    let chosen = format!("{file}={word}");
    assert_eq!(
        of(BLOCKED, NO_ROLE, &chosen, file),
        Chosen::Role { role: "a=b".into(), word: word.clone(), terms: Terms::default() }
    );
    for other in ["/.awsrole.toml", "/p/q/.awsrole.toml", "/p/.awsrole.tom"] {
        assert_eq!(of(BLOCKED, NO_ROLE, &chosen, other), Chosen::Nothing, "{other}");
        let moved = of(BLOCKED, NO_ROLE, &format!("{other}={word}"), other);
        assert_eq!(moved, Chosen::Unproven("a=b".into()), "a word is of one file: {other}");
    }
    for forged in ["", "=", "other", "=other", "/p/.awsrole.toml", "/p/.awsrole.toml=", "/p/.awsrole.tomlother"] {
        assert_eq!(of(BLOCKED, NO_ROLE, forged, file), Chosen::Nothing, "{forged}");
    }
    for forged in ["other", "a=b", &format!("{}=other", &word[..80]), &format!("{}=a=b", "0".repeat(80))] {
        let found = of(BLOCKED, NO_ROLE, &format!("{file}={forged}"), file);
        assert!(matches!(found, Chosen::Unproven(_)) && found.role().is_none(), "{forged}");
    }
    let huge = of(BLOCKED, NO_ROLE, &format!("{file}={}", "x".repeat(1 << 20)), file);
    assert!(matches!(huge, Chosen::Unproven(name) if name.len() < 2048));
    assert_eq!(of(BLOCKED, "mine", &chosen, file), Chosen::Nothing, "changed by hand");
    assert_eq!(of("{", NO_ROLE, &chosen, file), Chosen::Nothing, "a state that isn't ours");
    let alone = OuterEnv::reconstruct(&env(&[(CHOSEN, chosen.as_str())]));
    assert_eq!(alone.chosen(&[PathBuf::from(file)], &choices, NOW), Chosen::Nothing, "without a state");
}

#[test]
fn a_choice_in_the_state_of_a_role_needs_its_proof_as_well() {
    let (_home, context) = home("", "");
    let choices = Choices::of(&context.paths);
    let files = [PathBuf::from("/p/.awsrole.toml")];
    let word = choices.word(&files[0], "prod", Terms::default()).unwrap();
    let forged = format!("{}=prod", "0".repeat(80));
    for (chosen, role) in [(word.as_str(), Some("prod")), (&forged, None)] {
        let state = changed(|state| state["chosen"] = chosen.into());
        let outer = OuterEnv::reconstruct(&held(&state));
        assert!(outer.role.is_some(), "the role itself is held all the same");
        let found = outer.chosen(&files, &choices, NOW);
        assert_eq!((found.role(), found == Chosen::Nothing), (role, false), "{chosen}");
        assert_eq!(outer.chosen(&[PathBuf::from("/q/.awsrole.toml")], &choices, NOW), Chosen::Nothing);
    }
}

#[test]
fn a_choice_ends_at_its_time_and_not_before() {
    let (_home, context) = home("", "");
    let choices = Choices::of(&context.paths);
    let files = [PathBuf::from("/p/.awsrole.toml")];
    let until = NOW + Duration::from_secs(1800);
    let word = choices.word(&files[0], "prod", Terms { until: Some(until), confirmed: None }).unwrap();
    let inherited = OuterEnv::reconstruct(&held(&changed(|state| state["chosen"] = word.as_str().into())));
    for (now, ended) in [(NOW, false), (until - Duration::from_millis(1), false), (until, true)] {
        let expected = if ended {
            Chosen::Ended("prod".into())
        } else {
            let terms = Terms { until: Some(until), confirmed: None };
            Chosen::Role { role: "prod".into(), word: word.clone(), terms }
        };
        assert_eq!(inherited.chosen(&files, &choices, now), expected);
        assert_eq!(Chosen::of(&word, &files[0], &choices, now), expected);
        assert_eq!(expected.role().is_none(), ended);
    }
}

#[test]
fn a_chosen_profile_needs_its_proof_in_either_place() {
    let (_home, context) = home("", "");
    let choices = Choices::of(&context.paths);
    let word = choices.profile_word("a=b", None).unwrap();
    let of_role = choices.word(Path::new("/p/.awsrole.toml"), "a=b", Terms::default()).unwrap();
    let forged = format!("{}=a=b", "0".repeat(80));
    for (word, proven) in [(&word, true), (&of_role, false), (&forged, false)] {
        let state = changed(|state| state["profile"] = word.as_str().into());
        let placeholders = [("AWS_PROFILE", NO_ROLE), ("AWS_ACCESS_KEY_ID", NO_ROLE), (CHOSEN_PROFILE, word)];
        let blocked = env(&[&[(NAME, BLOCKED)], placeholders.as_slice()].concat());
        for parent in [held(&state), blocked] {
            let outer = OuterEnv::reconstruct(&parent);
            assert!(!outer.env.has(CHOSEN_PROFILE));
            match outer.chosen_profile(&choices) {
                Ok(Some(chosen)) => assert!(proven && chosen.profile.name() == "a=b" && chosen.word == *word),
                found => assert!(!proven && found == Err(Unproven("a=b".to_owned())), "{word}"),
            }
        }
        let alone = OuterEnv::reconstruct(&env(&[(CHOSEN_PROFILE, word)]));
        assert_eq!(alone.chosen_profile(&choices), Ok(None), "without a state");
    }
    let huge = changed(|state| state["profile"] = format!("{forged}{}", "x".repeat(1 << 20)).into());
    assert!(OuterEnv::reconstruct(&held(&huge)).role.is_none());
}

/// Returns the environment of a shell that holds a role with this state.
fn held(state: &str) -> Env {
    let mut inside = inside(&env(&[("AWS_PROFILE", "base")]));
    inside.0.insert(NAME.into(), state.into());
    inside
}

/// Returns the state of a role, changed like a forged one.
fn changed(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let inside = inside(&env(&[("AWS_PROFILE", "base")]));
    let mut state: serde_json::Value = serde_json::from_str(inside.text(NAME).unwrap()).unwrap();
    change(&mut state);
    state.to_string()
}

#[test]
fn a_state_that_awsrole_can_not_have_written_is_ignored_as_a_whole() {
    type Change<'a> = &'a dyn Fn(&mut serde_json::Value);
    let long = "x".repeat(1 << 20);
    let changes: [(&str, Change<'_>); 33] = [
        ("a newer version", &|state| state["v"] = 2.into()),
        ("no version", &|state| state["v"] = serde_json::Value::Null),
        ("a field of a newer version", &|state| state["more"] = 1.into()),
        ("an entry that is a path", &|state| state["entry"] = "../../../home/alice/notes".into()),
        ("an absolute entry", &|state| state["entry"] = "/etc/passwd".into()),
        ("an entry with a line end", &|state| state["entry"] = format!("{}\n", "0".repeat(63)).into()),
        ("an entry in capitals", &|state| state["entry"] = "A".repeat(64).into()),
        ("a short entry", &|state| state["entry"] = "0".repeat(63).into()),
        ("a long entry", &|state| state["entry"] = "0".repeat(65).into()),
        ("an entry that is no text", &|state| state["entry"] = 1.into()),
        ("an account of 11 digits", &|state| state["account"] = "22222222222".into()),
        ("an account with a letter", &|state| state["account"] = "22222222222x".into()),
        ("a long-lived key", &|state| state["key"] = "AKIAEXAMPLEEXAMPLE00".into()),
        ("a key that isn't one", &|state| state["key"] = "a/b".into()),
        ("a long key", &|state| state["key"] = "A".repeat(129).into()),
        ("no time", &|state| state["expires"] = "tomorrow".into()),
        ("a time in another zone", &|state| state["expires"] = "1970-01-01T00:31:40+00:00".into()),
        ("a time with a fraction", &|state| state["expires"] = "1970-01-01T00:31:40.5Z".into()),
        ("a relative file", &|state| state["file"] = ".awsrole.toml".into()),
        ("a long file", &|state| state["file"] = format!("/{long}").into()),
        ("a long role", &|state| state["role"] = long.as_str().into()),
        ("a choice that is no word", &|state| state["chosen"] = "prod".into()),
        ("a long choice", &|state| state["chosen"] = format!("{}={long}", "0".repeat(80)).into()),
        ("another name that was set", &|state| state["set"]["PATH"] = "/forged".into()),
        ("another prior name", &|state| state["prior"]["LD_PRELOAD"] = "/forged".into()),
        ("a secret prior name", &|state| state["prior"]["AWS_SECRET_ACCESS_KEY"] = "forged".into()),
        ("another hidden name", &|state| state["hidden"] = vec!["PATH"].into()),
        ("a hidden name many times", &|state| state["hidden"] = vec!["AWS_ROLE_ARN"; 8].into()),
        ("a region with a NUL", &|state| state["set"]["AWS_REGION"] = "eu\0".into()),
        ("a prior profile with a control character", &|state| state["prior"]["AWS_PROFILE"] = "\u{1b}[2J".into()),
        ("a prior profile with a line end", &|state| state["prior"]["AWS_PROFILE"] = "a\nb".into()),
        ("a long URL", &|state| state["prior"]["AWS_ENDPOINT_URL"] = format!("https://{}", &long[..4096]).into()),
        ("a megabyte", &|state| state["prior"]["AWS_PROFILE"] = long.as_str().into()),
    ];
    assert!(OuterEnv::reconstruct(&held(&changed(|_| ()))).role.is_some(), "what is tried is otherwise right");
    for (what, change) in changes {
        let forged = held(&changed(change));
        let mut expected = forged.clone();
        expected.0.retain(|name, _| name != NAME && !INFO_VARS.contains(&name.to_str().unwrap()));
        let outer = OuterEnv::reconstruct(&forged);
        assert!(outer.role.is_none() && outer.env == expected, "{what}");
    }
}

#[test]
fn of_a_name_that_stands_twice_neither_value_counts() {
    let whole = changed(|_| ());
    for (once, twice) in [
        (r#""role":"#, r#""role":"Other","role":"#),
        (r#""entry":"#, r#""entry":"","entry":"#),
        (r#""AWS_PROFILE":"#, r#""AWS_PROFILE":"other","AWS_PROFILE":"#),
        (r#""AWS_REGION":"#, r#""AWS_REGION":"other","AWS_REGION":"#),
    ] {
        assert!(whole.contains(once), "{once}");
        assert!(OuterEnv::reconstruct(&held(&whole.replacen(once, twice, 1))).role.is_none(), "{twice}");
    }
}

/// A nested shell must not take awsrole's own state for the user's, whatever the outer environment contained.
#[test]
fn what_awsrole_writes_it_believes() {
    let long = "x".repeat(LONGEST_VALUE + 1);
    for profile in ["", "base", "ü ß", "a\nb", "\u{7f}", long.as_str(), &"\"\\".repeat(LONGEST_VALUE / 2)] {
        let names = PRESERVED_VARS.iter().chain(&EXEC_RENEW_SET).chain(&EXEC_RENEW_UNSET).map(|name| (*name, profile));
        let before = env(&names.collect::<Vec<_>>());
        let credentials = credentials(SystemTime::UNIX_EPOCH, 900);
        let of = State::of_role(
            "Deploy",
            None,
            "",
            "/p\n/.awsrole.toml",
            &credentials,
            &[("AWS_REGION".into(), long.clone())],
            &before,
        );
        let state = of.cached_as("0".repeat(64)).of_run(&[("AWS_CONFIG_FILE".into(), "/x".to_owned())], &before);
        assert!(State::parse(&state.to_text()).as_ref() == Some(&state), "{} bytes", profile.len());
        let bounded = is_bounded(OsStr::new(profile));
        assert_eq!(state.prior.contains_key("AWS_PROFILE"), bounded, "{} bytes", profile.len());
    }
}

#[test]
fn prior_values_of_a_blocked_shell_are_bounded() {
    for (value, back) in [("staging", true), ("a\nb", true), ("\u{1b}[2J", true), (&"x".repeat(4097), false)] {
        let outer = OuterEnv::reconstruct(&blocked(&[("AWSROLE_PRIOR_AWS_PROFILE", value)]));
        assert_eq!(outer.env.text("AWS_PROFILE"), Some(value).filter(|_| back), "{value:?}");
        assert!(!outer.env.has("AWSROLE_PRIOR_AWS_PROFILE"));
    }
}

#[test]
fn a_forged_state_restores_nothing() {
    for forged in [
        "",
        "{",
        "{\"v\":1}",
        "{\"v\":1,\"file\":\"\",\"role\":\"\",\"account\":\"\",\"key\":\"\",\"expires\":\"\",\"set\":{},\"prior\":{\"LD_PRELOAD\":\"x\"}}",
    ] {
        let outer = OuterEnv::reconstruct(&env(&[(NAME, forged), ("A", "b")]));
        assert!(outer.env == env(&[("A", "b")]), "{forged}");
    }
}

#[test]
fn only_what_a_blocked_shell_changes_comes_back() {
    let hidden = hidden_if_blocked();
    let changed: BTreeSet<&str> = hidden.iter().copied().chain(BLOCKED_SET.map(|(name, _)| name)).collect();
    assert_eq!(changed.len(), hidden.len() + BLOCKED_SET.len(), "a name stands twice");
    assert!(BLOCKED_PRIOR_VARS.iter().all(|name| changed.contains(name)));
    let secret = |name: &&str| {
        name.contains("SECRET") || name.contains("KEY") || name.ends_with("TOKEN") || name.contains("BEARER")
    };
    assert!(!BLOCKED_PRIOR_VARS.iter().any(secret));
}
