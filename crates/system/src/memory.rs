//! The memory of this process, which holds secrets.

/// Keeps it to this process: no core dump, and nobody but root may trace it or read its memory, its
/// environment or what it has open.
///
/// Linux alone: prctl(2), PR_SET_DUMPABLE. It ends with execve(2), so that a program that is started
/// is as any other. A limit on core dumps (RLIMIT_CORE) would be inherited by it, and doesn't hold
/// where dumps go to a program, core(5).
pub fn keep() {
    #[cfg(target_os = "linux")]
    // Where a filter refuses it, things are as they were.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
