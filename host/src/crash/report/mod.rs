//! A run of the crash lab as one HTML page that needs nothing else: the certificate, the timeline of each program with
//! the verdict of every crash point, and the counterexample byte for byte.
//!
//! Called by the command line and by tests with what was explored. Pure: the same input gives the same text. Promise: no
//! resource outside the page; its size is bounded, and the page says what was left out.
//!
//! ```text
//!   data     programs, timelines and points as JSON        failure   the counterexample as JSON
//!   words    the model and the bounds in sentences         page.*    the page, its style and its script
//! ```

mod data;
mod failure;
mod words;

use serde_json::Value;

use super::counts::Counts;
use super::lab::{Explored, Settings};

/// So many outcomes of each point are shown; the others are counted.
pub const OUTCOMES_KEPT: usize = 12;
/// So many programs have a timeline: some five megabytes of page.
pub const RECORDINGS_MAX: usize = 4000;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The settings with which a run keeps what the page shows.
#[must_use]
pub fn settings(settings: Settings) -> Settings {
    let mut settings = settings;
    settings.model.outcomes_kept = OUTCOMES_KEPT;
    settings.recordings_max = RECORDINGS_MAX;
    settings
}

/// The page.
#[must_use]
pub fn page(settings: &Settings, explored: &[Explored], counts: &Counts) -> String {
    let data = data::data(settings, explored, counts);
    let lines = counts.lines().join("\n");
    // Why this order: what was inserted last is not searched for placeholders.
    PAGE.replace("{{style}}", STYLE)
        .replace("{{script}}", SCRIPT)
        .replace("{{lines}}", &text(&lines))
        .replace("{{certificate}}", &json(&counts.object()))
        .replace("{{data}}", &json(&data))
}

/// JSON inside of a script element, which a `<` could end.
fn json(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c")
}

/// Text inside of an element.
fn text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn nothing_ends_a_script_element_or_begins_another() {
        assert_eq!(super::json(&json!("</script><b>")), "\"\\u003c/script>\\u003cb>\"");
        assert_eq!(super::text("<b> & c"), "&lt;b> &amp; c");
    }

    #[test]
    fn template_has_each_placeholder_once_and_names_nothing_outside() {
        for name in ["style", "script", "lines", "certificate", "data"] {
            assert_eq!(super::PAGE.matches(&format!("{{{{{name}}}}}")).count(), 1, "{name}");
        }
        for part in [super::PAGE, super::STYLE, super::SCRIPT] {
            let part = part.replace("http://www.w3.org/2000/svg", "");
            for outside in ["http:", "https:", "@import", "url(", "src=", "<link", "fetch("] {
                // Why: patterns of the page's own SVG are named by `url(#...)`.
                let found = part.replace("url(#", "").contains(outside);
                assert!(!found, "{outside}");
            }
        }
    }
}
