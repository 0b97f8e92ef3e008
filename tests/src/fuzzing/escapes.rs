//! Escaped text: all bytes come back, text is read in one way only, and bad text says where it is
//! bad.

use keelstone_host::escape::{Unescaper, escape, unescape};

/// The bytes once as bytes to escape, once as text to read.
///
/// # Panics
/// If bytes do not come back, or the two readers disagree.
pub fn escapes(data: &[u8]) {
    let text = escape(data);
    assert!(text.bytes().all(|b| matches!(b, 0x20..=0x7e)), "printable ASCII: {text:?}");
    assert_eq!(unescape(text.as_bytes()).as_deref(), Ok(data), "all bytes come back");
    let mut reader = Unescaper::default();
    let mut read = Vec::new();
    let mut whole = true;
    for byte in data {
        match reader.push(*byte) {
            Ok(decoded) => read.extend(decoded),
            Err(_) => {
                whole = false;
                break;
            }
        }
    }
    whole &= !reader.is_inside();
    match unescape(data) {
        Ok(bytes) => {
            assert!(whole && bytes == read, "both readers agree on good text");
            assert_eq!(unescape(escape(&bytes).as_bytes()), Ok(bytes));
        }
        Err(error) => {
            assert!(!whole, "both readers agree on bad text");
            assert_eq!(data.get(error.offset), Some(&b'\\'), "it begins with a backslash");
            let before = unescape(&data[..error.offset]);
            assert!(before.is_ok(), "what stands before it is good");
        }
    }
}
