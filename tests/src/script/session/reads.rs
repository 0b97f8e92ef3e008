//! The commands that look.

use keelstone::{Entry, FileName, Value, VerifyReport, Write};
use keelstone_host::engine::{Error, Result as EngineResult};

use super::{Output, Session, line, number};
use crate::disk::{DiskKind, sandbox};
use crate::text::{bytes, show};

fn expiry(expires_ms: Option<u64>) -> String {
    expires_ms.map_or_else(String::new, |ms| format!(" until {ms}"))
}

fn value(name: &str, result: EngineResult<Option<Value>>) -> String {
    match result {
        Ok(Some(v)) => format!("{name} → {}{}", show(&v.value), expiry(v.expires_ms)),
        Ok(None) => format!("{name} → none"),
        Err(error) => format!("{name} → error: {error}"),
    }
}

fn entries(name: &str, result: EngineResult<Vec<Entry>>) -> Vec<String> {
    match result {
        Err(error) => vec![format!("{name} → error: {error}")],
        Ok(mut entries) => {
            entries.sort_by(|one, other| one.key.cmp(&other.key));
            let mut lines = vec![format!("{name} → {} keys", entries.len())];
            lines.extend(entries.iter().map(|e| {
                format!("  {} = {}{}", show(&e.key), show(&e.value), expiry(e.expires_ms))
            }));
            lines
        }
    }
}

fn answer<T: core::fmt::Display>(name: &str, result: EngineResult<T>) -> Output {
    match result {
        Ok(value) => line(format!("{name} → {value}")),
        Err(error) => line(format!("{name} → error: {error}")),
    }
}

impl Session {
    /// Runs a command that looks.
    pub(super) fn read_command(&mut self, verb: &str, args: &[&str]) -> Output {
        match verb {
            "get" => self.get(args),
            "contains" => {
                let key = args.first().ok_or("which key?")?;
                answer(
                    &format!("contains {key}"),
                    self.db()?.get(&bytes(key)?).map(|found| found.is_some()),
                )
            }
            "scan" => {
                Ok(entries("scan", self.db()?.snapshot().and_then(|now| now.scan()?.collect())))
            }
            "len" => answer("len", self.db()?.len()),
            "empty" => answer("empty", self.db()?.is_empty()),
            "snapshot" => self.snapshot(args),
            "at" => self.at(args),
            "drop" => {
                let name = *args.first().ok_or("which snapshot?")?;
                self.snapshots.remove(name).map(|_| Vec::new()).ok_or(format!("no {name}"))
            }
            "cursor" => self.cursor(args),
            "rest" => {
                let name = *args.first().ok_or("which cursor?")?;
                let scan = self.scans.remove(name).ok_or(format!("no {name}"))?;
                Ok(entries(&format!("rest {name}"), scan.collect()))
            }
            "stats" => self.stats(args),
            "sequence" => answer("sequence", self.db()?.sequence()),
            "health" => answer("health", self.db()?.health().map(|health| format!("{health:?}"))),
            "layout" => answer("layout", self.db()?.layout().map(|layout| format!("{layout:?}"))),
            "due" => answer("due", self.db()?.due(keelstone::Clock::now_ms(&*self.clock))),
            "log-from" => self.log_from(args),
            "verify" => {
                let report = self.db()?.verify();
                Ok(report_lines("verify", report))
            }
            "verify-closed" => {
                let vfs = self.current().vfs();
                let report = if self.kind == DiskKind::Sandbox {
                    sandbox().verify(vfs, &(self.clock.clone() as _))
                } else {
                    keelstone::verify(&vfs).map_err(Error::from)
                };
                Ok(report_lines("verify-closed", report))
            }
            "files" => self.files(),
            "dump" => self.dump(args),
            _ => Err("no such command".to_owned()),
        }
    }

    fn get(&self, args: &[&str]) -> Output {
        let db = self.db()?;
        let mut lines = Vec::new();
        for word in args {
            let key = bytes(word)?;
            lines.push(value(&format!("get {}", show(&key)), db.get(&key)));
        }
        Ok(lines)
    }

    fn snapshot(&mut self, args: &[&str]) -> Output {
        let name = *args.first().ok_or("its name?")?;
        match self.db()?.snapshot() {
            Ok(snapshot) => {
                let text = snapshot.sequence().map(|at| format!("sequence {at}"));
                self.snapshots.insert(name.to_owned(), snapshot);
                answer(&format!("snapshot {name}"), text)
            }
            Err(error) => line(format!("snapshot {name} → error: {error}")),
        }
    }

    /// `at NAME get KEY...` or `at NAME scan`
    fn at(&self, args: &[&str]) -> Output {
        let (name, rest) = args.split_first().ok_or("at which snapshot?")?;
        let snapshot = self.snapshots.get(*name).ok_or(format!("no {name}"))?;
        match rest {
            ["scan"] => {
                Ok(entries(&format!("at {name}"), snapshot.scan().and_then(Iterator::collect)))
            }
            ["get", keys @ ..] => {
                let mut lines = Vec::new();
                for word in keys {
                    let key = bytes(word)?;
                    let title = format!("at {name} get {}", show(&key));
                    lines.push(value(&title, snapshot.get(&key)));
                }
                Ok(lines)
            }
            _ => Err("at NAME get KEY... or at NAME scan".to_owned()),
        }
    }

    fn cursor(&mut self, args: &[&str]) -> Output {
        let name = *args.first().ok_or("its name?")?;
        match self.db()?.snapshot().and_then(|now| now.scan()) {
            Ok(scan) => {
                self.scans.insert(name.to_owned(), scan);
                Ok(Vec::new())
            }
            Err(error) => line(format!("cursor {name} → error: {error}")),
        }
    }

    fn stats(&self, args: &[&str]) -> Output {
        let fields = match self.db()?.stats() {
            Ok(stats) => stats,
            Err(error) => return line(format!("stats → error: {error}")),
        };
        let mut lines = Vec::new();
        for name in args {
            let field = fields.iter().find(|(field, _)| field == name);
            lines.push(format!("{name}={}", field.ok_or(format!("no field {name}"))?.1));
        }
        Ok(lines)
    }

    fn log_from(&self, args: &[&str]) -> Output {
        let from = number(args.first().ok_or("from which sequence?")?)?;
        let entries = self.db()?.log_from(from).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => return line(format!("log-from {from} → error: {error}")),
        };
        let mut lines = vec![format!("log-from {from} → {} writes", entries.len())];
        lines.extend(entries.iter().map(|e| match &e.write {
            Write::Put { key, value, expires_ms } => {
                let until = expiry(*expires_ms);
                format!(
                    "  {} at {}: put {}={}{until}",
                    e.sequence,
                    e.time_ms,
                    show(key),
                    show(value)
                )
            }
            Write::Delete { key } => {
                format!("  {} at {}: delete {}", e.sequence, e.time_ms, show(key))
            }
            Write::DeleteRange { from, to } => {
                let (from, to) = (show(from), show(to));
                format!("  {} at {}: delete {from} to {to}", e.sequence, e.time_ms)
            }
        }));
        Ok(lines)
    }

    /// How many files of each kind there are.
    fn files(&mut self) -> Output {
        let names = self.current().vfs().list("").map_err(|error| error.to_string())?;
        let mut kinds = std::collections::BTreeMap::new();
        for name in &names {
            let kind = match FileName::parse(name).ok_or(format!("a strange file {name}"))? {
                FileName::Current => "current",
                FileName::Lock => "lock",
                FileName::Reserve => "reserve",
                FileName::Manifest(_) => "manifest",
                FileName::Log(_) => "log",
                FileName::Segment(_) => "seg",
                FileName::Hint(_) => "hint",
                FileName::Table(_) => "table",
                _ => "other",
            };
            *kinds.entry(kind).or_insert(0) += 1;
        }
        let list: Vec<_> = kinds.iter().map(|(kind, count)| format!("{kind}={count}")).collect();
        line(format!("files → {}", list.join(" ")))
    }

    fn dump(&mut self, args: &[&str]) -> Output {
        let name = *args.first().ok_or("which file?")?;
        let mut text = String::new();
        let vfs = self.current().vfs();
        let dumped = if self.kind == DiskKind::Sandbox {
            sandbox().dump(vfs, name, &mut |page| {
                text.push_str(page);
                true
            })
        } else {
            keelstone::dump(&*vfs, name, &mut text).map_err(Error::from)
        };
        match dumped {
            Ok(()) => Ok(text.lines().map(|l| format!("  {l}")).collect()),
            Err(error) => line(format!("dump {name} → error: {error}")),
        }
    }
}

fn report_lines(name: &str, report: EngineResult<VerifyReport>) -> Vec<String> {
    match report {
        Err(error) => vec![format!("{name} → error: {error}")],
        Ok(report) => {
            let mut lines = vec![format!(
                "{name} → files={} records={} torn={} corrupt={}",
                report.files,
                report.records,
                report.torn.len(),
                report.corrupt.len()
            )];
            lines.extend(report.corrupt.iter().map(|c| format!("  {c}")));
            lines
        }
    }
}
