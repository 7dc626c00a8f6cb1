//! The hook binary. It answers shells from the cache, and executes `awsrole` for everything else.
//!
//! Shells start it instead of `awsrole` because it starts faster: it is linked with neither the AWS SDK nor an argument
//! parser. `awsrole` answers the same requests with the same code ([`answer`]), and fetches what isn't cached.

mod answer;
mod module;
mod request;

use std::mem::ManuallyDrop;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use awsrole_core::base::problem::Problem;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::statements::PROTOCOL;
use awsrole_system::{ambient, print, protect_memory};

pub use crate::answer::{answer, answer_agent, digest, renew};
pub use crate::module::print_command;
pub use crate::request::{AnswerReader, Request, digest_files};

/// Runs the hook binary: `hook export` and `hook agent` from the cache, `hook digest`, and its version.
#[must_use]
pub fn main() -> ExitCode {
    protect_memory();
    let words = ambient::args();
    let answered = if words == ["--version"] || words == ["hook", "version"] {
        print::out(&format!("awsrole-hook {}\n", awsrole_system::version()))
    } else if words == ["hook", "agent"] && cfg!(not(target_os = "macos")) {
        let Ok(context) = ambient::context() else { hand_over() };
        answer_agent(&context, &Settings::load(&context), ambient::main_program, |_, _| hand_over())
    } else if let Some(files) = digest_files(&words) {
        digest(&files)
    } else {
        // The macOS keychain grants access to an item only to the program that created it, which is `awsrole`.
        let request = Request::of_snippet(&words).filter(|_| cfg!(not(target_os = "macos")));
        // A snippet with another protocol version is answered by the installed `awsrole`.
        let request = request.filter(|request| request.protocol.is_none_or(|number| number == PROTOCOL));
        let (Some(request), Ok(context)) = (request, ambient::context()) else { hand_over() };
        // Freeing each variable of the environment takes time, and the process ends anyway.
        let context = ManuallyDrop::new(context);
        answer(request, &context, &Settings::load(&context), ambient::main_program, |_, _, _| hand_over())
    };
    match answered {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            print::print_error(&problem);
            ExitCode::FAILURE
        }
    }
}

/// Replaces this process with `awsrole` and the same arguments. Nothing has been printed or written before, and no lock
/// is held.
#[expect(clippy::disallowed_methods, reason = "the process was to be another program by now")]
fn hand_over() -> ! {
    let problem = match ambient::main_program() {
        Some(program) => {
            let error = Command::new(&program).args(ambient::args()).exec();
            Problem::new(format!("{} can't be started", program.display())).because(error)
        }
        None => Problem::new("awsrole isn't found from here: this program's name must be awsrole's, and -hook"),
    };
    print::print_error(&problem.hint("reinstall awsrole"));
    std::process::exit(1)
}
