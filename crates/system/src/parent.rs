//! The shell that called this process.

use std::fs;
use std::process::{Command, Stdio};

use awsrole_core::shell::module::ModuleShell;
use awsrole_core::shell::statements::Shell;

/// An interactive shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParentShell {
    /// The shell.
    pub shell: Shell,
    /// Whether it is a login shell, which reads other startup files.
    pub login: bool,
}

/// Returns the parent process if it is an interactive shell: not a script, an editor, or another program.
#[must_use]
pub fn parent_shell() -> Option<ParentShell> {
    of_args(&parent_args()?)
}

/// Returns the shell with a module that is the parent process. xonsh is a script, so its name is the second argument.
#[must_use]
pub fn parent_module_shell() -> Option<ModuleShell> {
    let args = parent_args()?;
    let names = args.iter().take(2).filter_map(|arg| arg.rsplit('/').next());
    names.filter_map(|name| ModuleShell::parse(name.strip_prefix('-').unwrap_or(name))).next()
}

/// Returns the command line of the parent process.
fn parent_args() -> Option<Vec<String>> {
    let parent = rustix::process::getppid()?.as_raw_nonzero();
    Some(match fs::read(format!("/proc/{parent}/cmdline")) {
        Ok(bytes) => bytes.split(|byte| *byte == 0).map(|arg| String::from_utf8_lossy(arg).into_owned()).collect(),
        // macOS has no /proc.
        Err(_) => {
            let mut ps = Command::new("/bin/ps");
            // Without -ww, a line may end at the width of the terminal.
            let output =
                ps.args(["-ww", "-o", "command=", "-p", &parent.to_string()]).stdin(Stdio::null()).output().ok()?;
            String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect()
        }
    })
}

/// Returns the interactive shell that was started with these arguments. The first one is the program's name, which
/// starts with `-` for a login shell.
fn of_args(args: &[String]) -> Option<ParentShell> {
    let (program, args) = args.split_first()?;
    let name = program.rsplit('/').next()?;
    let shell = Shell::parse(name.strip_prefix('-').unwrap_or(name))?;
    let (mut login, mut interactive, mut script) = (name.starts_with('-'), false, false);
    let mut args = args.iter().map(String::as_str).filter(|arg| !arg.is_empty());
    while let Some(arg) = args.next() {
        match arg {
            "--login" => login = true,
            "--interactive" => interactive = true,
            "--command" => script = true,
            "--rcfile" | "--init-file" | "--init-command" | "-C" | "-o" | "+o" | "-O" | "+O" => {
                args.next();
            }
            _ if arg.starts_with("--") || arg.starts_with('+') => script |= arg.starts_with("--command="),
            _ => match arg.strip_prefix('-') {
                Some(flags) => {
                    login |= flags.contains('l');
                    interactive |= flags.contains('i');
                    script |= flags.contains('c');
                }
                // The name of a script. Its own arguments follow.
                None => {
                    script = true;
                    break;
                }
            },
        }
    }
    (interactive || !script).then_some(ParentShell { shell, login })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_interactive_shells_from_scripts_and_other_programs() {
        let of = |line: &str| of_args(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let shell = |shell, login| Some(ParentShell { shell, login });
        for line in ["bash", "/bin/bash", "bash -i", "bash --rcfile /x -i", "bash --noprofile --norc", "bash -o vi"] {
            assert_eq!(of(line), shell(Shell::Bash, false), "{line}");
        }
        for line in ["-bash", "bash -l", "bash --login", "/usr/bin/bash -il", "bash -lic awsrole"] {
            assert_eq!(of(line), shell(Shell::Bash, true), "{line}");
        }
        assert_eq!(of("-zsh"), shell(Shell::Zsh, true));
        assert_eq!(of("zsh -d +Z -i"), shell(Shell::Zsh, false));
        assert_eq!(of("/usr/bin/fish -C true"), shell(Shell::Fish, false));
        for line in ["bash script.sh", "bash -c awsrole", "bash -lc awsrole", "sh", "python3 x", "fish --command=x", ""]
        {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
