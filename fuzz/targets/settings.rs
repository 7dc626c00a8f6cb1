//! Parses the settings file, `config.toml`.
//!
//! Invariants: it never panics, and an error names the file.
#![no_main]

#[path = "home.rs"]
mod home;

use awsrole_core::settings::user_config::UserConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    std::fs::create_dir_all(home::context(&[]).paths.config).expect("a folder for the settings");
    let context = home::context(&[("config/config.toml", data)]);
    if let Err(problem) = UserConfig::load(&context) {
        assert!(problem.to_string().contains("config.toml"), "{problem}");
    }
});
