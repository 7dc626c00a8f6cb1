//! The names of the AWS regions, for warnings about misspelled ones.

/// Regions of all partitions (botocore, `partitions.json`, 2026-11). AWS adds regions from time to time, so a name that
/// isn't listed may exist.
const KNOWN: [&str; 48] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "me-west-1",
    "mx-central-1",
    "sa-east-1",
    "sa-west-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "cn-north-1",
    "cn-northwest-1",
    "eusc-de-east-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "us-isob-west-1",
    "us-gov-east-1",
    "us-gov-west-1",
    "eu-isoe-west-1",
    "us-isof-east-1",
    "us-isof-south-1",
];

/// The directions in the names of regions.
const DIRECTIONS: [&str; 9] =
    ["north", "south", "east", "west", "central", "northeast", "northwest", "southeast", "southwest"];

/// Returns a warning about a region whose name isn't known, with the most similar name.
#[must_use]
pub fn warning(region: &str) -> Option<String> {
    if KNOWN.contains(&region) {
        return None;
    }
    let nearest = KNOWN.into_iter().map(|name| (strsim::osa_distance(name, region), name)).min();
    let suggestion = match nearest {
        Some((distance, name)) if distance <= 2 => format!(": did you mean `{name}`?"),
        _ => ", unless it is new".to_owned(),
    };
    Some(format!("`{region}` isn't a region of AWS{suggestion}"))
}

/// Returns whether an unknown name has the form of a region's name: an area, a direction and a number, such as
/// `eu-west-9`.
#[must_use]
pub fn may_be_new(region: &str) -> bool {
    let mut parts = region.rsplit('-');
    let number = parts.next().is_some_and(|part| part.parse::<u8>().is_ok());
    let direction = parts.next().is_some_and(|part| DIRECTIONS.contains(&part));
    number && direction && parts.next().is_some_and(|area| area.len() >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelled_regions_are_told() {
        let of = |region: &str| warning(region).unwrap_or_default();
        assert_eq!(of("eu-wst-1"), "`eu-wst-1` isn't a region of AWS: did you mean `eu-west-1`?");
        assert_eq!(of("moon-south-9"), "`moon-south-9` isn't a region of AWS, unless it is new");
        assert!(KNOWN.into_iter().all(|region| warning(region).is_none() && may_be_new(region)));
        assert!(["eu-west-9", "us-gov-central-1", "xx-north-1"].into_iter().all(may_be_new));
        assert!(!["eu-wst-1", "euwest1", "eu-west", "west-1", "eu-west-1a", ""].into_iter().any(may_be_new));
    }
}
