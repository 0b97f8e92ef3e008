//! Edits of the manifest and the state that they make. Pure.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::LiveTable;
use crate::codec::Reader;
use crate::error::{Damage, Error, FileName};
use crate::limits::NUMBER_MAX;
use crate::record::{FILE_HEADER_BYTES, FileKind};

/// The longest name of an order of keys, in bytes.
const ORDER_BYTES_MAX: usize = 255;

/// How far a file has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Frames may be appended; the end is found by reading.
    Begun,
    /// Whole and durable, `len` bytes with its footer.
    Sealed { len: u64 },
    /// Closed at its last good frame: nothing from `offset` on is looked at again.
    Ended { offset: u64 },
}

/// One live file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LiveFile {
    pub(crate) kind: FileKind,
    pub(crate) number: u64,
    /// Records of the greater age win; within one file those further behind.
    pub(crate) age: u64,
    pub(crate) status: Status,
    /// The first and last sequence of a log; the last is known once it is closed.
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
}

impl LiveFile {
    pub(crate) const fn name(&self) -> FileName {
        match self.kind {
            FileKind::Segment => FileName::Segment(self.number),
            _ => FileName::Log(self.number),
        }
    }
}

/// One change of which files are live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// The layout of the store: the first edit of every manifest.
    Layout { layout: u8 },
    /// The next file number is at least this.
    NextFile { number: u64 },
    /// A file in whatever status: what a snapshot of the state is made of, and what a merge adds.
    File(LiveFile),
    /// A log was begun.
    Begin { number: u64, first_seq: u64 },
    /// A log is whole and durable.
    Sealed { number: u64, len: u64, last_seq: u64 },
    /// A log is closed at its last good frame.
    Ended { number: u64, offset: u64, last_seq: u64 },
    /// A file is no longer needed.
    Removed { number: u64 },
    /// Every sequence up to `seq` is durable; the greatest time seen.
    Mark { seq: u64, time_ms: u64 },
    /// The last edit of an old manifest: go on in that one.
    Continued { number: u64 },
    /// A table was added.
    Table(Arc<LiveTable>),
    /// A table stands in another level now.
    Moved { number: u64, level: u64 },
    /// Every write up to this sequence is in tables.
    Flushed { seq: u64 },
    /// The name of the order of keys.
    Order { name: Vec<u8> },
}

/// The result of all edits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) layout: u8,
    pub(crate) next_file: u64,
    /// In the order of their numbers.
    pub(crate) files: Vec<LiveFile>,
    /// In the order of their numbers.
    pub(crate) tables: Vec<Arc<LiveTable>>,
    /// Every write up to this sequence is in tables: logs that end before it are not needed.
    pub(crate) flushed_seq: u64,
    /// The name of the order of keys; empty in a layout that has none.
    pub(crate) order: Vec<u8>,
    pub(crate) mark_seq: u64,
    pub(crate) mark_time_ms: u64,
}

impl State {
    pub(crate) fn new(layout: u8) -> Self {
        Self { layout, next_file: 1, ..Self::default() }
    }

    /// A number that no file ever had.
    ///
    /// # Errors
    /// `Unsupported` if there is none: only a manifest made by hand counts that far.
    pub(crate) fn take_number(&mut self) -> Result<u64, Error> {
        let number = self.next_file;
        if number >= NUMBER_MAX {
            return Err(Error::Unsupported("more file numbers"));
        }
        self.next_file += 1;
        Ok(number)
    }

    /// Applies one edit; an edit that does not fit the state is damage.
    pub(crate) fn apply(&mut self, edit: &Edit) -> Result<(), Damage> {
        edit.check()?;
        match *edit {
            Edit::Layout { layout } => self.layout = layout,
            Edit::NextFile { number } => self.next_file = self.next_file.max(number),
            Edit::Table(ref table) => self.add_table(table)?,
            Edit::Moved { number, level } => self.move_table(number, level)?,
            Edit::Flushed { seq } => {
                self.flushed_seq = self.flushed_seq.max(seq);
                self.mark_seq = self.mark_seq.max(seq);
            }
            Edit::Order { ref name } => self.order.clone_from(name),
            Edit::File(file) => self.add(file)?,
            Edit::Begin { number, first_seq } => {
                let (kind, age, status) = (FileKind::Log, number, Status::Begun);
                self.add(LiveFile { kind, number, age, status, first_seq, last_seq: 0 })?;
            }
            Edit::Sealed { number, len, last_seq } => {
                self.close(number, Status::Sealed { len }, last_seq)?;
            }
            Edit::Ended { number, offset, last_seq } => {
                self.close(number, Status::Ended { offset }, last_seq)?;
            }
            Edit::Removed { number } => {
                if let Ok(at) = self.position(number) {
                    self.files.remove(at);
                } else {
                    let at = self.table(number).map_err(|_| Damage::Kind)?;
                    self.tables.remove(at);
                }
            }
            Edit::Mark { seq, time_ms } => {
                self.mark_seq = self.mark_seq.max(seq);
                self.mark_time_ms = self.mark_time_ms.max(time_ms);
            }
            Edit::Continued { number } => self.next_file = self.next_file.max(number + 1),
        }
        Ok(())
    }

    fn add(&mut self, file: LiveFile) -> Result<(), Damage> {
        self.next_file = self.next_file.max(file.number + 1);
        if self.table(file.number).is_ok() {
            return Err(Damage::Kind);
        }
        let Err(at) = self.position(file.number) else { return Err(Damage::Kind) };
        self.files.insert(at, file);
        Ok(())
    }

    fn add_table(&mut self, table: &Arc<LiveTable>) -> Result<(), Damage> {
        let number = table.meta.number;
        self.next_file = self.next_file.max(number + 1);
        if self.position(number).is_ok() {
            return Err(Damage::Kind);
        }
        let Err(at) = self.table(number) else { return Err(Damage::Kind) };
        self.tables.insert(at, Arc::clone(table));
        Ok(())
    }

    fn move_table(&mut self, number: u64, level: u64) -> Result<(), Damage> {
        let at = self.table(number).map_err(|_| Damage::Kind)?;
        let level = u8::try_from(level).map_err(|_| Damage::Kind)?;
        let meta = self.tables[at].meta.clone();
        let table = LiveTable { level, meta };
        table.check()?;
        self.tables[at] = Arc::new(table);
        Ok(())
    }

    /// Where a table stands in the list, or where it would.
    fn table(&self, number: u64) -> Result<usize, usize> {
        self.tables.binary_search_by_key(&number, |table| table.meta.number)
    }

    /// Where a file stands in the list, or where it would.
    fn position(&self, number: u64) -> Result<usize, usize> {
        self.files.binary_search_by_key(&number, |file| file.number)
    }

    /// Whether a file is live.
    pub(crate) fn has(&self, number: u64) -> bool {
        self.position(number).is_ok()
    }

    /// The numbers of all live files, ascending.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let tables = self.tables.iter().map(|table| table.meta.number);
        let mut numbers: Vec<u64> =
            self.files.iter().map(|file| file.number).chain(tables).collect();
        numbers.sort_unstable();
        numbers
    }

    fn close(&mut self, number: u64, status: Status, last_seq: u64) -> Result<(), Damage> {
        let at = self.position(number).map_err(|_| Damage::Kind)?;
        let file = &mut self.files[at];
        (file.status, file.last_seq) = (status, last_seq);
        self.mark_seq = self.mark_seq.max(last_seq);
        Ok(())
    }

    /// The edits that make this state from nothing.
    pub(crate) fn edits(&self) -> Vec<Edit> {
        let mut edits = Vec::with_capacity(self.files.len() + 3);
        edits.push(Edit::Layout { layout: self.layout });
        edits.push(Edit::NextFile { number: self.next_file });
        edits.extend(self.files.iter().map(|file| Edit::File(*file)));
        edits.extend(self.tables.iter().map(|table| Edit::Table(Arc::clone(table))));
        if !self.order.is_empty() {
            edits.push(Edit::Order { name: self.order.clone() });
        }
        if self.flushed_seq > 0 {
            edits.push(Edit::Flushed { seq: self.flushed_seq });
        }
        edits.push(Edit::Mark { seq: self.mark_seq, time_ms: self.mark_time_ms });
        edits
    }
}

impl Edit {
    /// Refuses numbers that no store has reached, and files that cannot be.
    fn check(&self) -> Result<(), Damage> {
        match self {
            Self::Table(table) => return table.check(),
            Self::Order { name } if name.is_empty() || name.len() > ORDER_BYTES_MAX => {
                return Err(Damage::Length);
            }
            _ => {}
        }
        let (_, mut fields) = self.fields();
        if let Self::Mark { .. } = self {
            // Why: a time is what a clock said, and clocks say anything.
            fields.truncate(1);
        }
        if fields.iter().any(|field| *field > NUMBER_MAX) {
            return Err(Damage::Length);
        }
        let header = FILE_HEADER_BYTES as u64;
        let whole = |file: &LiveFile| match file.status {
            Status::Begun => file.kind == FileKind::Log,
            Status::Sealed { len: end } | Status::Ended { offset: end } => end >= header,
        };
        let sound = match self {
            // Why less: the number after it must still be one.
            Self::Begin { number, first_seq } => *first_seq > 0 && *number < NUMBER_MAX,
            Self::Continued { number } => *number < NUMBER_MAX,
            Self::File(file) => {
                let started = file.kind == FileKind::Segment || file.first_seq > 0;
                whole(file) && started && file.number < NUMBER_MAX
            }
            Self::Sealed { len: end, .. } | Self::Ended { offset: end, .. } => *end >= header,
            _ => true,
        };
        if sound { Ok(()) } else { Err(Damage::Kind) }
    }

    /// Appends the bytes of the edit: docs/format.md, section 6.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let (tag, fields) = self.fields();
        out.push(tag);
        for field in fields {
            out.extend_from_slice(&field.to_le_bytes());
        }
        match self {
            Self::Table(table) => table.encode(out),
            Self::Order { name } => out.extend_from_slice(name),
            _ => {}
        }
    }

    fn fields(&self) -> (u8, Vec<u64>) {
        match *self {
            Self::Layout { layout } => (1, alloc::vec![u64::from(layout)]),
            Self::NextFile { number } => (2, alloc::vec![number]),
            Self::File(file) => (3, file_fields(&file)),
            Self::Begin { number, first_seq } => (4, alloc::vec![number, first_seq]),
            Self::Sealed { number, len, last_seq } => (5, alloc::vec![number, len, last_seq]),
            Self::Ended { number, offset, last_seq } => (6, alloc::vec![number, offset, last_seq]),
            Self::Removed { number } => (7, alloc::vec![number]),
            Self::Mark { seq, time_ms } => (8, alloc::vec![seq, time_ms]),
            Self::Continued { number } => (9, alloc::vec![number]),
            Self::Table(_) => (10, Vec::new()),
            Self::Moved { number, level } => (11, alloc::vec![number, level]),
            Self::Flushed { seq } => (12, alloc::vec![seq]),
            Self::Order { .. } => (13, Vec::new()),
        }
    }
}

fn file_fields(file: &LiveFile) -> Vec<u64> {
    let kind = if file.kind == FileKind::Segment { 3 } else { 2 };
    let (status, at) = match file.status {
        Status::Begun => (0, 0),
        Status::Sealed { len } => (1, len),
        Status::Ended { offset } => (2, offset),
    };
    alloc::vec![kind, file.number, file.age, status, at, file.first_seq, file.last_seq]
}

/// Reads one edit; all of `bytes` must be used.
pub(crate) fn decode_edit(bytes: &[u8]) -> Result<Edit, Damage> {
    let mut reader = Reader::new(bytes);
    let tag = reader.u8().ok_or(Damage::Length)?;
    match tag {
        10 => return Ok(Edit::Table(Arc::new(LiveTable::decode(&mut reader)?))),
        13 => return Ok(Edit::Order { name: reader.rest().to_vec() }),
        _ => {}
    }
    let mut field = || reader.u64().ok_or(Damage::Length);
    let edit = match tag {
        1 => Edit::Layout { layout: u8::try_from(field()?).map_err(|_| Damage::Kind)? },
        2 => Edit::NextFile { number: field()? },
        3 => Edit::File(decode_file(&mut field)?),
        4 => Edit::Begin { number: field()?, first_seq: field()? },
        5 => Edit::Sealed { number: field()?, len: field()?, last_seq: field()? },
        6 => Edit::Ended { number: field()?, offset: field()?, last_seq: field()? },
        7 => Edit::Removed { number: field()? },
        8 => Edit::Mark { seq: field()?, time_ms: field()? },
        9 => Edit::Continued { number: field()? },
        11 => Edit::Moved { number: field()?, level: field()? },
        12 => Edit::Flushed { seq: field()? },
        _ => return Err(Damage::Kind),
    };
    if reader.is_empty() { Ok(edit) } else { Err(Damage::Length) }
}

fn decode_file(field: &mut impl FnMut() -> Result<u64, Damage>) -> Result<LiveFile, Damage> {
    let kind = match field()? {
        2 => FileKind::Log,
        3 => FileKind::Segment,
        _ => return Err(Damage::Kind),
    };
    let (number, age, status, at) = (field()?, field()?, field()?, field()?);
    let status = match status {
        0 => Status::Begun,
        1 => Status::Sealed { len: at },
        2 => Status::Ended { offset: at },
        _ => return Err(Damage::Kind),
    };
    Ok(LiveFile { kind, number, age, status, first_seq: field()?, last_seq: field()? })
}
