//! A file that is read again when it has changed. Knows nothing of what it holds.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// A path and the state in which it was last read.
#[derive(Debug)]
pub(super) struct TrackedFile {
    path: PathBuf,
    seen: Option<Stamp>,
}

/// Device, inode, size, and time of change in seconds and nanoseconds: a file renamed over another differs at least
/// in its inode, one written in place in its time.
type Stamp = (u64, u64, u64, i64, i64);

fn stamp(metadata: &Metadata) -> Stamp {
    (metadata.dev(), metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec())
}

impl TrackedFile {
    pub fn new(path: PathBuf) -> Self {
        Self { path, seen: None }
    }

    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// The content if it differs from what was read last; an unreadable file differs each time.
    pub fn changed(&mut self) -> Option<io::Result<String>> {
        // The stamp is taken before the content: a write in between is seen next time, never lost.
        let now = fs::metadata(&self.path).map(|metadata| stamp(&metadata)).ok();
        if now.is_some() && now == self.seen {
            return None;
        }
        let content = fs::read(&self.path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        self.seen = now.filter(|_| content.is_ok());
        Some(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_only_after_a_change_and_a_missing_one_each_time() {
        let path = std::env::temp_dir().join(format!("pointsman-tracked-{}", std::process::id()));
        let mut file = TrackedFile::new(path.clone());
        assert!(file.changed().unwrap().is_err());
        fs::write(&path, "one").unwrap();
        assert_eq!(file.changed().unwrap().unwrap(), "one");
        assert!(file.changed().is_none());
        fs::write(&path, "other").unwrap();
        assert_eq!(file.changed().unwrap().unwrap(), "other");
        fs::remove_file(&path).unwrap();
        assert!(file.changed().unwrap().is_err());
        assert!(file.changed().unwrap().is_err());
    }
}
