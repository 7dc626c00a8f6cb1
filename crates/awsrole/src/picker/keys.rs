//! Keys of a terminal, as xterm and the terminals compatible with it send them.

use crate::terminal::{NoAnswer, Terminal};

/// The longest parameters of an escape sequence that are kept. Those of the known keys have one or two bytes.
const MAX_PARAMETERS: usize = 16;

/// A key, or a change of the terminal's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyPress {
    Text(char),
    Enter,
    Tab,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Erase,
    EraseWord,
    EraseAll,
    /// The terminal has another size.
    Resized,
    /// Another key, which does nothing.
    Unknown,
}

/// Waits for a key, or until the size of the terminal changes.
///
/// # Errors
/// Fails for the keys that cancel, and if the terminal was closed.
pub(super) fn read(terminal: &Terminal, size: (usize, usize)) -> Result<KeyPress, NoAnswer> {
    loop {
        match terminal.read_byte() {
            Ok(Some(byte)) => {
                return of(byte, &mut || terminal.read_byte().ok().flatten()).ok_or(NoAnswer::Cancelled);
            }
            // The device of a closed terminal has no size.
            Ok(None) => match terminal.size() {
                Ok(now) if now == size => {}
                Ok(_) => return Ok(KeyPress::Resized),
                Err(_) => return Err(NoAnswer::Cancelled),
            },
            Err(_) => return Err(NoAnswer::Cancelled),
        }
    }
}

/// Returns the key that begins with this byte. `None` cancels: Ctrl-C, Ctrl-D, Ctrl-Z, Ctrl-\ and Esc.
fn of(byte: u8, next: &mut dyn FnMut() -> Option<u8>) -> Option<KeyPress> {
    Some(match byte {
        b'\n' | b'\r' => KeyPress::Enter,
        b'\t' => KeyPress::Tab,
        0x03 | 0x04 | 0x1a | 0x1c => return None,
        0x0e => KeyPress::Down, // Ctrl-N
        0x10 => KeyPress::Up,   // Ctrl-P
        0x08 | 0x7f => KeyPress::Erase,
        0x15 => KeyPress::EraseAll,  // Ctrl-U
        0x17 => KeyPress::EraseWord, // Ctrl-W
        0x1b => sequence(next()?, next),
        0x20..0x7f => KeyPress::Text(char::from(byte)),
        0x80.. => character(byte, next),
        _ => KeyPress::Unknown,
    })
}

/// Returns the key of an escape sequence (ECMA-48, and `ESC O` of the application mode).
fn sequence(first: u8, next: &mut dyn FnMut() -> Option<u8>) -> KeyPress {
    let (mut parameters, mut last) = (Vec::new(), None);
    match first {
        b'[' => {
            while let Some(byte) = next() {
                if (0x40..0x7f).contains(&byte) {
                    last = Some(byte);
                    break;
                }
                if parameters.len() < MAX_PARAMETERS {
                    parameters.push(byte);
                }
            }
        }
        b'O' => last = next(),
        _ => {}
    }
    match (last, parameters.as_slice()) {
        (Some(b'A'), _) => KeyPress::Up,
        (Some(b'B'), _) => KeyPress::Down,
        (Some(b'H'), _) | (Some(b'~'), b"1" | b"7") => KeyPress::Home,
        (Some(b'F'), _) | (Some(b'~'), b"4" | b"8") => KeyPress::End,
        (Some(b'~'), b"5") => KeyPress::PageUp,
        (Some(b'~'), b"6") => KeyPress::PageDown,
        _ => KeyPress::Unknown,
    }
}

/// Returns a character of several bytes in UTF-8.
fn character(first: u8, next: &mut dyn FnMut() -> Option<u8>) -> KeyPress {
    let mut bytes = vec![first];
    let length = match first {
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0.. => 4,
        _ => return KeyPress::Unknown,
    };
    while bytes.len() < length
        && let Some(byte) = next()
    {
        bytes.push(byte);
    }
    let c = std::str::from_utf8(&bytes).ok().and_then(|text| text.chars().next());
    c.filter(|c| !c.is_control()).map_or(KeyPress::Unknown, KeyPress::Text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(input: &[u8]) -> Vec<Option<KeyPress>> {
        let mut bytes = input.iter().copied();
        let mut found = Vec::new();
        while let Some(byte) = bytes.next() {
            found.push(of(byte, &mut || bytes.next()));
        }
        found
    }

    #[test]
    fn reads_text_and_sequences() {
        let expected = [
            KeyPress::Text('a'),
            KeyPress::Text('é'),
            KeyPress::Text('日'),
            KeyPress::Text('🦀'),
            KeyPress::Erase,
            KeyPress::Enter,
        ];
        assert_eq!(keys("aé日🦀\u{7f}\n".as_bytes()), expected.map(Some));
        let expected = [
            KeyPress::Up,
            KeyPress::Down,
            KeyPress::Up,
            KeyPress::PageUp,
            KeyPress::PageDown,
            KeyPress::Home,
            KeyPress::End,
            KeyPress::Unknown,
        ];
        assert_eq!(keys(b"\x1b[A\x1bOB\x1b[1;5A\x1b[5~\x1b[6~\x1b[H\x1b[4~\x1b[Z"), expected.map(Some));
    }

    #[test]
    fn escape_alone_cancels_and_nothing_else_is_text() {
        for cancels in [&b"\x1b"[..], b"\x03", b"\x04", b"\x1a", b"\x1c"] {
            assert_eq!(keys(cancels), [None], "{cancels:?}");
        }
        for ignored in [&b"\x1bx"[..], b"\x1b[", b"\x1b[200~", b"\x80", b"\xff", b"\xc3(", b"\xc2\x9b", b"\x00"] {
            assert_eq!(keys(ignored), [Some(KeyPress::Unknown)], "{ignored:?}");
        }
        assert_eq!(keys(format!("\x1b[{}A", "1".repeat(1000)).as_bytes()), [Some(KeyPress::Up)]);
    }
}
