//! Reads a cached session, both from arbitrary bytes and from decrypted ones.
//!
//! Invariants: it never panics, and returned credentials have not expired.
#![no_main]

#[path = "home.rs"]
mod home;

use std::time::Duration;

use awsrole_core::base::cache_key_backend::CacheKeySetting;
use awsrole_core::session::cache::Cache;
use awsrole_core::session::encryption::CacheEncryption;
use libfuzzer_sys::fuzz_target;

/// A cache key in the form of a digest.
const KEY: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fuzz_target!(|data: &[u8]| {
    let Some((how, content)) = data.split_first() else { return };
    std::fs::create_dir_all(home::context(&[]).paths.cache).expect("a folder for the cache");
    let sealed = CacheEncryption::of_cache(&home::context(&[]), CacheKeySetting::Auto).seal(&format!("{KEY}.session"), content).ok();
    let sealed = sealed.expect("one key serves all");
    let content = if how % 2 == 0 { &sealed.content } else { content };
    let name = format!("cache/{KEY}.{}.session", sealed.key_id.expect("it is encrypted"));
    let context = home::context(&[(&name, content)]);
    if let Some(entry) = Cache::open(&context, CacheKeySetting::Auto).load(KEY, context.now) {
        assert!(entry.credentials.remaining(context.now) > Duration::ZERO);
    }
});
