//! Names of profiles, made from directories and roles.

use std::path::Path;

/// Returns whether every SDK reads a text as (a part of) a profile's name.
///
/// The SDKs for Rust and JavaScript accept letters, digits and `_-/.%@:+` without quotes.
pub(super) fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "_-/.%@:+".contains(c))
}

/// Replaces all other characters.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if is_plain(c.encode_utf8(&mut [0; 4])) { c } else { '-' }).collect()
}

/// Returns a name for each directory: its last component, with as many of those above as are needed to make it unique.
pub(super) fn of_directories(dirs: &[&Path]) -> Vec<String> {
    let most = dirs.iter().map(|dir| dir.components().count()).max().unwrap_or_default();
    let mut depths = vec![1; dirs.len()];
    loop {
        let names: Vec<String> = dirs.iter().zip(&depths).map(|(dir, depth)| name(dir, *depth)).collect();
        let is_taken = |at: usize| {
            let same = names.iter().filter(|other| **other == names[at]).count() > 1;
            // This name means the profile that clients use without one.
            names[at].eq_ignore_ascii_case("default") || same && depths[at] < most
        };
        let taken: Vec<usize> = (0..names.len()).filter(|at| is_taken(*at)).collect();
        if taken.is_empty() {
            return names;
        }
        taken.iter().for_each(|at| depths[*at] += 1);
    }
}

fn name(dir: &Path, depth: usize) -> String {
    let parts: Vec<_> = dir
        .components()
        .filter_map(|part| match part {
            std::path::Component::Normal(name) => Some(plain(&name.to_string_lossy())),
            _ => None,
        })
        .collect();
    match &parts[parts.len().saturating_sub(depth)..] {
        [] => "root".to_owned(),
        [only] if depth > 1 && only.eq_ignore_ascii_case("default") => format!("root-{only}"),
        found => found.join("-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_plain() {
        for (dirs, expected) in [
            (&["/home/a/src/shop"][..], &["shop"][..]),
            (&["/default"], &["root-default"]),
            (&["/a/shop", "/b/shop", "/b/other"], &["a-shop", "b-shop", "other"]),
            (&["/x/a/shop", "/y/a/shop"], &["x-a-shop", "y-a-shop"]),
            (&["/a/two words", "/a/größe]", "/src/Default", "/"], &["two-words", "gr--e-", "src-Default", "root"]),
        ] {
            let dirs: Vec<&Path> = dirs.iter().map(Path::new).collect();
            assert_eq!(of_directories(&dirs), expected);
        }
        // Names that remain equal are an error of the command.
        assert_eq!(of_directories(&[Path::new("/a b"), Path::new("/a-b")]), ["a-b", "a-b"]);
    }
}
