//! The hook binary `awsrole-hook`, which is started by shells.

fn main() -> std::process::ExitCode {
    awsrole_hook::main()
}
