//! A cached session: as anybody may have written it, and as it is after it was opened.
//!
//! Held: no panic; what is given out has not expired.
#![no_main]

#[path = "home.rs"]
mod home;

use std::time::Duration;

use awsrole_core::cache::Cache;
use awsrole_core::vault::Vault;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((how, content)) = data.split_first() else { return };
    std::fs::create_dir_all(home::context(&[]).paths.cache).expect("a folder for the cache");
    let context = home::context(&[]);
    let sealed = match how % 2 {
        0 => Vault::of(&context).seal("a.session", content).expect("one key serves all"),
        _ => content.to_vec().into(),
    };
    let context = home::context(&[("cache/a.session", &sealed)]);
    if let Some(entry) = Cache::of(&context).load("a", context.now) {
        assert!(entry.credentials.remaining(context.now) > Duration::ZERO);
    }
});
