//! The command line as it is shown: the list of commands in groups.

use clap::builder::StyledStr;
use clap::builder::styling::Styles;
use clap::{Command, CommandFactory};

use super::Cli;

/// The commands by what people want to do.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Start", &["setup", "hook", "init", "import", "edit", "allow", "deny", "login", "prompt", "doctor", "help"]),
    ("Every day", &["status", "use", "sudo", "refresh", "console", "off", "on"]),
    ("Understand", &["why", "policy", "history"]),
    ("Keys", &["keys", "logout", "revoke"]),
    ("Scripts and CI", &["exec", "env", "credential-process", "profiles", "completions", "man", "schema"]),
];

/// What clap says of its own command is longer than a line.
const HELP: &str = "Print this help, or that of a command";

/// Returns the command line of `awsrole`.
pub(crate) fn command_line() -> Command {
    let command = Cli::command();
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}{header}Options:{header:#}\n{{options}}{{after-help}}",
        groups(&command),
        header = Styles::default().get_header(),
    );
    command.help_template(StyledStr::from(template))
}

/// Lists the commands as clap does: two spaces, the name, two or more spaces, and what it does.
fn groups(command: &Command) -> String {
    let styles = Styles::default();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let width = command.get_subcommands().map(|sub| sub.get_name().len()).max().unwrap_or_default();
    let mut text = String::new();
    for (title, names) in GROUPS {
        text += &format!("{header}{title}:{header:#}\n");
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about).map(ToString::to_string);
            let about = about.unwrap_or_else(|| HELP.to_owned());
            text += &format!("  {literal}{name}{literal:#}{:1$}  {about}\n", "", width - name.len());
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let mut listed: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let command = command_line();
        let visible = command.get_subcommands().filter(|sub| !sub.is_hide_set()).map(Command::get_name);
        let mut known: Vec<&str> = visible.chain(["help"]).collect();
        listed.sort_unstable();
        known.sort_unstable();
        assert_eq!(listed, known);
    }

    #[test]
    fn every_yes_is_also_y() {
        let mut commands: Vec<Command> = vec![command_line()];
        let mut found = 0;
        while let Some(command) = commands.pop() {
            for option in command.get_arguments().filter(|option| option.get_long() == Some("yes")) {
                assert_eq!(option.get_short(), Some('y'), "{}", command.get_name());
                found += 1;
            }
            commands.extend(command.get_subcommands().cloned());
        }
        assert!(found >= 8, "{found}");
    }

    #[test]
    fn the_list_is_as_wide_as_a_terminal() {
        let text = command_line().render_help().to_string();
        assert!(text.contains("Every day:\n  status              Show the role of this shell in one line\n"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}
