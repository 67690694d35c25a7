//! The doors: exported `extern "C"` symbols that interpose libc and libmysqlclient, each a few lines.
//!
//! A door decides nothing: it finds the real function, guards our decision against panics, keeps `errno`, and makes
//! the real call itself, outside the guard (`crate::guard`). The only `no_mangle`s of the crate besides `abi.rs` are in here.

// Tests and pure users of the crate must not have their own calls interposed.
#[cfg(all(feature = "doors", not(test)))]
#[macro_use]
mod door;
#[cfg(all(feature = "doors", not(test)))]
mod asynchronous;
#[cfg(all(feature = "doors", not(test)))]
mod imports;
#[cfg(all(feature = "doors", not(test)))]
mod mysql;
#[cfg(all(feature = "doors", not(test)))]
mod own;
#[cfg(all(feature = "doors", not(test)))]
mod reals;
#[cfg(all(feature = "doors", not(test)))]
mod sockets;
#[cfg(all(feature = "doors", not(test)))]
mod wake;

/// The library is awake, or was woken by this (see `wake.rs`). Where it has no doors it never sleeps.
pub fn awake() -> bool {
    #[cfg(all(feature = "doors", not(test)))]
    return wake::wake();
    #[cfg(not(all(feature = "doors", not(test))))]
    true
}
