//! The startup files of shells: where the hook line is, and where it is missing.
//!
//! The files are read, not run. A sourced file is read, too, if its path contains no variables except those of the
//! environment.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::base::context::Context;
use crate::base::files::read_regular;
use crate::shell::module::ModuleShell;
use crate::shell::statements::Shell;

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// The number of files that are read for one shell.
const MAX_FILES: usize = 60;

/// The files of which a login bash reads the first that exists (bash(1), "INVOCATION").
const LOGIN_FILES: [&str; 3] = [".bash_profile", ".bash_login", ".profile"];

/// A line of a startup file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartupLine {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
}

impl StartupLine {
    /// Returns the place for messages.
    #[must_use]
    pub fn shown(&self, context: &Context) -> String {
        format!("{}:{}", context.shorten(&self.file), self.line)
    }
}

/// What a shell's startup files do with the hook.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Startup {
    /// The files that exist, in the order in which they are read.
    pub files: Vec<PathBuf>,
    /// The lines that load this shell's hook, in that order.
    pub hooks: Vec<StartupLine>,
    /// The lines that load the hook of another shell, each with that shell.
    pub foreign: Vec<(StartupLine, Shell)>,
    /// The files that lines source although they don't exist.
    pub absent: Vec<PathBuf>,
    /// The first line that loads completions of awsrole.
    pub completions: Option<StartupLine>,
    /// The first line after the last hook line that overwrites the variable in which the hook registers itself.
    pub replaced: Option<StartupLine>,
}

/// A line that must be added to a file.
#[derive(Debug, PartialEq, Eq)]
pub struct MissingLine {
    /// The file.
    pub file: PathBuf,
    /// The line.
    pub line: String,
    /// The hook line in a file that this kind of shell doesn't read.
    pub elsewhere: Option<StartupLine>,
}

/// Reads the startup files of an interactive shell.
#[must_use]
pub fn read(context: &Context, shell: Shell, login: bool) -> Startup {
    let mut startup = Startup::default();
    let mut visited = BTreeSet::new();
    for file in files(context, shell, login) {
        visit(&file, context, shell, &mut startup, &mut visited);
    }
    startup
}

/// Returns the line that loads a shell's hook.
#[must_use]
pub fn hook_line(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => "eval \"$(awsrole hook bash)\"",
        Shell::Zsh => "eval \"$(awsrole hook zsh)\"",
        Shell::Fish => "awsrole hook fish | source",
    }
}

/// Returns the line of the user's startup file that loads the module of a shell.
#[must_use]
pub fn module_line(context: &Context, shell: ModuleShell) -> Option<StartupLine> {
    let file = context.paths.home.join(shell.startup_lines().0.strip_prefix("~/")?);
    let hook = format!("awsrole hook {}", shell.name());
    let text = read_text(&file);
    let line = text.lines().position(|line| line.contains(&hook) && !line.trim_start().starts_with('#'))? + 1;
    Some(StartupLine { file, line })
}

/// Returns the line that is missing in a shell's startup files, or `None` if they load the hook.
#[must_use]
pub fn missing_line(context: &Context, shell: Shell, login: bool) -> Option<MissingLine> {
    let startup = read(context, shell, login);
    if !startup.hooks.is_empty() {
        return None;
    }
    let home = &context.paths.home;
    let rc = rc_file(context, shell);
    let (file, line) = match shell {
        Shell::Bash if login && !startup.files.contains(&rc) && !startup.absent.contains(&rc) => {
            let file = login_file(home).unwrap_or_else(|| home.join(".bash_profile"));
            // Other shells read it, too.
            let guard = if file.ends_with(".profile") { "[ -z \"$BASH_VERSION\" ] || " } else { "" };
            (file, format!("{guard}{}", hook_line(shell)))
        }
        _ => (rc, hook_line(shell).to_owned()),
    };
    Some(MissingLine { file, line, elsewhere: elsewhere(context, shell, &startup) })
}

/// Returns a hook line in a file of the user's that the shell doesn't read.
fn elsewhere(context: &Context, shell: Shell, read_already: &Startup) -> Option<StartupLine> {
    let all = [Shell::Bash, Shell::Zsh, Shell::Fish].into_iter();
    let own_first = all.clone().filter(|other| *other == shell).chain(all.filter(|other| *other != shell));
    let startups = own_first.flat_map(|other| [false, true].map(|login| read(context, other, login)));
    let mut lines = startups.flat_map(|startup| {
        let foreign = startup.foreign.into_iter().map(|(line, _)| line);
        startup.hooks.into_iter().chain(foreign).collect::<Vec<_>>()
    });
    lines.find(|line| !read_already.files.contains(&line.file))
}

/// Returns the files of the user to which awsrole's lines may have been added.
#[must_use]
pub fn own_files(context: &Context) -> Vec<PathBuf> {
    let login = LOGIN_FILES.map(|name| context.paths.home.join(name)).into_iter();
    [Shell::Bash, Shell::Zsh, Shell::Fish].map(|shell| rc_file(context, shell)).into_iter().chain(login).collect()
}

/// Returns the file to which a hook line belongs.
#[must_use]
pub fn rc_file(context: &Context, shell: Shell) -> PathBuf {
    match shell {
        Shell::Bash => context.paths.home.join(".bashrc"),
        Shell::Zsh => zdotdir(context).join(".zshrc"),
        Shell::Fish => fish_config(context).join("config.fish"),
    }
}

/// Returns the files that a shell reads by itself, in order.
fn files(context: &Context, shell: Shell, login: bool) -> Vec<PathBuf> {
    let home = &context.paths.home;
    match (shell, login) {
        (Shell::Bash, false) => vec![PathBuf::from("/etc/bash.bashrc"), home.join(".bashrc")],
        (Shell::Bash, true) => {
            let system = [PathBuf::from("/etc/profile")].into_iter().chain(entries(Path::new("/etc/profile.d"), "sh"));
            system.chain(login_file(home)).collect()
        }
        (Shell::Zsh, _) => {
            let dir = zdotdir(context);
            let names: &[&str] =
                if login { &[".zshenv", ".zprofile", ".zshrc", ".zlogin"] } else { &[".zshenv", ".zshrc"] };
            let system = ["/etc/zsh/zshrc", "/etc/zshrc"].map(PathBuf::from);
            system.into_iter().chain(names.iter().map(|name| dir.join(name))).collect()
        }
        (Shell::Fish, _) => {
            let (system, own) = (PathBuf::from("/etc/fish"), fish_config(context));
            let parts = [&own, &system].map(|dir| entries(&dir.join("conf.d"), "fish"));
            parts.into_iter().flatten().chain([system.join("config.fish"), own.join("config.fish")]).collect()
        }
    }
}

/// Returns the one file of the user's that a login bash reads.
fn login_file(home: &Path) -> Option<PathBuf> {
    LOGIN_FILES.map(|name| home.join(name)).into_iter().find(|file| file.exists())
}

fn zdotdir(context: &Context) -> PathBuf {
    if let Some(dir) = context.env.filled("ZDOTDIR") {
        return PathBuf::from(dir);
    }
    let home = &context.paths.home;
    let text = read_text(&home.join(".zshenv"));
    let set = text.lines().rev().find_map(|line| line.trim().trim_start_matches("export ").strip_prefix("ZDOTDIR="));
    set.and_then(|value| path_of(value, home, context)).unwrap_or_else(|| home.clone())
}

fn fish_config(context: &Context) -> PathBuf {
    let config = context.env.filled("XDG_CONFIG_HOME").map(PathBuf::from);
    config.unwrap_or_else(|| context.paths.home.join(".config")).join("fish")
}

/// Returns the files of a directory with an extension, sorted as shells read them.
fn entries(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let found = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        found.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    found.sort();
    found
}

fn read_text(file: &Path) -> String {
    String::from_utf8_lossy(&read_regular(file, MAX_BYTES).unwrap_or_default()).into_owned()
}

/// Reads a file and the files that it sources, in the order of its lines.
fn visit(file: &Path, context: &Context, shell: Shell, startup: &mut Startup, visited: &mut BTreeSet<PathBuf>) {
    // The hook may be sourced twice, but the same file doesn't source itself.
    if visited.len() >= MAX_FILES || !file.is_file() || !visited.insert(file.to_owned()) {
        return;
    }
    startup.files.push(file.to_owned());
    let text = read_text(file);
    for (index, line) in text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_start())) {
        let here = || StartupLine { file: file.to_owned(), line: index };
        if line.starts_with('#') {
            continue;
        }
        if startup.completions.is_none() && line.contains("awsrole completions ") {
            startup.completions = Some(here());
        }
        match loaded_hook(line) {
            Some(loaded) if loaded == shell => {
                startup.hooks.push(here());
                startup.replaced = None;
            }
            Some(other) => startup.foreign.push((here(), other)),
            None if startup.replaced.is_none() && !startup.hooks.is_empty() && replaces_prompt(line, shell) => {
                startup.replaced = Some(here());
            }
            None => {}
        }
        if let Some(sourced) = sourced(line, file, context) {
            if sourced.exists() {
                visit(&sourced, context, shell, startup, visited);
            } else {
                startup.absent.push(sourced);
            }
        }
    }
}

/// Returns the shell whose hook a line loads.
fn loaded_hook(line: &str) -> Option<Shell> {
    line.match_indices("awsrole").find_map(|(at, name)| {
        let rest = line[at + name.len()..].trim_start_matches(['"', '\'']);
        let word = rest.trim_start().strip_prefix("hook").filter(|_| rest.starts_with([' ', '\t']))?.trim_start();
        let end = word.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(word.len());
        Shell::parse(&word[..end])
    })
}

/// Returns whether a line overwrites the variable in which the hook registers itself, without keeping its old value.
fn replaces_prompt(line: &str, shell: Shell) -> bool {
    let name = match shell {
        Shell::Bash => "PROMPT_COMMAND",
        Shell::Zsh => "precmd_functions",
        Shell::Fish => return false,
    };
    let words = ["export ", "declare ", "typeset ", "unset "];
    let unset = line.strip_prefix("unset ").is_some_and(|names| names.split_whitespace().any(|word| word == name));
    let line = words.iter().fold(line, |line, word| line.strip_prefix(word).unwrap_or(line).trim_start());
    let value = line.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
    unset || value.is_some_and(|value| !value.contains(name))
}

/// Returns the file that a line sources.
fn sourced(line: &str, file: &Path, context: &Context) -> Option<PathBuf> {
    let mut words = line.split([' ', '\t', ';', '&']).filter(|word| !word.is_empty());
    words.find(|word| matches!(*word, "." | "source" | "\\."))?;
    path_of(words.next()?, file.parent()?, context)
}

/// Expands a word to a path as a shell does.
fn path_of(word: &str, dir: &Path, context: &Context) -> Option<PathBuf> {
    let word: String = word.chars().filter(|c| !matches!(c, '"' | '\'')).collect();
    let word = word.replace("${ZDOTDIR:-$HOME}", "$HOME").replace("${ZDOTDIR:-~}", "$HOME");
    let path = context.expand_variables(&word);
    let unresolved = path.as_os_str().as_encoded_bytes().iter().any(|byte| b"$`*".contains(byte));
    (!word.is_empty() && !unresolved).then(|| dir.join(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::profiles::tests::home;
    use crate::base::files::write_private;

    const BASH: &str = "eval \"$(awsrole hook bash)\"";

    /// A home with these files, and its context.
    fn with(files: &[(&str, &str)]) -> (tempfile::TempDir, Context) {
        let (dir, mut context) = home("", "");
        context.env.0.insert("HOME".into(), context.paths.home.clone().into());
        for (name, text) in files {
            write_private(&context.paths.home.join(name), text.as_bytes()).unwrap();
        }
        (dir, context)
    }

    fn places(context: &Context, lines: &[StartupLine]) -> Vec<String> {
        lines.iter().map(|line| line.shown(context)).collect()
    }

    fn missing(files: &[(&str, &str)], shell: Shell, login: bool) -> Option<(String, String, Option<String>)> {
        let (_home, context) = with(files);
        let missing = missing_line(&context, shell, login)?;
        let elsewhere = missing.elsewhere.map(|line| line.shown(&context));
        Some((context.shorten(&missing.file), missing.line, elsewhere))
    }

    fn some(file: &str, line: &str, elsewhere: Option<&str>) -> Option<(String, String, Option<String>)> {
        Some((file.to_owned(), line.to_owned(), elsewhere.map(str::to_owned)))
    }

    #[test]
    fn a_login_bash_reads_one_file_and_what_it_sources() {
        let guarded = format!("[ -z \"$BASH_VERSION\" ] || {BASH}");
        let rc = (".bashrc", BASH);
        assert_eq!(missing(&[rc], Shell::Bash, false), None);
        assert_eq!(missing(&[rc], Shell::Bash, true), some("~/.bash_profile", BASH, Some("~/.bashrc:1")));
        assert_eq!(
            missing(&[rc, (".profile", "umask 22\n# . ~/.bashrc\n")], Shell::Bash, true),
            some("~/.profile", &guarded, Some("~/.bashrc:1"))
        );
        for line in [
            ". ~/.bashrc",
            "[ -f ~/.bashrc ] && . \"$HOME/.bashrc\"",
            "if [ -f ${HOME}/.bashrc ]; then source ${HOME}/.bashrc; fi",
        ] {
            assert_eq!(missing(&[rc, (".profile", line)], Shell::Bash, true), None, "{line}");
            for files in [&[(".bashrc", ""), (".profile", line)][..], &[(".profile", line)]] {
                assert_eq!(missing(files, Shell::Bash, true), some("~/.bashrc", BASH, None), "{files:?}");
            }
        }
        // The first one alone is read.
        let both = [rc, (".profile", ". ~/.bashrc"), (".bash_profile", "")];
        assert_eq!(missing(&both, Shell::Bash, true), some("~/.bash_profile", BASH, Some("~/.bashrc:1")));
    }

    #[test]
    fn the_line_is_for_the_very_shell() {
        let zsh = "eval \"$(awsrole hook zsh)\"";
        let fish = "awsrole hook fish | source";
        assert_eq!(missing(&[(".bashrc", BASH)], Shell::Zsh, true), some("~/.zshrc", zsh, Some("~/.bashrc:1")));
        assert_eq!(missing(&[(".bashrc", zsh)], Shell::Zsh, false), some("~/.zshrc", zsh, Some("~/.bashrc:1")));
        assert_eq!(missing(&[(".zprofile", zsh)], Shell::Zsh, true), None);
        assert_eq!(missing(&[(".zprofile", zsh)], Shell::Zsh, false), some("~/.zshrc", zsh, Some("~/.zprofile:1")));
        assert_eq!(missing(&[], Shell::Fish, false), some("~/.config/fish/config.fish", fish, None));
        assert_eq!(missing(&[(".config/fish/conf.d/x.fish", fish)], Shell::Fish, true), None);
        let moved = [(".zshenv", "export ZDOTDIR=\"$HOME/.config/zsh\"\n"), (".zshrc", zsh)];
        assert_eq!(missing(&moved, Shell::Zsh, false), some("~/.config/zsh/.zshrc", zsh, None));
    }

    #[test]
    fn lines_that_load_the_hook_are_found_in_what_is_sourced() {
        let (_home, context) = with(&[
            (".bashrc", "# awsrole hook bash\nsource ~/.aliases\n\"$HOME/bin/awsrole\" hook bash >/dev/null\n"),
            (
                ".aliases",
                "source <(awsrole hook bash)\n. ~/.bashrc\nalias a='awsrole hooks'\neval \"$(awsrole hook zsh)\"\n",
            ),
        ]);
        let startup = read(&context, Shell::Bash, false);
        assert_eq!(places(&context, &startup.hooks), ["~/.aliases:1", "~/.bashrc:3"]);
        assert_eq!(startup.foreign.len(), 1);
        assert_eq!(
            (startup.foreign[0].0.shown(&context), startup.foreign[0].1),
            ("~/.aliases:4".to_owned(), Shell::Zsh)
        );
    }

    #[test]
    fn a_later_line_that_replaces_the_prompts_hook_is_found() {
        for (line, shell, replaced) in [
            ("PROMPT_COMMAND=mine", Shell::Bash, true),
            ("export PROMPT_COMMAND='mine'", Shell::Bash, true),
            ("unset PROMPT_COMMAND", Shell::Bash, true),
            ("PROMPT_COMMAND=\"mine; $PROMPT_COMMAND\"", Shell::Bash, false),
            ("PROMPT_COMMAND+=(mine)", Shell::Bash, false),
            ("precmd_functions=(mine)", Shell::Zsh, true),
            ("precmd_functions+=(mine)", Shell::Zsh, false),
            ("PROMPT_COMMAND=mine", Shell::Zsh, false),
        ] {
            let hook = hook_line(shell);
            let file = if shell == Shell::Bash { ".bashrc" } else { ".zshrc" };
            for (text, expected) in [(format!("{hook}\n{line}\n"), replaced), (format!("{line}\n{hook}\n"), false)] {
                let (_home, context) = with(&[(file, &text)]);
                let found = read(&context, shell, false).replaced.map(|line| line.line);
                assert_eq!(found, expected.then_some(2), "{text}");
            }
        }
    }

    #[test]
    fn files_that_source_each_other_and_odd_ones_end() {
        let (_home, context) =
            with(&[(".bashrc", ". ~/.a\n. ~/x $(y) `z`\n.\nsource\n"), (".a", ". ~/.bashrc\n. ~/.a\n")]);
        assert_eq!(read(&context, Shell::Bash, false).hooks, []);
    }
}
