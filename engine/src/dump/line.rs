//! Lines that more than one kind of file has.
//!
//! Bytes are escaped as everywhere; docs/format.md, section 12.

use core::fmt::{self, Write};

use keelstone_vfs::File;

use crate::error::{Error, FileName, Result};
use crate::log::read_file_header;
use crate::record::FileHeader;

/// A writer that fails is like a closed pipe: there is nobody left to tell.
pub(super) fn text(result: fmt::Result) -> Result<()> {
    result.map_err(|fmt::Error| Error::Closed)
}

/// Writes the line of a file; `None` if its header is damaged.
pub(super) fn file_header(
    file: &dyn File,
    name: FileName,
    len: u64,
    out: &mut dyn Write,
) -> Result<Option<FileHeader>> {
    let header = match read_file_header(file, name) {
        Ok(header) => header,
        Err(Error::Corrupt(corruption)) => {
            let what = corruption.what;
            text(writeln!(out, "{name} bytes={len} header damaged what={what}"))?;
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    text(writeln!(
        out,
        "{name} bytes={len} number={} age={} first_seq={} seed={:032x}",
        header.number, header.age, header.first_seq, header.seed
    ))?;
    Ok(Some(header))
}

pub(super) fn put(key: &[u8], value: &[u8], until: Option<u64>, out: &mut dyn Write) -> Result<()> {
    text(out.write_str("put "))?;
    escape(key, out)?;
    text(out.write_str(" = "))?;
    escape(value, out)?;
    text(until.map_or(Ok(()), |at| write!(out, " until={at}")))?;
    text(out.write_char('\n'))
}

pub(super) fn delete(key: &[u8], out: &mut dyn Write) -> Result<()> {
    text(out.write_str("delete "))?;
    escape(key, out)?;
    text(out.write_char('\n'))
}

pub(super) fn delete_range(from: &[u8], to: &[u8], out: &mut dyn Write) -> Result<()> {
    text(out.write_str("delete from "))?;
    escape(from, out)?;
    text(out.write_str(" to "))?;
    escape(to, out)?;
    text(out.write_char('\n'))
}

pub(super) fn escape(bytes: &[u8], out: &mut dyn Write) -> Result<()> {
    for byte in bytes {
        text(match byte {
            b'\t' => out.write_str("\\t"),
            b'\n' => out.write_str("\\n"),
            b'\r' => out.write_str("\\r"),
            b'\\' => out.write_str("\\\\"),
            0x20..=0x7e => out.write_char(char::from(*byte)),
            _ => write!(out, "\\x{byte:02x}"),
        })?;
    }
    Ok(())
}
