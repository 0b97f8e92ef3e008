//! Any file of a store as text, page by page.

use alloc::string::String;
use core::cell::RefCell;

use crate::bindings::exports::keelstone::store::store::{Dump as DumpHandle, Error, GuestDump};
use crate::{convert, disk};

/// A file that is being shown.
pub(crate) struct Dump(RefCell<Option<keelstone::Dump>>);

impl GuestDump for Dump {
    fn open(dir: String, file: String) -> Result<DumpHandle, Error> {
        let dump = keelstone::Dump::open(&*disk(&dir)?, &file).map_err(convert::error)?;
        Ok(DumpHandle::new(Self(RefCell::new(Some(dump)))))
    }

    fn next(&self, bytes: u32) -> Result<String, Error> {
        let mut dump = self.0.borrow_mut();
        let mut text = String::new();
        let Some(rest) = dump.as_mut() else { return Ok(text) };
        let bytes = usize::try_from(bytes.max(1)).unwrap_or(usize::MAX);
        match rest.page(bytes, &mut text) {
            Ok(true) => {}
            Ok(false) => *dump = None,
            Err(error) => {
                *dump = None;
                return Err(convert::error(error));
            }
        }
        Ok(text)
    }
}
