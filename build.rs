//! Link options of the preload.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Never unloaded: hooks, atfork handlers and the watcher's thread point into it.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
