//! Follows a node to the source of its credentials, by the rules of the AWS CLI (botocore, `credentials.py`,
//! `AssumeRoleProvider`). The project file takes precedence over the profiles.

use super::{Chain, ChainNode, InitialSource, Resolver, sources};
use crate::aws::profiles::Profile;
use crate::base::location::Origin;
use crate::base::problem::Problem;
use crate::base::suggest::nearest;

impl<'p> Resolver<'p> {
    /// Follows a node to its source, then adds the node's own call.
    pub(super) fn follow(
        &self,
        node: &ChainNode<'p>,
        visited: &mut Vec<String>,
        chain: &mut Chain<'p>,
    ) -> Result<(), Problem> {
        chain.profiles.extend(node.profile);
        let keys = &node.keys;
        self.check_permission_set(node)?;
        if let Some(role) = &keys.source_role {
            self.source_role(node, role, visited, chain)?;
            return self.last_step(node, chain);
        }
        match InitialSource::of(keys, node.profile, &self.context.paths)? {
            InitialSource::Both(_) => return Err(two_sources(&self.origin(node, "credential_source"))),
            InitialSource::RoleAlone(profile) => return Err(role_alone(profile)),
            InitialSource::Source(source) => {
                chain.source = Some(self.credential_source(source, &self.origin(node, "credential_source"), chain)?);
            }
            InitialSource::Profile(name) => {
                if let Some(profile) = node.profile.filter(|_| name.is_empty()) {
                    return Err(sources::empty(profile, "source_profile"));
                }
                let nearer = node.profile.filter(|_| !keys.names_source());
                let mut visited: Vec<&str> = nearer.map(|profile| profile.name).into_iter().collect();
                self.source_profile(name, &self.origin(node, "source_profile"), &mut visited, chain)?;
            }
            InitialSource::PermissionSet => chain.source = Some(self.permission_set(node, chain)?),
            InitialSource::Own(profile) => self.own_source(profile, chain)?,
            InitialSource::Missing => return Err(self.missing_source_error(node)),
        }
        self.last_step(node, chain)
    }

    /// Returns the error that neither the file nor a profile names a source.
    fn missing_source_error(&self, node: &ChainNode<'p>) -> Problem {
        let keys = &node.keys;
        let at = self.origin(node, "role_arn");
        let names: Vec<&str> = self.config.role_names().collect();
        if keys.role_arn.is_none() && node.in_file == Some(None) && !names.is_empty() {
            let what = if names.len() == 1 { "no default role" } else { "several roles but no default role" };
            return Problem::new(format!("{at} has {what}"))
                .because(format!("the roles here are: {}", names.join(", ")))
                .hint(format!(
                    "add `default_role = \"{}\"` above the tables, or choose one with `awsrole use`",
                    names[0]
                ));
        }
        if keys.sso_session.is_some() {
            return self.incomplete_permission_set(node);
        }
        let missing =
            if keys.role_arn.is_some() { "which credentials assume the role" } else { "which role to assume" };
        Problem::new(format!("{at} doesn't say {missing}"))
            .hint("set `source_profile` to a profile of ~/.aws/config, or `profile` if that profile has all settings")
    }

    /// Follows another role of the same file, whose session makes the next call.
    fn source_role(
        &self,
        node: &ChainNode<'p>,
        role: &str,
        visited: &mut Vec<String>,
        chain: &mut Chain<'p>,
    ) -> Result<(), Problem> {
        let at = self.origin(node, "source_role");
        if node.keys.names_source() {
            return Err(Problem::new(format!("{at}: `source_role` and another source exclude each other")));
        }
        if node.keys.role_arn.is_none() && node.profile_text("role_arn").is_none() {
            return Err(Problem::new(format!("{at}: a role with a `source_role` needs a `role_arn`")));
        }
        visited.push(role.to_owned());
        if visited[..visited.len() - 1].iter().any(|seen| seen == role) {
            return Err(Problem::new(format!("{at}: `source_role` leads in a circle: {}", visited.join(" → "))));
        }
        self.follow(&ChainNode { is_intermediate: true, ..self.node(Some(role))? }, visited, chain)
    }

    /// Follows a source profile as the AWS CLI does (botocore, `_resolve_credentials_from_profile`).
    ///
    /// A profile with static keys, without a role, or with a web identity token provides its own credentials. Any other
    /// profile provides its role, and only its `source_profile` or `credential_source` determines who assumes it.
    fn source_profile(
        &self,
        name: &str,
        origin: &Origin,
        visited: &mut Vec<&'p str>,
        chain: &mut Chain<'p>,
    ) -> Result<(), Problem> {
        let profile = self.profile(name, origin)?;
        let has_keys = profile.has_static_keys() || self.stored_keys(profile)?.is_some();
        // A profile may name itself as the source, to use its own keys.
        let itself = visited.last() == Some(&profile.name);
        let circle = visited.contains(&profile.name) && !(itself && has_keys);
        visited.push(profile.name);
        if circle {
            return Err(Problem::new(format!("{origin}: `source_profile` leads in a circle: {}", visited.join(" → ")))
                .hint("the last profile of a chain needs credentials of its own"));
        }
        chain.profiles.push(profile);
        if has_keys || !profile.has("role_arn") || profile.has("web_identity_token_file") {
            return self.own_source(profile, chain);
        }
        match (profile.has("source_profile"), profile.has("credential_source")) {
            (true, true) => return Err(two_sources(&profile.origin("credential_source"))),
            (false, false) => return Err(role_alone(profile)),
            (true, false) => {
                let source = sources::required(profile, profile, "source_profile")?;
                self.source_profile(source, &profile.origin("source_profile"), visited, chain)?;
            }
            (false, true) => {
                let source = profile.text("credential_source").unwrap_or_default();
                chain.source = Some(self.credential_source(source, &profile.origin("credential_source"), chain)?);
            }
        }
        self.last_step(&ChainNode::of(Some(profile)), chain)
    }

    pub(super) fn profile(&self, name: &str, origin: &Origin) -> Result<Profile<'p>, Problem> {
        self.profiles.get(name).ok_or_else(|| self.no_profile(name, &format!("{origin}: ")))
    }

    pub(super) fn no_profile(&self, name: &str, origin: &str) -> Problem {
        let [config, credentials] = self.profiles.shown(self.context);
        let problem = Problem::new(format!("{origin}there is no profile `{name}`"))
            .because(format!("neither {config} nor {credentials} has it"));
        if let Some(meant) = self.profiles.almost(name) {
            return problem.because(meant);
        }
        if name.starts_with(['"', '\'']) {
            return problem.hint("in the AWS files quotes are part of the value: write the name without them");
        }
        match nearest(name, self.profiles.names().into_iter()) {
            Some(known) => problem.hint(format!("did you mean `{known}`?")),
            None => problem.hint("`aws configure list-profiles` lists the existing profiles"),
        }
    }
}

/// Adds a cause for a profile that relies on settings that only aws-vault inherits.
pub(super) fn of_aws_vault(problem: Problem, profile: Profile<'_>, other: &str) -> Problem {
    problem
        .because("only aws-vault supports `include_profile`, not the AWS CLI or SDKs")
        .hint(format!("copy the settings of `{other}` into `{}`", profile.name))
}

/// Returns the error for a role with two sources.
fn two_sources(at: &Origin) -> Problem {
    Problem::new(format!("{at}: `source_profile` and `credential_source` exclude each other"))
        .hint("keep the one whose credentials make the first call")
}

/// Returns the error for a role in a profile that doesn't name its source. The AWS CLI ignores the profile's other
/// credentials.
fn role_alone(profile: Profile<'_>) -> Problem {
    let (at, name) = (profile.origin("role_arn"), profile.name);
    let problem = Problem::new(format!(
        "{at}: profile `{name}` has a role, but neither `source_profile` nor `credential_source`"
    ));
    if let Some(other) = profile.text("include_profile") {
        return of_aws_vault(problem, profile, other);
    }
    problem.hint(match profile.has_own_source() {
        true => format!(
            "if its own credentials assume the role: `source_profile = {name}`, with keys, or another profile for them"
        ),
        false => "name the profile whose credentials assume the role with `source_profile`".to_owned(),
    })
}
