//! `awsrole deny`: ignores a directory's file regardless of its content.

use std::path::PathBuf;

use awsrole_core::base::context::Context;
use awsrole_core::project::approval::Approvals;
use awsrole_core::shell::generation;

use crate::report::{CommandError, Outcome};
use awsrole_system::print::print_notice;

pub(super) fn run(dir: Option<PathBuf>, context: &Context) -> Result<Outcome, CommandError> {
    let files = super::common::files(&super::common::directory(dir, context)?, context)?;
    let nearest = &files[0];
    if let Some(problem) = context.paths.inside_project(&files[..1]) {
        return Err(problem.into());
    }
    Approvals::below(&context.paths.data).deny(nearest).map_err(|e| super::common::file_problem(&e))?;
    generation::bump(&context.paths, context.now).map_err(|e| super::common::file_problem(&e))?;
    print_notice(format!("{} is denied", context.shorten(nearest)));
    Ok(Outcome::Done)
}
