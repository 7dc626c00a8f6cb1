//! `awsrole history`: lists when, where and from which source roles were used.

use std::path::Path;

use awsrole_core::base::context::Context;
use awsrole_core::base::problem::{escape, to_json};
use awsrole_core::session::history::{History, Named, Recipient};
use awsrole_core::settings::user_config::Settings;
use unicode_width::UnicodeWidthStr as _;

use crate::report::{CommandError, Outcome};
use awsrole_system::local_time;
use awsrole_system::print::out;

pub(super) fn run(
    limit: Option<usize>,
    json: bool,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    let accounts = settings.get()?.accounts.clone();
    let entries = History::in_dir(&context.paths.state).read();
    let skipped = limit.map_or(0, |limit| entries.len().saturating_sub(limit));
    let entries: Vec<Named> = entries.into_iter().skip(skipped).map(|entry| entry.named(&accounts)).collect();
    if json {
        let text = to_json(&entries)?;
        out(&(text + "\n"))?;
    } else {
        out(&lines(&entries, context))?;
    }
    Ok(Outcome::Done)
}

fn local(at: &str) -> String {
    humantime::parse_rfc3339(at).map_or_else(|_| at.to_owned(), local_time::local)
}

/// Number of aligned columns. The rest of a line isn't aligned.
const COLUMNS: usize = 6;

/// The largest width of a column. A longer text moves only the rest of its own line.
const MAX_WIDTH: usize = 64;

/// Formats the lines with aligned columns.
fn lines(entries: &[Named], context: &Context) -> String {
    let rows: Vec<([String; COLUMNS], String)> = entries.iter().map(|named| row(named, context)).collect();
    let mut widths = [0; COLUMNS];
    for (cells, _) in &rows {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.width().min(MAX_WIDTH).max(*width);
        }
    }
    let mut text = String::new();
    for (cells, rest) in rows {
        for (cell, width) in cells.iter().zip(widths) {
            // The width in columns, not the number of characters, which `format!` would count.
            text += cell;
            text += &" ".repeat(width.saturating_sub(cell.width()) + 2);
        }
        text += &rest;
        text.push('\n');
    }
    text
}

/// Returns the texts of the columns and the rest of the line, without characters that change the terminal.
fn row(named: &Named, context: &Context) -> ([String; COLUMNS], String) {
    let Named { entry, account_name } = named;
    let what = match (entry.what, entry.new) {
        (Recipient::Assumed, true) => "assumed, new session",
        (Recipient::Assumed, false) => "assumed",
        (Recipient::Renewed, _) => "renewed",
        (Recipient::Exec, true) => "exec, new session",
        (Recipient::Exec, false) => "exec",
        (Recipient::Sudo, true) => "sudo, new session",
        (Recipient::Sudo, false) => "sudo",
        (Recipient::Env, true) => "env, new session",
        (Recipient::Env, false) => "env",
        (Recipient::Console, true) => "console, new session",
        (Recipient::Console, false) => "console",
        (Recipient::CredentialProcess, _) => "credential-process",
    };
    let role_arn = entry.role_arn.as_deref().unwrap_or("-");
    let account = match (account_name, &entry.account) {
        (Some(name), Some(id)) => format!("{name} ({id})"),
        (_, id) => id.clone().unwrap_or("-".to_owned()),
    };
    let directory = context.shorten(Path::new(&entry.directory));
    let profile = entry.profile.as_ref().map(|name| format!("  --profile {name}")).unwrap_or_default();
    let agent = entry.agent.as_ref().map(|name| format!("  agent {name}")).unwrap_or_default();
    let cells = [&local(&entry.at), what, &entry.role, role_arn, &account, &entry.source];
    (cells.map(escape), escape(&format!("{directory}{profile}{agent}")))
}
