//! What names of strangers become: text for a terminal, labels, JSON.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use plimsoll::expose::exposition::{MAX_VALUE, label_value, push_label};
use plimsoll::text::{
    escape, escape_bytes, escape_hidden_json, is_hidden, path, path_value, quote,
};

pub fn run(data: &[u8]) {
    let shown = escape_bytes(data);
    assert!(!shown.chars().any(is_hidden), "{shown:?}");
    assert_eq!(unescape(&shown), data, "no two names look the same");
    let name = Path::new(OsStr::from_bytes(data));
    assert_eq!(path(name), shown);
    if data.is_ascii() || std::str::from_utf8(data).is_ok() {
        assert_eq!(path_value(name).as_bytes(), data);
    }

    let text = String::from_utf8_lossy(data);
    let quoted = quote(&text);
    assert!(!quoted.chars().any(is_hidden));
    assert!(quoted.len() >= 2 && quoted.starts_with('"') && quoted.ends_with('"'));
    assert_eq!(
        escape(&escape(&text)).matches('\\').count() % 2,
        0,
        "a backslash is always doubled"
    );

    // JSON reads back as the same value, with nothing hidden in it.
    let json = serde_json::to_string(text.as_ref()).expect("any text is JSON");
    let json = escape_hidden_json(&json);
    assert!(!json.chars().any(is_hidden));
    assert_eq!(serde_json::from_str::<String>(&json).expect("still JSON"), text);

    label(&text);
}

/// A label is one line, ends where it should, and reads back as it was.
fn label(text: &str) {
    let mut out = Vec::new();
    push_label(&mut out, "a", text);
    push_label(&mut out, "b", "x");
    let line = std::str::from_utf8(&out).expect("UTF-8 stays UTF-8");
    assert!(!line.contains('\n'));
    let mut rest = line.strip_prefix("a=\"").expect("the name comes first").chars();
    let mut value = String::new();
    loop {
        match rest.next().expect("a closing quote") {
            '"' => break,
            '\\' => value.push(match rest.next().expect("what is escaped") {
                'n' => '\n',
                other @ ('\\' | '"') => other,
                other => panic!("\\{other} is no escape of the format"),
            }),
            other => value.push(other),
        }
    }
    assert_eq!(value, label_value(text));
    assert!(value.len() <= MAX_VALUE && (value == text || text.len() > MAX_VALUE));
    assert_eq!(rest.as_str(), ",b=\"x\"");
}

/// Undoes `escape_bytes`.
fn unescape(shown: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = shown;
    while let Some(at) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        let hexadecimal = |digits: &str| u32::from_str_radix(digits, 16).expect("digits");
        let length = match escape.as_bytes()[0] {
            b'\\' => (out.push(b'\\'), 1).1,
            b'n' => (out.push(b'\n'), 1).1,
            b'r' => (out.push(b'\r'), 1).1,
            b't' => (out.push(b'\t'), 1).1,
            b'x' => (out.push(hexadecimal(&escape[1..3]) as u8), 3).1,
            b'u' => {
                let end = escape.find('}').expect("an end");
                let hidden = char::from_u32(hexadecimal(&escape[2..end])).expect("a character");
                out.extend_from_slice(hidden.encode_utf8(&mut [0; 4]).as_bytes());
                end + 1
            }
            other => panic!("unknown escape {other}"),
        };
        rest = &escape[length..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}
