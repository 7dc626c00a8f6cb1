//! A policy document in a settings file.

use serde::Deserialize;

/// A session policy, written as JSON in a string or as a TOML table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged, expecting = "must be a table or a JSON string")]
pub enum Policy {
    /// JSON text.
    Text(String),
    /// A table with the same structure.
    Table(serde_json::Map<String, serde_json::Value>),
}

impl Policy {
    /// Returns the policy as JSON. It isn't validated yet.
    #[must_use]
    pub fn json(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Table(table) => serde_json::Value::Object(table.clone()).to_string(),
        }
    }
}
