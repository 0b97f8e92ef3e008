//! Markdown of the results: speeds, ratios to Keelstone, space and memory, and the figures.

use core::fmt::Write;

use crate::engines::OURS;
use crate::keys::{KEY_BYTES, VALUE_BYTES};
use crate::peer::CACHE_BYTES;
use crate::rounds::{Results, Settings};

/// The workloads with a speed, in the order of the tables, and what one operation is.
const WORKLOADS: [(&str, &str); 15] = [
    ("fillseq", "puts in the order of keys"),
    ("fillrandom", "puts in a random order"),
    ("overwrite", "puts of every key once more"),
    ("bulk", "pairs in the order of keys, then a sync"),
    ("delete-half", "deletes"),
    ("get-as-left", "gets after fillrandom"),
    ("get-compacted", "gets after a compaction"),
    ("get-overwritten", "gets after overwrite"),
    ("miss", "gets of absent keys"),
    ("scan-all", "pairs of a full scan"),
    ("scan-100", "scans of 100 pairs"),
    ("scan-100-overwritten", "the same after overwrite"),
    ("ycsb-a", "half gets, half puts"),
    ("ycsb-f", "gets, half with a put"),
    ("ycsb-e", "scans of 1 to 100 pairs, after A and F"),
];

/// At least: a workload, the factor, and the stores of which the fastest counts.
const LEAST: [(&str, f64, &[&str]); 10] = [
    ("fillseq", 1.2, &["leveldb"]),
    ("fillrandom", 1.5, &["fjall", "leveldb", "rocksdb"]),
    ("overwrite", 1.5, &["fjall", "leveldb", "rocksdb"]),
    ("bulk", 2.0, &["leveldb"]),
    ("get-as-left", 2.0, &["fjall", "leveldb", "rocksdb"]),
    ("get-compacted", 1.2, &["fjall", "leveldb", "rocksdb"]),
    ("miss", 2.0, &["rocksdb"]),
    ("scan-all", 1.0, &["leveldb"]),
    ("scan-100", 1.5, &["leveldb"]),
    ("ycsb-e", 2.0, &["rocksdb"]),
];

/// Times of an open after a clean close, in milliseconds.
const REOPEN_MS_MOST: f64 = 100.0;
/// Bytes on disk after a compaction, for each live one.
const DISK_MOST: f64 = 1.3;

/// The middle value, the mean of two where there is none; `None` of nothing.
fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

/// Three digits and a unit.
fn short(value: f64) -> String {
    let (value, unit) = match value {
        1e6.. => (value / 1e6, "M"),
        1e3.. => (value / 1e3, "k"),
        _ => (value, ""),
    };
    match value {
        100.0.. => format!("{value:.0}{unit}"),
        10.0.. => format!("{value:.1}{unit}"),
        _ => format!("{value:.2}{unit}"),
    }
}

struct Tables<'a> {
    settings: &'a Settings,
    results: &'a Results,
}

impl Tables<'_> {
    fn names(&self) -> Vec<&'static str> {
        self.settings.engines.iter().map(|engine| engine.name).collect()
    }

    fn layouts(&self) -> Vec<&'static str> {
        self.names().into_iter().filter(|name| name.starts_with(OURS)).collect()
    }

    fn speeds(&self, engine: &'static str, workload: &str) -> &[f64] {
        self.results.speeds.get(&(engine, workload.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// Keelstone divided by the other, by round.
    fn ratios(&self, ours: &'static str, other: &'static str, workload: &str) -> Vec<f64> {
        let (ours, others) = (self.speeds(ours, workload), self.speeds(other, workload));
        ours.iter().zip(others).map(|(ours, other)| ours / other).collect()
    }

    fn count(&self, engine: &'static str, name: &str) -> Option<f64> {
        median(self.results.counts.get(&(engine, name.to_owned()))?)
    }

    fn live_bytes(&self) -> f64 {
        (KEY_BYTES + VALUE_BYTES) as f64 * self.settings.plan.keys as f64
    }

    /// A table of a line a workload and a column an engine.
    fn by_workload(&self, cell: impl Fn(&'static str, &str) -> String) -> String {
        let names = self.names();
        let mut table = format!("| workload | one operation is | {} |\n", names.join(" | "));
        table += &format!("|---|---|{}\n", "--:|".repeat(names.len()));
        for (workload, operation) in WORKLOADS {
            if names.iter().all(|name| self.speeds(name, workload).is_empty()) {
                continue;
            }
            let cells: Vec<String> = names.iter().map(|name| cell(name, workload)).collect();
            table += &format!("| {workload} | {operation} | {} |\n", cells.join(" | "));
        }
        table
    }

    fn speed(&self) -> String {
        self.by_workload(|engine, workload| {
            let Some(mut speed) = median(self.speeds(engine, workload)) else {
                return String::new();
            };
            if workload == "scan-all" {
                speed *= self.settings.plan.keys as f64;
            }
            let cut = self.results.cut.contains(&(engine, workload.to_owned()));
            format!("{}{}", short(speed), if cut { "*" } else { "" })
        })
    }

    fn ratio(&self, ours: &'static str) -> String {
        self.by_workload(|engine, workload| {
            let ratio = median(&self.ratios(ours, engine, workload));
            ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"))
        })
    }

    /// A table of a line an engine: space, bytes written, memory, times of single calls.
    fn costs(&self) -> String {
        let live = self.live_bytes();
        let columns: [(&str, &str, f64); 14] = [
            ("disk / live after fill", "disk-fill", live),
            ("after overwrite", "disk-overwritten", live),
            ("after compaction", "disk-compacted", live),
            ("written / put by fill", "written-fill", live),
            ("by load, overwrite, compaction", "written-overwrite", 2.0 * live),
            ("the same, in pages", "pages-overwrite", 2.0 * live),
            ("compaction, ms", "compact-overwritten", 1.0),
            ("memory MiB: seq", "memory-seq", 1_048_576.0),
            ("random", "memory-random", 1_048_576.0),
            ("overwrite", "memory-overwrite", 1_048_576.0),
            ("ycsb", "memory-ycsb", 1_048_576.0),
            ("close, ms", "close-loaded", 1.0),
            ("reopen, ms: clean", "reopen-clean", 1.0),
            ("killed", "reopen-killed", 1.0),
        ];
        let titles: Vec<&str> = columns.iter().map(|(title, _, _)| *title).collect();
        let mut table = format!("| engine | {} | found |\n|---|", titles.join(" | "));
        table += &format!("{}\n", "--:|".repeat(columns.len() + 1));
        for engine in self.names() {
            write!(table, "| {engine} |").expect("a string takes every line");
            for (_, name, unit) in columns {
                let cell = self.count(engine, name).map(|value| value / unit);
                let cell = cell.map_or(String::new(), |value| format!("{value:.2}"));
                write!(table, " {cell} |").expect("a string takes every line");
            }
            let found = self.count(engine, "found-reopen-killed");
            let found = found.map_or(String::new(), |found| format!("{found:.0}"));
            writeln!(table, " {found} |").expect("a string takes every line");
        }
        table
    }

    /// What the figures ask of one layout, with what was measured.
    fn figures(&self, ours: &'static str) -> String {
        let mut table = String::from(
            "| figure | limit | measured | lowest to highest | |\n|---|--:|--:|--:|---|\n",
        );
        let mut line = |name: String, limit: String, values: &[f64], met: &dyn Fn(f64) -> bool| {
            let Some(value) = median(values) else { return };
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(0.0, f64::max);
            let verdict = if met(value) { "met" } else { "missed" };
            writeln!(
                table,
                "| {name} | {limit} | {value:.2} | {low:.2} to {high:.2} | {verdict} |"
            )
            .expect("a string takes every line");
        };
        for (workload, limit, others) in LEAST {
            let known = self.names().into_iter().filter(|name| others.contains(name));
            let median_of = |other: &&'static str| median(self.speeds(other, workload));
            let speed = |name: &&'static str| median_of(name).unwrap_or(0.0);
            let Some(other) = known.max_by(|a, b| speed(a).total_cmp(&speed(b))) else { continue };
            let ratios = self.ratios(ours, other, workload);
            line(format!("{workload} / {other}"), format!(">= {limit}"), &ratios, &|value| {
                value >= limit
            });
        }
        let counted = |engine: &'static str, name: &str, unit: f64| -> Vec<f64> {
            let counts = self.results.counts.get(&(engine, name.to_owned()));
            counts.map_or(Vec::new(), |counts| counts.iter().map(|n| n / unit).collect())
        };
        let mut most = |name: &str, count: &str, unit: f64, limit: f64| {
            line(
                name.to_owned(),
                format!("<= {limit:.2}"),
                &counted(ours, count, unit),
                &|value| value <= limit,
            );
        };
        most("disk / live after compaction", "disk-compacted", self.live_bytes(), DISK_MOST);
        for count in ["written-fill", "written-overwrite"] {
            if let Some(limit) = self.count("rocksdb", count) {
                let name = format!("{count} / live, RocksDB's");
                most(&name, count, self.live_bytes(), limit / self.live_bytes());
            }
        }
        most("open after a clean close, ms", "reopen-clean", 1.0, REOPEN_MS_MOST);
        let memory = CACHE_BYTES as f64 * 1.1 / 1_048_576.0 + 8.0;
        for stage in ["seq", "bulk", "random", "overwrite", "ycsb"] {
            let name = format!("memory of {stage}, MiB");
            most(&name, &format!("memory-{stage}"), 1_048_576.0, memory);
        }
        table
    }
}

/// Every table.
#[must_use]
pub fn all(settings: &Settings, results: &Results) -> String {
    let tables = Tables { settings, results };
    let plan = settings.plan;
    let mut text = format!(
        "keys={} key_bytes={KEY_BYTES} value_bytes={VALUE_BYTES} rounds={} cap_ms={} threads=1\n",
        plan.keys,
        settings.rounds,
        plan.cap.as_millis()
    );
    for (name, checksum) in &results.checksums {
        text += &format!("checksum[{name}]={checksum} ");
    }
    text +=
        "\n\nOperations a second, median of the rounds (* time was up before all were done):\n\n";
    text += &tables.speed();
    for ours in tables.layouts() {
        text += &format!("\n{ours} divided by each, median of the rounds:\n\n");
        text += &tables.ratio(ours);
    }
    text += "\nSpace, bytes written, anonymous memory and single calls, medians:\n\n";
    text += &tables.costs();
    for ours in tables.layouts() {
        text += &format!("\nFigures of {ours}:\n\n");
        text += &tables.figures(ours);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_two() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(short(1_234_567.0), "1.23M");
        assert_eq!(short(45_600.0), "45.6k");
        assert_eq!(short(7.0), "7.00");
    }
}
