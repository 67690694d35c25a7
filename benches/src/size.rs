//! What every process that preloads the library maps: its size, and the relocations that its loading costs.

use std::process::Command;

use pointsman_tests::library;

pub fn print() {
    let path = library();
    let bytes = std::fs::metadata(&path).map(|file| file.len()).unwrap_or(0);
    println!("size: {} KiB on disk", bytes / 1024);
    let Ok(listing) = Command::new("readelf").args(["--wide", "--relocs"]).arg(&path).output() else {
        return println!("  skipped: relocations: no readelf (binutils)");
    };
    let listing = String::from_utf8_lossy(&listing.stdout);
    let count = |kind: &str| listing.lines().filter(|line| line.contains(kind)).count();
    let (relative, named) = (count("_RELATIVE"), count("_GLOB_DAT") + count("_JUMP_SLOT") + count("_64 "));
    println!("  relocations: {relative} relative, {named} with a symbol to look up");
}
