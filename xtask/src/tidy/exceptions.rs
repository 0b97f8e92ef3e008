//! The one list of exceptions to the house rules. It may shrink, not grow; one that is no longer
//! needed is a finding.

/// A rule that one file may break.
pub struct Exception {
    /// The name in `RULES`.
    pub rule: &'static str,
    /// The file.
    pub path: &'static str,
    /// Why; read by people only.
    #[expect(dead_code, reason = "the reason is for the reader of the list")]
    pub reason: &'static str,
}

/// None so far.
pub const EXCEPTIONS: &[Exception] = &[];
