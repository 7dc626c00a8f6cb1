//! `awsrole keys list`: lists the profiles with long-lived keys and where the keys are. No store is opened.

use std::time::{Duration, SystemTime};

use awsrole_core::aws::access_keys::{Record, Rotation};
use awsrole_core::aws::profiles::Profiles;
use awsrole_core::aws::source::may_be_key_id;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::{Problem, escape, to_json};
use serde_json::json;

use crate::report::{CommandError, Outcome};
use awsrole_system::print::out;

pub(super) fn run(json: bool, context: &Context) -> Result<Outcome, CommandError> {
    let rows = rows(context)?;
    if json {
        let values: Vec<_> = rows
            .iter()
            .map(|row| json!({"profile": row.profile, "access_key_id": row.id, "place": row.place, "stored": row.stored, "note": row.note}))
            .collect();
        let text = to_json(&values)?;
        out(&(text + "\n"))?;
        return Ok(Outcome::Done);
    }
    let width = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or_default();
    let (profiles, ids, places) = (width(|row| &row.profile), width(Row::shown_id), width(|row| &row.place));
    let text: String = rows
        .iter()
        .map(|row| {
            let age = row.stored.as_deref().map(|time| age(time, context.now)).unwrap_or_default();
            let note = [age.as_str(), row.note.as_deref().unwrap_or_default()].join(" ");
            let line = format!(
                "{:<profiles$}  {:<ids$}  {:<places$}  {}",
                row.profile,
                row.shown_id(),
                row.place,
                note.trim()
            );
            escape(line.trim_end()) + "\n"
        })
        .collect();
    out(&text)?;
    Ok(Outcome::Done)
}

struct Row {
    profile: String,
    /// The access key ID. `None` if the text in the file isn't a valid ID.
    id: Option<String>,
    place: String,
    /// When the keys were stored, in RFC 3339.
    stored: Option<String>,
    note: Option<String>,
}

impl Row {
    fn shown_id(&self) -> &str {
        self.id.as_deref().unwrap_or("?")
    }
}

fn rows(context: &Context) -> Result<Vec<Row>, Problem> {
    let profiles = Profiles::load(context)?;
    let in_files = profiles.names().into_iter().filter_map(|name| {
        let profile = profiles.get(name).filter(|profile| profile.text("aws_session_token").is_none())?;
        let id = profile.text("aws_access_key_id")?;
        let fits = may_be_key_id(id);
        Some(Row {
            profile: name.to_owned(),
            id: fits.then(|| id.to_owned()),
            place: format!("{}, readable", context.shorten(&profile.origin("aws_access_key_id").file)),
            stored: None,
            note: (!fits).then(|| "aws_access_key_id isn't an access key ID: is it the secret?".to_owned()),
        })
    });
    let mut rows: Vec<Row> = in_files.collect();
    for record in Record::all(&context.paths) {
        let in_file = rows.iter().any(|row| row.profile == record.profile && row.stored.is_none());
        let again = format!("`awsrole keys rotate {}`", record.profile);
        let note = match (&record.rotation, in_file) {
            (Some(Rotation::Replaced(old)), _) => Some(format!("the old key {old} still exists: {again}")),
            (Some(_), _) => Some(format!("a rotation isn't complete: {again}")),
            (None, true) => Some("not used: the key in the file takes precedence".to_owned()),
            (None, false) => None,
        };
        let Record { profile, access_key_id: id, store, added, .. } = record;
        rows.push(Row { profile, id: Some(id), place: store.to_string(), stored: Some(added), note });
    }
    rows.sort_by(|one, other| one.profile.cmp(&other.profile));
    Ok(rows)
}

/// Formats the age in the largest suitable unit.
fn age(time: &str, now: SystemTime) -> String {
    let Ok(time) = humantime::parse_rfc3339(time) else { return String::new() };
    let seconds = now.duration_since(time).unwrap_or_default().as_secs();
    let unit = [86_400, 3600, 60].into_iter().find(|unit| seconds >= *unit).unwrap_or(1);
    let rounded = Duration::from_secs(seconds / unit * unit);
    match unit {
        86_400 => format!("{} days", seconds / 86_400),
        _ => humantime::format_duration(rounded).to_string(),
    }
}
