//! What is left of a store when it is killed, loses power, meets failing disks, or finds its files damaged.
//!
//! Every loop is exhaustive over what its test says, or sampled from seeds; which of the two is in the test's name or
//! above it. Nothing here waits, and nothing is random but from a seed.
#![allow(
    clippy::unwrap_used,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    clippy::print_stdout,
    reason = "tests have std, stop with a panic where they cannot go on, and print what they counted"
)]

mod badger;
mod bitcask;
mod bugs;
mod bulk;
mod damage;
mod during;
mod faults;
mod leveldb;
mod merges;
mod recovery;
mod restored;
mod run;
mod space;
mod trees;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
