//! Parses both AWS files with `Profiles`, and with Python's configparser and botocore's rules.
//!
//! If the first byte is 0, the rest is the files, `config NUL credentials`. Otherwise each byte is the index of a word
//! in [`WORDS`]. Invariants: both parsers return the same sections and settings, and `Profiles` fails where botocore
//! does.
//!
//! Files for which the two differ intentionally are skipped:
//! - a file that cannot be opened or isn't a regular file: an error, but empty for botocore,
//! - a file of more than 8 MiB: an error,
//! - keys with letters that are newer than the Unicode version of the tests' Python ([`is_young`]).
#![no_main]

#[path = "home.rs"]
mod home;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use awsrole_core::aws::profiles::{Profile, Profiles, Setting};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// Parts of AWS files, and texts that are difficult for parsers.
const WORDS: [&str; 64] = [
    "\n", "\n", "\n", "\r\n", "\r", "\0", " ", "  ", "\t", "\u{a0}", "\u{2028}", "\u{1c}", "\u{b}", "\u{85}", "=", " = ",
    ":", " : ", "[", "]", "[]", "\"", "'", "\\", "#", ";", " # ", "\n# x\n", "\n  ; x\n", "\u{feff}", "[DEFAULT]\n",
    "[default]\n", "[profile x]\n", "[profile \"x y\"]\n", "[profile 'x']\n", "[profiles x]\n", "[profile x y]\n",
    "[profile]\n", "[sso-session x]\n", "[services x]\n", "[x]\n", "[y]\n", "profile ", "default", "DEFAULT", "x", "y", "X", "Ä",
    "x = y\n", "y = x\n", "  x = y\n", "  y = x\n", " y\n", "x =\n", "y =\n", "region", "role_arn", "aws_access_key_id", "s3 =\n",
    "  z = 1\n", "\n\n", "key", "z",
];

fuzz_target!(|data: &[u8]| {
    let text = match data.split_first() {
        Some((0, raw)) => raw.to_vec(),
        Some((_, words)) => words.iter().flat_map(|word| WORDS[usize::from(word % 64)].bytes()).collect(),
        None => return,
    };
    if String::from_utf8_lossy(&text).chars().any(is_young) {
        return;
    }
    let mut parts = text.splitn(2, |byte| *byte == 0);
    let [config, credentials] = [(); 2].map(|()| parts.next().unwrap_or_default());
    let context = home::context(&[(".aws/config", config), (".aws/credentials", credentials)]);
    let expected = reference(&context.paths.home);
    match Profiles::load(&context) {
        Ok(profiles) => {
            let all = |sections: Vec<Profile<'_>>| -> BTreeMap<String, Value> {
                sections.iter().map(|section| (section.name.to_owned(), settings(section))).collect()
            };
            let named = profiles.names().into_iter().filter_map(|name| profiles.get(name)).collect();
            let read = json!([all(named), all(profiles.sso_sessions()), all(profiles.services())]);
            assert_eq!(read, expected, "{:?}", String::from_utf8_lossy(&text));
            // This must not panic.
            let _ = profiles.warnings();
        }
        Err(problem) => assert_eq!(Value::Null, expected, "{problem}\n{:?}", String::from_utf8_lossy(&text)),
    }
});

fn settings(section: &Profile<'_>) -> Value {
    let shown = |setting| match setting {
        Setting::Text(text) => json!(text),
        Setting::Nested(settings) => json!(settings),
    };
    section.settings().into_iter().map(|(key, setting)| (key.into_owned(), shown(setting))).collect()
}

/// Letters that have upper and lower case only since Unicode 15 and later.
fn is_young(c: char) -> bool {
    matches!(c, '\u{1c89}'..='\u{1c8a}' | '\u{a7cb}'..='\u{a7dc}' | '\u{10d50}'..='\u{10d85}' | '\u{16ea0}'..='\u{16ed3}')
}

/// Returns botocore's result for the files of a home directory.
fn reference(home: &Path) -> Value {
    static REFERENCE: OnceLock<Mutex<(Child, ChildStdin, BufReader<ChildStdout>)>> = OnceLock::new();
    let start = || {
        let python = std::env::var_os("AWSROLE_FUZZ_PYTHON").expect("AWSROLE_FUZZ_PYTHON is the Python of the tests");
        let mut command = Command::new(python);
        command.args(["-X", "utf8", concat!(env!("CARGO_MANIFEST_DIR"), "/reference.py")]).arg(home);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
        let (stdin, stdout) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        Mutex::new((child, stdin, BufReader::new(stdout)))
    };
    let mut reference = REFERENCE.get_or_init(start).lock().expect("one thread");
    reference.1.write_all(b"\n").expect("Python listens");
    let mut line = String::new();
    reference.2.read_line(&mut line).expect("Python answers");
    serde_json::from_str(&line).expect("JSON")
}
