//! Finds the line of a `.env` file that sets a variable, for messages.
//!
//! Plugins such as oh-my-zsh's dotenv and autoenv read these files when a shell enters a directory. Their values look
//! like a manual change, which a user who typed nothing can't explain.

use std::path::{Path, PathBuf};

use crate::base::files::read_regular;

/// The largest file that is searched, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// Returns the nearest `.env` file in a directory or above it that sets a variable, and the line, counted from 1.
#[must_use]
pub fn find_assignment(dir: &Path, name: &str) -> Option<(PathBuf, usize)> {
    dir.ancestors().map(|dir| dir.join(".env")).find_map(|file| {
        let text = read_regular(&file, MAX_BYTES).ok()?;
        let line = String::from_utf8_lossy(&text).lines().position(|line| sets(line, name))?;
        Some((file, line + 1))
    })
}

fn sets(line: &str, name: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    line.strip_prefix(name).is_some_and(|rest| rest.starts_with('='))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::files::write_private;

    #[test]
    fn the_nearest_file_that_sets_the_variable_is_named() {
        let home = tempfile::tempdir().unwrap();
        let deep = home.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        write_private(&home.path().join(".env"), b"X=1\n  export AWS_PROFILE='ops'\n").unwrap();
        write_private(&deep.join(".env"), b"# AWS_PROFILE=x\nAWS_PROFILES=y\n").unwrap();
        assert_eq!(find_assignment(&deep, "AWS_PROFILE"), Some((home.path().join(".env"), 2)));
        assert_eq!(find_assignment(&deep, "AWS_REGION"), None);
        write_private(&home.path().join("a/.env"), b"AWS_PROFILE=dev\n").unwrap();
        assert_eq!(find_assignment(&deep, "AWS_PROFILE"), Some((home.path().join("a/.env"), 1)));
    }
}
