//! A kubeconfig whose user gets a token from a program with an AWS profile of its own.

use super::documents::Scalar;
use super::variables::selects;

/// A profile of a kubeconfig: line, text and name.
type Found = (usize, String, String);

/// Returns the profiles of the current context's user, or of all users if no context is selected.
pub(super) fn profiles(entries: &[Scalar]) -> Vec<Found> {
    let at = |path: &[&str]| entries.iter().find(|entry| entry.path == path).map(|entry| entry.value.as_str());
    // A list element has the key `#N`, so that two values of one element have a common prefix.
    let element = |list: &str, key: &str, value: &str| {
        let named = entries.iter().find(|entry| {
            matches!(entry.path.as_slice(), [first, _, last] if first == list && last == key) && entry.value == value
        });
        named.map(|entry| entry.path[1].clone())
    };
    let current = at(&["current-context"]).filter(|name| !name.is_empty());
    let user = current.and_then(|name| {
        let context = element("contexts", "name", name)?;
        at(&["contexts", &context, "context", "user"])
    });
    let index = user.and_then(|user| element("users", "name", user));
    if current.is_some() && index.is_none() {
        return Vec::new();
    }
    let of_user = |entry: &&Scalar| {
        entry.path.first().is_some_and(|first| first == "users")
            && index.as_ref().is_none_or(|index| entry.path.get(1) == Some(index))
            && entry.path.get(2).is_some_and(|key| key == "user")
            && entry.path.get(3).is_some_and(|key| key == "exec")
    };
    let entries: Vec<&Scalar> = entries.iter().filter(of_user).collect();
    let mut found = Vec::new();
    for (entry, next) in entries.iter().zip(entries.iter().skip(1).map(Some).chain([None])) {
        match entry.path.iter().map(String::as_str).skip(4).collect::<Vec<_>>().as_slice() {
            ["args", _] => {
                let value = match (entry.value.strip_prefix("--profile="), next) {
                    (Some(value), _) => Some(value.to_owned()),
                    (None, Some(next)) if entry.value == "--profile" => Some(next.value.clone()),
                    _ => None,
                };
                found.extend(value.map(|value| (entry.line, format!("--profile {value}"), value)));
            }
            ["env", element, "name"] if selects(&entry.value) => {
                let prefix = ["env", element, "value"];
                let same = entries.iter().find(|other| {
                    other.path[..2] == entry.path[..2] && other.path.iter().map(String::as_str).skip(4).eq(prefix)
                });
                found.extend(
                    same.map(|other| (other.line, format!("{} = {}", entry.value, other.value), other.value.clone())),
                );
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::overrides::documents::yaml;

    #[test]
    fn the_current_contexts_user_counts() {
        let text = "\
current-context: prod
contexts:
- context: {cluster: c, user: u1}
  name: dev
- context: {cluster: c, user: u2}
  name: prod
users:
- name: u1
  user:
    exec:
      command: aws
      args: [eks, get-token, --profile, one]
- name: u2
  user:
    exec:
      args:
      - eks
      - --profile=two
      env:
      - name: AWS_PROFILE
        value: three
      - name: OTHER
        value: x
      - {value: four, name: AWS_DEFAULT_PROFILE}
";
        let of = |text: &str| -> Vec<String> {
            profiles(&yaml(text)).into_iter().map(|(line, text, name)| format!("{line} {text} {name}")).collect()
        };
        let two = ["18 --profile two two", "21 AWS_PROFILE = three three", "24 AWS_DEFAULT_PROFILE = four four"];
        assert_eq!(of(text), two);
        assert_eq!(of(&text.replace("current-context: prod", "")).len(), 4);
        assert_eq!(of(&text.replace("current-context: prod", "current-context: dev")), ["12 --profile one one"]);
        assert_eq!(of(&text.replace("current-context: prod", "current-context: none")), [""; 0]);
    }
}
