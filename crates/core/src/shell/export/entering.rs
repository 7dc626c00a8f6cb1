//! A role whose plan is known, of a project or of the chosen profile, on its way into a shell.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::decide::{Decided, state};
use super::{Change, ENDING, Event, Export, LOOK_AGAIN};
use crate::aws::mfa::{ConfirmPrompt, NotConfirmed};
use crate::aws::profiles::Profiles;
use crate::base::context::Context;
use crate::base::problem::Problem;
use crate::plan::guard::Guard;
use crate::plan::requester::Requester;
use crate::plan::role_plan::RolePlan;
use crate::session::cache::{Cache, Trigger};
use crate::session::history::{History, HistoryEntry, Recipient};
use crate::session::lookup::{MIN_REMAINING, ObtainOptions, Obtained};
use crate::settings::user_config::{Settings, UserConfig};
use crate::shell::choice::{self, Choices, Terms};
use crate::shell::confirm::{Confirmation, not_confirmed, question};
use crate::shell::environment::{EnvDiff, RoleSession};
use crate::shell::generation;
use crate::shell::state::ChosenProfile;

/// Remaining time of a choice from which awsrole warns that it ends.
pub const LAST_MINUTE: Duration = Duration::from_secs(60);

/// The age up to which `awsrole use` may just have fetched a session.
const JUST_FETCHED: Duration = Duration::from_secs(60);

/// A role whose plan is known.
pub(super) struct Entering<'a> {
    pub(super) context: &'a Context,
    pub(super) user: &'a UserConfig,
    pub(super) plan: RolePlan,
    pub(super) cache: Cache,
    pub(super) options: ObtainOptions,
    pub(super) file: PathBuf,
    /// The role's name, if the user chose it by name.
    pub(super) role: Option<String>,
    /// The word of [`Choices`], if the user chose the role by name or confirmed it.
    pub(super) word: Option<String>,
    /// The time at which the choice ends.
    pub(super) until: Option<SystemTime>,
    /// Whether the shell returns to the default role, because its choice has ended.
    pub(super) after_choice: bool,
    /// The word of [`Choices`] for the chosen profile.
    pub(super) profile: Option<String>,
    /// Whether the role is that of the chosen profile.
    pub(super) is_profile: bool,
    /// The error of the file that doesn't apply, if the role is that of the chosen profile.
    pub(super) beneath: Option<Problem>,
    /// The question that must be answered first.
    pub(super) question: Option<ConfirmPrompt>,
    pub(super) event: Event,
    pub(super) depth: usize,
    /// The copies of the two AWS files, if the project wants them.
    pub(super) aws_files: Option<[String; 2]>,
}

impl<'a> Entering<'a> {
    pub(super) fn of(
        context: &'a Context,
        user: &'a UserConfig,
        plan: RolePlan,
        file: PathBuf,
        event: Event,
        depth: usize,
    ) -> Box<Self> {
        let trigger = if event == Event::Cd { Trigger::User } else { Trigger::Background };
        let allow_stale = event != Event::Renewal;
        let options = ObtainOptions { trigger, allow_stale, ..ObtainOptions::interactive(context.now) };
        let cache = Cache::open(context, user.key);
        Box::new(Self {
            context,
            user,
            plan,
            cache,
            options,
            file,
            role: None,
            word: None,
            until: None,
            after_choice: false,
            profile: None,
            is_profile: false,
            beneath: None,
            question: None,
            event,
            depth,
            aws_files: None,
        })
    }

    /// Records that the role was confirmed, and returns the word for it.
    pub(super) fn record_confirmation(&mut self) -> Result<String, Problem> {
        let role = self.role.as_deref().unwrap_or(choice::DEFAULT);
        let terms = Terms { confirmed: Some(Confirmation::of(&self.plan)), until: self.until };
        let word = Choices::of(&self.context.paths).word(&self.file, role, terms);
        let word = word.map_err(|error| Problem::new("cannot record the confirmation").because(error))?;
        self.word = Some(word.clone());
        Ok(word)
    }

    /// Returns the state with the credentials, or a blocked one if there are none.
    pub(super) fn end(&self, obtained: Result<Obtained, Problem>, now: SystemTime) -> Box<Export> {
        obtained.and_then(|obtained| self.holding(obtained, now)).unwrap_or_else(|problem| {
            let problem =
                if self.is_profile { problem.way_back(END_PROFILE) } else { back(problem, self.role.is_some()) };
            state(Change::Blocked, self.depth, Some(problem), now)
        })
    }

    /// Returns whether `awsrole use` fetched the session just before this shell requested it. Such a session isn't in
    /// the history yet.
    fn was_fetched_ahead(&self, obtained: &Obtained) -> bool {
        let chosen = self.is_profile || self.role.is_some();
        let age = self.context.now.duration_since(obtained.credentials.issued).unwrap_or_default();
        let history = || History::in_dir(&self.context.paths.state);
        chosen
            && self.event == Event::Cd
            && age < JUST_FETCHED
            && !history().has_lately(&obtained.credentials.access_key_id)
    }

    fn holding(&self, obtained: Obtained, now: SystemTime) -> Result<Box<Export>, Problem> {
        let Self { context, plan, event, .. } = self;
        if obtained.prompted {
            // Other shells that wait for this MFA code continue at their next prompt. If `bump` fails, they retry
            // within half a minute.
            let _ = generation::bump(&context.paths, context.now);
        }
        let diff = EnvDiff::of_role(&RoleSession {
            plan,
            credentials: obtained.credentials.temporary(&plan.source)?,
            key: &obtained.key,
            outer: &context.env,
            file: &self.file.to_string_lossy(),
            chosen: self.word.as_deref(),
            profile: self.profile.as_deref(),
            accounts: &self.user.accounts,
            aws_files: self.aws_files.as_ref(),
            until: self.until,
        });
        let left = obtained.credentials.remaining(now);
        let end = obtained.credentials.expiration.and_then(|end| end.checked_sub(MIN_REMAINING));
        let ending = obtained.problem.is_some() && left < ENDING;
        // During a background renewal the shell looks for its result before the old credentials expire.
        let soon = now + LOOK_AGAIN.min(left / 2).max(Duration::from_secs(1));
        let deadline = match &obtained.problem {
            None if !obtained.due => obtained.credentials.renew_at(),
            _ if ending => end,
            _ => end.map(|end| end.min(soon)),
        };
        let choice_ends = self.until.is_some_and(|until| until <= now + LAST_MINUTE);
        let deadline = match self.until {
            // In the last minute the shell looks once more, at the end, so that it warns once.
            Some(until) if choice_ends => Some(end.map_or(until, |end| end.min(until))),
            Some(until) => [Some(until - LAST_MINUTE), deadline].into_iter().flatten().min(),
            None => deadline,
        };
        let what = match event {
            Event::Cd | Event::Prompt | Event::Retry => Some(Recipient::Assumed),
            Event::Due if self.after_choice => Some(Recipient::Assumed),
            // A shell that picks up a renewed session doesn't receive a new role.
            Event::Due | Event::Renewal | Event::Changed => obtained.fresh.then_some(Recipient::Renewed),
        };
        let notices = if obtained.fresh { obtained.notices(plan) } else { Vec::new() };
        Ok(Box::new(Export {
            entry: what.map(|what| HistoryEntry {
                new: obtained.fresh || self.was_fetched_ahead(&obtained),
                profile: plan.profile.clone().filter(|_| self.is_profile),
                ..HistoryEntry::of(what, context, plan, &obtained)
            }),
            deadline,
            depth: self.depth,
            until: self.until,
            renew: obtained.due && obtained.problem.is_none() && !choice_ends,
            ending,
            kept: obtained.problem.is_some(),
            may_repeat: *event == Event::Prompt && plan.may_prompt(),
            problem: obtained.problem.or_else(|| self.beneath.clone()),
            notices,
            ..Export::of(Change::Role(diff))
        }))
    }
}

/// Replaces the outer environment by the role of the chosen profile. All other decisions are the project's.
///
/// It is marked as cold so that its large values aren't on the stack of every export.
#[cold]
pub(super) fn with_profile<'a>(
    decided: Decided<'a>,
    ChosenProfile { profile, word, confirmed }: &ChosenProfile,
    context: &'a Context,
    settings: &'a Settings,
    event: Event,
) -> Decided<'a> {
    let outside = match decided {
        Decided::State(export) if matches!(export.change, Change::Outer) => export,
        Decided::State(export) => return Decided::State(export),
        Decided::Enter(mut entering) => {
            entering.profile = Some(word.clone());
            return Decided::Enter(entering);
        }
    };
    let planned = settings.get().and_then(|user| {
        let profiles = Profiles::load(context)?;
        let plan = profile.plan(&profiles, context, &Requester::of(context, settings)?)?;
        match question(&Guard::of_profile(&plan, &user.accounts), &plan, *confirmed, &user.accounts) {
            Some(_) => {
                let how = format!("`awsrole use --profile={}` asks", profile.name());
                Err(not_confirmed(&plan, NotConfirmed::NotNow, &how))
            }
            None => Ok((plan, profile.file(&profiles, context))),
        }
    });
    match planned {
        Ok((plan, file)) => {
            let mut entering = Entering::of(context, settings.or_default(), plan, file, event, outside.depth);
            entering.profile = Some(word.clone());
            entering.is_profile = true;
            entering.beneath = outside.problem;
            Decided::Enter(entering)
        }
        Err(problem) => {
            let problem = problem.hint(END_PROFILE);
            Decided::State(state(Change::Blocked, outside.depth, Some(problem), context.now))
        }
    }
}

/// The hint how to leave a chosen profile.
pub const END_PROFILE: &str = "`awsrole use --none` ends the use of this profile, `use -` goes back";

/// Adds the hint how to leave a role that the user chose.
pub(super) fn back(problem: Problem, is_chosen: bool) -> Problem {
    if is_chosen {
        problem.way_back("`awsrole use -` returns to the previous role, `--none` to the default")
    } else {
        problem
    }
}
