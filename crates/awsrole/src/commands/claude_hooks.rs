//! The hooks of Claude Code that give its commands the session of their directory.
//!
//! Claude Code runs hooks on SessionStart and CwdChanged, and sources the file `$CLAUDE_ENV_FILE` before each command
//! (<https://code.claude.com/docs/en/hooks>). The file contains the hook for sh and no secret: each command requests
//! the session of the directory in which it runs.

use awsrole_core::base::agent::Agent;
use awsrole_core::base::context::Context;
use awsrole_core::base::problem::{Problem, to_json};
use awsrole_core::shell::posix;
use awsrole_core::shell::statements::Shell;
use serde_json::json;

use super::block_edit::BlockEdit;

/// The agent's name, if the hook's process has none of its variables.
const NAME: &str = "claude-code";

/// The variable with the file that Claude Code sources.
const ENV_FILE: &str = "CLAUDE_ENV_FILE";

/// Returns the settings.
pub(super) fn settings(binary: &str) -> Result<String, Problem> {
    let command = format!("{} hook claude --write", Shell::Bash.quote(binary));
    let hooks = json!([{ "hooks": [{ "type": "command", "command": command }] }]);
    Ok(to_json(&json!({ "hooks": { "SessionStart": hooks, "CwdChanged": hooks } }))? + "\n")
}

/// Writes the hook for sh to the file that Claude Code sources. Other lines of the file stay as they are.
///
/// # Errors
/// Fails if Claude Code didn't start this process, and if the file can't be replaced. It is then unchanged.
pub(super) fn write(binary: &str, context: &Context) -> Result<(), Problem> {
    let path = context.env.filled(ENV_FILE).map(|path| context.dir.join(path)).ok_or_else(|| {
        Problem::new(format!("{ENV_FILE} isn't set: Claude Code runs this command in its hooks"))
            .hint("`awsrole hook claude` prints the settings with these hooks")
    })?;
    let text = posix::hook_of(&Agent::named(&context.env, NAME), binary);
    let lines = text.lines().map(str::to_owned).collect();
    BlockEdit::of(&path, |_| "\n", context, |_| lines)?.apply(0o600, context)
}
