//! Quotes texts for the shells, and escapes texts for a terminal.
//!
//! Invariants: by the rules of single quotes a shell reads a quoted text as the original, and an escaped text moves no
//! cursor. `tests/shells/test_quoting.py` tests the real shells.
#![no_main]

use awsrole_core::base::problem::escape;
use awsrole_core::shell::statements::Shell;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for shell in [Shell::Bash, Shell::Zsh] {
        assert_eq!(posix(&shell.quote(text)).as_deref(), Some(text));
    }
    assert_eq!(fish(&Shell::Fish.quote(text)).as_deref(), Some(text));
    let escaped = escape(text);
    assert!(!escaped.chars().any(|c| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}')), "{escaped:?}");
});

/// POSIX: inside single quotes no character is special. Outside, only `\'` is allowed.
fn posix(quoted: &str) -> Option<String> {
    let (mut text, mut inside, mut chars) = (String::new(), false, quoted.chars());
    while let Some(c) = chars.next() {
        match (inside, c) {
            (_, '\'') => inside = !inside,
            (true, c) => text.push(c),
            (false, '\\') if chars.next() == Some('\'') => text.push('\''),
            _ => return None,
        }
    }
    (!inside).then_some(text)
}

/// fish: inside single quotes `\\` and `\'` are special. Nothing is allowed outside.
fn fish(quoted: &str) -> Option<String> {
    let mut chars = quoted.strip_prefix('\'')?.strip_suffix('\'')?.chars();
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\'' => return None,
            '\\' => match chars.next()? {
                c @ ('\\' | '\'') => text.push(c),
                _ => return None,
            },
            c => text.push(c),
        }
    }
    Some(text)
}
