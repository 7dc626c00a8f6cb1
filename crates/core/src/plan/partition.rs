//! The partitions of a plan's roles, source and region, compared before any call. No call leads from one partition to
//! another.

use crate::aws::parameters::Region;
use crate::aws::profiles::Profile;
use crate::aws::source::Source;
use crate::base::location::Origin;
use crate::base::problem::Problem;
use crate::plan::role_plan::RolePlan;

/// Checks that all parts of a plan are in one partition. `source` is the profile of the source, `origin` the location
/// of the role.
///
/// # Errors
/// Fails with both partitions.
pub(crate) fn check(plan: &RolePlan, source: Option<&Profile<'_>>, origin: &Origin) -> Result<(), Problem> {
    let mut roles = plan.roles().map(|role| &role.role_arn);
    let Some(role) = plan.role().map(|role| &role.role_arn) else { return Ok(()) };
    let partition = role.partition();
    let differs = |what: String, other: &str, hint: String| {
        Problem::new(format!("{origin}: role {} is in partition {partition}, {what} in {other}", role.name()))
            .because("no call leads from one partition to another")
            .hint(hint)
    };
    if let Some(other) = roles.find(|other| other.partition() != partition) {
        let hint = "correct the partition in one of the ARNs".to_owned();
        return Err(differs(format!("role {} of its chain", other.name()), other.partition(), hint));
    }
    let (region, of_region) = (plan.endpoint.region.as_str(), plan.endpoint.partition());
    let certain = matches!(plan.source, Source::IdentityCenter(_) | Source::ConsoleLogin(_) | Source::WebIdentity(_));
    match of_source(&plan.source, source) {
        // The region of a profile with keys proves nothing if the project file has one for the role.
        Some(other) if other != partition && (certain || of_region != partition) => Err(differs(
            format!("the credentials of {}", plan.source),
            &other,
            format!("use a source in {partition}, or correct the partition in role_arn"),
        )),
        _ if of_region != partition => Err(differs(
            format!("the region {region}"),
            of_region,
            format!("set `region` to a region of {partition}, or correct the partition in role_arn"),
        )),
        _ => Ok(()),
    }
}

/// Returns the partition of a source, if it is known. For keys it is the partition of their profile's region.
fn of_source(source: &Source, profile: Option<&Profile<'_>>) -> Option<String> {
    let of_region = |region: &Region| region.partition().to_owned();
    match source {
        Source::IdentityCenter(role) => Some(of_region(&role.region)),
        Source::ConsoleLogin(login) => login.session.split(':').nth(1).map(str::to_owned),
        Source::WebIdentity(token) => Some(token.role_arn.partition().to_owned()),
        Source::StaticKeys(_) | Source::StoredKeys(_) | Source::Process(_) => {
            let region = Region::parse(profile?.text("region")?).ok()?;
            Some(of_region(&region))
        }
        Source::Instance { .. } | Source::Container { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::resolve::tests::Home;

    const CONFIG: &str = "[profile jump]\nregion = ap-northeast-1\n[profile cn]\nregion = cn-north-1\n[profile bare]\n";
    const KEYS: &str = "\
[jump]\naws_access_key_id = AKIAJUMP\naws_secret_access_key = canary\n\
[cn]\naws_access_key_id = AKIACN\naws_secret_access_key = canary\n\
[bare]\naws_access_key_id = AKIABARE\naws_secret_access_key = canary\n";

    #[test]
    fn compares_role_source_and_region() {
        for (partition, profile, region, expected) in [
            ("aws", "jump", "", None),
            ("aws-cn", "cn", "", None),
            ("aws-cn", "bare", "", None),
            ("aws-cn", "bare", "region = \"cn-northwest-1\"", None),
            ("aws-cn", "jump", "", Some("partition aws-cn, the credentials of profile jump in aws")),
            ("aws-cn", "jump", "region = \"cn-north-1\"", None),
            ("aws", "cn", "", Some("partition aws, the credentials of profile cn in aws-cn")),
            ("aws-us-gov", "bare", "region = \"eu-west-1\"", Some("partition aws-us-gov, the region eu-west-1 in aws")),
        ] {
            let role = format!("role_arn = \"arn:{partition}:iam::222222222222:role/Deploy\"");
            let planned =
                Home::new(CONFIG, KEYS, &[]).plan(&format!("{role}\nsource_profile = \"{profile}\"\n{region}\n"));
            match (planned, expected) {
                (Ok(_), None) => {}
                (Err(problem), Some(expected)) => {
                    assert!(problem.summary.contains(expected), "{problem}");
                    assert!(problem.summary.contains(".awsrole.toml:1: "), "{problem}");
                }
                (planned, _) => panic!("{partition} {profile}: {:?}", planned.err().map(|problem| problem.summary)),
            }
        }
    }
}
