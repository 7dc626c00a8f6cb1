//! Parses a project file and both AWS files, and plans roles: `config NUL credentials NUL .awsrole.toml`.
//!
//! Invariants: it never panics, and an error is one printable line without a secret of the credentials file.
#![no_main]

#[path = "home.rs"]
mod home;

use awsrole_core::aws::profiles::Profiles;
use awsrole_core::explain::summary::summarize;
use awsrole_core::project::approval::{Approvals, Chain, Verdict, evaluate_files};
use awsrole_core::settings::user_config::{Settings, UserConfig};
use awsrole_core::base::agent::Agent;
use awsrole_core::base::problem;
use awsrole_core::plan::requester::Requester;
use awsrole_core::plan::resolve;
use awsrole_core::project::{config, discover};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let [aws_config, credentials, file] = [(); 3].map(|()| parts.next().unwrap_or_default());
    let context =
        home::context(&[(".aws/config", aws_config), (".aws/credentials", credentials), ("p/.awsrole.toml", file)]);
    let mut secrets = home::secrets(credentials);
    // The error may quote a secret that another file contains, too.
    let all = String::from_utf8_lossy(data);
    secrets.retain(|secret| all.matches(secret.as_str()).count() == 1);
    let harmless = |problem: &problem::Problem| {
        let text = problem.to_string();
        assert!(text.lines().count() <= 40 && !text.contains('\u{1b}'), "{text:?}");
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "a secret in {text:?}");
        }
    };
    let path = context.dir.join(".awsrole.toml");
    let profiles = match Profiles::load(&context) {
        Ok(profiles) => profiles,
        Err(problem) => return harmless(&problem),
    };
    for name in profiles.names() {
        if let Err(problem) = resolve::check_profile(&profiles, &context, name) {
            harmless(&problem);
        }
    }
    let read = match discover::read(&path) {
        Ok(read) => read,
        Err(problem) => return harmless(&problem),
    };
    let parsed = match config::Config::parse(&read) {
        Ok(parsed) => parsed,
        Err(problem) => return harmless(&problem),
    };
    match summarize(&parsed, &profiles, &Default::default(), &context) {
        Ok(summaries) => {
            for (label, text) in summaries.iter().flat_map(|summary| &summary.lines) {
                assert!(!secrets.iter().any(|secret| text.contains(secret.as_str())), "a secret in {label}: {text:?}");
            }
        }
        Err(problem) => harmless(&problem),
    }
    let approvals = Approvals::below(&context.paths.data);
    let paths = [path];
    let chain = Chain::read(&paths).expect("what was read and parsed is a chain");
    approvals.allow(&chain).expect("an approval can be written");
    let (Verdict::Allowed(allowed), _) = evaluate_files(&paths, &approvals, &UserConfig::default()) else {
        panic!("what was allowed must count");
    };
    let agent = context.with_env(Agent::always_limited(&context.env).marked(context.env.clone()));
    for context in [&context, &agent] {
        let requester = Requester::of(context, &Settings::default()).expect("the settings are valid");
        for name in [None].into_iter().chain(parsed.role_names().map(Some)) {
            match resolve::plan(&allowed, name, &profiles, context, &requester) {
                Ok(plan) => {
                    let shown = plan.notices.join("\n");
                    assert!(!secrets.iter().any(|secret| shown.contains(secret.as_str())), "a secret in {shown}");
                }
                Err(problem) => harmless(&problem),
            }
        }
    }
});
