//! The reserve for a full disk: bytes that were really written, given up when the disk is full.

use alloc::vec::Vec;

use keelstone_vfs::{Access, Kind, SyncMode};

use super::{Journal, State};
use crate::error::{Error, Result};
use crate::event::Event;

const NAME: &str = "RESERVE";
/// How much is written at once.
const PIECE: usize = 64 << 10;

impl Journal {
    /// The disk is full: gives the reserve up, so that deletes, merges and the manifest have room.
    pub(super) fn out_of_space(&self) {
        if self.state() != State::Healthy {
            return;
        }
        self.enter(State::OutOfSpace);
        self.event(&Event::OutOfSpace);
        match self.vfs.remove(NAME) {
            Ok(()) => {}
            Err(error) if error.kind == Kind::NotFound => {}
            Err(error) => self.event(&Event::WorkFailed(error.into())),
        }
    }

    /// Tries to have the reserve again; success means that space has returned.
    pub(super) fn space_returned(&self) -> bool {
        match self.build_reserve() {
            Ok(()) => {
                self.enter(State::Healthy);
                self.event(&Event::SpaceReturned);
                true
            }
            Err(_) => false,
        }
    }

    /// Builds the reserve; a full disk is a state to open in, not a reason to refuse.
    pub(crate) fn begin_reserve(&self) {
        if let Err(error) = self.build_reserve() {
            if error == Error::OutOfSpace {
                self.out_of_space();
            } else {
                self.event(&Event::WorkFailed(error));
            }
        }
    }

    /// Writes the reserve if it is not whole. After an error it is gone.
    fn build_reserve(&self) -> Result<()> {
        let bytes = self.options.reserve_bytes;
        if bytes == 0 {
            return Ok(());
        }
        let built = self.write_reserve(bytes);
        if built.is_err() {
            match self.vfs.remove(NAME) {
                Ok(()) => {}
                Err(error) if error.kind == Kind::NotFound => {}
                Err(error) => self.event(&Event::WorkFailed(error.into())),
            }
        }
        built
    }

    fn write_reserve(&self, bytes: u64) -> Result<()> {
        let file = match self.vfs.open(NAME, Access::Write) {
            Ok(file) => file,
            Err(error) if error.kind == Kind::NotFound => self.vfs.create(NAME)?,
            Err(error) => return Err(error.into()),
        };
        let mut offset = file.len()?;
        if offset >= bytes {
            return Ok(());
        }
        // Why: bytes that are not zero, so that no file system can keep them as a hole.
        let mut piece = Vec::new();
        piece.try_reserve_exact(PIECE)?;
        piece.resize(PIECE, 0xa5);
        while offset < bytes {
            let count = usize::try_from(bytes - offset).unwrap_or(PIECE).min(PIECE);
            file.write_at(&piece[..count], offset)?;
            offset += count as u64;
        }
        Ok(file.sync(SyncMode::All)?)
    }
}
