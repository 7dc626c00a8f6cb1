//! Suggestions for names that don't exist.

/// Returns a hint for a name that is none of `known`: the one that was probably meant, else all of them after `label`.
#[must_use]
pub fn suggestion(name: &str, label: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(known) => format!("did you mean `{known}`?"),
        None if known.is_empty() => format!("{label}: none"),
        None => format!("{label}: {}", known.join(", ")),
    }
}

/// Returns the known name that differs least from a misspelled one, if it is similar.
#[must_use]
pub fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let (distance, known) = known.map(|known| (strsim::osa_distance(known, name), known)).min()?;
    let similar = distance <= 1 + name.chars().count() / 3 && distance < known.chars().count();
    similar.then_some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_what_was_probably_meant() {
        let known = ["dev", "prod", "shop-prod"];
        for (name, meant) in [("prdo", "prod"), ("shopprod", "shop-prod"), ("Dev", "dev"), ("prod-eu", "prod")] {
            assert_eq!(suggestion(name, "the roles are", &known), format!("did you mean `{meant}`?"));
        }
        for name in ["", "x", "administrator"] {
            assert_eq!(suggestion(name, "the roles are", &known), "the roles are: dev, prod, shop-prod", "{name}");
        }
        assert_eq!(nearest("x", [].into_iter()), None);
    }
}
