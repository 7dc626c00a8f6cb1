//! `awsrole init`: a first `.awsrole.toml`.

use std::io;
use std::path::PathBuf;

use awsrole_core::arn::RoleArn;
use awsrole_core::context::Context;
use awsrole_core::discover::FILE_NAME;
use awsrole_core::files::write_new;
use awsrole_core::limits::Region;
use awsrole_core::problem::Problem;
use awsrole_core::profiles::Profiles;

use crate::report::{Failure, Outcome, say};

/// What the file shall say.
pub(super) struct Wanted {
    pub(super) profile: Option<String>,
    pub(super) role_arn: Option<String>,
    pub(super) source_profile: Option<String>,
    pub(super) region: Option<String>,
}

pub(super) fn run(wanted: &Wanted, dir: Option<PathBuf>, context: &Context) -> Result<Outcome, Failure> {
    let path = super::directory(dir, context)?.join(FILE_NAME);
    let text = compose(wanted, &Profiles::load(context)?)?;
    let failed = |e: io::Error| match e.kind() {
        io::ErrorKind::AlreadyExists => Problem::new(format!("{} is there already", context.shorten(&path)))
            .hint("edit it, then run `awsrole allow`"),
        _ => Problem::new(format!("{} can't be written", context.shorten(&path))).because(e),
    };
    write_new(&path, text.as_bytes()).map_err(failed)?;
    say(format!("wrote {}; `awsrole allow` shows what it wants and allows it", context.shorten(&path)));
    Ok(Outcome::Done)
}

fn compose(wanted: &Wanted, profiles: &Profiles) -> Result<String, Problem> {
    let outside = |key: &str, error: &dyn std::fmt::Display| Problem::new(format!("--{key} {error}"));
    let mut lines = vec!["# The AWS role of this directory: see `awsrole status --long`.".to_owned()];
    let mut set = |key: &str, value: &str| lines.push(format!("{key} = {}", toml_string(value)));
    let mut role_arn = wanted.role_arn.clone();
    for (option, name) in [("profile", &wanted.profile), ("source-profile", &wanted.source_profile)] {
        let Some(name) = name else { continue };
        let Some(profile) = profiles.get(name) else {
            return Err(Problem::new(format!("--{option}: there is no profile `{name}`"))
                .hint(format!("those that are there: {}", profiles.names().join(", "))));
        };
        if option == "profile" {
            role_arn = profile.text("role_arn").map(str::to_owned);
            set("profile", name);
        }
    }
    if let (Some(arn), Some(source)) = (&wanted.role_arn, &wanted.source_profile) {
        set("role_arn", arn);
        set("source_profile", source);
    }
    let role = role_arn.map(|arn| RoleArn::parse(&arn).map_err(|e| outside("role-arn", &e))).transpose()?;
    if let Some(region) = &wanted.region {
        Region::parse(region).map_err(|e| outside("region", &e))?;
        set("region", region);
    }
    if let Some(role) = role {
        lines.push(format!(
            "account_id = \"{}\"   # the pin: no other account's credentials are ever exported",
            role.account()
        ));
    }
    Ok(lines.join("\n") + "\n")
}

/// A TOML basic string (TOML 1.0, "String"); JSON's escapes are all valid in it.
fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
