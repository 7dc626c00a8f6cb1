//! How the programs are linked: at their start the dynamic linker would take most of a cache hit's time.
#![expect(clippy::disallowed_methods, reason = "Cargo says in the environment what it builds for")]

use std::env::var;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |key: &str, wanted: &str| var(key).is_ok_and(|value| value == wanted);
    let is_static = var("CARGO_CFG_TARGET_FEATURE").is_ok_and(|all| all.split(',').any(|one| one == "crt-static"));
    if !is("CARGO_CFG_TARGET_OS", "linux") || !is("CARGO_CFG_TARGET_ENV", "gnu") || is_static {
        return;
    }
    // Where the compiler lacks an archive, all is as Rust has it.
    if archive("libgcc_eh.a").is_some() {
        without_libgcc_s();
    }
    let folder = PathBuf::from(var("OUT_DIR").unwrap_or_default()).join("archives");
    if gather(&folder).is_some() && links_statically(&folder) {
        without_linker(&folder);
    }
}

/// `awsrole` looks up names, which takes the system's libc. Of libgcc_s it uses nothing but the unwinder, and GCC brings
/// the same as an archive: a tenth of a cache hit's time.
fn without_libgcc_s() {
    for arg in ["-Wl,--whole-archive", "-l:libgcc_eh.a", "-Wl,--no-whole-archive"] {
        println!("cargo::rustc-link-arg-bin=awsrole={arg}");
    }
}

/// `awsrole-hook` looks up nothing. Rust asks for libraries by name and finds archives first in our folder; Cargo can't
/// set `crt-static` for one program alone.
fn without_linker(folder: &Path) {
    let folder = format!("-L{}", folder.display());
    let group = ["-Wl,--start-group", "-l:libgcc.a", "-lgcc_s", "-lc", "-Wl,--end-group"];
    for arg in ["-static-pie", &folder].into_iter().chain(group) {
        println!("cargo::rustc-link-arg-bin=awsrole-hook={arg}");
    }
}

/// Puts the archives where they are found by the names that Rust gives to the linker.
fn gather(folder: &Path) -> Option<()> {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder).ok()?;
    for (name, of) in [("libc.a", "libc.a"), ("libm.a", "libm.a"), ("libgcc_s.a", "libgcc_eh.a")] {
        symlink(archive(of)?, folder.join(name)).ok()?;
    }
    Some(())
}

fn cc() -> Command {
    Command::new(var("RUSTC_LINKER").unwrap_or_else(|_| "cc".to_owned()))
}

/// Compilers name an archive by its path if they have it, and otherwise by its name.
fn archive(name: &str) -> Option<PathBuf> {
    let output = cc().arg(format!("-print-file-name={name}")).output().ok()?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    path.is_absolute().then_some(path)
}

/// Whether a small program can be linked so.
fn links_statically(folder: &Path) -> bool {
    let try_it = || {
        let mut cc = cc();
        cc.args(["-static-pie", "-x", "c", "-", "-o"]).arg(folder.join("try"));
        let mut child = cc.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        child.stdin.take()?.write_all(b"int main(void) { return 0; }").ok()?;
        child.wait().ok()
    };
    try_it().is_some_and(|status| status.success())
}
