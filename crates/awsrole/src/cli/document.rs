//! Generates the reference in `docs/commands.md` from the command line's types.
//!
//! `UPDATE=1 cargo test` writes it. Without it, the test fails if the page differs from the types.

use std::path::Path;

use clap::{Arg, Command, Parser};

use super::{Cli, command_line};

const BEGIN: &str = "<!-- commands -->\n";
const END: &str = "<!-- /commands -->\n";

/// Returns all visible commands below `command` with their full names, depth first.
fn commands(command: &Command, prefix: &str) -> Vec<(String, Command)> {
    let mut found = Vec::new();
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        let name = format!("{prefix} {}", sub.get_name());
        let below = commands(sub, &name);
        found.push((name, sub.clone()));
        found.extend(below);
    }
    found
}

fn text_of(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default()
}

/// Escapes what a cell of a Markdown table cannot contain.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace('\n', " ")
}

fn names(arg: &Arg) -> String {
    let values = arg.get_value_names().filter(|_| arg.get_action().takes_values()).unwrap_or_default();
    let value = values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let short = arg.get_short().map(|short| format!("`-{short}`, ")).unwrap_or_default();
    match arg.get_long() {
        Some(long) if value.is_empty() => format!("{short}`--{long}`"),
        Some(long) => format!("{short}`--{long} {value}`"),
        None => format!("`{value}`"),
    }
}

/// Describes an argument: its help, its possible values and its default.
fn meaning(arg: &Arg) -> String {
    let mut text = text_of(arg.get_help());
    let values = arg.get_possible_values();
    if arg.get_action().takes_values() && !values.is_empty() {
        let values = values.iter().filter(|value| !value.is_hide_set()).map(|value| match value.get_help() {
            Some(help) => format!("`{}` ({help})", value.get_name()),
            None => format!("`{}`", value.get_name()),
        });
        text += &format!(": {}", values.collect::<Vec<_>>().join(", "));
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if arg.get_action().takes_values() && !defaults.is_empty() {
        text += &format!(" [default: `{}`]", defaults.join(" "));
    }
    cell(&text)
}

/// Returns the section of one command.
fn section(name: &str, command: &Command) -> String {
    let about = text_of(command.get_about());
    let mut text = format!("### {name}\n\n{about}.\n\n");
    let usage = command.clone().bin_name(name).render_usage().to_string();
    text += &format!("```text\n{}\n```\n\n", usage.trim_start_matches("Usage: "));
    let arguments: Vec<_> =
        command.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_id() != "help").collect();
    if !arguments.is_empty() {
        text += "| argument | meaning |\n|---|---|\n";
        for arg in arguments {
            text += &format!("| {} | {} |\n", names(arg), meaning(arg));
        }
        text += "\n";
    }
    let after = text_of(command.get_after_help());
    if !after.is_empty() {
        text += &format!("```text\n{after}\n```\n\n");
    }
    text
}

/// The table of all commands, then a section for each.
fn reference() -> String {
    let all = commands(&command_line(), "awsrole");
    let mut text = String::from("| command | does |\n|---|---|\n");
    for (name, command) in &all {
        let anchor = name.replace(' ', "-");
        text += &format!("| [`{name}`](#{anchor}) | {} |\n", cell(&text_of(command.get_about())));
    }
    text += "\n";
    all.iter().for_each(|(name, command)| text += &section(name, command));
    text
}

#[test]
#[expect(clippy::disallowed_methods, reason = "this file belongs to the checkout, not to a user")]
fn the_page_of_commands_is_that_of_the_types() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands.md");
    let present = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = present.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let made = format!("{before}{BEGIN}{}{END}{after}", reference());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &made).unwrap();
    } else {
        assert!(present == made, "docs/commands.md is out of date: run the tests with UPDATE=1");
    }
}

/// The list of commands and the texts below the options fit into 80 columns. Examples may be a little longer.
#[test]
fn help_fits_the_terminal() {
    for command in command_line().get_subcommands() {
        let about = text_of(command.get_about());
        assert!(about.chars().count() <= 58, "{}: {about}", command.get_name());
    }
    let all = commands(&command_line(), "awsrole").into_iter().map(|(_, command)| command);
    for text in all.chain([command_line()]).map(|command| text_of(command.get_after_help())) {
        for line in text.lines() {
            // Without a terminal clap breaks lines after 100 columns.
            let most = if line.starts_with("  ") { 100 } else { 80 };
            assert!(line.chars().count() <= most, "{line}");
        }
    }
}

/// Each line that begins with `awsrole` in a help text is one that clap accepts.
#[test]
fn examples_are_accepted() {
    let mut count = 0;
    for (name, command) in commands(&command_line(), "awsrole") {
        let after = text_of(command.get_after_help());
        for line in after.lines().filter_map(|line| line.strip_prefix("  awsrole ")) {
            let line = line.split("  ").next().unwrap_or_default().split([')', '|', '>']).next().unwrap_or_default();
            let words = ["awsrole"].into_iter().chain(line.split_whitespace());
            let parsed = Cli::try_parse_from(words).map(|_| ());
            assert!(parsed.is_ok(), "{name}: {line}: {}", parsed.unwrap_err());
            count += 1;
        }
    }
    assert!(count >= 20, "{count}");
}

#[test]
fn every_command_has_an_example() {
    for (name, command) in commands(&command_line(), "awsrole") {
        let after = text_of(command.get_after_help());
        let is_for_people = command.get_subcommands().count() == 0 && name != "awsrole hook export";
        assert!(!is_for_people || after.contains("Example"), "{name}");
    }
}
