//! The ordered layout, in the tradition of LevelDB: a sorted memtable before sorted tables in levels.
//!
//! Called by the front door (`db`); calls `log`, `manifest` and the disk.

mod cursor;
mod key;
mod range;
