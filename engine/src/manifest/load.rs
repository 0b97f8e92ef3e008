//! Reads CURRENT and the manifest that it names, and follows a manifest that was continued in another.

use alloc::boxed::Box;
use alloc::format;

use keelstone_vfs::{Access, File, Kind, Vfs};

use super::{Current, Edit, Pointer, Slots, State, decode_edit};
use crate::error::{Damage, Error, FileName, Result};
use crate::log::{FrameReader, Step, corrupt, read_file_header, search_rest};
use crate::record::FileKind;

/// A manifest as it was found.
pub(crate) struct Loaded {
    pub(crate) current: Current,
    pub(crate) file: Box<dyn File>,
    pub(crate) number: u64,
    pub(crate) seed: u128,
    /// Where its good frames end.
    pub(crate) end: u64,
    pub(crate) len: u64,
    pub(crate) next_edit: u64,
    pub(crate) state: State,
    /// There are bytes behind the end.
    pub(crate) torn: bool,
}

/// Reads the store's state; `slots` were read from CURRENT before.
pub(crate) fn load(vfs: &dyn Vfs, access: Access, slots: &Slots) -> Result<Loaded> {
    if slots.newer() {
        return Err(slots.error());
    }
    let current = Current::open(vfs, access, slots)?;
    let pointer = current.pointer();
    let mut number = pointer.number;
    loop {
        let read = read_state(vfs, access, &Pointer { number, ..pointer })?;
        if let Some(next) = read.continued {
            // Invariant: numbers grow, so this ends.
            if next <= number {
                let (offset, bytes) = (read.end, 0);
                return Err(corrupt(FileName::Manifest(number), offset, bytes, Damage::Identity));
            }
            number = next;
            continue;
        }
        let ReadState { file, end, len, next_edit, state, torn, .. } = read;
        let seed = pointer.seed;
        return Ok(Loaded { current, file, number, seed, end, len, next_edit, state, torn });
    }
}

/// One manifest as it was found.
pub(crate) struct ReadState {
    file: Box<dyn File>,
    pub(crate) end: u64,
    pub(crate) len: u64,
    next_edit: u64,
    pub(crate) state: State,
    pub(crate) torn: bool,
    pub(crate) continued: Option<u64>,
}

/// Reads one manifest whole.
pub(crate) fn read_state(vfs: &dyn Vfs, access: Access, pointer: &Pointer) -> Result<ReadState> {
    let name = FileName::Manifest(pointer.number);
    let file = open_live(vfs, name, access)?;
    let header = read_file_header(&*file, name)?;
    if (header.kind, header.number, header.seed)
        != (FileKind::Manifest, pointer.number, pointer.seed)
    {
        return Err(corrupt(name, 0, 64, Damage::Identity));
    }
    let len = file.len()?;
    let mut reader = FrameReader::new(&*file, header.id(), len);
    let mut state = State::new(pointer.layout);
    let (mut frames, mut continued, mut next_edit) = (0, None, 1);
    let (end, defect) = loop {
        match reader.next()? {
            Step::Frame { header, offset, entries } => {
                if header.stamp.seq != next_edit {
                    return Err(corrupt(name, offset, header.frame_len(), Damage::Gap));
                }
                for entry in entries {
                    let bad = |what| corrupt(name, entry.offset, u64::from(entry.len), what);
                    let edit = decode_edit(entry.value).map_err(bad)?;
                    state.apply(&edit).map_err(bad)?;
                    if let Edit::Continued { number } = edit {
                        continued = Some(number);
                    }
                }
                (frames, next_edit) = (frames + 1, next_edit + 1);
            }
            Step::End { offset } => break (offset, None),
            Step::Defect { offset, bytes, what } => break (offset, Some((bytes, what))),
        }
    };
    let rest = search_rest(&*file, name, header.id(), end, len)?;
    // Why: the first frame was synced before CURRENT named the manifest, and every other one before the next.
    if frames == 0 || rest.mark >= next_edit {
        let (bytes, what) = defect.unwrap_or((rest.bytes, Damage::Gap));
        return Err(corrupt(name, end, bytes, what));
    }
    if state.layout != pointer.layout {
        return Err(corrupt(name, 0, 0, Damage::Identity));
    }
    let torn = defect.is_some() || rest.bytes > 0;
    Ok(ReadState { file, end, len, next_edit, state, torn, continued })
}

/// Opens a file that the store needs; a missing one is damage.
fn open_live(vfs: &dyn Vfs, name: FileName, access: Access) -> Result<Box<dyn File>> {
    vfs.open(&format!("{name}"), access).map_err(|error| match error.kind {
        Kind::NotFound => corrupt(name, 0, 0, Damage::Missing),
        _ => Error::from(error),
    })
}
