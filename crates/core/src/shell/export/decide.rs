//! Decides as far as it is possible without credentials.

use std::path::PathBuf;
use std::time::SystemTime;

use super::entering::{Entering, back};
use super::evaluate::evaluate_directory_and_keep_texts;
use super::{Change, Event, Export, LOOK_AGAIN};
use crate::aws::mfa::NotConfirmed;
use crate::aws::profiles::Profiles;
use crate::base::context::Context;
use crate::base::problem::Problem;
use crate::plan::guard::Guard;
use crate::plan::requester::Requester;
use crate::plan::resolve::plan;
use crate::project::approval::{Allowed, ShellState, Verdict};
use crate::settings::user_config::Settings;
use crate::shell::confirm;
use crate::shell::role_profiles;
use crate::shell::state::Chosen;

/// A decision as far as it is possible without credentials.
pub(super) enum Decided<'a> {
    State(Box<Export>),
    Enter(Box<Entering<'a>>),
}

/// Returns a state without a role.
pub(super) fn state(change: Change, depth: usize, problem: Option<Problem>, now: SystemTime) -> Box<Export> {
    let deadline = matches!(change, Change::Blocked).then(|| now + LOOK_AGAIN);
    Box::new(Export { deadline, depth, problem, ..Export::of(change) })
}

/// Decides which state a directory with these files gets, and updates the choice to what the nearest file allows.
pub(super) fn decide<'a>(
    context: &'a Context,
    settings: &'a Settings,
    files: &[PathBuf],
    (chosen, is_inherited): (&mut Chosen, bool),
    event: Event,
    texts: &mut Vec<String>,
) -> Decided<'a> {
    let state = |change, depth, problem| Decided::State(state(change, depth, problem, context.now));
    if files.is_empty() {
        return state(Change::Outer, 0, None);
    }
    let (verdict, depth) = match evaluate_directory_and_keep_texts(context, settings, files, texts) {
        Ok(looked) => looked,
        Err(problem) => return state(Change::Blocked, 1, Some(problem)),
    };
    let change = if verdict.holds(depth) == ShellState::Outer { Change::Outer } else { Change::Blocked };
    match verdict {
        verdict if verdict.is_silent(depth) => state(change, depth, None),
        Verdict::Refused(refusal) => state(change, depth, Some(refusal.problem(context))),
        Verdict::Broken { problem, .. } => state(change, depth, Some(problem)),
        Verdict::Allowed(allowed) => {
            let file = files.first().cloned().unwrap_or_default();
            let entered = enter(context, settings, &allowed, file, (chosen, is_inherited), event, depth);
            entered.unwrap_or_else(|problem| state(Change::Blocked, depth, Some(problem)))
        }
    }
}

/// Plans the role of an approved file.
///
/// # Errors
/// Fails with the problem of a blocked shell.
fn enter<'a>(
    context: &'a Context,
    settings: &'a Settings,
    allowed: &Allowed,
    file: PathBuf,
    (chosen, is_inherited): (&mut Chosen, bool),
    event: Event,
    depth: usize,
) -> Result<Decided<'a>, Problem> {
    let requester = Requester::of(context, settings)?;
    *chosen = std::mem::replace(chosen, Chosen::Nothing).within(allowed.config());
    if is_inherited {
        *chosen = std::mem::replace(chosen, Chosen::Nothing).inherited_by(&requester, allowed.config());
    }
    let user = settings.or_default();
    let planned = requester.role(allowed.config(), chosen.role()).and_then(|role| {
        Guard::of_file(allowed.config(), role).require_name(allowed, role)?;
        let profiles = Profiles::load(context)?;
        let plan = plan(allowed, role, &profiles, context, &requester)?;
        let guard = Guard::of_role(allowed, role, &plan, &user.accounts);
        guard.require_name(allowed, role)?;
        Ok((role, plan, guard, role_profiles::write(context, allowed, role, &profiles)?))
    });
    let (role, plan, guard, aws_files) = planned.map_err(|problem| back(problem, chosen.role().is_some()))?;
    let terms = chosen.terms();
    let question = confirm::question(&guard, &plan, terms.confirmed, &user.accounts);
    if question.is_some() && event != Event::Cd {
        return Err(confirm::not_confirmed(&plan, NotConfirmed::NotNow, &confirm::in_shell(role)));
    }
    let mut entering = Entering::of(context, user, plan, file, event, depth);
    entering.role = role.map(str::to_owned);
    entering.word = chosen.word().map(str::to_owned);
    entering.until = terms.until;
    entering.after_choice = matches!(chosen, Chosen::Ended(_));
    entering.question = question;
    entering.aws_files = aws_files;
    Ok(Decided::Enter(entering))
}
