//! What the library leaves in a process that it protects.

use std::{collections::BTreeSet, fs, io, path::PathBuf};

use pointsman_lab::{ENDPOINT, Flavor, Lab};
use pointsman_tests::{
    Shared,
    dialogue::{Dialogue, Driver},
    run::{self, Preload},
    single, wait_for,
};

static LAB: Shared = Shared::new();

fn lab() -> Option<&'static Lab> {
    LAB.get(|| single(Flavor::MariaDb))
}

/// A process with a protected connection, when everything of ours runs.
fn protected(lab: &Lab) -> Dialogue {
    let mut client = Dialogue::start(lab, Preload::Preloaded);
    assert_eq!(client.connect(0, ENDPOINT), "ok");
    wait_for("the first DNS answer", || client.log().iter().any(|line| line.contains("DNS answers")));
    client
}

/// The value of `key` in a file of /proc, in which numbers have this base.
fn field(file: PathBuf, key: &str, base: u32) -> io::Result<u64> {
    let content = fs::read_to_string(&file)?;
    let value = content.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let value = value.unwrap_or_else(|| panic!("{}: no {key}", file.display()));
    Ok(u64::from_str_radix(value.trim(), base).unwrap())
}

#[test]
fn the_one_thread_of_ours_takes_no_signal_of_the_application() {
    let Some(lab) = lab() else { return };
    let client = protected(lab);
    let main = client.proc().file_name().unwrap().to_owned();
    let tasks = fs::read_dir(client.proc().join("task")).unwrap().map(Result::unwrap);
    let others: Vec<_> = tasks.filter(|task| task.file_name() != main).collect();
    assert_eq!(others.len(), 1, "{others:?}");
    let blocked = field(others[0].path().join("status"), "SigBlk", 16).unwrap();
    // All but SIGKILL (9), SIGSTOP (19) and the two that the C library keeps for itself (32, 33).
    let blockable = !(1 << 8 | 1 << 18 | 1 << 31 | 1 << 32);
    assert_eq!(blocked & blockable, blockable, "{blocked:x}");
}

/// The open descriptors of a process that would outlive an exec.
fn inheritable(client: &Dialogue) -> BTreeSet<String> {
    let descriptors = fs::read_dir(client.proc().join("fd")).unwrap();
    let numbers = descriptors.map(|fd| fd.unwrap().file_name().into_string().unwrap());
    // A descriptor of the watcher may be gone again.
    let survives = |fd: &String| {
        field(client.proc().join("fdinfo").join(fd), "flags", 8).is_ok_and(|flags| flags & 0o2_000_000 == 0)
    };
    numbers.filter(survives).collect()
}

#[test]
fn no_descriptor_of_ours_is_inherited_by_a_program_that_the_application_starts() {
    let Some(lab) = lab() else { return };
    let mut bare = Dialogue::start(lab, Preload::Bare);
    assert_eq!(bare.connect(0, ENDPOINT), "ok");
    assert_eq!(inheritable(&protected(lab)), inheritable(&bare), "protected (left) is not as bare (right)");
}

#[test]
fn a_client_library_says_on_stderr_what_it_says_without_us() {
    let Some(lab) = lab() else { return };
    for driver in [Driver::LibMariaDb, Driver::LibMySqlClient].into_iter().filter(|driver| driver.is_available()) {
        let mut client = Dialogue::with(lab, driver, Preload::Preloaded, |_| {});
        assert_eq!(client.connect(0, ENDPOINT), "ok");
        assert_eq!(run::split_log(&client.stderr()).1, "", "{driver:?}");
    }
}
