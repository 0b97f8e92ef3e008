//! An explanation in lines, with each of its crashes.
//!
//! Called by the command line, the page and the schedules; pure. Promise: the first lines are the message, the last one is
//! the way there.

use keelstone::vfs::crash::Explanation;

/// How many lines the message has.
#[must_use]
pub fn message_lines(message: &str) -> usize {
    message.lines().count().max(1)
}

/// What is wrong, where each crash was and of which kind, what it left, what was missing, and the way there.
#[must_use]
pub fn lines(explanation: &Explanation) -> Vec<String> {
    let mut lines: Vec<String> = explanation.to_string().lines().map(str::to_owned).collect();
    // Why there: behind the message stands the place of the first crash.
    let at = (message_lines(&explanation.message) + 1).min(lines.len());
    lines.splice(at..at, crashes(explanation));
    lines
}

/// What the place of the first crash does not say: that it was a kill, and where the second one was.
fn crashes(explanation: &Explanation) -> Vec<String> {
    let mut lines = Vec::new();
    for (n, (steps, bytes, power)) in explanation.path.crashes().enumerate() {
        let how = if power { "power was cut" } else { "the process was killed" };
        match (n, bytes) {
            (0, _) if power => {}
            (0, 0) => lines.push(format!("  {how} there")),
            (0, _) => {
                lines.push(format!("  {how} there, when {bytes} bytes of the second were written"))
            }
            _ => {
                let s = if steps == 1 { "" } else { "s" };
                let within = if bytes == 0 { String::new() } else { format!(" and {bytes} bytes") };
                let life = explanation.second_life.as_ref();
                let last = life.and_then(|trace| trace.line(steps.checked_sub(1)?));
                let behind = last.map(|step| format!(", behind `{step}`")).unwrap_or_default();
                lines.push(format!(
                    "  crashed again after {steps} step{s}{within} of recovery{behind}: {how}"
                ));
            }
        }
    }
    lines
}
