//! A marked block of lines in a file that belongs to the user, such as `~/.bashrc` or `~/.aws/config`.
//!
//! Everything outside of the block stays as it is, byte by byte. The file may have any encoding and any line ends.
//! Removing the block restores the previous bytes: notes after the first mark record what they can't tell otherwise.

use std::ops::Range;

use crate::base::location::line_of;

/// The first line of the block, which may be followed by a note.
const BEGIN: &str = "# >>> awsrole >>>";

/// The last line of the block.
const END: &str = "# <<< awsrole <<<";

/// The note if the file didn't exist.
const NEW_FILE: &str = "(new file)";

/// The note if the line above the block had no newline.
const NO_NEWLINE: &str = "(no newline above)";

/// A block that can't be changed, with the line, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MarkError {
    /// The last line of the block is missing.
    #[error("the block that begins here has no end line `{END}`")]
    NoEnd(usize),
    /// The first line of the block is missing.
    #[error("the block that ends here has no first line `{BEGIN}`")]
    NoBegin(usize),
    /// There is a second block.
    #[error("this is a second block of awsrole")]
    Second(usize),
}

impl MarkError {
    /// Returns the line, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        match self {
            Self::NoEnd(line) | Self::NoBegin(line) | Self::Second(line) => *line,
        }
    }
}

/// A block in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkedBlock {
    /// The bytes of the block, with both marks and the newline at the end.
    range: Range<usize>,
    /// The line of the first mark, counted from 1.
    pub line: usize,
    /// The lines between the marks, without line ends.
    pub lines: Vec<String>,
    note: String,
}

impl MarkedBlock {
    /// Finds the block in a file.
    ///
    /// # Errors
    /// Fails if a mark is missing or if there are several blocks.
    pub fn find(bytes: &[u8]) -> Result<Option<Self>, MarkError> {
        let mut found: Option<Self> = None;
        let mut open: Option<Self> = None;
        let mut at = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let start = at;
            at += line.len();
            let text = String::from_utf8_lossy(line);
            let text = text.trim_end_matches(['\r', '\n']);
            let note = text.trim_end().strip_prefix(BEGIN).map(str::trim);
            match (note, open.as_mut()) {
                (Some(note), None) => {
                    let number = line_of(bytes, start);
                    if found.is_some() {
                        return Err(MarkError::Second(number));
                    }
                    open = Some(Self { range: start..at, line: number, lines: Vec::new(), note: note.to_owned() });
                }
                (Some(_), Some(block)) => return Err(MarkError::NoEnd(block.line)),
                (None, None) if text.trim_end() == END => return Err(MarkError::NoBegin(line_of(bytes, start))),
                (None, None) => {}
                (None, Some(block)) if text.trim_end() == END => {
                    block.range.end = at;
                    found = open.take();
                }
                (None, Some(block)) => block.lines.push(text.to_owned()),
            }
        }
        match open {
            Some(block) => Err(MarkError::NoEnd(block.line)),
            None => Ok(found),
        }
    }

    /// Returns the number of the block's last line, counted from 1.
    #[must_use]
    pub fn last_line(&self) -> usize {
        self.line + self.lines.len() + 1
    }
}

/// Returns the content of a file with these lines in the block. A new block is at the end. `None` means that the file
/// doesn't exist.
///
/// # Errors
/// See [`MarkedBlock::find`].
pub fn with_block(before: Option<&[u8]>, lines: &[String], newline: &str) -> Result<Vec<u8>, MarkError> {
    let bytes = before.unwrap_or_default();
    let block = MarkedBlock::find(bytes)?;
    let (range, note) = match &block {
        Some(block) => (block.range.clone(), block.note.as_str()),
        None if before.is_none() => (0..0, NEW_FILE),
        None if bytes.last().is_none_or(|byte| *byte == b'\n') => (bytes.len()..bytes.len(), ""),
        None => (bytes.len()..bytes.len(), NO_NEWLINE),
    };
    let mut after = bytes[..range.start].to_vec();
    if block.is_none() && note == NO_NEWLINE {
        after.extend(newline.bytes());
    }
    let first = format!("{BEGIN} {note}");
    for line in [first.trim_end()].into_iter().chain(lines.iter().map(String::as_str)).chain([END]) {
        after.extend(line.bytes().chain(newline.bytes()));
    }
    after.extend(&bytes[range.end..]);
    Ok(after)
}

/// Returns the content of a file without the block, or `None` if the file didn't exist before the block was added.
///
/// # Errors
/// See [`MarkedBlock::find`].
pub fn without_block(bytes: &[u8]) -> Result<Option<Vec<u8>>, MarkError> {
    let Some(MarkedBlock { range, note, .. }) = MarkedBlock::find(bytes)? else { return Ok(Some(bytes.to_vec())) };
    let (mut above, below) = (&bytes[..range.start], &bytes[range.end..]);
    if note == NEW_FILE && above.is_empty() && below.is_empty() {
        return Ok(None);
    }
    // The newline above the block was written together with it. Its own line ends are of the same kind.
    if note == NO_NEWLINE && below.is_empty() {
        let newline: &[u8] = if bytes[range].ends_with(b"\r\n") { b"\r\n" } else { b"\n" };
        above = above.strip_suffix(newline).unwrap_or(above);
    }
    Ok(Some([above, below].concat()))
}

/// Returns the lines of a block with both marks, for messages. No lines mean no block.
#[must_use]
pub fn shown(lines: &[String]) -> String {
    let marked = [BEGIN].into_iter().chain(lines.iter().map(String::as_str)).chain([END]);
    if lines.is_empty() { String::new() } else { marked.map(|line| format!("{line}\n")).collect() }
}

/// Returns the line end that a file uses, judged by its first line.
#[must_use]
pub fn newline_of(bytes: &[u8]) -> &'static str {
    let first = bytes.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    if first.ends_with(b"\r\n") { "\r\n" } else { "\n" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn removing_restores_every_byte() {
        let files: [Option<&[u8]>; 9] = [
            None,
            Some(b""),
            Some(b"\n"),
            Some(b"a\n"),
            Some(b"a"),
            Some(b"a\r\nb\r\n"),
            Some(b"a\r\nb"),
            Some(b"\xff\xfe a\r"),
            Some(b"\n\n\n"),
        ];
        for before in files {
            for newline in ["\n", "\r\n"] {
                let once = with_block(before, &lines("one two"), newline).unwrap();
                assert_eq!(with_block(Some(&once), &lines("one two"), newline).unwrap(), once, "{before:?}");
                let other = with_block(Some(&once), &lines("three"), newline).unwrap();
                assert_eq!(MarkedBlock::find(&other).unwrap().unwrap().lines, ["three"]);
                assert_eq!(without_block(&other).unwrap().as_deref(), before, "{before:?}");
            }
        }
        assert_eq!(without_block(b"a").unwrap().unwrap(), b"a");
    }

    #[test]
    fn what_follows_the_block_stays() {
        let mut file = with_block(Some(b"a"), &lines("one"), "\n").unwrap();
        file.extend(b"b");
        assert_eq!(without_block(&file).unwrap().unwrap(), b"a\nb");
        let mut file = with_block(None, &lines("one"), "\n").unwrap();
        file.extend(b"b");
        assert_eq!(
            with_block(Some(&file), &lines("two"), "\n").unwrap(),
            b"# >>> awsrole >>> (new file)\ntwo\n# <<< awsrole <<<\nb"
        );
        assert_eq!(without_block(&file).unwrap().unwrap(), b"b");
    }

    #[test]
    fn damaged_blocks_are_errors_with_a_line() {
        for (text, expected) in [
            ("a\n# >>> awsrole >>>\nb\n", MarkError::NoEnd(2)),
            ("# >>> awsrole >>>\n# >>> awsrole >>>\n# <<< awsrole <<<\n", MarkError::NoEnd(1)),
            ("a\n\n# <<< awsrole <<<", MarkError::NoBegin(3)),
            ("# >>> awsrole >>>\n# <<< awsrole <<<\n# >>> awsrole >>> \r\n# <<< awsrole <<<", MarkError::Second(3)),
        ] {
            assert_eq!(MarkedBlock::find(text.as_bytes()), Err(expected), "{text}");
            assert_eq!(without_block(text.as_bytes()), Err(expected));
        }
    }
}
