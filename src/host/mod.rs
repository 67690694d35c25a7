//! The process that this library is a guest in, and its kernel: sockets, files, signals, threads, the loader. Knows no MySQL
//! and no configuration.

pub mod cancellation;
mod descriptor;
pub mod ending;
pub mod errno;
pub mod event;
pub mod exchange;
pub mod files;
pub mod fork_mark;
pub mod handlers;
pub mod interruption;
pub mod linker;
pub mod loader;
pub mod objects;
pub mod pages;
pub mod patience;
pub mod signals;
pub mod socket;
pub mod stack;
pub mod steer;
pub mod thread;
pub mod ticks;
