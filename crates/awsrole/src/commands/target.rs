//! Decides which role a command uses: that of a directory's project, or of a profile of the user's own AWS files.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use awsrole_core::aws::profiles::Profiles;
use awsrole_core::aws::profiles::copies::RoleProfile;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::Problem;
use awsrole_core::plan::guard::Guard;
use awsrole_core::plan::requester::Requester;
use awsrole_core::plan::resolve::{SelectedProfile, plan};
use awsrole_core::plan::role_plan::RolePlan;
use awsrole_core::project::approval::Allowed;
use awsrole_core::project::discover::upward;
use awsrole_core::session::fetch::ObtainError;
use awsrole_core::settings::user_config::Settings;
use awsrole_core::shell::choice::{self, Choices};
use awsrole_core::shell::confirm::Confirmation;
use awsrole_core::shell::export::agent_limits;
use awsrole_core::shell::role_profiles;
use awsrole_core::shell::state::{Chosen, OuterEnv};

use super::common;
use crate::cli::{PermissionSetOptions, PlaceOptions, TargetOptions};
use crate::report::CommandError;
use awsrole_system::print::print_notice;

/// The project or profile that a command selects with `--dir` or `--profile`.
pub(super) enum Place {
    /// A project whose files are allowed.
    Project(Project),
    /// A profile, which needs no approval.
    Profile(SelectedProfile),
}

/// A directory with an allowed config.
pub(super) struct Project {
    /// The directory that was selected.
    pub(super) dir: PathBuf,
    pub(super) allowed: Box<Allowed>,
    /// The files that apply, nearest first. There is at least one.
    pub(super) files: Vec<PathBuf>,
}

impl Place {
    /// Resolves the options. Also returns the context without awsrole's exports. If `may_be_chosen` and neither option
    /// is given, a profile that this shell uses is selected.
    pub(super) fn of(
        options: PlaceOptions,
        may_be_chosen: bool,
        context: &Context,
        settings: &Settings,
    ) -> Result<(Context, Self), CommandError> {
        let named = selected(&options, context, settings)?;
        let profile = match named {
            None if may_be_chosen && options.dir.is_none() => common::profile_in_use(context, settings)?,
            named => named,
        };
        if let Some(profile) = profile {
            let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
            return Ok((outer, Self::Profile(profile)));
        }
        let dir = common::directory(options.dir, context)?;
        let allowed = common::allowed(Some(dir.clone()), context, settings);
        let (outer, allowed, files) = allowed.map_err(|mut error| {
            if upward(&dir).is_empty() {
                error.problem = error.problem.hint("`--profile NAME` selects a profile of ~/.aws/config instead");
            }
            error
        })?;
        Ok((outer, Self::Project(Project { dir, allowed, files })))
    }
}

/// Returns the profile or the permission set that the options name.
///
/// # Errors
/// Fails for an unknown account, for an invalid permission set, and if no session is named and there isn't exactly one.
pub(super) fn selected(
    options: &PlaceOptions,
    context: &Context,
    settings: &Settings,
) -> Result<Option<SelectedProfile>, Problem> {
    let PermissionSetOptions { sso_session, account, role_name } = &options.set;
    let (Some(account), Some(role_name)) = (account, role_name) else {
        return Ok(options.profile.clone().map(SelectedProfile::of_option));
    };
    let session = match sso_session {
        Some(session) => session.clone(),
        None => {
            let outer = context.with_env(OuterEnv::reconstruct(&context.env).env);
            common::only_session(&Profiles::load(&outer)?, &outer)?
        }
    };
    let account = settings.get()?.accounts.find(account, "--account")?;
    SelectedProfile::of_permission_set(&session, &account, role_name).map(Some)
}

/// Returns the options that select a role of a project, or a profile. Empty for the role of this shell or directory.
pub(super) fn selection(role: Option<&str>, dir: Option<&Path>, profile: Option<&SelectedProfile>) -> String {
    let profile = profile.map(|profile| format!("--profile={}", common::quoted(profile.name())));
    let dir = dir.map(|dir| format!("--dir {}", common::quoted(&dir.to_string_lossy())));
    let role = role.map(|role| format!("--role {}", common::quoted(role)));
    [profile, dir, role].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Returns a problem with the options of [`selection`] in its hints.
pub(super) fn with_options(problem: Problem, options: &str) -> Problem {
    match options {
        "" => problem,
        _ => problem.of_selected_role(options, &format!("awsrole exec {options} -- true")),
    }
}

/// A role that a command selects, and its plan.
pub(super) struct Target {
    /// The context without awsrole's exports. Its directory is the working directory, regardless of `--dir`.
    pub(super) outer: Context,
    pub(super) place: Place,
    /// The `[role.NAME]` that was given or chosen.
    pub(super) role: Option<String>,
    /// The options that select the same role in other commands. Empty for the role of this shell or directory.
    options: String,
    pub(super) plan: RolePlan,
    /// What must happen before the role is obtained.
    pub(super) guard: Guard,
    /// What this shell confirmed already. It may be another role.
    pub(super) confirmed: Option<Confirmation>,
    /// The time at which a shell that the command starts gives up the role.
    pub(super) until: Option<SystemTime>,
}

impl Target {
    /// Plans the role that the options select. Without `--role` and `--profile` it is the one that `awsrole use` chose
    /// in this shell, if that is a role of the same project.
    ///
    /// # Errors
    /// Fails if there is no allowed file, no such role or profile, or no valid plan, and if the environment names a
    /// role that awsrole didn't write there.
    pub(super) fn of(options: TargetOptions, context: &Context, settings: &Settings) -> Result<Self, CommandError> {
        Self::resolve(options, true, context, settings)
    }

    /// Plans the role that the options select, regardless of what `awsrole use` chose.
    pub(super) fn without_choice(
        options: TargetOptions,
        context: &Context,
        settings: &Settings,
    ) -> Result<Self, CommandError> {
        Self::resolve(options, false, context, settings)
    }

    fn resolve(
        options: TargetOptions,
        may_be_chosen: bool,
        context: &Context,
        settings: &Settings,
    ) -> Result<Self, CommandError> {
        let may_be_chosen = may_be_chosen && options.role.is_none();
        let is_named = options.place.profile.is_some() || options.place.set.account.is_some();
        let (dir, named) = (options.place.dir.clone(), options.role.clone());
        let (outer, place) = Place::of(options.place, may_be_chosen, context, settings)?;
        let requester = Requester::of(&outer, settings)?;
        let (role, chosen, plan) = match &place {
            Place::Profile(profile) => {
                let requester = requester.in_project(|| agent_limits(&outer, settings))?;
                (None, Chosen::Nothing, profile.plan(&Profiles::load(&outer)?, &outer, &requester)?)
            }
            Place::Project(Project { allowed, files, .. }) => {
                let (config, profiles) = (allowed.config(), Profiles::load(&outer)?);
                let chosen = match may_be_chosen {
                    true => common::chosen(context, files)?.within(config).inherited_by(&requester, config),
                    false => Chosen::Nothing,
                };
                let role = options.role.or_else(|| chosen.role().map(str::to_owned));
                let role = requester.role(config, role.as_deref()).map_err(CommandError::no_role)?.map(str::to_owned);
                let plan = plan(allowed, role.as_deref(), &profiles, &outer, &requester)?;
                (role, chosen, plan)
            }
        };
        // The settings may protect the account, so they must be valid.
        let accounts = &settings.get()?.accounts;
        let guard = match &place {
            Place::Project(project) => Guard::of_role(&project.allowed, role.as_deref(), &plan, accounts),
            Place::Profile(_) => Guard::of_profile(&plan, accounts),
        };
        if let Chosen::Ended(role) = &chosen {
            print_notice(format!("the time of role {role} is over: this command uses the default role"));
        }
        let confirmed = match &place {
            Place::Project(_) => chosen.terms().confirmed,
            Place::Profile(_) if is_named => None,
            Place::Profile(_) => {
                let in_use = OuterEnv::reconstruct(&context.env).chosen_profile(&Choices::of(&context.paths));
                in_use.ok().flatten().and_then(|in_use| in_use.confirmed)
            }
        };
        let until = match (&chosen, &place) {
            (Chosen::Role { terms, .. }, _) => terms.until,
            (_, Place::Project(project)) => choice::end(project.allowed.config(), role.as_deref(), outer.now),
            (_, Place::Profile(_)) => None,
        };
        let options = match &place {
            Place::Project(_) => selection(named.as_deref(), dir.as_deref(), None),
            Place::Profile(profile) => selection(None, None, Some(profile)),
        };
        Ok(Self { outer, place, role, options, plan, guard, until, confirmed })
    }

    /// Checks that the user named a project's role, if it has `manual` or belongs to a protected account. A profile is
    /// always named.
    pub(super) fn require_name(&self) -> Result<(), CommandError> {
        match &self.place {
            Place::Project(project) => {
                self.guard.require_name(&project.allowed, self.role.as_deref()).map_err(CommandError::no_role)
            }
            Place::Profile(_) => Ok(()),
        }
    }

    /// Returns the file that AWSROLE_STATE names: the project's nearest file, or the AWS file with the profile.
    pub(super) fn file(&self) -> Result<PathBuf, Problem> {
        Ok(match &self.place {
            Place::Project(project) => project.files.first().cloned().unwrap_or_default(),
            Place::Profile(profile) => profile.file(&Profiles::load(&self.outer)?, &self.outer),
        })
    }

    /// Writes the copies of the AWS files that a project with `profiles = true` gets, and returns their paths.
    pub(super) fn aws_files(&self) -> Result<Option<[String; 2]>, Problem> {
        match &self.place {
            Place::Project(project) => {
                let profiles = Profiles::load(&self.outer)?;
                role_profiles::write(&self.outer, &project.allowed, self.role.as_deref(), &profiles)
            }
            Place::Profile(_) => Ok(None),
        }
    }

    /// Returns the profiles that a project with `profiles = true` gets.
    pub(super) fn role_profiles(&self) -> Result<Vec<RoleProfile>, Problem> {
        match &self.place {
            Place::Project(project) => role_profiles::of(&self.outer, &project.allowed, &Profiles::load(&self.outer)?),
            Place::Profile(_) => Ok(Vec::new()),
        }
    }

    /// Returns the directory that the history names: that of `--dir`, or the working directory.
    pub(super) fn dir(&self) -> &Path {
        match &self.place {
            Place::Project(project) => &project.dir,
            Place::Profile(_) => &self.outer.dir,
        }
    }

    /// Converts an error of obtaining the role.
    pub(super) fn failed(&self, failed: ObtainError) -> CommandError {
        let error = CommandError::from(failed);
        CommandError { problem: self.with_options(error.problem), ..error }
    }

    /// Returns a problem of the role with the options that select it in its hints.
    pub(super) fn with_options(&self, problem: Problem) -> Problem {
        with_options(problem, &self.options)
    }

    /// Returns a command with the options that select this role, in backticks.
    pub(super) fn command(&self, command: &str) -> String {
        format!("`{}`", format!("awsrole {command} {}", self.options).trim_end())
    }

    /// Returns the profile that `--profile` names.
    pub(super) fn profile(&self) -> Option<&str> {
        match &self.place {
            Place::Project(_) => None,
            Place::Profile(profile) => Some(profile.name()),
        }
    }
}
