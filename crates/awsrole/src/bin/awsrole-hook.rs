//! `awsrole-hook`, which shells start.

fn main() -> std::process::ExitCode {
    awsrole_hook::main()
}
