//! The lab beside all states of the fault disk, with toys, and with toys that have a mistake.

mod listing;
mod lives;
mod mistakes;
mod shared;
