//! Recognizes AI agents by the variables that they set for their commands.
//!
//! Recognition is a convenience. A program that runs as the user can unset these variables.

use std::ffi::OsStr;

use crate::base::context::Env;
use crate::base::problem::Problem;

/// The variable by which child processes inherit that they belong to an agent.
pub const VARIABLE: &str = "AWSROLE_AGENT";

/// Variables with the agent's name as their value (<https://github.com/agentsmd/agents.md>, issue 136).
const WITH_NAME: [&str; 2] = ["AI_AGENT", "AGENT"];

/// Variables that one agent sets, with its name. Sources: the documentation of each agent. For Codex, which has no
/// single variable: `CODEX_SANDBOX` and `CODEX_SANDBOX_NETWORK_DISABLED` are set in its sandboxes, `CODEX_THREAD_ID` in
/// its shells, `CODEX_CI` in its terminals.
const OF_ONE_AGENT: [(&str, &str); 9] = [
    ("CLAUDECODE", "claude-code"),
    ("CODEX_SANDBOX", "codex"),
    ("CODEX_SANDBOX_NETWORK_DISABLED", "codex"),
    ("CODEX_THREAD_ID", "codex"),
    ("CODEX_CI", "codex"),
    ("CURSOR_AGENT", "cursor"),
    ("GEMINI_CLI", "gemini-cli"),
    ("OPENCODE", "opencode"),
    ("COPILOT_AGENT_SESSION_ID", "copilot"),
];

/// Values that switch a variable off.
const OFF: [&str; 3] = ["", "0", "false"];

/// The name of an agent that doesn't say its own. Texts write "agent" before a name.
const UNNAMED: &str = "unnamed";

/// Maximum length of a name, in characters.
const LONGEST_NAME: usize = 64;

/// An AI agent for which awsrole works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    name: String,
    always_limited: bool,
    /// The variable by which it was recognized. `None` for an option of awsrole, or if a parent had this option.
    variable: Option<&'static str>,
}

impl Agent {
    /// Returns the agent that an environment belongs to, or `None` for a person.
    ///
    /// Any value of [`VARIABLE`] means an agent. A value that awsrole doesn't write means one that is always limited,
    /// so that a forged value never grants more.
    #[must_use]
    pub fn recognize(env: &Env) -> Option<Self> {
        let found = detect(env);
        let Some(inherited) = env.0.get(OsStr::new(VARIABLE)) else {
            return found.map(|(variable, name)| Self { name, always_limited: false, variable: Some(variable) });
        };
        let (kind, name) = inherited.to_str().and_then(|text| text.split_once(':')).unwrap_or_default();
        let (is_detected, has_name) = (kind == "detected", is_name(name));
        let found = found.map_or_else(|| UNNAMED.to_owned(), |(_, name)| name);
        let name = if has_name { name.to_owned() } else { found };
        let is_by_option = kind == "limited" && has_name;
        let variable = (!is_by_option).then_some(VARIABLE);
        Some(Self { name, always_limited: !(is_detected && has_name), variable })
    }

    /// Returns the agent of a command that an option limits, such as `awsrole exec --agent`.
    #[must_use]
    pub fn always_limited(env: &Env) -> Self {
        let name = Self::recognize(env).map_or_else(|| UNNAMED.to_owned(), |agent| agent.name);
        Self { name, always_limited: true, variable: None }
    }

    /// Returns the agent of a process that one of this name started, even if none of its variables is set.
    #[must_use]
    pub fn named(env: &Env, name: &str) -> Self {
        let name = if is_name(name) { name } else { UNNAMED };
        let named = Self { name: name.to_owned(), always_limited: false, variable: Some(VARIABLE) };
        Self::recognize(env).unwrap_or(named)
    }

    /// Returns the name: 1–64 letters, digits, `.`, `_` and `-`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Completes the error that the agent doesn't get something.
    #[must_use]
    pub fn refusal(&self, problem: Problem) -> Problem {
        let how = match self.variable {
            Some(variable) => format!("{variable} is set"),
            None => "limited by an `--agent` option".to_owned(),
        };
        let whose = format!("this process belongs to an agent: {} ({how})", self.name);
        problem.because(whose).hint(format!("{ASK} to run the command in a terminal of their own"))
    }

    /// Returns the hint of an error that a session needs an MFA code. `command` prompts the user for it.
    #[must_use]
    pub fn code_advice(&self, command: &str) -> String {
        match self.variable {
            Some(_) => format!("{ASK} to run `{command}` in a terminal: agents then use the session until it ends"),
            None => format!("run `{command}` in a terminal first: `--agent` never prompts"),
        }
    }

    /// Returns whether the agent gets a limited session even if no `[agent]` table limits it.
    #[must_use]
    pub fn is_always_limited(&self) -> bool {
        self.always_limited
    }

    /// Returns the value of [`VARIABLE`] for child processes.
    #[must_use]
    pub fn value(&self) -> String {
        let kind = if self.always_limited { "limited" } else { "detected" };
        format!("{kind}:{}", self.name)
    }

    /// Returns the environment with [`VARIABLE`].
    #[must_use]
    pub fn marked(&self, mut env: Env) -> Env {
        env.0.insert(VARIABLE.into(), self.value().into());
        env
    }
}

/// The beginning of a hint that only the user can follow.
const ASK: &str = "ask your user";

/// Commands that only the user may run, as hints contain them.
pub const USER_COMMANDS: [&str; 13] = [
    "awsrole allow",
    "awsrole deny",
    "awsrole edit",
    "awsrole login",
    "awsrole logout",
    "awsrole keys add",
    "awsrole keys rotate",
    "awsrole keys remove",
    "awsrole setup",
    "awsrole console",
    "awsrole sudo",
    "awsrole revoke --apply",
    "awsrole profiles install",
];

/// Returns a single hint as an agent reads it: one that only the user can follow says so.
#[must_use]
pub fn hint_for_agent(hint: String) -> String {
    if user_commands(&[&hint]).is_empty() { ask_if_at_terminal(hint) } else { ask(hint) }
}

/// Returns the problem as an agent reads it. Hints may name commands of the agent and of the user, so a last one says
/// which ones only the user can run.
#[must_use]
pub fn with_agent_hints(mut problem: Problem) -> Problem {
    problem.hints = problem.hints.into_iter().map(ask_if_at_terminal).collect();
    let (asking, others): (Vec<&String>, Vec<_>) = problem.hints.iter().partition(|hint| hint.starts_with(ASK));
    let summary = Some(&problem.summary).filter(|_| asking.is_empty());
    let commands = user_commands(&others.into_iter().chain(summary).collect::<Vec<_>>());
    if !commands.is_empty() {
        problem.hints.push(format!("only your user can run {}", commands.join(" and ")));
    }
    problem
}

/// Returns a hint with the addition that it is for the user.
fn ask(hint: String) -> String {
    if hint.starts_with(ASK) { hint } else { format!("{ASK}: {hint}") }
}

/// Does what [`ask`] does for a hint about something that only a user at a terminal can do.
fn ask_if_at_terminal(hint: String) -> String {
    let needs_terminal =
        ["in a terminal", "in another terminal", "awsrole hook "].iter().any(|words| hint.contains(words));
    if needs_terminal { ask(hint) } else { hint }
}

/// Returns the commands of [`USER_COMMANDS`] that texts contain, each in backticks.
fn user_commands(texts: &[&String]) -> Vec<String> {
    let is_named = |command: &&str| texts.iter().any(|text| text.contains(command));
    USER_COMMANDS.into_iter().filter(is_named).map(|command| format!("`{command}`")).collect()
}

/// Returns the variable of an agent that is set, and the agent's name.
fn detect(env: &Env) -> Option<(&'static str, String)> {
    let is_on = |name: &&str| {
        let value = env.0.get(OsStr::new(name));
        value.is_some_and(|value| !OFF.iter().any(|off| value.eq_ignore_ascii_case(off)))
    };
    if let Some((variable, name)) = OF_ONE_AGENT.iter().find(|(variable, _)| is_on(variable)) {
        return Some((variable, (*name).to_owned()));
    }
    let variable = WITH_NAME.iter().find(|variable| is_on(variable))?;
    let name = env.text(variable).filter(|name| is_name(name) && name.contains(|c: char| c.is_ascii_alphabetic()));
    // `AGENT=true` and `AGENT=agent` name no agent.
    let name = name.filter(|name| !["true", "agent"].iter().any(|other| name.eq_ignore_ascii_case(other)));
    Some((variable, name.unwrap_or(UNNAMED).to_owned()))
}

/// Returns whether a text may be a name. It is printed, and sent to AWS as part of a description.
fn is_name(text: &str) -> bool {
    (1..=LONGEST_NAME).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// The variables by which agents are recognized, for shell code.
pub fn variables() -> impl Iterator<Item = &'static str> {
    [VARIABLE].into_iter().chain(OF_ONE_AGENT.iter().map(|(variable, _)| *variable)).chain(WITH_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    fn recognized(variables: &[(&str, &str)]) -> Option<(String, bool)> {
        let env = Env(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect());
        Agent::recognize(&env).map(|agent| (agent.name().to_owned(), agent.is_always_limited()))
    }

    #[test]
    fn documented_variables_name_an_agent() {
        for (variable, name) in OF_ONE_AGENT {
            for value in ["1", "true", "seatbelt", "0f3a"] {
                assert_eq!(recognized(&[(variable, value)]), Some((name.to_owned(), false)), "{variable}={value}");
            }
            for off in ["", "0", "false", "FALSE"] {
                assert_eq!(recognized(&[(variable, off)]), None, "{variable}={off}");
            }
        }
        for (value, name) in [
            ("goose", "goose"),
            ("claude-code_2.1.0", "claude-code_2.1.0"),
            ("1", "unnamed"),
            ("true", "unnamed"),
            ("Agent", "unnamed"),
            ("two words", "unnamed"),
            ("a\u{1b}[2J", "unnamed"),
            ("é", "unnamed"),
        ] {
            for variable in WITH_NAME {
                assert_eq!(recognized(&[(variable, value)]), Some((name.to_owned(), false)), "{variable}={value}");
            }
        }
        for other in ["SSH_AGENT_PID", "AGENT_NAME", "CODEX_HOME", "CLAUDE_CONFIG_DIR"] {
            assert_eq!(recognized(&[(other, "1")]), None, "{other}");
        }
    }

    #[test]
    fn inherited_values_are_kept_and_forged_ones_are_always_limited() {
        for (value, name, always_limited) in [
            ("detected:claude-code", "claude-code", false),
            ("limited:claude-code", "claude-code", true),
            ("", "unnamed", true),
            ("0", "unnamed", true),
            ("false", "unnamed", true),
            ("person", "unnamed", true),
            ("detected", "unnamed", true),
            ("detected:", "unnamed", true),
            ("detected:a b", "unnamed", true),
            ("detected:a:b", "unnamed", true),
            ("Detected:x", "x", true),
            (" detected:x", "x", true),
        ] {
            assert_eq!(recognized(&[(VARIABLE, value)]), Some((name.to_owned(), always_limited)), "{value}");
        }
        let both = [(VARIABLE, "forged"), ("CLAUDECODE", "1")];
        assert_eq!(recognized(&both), Some(("claude-code".to_owned(), true)));
        let mut env = Env::default();
        env.0.insert(VARIABLE.into(), OsString::from_vec(vec![0xff]));
        assert!(Agent::recognize(&env).unwrap().is_always_limited());
    }

    #[test]
    fn a_refusal_says_how_the_agent_was_recognized() {
        for (env, cause) in [
            ([("CLAUDECODE", "1")], "claude-code (CLAUDECODE is set)"),
            ([(VARIABLE, "detected:x")], "x (AWSROLE_AGENT is set)"),
            ([(VARIABLE, "forged")], "unnamed (AWSROLE_AGENT is set)"),
            ([(VARIABLE, "limited:x")], "x (limited by an `--agent` option)"),
        ] {
            let env = Env(env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect());
            let problem = Agent::recognize(&env).unwrap().refusal(Problem::new("no"));
            assert_eq!(problem.causes, [format!("this process belongs to an agent: {cause}")]);
            assert_eq!(problem.hints, ["ask your user to run the command in a terminal of their own"]);
            assert_eq!(with_agent_hints(problem.clone()), problem);
        }
        let env = Env([("CLAUDECODE".into(), "1".into())].into());
        let problem = Agent::always_limited(&env).refusal(Problem::new("no"));
        assert_eq!(problem.causes, ["this process belongs to an agent: claude-code (limited by an `--agent` option)"]);
    }

    #[test]
    fn hints_with_commands_of_the_user_say_so() {
        let shown = |problem: Problem| with_agent_hints(problem).hints;
        let hint = |hint: &str| shown(Problem::new("x").hint(hint));
        assert_eq!(hint("run `awsrole refresh`"), ["run `awsrole refresh`"]);
        let only = |command: &str| format!("only your user can run `{command}`");
        let again = "`awsrole allow` allows it again";
        assert_eq!(hint(again), [again, &only("awsrole allow")]);
        let both = "edit it, run `awsrole login corp`, then `awsrole allow`";
        assert_eq!(hint(both), [both, "only your user can run `awsrole allow` and `awsrole login`"]);
        assert_eq!(hint("run `awsrole sudo terraform apply`")[1], only("awsrole sudo"));
        assert_eq!(hint("ask your user to run `awsrole login`"), ["ask your user to run `awsrole login`"]);
        assert_eq!(hint("run `awsrole keys list`"), ["run `awsrole keys list`"]);
        assert_eq!(
            hint("run `awsrole exec -- true` in a terminal"),
            ["ask your user: run `awsrole exec -- true` in a terminal"]
        );
        assert_eq!(shown(Problem::new("not allowed yet: `awsrole allow`")), [only("awsrole allow")]);
    }

    #[test]
    fn children_recognize_what_their_parent_was() {
        let of = |variable: &str, value: &str| Env([(variable.into(), value.into())].into());
        for env in [of("CLAUDECODE", "1"), of("AI_AGENT", "goose"), of(VARIABLE, "forged")] {
            let agent = Agent::recognize(&env).unwrap();
            let child = Agent::recognize(&agent.marked(Env::default())).unwrap();
            assert_eq!((child.name(), child.value()), (agent.name(), agent.value()));
        }
        for env in [Env::default(), of("CLAUDECODE", "1"), of(VARIABLE, "detected:x")] {
            let agent = Agent::always_limited(&env);
            assert_eq!(Agent::recognize(&agent.marked(env)), Some(agent.clone()));
            assert!(agent.is_always_limited());
        }
        assert_eq!(Agent::named(&Env::default(), "claude-code").value(), "detected:claude-code");
        assert!(Agent::named(&of(VARIABLE, "forged"), "claude-code").is_always_limited());
    }
}
