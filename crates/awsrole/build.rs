//! How the program is linked.
#![expect(clippy::disallowed_methods, reason = "Cargo says in the environment what it builds for")]

use std::env::var;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |key: &str, wanted: &str| var(key).is_ok_and(|value| value == wanted);
    // At each start the dynamic linker takes a tenth of a cache hit's time for libgcc_s, of which nothing but the
    // unwinder is used. GCC brings the same as an archive; without it all is as Rust has it.
    if is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") && has_archive() {
        for arg in ["-Wl,--whole-archive", "-l:libgcc_eh.a", "-Wl,--no-whole-archive"] {
            println!("cargo::rustc-link-arg-bins={arg}");
        }
    }
}

/// Compilers name an archive by its path if they have it, and otherwise by its name.
fn has_archive() -> bool {
    let linker = var("RUSTC_LINKER").unwrap_or_else(|_| "cc".to_owned());
    let found = Command::new(linker).arg("-print-file-name=libgcc_eh.a").output();
    found.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_absolute())
}
