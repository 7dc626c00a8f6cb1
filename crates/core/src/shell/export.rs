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

use crate::aws::mfa::NotConfirmed;
use crate::aws::profiles::Profiles;
use crate::base::context::{Context, Env};
use crate::base::problem::Problem;
use crate::plan::resolve::plan;
use crate::plan::role_plan::RolePlan;
use crate::project::approval::{
    Allowed, ApprovalStatus, Approvals, Holds, Refusal, Verdict, evaluate_files_and_keep_texts,
};
use crate::session::cache::{Cache, Trigger};
use crate::session::fetch::{Providers, obtain};
use crate::session::history::{HistoryEntry, Recipient};
use crate::session::lookup::{Lookup, MIN_REMAINING, ObtainOptions, Obtained, lookup};
use crate::settings::user_config::{Settings, UserConfig};
use crate::shell::choice::{self, Choices};
use crate::shell::confirm::{self, Confirmation};
use crate::shell::environment::{EnvDiff, RoleSession};
use crate::shell::generation;
use crate::shell::state::{Chosen, Outer};

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

impl Event {
    /// The events of a shell, by their names in the protocol. A renewal isn't one of them.
    pub const BY_NAME: [(&'static str, Self); 5] = [
        ("cd", Self::Cd),
        ("prompt", Self::Prompt),
        ("due", Self::Due),
        ("retry", Self::Retry),
        ("changed", Self::Changed),
    ];

    /// Reads an event's name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::BY_NAME.iter().find(|(known, _)| *known == name).map(|(_, event)| *event)
    }
}

/// What becomes of a shell's environment.
pub struct Export {
    /// What is left of a role whose keys were changed manually ([`crate::shell::manual_change`]).
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
    /// Recipient belongs into the history.
    pub entry: Option<HistoryEntry>,
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

/// What is decided for a shell.
pub enum Decision<'a> {
    /// All of it.
    Export(Box<Export>),
    /// A role whose credentials aren't in the cache.
    Miss(Box<Pending<'a>>),
}

/// A role that a shell is to hold, once its credentials have been fetched.
pub struct Pending<'a> {
    entering: Entering<'a>,
    frame: Frame,
}

impl Pending<'_> {
    /// Fetches the credentials.
    #[must_use]
    pub fn fetch(self, providers: Providers<'_>) -> Export {
        let Self { mut entering, mut frame } = self;
        if let Some(question) = entering.question.take() {
            let confirmed = providers.authenticator.confirm(&question);
            let how = confirm::in_shell(entering.role.as_deref());
            let confirmed = confirmed.map_err(|why| confirm::not_confirmed(&entering.plan, why, &how));
            match confirmed.and_then(|()| entering.record_confirmation()) {
                Ok(word) => frame.chosen = Some(word),
                Err(problem) => return frame.around(entering.end(Err(problem), (providers.clock)())),
            }
        }
        let fetched = obtain(&entering.plan, &entering.cache, providers, entering.options);
        // Fetching them may have taken a while.
        let now = (providers.clock)();
        frame.around(entering.end(fetched.map_err(|failed| failed.problem), now))
    }
}

/// Decides for a directory whose files are given, nearest first, over the outer environment. It never fails: a
/// failure is a state, and delivering it keeps the shell from trying again at every prompt. No network is used, no
/// lock taken and nobody prompted; where that doesn't suffice, the answer is a [`Decision::Miss`].
///
/// `outer` is what the environment is without what awsrole exported. `word` is the choice of this shell, as `awsrole
/// use` got it from [`Choices`]; one of the parent shell counts in a nested one. Without a proof neither counts: the
/// shell holds what `cd` enters.
#[must_use]
pub fn export<'a>(
    context: &'a Context,
    settings: &'a Settings,
    outer: &Outer,
    files: &[PathBuf],
    word: Option<&str>,
    event: Event,
) -> Decision<'a> {
    let choices = Choices::of(&context.paths);
    let chosen = match (word, files.first()) {
        (Some(word), Some(file)) => Chosen::of(word, file, &choices),
        (Some(_), None) => Chosen::Nothing,
        (None, _) => outer.chosen(files, &choices),
    };
    let mut texts = Vec::new();
    let decided = decide(context, settings, files, &chosen, event, &mut texts);
    let taken_over = match &chosen {
        Chosen::Role { word: chosen, .. } if word.is_none() => Some(chosen.clone()),
        _ => None,
    };
    let notice = match &chosen {
        Chosen::Unproven(name) => Some(unproven(name)),
        _ => None,
    };
    let frame = Frame { adopt: outer.adopt.clone(), chosen: taken_over, texts, notice };
    match decided {
        Decided::State(export) => Decision::Export(Box::new(frame.around(*export))),
        Decided::Enter(entering) if entering.question.is_some() => {
            Decision::Miss(Box::new(Pending { entering: *entering, frame }))
        }
        Decided::Enter(entering) => match lookup(&entering.plan, &entering.cache, entering.options) {
            Lookup::Hit(obtained) => Decision::Export(Box::new(frame.around(entering.end(Ok(*obtained), context.now)))),
            Lookup::Failed(problem) => {
                Decision::Export(Box::new(frame.around(entering.end(Err(problem), context.now))))
            }
            Lookup::Miss => Decision::Miss(Box::new(Pending { entering: *entering, frame })),
        },
    }
}

/// What an export says whatever is decided.
struct Frame {
    adopt: Vec<(String, Option<OsString>)>,
    chosen: Option<String>,
    texts: Vec<String>,
    notice: Option<String>,
}

impl Frame {
    fn around(self, mut export: Export) -> Export {
        export.notices.extend(self.notice);
        Export { adopt: self.adopt, chosen: self.chosen, texts: self.texts, ..export }
    }
}

/// Says that a choice isn't believed.
#[must_use]
pub fn unproven(name: &str) -> String {
    format!(
        "the environment says that role {name} was chosen, but awsrole didn't write that: `awsrole use {name}` chooses it"
    )
}

/// Looks at a directory's files with the user's approvals and rules.
pub fn look(context: &Context, settings: &Settings, files: &[PathBuf]) -> Result<(Verdict, usize), Problem> {
    look_and_keep(context, settings, files, &mut Vec::new())
}

/// The same, and the contents of the files that were read.
fn look_and_keep(
    context: &Context,
    settings: &Settings,
    files: &[PathBuf],
    texts: &mut Vec<String>,
) -> Result<(Verdict, usize), Problem> {
    let approvals = Approvals::below(&context.paths.data);
    // Where no approval is believed, settings don't count: they are likely to be the same other user's.
    let (verdict, depth) = match approvals.untrusted() {
        Some(_) => evaluate_files_and_keep_texts(files, &approvals, &UserConfig::default(), texts),
        None => evaluate_files_and_keep_texts(files, &approvals, settings.get()?, texts),
    };
    let counted = &files[..depth.min(files.len())];
    let verdict = match context.paths.inside_project(counted) {
        None => verdict,
        Some(problem) => verdict.set_aside(problem),
    };
    Ok((verdict, depth))
}

/// Plans a role of an allowed config over the outer environment.
pub fn plan_role(context: &Context, allowed: &Allowed, role: Option<&str>) -> Result<RolePlan, Problem> {
    plan(allowed, role, &Profiles::load(context)?, context)
}

/// What is known without credentials.
enum Decided<'a> {
    State(Box<Export>),
    Enter(Box<Entering<'a>>),
}

/// A state without a role.
fn state(change: Change, depth: usize, problem: Option<Problem>, now: SystemTime) -> Export {
    let deadline = matches!(change, Change::Blocked).then(|| now + LOOK_AGAIN);
    Export { deadline, depth, problem, ..Export::of(change) }
}

fn decide<'a>(
    context: &'a Context,
    settings: &'a Settings,
    files: &[PathBuf],
    chosen: &Chosen,
    event: Event,
    texts: &mut Vec<String>,
) -> Decided<'a> {
    let state = |change, depth, problem| Decided::State(Box::new(state(change, depth, problem, context.now)));
    if files.is_empty() {
        return state(Change::Outer, 0, None);
    }
    let (verdict, depth) = match look_and_keep(context, settings, files, texts) {
        Ok(looked) => looked,
        Err(problem) => return state(Change::Blocked, 1, Some(problem)),
    };
    let change = if verdict.holds(depth) == Holds::Outer { Change::Outer } else { Change::Blocked };
    match verdict {
        // What was denied needs no word, unless it blocks the shell.
        Verdict::Refused(Refusal { status: ApprovalStatus::Denied, .. })
        | Verdict::Broken { status: ApprovalStatus::Denied, .. }
            if matches!(change, Change::Outer) =>
        {
            state(change, depth, None)
        }
        Verdict::Refused(refusal) => state(change, depth, Some(refusal.problem(context))),
        Verdict::Broken { problem, .. } => state(change, depth, Some(problem)),
        Verdict::Allowed(allowed) => {
            let role = chosen.role();
            let plan = require_name(&allowed, role).and_then(|()| plan_role(context, &allowed, role));
            match plan {
                Ok(plan) => {
                    let user = settings.or_default();
                    let question = confirm::question(&allowed, role, &plan, chosen.confirmed(), &user.accounts);
                    if question.is_some() && event != Event::Cd {
                        let problem = confirm::not_confirmed(&plan, NotConfirmed::NotNow, &confirm::in_shell(role));
                        return state(Change::Blocked, depth, Some(problem));
                    }
                    let file = files.first().cloned().unwrap_or_default();
                    let entering = Entering::of(context, user, plan, file, event, depth);
                    let (role, word) = (role.map(str::to_owned), chosen.word().map(str::to_owned));
                    Decided::Enter(Box::new(Entering { role, word, question, ..entering }))
                }
                Err(problem) => state(Change::Blocked, depth, Some(back(problem, role.is_some()))),
            }
        }
    }
}

/// Adds how to get back from a role that was chosen.
fn back(problem: Problem, is_chosen: bool) -> Problem {
    if is_chosen { problem.hint("`awsrole use -` goes back to the previous role") } else { problem }
}

/// A role whose plan is known.
struct Entering<'a> {
    context: &'a Context,
    user: &'a UserConfig,
    plan: RolePlan,
    cache: Cache,
    options: ObtainOptions,
    file: PathBuf,
    /// Its name, if it was chosen by it.
    role: Option<String>,
    /// The word of [`Choices`] for it, if it was chosen by its name or confirmed.
    word: Option<String>,
    /// The question that must be answered first.
    question: Option<String>,
    event: Event,
    depth: usize,
}

impl<'a> Entering<'a> {
    fn of(
        context: &'a Context,
        user: &'a UserConfig,
        plan: RolePlan,
        file: PathBuf,
        event: Event,
        depth: usize,
    ) -> Self {
        let trigger = if event == Event::Cd { Trigger::User } else { Trigger::Background };
        let allow_stale = event != Event::Renewal;
        let options = ObtainOptions { trigger, allow_stale, ..ObtainOptions::interactive(context.now) };
        let cache = Cache::open(context, user.key);
        Self { context, user, plan, cache, options, file, role: None, word: None, question: None, event, depth }
    }

    /// Records that the role was confirmed, and returns the word for it.
    fn record_confirmation(&mut self) -> Result<String, Problem> {
        let role = self.role.as_deref().unwrap_or(choice::DEFAULT);
        let word = Choices::of(&self.context.paths).word(&self.file, role, Some(Confirmation::of(&self.plan)));
        let word = word.map_err(|error| Problem::new("cannot record the confirmation").because(error))?;
        self.word = Some(word.clone());
        Ok(word)
    }

    /// The state with the credentials, or without them.
    fn end(&self, obtained: Result<Obtained, Problem>, now: SystemTime) -> Export {
        obtained
            .and_then(|obtained| self.holding(obtained, now))
            .unwrap_or_else(|problem| state(Change::Blocked, self.depth, Some(back(problem, self.role.is_some())), now))
    }

    fn holding(&self, obtained: Obtained, now: SystemTime) -> Result<Export, Problem> {
        let Self { context, plan, event, .. } = self;
        if obtained.mfa_prompted {
            // Shells that wait for the same code follow at their next prompt; if they can't be told,
            // they look again within half a minute.
            let _ = generation::bump(&context.paths, context.now);
        }
        let diff = EnvDiff::of_role(&RoleSession {
            plan,
            credentials: obtained.credentials.temporary(&plan.source)?,
            key: &obtained.key,
            outer: &context.env,
            file: &self.file.to_string_lossy(),
            chosen: self.word.as_deref(),
            accounts: &self.user.accounts,
        });
        let left = obtained.credentials.remaining(now);
        let end = obtained.credentials.expiration.and_then(|end| end.checked_sub(MIN_REMAINING));
        let ending = obtained.problem.is_some() && left < ENDING;
        // While a renewal is under way its result is looked for before the old credentials end.
        let soon = now + LOOK_AGAIN.min(left / 2).max(Duration::from_secs(1));
        let deadline = match &obtained.problem {
            None if !obtained.due => obtained.credentials.renew_at(),
            _ if ending => end,
            _ => end.map(|end| end.min(soon)),
        };
        let what = match event {
            Event::Cd | Event::Prompt | Event::Retry => Some(Recipient::Entered),
            // A shell that takes a renewed session over enters nothing.
            Event::Due | Event::Renewal | Event::Changed => obtained.fresh.then_some(Recipient::Renewed),
        };
        let notices = if obtained.fresh { obtained.notices(plan) } else { Vec::new() };
        Ok(Export {
            entry: what.map(|what| HistoryEntry::of(what, context, plan, &obtained)),
            deadline,
            depth: self.depth,
            renew: obtained.due && obtained.problem.is_none(),
            ending,
            problem: obtained.problem,
            notices,
            ..Export::of(Change::Role(diff))
        })
    }
}

/// Checks that a role with `manual` was selected by its name.
pub fn require_name(allowed: &Allowed, role: Option<&str>) -> Result<(), Problem> {
    let (name, keys) = allowed.config().select(role)?;
    match name {
        _ if keys.manual != Some(true) || role.is_some() => Ok(()),
        Some(name) => Err(Problem::new(format!("role {name} is entered by its name alone"))
            .hint(format!("`awsrole use {name}` enters it, and `awsrole exec --role {name}`"))),
        None => Err(Problem::new(format!(
            "{}: a role that is entered by its name alone needs one",
            allowed.config().origin(None, "manual")
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
