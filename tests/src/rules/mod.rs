//! A disk that watches whoever writes to it, and stops a test that breaks a rule of durability.
//!
//! Called by every ordinary test that opens a store; calls the disk below and reads the durable manifest.
//! A crash test finds a wrong order when a crash between two steps shows it. These rules see the order itself, in every run,
//! without a crash:
//!
//! - nothing is made durable that names what is not: a manifest its files and their lengths, CURRENT its manifest;
//! - nothing is removed that a durable manifest names;
//! - a file in which a write failed is not written any more, until the store is opened again;
//! - a failed sync is not tried again, until the store is opened again.
//!
//! Promise: results pass unchanged; a broken rule is a panic that names it. Never: knows anything of directories below the
//! root, which only backups use.

mod disk;
mod shadow;

pub use disk::RulesDisk;
