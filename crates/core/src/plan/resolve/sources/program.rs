//! Checks that a `credential_process` doesn't lead back to the profile that it is for.

use crate::aws::profiles::Profile;
use crate::aws::source::running_programs;
use crate::base::problem::Problem;
use crate::plan::resolve::{Chain, ChainNode, Resolver};
use crate::project::approval;
use crate::project::discover::upward;

/// The number of projects that are followed from one `credential_process` to the next.
const MAX_PROJECTS: usize = 10;

impl<'p> Resolver<'p> {
    /// Checks that a program doesn't lead back to the profile that it is for. Otherwise each awsrole would start the
    /// next one.
    ///
    /// A program that calls awsrole for a profile is followed here, so that the error is that of the command itself.
    /// In all other cases the awsrole that the program starts finds the profile in its environment.
    pub(super) fn check_program(&self, profile: Profile<'p>, chain: &mut Chain<'p>) -> Result<(), Problem> {
        let running = running_programs(&self.context.env);
        let running: Vec<&str> = running.chain(chain.callers.iter().copied()).collect();
        if let Some(first) = running.iter().position(|name| *name == profile.name) {
            chain.is_circular = true;
            return Err(Problem::new(format!(
                "{}: this credential_process leads back to itself: {} → {}",
                profile.origin("credential_process"),
                running[first..].join(" → "),
                profile.name
            ))
            .hint("it runs awsrole for the same profile, or in a directory whose source is that profile"));
        }
        if let Some(problem) = self.circular_project(profile) {
            chain.is_circular = true;
            return Err(problem);
        }
        let Some(called) = profile.called_profile().and_then(|name| self.profiles.get(&name)) else { return Ok(()) };
        let callers = chain.callers.iter().copied().chain([profile.name]).collect();
        let mut inner = Chain { callers, ..Chain::default() };
        match self.follow(&ChainNode::of(Some(called)), &mut Vec::new(), &mut inner) {
            Err(problem) if inner.is_circular => {
                chain.is_circular = true;
                Err(problem)
            }
            // Other errors are those of the program, if it is run at all.
            _ => Ok(()),
        }
    }

    /// Returns the error for a program that calls awsrole for a project whose source is the same profile, possibly by
    /// way of other such profiles.
    fn circular_project(&self, profile: Profile<'p>) -> Option<Problem> {
        let mut at = profile;
        for _ in 0..MAX_PROJECTS {
            let (dir, role) = at.called_project()?;
            let files = upward(&self.context.dir.join(self.context.expand(&dir)));
            let project = approval::Chain::read(&files).ok()?;
            let (role, keys) = project.config().select(role.as_deref()).ok()?;
            let mut named = [("source_profile", keys.source_profile.clone()), ("profile", keys.profile.clone())]
                .into_iter()
                .filter_map(|(key, name)| Some((key, name?)));
            let (key, name) = named.next()?;
            if name == profile.name {
                let place = project.config().origin(role.as_deref(), key);
                return Some(
                    Problem::new(format!("{place}: profile `{name}` leads back to itself"))
                        .because(format!("{}: it runs awsrole for a project", profile.origin("credential_process")))
                        .hint("name another profile in the project file, or remove this one"),
                );
            }
            at = self.profiles.get(&name)?;
        }
        None
    }
}
