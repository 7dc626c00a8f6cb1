//! `awsrole why`: explains on one screen how this directory's role is resolved, without using the network.

use std::io;

use awsrole_core::base::context::Context;
use awsrole_core::base::problem::{escape, to_json};
use awsrole_core::explain::why::{why, why_profile};
use awsrole_core::project::discover::upward;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::export::END_PROFILE;
use awsrole_core::shell::manual_change::Inactive;
use awsrole_core::shell::state::OuterEnv;

use crate::cli::TargetOptions;
use crate::overrides;
use crate::report::{CommandError, Outcome};
use awsrole_system::ambient::{self, Caller, may_color};
use awsrole_system::local_time;
use awsrole_system::print::{fit_below, for_reader, out};

pub(super) fn run(
    target: TargetOptions,
    json: bool,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    let without = OuterEnv::reconstruct(&context.env);
    let manual = Inactive::of(&context.env, &without, ambient::caller() == Caller::Inactive);
    let outer = context.with_env(without.env);
    let TargetOptions { role, place } = target;
    let in_use = match role.is_none() && place.is_empty() {
        true => super::common::profile_in_use(context, settings)?,
        false => None,
    };
    let ends = in_use.is_some();
    let profile = super::target::selected(&place, context, settings)?.or(in_use);
    let options = super::target::selection(role.as_deref(), place.dir.as_deref(), profile.as_ref());
    let mut report = match profile {
        Some(profile) => why_profile(context, &outer, settings, &profile),
        None => {
            let files = upward(&super::common::directory(place.dir, context)?);
            if role.is_none() {
                super::common::chosen(context, &files)?;
            }
            let mut report = why(context, &outer, settings, &files, role.as_deref());
            let role = report.chain.as_ref().and_then(|chain| chain.name.as_deref()).or(role.as_deref());
            report.profile_overrides = overrides::find(&files, role, &outer);
            report
        }
    };
    if ends {
        report.next = format!("{}. {END_PROFILE}", report.next);
    }
    if let Some(manual) = manual {
        report.changed_manually(&manual);
    } else if ambient::caller() == Caller::HookOff && report.shell.role.is_none() {
        report.shell.state = "off";
        report.next = "nothing, because awsrole is off: `awsrole on` activates it in this shell".to_owned();
    }
    let missing = super::this_shell::missing(&outer)
        .filter(|_| report.approval.starts_with("allowed") && report.shell.role.is_none())
        // The hook for single commands of agents blocks a shell, too, and doesn't call awsrole.
        .filter(|_| !ambient::is_of_agent() || report.shell.state != "blocked");
    if let Some(missing) = &missing {
        report.next = format!("nothing in this shell, which has no hook: {missing}");
    }
    report.problem = report.problem.map(|problem| for_reader(&super::target::with_options(problem, &options)));
    if json {
        let text = to_json(&report)?;
        out(&(text + "\n"))?;
        return Ok(Outcome::Done);
    }
    let color = may_color(&io::stdout());
    let paint = |code: &str, text: &str| if color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() };
    let mut text = String::new();
    for (title, lines) in report.sections(&outer, &|text| local_time::of_text(text, context.now)) {
        let protected = report.chain.as_ref().is_some_and(|chain| chain.protected);
        let is_bad = matches!(title, "problem" | "overrides")
            || title == "next" && missing.is_some()
            || title == "role" && protected;
        let title_color = if is_bad { "1;31" } else { "1" };
        for (index, (label, line)) in lines.iter().enumerate() {
            let head = if index == 0 { format!("{title:<9}") } else { " ".repeat(9) };
            let label = if label.is_empty() { String::new() } else { format!("{label:<10}") };
            let indent = if label.is_empty() && index > 0 && title == "chain" { " ".repeat(10) } else { String::new() };
            let column = head.len() + label.len() + indent.len();
            let line = fit_below(column, &escape(line), &io::stdout());
            text += &format!("{}{}{indent}{line}\n", paint(title_color, &head), paint("2", &label));
        }
    }
    out(&text)?;
    Ok(Outcome::Done)
}
