//! `pointsman run`, as a user runs it.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A library that the loader takes without a word, whatever it does: the C library's mathematics.
fn library(directory: &Path) -> PathBuf {
    let path = directory.join("libpointsman.so");
    let known = std::fs::read_to_string("/proc/self/maps").unwrap();
    let libc = known.split_whitespace().find(|word| word.contains("/libc.so")).expect("a test is linked with libc");
    let libm = Path::new(libc).with_file_name("libm.so.6");
    std::fs::copy(libm, &path).unwrap();
    path
}

fn pointsman(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    command.args(words).env_remove("LD_PRELOAD");
    command
}

fn run(library: &Path, words: &[&str]) -> Command {
    let mut command = pointsman(&["run", "--library", library.to_str().unwrap(), "--"]);
    command.args(words);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn done(mut command: Command) -> (Option<i32>, String, String) {
    let output = loop {
        match command.output() {
            // A child that another test has just forked still has the copied program open for writing (ETXTBSY).
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => std::thread::yield_now(),
            output => break output,
        }
    };
    let Output { status, stdout, stderr } = output.unwrap();
    (status.code(), text(&stdout), text(&stderr))
}

const SHOW: [&str; 3] = ["sh", "-c", "printf %s \"$LD_PRELOAD\""];

#[test]
fn the_library_is_preloaded() {
    let place = tempfile::tempdir().unwrap();
    let library = library(place.path());
    let (code, out, err) = done(run(&library, &SHOW));
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), library.to_str().unwrap(), ""));
    let (_, maps, _) = done(run(&library, &["cat", "/proc/self/maps"]));
    assert!(maps.contains(library.to_str().unwrap()), "{maps}");
}

/// What the entrypoints of Rails' images do that preload jemalloc, in their generations, and one that is made at home.
const ENTRYPOINTS: [&str; 4] = [
    // Only where nothing is preloaded, of the place that is known.
    "if [ -z \"${LD_PRELOAD+x}\" ] && [ -f $OTHER ]; then export LD_PRELOAD=\"$(echo $OTHER)\"; fi; exec \"$@\"",
    // The same, of the place that is found.
    "if [ -z \"${LD_PRELOAD+x}\" ]; then LD_PRELOAD=$(find $PLACE -name libother.so -print -quit); export LD_PRELOAD; fi; \
     exec \"$@\"",
    // The image's own ENV, and an entrypoint that leaves it alone.
    "export LD_PRELOAD=$OTHER; exec \"$@\"",
    // Whatever was preloaded before.
    "unset LD_PRELOAD; export LD_PRELOAD=$OTHER; exec \"$@\"",
];

#[test]
fn behind_an_entrypoint_that_preloads_both_are_loaded() {
    let place = tempfile::tempdir().unwrap();
    let (library, other) = (library(place.path()), place.path().join("libother.so"));
    std::fs::copy(&library, &other).unwrap();
    let pointsman = env!("CARGO_BIN_EXE_pointsman");
    for entrypoint in ENTRYPOINTS {
        let mut command = Command::new("sh");
        command.args(["-c", entrypoint, "entrypoint", pointsman, "run", "--library", library.to_str().unwrap(), "--"]);
        command.args(["cat", "/proc/self/maps"]).env_remove("LD_PRELOAD");
        command.env("OTHER", &other).env("PLACE", place.path());
        let (code, maps, errors) = done(command);
        let both = [&library, &other].iter().all(|wanted| maps.contains(wanted.to_str().unwrap()));
        assert!(code == Some(0) && both, "{entrypoint}: {errors}\n{maps}");
    }
}

#[test]
fn another_preload_stays_behind_the_library() {
    let place = tempfile::tempdir().unwrap();
    let (library, other) = (library(place.path()), place.path().join("libother.so"));
    std::fs::copy(&library, &other).unwrap();
    let mut command = run(&library, &SHOW);
    command.env("LD_PRELOAD", &other);
    assert_eq!(done(command).1, format!("{}:{}", library.display(), other.display()));
    let mut command = run(&library, &SHOW);
    command.env("LD_PRELOAD", "");
    assert_eq!(done(command).1, library.to_str().unwrap(), "an empty value leaves no colon");
}

#[test]
fn a_relative_library_is_made_absolute() {
    let place = tempfile::tempdir().unwrap();
    let library = library(place.path());
    let mut command = pointsman(&["run", "--library", "libpointsman.so", "--"]);
    command.args(SHOW).current_dir(place.path());
    assert_eq!(done(command).1, library.canonicalize().unwrap().to_str().unwrap());
}

#[test]
fn arguments_and_exit_code_are_handed_over_unchanged() {
    let place = tempfile::tempdir().unwrap();
    let library = library(place.path());
    let words = ["sh", "-c", "printf '[%s]' \"$@\"; exit 41", "sh", "--", "a b", "", "--library", "$x", "-h"];
    let (code, out, _) = done(run(&library, &words));
    assert_eq!((code, out.as_str()), (Some(41), "[--][a b][][--library][$x][-h]"));
}

#[test]
fn the_program_takes_the_process_over_and_ignores_no_signal() {
    let place = tempfile::tempdir().unwrap();
    let library = library(place.path());
    let mut command = run(&library, &["sh", "-c", "echo $$; grep SigIgn /proc/self/status"]);
    command.stdout(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    let id = child.id();
    let out = text(&child.wait_with_output().unwrap().stdout);
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines[0], id.to_string(), "no process remains in between");
    let ignored = u64::from_str_radix(lines[1].rsplit('\t').next().unwrap(), 16).unwrap();
    assert_eq!(ignored & (1 << 12), 0, "SIGPIPE");
}

#[test]
fn a_missing_program_is_127_and_one_that_cannot_be_executed_is_126() {
    let place = tempfile::tempdir().unwrap();
    let library = library(place.path());
    let (code, _, err) = done(run(&library, &["no-such-program-anywhere"]));
    assert_eq!(code, Some(127));
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(err.contains("no-such-program-anywhere"), "{err}");
    let plain = place.path().join("plain");
    std::fs::write(&plain, "no program").unwrap();
    std::fs::set_permissions(&plain, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(done(run(&library, &[plain.to_str().unwrap()])).0, Some(126));
}

#[test]
fn a_missing_library_is_125_and_one_line_that_says_where_it_was_sought_and_what_to_do() {
    let (code, out, err) = done(pointsman(&["run", "--library", "/nowhere/libpointsman.so", "--", "true"]));
    assert_eq!((code, out.as_str()), (Some(125), ""));
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(err.contains("/nowhere/libpointsman.so"), "{err}");

    let place = tempfile::tempdir().unwrap();
    let bin = place.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let command = bin.join("pointsman");
    std::fs::copy(env!("CARGO_BIN_EXE_pointsman"), &command).unwrap();
    let mut alone = Command::new(&command);
    alone.args(["run", "--", "true"]);
    let (code, _, err) = done(alone);
    assert_eq!((code, err.lines().count()), (Some(125), 1), "{err}");
    for word in ["bin/libpointsman.so", "lib/libpointsman.so", "--library"] {
        assert!(err.contains(word), "{err}");
    }
    let lib = place.path().join("lib");
    std::fs::create_dir(&lib).unwrap();
    let installed = library(&lib);
    let mut command = Command::new(&command);
    command.args(["run", "--"]).args(SHOW).env_remove("LD_PRELOAD");
    assert_eq!(done(command).1, installed.to_str().unwrap());
}

#[test]
fn a_library_whose_path_the_loader_would_split_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let split = place.path().join("a b");
    std::fs::create_dir(&split).unwrap();
    let (code, _, err) = done(run(&library(&split), &["true"]));
    assert_eq!((code, err.lines().count()), (Some(125), 1), "{err}");
    assert!(err.contains("LD_PRELOAD"), "{err}");
}
