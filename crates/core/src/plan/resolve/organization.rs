//! Applies an organization's session name and source identity to a chain.
//!
//! The file is loaded here, not only with the user's settings, so that no plan can be made without it. A process reads
//! it once.

use super::{Chain, ChainNode, Resolver};
use crate::aws::parameters::SessionName;
use crate::base::problem::Problem;
use crate::plan::role_plan::{AssumeRole, Step};
use crate::settings::user_config::{Organization, login};

impl<'p> Resolver<'p> {
    /// Returns the settings of the organization.
    ///
    /// # Errors
    /// Fails if they exist and can't be used.
    fn organization(&self) -> Result<Option<&Organization>, Problem> {
        if let Some(known) = self.organization.get() {
            return Ok(known.as_ref());
        }
        let loaded = Organization::load(self.context)?;
        Ok(self.organization.get_or_init(|| loaded).as_ref())
    }

    /// Returns the role session name of a node: from the file or the profile, else from the organization's template,
    /// else the login name.
    pub(super) fn session_name(&self, node: &ChainNode<'_>) -> Result<SessionName, Problem> {
        let given =
            self.checked(node, node.keys.role_session_name.as_ref(), "role_session_name", SessionName::parse)?;
        if let Some(given) = given {
            return Ok(given);
        }
        let login = login(&self.context.env).unwrap_or("unknown");
        let of_template = self.organization()?.and_then(|organization| organization.session_name(login));
        Ok(of_template.unwrap_or_else(|| SessionName::of_user(login)))
    }

    /// Sets the source identity of each AssumeRole, if the organization requires one and no file sets one in the chain.
    /// A source identity persists across role chaining, and STS refuses to change it.
    ///
    /// # Errors
    /// Fails if the organization's settings exist and can't be used, whether or not they concern the chain.
    pub(super) fn with_source_identity(&self, mut chain: Chain<'p>) -> Result<Chain<'p>, Problem> {
        let Some(organization) = self.organization()? else { return Ok(chain) };
        let mut roles: Vec<&mut AssumeRole> = chain
            .steps
            .iter_mut()
            .filter_map(|step| if let Step::AssumeRole(role) = step { Some(&mut **role) } else { None })
            .collect();
        if roles.is_empty() || roles.iter().any(|role| role.source_identity.is_some()) {
            return Ok(chain);
        }
        if let Some(identity) = organization.source_identity(self.context)? {
            for role in &mut roles {
                role.source_identity = Some(identity.clone());
                role.is_identity_of_user = true;
            }
        }
        Ok(chain)
    }
}

#[cfg(test)]
mod tests {
    use crate::base::files::write_private;
    use crate::plan::required_policies::required_policies;
    use crate::plan::resolve::tests::Home;
    use crate::plan::role_plan::RolePlan;

    const CONFIG: &str = "\
[profile jump]
aws_access_key_id = AKIAJUMP
aws_secret_access_key = canary
[profile dev]
role_arn = arn:aws:iam::222222222222:role/Dev
source_profile = jump
[profile named]
role_arn = arn:aws:iam::222222222222:role/Dev
source_profile = jump
role_session_name = from-profile
";

    const BOTH: &str = "role_session_name = \"{user}@corp\"\nsource_identity = \"auto\"\n";

    fn home(organization: &str, env: &[(&str, &str)]) -> Home {
        let home = Home::new(CONFIG, "", env);
        write_private(&home.context.paths.organization, organization.as_bytes()).unwrap();
        home
    }

    /// Formats the session name and the source identity of each role.
    fn shown(plan: &RolePlan) -> String {
        let shown = plan.roles().map(|role| {
            let identity = role.source_identity.as_ref().map_or("-", |identity| identity.as_str());
            format!("{} {identity}", role.session_name.as_str())
        });
        shown.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn files_and_profiles_take_precedence() {
        let far = "role_arn = \"arn:aws:iam::333333333333:role/Far\"\nsource_profile = \"dev\"\n";
        for (organization, text, expected) in [
            ("", "profile = \"dev\"", "alice -"),
            (BOTH, "profile = \"dev\"", "alice@corp alice"),
            (BOTH, "profile = \"named\"", "from-profile alice"),
            (BOTH, "profile = \"dev\"\nrole_session_name = \"mine\"", "mine alice"),
            (BOTH, "profile = \"dev\"\nsource_identity = \"mine\"", "alice@corp mine"),
            (BOTH, far, "alice@corp alice, alice@corp alice"),
            (BOTH, &format!("{far}source_identity = \"mine\"\n"), "alice@corp -, alice@corp mine"),
            (BOTH, "profile = \"jump\"", ""),
        ] {
            let plan = home(organization, &[("USER", "alice")]).plan(text).unwrap();
            assert_eq!(shown(&plan), expected, "{text}");
        }
    }

    #[test]
    fn required_policies_pin_no_user() {
        for (text, pinned) in [("profile = \"dev\"", false), ("profile = \"dev\"\nsource_identity = \"mine\"", true)] {
            let plan = home(BOTH, &[("USER", "alice")]).plan(text).unwrap();
            let pairs = required_policies(&plan, "arn:aws:iam::111111111111:user/jump", None);
            let trust = pairs[0].trust.as_ref().unwrap().to_string();
            assert!(trust.contains("sts:SetSourceIdentity"), "{trust}");
            assert_eq!(trust.contains("sts:SourceIdentity\""), pinned, "{trust}");
            assert!(!trust.contains("alice"), "{trust}");
        }
    }

    #[test]
    fn no_plan_is_made_without_the_organization() {
        for text in ["profile = \"dev\"", "profile = \"jump\"", "profile = \"named\"\nsource_identity = \"mine\""] {
            let problem = home("role_session_name = 1", &[("USER", "alice")]).plan(text).err().unwrap();
            assert!(problem.summary.contains("etc/config.toml:1: "), "{problem}");
        }
        let problem = home(BOTH, &[]).plan("profile = \"dev\"").err().unwrap();
        assert!(problem.summary.contains("your login name"), "{problem}");
        assert_eq!(
            shown(&home(BOTH, &[("LOGNAME", "CORP\\bob")]).plan("profile = \"dev\"").unwrap()),
            "CORP-bob@corp CORP-bob"
        );
    }
}
