//! The settings that were found, and the project file that is made of them.

use std::fmt;
use std::path::PathBuf;

use awsrole_core::base::problem::escape;
use awsrole_core::project::config::{Config, RoleConfig};
use awsrole_core::project::discover::ConfigFile;

use crate::commands::init::{toml_key, toml_string};

/// A line of a file, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShownLine {
    pub(super) file: String,
    /// The line, counted from 1. 0 means the file as a whole.
    pub(super) line: usize,
}

impl ShownLine {
    pub(super) fn line(&self, line: usize) -> Self {
        Self { line, ..self.clone() }
    }
}

impl fmt::Display for ShownLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

/// A key of a project file, with its value in TOML.
#[derive(Debug, Clone)]
struct Found {
    key: &'static str,
    value: String,
    place: ShownLine,
}

/// The keys of one role.
#[derive(Default)]
pub(super) struct ImportedRole {
    name: String,
    found: Vec<Found>,
}

/// All that was found.
#[derive(Default)]
pub(super) struct Imported {
    /// The keys at top level.
    top: ImportedRole,
    /// The tables `[role.NAME]`.
    pub(super) roles: Vec<ImportedRole>,
    /// What the user should know, such as skipped lines.
    pub(super) remarks: Vec<String>,
}

impl Imported {
    /// Records that a line isn't imported.
    pub(super) fn skip(&mut self, place: &ShownLine, reason: &str) {
        self.remarks.push(format!("skipped {place}: {reason}"));
    }

    /// Sets a key at top level. Within one file the last line counts, as in a shell. A file that was read before takes
    /// precedence.
    pub(super) fn set(&mut self, key: &'static str, value: String, place: &ShownLine) {
        if let Err(reason) = check(key, &value) {
            return self.skip(place, &reason);
        }
        let new = Found { key, value, place: place.clone() };
        let Some(old) = self.top.found.iter_mut().find(|old| old.key == key) else {
            return self.top.found.push(new);
        };
        if old.value == new.value {
            return;
        }
        let (used, skipped) = match old.place.file == place.file {
            true => (place.clone(), std::mem::replace(old, new).place),
            false => (old.place.clone(), new.place),
        };
        self.skip(&skipped, &format!("{used} sets {key}, too, and takes precedence"));
    }

    /// Returns the profile's name and where it was found.
    pub(super) fn profile(&self) -> Option<(String, ShownLine)> {
        let found = self.top.found.iter().find(|found| found.key == "profile")?;
        Some((serde_json::from_str(&found.value).ok()?, found.place.clone()))
    }

    pub(super) fn replace_profile(&mut self, name: &str) {
        if let Some(found) = self.top.found.iter_mut().find(|found| found.key == "profile") {
            found.value = toml_string(name);
        }
    }

    /// Returns the project file, or `None` if nothing was found.
    pub(super) fn text(&self) -> Option<String> {
        if self.top.found.is_empty() && self.roles.is_empty() {
            return None;
        }
        let mut text = "# The AWS role of this directory, imported by awsrole.\n".to_owned() + &self.top.lines();
        for role in &self.roles {
            text += &format!("\n[role.{}]\n{}", toml_key(&role.name), role.lines());
        }
        Some(text)
    }
}

impl ImportedRole {
    /// Creates a `[role.NAME]` without keys.
    pub(super) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), found: Vec::new() }
    }

    /// Adds a key.
    ///
    /// # Errors
    /// Returns why the value is invalid.
    pub(super) fn add(&mut self, key: &'static str, value: String, place: &ShownLine) -> Result<(), String> {
        check(key, &value)?;
        self.found.push(Found { key, value, place: place.clone() });
        Ok(())
    }

    /// Returns the lines in the order of the documentation, each with its origin.
    fn lines(&self) -> String {
        let found = RoleConfig::NAMES.iter().filter_map(|key| self.found.iter().find(|found| found.key == *key));
        found
            .map(|found| format!("{} = {}  # {}\n", found.key, found.value, escape(&found.place.to_string())))
            .collect()
    }
}

/// Checks a value as in a project file.
fn check(key: &str, value: &str) -> Result<(), String> {
    let text = format!("{key} = {value}\n");
    let path = PathBuf::from("value");
    let file = ConfigFile { place: path.clone(), canonical: path.clone(), path, owner: None, text };
    match Config::parse(&file) {
        Ok(_) => Ok(()),
        Err(problem) => Err(problem.summary.trim_start_matches("value:1: ").to_owned()),
    }
}
