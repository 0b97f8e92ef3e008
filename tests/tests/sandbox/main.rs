//! The sandbox from outside: the disk inside it, what the component may reach, and what is left when
//! it is stopped.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![expect(clippy::std_instead_of_alloc, reason = "tests have the standard library")]
#![expect(clippy::print_stdout, reason = "a test tells what it tried")]

mod aftermath;
mod component;
mod contract;
mod exports;
mod fuel;
mod limits;
mod reach;
mod stops;
