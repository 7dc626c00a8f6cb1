//! `awsrole history`: lists when, where and from which source roles were used.

use std::path::Path;

use awsrole_core::base::context::Context;
use awsrole_core::base::problem::{escape, to_json};
use awsrole_core::session::history::{History, Named, Recipient};
use awsrole_core::settings::user_config::Settings;

use crate::report::{CommandError, Outcome};
use awsrole_system::local_time;
use awsrole_system::print::out;

pub(super) fn run(json: bool, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    let accounts = settings.get()?.accounts.clone();
    let entries = History::in_dir(&context.paths.state).read().into_iter();
    let entries: Vec<Named> = entries.map(|entry| entry.named(&accounts)).collect();
    if json {
        let text = to_json(&entries)?;
        out(&(text + "\n"))?;
    } else {
        out(&entries.iter().map(|named| line(named, context)).collect::<String>())?;
    }
    Ok(Outcome::Done)
}

fn local(at: &str) -> String {
    humantime::parse_rfc3339(at).map_or_else(|_| at.to_owned(), local_time::local)
}

fn line(named: &Named, context: &Context) -> String {
    let Named { entry, account_name } = named;
    let what = match (entry.what, entry.new) {
        (Recipient::Entered, true) => "entered, new session",
        (Recipient::Entered, false) => "entered",
        (Recipient::Renewed, _) => "renewed",
        (Recipient::Exec, true) => "exec, new session",
        (Recipient::Exec, false) => "exec",
        (Recipient::Env, true) => "env, new session",
        (Recipient::Env, false) => "env",
        (Recipient::Console, true) => "console, new session",
        (Recipient::Console, false) => "console",
        (Recipient::CredentialProcess, _) => "credential-process",
    };
    let role = entry.role_arn.as_ref().unwrap_or(&entry.role);
    let account = match (account_name, &entry.account) {
        (Some(name), Some(id)) => format!("{name} ({id})"),
        (_, id) => id.clone().unwrap_or("-".to_owned()),
    };
    let directory = context.shorten(Path::new(&entry.directory));
    let profile = entry.profile.as_ref().map(|name| format!("  --profile {name}")).unwrap_or_default();
    let agent = entry.agent.as_ref().map(|name| format!("  agent {name}")).unwrap_or_default();
    let (at, source) = (local(&entry.at), &entry.source);
    let text = format!("{at}  {what:<20}  {role}  {account}  {source}  {directory}{profile}{agent}");
    escape(&text) + "\n"
}
