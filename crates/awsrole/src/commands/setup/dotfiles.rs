//! Tools that keep the files of a home directory elsewhere.

use std::fs;
use std::path::{Component, Path, PathBuf};

use awsrole_core::base::context::Context;

/// What happens to a change of a file.
pub(super) enum Keeper {
    /// This tool writes the file again, without the change.
    Generated(&'static str),
    /// The change is made in a repository. The text says so.
    Repository(String),
}

/// The prefixes of names in the source directory of chezmoi ("Source state attributes" in its reference).
const ATTRIBUTES: [&str; 12] = [
    "after_",
    "before_",
    "create_",
    "empty_",
    "encrypted_",
    "executable_",
    "exact_",
    "literal_",
    "modify_",
    "private_",
    "readonly_",
    "symlink_",
];

/// The suffixes of such names.
const SUFFIXES: [&str; 3] = [".age", ".asc", ".tmpl"];

/// Returns the tool that keeps a file, if it is known.
pub(super) fn keeper(path: &Path, context: &Context) -> Option<Keeper> {
    let home = &context.paths.home;
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let data = context.env.filled("XDG_DATA_HOME").map_or_else(|| home.join(".local/share"), PathBuf::from);
    let is_link = path.symlink_metadata().is_ok_and(|found| found.is_symlink());
    if target.starts_with("/nix/store") {
        return Some(Keeper::Generated("home-manager"));
    }
    if is_link {
        let shown = context.shorten(path);
        return Some(Keeper::Repository(format!("{shown} is a link: {} was changed", context.shorten(&target))));
    }
    if is_of_chezmoi(path.strip_prefix(home).ok()?, &data.join("chezmoi")) {
        return Some(Keeper::Generated("chezmoi"));
    }
    let yadm = data.join("yadm/repo.git").is_dir();
    yadm.then(|| Keeper::Repository(format!("if yadm tracks {}, commit the change", context.shorten(path))))
}

/// Returns whether chezmoi's source directory contains a file.
fn is_of_chezmoi(path: &Path, source: &Path) -> bool {
    let root = fs::read_to_string(source.join(".chezmoiroot")).unwrap_or_default();
    let mut dir = source.join(root.trim());
    path.components().all(|component| {
        let Component::Normal(name) = component else { return false };
        let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
        let found = entries.map(|entry| entry.path()).find(|entry| {
            entry
                .file_name()
                .and_then(|source| source.to_str())
                .is_some_and(|source| target_name(source) == name.to_string_lossy())
        });
        found.map(|found| dir = found).is_some()
    })
}

/// Returns the name of a file that chezmoi writes for a name in its source directory.
fn target_name(source: &str) -> String {
    let name = SUFFIXES.iter().fold(source, |name, suffix| name.strip_suffix(suffix).unwrap_or(name));
    let mut name = name;
    while let Some(rest) = ATTRIBUTES.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        name = rest;
    }
    name.strip_prefix("dot_").map_or_else(|| name.to_owned(), |rest| format!(".{rest}"))
}

#[cfg(test)]
mod tests {
    use awsrole_core::base::files::write_private;

    use super::*;

    #[test]
    fn files_of_chezmoi_are_found_by_their_source_names() {
        for (source, target) in [
            ("dot_bashrc", ".bashrc"),
            ("private_dot_config", ".config"),
            ("encrypted_private_dot_zshrc.tmpl.age", ".zshrc"),
            ("config.fish", "config.fish"),
        ] {
            assert_eq!(target_name(source), target);
        }
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path();
        write_private(&source.join("home/private_dot_config/exact_fish/config.fish.tmpl"), b"").unwrap();
        let fish = Path::new(".config/fish/config.fish");
        assert!(!is_of_chezmoi(fish, source));
        write_private(&source.join(".chezmoiroot"), b"home\n").unwrap();
        assert!(is_of_chezmoi(fish, source) && !is_of_chezmoi(Path::new(".bashrc"), source));
    }
}
