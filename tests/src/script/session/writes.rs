//! The commands that change something.

use keelstone::{Batch, Durability, Write};

use super::{Output, Session, done, line, number};
use crate::op::value;
use crate::text::{bytes, show};

/// `KEY=VALUE`, `KEY=VALUE@MS`, `-KEY` or `-FROM..TO`.
fn write(word: &str) -> Result<Write, String> {
    if let Some((from, to)) = word.strip_prefix('-').and_then(|range| range.split_once("..")) {
        return Ok(Write::DeleteRange { from: bytes(from)?, to: bytes(to)? });
    }
    if let Some(key) = word.strip_prefix('-') {
        return Ok(Write::Delete { key: bytes(key)? });
    }
    let (key, rest) = word.split_once('=').ok_or_else(|| format!("{word} has no ="))?;
    let (value, expires_ms) = match rest.split_once('@') {
        Some((value, ms)) => (value, Some(number(ms)?)),
        None => (rest, None),
    };
    Ok(Write::Put { key: bytes(key)?, value: bytes(value)?, expires_ms })
}

impl Session {
    /// Runs a command if it is one of these.
    pub(super) fn write_command(&mut self, verb: &str, args: &[&str]) -> Option<Output> {
        Some(match verb {
            "put" => self.each(args, Self::put),
            "delete" => self.each(args, Self::delete),
            "remove" => self.each(args, Self::remove),
            "batch" => self.batch(args),
            "fill" => self.fill(args),
            "sync" => self.db().and_then(|db| done("sync", db.sync())),
            "compact" => self.db().and_then(|db| done("compact", db.compact())),
            "work" => self.work(),
            "work-all" => self.work_all(),
            "job" => self.job(args),
            "backup" => self.backup(args),
            _ => return None,
        })
    }

    fn each(&self, args: &[&str], run: impl Fn(&Self, &str) -> Output) -> Output {
        let mut lines = Vec::new();
        for arg in args {
            lines.extend(run(self, arg)?);
        }
        Ok(lines)
    }

    fn put(&self, word: &str) -> Output {
        let Write::Put { key, value, expires_ms } = write(word)? else {
            return Err(format!("{word} is no put"));
        };
        let title = format!("put {}", show(&key));
        self.write_one(&title, Write::Put { key, value, expires_ms })
    }

    fn delete(&self, word: &str) -> Output {
        let key = bytes(word)?;
        let title = format!("delete {}", show(&key));
        self.write_one(&title, Write::Delete { key })
    }

    fn write_one(&self, title: &str, write: Write) -> Output {
        let mut batch = Batch::new();
        batch.push(write);
        done(title, self.db()?.write(&batch, self.durability).map(drop))
    }

    fn remove(&self, word: &str) -> Output {
        let key = bytes(word)?;
        let name = format!("remove {}", show(&key));
        match self.db()?.remove(&key) {
            Ok(there) => line(format!("{name} → {}", if there { "was there" } else { "absent" })),
            Err(error) => line(format!("{name} → error: {error}")),
        }
    }

    /// `batch [durable] WRITE...`
    fn batch(&self, args: &[&str]) -> Output {
        let (durability, words) = match args.split_first() {
            Some((&"durable", rest)) => (Durability::Durable, rest),
            _ => (Durability::Buffered, args),
        };
        let mut batch = Batch::new();
        for word in words {
            batch.push(write(word)?);
        }
        match self.db()?.write(&batch, durability) {
            Ok(sequence) => line(format!("batch → sequence {sequence}")),
            Err(error) => line(format!("batch → error: {error}")),
        }
    }

    /// `fill PREFIX FROM..TO BYTES`: one put for each number, each with a value of its own.
    fn fill(&self, args: &[&str]) -> Output {
        let [prefix, range, len] = args else { return Err("fill PREFIX FROM..TO BYTES".into()) };
        let (from, to) = range.split_once("..").ok_or("a range is FROM..TO")?;
        let mut lines = Vec::new();
        for n in number(from)?..=number(to)? {
            let key = format!("{prefix}{n:03}");
            let value = value(n, crate::index(number(len)?));
            let title = format!("put {key}");
            let write = Write::Put { key: key.into_bytes(), value, expires_ms: None };
            lines.extend(self.write_one(&title, write)?);
        }
        Ok(lines)
    }

    fn work(&self) -> Output {
        match self.db()?.work() {
            Ok(more) => line(format!("work → {}", if more { "more" } else { "nothing left" })),
            Err(error) => line(format!("work → error: {error}")),
        }
    }

    fn work_all(&self) -> Output {
        for _ in 0..10_000 {
            match self.db()?.work() {
                Ok(true) => {}
                Ok(false) => return Ok(Vec::new()),
                Err(error) => return line(format!("work-all → error: {error}")),
            }
        }
        Err("work does not end".to_owned())
    }

    fn job(&mut self, args: &[&str]) -> Output {
        match args {
            ["take"] => {
                self.job = self.db()?.take_job().map_err(|error| error.to_string())?;
                line(if self.job.is_some() { "job → taken" } else { "job → none" })
            }
            ["step"] => match self.job.as_mut().ok_or("no job is held")?.step() {
                Ok(more) => line(if more { "job → more" } else { "job → done" }),
                Err(error) => line(format!("job → error: {error}")),
            },
            ["give"] => {
                let job = self.job.take().ok_or("no job is held")?;
                job.give_back().map(|()| Vec::new()).map_err(|error| error.to_string())
            }
            _ => Err("job take, job step or job give".to_owned()),
        }
    }

    fn backup(&mut self, args: &[&str]) -> Output {
        let name = (*args.first().ok_or("backup to which disk?")?).to_owned();
        let kind = self.kind;
        let disk = self.disks.entry(name).or_insert_with(|| crate::disk::Disk::new(kind)).clone();
        done("backup", self.db()?.backup(&disk.vfs(), crate::shape::STORE_SEED + 2))
    }
}
