//! Listings of directories, and how much of them a component may hold.
//!
//! Called by `descriptor.rs` and through wasmtime by components; calls the table of handles.
//! Promise: a listing is what the directory held when it was opened, in order; the names of all
//! listings that are open take no more than [`LISTED_BYTES_MAX`]. Never: asks the disk again.

use wasmtime::component::Resource;

use super::{FsError, FsResult, LISTED_BYTES_MAX, WasiFs};
use crate::wasi_fs::bindings::wasi::filesystem::types::{
    self, DescriptorType, DirectoryEntry, ErrorCode,
};

/// The rest of a listing, last name first.
pub struct Listing {
    names: Vec<String>,
    /// What it counts for until it is closed.
    bytes: usize,
}

impl WasiFs {
    /// Gives the component a listing of `names`.
    pub(super) fn hand_out_listing(
        &mut self,
        mut names: Vec<String>,
    ) -> FsResult<Resource<Listing>> {
        let bytes: usize = names.iter().map(|name| name.len() + size_of::<String>()).sum();
        if bytes > LISTED_BYTES_MAX - self.listed_bytes {
            return Err(ErrorCode::InsufficientMemory.into());
        }
        names.reverse();
        let listing = self.hand_out(Listing { names, bytes })?;
        // Invariant: the sum of `bytes` over all open listings, at most the limit.
        self.listed_bytes += bytes;
        Ok(listing)
    }
}

impl types::HostDirectoryEntryStream for WasiFs {
    fn read_directory_entry(
        &mut self,
        listing: Resource<Listing>,
    ) -> FsResult<Option<DirectoryEntry>> {
        self.operation(|fs, _| {
            let listing = fs.table.get_mut(&listing).map_err(FsError::bad_handle)?;
            let name = listing.names.pop();
            Ok(name.map(|name| DirectoryEntry { type_: DescriptorType::Unknown, name }))
        })
    }

    fn drop(&mut self, listing: Resource<Listing>) -> wasmtime::Result<()> {
        self.listed_bytes -= self.take_back(listing)?.bytes;
        Ok(())
    }
}
