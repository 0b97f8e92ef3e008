//! Stopping a component at one of its operations: for tests of what the end of a process leaves.
//!
//! Called by tests, which set a [`Stop`]; obeyed by `WasiFs::operation`. Promise: the trap of a
//! stopped component is a [`Stopped`] and nothing else is. Never: changes what an operation does
//! before it is reached.

use thiserror::Error;

/// At which operation of the host a component is stopped, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The operation.
    pub at: u64,
    /// Where in it.
    pub when: When,
}

/// Where in an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Nothing of it happens.
    Before,
    /// The first half of the bytes is written; what is no write happens.
    Middle,
    /// All of it happens, and the component does not hear of it.
    After,
}

/// The trap of a component that was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("stopped at operation {operation} of the host")]
pub struct Stopped {
    /// The operation.
    pub operation: u64,
}
