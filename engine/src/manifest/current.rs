//! CURRENT: two slots in blocks of their own, written in turn, so that switching needs no rename.

use alloc::boxed::Box;

use keelstone_vfs::{Access, File, SyncMode, Vfs};

use super::Fault;
use crate::codec::{self, Reader};
use crate::error::{Damage, Error, FileName, Result};
use crate::lab::{Bug, Switches};
use crate::limits::NUMBER_MAX;
use crate::log::corrupt;
use crate::record::FORMAT_VERSION;

// On disk: a slot has a block of its own, so that tearing one leaves the other alone.
const SLOT_BYTES: usize = 4096;
const USED_BYTES: usize = 64;
const MAGIC: [u8; 8] = *b"KEELCURR";
/// Bytes of CURRENT.
pub(crate) const CURRENT_BYTES: usize = 2 * SLOT_BYTES;

/// What CURRENT says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pointer {
    /// The number of the manifest.
    pub(crate) number: u64,
    /// The seed of the store.
    pub(crate) seed: u128,
    pub(crate) layout: u8,
}

/// CURRENT of an open store.
pub(crate) struct Current {
    file: Box<dyn File>,
    pointer: Pointer,
    generation: u64,
    /// How long the file is, up to two slots; so much is on the medium before anything is switched.
    len: usize,
}

/// Reading one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// Never written.
    Empty,
    /// Written whole.
    Valid { generation: u64, pointer: Pointer },
    /// Torn or damaged.
    Damaged(Damage),
    /// Of a newer format version.
    Newer(u16),
}

/// Both slots as they were read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots {
    pub(crate) slots: [Slot; 2],
    /// Bytes that the file had, up to two slots.
    pub(crate) bytes: usize,
}

impl Slots {
    /// Reads CURRENT; a missing file is `None`.
    pub(crate) fn read(vfs: &dyn Vfs) -> Result<Option<Self>> {
        Self::read_as(vfs, Switches::default())
    }

    /// The same, with the mistakes that are switched on.
    pub(crate) fn read_as(vfs: &dyn Vfs, switches: Switches) -> Result<Option<Self>> {
        let file = match vfs.open("CURRENT", Access::Read) {
            Ok(file) => file,
            Err(error) if error.kind == keelstone_vfs::Kind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut buf = alloc::vec![0; CURRENT_BYTES];
        let bytes = file.read_at(&mut buf, 0)?;
        let check = !switches.on(Bug::SlotChecksumIgnored);
        let block = |index: usize| &buf[index * SLOT_BYTES..][..SLOT_BYTES];
        let slot = |index: usize| decode_slot(block(index), index, check);
        Ok(Some(Self { slots: [slot(0), slot(1)], bytes }))
    }

    /// The newest valid slot.
    pub(crate) fn newest(&self) -> Option<(u64, Pointer)> {
        let valid = |slot: &Slot| match slot {
            Slot::Valid { generation, pointer } => Some((*generation, *pointer)),
            _ => None,
        };
        self.slots.iter().filter_map(valid).max_by_key(|(generation, _)| *generation)
    }

    /// The error where no slot is valid.
    pub(crate) fn error(&self) -> Error {
        for slot in &self.slots {
            if let Slot::Newer(format) = slot {
                return Error::Version { format: *format, supported: FORMAT_VERSION };
            }
        }
        corrupt(FileName::Current, 0, CURRENT_BYTES as u64, Damage::Checksum)
    }

    /// Whether a slot is of a newer version: then the store is not ours to read.
    pub(crate) fn newer(&self) -> bool {
        self.slots.iter().any(|slot| matches!(slot, Slot::Newer(_)))
    }
}

impl Current {
    /// Creates the file with its first slot; its name needs a sync of the directory.
    pub(crate) fn create(vfs: &dyn Vfs, pointer: Pointer) -> core::result::Result<Self, Fault> {
        let make = || -> Result<Self> {
            let file = vfs.create("CURRENT")?;
            let mut bytes = alloc::vec![0; CURRENT_BYTES];
            bytes[..USED_BYTES].copy_from_slice(&encode_slot(&pointer, 0, 0));
            file.write_at(&bytes, 0)?;
            Ok(Self { file, pointer, generation: 0, len: CURRENT_BYTES })
        };
        let current = make().map_err(Fault::Write)?;
        current.file.sync(SyncMode::All).map_err(|error| Fault::Sync(error.into()))?;
        Ok(current)
    }

    /// Opens CURRENT, whose slots were read before.
    pub(crate) fn open(vfs: &dyn Vfs, access: Access, slots: &Slots) -> Result<Self> {
        let file = vfs.open("CURRENT", access)?;
        let (generation, pointer) = slots.newest().ok_or_else(|| slots.error())?;
        Ok(Self { file, pointer, generation, len: slots.bytes })
    }

    /// Writes a slot into whatever CURRENT there is: beside a valid slot, or over two damaged ones.
    pub(crate) fn rebuild(vfs: &dyn Vfs, pointer: Pointer) -> core::result::Result<Self, Fault> {
        let Some(slots) = Slots::read(vfs).map_err(Fault::Write)? else {
            return Self::create(vfs, pointer);
        };
        let newest = slots.newest().map_or(Ok(0), |(generation, _)| after(generation));
        let generation = newest.map_err(Fault::Write)?;
        let index = usize::from(generation % 2 == 1);
        let write = || -> Result<Box<dyn File>> {
            let file = vfs.open("CURRENT", Access::Write)?;
            if file.len()? < CURRENT_BYTES as u64 {
                file.set_len(CURRENT_BYTES as u64)?;
            }
            let mut block = alloc::vec![0; SLOT_BYTES];
            block[..USED_BYTES].copy_from_slice(&encode_slot(&pointer, generation, index));
            file.write_at(&block, (index * SLOT_BYTES) as u64)?;
            Ok(file)
        };
        let file = write().map_err(Fault::Write)?;
        file.sync(SyncMode::All).map_err(|error| Fault::Sync(error.into()))?;
        // Crash: the other slot, damaged or older, loses against this one; it is cleared for a sound store.
        let clear = || -> Result<()> {
            file.write_at(&alloc::vec![0; SLOT_BYTES], ((1 - index) * SLOT_BYTES) as u64)?;
            Ok(file.sync(SyncMode::All)?)
        };
        clear().map_err(Fault::Sync)?;
        Ok(Self { file, pointer, generation, len: CURRENT_BYTES })
    }

    pub(crate) const fn number(&self) -> u64 {
        self.pointer.number
    }

    pub(crate) const fn pointer(&self) -> Pointer {
        self.pointer
    }

    /// Makes what was read durable.
    pub(crate) fn sync(&self) -> Result<()> {
        Ok(self.file.sync(SyncMode::All)?)
    }

    /// Names another manifest, in the slot that is not the newest. The file's name is durable since creation, so no
    /// directory is touched.
    ///
    /// # Errors
    /// After one it is unknown which manifest CURRENT names.
    pub(crate) fn switch(&mut self, number: u64, switches: Switches) -> Result<()> {
        let generation = after(self.generation)?;
        let index = if switches.on(Bug::OneSlot) { 0 } else { usize::from(generation % 2 == 1) };
        let pointer = Pointer { number, ..self.pointer };
        let bytes = encode_slot(&pointer, generation, index);
        let end = index * SLOT_BYTES + bytes.len();
        self.file.write_at(&bytes, (index * SLOT_BYTES) as u64)?;
        // Crash: a creation that a power cut has stopped may leave CURRENT shorter than both slots. A slot behind its end
        // needs the new length on the medium too, or it is gone after the next power cut, and the old manifest is by then.
        let mode = if end > self.len { SyncMode::All } else { SyncMode::Data };
        if !switches.on(Bug::CurrentNotSynced) {
            self.file.sync(mode)?;
        }
        self.len = self.len.max(end);
        (self.pointer, self.generation) = (pointer, generation);
        Ok(())
    }
}

/// The generation after this one.
///
/// # Errors
/// `Unsupported` if there is none: only a file made by hand counts that far.
fn after(generation: u64) -> Result<u64> {
    if generation < NUMBER_MAX {
        Ok(generation + 1)
    } else {
        Err(Error::Unsupported("more switches"))
    }
}

fn encode_slot(pointer: &Pointer, generation: u64, index: usize) -> [u8; USED_BYTES] {
    let mut bytes = [0; USED_BYTES];
    codec::put(&mut bytes, 0, &MAGIC);
    codec::put(&mut bytes, 8, &FORMAT_VERSION.to_le_bytes());
    codec::put(&mut bytes, 10, &[pointer.layout]);
    codec::put(&mut bytes, 16, &generation.to_le_bytes());
    codec::put(&mut bytes, 24, &pointer.number.to_le_bytes());
    codec::put(&mut bytes, 32, &pointer.seed.to_le_bytes());
    let crc = codec::crc(&bytes[..60]) ^ u32::from(index == 1);
    codec::put(&mut bytes, 60, &crc.to_le_bytes());
    bytes
}

/// Whether all bytes of a slot, or of a part of one, are zero. Compared as a whole, which takes a tenth of the time that byte
/// by byte takes: every open asks this of both slots.
fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; SLOT_BYTES] = [0; SLOT_BYTES];
    ZEROS.get(..bytes.len()) == Some(bytes)
}

/// Reads one slot; the rest of its block must be zeros.
pub(crate) fn decode_slot(block: &[u8], index: usize, check: bool) -> Slot {
    if is_zero(block) {
        return Slot::Empty;
    }
    let Some((used, padding)) = block.split_first_chunk::<USED_BYTES>() else {
        return Slot::Damaged(Damage::Length);
    };
    let crc = Reader::new(&used[60..]).u32().map(|crc| crc ^ u32::from(index == 1));
    let right = crc == Some(codec::crc(&used[..60])) || !check;
    if !right || used[..8] != MAGIC {
        return Slot::Damaged(Damage::Checksum);
    }
    let mut reader = Reader::new(&used[8..]);
    let mut read = || -> Option<(u16, u8, u64, u64, u128)> {
        let (version, layout) = (reader.u16()?, reader.u8()?);
        reader.take(5)?;
        Some((version, layout, reader.u64()?, reader.u64()?, reader.u128()?))
    };
    let Some((version, layout, generation, number, seed)) = read() else {
        return Slot::Damaged(Damage::Length);
    };
    if version > FORMAT_VERSION {
        return Slot::Newer(version);
    }
    if !is_zero(padding) {
        return Slot::Damaged(Damage::Padding);
    }
    if generation > NUMBER_MAX || number > NUMBER_MAX {
        return Slot::Damaged(Damage::Length);
    }
    Slot::Valid { generation, pointer: Pointer { number, seed, layout } }
}
