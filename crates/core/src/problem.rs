//! What went wrong, as a person reads it.

use std::fmt::{self, Display, Write as _};

/// One failure: what failed, why, and what to do about it.
///
/// Every station has its own error enum and turns it into a `Problem`, with the hint beside the
/// variant. Printing happens here alone, so that every text from a file, a directory name or a
/// server is escaped before it reaches a terminal.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// What failed: one line, lower case, no full stop.
    pub summary: String,
    /// Why, the nearest cause first; each one line.
    #[serde(default)]
    pub causes: Vec<String>,
    /// What was asked, and by whom: a label and a text. Causes can't be judged without.
    #[serde(default)]
    pub facts: Vec<(String, String)>,
    /// What to do, the likeliest first; each one line.
    #[serde(default)]
    pub hints: Vec<String>,
}

impl Problem {
    /// A problem that says it all in one line.
    pub fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), causes: Vec::new(), facts: Vec::new(), hints: Vec::new() }
    }

    /// Adds a cause below those that are there.
    #[must_use]
    pub fn because(mut self, cause: impl Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Adds a fact below those that are there.
    #[must_use]
    pub fn fact(mut self, label: &str, text: impl Display) -> Self {
        self.facts.push((label.to_owned(), text.to_string()));
        self
    }

    /// Adds a hint below those that are there.
    #[must_use]
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hints.push(hint.to_string());
        self
    }
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "awsrole: {}", escape(&self.summary))?;
        for cause in &self.causes {
            write!(f, "\n  caused by: {}", escape(cause))?;
        }
        for (label, text) in &self.facts {
            write!(f, "\n  {label}: {}", escape(text))?;
        }
        for hint in &self.hints {
            write!(f, "\n  hint: {}", escape(hint))?;
        }
        Ok(())
    }
}

/// Makes a text harmless for a terminal: one line, nothing that moves the cursor, changes colours
/// or reorders what is read.
///
/// Control characters and the Unicode bidirectional controls (CVE-2021-42574) become `\u{…}`.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        let reorders = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        match c {
            '\n' => escaped.push_str("\\n"),
            '\t' => escaped.push_str("\\t"),
            c if c.is_control() || reorders || c == '\u{2028}' || c == '\u{2029}' => {
                let _ = write!(escaped, "\\u{{{:x}}}", c as u32);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_each_part_on_a_line_of_its_own() {
        let problem = Problem::new("STS refused it").because("AccessDenied").hint("run `awsrole why`");
        assert_eq!(
            problem.fact("asked by", "alice").to_string(),
            "awsrole: STS refused it\n  caused by: AccessDenied\n  asked by: alice\n  hint: run `awsrole why`"
        );
    }

    #[test]
    fn remote_text_can_not_drive_the_terminal() {
        let problem = Problem::new("a\u{1b}[31mred\r\nawsrole: all is well\u{9b}2J\u{202e}txt");
        assert_eq!(problem.to_string(), "awsrole: a\\u{1b}[31mred\\u{d}\\nawsrole: all is well\\u{9b}2J\\u{202e}txt");
    }
}
