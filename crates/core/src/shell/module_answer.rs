//! The JSON answers for the modules of nushell, xonsh, elvish and PowerShell, and for other tools. `docs/protocol.md`
//! describes them. This is one of the few places where a secret is written.

use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

use crate::base::problem::escape_json;
use crate::shell::blocked::Block;
use crate::shell::compare::{Compared, Undo};
use crate::shell::environment::EnvDiff;
use crate::shell::export::{Change, Export};
use crate::shell::token::{Held, Token, seconds};

/// Version of the JSON answers. It is incremented when a field is removed or changes its meaning. New fields may be
/// added at any time.
pub const JSON_VERSION: u32 = 1;

/// A decision, as the changes that a module makes to its environment.
pub struct ModuleAnswer<'a> {
    /// The decision.
    pub export: &'a Export,
    /// The variables to hide and to set, in this order, which record their prior values.
    pub diff: EnvDiff,
    /// What follows if the next request gets no answer.
    pub block: Block,
    /// The nearest file.
    pub file: Option<String>,
    /// The texts that were printed on stderr.
    pub messages: Vec<String>,
    /// The token to keep.
    pub token: Token,
}

/// Returns the JSON object of a blocked state.
#[must_use]
pub fn block_json(block: &Block) -> Zeroizing<String> {
    let mut object = Object::with_room_for(&[&block.diff], &[]);
    object.diff(&block.diff);
    object.plain("token", &json!(block.token.to_text()));
    object.end()
}

/// Returns the values that become part of the outer environment, before anything else is set. `None` is unset. A value
/// that isn't UTF-8 cannot be written, and is unset.
#[must_use]
pub fn restored(export: &Export) -> Vec<(&str, Option<&str>)> {
    let unset = export.unset.iter().map(|name| (*name, None));
    let adopted =
        export.adopt.iter().map(|(name, prior)| (name.as_str(), prior.as_ref().and_then(|prior| prior.to_str())));
    unset.chain(adopted).collect()
}

/// Returns the variables that a decision changes. `blocked` are those of a blocked shell.
pub fn changes(change: &mut Change, blocked: impl FnOnce() -> EnvDiff) -> EnvDiff {
    match change {
        Change::Outer => EnvDiff { set: Vec::new(), hide: Vec::new() },
        Change::Inactive { hide } => EnvDiff { set: Vec::new(), hide: hide.clone() },
        Change::Blocked => blocked(),
        Change::Role(diff) => EnvDiff { set: std::mem::take(&mut diff.set), hide: diff.hide.clone() },
    }
}

impl ModuleAnswer<'_> {
    /// Returns the JSON object.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<String> {
        let mut object = Object::with_room_for(&[&self.diff], &restored(self.export));
        object.plain("version", &json!(JSON_VERSION));
        object.plain("state", &json!(Held::after(&self.export.change).name()));
        object.plain("file", &json!(self.file));
        object.plain("deadline", &json!(self.export.deadline.map(seconds)));
        object.plain("messages", &json!(self.messages));
        object.pairs("restore", restored(self.export));
        object.diff(&self.diff);
        object.raw("block", block_json(&self.block).trim_end());
        object.plain("hook", &json!(hook(&self.token)));
        object.plain("token", &json!(self.token.to_text()));
        object.end()
    }
}

impl Compared {
    /// Returns the JSON object.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<String> {
        match self {
            Self::Unchanged(token) => token_json(token, false).end(),
            Self::Changed(undo) => {
                let Undo { undo, unset, block, token, .. } = undo.as_ref();
                let mut object = token_json(token, true);
                object.plain("undo", &json!(undo));
                object.pairs("restore", unset.iter().map(|name| (*name, None)).collect());
                object.raw("block", block_json(block).trim_end());
                object.end()
            }
        }
    }
}

/// Returns the answer to a command that only changes the token.
#[must_use]
pub fn command_json(token: &Token) -> Zeroizing<String> {
    token_json(token, true).end()
}

/// Returns the value of AWSROLE_HOOK for commands that the user types.
#[must_use]
pub fn hook(token: &Token) -> &'static str {
    match token.held {
        _ if token.off => "off",
        Held::Inactive => "inactive",
        Held::New | Held::Outer | Held::Role | Held::Blocked => "on",
    }
}

fn token_json(token: &Token, changed: bool) -> Object {
    let mut object = Object::with_room_for(&[], &[]);
    object.plain("version", &json!(JSON_VERSION));
    object.plain("changed", &json!(changed));
    object.plain("hook", &json!(hook(token)));
    object.plain("token", &json!(token.to_text()));
    object
}

/// An object that is written in one piece, because a growing buffer would leave copies of secrets in memory.
struct Object(Zeroizing<String>);

impl Object {
    /// Creates an object with room for the secrets, each character of which has at most six bytes in JSON.
    fn with_room_for(diffs: &[&EnvDiff], restored: &[(&str, Option<&str>)]) -> Self {
        let set = diffs.iter().flat_map(|diff| &diff.set).map(|(name, value)| name.len() + 6 * value.shown().len());
        let hidden = diffs.iter().flat_map(|diff| &diff.hide).map(|name| name.len());
        let restored = restored.iter().map(|(name, value)| name.len() + 6 * value.map_or(0, str::len));
        let room: usize = set.chain(hidden).chain(restored).map(|length| length + 16).sum();
        Self(Zeroizing::new(String::with_capacity(32 * 1024 + room)))
    }

    fn key(&mut self, name: &str) {
        let before = if self.0.is_empty() { "{\n  " } else { ",\n  " };
        self.0.push_str(before);
        self.string(name);
        self.0.push_str(": ");
    }

    fn plain(&mut self, name: &str, value: &Json) {
        self.key(name);
        self.0.push_str(&escape_json(&value.to_string()));
    }

    fn raw(&mut self, name: &str, json: &str) {
        self.key(name);
        self.0.push_str(json);
    }

    fn string(&mut self, text: &str) {
        let quoted = Zeroizing::new(serde_json::to_string(text).unwrap_or_default());
        self.0.push_str(&Zeroizing::new(escape_json(&quoted)));
    }

    fn pairs(&mut self, name: &str, pairs: Vec<(&str, Option<&str>)>) {
        self.key(name);
        self.0.push('{');
        for (index, (name, value)) in pairs.into_iter().enumerate() {
            self.0.push_str(if index == 0 { "" } else { ", " });
            self.string(name);
            self.0.push_str(": ");
            match value {
                Some(value) => self.string(value),
                None => self.0.push_str("null"),
            }
        }
        self.0.push('}');
    }

    fn diff(&mut self, diff: &EnvDiff) {
        self.plain("unset", &json!(diff.hide));
        self.pairs("set", diff.set.iter().map(|(name, value)| (name.as_ref(), Some(value.shown()))).collect());
    }

    fn end(mut self) -> Zeroizing<String> {
        self.0.push_str("\n}\n");
        self.0
    }
}
