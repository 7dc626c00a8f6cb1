//! Interprets section headers by botocore's rules (`configloader.py`, `build_profile_map`).

/// The kind of a section in botocore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Profile,
    Services,
    SsoSession,
    /// `[DEFAULT]`: every other section of the file inherits its keys (Python, `configparser`).
    Default,
    /// A section that botocore reads but doesn't use.
    Unused,
}

/// Interprets a header of the config file: `[default]`, `[profile x]`, `[profile "a b"]`, `[services x]`, `[sso-session
/// x]`.
///
/// The first word only has to begin with `profile`. A header with more or fewer than two words names nothing.
pub(super) fn in_config(header: &str) -> (Kind, String) {
    if header == "default" {
        return (Kind::Profile, header.to_owned());
    }
    let kind = prefix(header).map(|(_, kind)| kind);
    let name = kind.and_then(|_| words(header)).filter(|words| words.len() == 2).and_then(|mut words| words.pop());
    match (kind, name) {
        (Some(kind), Some(name)) => (kind, name),
        _ => (Kind::Unused, String::new()),
    }
}

/// Interprets a header of the credentials file. Every header names a profile.
pub(super) fn in_credentials(header: &str) -> (Kind, String) {
    (Kind::Profile, header.to_owned())
}

/// Returns the prefix that determines the kind of a header in the config file.
pub(super) fn prefix(header: &str) -> Option<(&'static str, Kind)> {
    [("profile", Kind::Profile), ("sso-session", Kind::SsoSession), ("services", Kind::Services)]
        .into_iter()
        .find(|(prefix, _)| header.starts_with(prefix))
}

/// Splits a text into words as Python's `shlex.split` does. Returns `None` for an unclosed quote or a backslash at the
/// end.
pub(super) fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => match chars.next()? {
                            c @ ('"' | '\\') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next()?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are the output of Python 3.11's `shlex.split`.
    #[test]
    fn splits_words_as_shlex_does() {
        for (text, expected) in [
            ("profile x", Some(&["profile", "x"][..])),
            ("profile \t x ", Some(&["profile", "x"])),
            ("profile two words", Some(&["profile", "two", "words"])),
            ("profile \"two words\"", Some(&["profile", "two words"])),
            ("profile 'it'\"'\"'s'", Some(&["profile", "it's"])),
            ("profile two\\ words", Some(&["profile", "two words"])),
            (r#"profile "a\"b\\c\d""#, Some(&["profile", r#"a"b\c\d"#])),
            (r"profile 'a\'", Some(&["profile", r"a\"])),
            ("profile \"\"", Some(&["profile", ""])),
            ("profile a\u{a0}b", Some(&["profile", "a\u{a0}b"])),
            ("profile a#b", Some(&["profile", "a#b"])),
            ("profile \"a", None),
            ("profile a\\", None),
            ("", Some(&[])),
        ] {
            assert_eq!(
                words(text).as_deref(),
                expected.map(|e| e.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>()).as_deref(),
                "{text}"
            );
        }
    }

    #[test]
    fn interprets_headers_as_botocore_does() {
        for (header, kind, name) in [
            ("default", Kind::Profile, "default"),
            ("profile default", Kind::Profile, "default"),
            ("profile x", Kind::Profile, "x"),
            ("profiles x", Kind::Profile, "x"),
            ("profile-old x", Kind::Profile, "x"),
            ("profile two words", Kind::Unused, ""),
            ("profile", Kind::Unused, ""),
            (" profile x", Kind::Unused, ""),
            ("default ", Kind::Unused, ""),
            ("Profile x", Kind::Unused, ""),
            ("x", Kind::Unused, ""),
            ("sso-session 'my corp'", Kind::SsoSession, "my corp"),
            ("services local", Kind::Services, "local"),
            ("services-local", Kind::Unused, ""),
        ] {
            assert_eq!(in_config(header), (kind, name.to_owned()), "{header}");
        }
    }
}
