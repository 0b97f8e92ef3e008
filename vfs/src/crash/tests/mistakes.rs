//! A toy that writes a log, right and with mistakes: what is found, what is told of it, and what of it all is kept.

use crate::crash::{Certificate, Crash, Life, Model, System, explain, explore};
use crate::{Access, FaultDisk, SyncMode, Vfs};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;

/// Appends numbers to a log and repeats the last one; with a mistake or without.
#[derive(Clone, Copy, Default)]
struct Tally {
    /// Says that a number is durable before it is.
    unsynced: bool,
    /// Does not sync the directory.
    nameless: bool,
    /// Believes a record without its last byte.
    unchecked: bool,
    /// Does not sync what it found before it goes on.
    unsettled: bool,
}

const LOG: &str = "log";

impl Tally {
    /// A record: twice the number, and its sum.
    fn record(n: u8) -> [u8; 3] {
        [n, n, n ^ 0x5a]
    }

    fn write(self, disk: &FaultDisk) {
        let file = disk.create(LOG).unwrap();
        if !self.nameless {
            disk.sync_dir("").unwrap();
        }
        for n in 1..4u8 {
            disk.mark(u64::from(n) << 8);
            file.write_at(&Self::record(n), u64::from(n - 1) * 3).unwrap();
            if !self.unsynced {
                file.sync(SyncMode::All).unwrap();
            }
            disk.mark(u64::from(n));
        }
    }

    fn read(self, disk: &dyn Vfs) -> Result<u8, String> {
        let mut last = 0;
        if !disk.list("").map_err(|error| error.to_string())?.contains(&LOG.to_string()) {
            return Ok(0);
        }
        let access = if self.unsettled { Access::Read } else { Access::Write };
        let file = disk.open(LOG, access).map_err(|error| error.to_string())?;
        let mut record = [0; 3];
        while file.read_at(&mut record, u64::from(last) * 3).map_err(|error| error.to_string())?
            == 3
        {
            let sound = record == Self::record(last + 1);
            let believed = self.unchecked && record[0] != 0;
            if !sound && !believed {
                break;
            }
            last = if believed { record[0] } else { last + 1 };
        }
        if !self.unsettled {
            file.sync(SyncMode::All).map_err(|error| error.to_string())?;
            disk.sync_dir("").map_err(|error| error.to_string())?;
        }
        Ok(last)
    }

    fn check(self, model: &Model) -> Certificate {
        let disk = FaultDisk::recording();
        self.write(&disk);
        explore(&self, &disk.trace(), model)
    }
}

impl System for Tally {
    type Seen = u8;

    fn recover(&self, disk: Arc<dyn Vfs>, life: &Life) -> Result<u8, String> {
        let seen = self.read(&*disk)?;
        life.mark(u64::from(seen));
        Ok(seen)
    }

    fn judge(&self, seen: &u8, crash: &Crash<'_, u8>) -> Result<(), String> {
        let number = |mark: &u64| if *mark > 0xff { (mark >> 8) as u8 } else { *mark as u8 };
        let most = crash.marks.last().map_or(0, number);
        let acked = |mark: &&u64| **mark <= 0xff;
        let least = crash.marks.iter().rev().find(acked).map_or(0, number);
        let (least, most) = match crash.second {
            // What the first recovery has shown is decided.
            Some(second) if !second.marks.is_empty() => (*second.seen, *second.seen),
            _ => (least, most),
        };
        let least = if crash.power || crash.second.is_some() {
            least
        } else {
            least.max(most.saturating_sub(1))
        };
        if (least..=most).contains(seen) {
            Ok(())
        } else {
            Err(format!("{seen} is not in {least}..={most}"))
        }
    }
}

#[test]
fn a_system_without_a_mistake_passes() {
    let certificate = Tally::default().check(&Model::FULL);
    assert!(certificate.violations.is_empty(), "{certificate}\n{:?}", certificate.violations);
    assert!(
        certificate.is_exhaustive() && certificate.second > 0 && certificate.kills > 0,
        "{certificate}"
    );
    assert_eq!(certificate, Tally::default().check(&Model::FULL), "the same input gives the same");
}

#[test]
fn each_mistake_is_found_and_explained() {
    let sound = Tally::default();
    let mistakes = [
        (Tally { unsynced: true, ..sound }, Some("sync log")),
        (Tally { nameless: true, ..sound }, Some("sync_dir .")),
        // Why none: a write that is torn is torn before any sync of it.
        (Tally { unchecked: true, ..sound }, None),
        (Tally { unsettled: true, ..sound }, Some("in recovery `sync log all`")),
    ];
    for (tally, barrier) in mistakes {
        let certificate = tally.check(&Model::FULL);
        let violation = certificate.violations.first().expect("the mistake is found");
        let disk = FaultDisk::recording();
        tally.write(&disk);
        let told = explain(&tally, &disk.trace(), &Model::FULL, &violation.path).unwrap();
        let again = explain(&tally, &disk.trace(), &Model::FULL, &told.path).unwrap();
        assert_eq!(again.message, told.message, "{told}");
        let missing = told.barrier.map(|barrier| barrier.to_string());
        assert_eq!(missing.is_some(), barrier.is_some(), "{missing:?}");
        let (missing, barrier) = (missing.unwrap_or_default(), barrier.unwrap_or_default());
        assert!(missing.contains(barrier), "{missing}");
    }
}

// What a power cut after a kill leaves is only seen by who tries it.
#[test]
fn killed_then_cut_is_a_crash_of_its_own() {
    let tally = Tally { unsettled: true, ..Tally::default() };
    let alone = tally.check(&Model { kills: false, ..Model::FULL });
    assert!(alone.violations.is_empty(), "{:?}", alone.violations);
    assert!(!tally.check(&Model::FULL).violations.is_empty());
}

#[test]
fn a_directory_whose_sync_has_no_effect_is_noticed() {
    let certificate = Tally::default().check(&Model { dir_sync: false, ..Model::FULL });
    assert!(!certificate.violations.is_empty());
}

#[test]
fn outcomes_are_kept_as_text_as_many_as_the_model_says() {
    let disk = FaultDisk::recording();
    Tally::default().write(&disk);
    let shown = |outcomes_kept| {
        let model = Model { outcomes_kept, ..Model::FULL };
        explore(&Tally::default(), &disk.trace(), &model).points
    };
    assert!(shown(0).iter().all(|point| point.shown.is_empty()));
    let points = shown(2);
    assert!(points.iter().any(|point| point.outcomes > point.shown.len() || point.outcomes == 2));
    for point in points {
        assert_eq!(point.shown.len(), point.outcomes.min(2), "{point:?}");
        assert!(point.kills <= point.runs, "{point:?}");
        let mut different = point.shown.clone();
        different.dedup();
        assert_eq!(different, point.shown);
    }
}
