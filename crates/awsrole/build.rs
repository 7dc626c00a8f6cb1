//! How the program is linked.

#![expect(clippy::disallowed_methods, reason = "Cargo says in the environment what it builds for")]

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |key: &str, wanted: &str| var(key).is_ok_and(|value| value == wanted);
    // At each start the dynamic linker takes a tenth of a cache hit's time for libgcc_s, of which nothing but the
    // unwinder is used. GCC brings the same as an archive.
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        for arg in ["-Wl,--whole-archive", "-l:libgcc_eh.a", "-Wl,--no-whole-archive"] {
            println!("cargo::rustc-link-arg-bins={arg}");
        }
    }
}
