//! `awsrole`.

fn main() -> std::process::ExitCode {
    awsrole::run()
}
