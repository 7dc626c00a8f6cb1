//! Reads AWSROLE_STATE as an attacker may set it, together with other variables: `VALUE NUL NAME=VALUE NUL …`.
//!
//! Invariants: it never panics. Whatever the value is, only awsrole's own variables change, no path is accepted as a
//! cache entry, and neither a role nor a profile is chosen.
#![no_main]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::SystemTime;

use awsrole_core::shell::choice::Choices;
use awsrole_core::base::context::{Env, Paths};
use awsrole_core::aws::credentials::is_long_term_key_id;
use awsrole_core::base::digest::is_sha256;
use awsrole_core::shell::state::OuterEnv;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.split(|byte| *byte == 0);
    let text = OsString::from_vec(parts.next().unwrap_or_default().to_vec());
    let mut env = BTreeMap::from([("PATH".into(), "/bin".into()), ("LD_PRELOAD".into(), "".into())]);
    for part in parts {
        let at = part.iter().position(|byte| *byte == b'=').unwrap_or(part.len());
        let (name, value) = (&part[..at], part.get(at + 1..).unwrap_or_default());
        env.insert(OsString::from_vec(name.to_vec()), OsString::from_vec(value.to_vec()));
    }
    env.insert("AWSROLE_STATE".into(), text);
    let outer = OuterEnv::reconstruct(&Env(env.clone().into_iter().collect()));
    assert!(!outer.env.has("AWSROLE_STATE"));
    if let Some(state) = &outer.role {
        assert!(state.entry.is_empty() || is_sha256(&state.entry), "an entry is no digest");
        assert!(state.account.is_empty() || state.account.len() == 12 && state.account.bytes().all(|b| b.is_ascii_digit()));
        assert!(!is_long_term_key_id(&state.key), "awsrole exports no such key");
        let values = state.set.values().chain(state.prior.values());
        assert!(values.into_iter().all(|value| value.len() <= 4096 && !value.contains(|c: char| c.is_ascii_control())));
    }
    // There is no key, so no word is valid.
    let nowhere = PathBuf::from("/nonexistent");
    let [config, data, state, cache, home, organization] = std::array::from_fn(|_| nowhere.clone());
    let choices = Choices::of(&Paths { config, data, state, cache, home, organization });
    let files = outer.role.as_ref().map(|state| PathBuf::from(&state.file));
    for file in files.into_iter().chain([PathBuf::from("/p/.awsrole.toml")]) {
        assert_eq!(outer.chosen(&[file], &choices, SystemTime::UNIX_EPOCH).role(), None, "a role was chosen without a proof");
    }
    assert!(!matches!(outer.chosen_profile(&choices), Ok(Some(_))), "a profile was chosen without a proof");
    for name in env.keys().chain(outer.env.0.keys()) {
        let known = name.to_str().is_some_and(|name| name.starts_with("AWS") || name == "SECRET_ACCESS_KEY");
        assert!(known || env.get(name) == outer.env.0.get(name), "{name:?} was changed");
    }
    for (name, value) in &outer.env.0 {
        let mut prior = OsString::from("AWSROLE_PRIOR_");
        prior.push(name);
        let was_there = env.get(name) == Some(value);
        assert!(value != "awsrole-blocked--run-awsrole-why" || was_there, "a placeholder came out");
        // A valid state may contain this word as a prior value, like any other.
        let text = value.to_str().unwrap_or_default();
        assert!(!text.contains("awsrole-blocked--run-awsrole-why") || was_there || env.get(&prior) == Some(value), "{name:?}");
    }
});
