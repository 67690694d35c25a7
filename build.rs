//! Link options of the preload.
//!
//! Every process that starts with the library pays for what the dynamic linker does to it, so an optimised library asks
//! it for next to nothing: `doors/wake.rs` does the rest when the first MySQL call comes.

use std::{env, path::PathBuf, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/doors/asleep.ld");
    // Never unloaded: hooks, atfork handlers and the watcher's thread point into it.
    link("-Wl,-z,nodelete");
    // One library, however it comes in: preloaded by its path, or as a dependency of a program that was linked with it.
    link("-Wl,-soname,libpointsman.so");
    if !sleeps() {
        return;
    }
    match rust_lld() {
        Some(directory) => {
            link(&format!("-B{directory}"));
            link("-fuse-ld=lld");
            // Relative relocations in a table which glibc does not know, so that it leaves them to us.
            link("-Wl,--pack-dyn-relocs=relr,--use-android-relr-tags");
            // Nor does it protect afterwards what it has not relocated: a system call, and a page of padding.
            link("-Wl,-z,norelro");
            // Segments that begin with a page take up, and touch, one page less each.
            link("-Wl,-z,separate-loadable-segments");
            // No constructors: the start files have some, which have nothing to do here.
            link("-nostartfiles");
            let manifest = env::var("CARGO_MANIFEST_DIR").expect("set by cargo");
            link(&format!("-Wl,-T,{manifest}/src/doors/asleep.ld"));
        }
        // Everything works, but the dynamic linker relocates the library in each process.
        None => println!("cargo::warning=this toolchain has no rust-lld: programs will start a few per cent slower"),
    }
}

/// Only a library with doors is woken by them, and only one that was optimised as a whole (fat LTO, see Cargo.toml) does
/// not reach its own functions through pointers while it sleeps.
fn sleeps() -> bool {
    let changed =
        ["CARGO_PROFILE_RELEASE_LTO", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "CARGO_PROFILE_RELEASE_OPT_LEVEL"];
    for name in changed {
        println!("cargo::rerun-if-env-changed={name}");
    }
    env::var("PROFILE").as_deref() == Ok("release")
        && env::var_os("CARGO_FEATURE_DOORS").is_some()
        && changed.iter().all(|name| env::var_os(name).is_none())
}

fn link(argument: &str) {
    println!("cargo::rustc-cdylib-link-arg={argument}");
}

/// Where the toolchain keeps its linker under the name that a C compiler looks for.
fn rust_lld() -> Option<String> {
    let output = Command::new(env::var_os("RUSTC")?).args(["--print", "sysroot"]).output().ok()?;
    let sysroot = String::from_utf8(output.stdout).ok()?;
    let host = env::var("HOST").ok()?;
    let directory = PathBuf::from(sysroot.trim()).join("lib/rustlib").join(host).join("bin/gcc-ld");
    directory.join("ld.lld").is_file().then(|| directory.display().to_string())
}
