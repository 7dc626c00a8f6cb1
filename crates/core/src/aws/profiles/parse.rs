//! Parses AWS files as Python's `configparser.RawConfigParser` does, which the AWS CLI uses (botocore,
//! `configloader.py`).
//!
//! Comments are on lines of their own. Quotes and `#` are part of the value. Lines that are indented deeper than a key
//! continue its value. Keys are case-insensitive. A duplicate section or key is an error. A value with an empty first
//! line contains nested settings, each of which needs a `=`. White space is defined as in Python.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use zeroize::Zeroizing;

use super::names::Kind;

/// The initial capacity, in lines.
const INITIAL_LINE_CAPACITY: usize = 10_000;

/// The name of the section whose keys all other sections inherit.
const DEFAULT: &str = "DEFAULT";

/// The sections and values of a file, as positions in its text. So a thousand unused profiles cost little more than one
/// pass over their lines.
#[derive(Default)]
pub(super) struct Parsed {
    pub(super) sections: Vec<Section>,
    pub(super) values: Vec<ParsedValue>,
}

pub(super) struct Section {
    pub(super) kind: Kind,
    pub(super) name: String,
    /// The text between the brackets.
    pub(super) header: Range<usize>,
    pub(super) line: usize,
    /// The section's own values, as indices into the values of the file.
    pub(super) values: Range<usize>,
}

/// One key and its value.
pub(super) struct ParsedValue {
    key: Range<usize>,
    /// The part of the value on the first line.
    first: Range<usize>,
    /// The line of the key.
    pub(super) line: usize,
    more: Option<Box<More>>,
}

/// The continuation lines of a value.
#[derive(Default)]
pub(super) struct More {
    /// The whole value: its lines without surrounding white space and comments.
    whole: Zeroizing<String>,
    /// The numbers of the continuation lines.
    pub(super) lines: Vec<usize>,
}

/// A line that Python can't parse.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) line: usize,
    pub(super) what: String,
}

impl ParsedValue {
    /// Returns the key in the form that is looked up.
    pub(super) fn key<'t>(&self, text: &'t str) -> Cow<'t, str> {
        lowercase(&text[self.key.clone()])
    }

    /// Returns the whole value. It begins with a newline if it contains nested settings.
    pub(super) fn text<'t>(&'t self, text: &'t str) -> &'t str {
        match &self.more {
            Some(more) => &more.whole,
            None => &text[self.first.clone()],
        }
    }

    /// Returns the continuation lines, if there are any.
    pub(super) fn more(&self) -> Option<&More> {
        self.more.as_deref()
    }

    /// Appends a continuation line that follows this many empty lines.
    fn extend(&mut self, text: &str, empty: usize, added: &str, line: usize) {
        let more = self.more.get_or_insert_with(|| {
            // Reserve capacity for the value: a growing buffer would leave copies of secrets in memory.
            let mut whole = Zeroizing::new(String::with_capacity(256));
            whole.push_str(&text[self.first.clone()]);
            Box::new(More { whole, lines: Vec::new() })
        });
        if more.whole.capacity() < more.whole.len() + empty + added.len() + 1 {
            let mut larger = Zeroizing::new(String::with_capacity(2 * (more.whole.len() + empty + added.len())));
            larger.push_str(&more.whole);
            more.whole = larger;
        }
        more.whole.extend(std::iter::repeat_n('\n', empty + 1));
        more.whole.push_str(added);
        more.lines.push(line);
    }
}

/// Parses a file. `name_of` interprets a section header.
pub(super) fn parse(text: &str, name_of: impl Fn(&str) -> (Kind, String)) -> Result<Parsed, Unreadable> {
    let wrong = |line: usize, what: &str| Err(Unreadable { line, what: what.to_owned() });
    if text.starts_with('\u{feff}') {
        return wrong(1, "the file begins with a byte order mark (BOM)");
    }
    // Reserve capacity for a large file at once: growing would take longer than reading it.
    let room = text.bytes().filter(|byte| *byte == b'\n').count().min(INITIAL_LINE_CAPACITY);
    let (mut sections, mut values): (Vec<Section>, Vec<ParsedValue>) = (Vec::new(), Vec::with_capacity(room));
    let mut headers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut keys: BTreeMap<Cow<'_, str>, usize> = BTreeMap::new();
    // [DEFAULT] may occur more than once, but its keys may not.
    let mut default_keys: BTreeMap<Cow<'_, str>, usize> = BTreeMap::new();
    // Values with an empty first line and continuation lines.
    let mut nested = Vec::new();
    // The indentation of the last key or header, whether its value can be continued, and the number of empty lines
    // since then.
    let (mut level, mut open, mut empty) = (0, false, 0);
    for (index, (at, raw)) in lines(text).enumerate() {
        let line = index + 1;
        let trimmed = strip(raw);
        if trimmed.is_empty() {
            empty += 1;
            continue;
        }
        if trimmed.starts_with(['#', ';']) {
            continue;
        }
        let before = raw.len() - strip_start(raw).len();
        let indent = raw[..before].chars().count();
        let last = values.len();
        if let (true, Some(value)) = (open && indent > level, values.last_mut()) {
            if value.first.is_empty() && value.more.is_none() {
                nested.push(last - 1);
            }
            value.extend(text, empty, trimmed, line);
            empty = 0;
            continue;
        }
        (level, empty) = (indent, 0);
        let start = at + before;
        if let Some(header) = header(trimmed) {
            let (kind, name) = if header == DEFAULT { (Kind::Default, String::new()) } else { name_of(header) };
            if kind != Kind::Default
                && let Some(first) = headers.insert(header, line)
            {
                return wrong(line, &format!("[{header}] is already on line {first}"));
            }
            let header = start + 1..start + 1 + header.len();
            sections.push(Section { kind, name, header, line, values: values.len()..values.len() });
            keys.clear();
            open = false;
            continue;
        }
        let Some(section) = sections.last_mut() else {
            return wrong(line, "something precedes the first [section]");
        };
        let Some(split) = trimmed.find(['=', ':']) else {
            return match trimmed {
                "[]" => wrong(line, "a section needs a name"),
                _ => wrong(line, "neither a [section] nor `key = value`"),
            };
        };
        let name = strip_end(&trimmed[..split]);
        if name.is_empty() {
            return wrong(line, "a value without a key");
        }
        let known = if section.kind == Kind::Default { &mut default_keys } else { &mut keys };
        if let Some(first) = known.insert(lowercase(name), line) {
            return wrong(line, &format!("`{}` is already on line {first}", lowercase(name)));
        }
        let value = strip_start(&trimmed[split + 1..]);
        let end = start + trimmed.len();
        values.push(ParsedValue { key: start..start + name.len(), first: end - value.len()..end, line, more: None });
        section.values.end = values.len();
        open = true;
    }
    let parsed = Parsed { sections, values };
    match parsed.unreadable_setting(text, &nested) {
        Some(line) => wrong(line, "a setting below an empty value needs a `=`"),
        None => Ok(parsed),
    }
}

impl Parsed {
    /// Returns the first line below one of these empty values that isn't `key = value`. A line in `[DEFAULT]` is an
    /// error only if another section inherits it.
    fn unreadable_setting(&self, text: &str, nested: &[usize]) -> Option<usize> {
        let counts = |index: usize| {
            let section = self.sections.iter().find(|section| section.values.contains(&index));
            let key = self.values[index].key(text);
            section.is_some_and(|section| section.kind != Kind::Default)
                || self.sections.iter().any(|s| s.kind != Kind::Default && self.own(text, s, &key).is_none())
        };
        let lines = nested.iter().filter_map(|index| Some((*index, self.values[*index].unreadable_setting(text)?)));
        lines.filter(|(index, _)| counts(*index)).map(|(_, line)| line).min()
    }

    /// Returns a section's own value of a key.
    pub(super) fn own(&self, text: &str, section: &Section, key: &str) -> Option<&ParsedValue> {
        self.values[section.values.clone()].iter().find(|value| value.key(text) == key)
    }

    /// Returns a section's value of a key. It may be inherited.
    pub(super) fn value(&self, text: &str, section: &Section, key: &str) -> Option<&ParsedValue> {
        let defaults = || self.sections.iter().filter(|section| section.kind == Kind::Default);
        self.own(text, section, key).or_else(|| defaults().find_map(|default| self.own(text, default, key)))
    }

    /// Returns all values of a section, its own first.
    pub(super) fn all(&self, section: &Section) -> impl Iterator<Item = &ParsedValue> {
        let defaults = self.sections.iter().filter(|section| section.kind == Kind::Default);
        let ranges = std::iter::once(section.values.clone()).chain(defaults.map(|section| section.values.clone()));
        ranges.flat_map(|range| &self.values[range])
    }
}

impl ParsedValue {
    /// Returns the line of a nested setting without a `=`.
    fn unreadable_setting(&self, text: &str) -> Option<usize> {
        let more = self.more().filter(|_| self.first.is_empty())?;
        let numbered = strip(self.text(text)).split('\n').filter(|line| !line.is_empty()).zip(&more.lines);
        // Here Python splits at more characters than newlines.
        let is_wrong = |line: &str| python_lines(line).any(|part| !strip(part).is_empty() && !part.contains('='));
        numbered.filter(|(line, _)| is_wrong(line)).map(|(_, number)| *number).next()
    }
}

/// Returns the nested settings of a value. If a key occurs twice, the later one is used (botocore, `_parse_nested`).
pub(super) fn settings(value: &str) -> impl Iterator<Item = (&str, &str)> {
    python_lines(value).filter_map(|line| line.split_once('=')).map(|(key, value)| (strip(key), strip(value)))
}

/// Returns the header in a line `[header]`: everything up to the last bracket.
fn header(trimmed: &str) -> Option<&str> {
    let rest = trimmed.strip_prefix('[')?;
    Some(&rest[..rest.rfind(']')?]).filter(|header| !header.is_empty())
}

/// Splits a text into lines at `\n`, `\r\n` and `\r`, as Python does in text mode. Returns each line with its position.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let has_returns = text.contains('\r');
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let end = if has_returns { rest.find(['\n', '\r']) } else { rest.find('\n') };
        let line = &rest[..end.unwrap_or(rest.len())];
        let start = at;
        at += line.len() + if rest[line.len()..].starts_with("\r\n") { 2 } else { 1 };
        Some((start, line))
    })
}

/// Splits a text into lines as Python's `str.splitlines` does.
fn python_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}', '\u{2029}'])
}

/// Returns whether a character is white space in Python's `str.isspace`.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

pub(super) fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

fn strip_start(text: &str) -> &str {
    text.trim_start_matches(is_space)
}

fn strip_end(text: &str) -> &str {
    text.trim_end_matches(is_space)
}

/// Returns a key in lower case as Python's `lower` does. Most keys are in lower case already.
fn lowercase(key: &str) -> Cow<'_, str> {
    match key.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        true => Cow::Borrowed(key),
        false => Cow::Owned(key.to_lowercase()),
    }
}
