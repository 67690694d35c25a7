//! Programs that run with more rights than their caller's: there the loader trusts no environment.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{Obstacle, program::BadInput};

const SETUID: u32 = 0o4000;
const SETGID: u32 = 0o2000;
/// Without it the bit means something else (inode(7)).
const GROUP_MAY_EXECUTE: u32 = 0o010;

/// Of an executable. The rights of a script are of no effect: its interpreter's count (execve(2)).
pub fn obstacles(path: &Path) -> Result<Vec<Obstacle>, BadInput> {
    let status = fs::metadata(path).map_err(|error| BadInput::Unreadable(path.to_owned(), error))?;
    let mode = status.permissions().mode();
    let setgid = mode & (SETGID | GROUP_MAY_EXECUTE) == SETGID | GROUP_MAY_EXECUTE;
    // A file system that knows no such attribute has no capabilities either.
    let capabilities = rustix::fs::getxattr(path, "security.capability", &mut [0u8; 64]).is_ok();
    let found =
        [(mode & SETUID != 0, Obstacle::Setuid), (setgid, Obstacle::Setgid), (capabilities, Obstacle::Capabilities)];
    Ok(found.into_iter().filter_map(|(there, obstacle)| there.then_some(obstacle)).collect())
}
