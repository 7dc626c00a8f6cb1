//! `awsrole doctor`: finds problems on this machine and suggests fixes.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use awsrole_core::aws::profiles::Profiles;
use awsrole_core::base::agent::hint_for_agent;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::{Problem, escape, to_json};
use awsrole_core::explain::doctor::{Finding, Level, examine};
use awsrole_core::plan::requester::Requester;
use awsrole_core::plan::role_plan::RolePlan;
use awsrole_core::project::approval::Verdict;
use awsrole_core::project::discover::upward;
use awsrole_core::session::cache::Cache;
use awsrole_core::session::fetch::fetch_caller_arn;
use awsrole_core::session::lookup::ObtainOptions;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::export::{END_PROFILE, evaluate_directory, plan_role};
use awsrole_core::shell::long_run::sweep;
use awsrole_core::shell::state::OuterEnv;

use crate::overrides;
use crate::report::{CommandError, Outcome};
use awsrole_system::ambient::{self, Caller, may_color};
use awsrole_system::parent::parent_shell;
use awsrole_system::print::{fit_below, out};

pub(super) fn run(json: bool, context: &Context, settings: &Settings) -> Result<Outcome, CommandError> {
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let mut findings = versions(&outer);
    let this_shell = super::this_shell::examine(context, &outer);
    findings.extend(super::this_shell::programs());
    // A shell that has the hook needs no line, and the shell that has none has been judged.
    let known = ambient::caller() != Caller::Other || parent_shell().is_some();
    let others = examine(&outer, settings, known).into_iter();
    // Print the line that is missing in this shell only once.
    findings.extend(others.filter(|finding| finding.about != "startup" || finding.hint != this_shell.hint));
    findings.push(this_shell);
    findings.extend(remains(&outer));
    match super::common::profile_in_use(context, settings) {
        Ok(None) => findings.extend(here(&outer, settings)),
        Ok(Some(profile)) => {
            let text = format!("this shell uses profile {}", profile.name());
            findings.push(Finding::new(Level::Ok, "profile", text).hint(END_PROFILE));
            let planned = Profiles::load(&outer)
                .and_then(|profiles| profile.plan(&profiles, &outer, &Requester::of(&outer, settings)?));
            match planned {
                Ok(plan) => findings.extend(responses(&plan, &outer, settings)),
                Err(problem) => findings.push(bad("profile", problem)),
            }
        }
        Err(problem) => findings.push(bad("profile", problem)),
    }
    if ambient::is_of_agent() {
        for finding in &mut findings {
            finding.hint = finding.hint.take().map(hint_for_agent);
        }
    }
    // The problems are last, next to the prompt. The sort is stable.
    findings.sort_by_key(|finding| finding.level == Level::Bad);
    let bad = findings.iter().filter(|finding| finding.level == Level::Bad).count();
    if json {
        let text = to_json(&findings)?;
        out(&(text + "\n"))?;
    } else {
        let color = may_color(&io::stdout());
        out(&findings.iter().map(|finding| line(finding, color)).collect::<String>())?;
        out(&match bad {
            0 => "no problems found\n".to_owned(),
            1 => "1 problem found\n".to_owned(),
            bad => format!("{bad} problems found\n"),
        })?;
    }
    Ok(if bad == 0 { Outcome::Done } else { Outcome::Failed })
}

fn line(finding: &Finding, color: bool) -> String {
    let level = match finding.level {
        Level::Ok => "ok   ",
        Level::Note => "note ",
        Level::Bad if color => "\u{1b}[1;31mBAD\u{1b}[0m  ",
        Level::Bad => "BAD  ",
    };
    const COLUMN: usize = 17;
    let fitted = |text: &str| fit_below(COLUMN, &escape(text), &io::stdout());
    let hint = |hint: &String| format!("{:COLUMN$}{}\n", "", fitted(&format!("hint: {hint}")));
    let hint = finding.hint.as_ref().map(hint).unwrap_or_default();
    format!("{level}{:<12}{}\n{hint}", finding.about, fitted(&finding.text))
}

/// Reports what killed commands left behind. Every command removes it, but only this one reports it.
fn remains(context: &Context) -> Vec<Finding> {
    let remains = sweep(&context.paths);
    let removed = remains.removed.iter().map(|dir| {
        let text = format!("removed {}: copies of AWS files that a killed `exec --renew` left", context.shorten(dir));
        Finding::new(Level::Note, "long runs", text)
    });
    let stuck = remains.stuck.iter().map(|error| {
        Finding::new(Level::Bad, "long runs", format!("cannot remove the files of a killed `exec --renew`: {error}"))
            .hint("remove the directory manually: it may contain long-lived keys")
    });
    removed.chain(stuck).collect()
}

/// Reports the installed shells and whether the snippets support their versions.
fn versions(context: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (shell, least) in [("bash", (4, 4)), ("zsh", (5, 8)), ("fish", (3, 5))] {
        let mut command = Command::new(shell);
        command.arg("--version").env_clear().envs(&context.env.0).stdin(Stdio::null());
        let Ok(output) = command.output() else { continue };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let Some(version) = version(&text) else { continue };
        let shown = format!("{shell} {}.{}", version.0, version.1);
        findings.push(if version >= least {
            Finding::new(Level::Ok, "shell", shown)
        } else {
            Finding::new(
                Level::Note,
                "shell",
                format!("{shown} is too old: {}.{} or newer is needed", least.0, least.1),
            )
        });
    }
    findings
}

/// Returns the first `X.Y` in a text.
fn version(text: &str) -> Option<(u32, u32)> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '.')).find_map(|word| {
        let mut parts = word.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    })
}

/// Checks this directory's role: the caller, the connection to STS, and the clock.
fn here(context: &Context, settings: &Settings) -> Vec<Finding> {
    let files = upward(&context.dir);
    let Some(nearest) = files.first() else {
        return vec![Finding::new(
            Level::Note,
            "directory",
            "no .awsrole.toml here: run it in a project for more checks",
        )];
    };
    let allowed = match evaluate_directory(context, settings, &files) {
        Err(problem) | Ok((Verdict::Broken { problem, .. }, _)) => return vec![bad("directory", problem)],
        Ok((Verdict::Refused(refusal), _)) if refusal.untrusted.is_some() => {
            return vec![bad("approvals", refusal.problem(context))];
        }
        Ok((Verdict::Refused(_), _)) => {
            let text = format!("{} isn't in force", context.shorten(nearest));
            return vec![Finding::new(Level::Note, "directory", text).hint("`awsrole why` says why")];
        }
        Ok((Verdict::Allowed(allowed), _)) => allowed,
    };
    let mut findings = overridden(&files, context);
    let plan = match plan_role(context, settings, &allowed, None) {
        Ok(plan) => plan,
        Err(problem) => {
            findings.push(bad("directory", problem));
            return findings;
        }
    };
    findings.extend(responses(&plan, context, settings));
    findings
}

/// Returns the finding for an error.
fn bad(about: &str, problem: Problem) -> Finding {
    let mut finding = Finding::new(Level::Bad, about, problem.summary);
    finding.hint = (!problem.hints.is_empty()).then(|| problem.hints.join("; "));
    if let Some(cause) = problem.causes.first() {
        finding.text = format!("{}: {cause}", finding.text);
    }
    finding
}

/// Checks a plan: whether STS responds to its first caller, and whether the role was refused.
fn responses(plan: &RolePlan, context: &Context, settings: &Settings) -> Vec<Finding> {
    let cache = Cache::open(context, settings.or_default().key);
    let options = ObtainOptions::background(context.now);
    let arn = match super::providers::with_providers(context, settings, false, |providers| {
        fetch_caller_arn(plan, &cache, providers, options)
    }) {
        Ok(arn) => arn,
        Err(failed) => return vec![bad("STS", failed.problem)],
    };
    let answers = format!("{} responds, and the first caller is {arn}", plan.endpoint.shown());
    let mut findings = vec![Finding::new(Level::Ok, "STS", answers)];
    // The caller may be valid although the role is refused.
    if let Some(failure) = cache.last_failure(&cache.keys(plan), context.now) {
        let refused = Finding::new(Level::Bad, "role", failure.problem.summary);
        findings.push(refused.hint("`awsrole why` shows the request and possible causes"));
    }
    findings
}

/// Reports the settings of other tools with which they would ignore the directory's role.
fn overridden(files: &[PathBuf], context: &Context) -> Vec<Finding> {
    let found = overrides::find(files, None, context).into_iter();
    let findings = found.map(|one| {
        // The user's own kubeconfig is for all directories.
        let is_of_project = files.first().and_then(|file| file.parent()).is_some_and(|dir| one.file.starts_with(dir));
        let level = if one.effect.is_problem() && is_of_project { Level::Bad } else { Level::Note };
        Finding::new(level, "overrides", one.shown(context))
            .hint("remove the line: the exported credentials are used then")
    });
    findings.collect()
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn finds_versions_in_the_output_of_shells() {
        for (text, found) in [
            ("GNU bash, version 5.2.15(1)-release (x86_64-pc-linux-gnu)", Some((5, 2))),
            ("zsh 5.9 (x86_64-debian-linux-gnu)", Some((5, 9))),
            ("fish, version 3.6.0", Some((3, 6))),
            ("none", None),
        ] {
            assert_eq!(version(text), found);
        }
    }
}
