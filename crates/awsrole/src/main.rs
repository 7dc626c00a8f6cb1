//! The binary `awsrole`.

fn main() -> std::process::ExitCode {
    awsrole::run()
}
