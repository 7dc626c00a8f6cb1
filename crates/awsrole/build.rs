//! Which build this is, and how its programs are linked: at their start the dynamic linker would take most of a cache
//! hit's time.
#![expect(clippy::disallowed_methods, reason = "Cargo says in the environment what it builds for")]

use std::collections::BTreeSet;
use std::env::var;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What both programs and the snippets are made of.
const SOURCES: [&str; 4] = ["src", "../core/src", "../../shell", "../../Cargo.lock"];

/// The archives, and under which names Rust asks for them. Before glibc 2.34 threads and more were libraries of their own.
const ARCHIVES: [(&str, &str); 7] = [
    ("libc.a", "libc.a"),
    ("libdl.a", "libdl.a"),
    ("libgcc_s.a", "libgcc_eh.a"),
    ("libm.a", "libm.a"),
    ("libpthread.a", "libpthread.a"),
    ("librt.a", "librt.a"),
    ("libutil.a", "libutil.a"),
];

/// As Rust asks for them.
const LIBRARIES: [&str; 8] = ["-Wl,-Bdynamic", "-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"];

/// What they need of each other.
const GROUP: [&str; 5] = ["-Wl,--start-group", "-l:libgcc.a", "-lgcc_s", "-lc", "-Wl,--end-group"];

/// With threads, as a Rust program has them.
const TRIAL: &str = "#include <pthread.h>\n#include <stdlib.h>\n\
    static void *nothing(void *arg) { return arg; }\n\
    int main(void) { pthread_t one; return pthread_create(&one, 0, nothing, malloc(1)) || pthread_join(one, 0); }\n";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=AWSROLE_BUILD={}-{:016x}", var("CARGO_PKG_VERSION").unwrap_or_default(), sources());
    let is = |key: &str, wanted: &str| var(key).is_ok_and(|value| value == wanted);
    let features = var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    let is_static = features.split(',').any(|feature| feature == "crt-static");
    if !is("CARGO_CFG_TARGET_OS", "linux") || !is("CARGO_CFG_TARGET_ENV", "gnu") || is_static {
        return;
    }
    // Where the compiler lacks an archive, all is as Rust has it.
    if archive("libgcc_eh.a").is_some() {
        without_libgcc_s();
    }
    // For another machine it can't be tried, and whoever chooses a relocation model wants something else.
    let flags = var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if var("HOST") != var("TARGET") || flags.contains("relocation-model") {
        return;
    }
    let folder = PathBuf::from(var("OUT_DIR").unwrap_or_default()).join("archives");
    if gather(&folder).is_some() && can_do_without_linker(&folder) {
        without_linker(&folder);
    }
}

/// A number for what the sources say.
fn sources() -> u64 {
    let mut files = BTreeSet::new();
    let mut folders: Vec<PathBuf> = SOURCES.iter().map(PathBuf::from).collect();
    while let Some(path) = folders.pop() {
        println!("cargo::rerun-if-changed={}", path.display());
        match fs::read_dir(&path) {
            Ok(entries) => folders.extend(entries.flatten().map(|entry| entry.path())),
            Err(_) => drop(files.insert(path)),
        }
    }
    let mut hasher = DefaultHasher::new();
    for file in files {
        (&file, fs::read(&file).unwrap_or_default()).hash(&mut hasher);
    }
    hasher.finish()
}

/// `awsrole` looks up names, which takes the system's libc. Of libgcc_s it uses nothing but the unwinder, and GCC brings
/// the same as an archive: a tenth of a start's time.
fn without_libgcc_s() {
    for arg in ["-Wl,--whole-archive", "-l:libgcc_eh.a", "-Wl,--no-whole-archive"] {
        println!("cargo::rustc-link-arg-bin=awsrole={arg}");
    }
}

/// `awsrole-hook` looks up nothing. Rust asks for libraries by name and finds archives first in our folder; Cargo can't
/// set `crt-static` for one program alone.
fn without_linker(folder: &Path) {
    let folder = format!("-L{}", folder.display());
    for arg in ["-static-pie", &folder].into_iter().chain(GROUP) {
        println!("cargo::rustc-link-arg-bin=awsrole-hook={arg}");
    }
}

/// Puts the archives where they are found by the names that Rust gives to the linker.
fn gather(folder: &Path) -> Option<()> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder).ok()?;
    for (name, of) in ARCHIVES {
        let archive = archive(of)?.canonicalize().ok()?;
        // The compiler's folder has its version in its name.
        println!("cargo::rerun-if-changed={}", archive.display());
        symlink(archive, folder.join(name)).ok()?;
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

/// Whether a program that is linked so runs: one that still wants a library has nobody who loads it.
fn can_do_without_linker(folder: &Path) -> bool {
    let program = folder.join("trial");
    let link = || {
        let mut cc = cc();
        cc.args(["-static-pie", "-fPIE", "-nodefaultlibs", "-x", "c", "-", "-x", "none", "-o"]).arg(&program);
        cc.args(LIBRARIES).arg("-L").arg(folder).args(GROUP);
        let mut child = cc.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        child.stdin.take()?.write_all(TRIAL.as_bytes()).ok()?;
        child.wait().ok()
    };
    let run = || Command::new(&program).stdin(Stdio::null()).status().ok();
    link().is_some_and(|status| status.success()) && run().is_some_and(|status| status.success())
}
