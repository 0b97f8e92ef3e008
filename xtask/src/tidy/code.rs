//! Just enough of Rust's lexical rules: what of a text is code, and where its tests begin.
//!
//! Called by the rules; pure. Lines keep their numbers.

/// The text with comments and the insides of strings and characters replaced by blanks.
pub fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = skip(bytes, at).min(bytes.len());
        if end > at {
            out.extend(bytes[at..end].iter().map(|b| if *b == b'\n' { b'\n' } else { b' ' }));
            at = end;
        } else {
            out.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Where the comment, string or character that begins at `at` ends; `at` if none begins there.
fn skip(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let in_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    match rest {
        [b'/', b'/', ..] => at + rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => at + block_comment(rest),
        [b'"', ..] => at + string(rest),
        [b'r', b'"' | b'#', ..] if !in_word => raw_string(rest).map_or(at, |len| at + len),
        [b'b', b'r', b'"' | b'#', ..] if !in_word => {
            raw_string(&rest[1..]).map_or(at, |len| at + 1 + len)
        }
        [b'\'', b'\\', _, tail @ ..] => {
            at + 3 + tail.iter().position(|b| *b == b'\'').map_or(tail.len(), |n| n + 1)
        }
        [b'\'', first, tail @ ..] => {
            // Why: `'a'` is a character, `'a` a lifetime; a character has at most four bytes.
            let len = if first.is_ascii() { 0 } else { 3 };
            let quote = tail.iter().take(len + 1).position(|b| *b == b'\'');
            quote.map_or(at, |n| at + 3 + n)
        }
        _ => at,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

fn string(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

/// The length of `r"..."` or `r#"..."#`; `None` for a raw identifier.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|b| **b == b'#').count();
    let body = 1 + hashes;
    if rest.get(body) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.resize(1 + hashes, b'#');
    let found = rest[body + 1..].windows(close.len()).position(|window| window == close);
    Some(found.map_or(rest.len(), |n| body + 1 + n + close.len()))
}

/// The text before its module of tests.
pub fn before_tests(text: &str) -> &str {
    let mut from = 0;
    while let Some(found) = text[from..].find("#[cfg(test)]") {
        let at = from + found;
        let after = text[at + "#[cfg(test)]".len()..].trim_start();
        if after.starts_with("mod ") && after.split(['{', ';']).next() != after.split(';').next() {
            return &text[..at];
        }
        from = at + 1;
    }
    text
}

/// The identifier that `text` begins with, empty if it begins with none.
pub fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The lines of a text, numbered from 1.
pub fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// The number of the line that holds the byte at `at`.
pub fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blank_and_code_stays() {
        let text =
            "a // b\n/* c /* d */\ne */ f \"g\\\"h\" i r#\"j\"k\"# l 'm' '\\'' n<'o> br\"p\" q";
        let kept: String = code_only(text).split_whitespace().collect();
        assert_eq!(kept, "afiln<'o>q");
        assert_eq!(code_only(text).lines().count(), text.lines().count());
    }

    #[test]
    fn what_is_not_closed_reaches_to_the_end() {
        for text in ["a \"b", "a /* b", "a r#\"b", "a '\\", "a 'é"] {
            assert!(code_only(text).starts_with("a "), "{text}");
        }
    }

    #[test]
    fn tests_begin_at_their_module_and_not_at_a_test_only_function() {
        let text =
            "a\n#[cfg(test)]\nfn b() {}\n#[cfg(test)]\nmod tests;\nc\n#[cfg(test)]\nmod tests { d";
        let before = before_tests(text);
        assert!(before.contains("mod tests;"));
        assert!(before.ends_with("c\n"));
    }
}
