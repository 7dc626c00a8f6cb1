//! Writes the answers for tcsh, which has neither functions nor a parser for JSON: one line of statements that the
//! alias of `shell/awsrole.tcsh` evaluates.
//!
//! tcsh keeps the prior values in shell variables named `__awsrole_prior_NAME`, so they are never passed to a process.

use zeroize::Zeroizing;

use crate::shell::blocked::Block;
use crate::shell::compare::{Compared, Undo};
use crate::shell::environment::EnvDiff;
use crate::shell::module_answer::{ModuleAnswer, hook, restored};
use crate::shell::token::Token;

/// Returns whether tcsh can be given a value. It would end a statement at a newline, and a terminal may interpret other
/// control characters when tcsh prints an error.
#[must_use]
pub fn can_set(diff: &EnvDiff) -> bool {
    diff.set.iter().all(|(_, value)| !value.shown().chars().any(char::is_control))
}

/// Returns the statements for a decision.
#[must_use]
pub fn of_answer(answer: &ModuleAnswer<'_>) -> Zeroizing<String> {
    let restored = restored(answer.export);
    let room = restored.iter().map(|(name, value)| 64 + name.len() + 4 * value.map_or(0, str::len)).sum::<usize>();
    let mut text = with_room_for(&[&answer.diff], room);
    for (name, value) in restored {
        match value.filter(|value| !value.chars().any(char::is_control)) {
            Some(value) => push(&mut text, &["setenv ", name, " "], value),
            None => text.extend(["unsetenv ", name, ";"]),
        }
    }
    push_diff(&mut text, &answer.diff);
    let mut block = with_room_for(&[], 0);
    push_undo(&mut block, &answer.diff.names());
    block.push_str(&of_block(&answer.block));
    push(&mut text, &["set __awsrole_block="], &block);
    push_token(&mut text, &answer.token);
    text.push_str("unset __awsrole_pending __awsrole_failed\n");
    text
}

/// Returns the statements for a comparison.
#[must_use]
pub fn of_comparison(compared: &Compared) -> Zeroizing<String> {
    let mut text = with_room_for(&[], 0);
    match compared {
        Compared::Unchanged(token) => push_token(&mut text, token),
        // If Ctrl-C interrupts the statements, the next prompt finds `pending` and blocks the shell.
        Compared::Changed(undo) => {
            let Undo { undo, unset, block, token, .. } = undo.as_ref();
            push(&mut text, &["set __awsrole_block="], &of_block(block));
            push_token(&mut text, token);
            text.push_str("set __awsrole_pending;");
            push_undo(&mut text, &undo.iter().map(String::as_str).collect::<Vec<_>>());
            unset.iter().for_each(|name| text.extend(["unsetenv ", name, ";"]));
        }
    }
    text.push_str("unset __awsrole_asking __awsrole_failed\n");
    text
}

/// Returns the statements after a command that changes only this shell.
#[must_use]
pub fn of_command(token: &Token) -> Zeroizing<String> {
    let mut text = with_room_for(&[], 0);
    push_token(&mut text, token);
    text.push_str("set __awsrole_status=0\n");
    text
}

/// Returns the statements that block a shell.
#[must_use]
pub(crate) fn of_block(Block { diff, token }: &Block) -> Zeroizing<String> {
    let mut text = with_room_for(&[diff], 0);
    push_diff(&mut text, diff);
    push_token(&mut text, token);
    text.push_str("unset __awsrole_asking __awsrole_pending");
    text
}

/// Quotes a word. In single quotes tcsh still expands `!`, unless there is a backslash before it.
#[must_use]
pub(crate) fn quote(value: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(4 * value.len() + 2));
    text.push('\'');
    for c in value.chars() {
        match c {
            '\'' => text.push_str(r"'\''"),
            '!' => text.push_str(r"\!"),
            c => text.push(c),
        }
    }
    text.push('\'');
    text
}

/// Restores variables, and forgets all prior values.
fn push_undo(text: &mut String, names: &[&str]) {
    for name in names {
        text.extend(["unsetenv ", name, ";if ($?__awsrole_prior_", name, ") eval 'setenv ", name]);
        text.extend([" \"$__awsrole_prior_", name, ":q\"';"]);
    }
    text.push_str("unset '__awsrole_prior_*' '__awsrole_seen_*';");
}

fn push_token(text: &mut String, token: &Token) {
    push(text, &["set __awsrole_hook="], hook(token));
    push(text, &["set __awsrole_token="], &token.to_text());
}

/// Records prior values and changes variables. `seen` marks the recorded ones, so that the statements can be repeated
/// after Ctrl-C. tcsh expands the variables of a line before it tests the condition of `if`, so the statement is
/// evaluated later.
fn push_diff(text: &mut String, diff: &EnvDiff) {
    let hidden = diff.hide.iter().map(|name| (*name, None));
    let set = diff.set.iter().map(|(name, value)| (name.as_ref(), Some(value.shown())));
    for (name, value) in hidden.chain(set) {
        let seen = format!("__awsrole_seen_{name}");
        text.extend(["if ($?", name, " && ! $?", &seen, ") eval 'set __awsrole_prior_", name, "=\"$", name, ":q\"';"]);
        text.extend(["set ", &seen, ";"]);
        match value {
            Some(value) => push(text, &["setenv ", name, " "], value),
            None => text.extend(["unsetenv ", name, ";"]),
        }
    }
}

/// Appends a statement whose last word is quoted.
fn push(text: &mut String, words: &[&str], value: &str) {
    text.extend(words.iter().copied());
    text.push_str(&quote(value));
    text.push(';');
}

/// Returns a buffer that needs not grow, because a growing one would leave copies of secrets in memory.
fn with_room_for(diffs: &[&EnvDiff], more: usize) -> Zeroizing<String> {
    let set = diffs.iter().flat_map(|diff| &diff.set).map(|(name, value)| 5 * name.len() + 16 * value.shown().len());
    let hidden = diffs.iter().flat_map(|diff| &diff.hide).map(|name| 5 * name.len());
    let room: usize = set.chain(hidden).map(|length| length + 128).sum();
    Zeroizing::new(String::with_capacity(32 * 1024 + room + more))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_expanded_in_a_value() {
        let mut text = String::new();
        push(&mut text, &["setenv A "], r"it's $HOME `id` \! !x é");
        assert_eq!(text, r"setenv A 'it'\''s $HOME `id` \\! \!x é';");
    }
}
