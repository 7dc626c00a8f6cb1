//! The `awsrole` program: reads its context, runs one command and exits with its code.

mod authenticator;
mod browser;
mod cli;
mod commands;
mod completion;
mod interrupt;
mod overrides;
mod picker;
mod report;
mod terminal;

use std::process::ExitCode;

use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::long_run;
use awsrole_core::shell::state::OuterEnv;
use awsrole_system::{ambient, print, protect_memory};

use crate::cli::Command;

/// Runs the program and returns its exit code.
#[must_use]
pub fn run() -> ExitCode {
    protect_memory();
    if completion::answered(cli::command_line) {
        return ExitCode::SUCCESS;
    }
    let command = Command::read(std::env::args_os());
    let outcome = ambient::context().map_err(Into::into).and_then(|context| {
        let env = OuterEnv::reconstruct(&context.env).env_for_reexec(&context.env);
        if let Some(env) = env.filter(|_| command.may_reexec()) {
            // If restarting fails, a source that needs these variables reports it.
            let _ = ambient::reexec(&ambient::args(), &ambient::with_caller_marker(env));
        }
        if command.sweeps() {
            long_run::sweep(&context.paths);
        }
        commands::run(command, &context, &Settings::load(&context))
    });
    match outcome {
        Ok(outcome) => outcome.into(),
        Err(failure) => {
            print::print_error(&failure.problem);
            failure.outcome.into()
        }
    }
}
