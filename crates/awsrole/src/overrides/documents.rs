//! Reads YAML, JSON and TOML as a list of scalars with their paths and lines.
//!
//! Parsers that report events or spans are used, because lines are shown. YAML aliases aren't expanded, so a small file
//! stays small. JSON is read as YAML, of which it is a subset.

use awsrole_core::base::location::line_of;
use saphyr_parser::{Event, Parser};
use toml::de::{DeTable, DeValue};

/// The number of scalars that are read of a file.
const MAX_ENTRIES: usize = 100_000;

/// The deepest level that is read.
const MAX_DEPTH: usize = 32;

/// A scalar in a document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scalar {
    /// The keys that lead to it. An element of a list has a key such as `#0`.
    pub(crate) path: Vec<String>,
    pub(crate) value: String,
    /// The line, counted from 1.
    pub(crate) line: usize,
}

impl Scalar {
    /// Returns the keys without those of list elements.
    pub(crate) fn keys(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).filter(|key| !key.starts_with('#')).collect()
    }
}

/// A collection that is being read.
enum Frame {
    Map(Option<String>),
    List(usize),
}

impl Frame {
    fn key(&self) -> String {
        match self {
            Self::Map(key) => key.clone().unwrap_or_default(),
            Self::List(index) => format!("#{index}"),
        }
    }
}

/// Reads YAML or JSON, up to the first error.
pub(crate) fn yaml(text: &str) -> Vec<Scalar> {
    let mut entries = Vec::new();
    let mut frames: Vec<Frame> = Vec::new();
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok).take(4 * MAX_ENTRIES) {
        let scalar = match event {
            Event::MappingStart(..) => {
                frames.push(Frame::Map(None));
                continue;
            }
            Event::SequenceStart(..) => {
                frames.push(Frame::List(0));
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => {
                frames.pop();
                None
            }
            Event::Scalar(value, ..) => Some(value),
            Event::Alias(_) => None,
            _ => continue,
        };
        match frames.last_mut() {
            // Also a collection as a key, which has no name.
            Some(Frame::Map(key @ None)) => *key = Some(scalar.unwrap_or_default().into_owned()),
            _ => {
                if let Some(value) = scalar.filter(|_| frames.len() <= MAX_DEPTH && entries.len() < MAX_ENTRIES) {
                    let path = frames.iter().map(Frame::key).collect();
                    entries.push(Scalar { path, value: value.into_owned(), line: span.start.line() });
                }
                match frames.last_mut() {
                    Some(Frame::Map(key)) => *key = None,
                    Some(Frame::List(index)) => *index += 1,
                    None => {}
                }
            }
        }
    }
    entries
}

/// Reads TOML. A file with an error has no entries: no tool reads it either.
pub(crate) fn toml(text: &str) -> Vec<Scalar> {
    let mut entries = Vec::new();
    if let Ok(table) = DeTable::parse(text) {
        table_entries(table.get_ref(), &mut Vec::new(), text, &mut entries);
    }
    entries
}

/// Returns the line of the first error of a TOML document.
pub(crate) fn toml_error(text: &str) -> Option<usize> {
    let error = DeTable::parse(text).err()?;
    Some(line_of(text.as_bytes(), error.span().unwrap_or_default().start))
}

fn table_entries(table: &DeTable<'_>, path: &mut Vec<String>, text: &str, entries: &mut Vec<Scalar>) {
    for (key, value) in table {
        path.push(key.get_ref().to_string());
        value_entries(value.get_ref(), value.span().start, path, text, entries);
        path.pop();
    }
}

fn value_entries(value: &DeValue<'_>, at: usize, path: &mut Vec<String>, text: &str, entries: &mut Vec<Scalar>) {
    match value {
        _ if entries.len() >= MAX_ENTRIES || path.len() > MAX_DEPTH => {}
        DeValue::String(value) => {
            entries.push(Scalar { path: path.clone(), value: value.to_string(), line: line_of(text.as_bytes(), at) });
        }
        DeValue::Table(table) => table_entries(table, path, text, entries),
        DeValue::Array(array) => {
            for (index, value) in array.iter().enumerate() {
                path.push(format!("#{index}"));
                value_entries(value.get_ref(), value.span().start, path, text, entries);
                path.pop();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(entries: &[Scalar]) -> Vec<String> {
        entries.iter().map(|entry| format!("{}:{}={}", entry.line, entry.path.join("."), entry.value)).collect()
    }

    #[test]
    fn scalars_have_paths_and_lines() {
        let text = "# x\na:\n  b: &anchor one\n  c: [two, {d: three}]\ne: *anchor\n? [k]\n: v\nf: !Ref four\n";
        let expected = ["3:a.b=one", "4:a.c.#0=two", "4:a.c.#1.d=three", "6:.#0=k", "7:=v", "8:f=four"];
        assert_eq!(shown(&yaml(text)), expected);
        let json = "{\n\t\"a\": {\"b\": [1, {\"c\": \"x\"}]},\n\t\"d\": \"y\"\n}";
        assert_eq!(shown(&yaml(json)), ["2:a.b.#0=1", "2:a.b.#1.c=x", "3:d=y"]);
        let text = "a = 'x'\n[t]\nb = { c = \"y\" }\n[[l]]\nd = 'z'\nn = 1\n";
        assert_eq!(shown(&toml(text)), ["1:a=x", "5:l.#0.d=z", "3:t.b.c=y"]);
    }

    #[test]
    fn hostile_documents_end() {
        let mut bomb = String::from("a: &a [x, x]\n");
        for (name, before) in ('b'..='z').zip('a'..) {
            bomb += &format!("{name}: &{name} [*{before}, *{before}, *{before}]\n");
        }
        assert_eq!(yaml(&bomb).len(), 2);
        for text in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(50_000), "? ".repeat(50_000)] {
            assert!(yaml(&text).len() <= MAX_DEPTH);
            assert_eq!(toml(&format!("a = {text}")).len(), 0);
        }
        assert_eq!(shown(&yaml("a: 1\nb: [\n")), ["1:a=1"]);
    }
}
