//! Decides which state a shell in a directory gets.
//!
//! | case | what the shell holds |
//! |---|---|
//! | no file, or a denied one | the chosen profile's role, else the outer environment, silently |
//! | a file that was never allowed | as without a file, and one line that names `awsrole allow` |
//! | an approved file | its role |
//! | an edited file, a refusal, no network, an expired session | placeholders, with which every AWS client fails |

mod decide;
mod entering;
mod evaluate;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::aws::mfa::NotConfirmed;
use crate::base::agent::{self, Agent};
use crate::base::context::Context;
use crate::base::problem::Problem;
use crate::session::fetch::{Providers, fetch};
use crate::session::history::HistoryEntry;
use crate::session::lookup::{Lookup, lookup};
use crate::settings::user_config::Settings;
use crate::shell::choice::Choices;
use crate::shell::confirm;
use crate::shell::environment::EnvDiff;
use crate::shell::state::{Chosen, ChosenProfile, OuterEnv, Unproven};

use self::decide::{Decided, decide};
pub use self::entering::{END_PROFILE, LAST_MINUTE};
use self::entering::{Entering, with_profile};
pub use self::evaluate::{agent_limits, evaluate_directory, plan_role};

/// Interval after which a blocked shell retries at a prompt. The user may have fixed the cause in another terminal.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Remaining lifetime below which awsrole warns, once, that a role cannot be renewed.
const ENDING: Duration = Duration::from_secs(60);

/// Why a shell requests a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The user changed the directory, or typed an awsrole command.
    Cd,
    /// The shell noticed a change at a prompt.
    Prompt,
    /// The role is due for renewal.
    Due,
    /// A blocked shell retries.
    Retry,
    /// A credential variable was changed manually.
    Changed,
    /// The request is the background renewal itself. No shell waits for it.
    Renewal,
}

impl Event {
    /// The events that a shell can send, by their names in the protocol. `Renewal` isn't one of them.
    pub const BY_NAME: [(&'static str, Self); 5] = [
        ("cd", Self::Cd),
        ("prompt", Self::Prompt),
        ("due", Self::Due),
        ("retry", Self::Retry),
        ("changed", Self::Changed),
    ];

    /// Returns the name in the protocol. `Renewal` has none.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::BY_NAME.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }

    /// Parses an event's name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::BY_NAME.iter().find(|(known, _)| *known == name).map(|(_, event)| *event)
    }
}

/// Result of a decision: how a shell's environment changes.
pub struct Export {
    /// Remaining variables of a role whose keys the user changed manually ([`crate::shell::manual_change`]).
    pub unset: Vec<&'static str>,
    /// Prior values that a nested shell takes over.
    pub adopt: Vec<(String, Option<OsString>)>,
    /// The new state.
    pub change: Change,
    /// Time at which the shell must request a new decision even if nothing changed.
    pub deadline: Option<SystemTime>,
    /// The choice that a nested shell inherits from its parent, as a word of [`Choices`]. Empty if the shell's choice
    /// has ended.
    pub chosen: Option<String>,
    /// The chosen profile that a nested shell inherits, as a word of [`Choices`].
    pub chosen_profile: Option<String>,
    /// Number of files, from the nearest, on which the decision depends.
    pub depth: usize,
    /// Contents of the files that were read, nearest first.
    pub texts: Vec<String>,
    /// The role is due for renewal. The snippet starts a background renewal, so that the prompt doesn't wait.
    pub renew: bool,
    /// The role cannot be renewed and expires within a minute. The deadline is then its expiration, so that the warning
    /// is printed only once.
    pub ending: bool,
    /// The role could not be renewed, and its present credentials are kept.
    pub kept: bool,
    /// The chosen role whose time is over, so that the shell returned to the default role.
    pub ended: Option<String>,
    /// The time at which the choice of the role ends.
    pub until: Option<SystemTime>,
    /// The error to print.
    pub problem: Option<Problem>,
    /// Notices to print although no error occurred, each one line.
    pub notices: Vec<String>,
    /// Entry to append to the history.
    pub entry: Option<HistoryEntry>,
    /// Whether this shell may have appended the same entry, because it prompted the user for the role.
    pub may_repeat: bool,
}

/// The new state.
pub enum Change {
    /// The outer environment.
    Outer,
    /// The variables of a role.
    Role(EnvDiff),
    /// Placeholders, with which every AWS client fails.
    Blocked,
    /// The user changed variables manually. awsrole sets nothing, and hides the variables below until the user leaves.
    Inactive {
        /// Variables to unset.
        hide: Vec<&'static str>,
    },
}

impl Export {
    /// Returns an export of this state, with default values for everything else.
    #[must_use]
    pub fn of(change: Change) -> Self {
        Self {
            unset: Vec::new(),
            adopt: Vec::new(),
            change,
            deadline: None,
            chosen: None,
            chosen_profile: None,
            depth: 1,
            texts: Vec::new(),
            renew: false,
            ending: false,
            kept: false,
            ended: None,
            until: None,
            problem: None,
            notices: Vec::new(),
            entry: None,
            may_repeat: false,
        }
    }
}

/// The choices of `awsrole use` that a shell has, as words of [`Choices`].
#[derive(Debug, Clone, Copy, Default)]
pub struct ChosenWords<'w> {
    /// A role of the nearest file.
    pub role: Option<&'w str>,
    /// A profile for directories without a file that applies.
    pub profile: Option<&'w str>,
}

/// Result of [`export`].
pub enum Decision<'a> {
    /// The complete decision.
    Export(Box<Export>),
    /// A role whose credentials aren't in the cache.
    Miss(Box<Pending<'a>>),
}

/// A role whose credentials must be fetched before the shell can hold it.
pub struct Pending<'a> {
    entering: Box<Entering<'a>>,
    frame: Frame,
}

impl Pending<'_> {
    /// Fetches the credentials and returns the complete decision.
    #[must_use]
    pub fn fetch(self, providers: Providers<'_>) -> Box<Export> {
        let Self { mut entering, mut frame } = self;
        if let Some(question) = entering.question.take() {
            let confirmed = providers.authenticator.confirm(&question);
            let role = entering.role.as_deref();
            let confirmed = confirmed.map_err(|why| {
                let how = match why {
                    NotConfirmed::No => confirm::in_shell_again(role),
                    NotConfirmed::NotNow | NotConfirmed::NoTerminal => confirm::in_shell(role),
                };
                confirm::not_confirmed(&entering.plan, why, &how)
            });
            match confirmed.and_then(|()| entering.record_confirmation()) {
                Ok(word) => frame.chosen = Some(word),
                Err(problem) => return frame.around(entering.end(Err(problem), (providers.clock)())),
            }
        }
        let fetched = fetch(&entering.plan, &entering.cache, providers, entering.options);
        // The fetch may have waited for the user or for a lock.
        let now = (providers.clock)();
        frame.around(entering.end(fetched.map_err(|failed| failed.problem), now))
    }
}

/// Decides which state a shell gets in a directory with these files, nearest first.
///
/// It never fails. A failure is returned as a state, because a shell that receives a state doesn't retry at every
/// prompt. It uses no network, takes no lock and never prompts. If credentials must be fetched, it returns
/// [`Decision::Miss`].
///
/// `outer` is the environment without the variables that awsrole exported. `words` are this shell's choices, which
/// `awsrole use` obtained from [`Choices`]. A nested shell without a choice inherits that of its parent. An unproven
/// choice is ignored, and the shell gets the role that `cd` assumes. A chosen profile counts only if no file applies.
#[must_use]
pub fn export<'a>(
    context: &'a Context,
    settings: &'a Settings,
    outer: &OuterEnv,
    files: &[PathBuf],
    words: ChosenWords<'_>,
    event: Event,
) -> Decision<'a> {
    let choices = Choices::of(&context.paths);
    let mut chosen = match (words.role, files.first()) {
        (Some(word), Some(file)) => Chosen::of(word, file, &choices, context.now),
        (Some(_), None) => Chosen::Nothing,
        (None, _) => outer.chosen(files, &choices, context.now),
    };
    let profile = match words.profile {
        Some(word) => ChosenProfile::of(word, &choices).map(Some),
        None => outer.chosen_profile(&choices),
    };
    let mut notices = Vec::new();
    let profile = profile.unwrap_or_else(|unproven| {
        notices.push(unproven_profile(&unproven));
        None
    });
    let mut texts = Vec::new();
    let is_inherited = words.role.is_none();
    let decided = decide(context, settings, files, (&mut chosen, is_inherited), event, &mut texts);
    let decided = match (decided, profile.as_ref(), notices.first()) {
        (decided, Some(profile), _) => with_profile(decided, profile, context, settings, event),
        (Decided::State(mut export), None, Some(notice)) if matches!(export.change, Change::Outer) => {
            export.problem.get_or_insert_with(|| Problem::new(notice.clone()));
            Decided::State(export)
        }
        (decided, None, _) => decided,
    };
    let taken_over = match &chosen {
        Chosen::Role { word: chosen, .. } if is_inherited => Some(chosen.clone()),
        // An empty word ends the choice in the shell.
        Chosen::Ended(_) => Some(String::new()),
        _ => None,
    };
    if let Chosen::Unproven(name) = &chosen {
        notices.push(unproven(name));
    }
    let chosen_profile = profile.filter(|_| words.profile.is_none()).map(|profile| profile.word);
    let agent = Agent::recognize(&context.env).map(|agent| (agent::VARIABLE.to_owned(), Some(agent.value().into())));
    let adopt = outer.adopt.iter().cloned().chain(agent).collect();
    let ended = if let Chosen::Ended(role) = chosen { Some(role) } else { None };
    let frame = Frame { adopt, chosen: taken_over, chosen_profile, texts, notices, ended };
    match decided {
        Decided::State(export) => Decision::Export(frame.around(export)),
        Decided::Enter(entering) if entering.question.is_some() => {
            Decision::Miss(Box::new(Pending { entering, frame }))
        }
        Decided::Enter(entering) => match lookup(&entering.plan, &entering.cache, entering.options) {
            Lookup::Hit(obtained) => Decision::Export(frame.around(entering.end(Ok(*obtained), context.now))),
            Lookup::Failed(problem) => Decision::Export(frame.around(entering.end(Err(problem), context.now))),
            Lookup::Miss => Decision::Miss(Box::new(Pending { entering, frame })),
        },
    }
}

/// The parts of an export that don't depend on the decision.
struct Frame {
    adopt: Vec<(String, Option<OsString>)>,
    chosen: Option<String>,
    chosen_profile: Option<String>,
    texts: Vec<String>,
    notices: Vec<String>,
    ended: Option<String>,
}

impl Frame {
    fn around(self, mut export: Box<Export>) -> Box<Export> {
        let Self { adopt, chosen, chosen_profile, texts, notices, ended } = self;
        export.notices.extend(notices);
        (export.adopt, export.texts, export.ended) = (adopt, texts, ended);
        (export.chosen, export.chosen_profile) = (chosen, chosen_profile);
        export
    }
}

/// Returns the notice that a choice in the environment has no valid proof.
#[must_use]
pub fn unproven(name: &str) -> String {
    format!("the environment selects role {name}, but awsrole did not set that: `awsrole use {name}` chooses it")
}

/// Returns the notice that a chosen profile in the environment has no valid proof.
#[must_use]
pub fn unproven_profile(Unproven(name): &Unproven) -> String {
    format!("the environment selects profile {name}, but awsrole did not set that: `awsrole use --profile` chooses one")
}
