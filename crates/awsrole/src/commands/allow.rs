//! `awsrole allow`: shows a summary of a directory's file, asks for confirmation on a terminal, and records the
//! approval.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use awsrole_core::aws::profiles::Profiles;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::explain::summary::{Summary, assumed_by_cd, problems, summarize};
use awsrole_core::plan::requester::Requester;
use awsrole_core::project::approval::{
    ApprovalStatus, Approvals, Chain, Changed, FileChange, InMain, denied_base, untrusted_approvals,
};
use awsrole_core::settings::agent::EffectiveAgentLimits;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::generation;
use awsrole_core::shell::state::OuterEnv;

use crate::overrides;
use crate::report::{CommandError, Outcome};
use crate::terminal::Terminal;
use awsrole_system::ambient::{self, Caller};
use awsrole_system::print::{print_diff_line, print_hanging, print_line, print_notice};

/// Whether the user agrees.
#[derive(Clone, Copy)]
pub(super) enum Consent<'a> {
    /// Ask on the terminal, if there is one.
    Ask,
    /// The user agrees, regardless of the content.
    Given,
    /// The user agrees to a file with this content, which was shown. Ask for any other content.
    GivenFor(&'a str),
    /// The user changed the file from one content to the other in an editor. Ask for any other content, and for files
    /// from which it inherits, unless they are allowed already.
    GivenForEdit { before: &'a str, after: &'a str },
}

/// What happens to a file with a role that can't be assumed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// It is allowed, with a warning. Roles of others may work where they are.
    Warn,
    /// It isn't allowed.
    Refuse,
}

pub(super) fn run(
    dir: Option<PathBuf>,
    consent: Consent<'_>,
    strictness: Strictness,
    context: &Context,
    settings: &Settings,
) -> Result<Outcome, CommandError> {
    Requester::refuse_agent(context, "approve a project file")?;
    let files = super::common::files(&super::common::directory(dir, context)?, context)?;
    let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
    let approvals = Approvals::below(&context.paths.data);
    // All files that apply are read and parsed before anything is shown. The approval is for exactly this content.
    let chain = Chain::read(&files)?;
    let counted = &files[..chain.files().len()];
    if let Some(problem) = context.paths.inside_project(counted) {
        return Err(problem.into());
    }
    approvals.prepare().map_err(|untrusted| untrusted_approvals(approvals.data(), &untrusted, context))?;
    if let Some(base) = approvals.denied_base(&chain) {
        return Err(denied_base(context, &base.path, &chain.nearest().path).into());
    }
    let changes = approvals.changes(&chain);
    show_differences(&changes, "changed since it was allowed", context);
    let is_allowed = approvals.status(&chain) == ApprovalStatus::Allowed;
    let in_main = approvals.in_main(&chain).filter(|_| !is_allowed);
    if let (Some(InMain::Differs(main, differences)), true) = (&in_main, changes.is_empty()) {
        let what = format!("differs from the file that is allowed in {}", context.shorten(main));
        show_differences(differences, &what, context);
    }
    if let (Consent::GivenForEdit { before, after }, true) = (consent, changes.is_empty()) {
        print_line(format!("{} was edited:", context.shorten(&chain.nearest().path)));
        show_difference(before, after);
    }
    let show_file = || -> Result<(), Problem> {
        show_file(&chain, &outer, settings)?;
        show_elsewhere(&chain, in_main.as_ref(), &approvals, context);
        show_overrides(&files, &outer);
        Ok(())
    };
    show_summary(&chain, &outer, settings, show_file)?;
    overrides::shown::record(&files, context);
    let problems = problems(chain.config(), &Profiles::load(&outer)?, &outer)?;
    for problem in &problems {
        print_notice(format!("warning: {}", problem.summary));
        for hint in &problem.hints {
            print_line(format!("  hint: {hint}"));
        }
    }
    let nearest = context.shorten(&chain.nearest().path);
    if strictness == Strictness::Refuse && !problems.is_empty() {
        let problem = match is_allowed {
            true => still_allowed(&nearest),
            false => Problem::new(format!("{nearest} was not allowed, because of what is above")),
        };
        return Err(problem.hint("fix it, or omit `--strict`").into());
    }
    let asks = match consent {
        Consent::Ask => true,
        Consent::Given => false,
        Consent::GivenFor(text) => chain.files().len() > 1 || chain.nearest().text != text,
        Consent::GivenForEdit { after, .. } => {
            chain.nearest().text != after || !bases_are_allowed(&chain, &changes, &approvals)
        }
    };
    if asks && !agreed()? {
        return Err(match is_allowed {
            true => still_allowed(&nearest),
            false => Problem::new(format!("{nearest} was not allowed")),
        }
        .into());
    }
    approvals.allow(&chain).map_err(|e| super::common::file_problem(&e))?;
    match &chain.files()[1..] {
        [] => print_notice(format!("{nearest} is allowed")),
        bases => {
            let bases: Vec<String> = bases.iter().map(|base| context.shorten(&base.path)).collect();
            print_notice(format!("{nearest} is allowed, together with {}", bases.join(", ")));
        }
    }
    generation::bump(&context.paths, context.now).map_err(|e| super::common::file_problem(&e))?;
    match ambient::caller() {
        Caller::HookOff => super::common::print_off_notice(),
        Caller::Inactive => {
            print_notice("this shell does not change, because of a manual change: see `awsrole status`");
        }
        Caller::ReadonlyPrompt | Caller::Replaced => {
            print_notice("the hook doesn't work in this shell: `awsrole doctor` says why");
        }
        // A program that runs `awsrole allow` needs no confirmation.
        Caller::Other if io::stdin().is_terminal() => match super::this_shell::missing(&outer) {
            Some(missing) => print_notice(format!("this shell has no hook: {missing}")),
            None => print_notice("shells without the hook don't change: `awsrole doctor` checks this one"),
        },
        Caller::Hook | Caller::Other => {}
    }
    Ok(Outcome::Done)
}

/// Returns the error that a refusal doesn't end an earlier approval.
fn still_allowed(file: &str) -> Problem {
    Problem::new(format!("{file} is still allowed")).hint("`awsrole deny` ends it")
}

/// Returns whether the files from which the nearest one inherits are those that were last allowed together with it.
fn bases_are_allowed(chain: &Chain, changes: &[FileChange], approvals: &Approvals) -> bool {
    let nearest = &chain.nearest().path;
    chain.files().len() == 1
        || approvals.status(chain) == ApprovalStatus::Allowed
        || !changes.is_empty() && changes.iter().all(|change| change.path == *nearest)
}

/// Asks for confirmation. Without a terminal, running the command is sufficient.
fn agreed() -> Result<bool, Problem> {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Ok(true);
    }
    let nobody = |_| {
        Problem::new("nothing was recorded: this process is not in the foreground of the terminal")
            .hint("run it in the foreground, or add `--yes`")
    };
    Ok(Terminal::open().map_err(nobody)?.confirm("Allow?"))
}

/// Shows the content to approve: each role that can be assumed and, with `show_file`, what holds for the whole file.
/// That is above the first role, because below it would seem to be part of the last one. A file with only a nameless
/// role has no such parts.
fn show_summary(
    chain: &Chain,
    outer: &Context,
    settings: &Settings,
    show_file: impl Fn() -> Result<(), Problem>,
) -> Result<(), Problem> {
    let profiles = Profiles::load(outer)?;
    let accounts = settings.get()?.accounts.clone();
    let summaries = summarize(chain.config(), &profiles, &accounts, outer)?;
    let has_names = summaries.iter().any(|summary| summary.name.is_some());
    if has_names {
        show_file()?;
    }
    for (index, summary) in summaries.iter().enumerate() {
        if let Some(name) = &summary.name {
            print_line(format!("[role.{name}]"));
        }
        match summaries[..index].iter().find(|earlier| earlier.lines == summary.lines) {
            Some(Summary { name: Some(name), .. }) => print_line(format!("  the same as [role.{name}]")),
            Some(Summary { name: None, .. }) => print_line("  the same as the role without a name"),
            None => summary.lines.iter().for_each(|(label, text)| show_line(label, text)),
        }
    }
    if has_names { Ok(()) } else { show_file() }
}

/// Shows what holds for the whole file: the files that apply, the limits of agents, and the role that `cd` assumes.
fn show_file(chain: &Chain, outer: &Context, settings: &Settings) -> Result<(), Problem> {
    let profiles = Profiles::load(outer)?;
    let accounts = settings.get()?.accounts.clone();
    let agent = &chain.config().agent;
    if !agent.is_empty() {
        show_line("agents get", &EffectiveAgentLimits::of(agent, &[], None).summary());
    }
    let mut label = "inherits from";
    for base in &chain.files()[1..] {
        show_line(label, &outer.shorten(&base.path));
        label = "";
    }
    if chain.is_open() {
        show_line(label, "no file above this one: a new one there will need a new approval");
    }
    for file in chain.files() {
        if let Some(owner) = file.owner {
            show_line("owner", &format!("uid {owner}, another user: {}", outer.shorten(&file.path)));
        }
    }
    show_line("cd assumes", &assumed_by_cd(chain.config(), &profiles, &accounts, outer));
    Ok(())
}

/// Shows the settings of other tools with which they would ignore the role.
pub(super) fn show_overrides(files: &[PathBuf], outer: &Context) {
    const SHOWN: usize = 5;
    let found = overrides::find(files, None, outer);
    for (index, one) in found.iter().take(SHOWN).enumerate() {
        show_line(if index == 0 { "overrides" } else { "" }, &one.shown(outer));
    }
    if found.len() > SHOWN {
        show_line("", &format!("and {} more: `awsrole why` lists them", found.len() - SHOWN));
    }
}

fn show_line(label: &str, text: &str) {
    print_hanging(format!("  {label:<16}{text}"), 18);
}

/// Shows the records of the same files at other paths.
fn show_elsewhere(chain: &Chain, in_main: Option<&InMain>, approvals: &Approvals, context: &Context) {
    const SHOWN: usize = 2;
    let main = match in_main {
        None => None,
        Some(InMain::Untrusted(untrusted)) => {
            show_line("git worktree", &format!("an approval of the main worktree doesn't count: {untrusted}"));
            None
        }
        Some(InMain::Allowed(main)) => {
            show_line(
                "git worktree",
                &format!("the same file is allowed in the main worktree {}", context.shorten(main)),
            );
            Some(main)
        }
        Some(InMain::Differs(main, _)) => {
            show_line(
                "git worktree",
                &format!("another file is allowed in the main worktree {}", context.shorten(main)),
            );
            Some(main)
        }
        Some(InMain::Denied(main)) => {
            show_line("git worktree", &format!("the file was denied in the main worktree {}", context.shorten(main)));
            Some(main)
        }
    };
    let is_shown = |place: &PathBuf| main.is_some_and(|main| place.starts_with(main));
    let places: Vec<PathBuf> = approvals.same_elsewhere(chain).into_iter().filter(|place| !is_shown(place)).collect();
    for (index, place) in places.iter().take(SHOWN).enumerate() {
        let gone = if place.symlink_metadata().is_ok() { "" } else { ", which no longer exists" };
        let label = if index == 0 { "same file" } else { "" };
        show_line(label, &format!("allowed at {}{gone}", context.shorten(place)));
    }
    if places.len() > SHOWN {
        show_line("", &format!("and {} more", places.len() - SHOWN));
    }
}

/// Shows how the files differ from those that were last allowed, at the same path or in the main worktree. `what` says
/// so for a file with other content.
fn show_differences(changes: &[FileChange], what: &str, context: &Context) {
    for change in changes {
        let path = context.shorten(&change.path);
        match &change.what {
            Changed::Content => print_line(format!("{path} {what}:")),
            Changed::Removed => print_line(format!("{path} was removed or is no longer inherited:")),
            Changed::Added => print_line(format!("{path} is inherited now:")),
            Changed::Target => print_line(format!("{path} is a symbolic link and has another target now")),
            Changed::Owner(None) => print_line(format!("{path} belongs to you or to root now")),
            Changed::Owner(Some(owner)) => print_line(format!("{path} belongs to another user now (uid {owner})")),
        }
        show_difference(&change.before, &change.now);
    }
}

fn show_difference(before: &str, now: &str) {
    let difference = similar::TextDiff::from_lines(before, now);
    for line in difference.unified_diff().context_radius(1).to_string().lines() {
        print_diff_line(line);
    }
}
