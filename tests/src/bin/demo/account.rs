//! The lines that the demo prints: plain words, counts with their thousands apart, measured times.

use std::time::Instant;

/// A line of its own at the beginning and the end.
pub fn title(text: &str) {
    println!("{text}");
}

/// One step: what was done, and with what result.
pub fn line(step: &str, text: &str) {
    println!("  {step:<18} {text}");
}

/// `34924` as `34,924`.
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the unit that people read.
pub fn bytes(n: u64) -> String {
    let whole = usize::try_from(n).unwrap_or(usize::MAX);
    if n < 10_000 {
        format!("{} bytes", count(whole))
    } else {
        format!("{} kB", count(whole / 1000))
    }
}

/// The time since `start`.
pub fn since(start: Instant) -> String {
    let seconds = start.elapsed().as_secs_f64();
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(count(7), "7");
        assert_eq!(count(1000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(bytes(9_999), "9,999 bytes");
        assert_eq!(bytes(1_913_704), "1,913 kB");
    }
}
