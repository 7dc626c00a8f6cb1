//! What a shell in a directory should hold: the table of states.
//!
//! | state | what the shell holds |
//! |---|---|
//! | no file, or a denied one | the outer environment, silently |
//! | a file that was never allowed | the outer environment, and one line that names `awsrole allow` |
//! | a file in force | its role |
//! | edited since, refused, unreachable, expired | blocked: no client acts as anybody |

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::cache::{Cache, Patience};
use crate::choice::{self, Choices};
use crate::context::{Context, Env};
use crate::environment::{EnvDiff, Got};
use crate::generation;
use crate::history::{Entry, What};
use crate::obtain::{LAST_SECOND, Outside, Wish, obtain};
use crate::plan::RolePlan;
use crate::problem::Problem;
use crate::profiles::Profiles;
use crate::resolve::plan;
use crate::state::{Chosen, Outer};
use crate::trust::{Allowed, Approvals, Holds, Refusal, Standing, Verdict, vet_and_keep};
use crate::user_config::UserConfig;

/// How soon a blocked directory is looked at again, at a prompt: what blocks it may have been fixed
/// in another terminal.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// With so little left of a role that can't be renewed, it is said, once.
const ENDING: Duration = Duration::from_secs(60);

/// Why a shell asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Someone changed directory, or typed a command of awsrole's.
    Cd,
    /// Something changed, seen at a prompt.
    Prompt,
    /// The role is due for renewal.
    Due,
    /// A blocked directory is looked at again.
    Retry,
    /// A credential variable was changed manually.
    Changed,
    /// Nobody waits: this is the renewal itself.
    Renewal,
}

/// What becomes of a shell's environment.
pub struct Export {
    /// What is left of a role whose keys were changed manually ([`crate::manual_change`]).
    pub unset: Vec<&'static str>,
    /// Prior values that a nested shell takes over.
    pub adopt: Vec<(String, Option<OsString>)>,
    /// The new state.
    pub change: Change,
    /// When the shell should ask again although nothing changed.
    pub deadline: Option<SystemTime>,
    /// The choice that a nested shell takes over from its parent, as a word of [`Choices`].
    pub chosen: Option<String>,
    /// How many of the files count.
    pub depth: usize,
    /// The contents of the files as far as they were read, nearest first.
    pub texts: Vec<String>,
    /// The role is due: somebody must renew it while the prompt stays free.
    pub renew: bool,
    /// The role can't be renewed, and ends within a minute. The deadline is its end then: nothing
    /// else happens before, so that it is said once.
    pub ending: bool,
    /// What a person should be told.
    pub problem: Option<Problem>,
    /// What a person should be told although all is well; each one line.
    pub notices: Vec<String>,
    /// What belongs into the history.
    pub entry: Option<Entry>,
}

/// The new state.
pub enum Change {
    /// The environment without awsrole.
    Outer,
    /// A role.
    Role(EnvDiff),
    /// No client acts as anybody.
    Blocked,
    /// Nothing of ours: the user's own values, and the others are hidden until the user leaves.
    HandsOff {
        /// Variables to unset.
        hide: Vec<&'static str>,
    },
}

impl Export {
    /// Returns a new state with nothing else.
    #[must_use]
    pub fn of(change: Change) -> Self {
        Self {
            unset: Vec::new(),
            adopt: Vec::new(),
            change,
            deadline: None,
            chosen: None,
            depth: 1,
            texts: Vec::new(),
            renew: false,
            ending: false,
            problem: None,
            notices: Vec::new(),
            entry: None,
        }
    }
}

/// Decides for a directory whose files are given, nearest first, over the outer environment. It
/// never fails: a failure is a state too, and delivering it keeps the shell from trying again at
/// every prompt. `outer` is what the environment is without what awsrole exported. `word` is the choice of this shell, as
/// `awsrole use` got it from [`Choices`]; one of the parent shell holds in a nested one. Without a proof neither counts:
/// the shell holds what `cd` enters.
#[must_use]
pub fn export(
    context: &Context,
    outer: &Outer,
    files: &[PathBuf],
    word: Option<&str>,
    event: Event,
    outside: Outside<'_>,
) -> Export {
    let choices = Choices::of(&context.paths);
    let chosen = match (word, files.first()) {
        (Some(word), Some(file)) => match choices.role(file, word) {
            Some(role) => Chosen::Role { role: role.to_owned(), word: word.to_owned() },
            None => Chosen::Unproven(choice::name(word).unwrap_or(word).to_owned()),
        },
        (Some(_), None) => Chosen::Nothing,
        (None, _) => outer.chosen(files, &choices),
    };
    let mut texts = Vec::new();
    let mut decided = decide(context, files, &chosen, event, outside, &mut texts);
    if let Chosen::Unproven(name) = &chosen {
        decided.notices.push(unproven(name));
    }
    let taken_over = match chosen {
        Chosen::Role { word: chosen, .. } if word.is_none() => Some(chosen),
        _ => None,
    };
    Export { adopt: outer.adopt.clone(), chosen: taken_over, texts, ..decided }
}

/// Says that a choice isn't believed.
#[must_use]
pub fn unproven(name: &str) -> String {
    format!(
        "the environment says that role {name} was chosen, but awsrole didn't write that: `awsrole use {name}` chooses it"
    )
}

/// Looks at a directory's files with the user's approvals and rules.
pub fn look(context: &Context, files: &[PathBuf]) -> Result<(Verdict, usize), Problem> {
    let (verdict, depth, _) = look_with_settings(context, files, &mut Vec::new())?;
    Ok((verdict, depth))
}

/// The same, and the user's settings.
fn look_with_settings(
    context: &Context,
    files: &[PathBuf],
    texts: &mut Vec<String>,
) -> Result<(Verdict, usize, UserConfig), Problem> {
    let approvals = Approvals::below(&context.paths.data);
    // Where no approval is believed, settings need not be read: they are likely to be the same other user's.
    let user = match approvals.untrusted() {
        Some(_) => UserConfig::default(),
        None => UserConfig::load(context)?,
    };
    let (verdict, depth) = vet_and_keep(files, &approvals, &user, texts);
    let counted = &files[..depth.min(files.len())];
    let verdict = match context.paths.inside_project(counted) {
        None => verdict,
        Some(problem) => verdict.set_aside(problem),
    };
    Ok((verdict, depth, user))
}

/// Plans a role of an allowed config over the outer environment.
pub fn plan_of(context: &Context, allowed: &Allowed, role: Option<&str>) -> Result<RolePlan, Problem> {
    plan(allowed, role, &Profiles::load(context)?, context)
}

fn decide(
    context: &Context,
    files: &[PathBuf],
    chosen: &Chosen,
    event: Event,
    outside: Outside<'_>,
    texts: &mut Vec<String>,
) -> Export {
    let state = |change, depth, problem| {
        let deadline = matches!(change, Change::Blocked).then(|| (outside.clock)() + LOOK_AGAIN);
        Export { deadline, depth, problem, ..Export::of(change) }
    };
    if files.is_empty() {
        return state(Change::Outer, 0, None);
    }
    let (verdict, depth, user) = match look_with_settings(context, files, texts) {
        Ok(looked) => looked,
        Err(problem) => return state(Change::Blocked, 1, Some(problem)),
    };
    let change = if verdict.holds(depth) == Holds::Outer { Change::Outer } else { Change::Blocked };
    match verdict {
        // What was denied needs no word, unless it blocks the shell.
        Verdict::Refused(Refusal { standing: Standing::Denied, .. })
        | Verdict::Broken { standing: Standing::Denied, .. }
            if matches!(change, Change::Outer) =>
        {
            state(change, depth, None)
        }
        Verdict::Refused(refusal) => state(change, depth, Some(refusal.problem(context))),
        Verdict::Broken { problem, .. } => state(change, depth, Some(problem)),
        Verdict::Allowed(allowed) => match enter(context, &allowed, &user, files, chosen, event, outside) {
            Ok(entered) => Export { depth, ..entered },
            Err(problem) if chosen.role().is_some() => {
                state(Change::Blocked, depth, Some(problem.hint("`awsrole use -` goes back to the default role")))
            }
            Err(problem) => state(Change::Blocked, depth, Some(problem)),
        },
    }
}

fn enter(
    context: &Context,
    allowed: &Allowed,
    user: &UserConfig,
    files: &[PathBuf],
    chosen: &Chosen,
    event: Event,
    outside: Outside<'_>,
) -> Result<Export, Problem> {
    let role = chosen.role();
    confirmed(allowed, role)?;
    let plan = plan_of(context, allowed, role)?;
    let patience = if event == Event::Cd { Patience::Asked } else { Patience::Passing };
    let wish = Wish { patience, due_will_do: event != Event::Renewal, ..Wish::asked(context.now) };
    let cache = Cache::sealed(context, user.key);
    let obtained = obtain(&plan, &cache, outside, wish).map_err(|failed| failed.problem)?;
    if obtained.asked {
        // Shells that wait for the same code follow at their next prompt; if they can't be told,
        // they look again within half a minute.
        let _ = generation::bump(&context.paths, context.now);
    }
    let file = files.first().map(|file| file.to_string_lossy()).unwrap_or_default();
    let diff = EnvDiff::of_role(&Got {
        plan: &plan,
        credentials: obtained.credentials.temporary(&plan.source)?,
        key: &obtained.key,
        outer: &context.env,
        file: &file,
        chosen: chosen.word(),
        accounts: &user.accounts,
    });
    // Getting them may have taken a while.
    let now = (outside.clock)();
    let left = obtained.credentials.remaining(now);
    let end = obtained.credentials.expiration.and_then(|end| end.checked_sub(LAST_SECOND));
    let ending = obtained.problem.is_some() && left < ENDING;
    // While a renewal is under way its result is looked for before the old credentials end.
    let soon = now + LOOK_AGAIN.min(left / 2).max(Duration::from_secs(1));
    let deadline = match &obtained.problem {
        None if !obtained.due => obtained.credentials.renew_at(),
        _ if ending => end,
        _ => end.map(|end| end.min(soon)),
    };
    let what = match event {
        Event::Cd | Event::Prompt | Event::Retry => Some(What::Entered),
        // A shell that takes a renewed session over enters nothing.
        Event::Due | Event::Renewal | Event::Changed => obtained.fresh.then_some(What::Renewed),
    };
    let notices = if obtained.fresh { obtained.notices(&plan) } else { Vec::new() };
    Ok(Export {
        entry: what.map(|what| Entry::of(what, context, &plan, &obtained)),
        deadline,
        renew: obtained.due && obtained.problem.is_none(),
        ending,
        problem: obtained.problem,
        notices,
        ..Export::of(Change::Role(diff))
    })
}

/// Checks that a role with `confirm` was asked for by its name.
pub fn confirmed(allowed: &Allowed, role: Option<&str>) -> Result<(), Problem> {
    let (name, keys) = allowed.config().select(role)?;
    match name {
        _ if keys.confirm != Some(true) || role.is_some() => Ok(()),
        Some(name) => Err(Problem::new(format!("role {name} is entered by its name alone"))
            .hint(format!("`awsrole use {name}` enters it, and `awsrole exec --role {name}`"))),
        None => Err(Problem::new(format!(
            "{}: a role that is entered by its name alone needs one",
            allowed.config().origin(None, "confirm")
        ))
        .hint("put its keys into a table [role.NAME]: `awsrole use NAME` enters it")),
    }
}

/// A context over the outer environment, for commands that a person types inside a project.
#[must_use]
pub fn over(context: &Context, outer: Env) -> Context {
    let Context { dir, env: _, now, paths, keys, host } = context;
    Context { dir: dir.clone(), env: outer, now: *now, paths: paths.clone(), keys: keys.clone(), host: *host }
}
