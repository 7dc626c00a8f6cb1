//! `awsrole env`: prints the directory's role as text, for scripts, tools and CI.

use std::fs::OpenOptions;
use std::io::Write;

use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::session::history::Recipient;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::formats::{Format, masks, variables};

use super::held::{ActiveRole, Wanted};
use crate::cli::FormatName;
use crate::report::{CommandError, Outcome};
use awsrole_system::print::{out, print_notice};

pub(super) fn run(
    format: FormatName,
    wanted: Wanted,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    let format = match format {
        FormatName::Shell => Format::Shell,
        FormatName::Dotenv => Format::Dotenv,
        FormatName::Json => Format::Json,
        FormatName::Github => Format::Github,
    };
    // Check this before any prompt: outside of a job there is no file, and the secrets would appear in the log.
    let file = match context.env.filled("GITHUB_ENV") {
        _ if format != Format::Github => None,
        None => {
            return Err(Problem::new("GITHUB_ENV isn't set: this isn't a GitHub Actions job")
                .hint("outside of GitHub Actions, use --format dotenv, json or shell")
                .into());
        }
        Some(path) => Some(context.dir.join(path)),
    };
    let held = ActiveRole::get(Recipient::Env, wanted, context, settings)?;
    let diff = held.diff()?;
    let text = variables(&diff, format)?;
    let Some(path) = file else {
        out(&text)?;
        return Ok(Outcome::Done);
    };
    // Print the masks before anything that contains the masked values.
    out(&masks(&diff))?;
    let written = OpenOptions::new().append(true).open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|e| {
        Problem::new(format!("cannot write {}", path.display()))
            .because(e)
            .hint("GITHUB_ENV must name the existing file of the runner")
    })?;
    // Variables can't be unset through that file.
    for name in diff.hide.iter().filter(|name| held.target.outer.env.has(name)) {
        print_notice(format!(
            "{name} is set in this job and takes precedence over keys in some tools: remove it from the workflow"
        ));
    }
    Ok(Outcome::Done)
}
