//! awsrole: reads the surroundings, runs one command, ends with its code.
//!
//! It is two programs. `awsrole` does all there is to do. `awsrole-hook`, beside it, is for shells: it answers from
//! what lies ready, and where that isn't enough it becomes `awsrole`. It needs neither the AWS SDK nor a dynamic
//! linker, and what a cache hit costs is mostly that.

mod ambient;
mod authenticator;
mod browser;
mod cli;
mod commands;
mod hand_over;
mod memory;
mod report;
mod terminal;
mod vault;

use std::process::ExitCode;

use awsrole_core::run;
use awsrole_core::state::Outer;

use crate::cli::{Command, HookExport, digest_of_snippet};
use crate::hand_over::Whole;
use crate::report::{Failure, Outcome};

/// Which build this is, from the sources of both programs.
pub(crate) const BUILD: &str = env!("AWSROLE_BUILD");

/// The whole program.
#[must_use]
pub fn run() -> ExitCode {
    memory::keep();
    let command = Command::read(std::env::args_os());
    let outcome = ambient::context().map_err(Into::into).and_then(|context| {
        if let Some(env) = Outer::of(&context.env).for_the_sdk(&context.env) {
            // If it fails, a source that needs those variables will say so.
            let _ = ambient::start_anew(&ambient::words(), &ambient::as_called(env));
        }
        if command.sweeps() {
            run::sweep(&context.paths);
        }
        commands::run(command, &context)
    });
    ended(outcome)
}

/// What shells call: `hook export`, from the cache, and `hook digest`.
#[must_use]
pub fn answer() -> ExitCode {
    memory::keep();
    let words = ambient::words();
    if let Some(files) = digest_of_snippet(&words) {
        return ended(commands::hook::digest(&files));
    }
    let asked = HookExport::of_snippet(&words);
    // The snippet is the whole program's. What isn't of the same build doesn't answer in its place.
    let asked = asked.filter(|asked| asked.snippet.as_deref() == Some(BUILD));
    let asked = asked.filter(|_| ambient::may_be_small());
    let Some((asked, Ok(context))) = asked.map(|asked| (asked, ambient::context())) else { Whole.takes_over() };
    ended(commands::hook::answer(asked, &context, ambient::whole, |_, _, export| export(Whole.as_outside())))
}

fn ended(outcome: Result<Outcome, Failure>) -> ExitCode {
    match outcome {
        Ok(outcome) => outcome.into(),
        Err(failure) => {
            report::complain(&failure.problem);
            failure.outcome.into()
        }
    }
}
