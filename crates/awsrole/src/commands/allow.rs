//! `awsrole allow`: shows what a file wants, and records that this content is allowed.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use awsrole_core::config::Config;
use awsrole_core::context::Context;
use awsrole_core::discover::{self, ConfigFile};
use awsrole_core::generation;
use awsrole_core::profiles::Profiles;
use awsrole_core::summary::summarize;
use awsrole_core::trust::{Approvals, Standing};
use awsrole_core::user_config::UserConfig;

use crate::ambient::{self, Caller};
use crate::report::{Failure, Outcome, say, show};

pub(super) fn run(dir: Option<PathBuf>, context: &Context) -> Result<Outcome, Failure> {
    let files = super::files(&super::directory(dir, context)?)?;
    let approvals = Approvals::below(&context.paths.data);
    // All that count are read and understood before the first is allowed.
    let mut merged: Option<Config> = None;
    let mut read: Vec<ConfigFile> = Vec::new();
    for path in &files {
        let file = discover::read(path)?;
        let config = Config::parse(&file)?;
        let inherits = config.inherit;
        merged = Some(match merged {
            None => config,
            Some(near) => near.over(config),
        });
        read.push(file);
        if !inherits {
            break;
        }
    }
    for file in &read {
        difference(file, &approvals, context);
    }
    let summaries = summarize(
        &merged.unwrap_or_default(),
        &Profiles::load(context)?,
        &UserConfig::load(context)?.accounts,
        &context.paths,
    )?;
    for summary in summaries {
        if let Some(name) = summary.name {
            show(format!("[role.{name}]"));
        }
        for (label, text) in summary.lines {
            show(format!("  {label:<16}{text}"));
        }
    }
    for file in &read {
        approvals.allow(file).map_err(|e| super::own_file(&e))?;
        say(format!("{} is allowed", context.shorten(&file.path)));
    }
    generation::bump(&context.paths, context.now).map_err(|e| super::own_file(&e))?;
    match ambient::caller() {
        Caller::HookOff => super::say_it_is_off(),
        // A program that allows knows what it does.
        Caller::Other if io::stdin().is_terminal() => {
            say("a shell without the hook stays as it is: `awsrole doctor` says whether this one has it");
        }
        Caller::Hook | Caller::Other => {}
    }
    Ok(Outcome::Done)
}

/// Shows how a file differs from what was allowed last at its path.
fn difference(file: &ConfigFile, approvals: &Approvals, context: &Context) {
    if approvals.standing(file) != Standing::Edited {
        return;
    }
    let Some(before) = approvals.last_allowed(file) else {
        return;
    };
    show(format!("{} changed since it was allowed:", context.shorten(&file.path)));
    let difference = similar::TextDiff::from_lines(before.as_str(), &file.text);
    for line in difference.unified_diff().context_radius(1).to_string().lines() {
        show(format!("  {line}"));
    }
}
