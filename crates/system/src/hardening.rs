//! Protects the memory of this process, which contains secrets.

/// Disables core dumps of this process, and prevents all users but root from tracing it or reading its memory,
/// environment and open files.
///
/// Linux only: prctl(2), PR_SET_DUMPABLE. The setting ends with execve(2), so child programs aren't affected. A limit
/// on core dumps (RLIMIT_CORE) would be inherited by them, and has no effect where dumps are piped to a program,
/// core(5).
pub fn disable_core_dumps() {
    #[cfg(target_os = "linux")]
    // A seccomp filter may refuse it. That isn't an error.
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}
