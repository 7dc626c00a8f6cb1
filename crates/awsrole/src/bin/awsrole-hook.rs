//! `awsrole-hook`, which shells call.

fn main() -> std::process::ExitCode {
    awsrole::answer()
}
