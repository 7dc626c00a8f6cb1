//! Quotes arguments in command lines that AWS files and startup files contain.

/// Quotes an argument for `credential_process` and for a line of a startup file. Returns `None` if no line can
/// represent it.
///
/// Some SDKs pass the line to `sh -c`, botocore splits it with Python's `shlex`. Both interpret single quotes in the
/// same way. Some clients start a comment at `#` or `;` after white space, even inside quotes.
#[must_use]
pub fn shell_quote(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return Some(text.to_owned());
    }
    if text.contains(char::is_control) {
        return None;
    }
    let mut quoted = String::from("'");
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str(r"'\''"),
            '#' | ';' if before.is_whitespace() => quoted.extend(["''", c.encode_utf8(&mut [0; 4])]),
            c => quoted.push(c),
        }
        before = c;
    }
    quoted.push('\'');
    Some(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_arguments_mean_the_same_to_sh_and_shlex() {
        for (text, expected) in [
            ("/usr/bin/awsrole", Some("/usr/bin/awsrole")),
            ("/a b/c", Some("'/a b/c'")),
            ("it's", Some(r"'it'\''s'")),
            ("a #b ;c#d", Some("'a ''#b '';c#d'")),
            ("", Some("''")),
            ("a\nb", None),
        ] {
            assert_eq!(shell_quote(text).as_deref(), expected);
        }
    }
}
