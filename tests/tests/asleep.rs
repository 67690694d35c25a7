//! The library sleeps in a process that does not talk to MySQL, and wakes up at the first call of a client library.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use pointsman_lab::{DATABASE, ENDPOINT, Flavor, Lab, PASSWORD, USER};
use pointsman_tests::{
    Shared,
    compile::{self, Kind},
    library,
    run::{Preload, Ran, assert_same, command, run},
    single,
};

static LAB: Shared = Shared::new();

fn lab() -> Option<&'static Lab> {
    LAB.get(|| single(Flavor::MariaDb))
}

fn program() -> PathBuf {
    compile::mariadb_program("asleep")
}

/// What `asleep.c` says after it has done one thing.
fn after(lab: &Lab, what: &str, set_up: impl Fn(&mut Command)) -> Ran {
    let mut command = command(lab, program(), Preload::Preloaded);
    command.args([what, ENDPOINT, &lab.port().to_string(), USER, PASSWORD, DATABASE]);
    set_up(&mut command);
    let ran = run(command);
    assert_eq!(ran.status, 3, "{ran:?}");
    ran
}

#[test]
fn a_process_that_has_a_client_library_and_calls_nothing_of_it_never_wakes_ours() {
    let Some(lab) = lab() else { return };
    let ran = after(lab, "nothing", |_| {});
    assert_eq!((ran.stdout.as_str(), ran.log.len()), ("early connect -1, asleep\nasleep\n", 0), "{ran:?}");
}

#[test]
fn the_first_connect_wakes_the_library_and_is_protected() {
    let Some(lab) = lab() else { return };
    let ran = after(lab, "once", |_| {});
    assert_eq!(ran.stdout, "early connect -1, asleep\nfailed 0\nawake\nprotected 1\n", "{ran:?}");
}

#[test]
fn first_connects_of_many_threads_at_the_same_moment_are_all_protected() {
    let Some(lab) = lab() else { return };
    for _ in 0..20 {
        let ran = after(lab, "at-once", |_| {});
        assert_eq!(ran.stdout, "early connect -1, asleep\nfailed 0\nawake\nprotected 16\n", "{ran:?}");
        assert!(ran.log.is_empty(), "{ran:?}");
    }
}

#[test]
fn children_of_a_process_that_sleeps_wake_by_themselves_and_leave_it_asleep() {
    let Some(lab) = lab() else { return };
    let ran = after(lab, "children", |_| {});
    let children = "child ended with 5\nchild ended with 5\nvfork child ended with 7\n";
    assert_eq!(ran.stdout, format!("early connect -1, asleep\n{children}asleep\n"), "{ran:?}");
}

/// A directory in which the unwinder's library is no library.
fn without_unwinder(lab: &Lab) -> PathBuf {
    let directory = lab.directory().join("without-unwinder");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("libgcc_s.so.1"), "").unwrap();
    directory
}

fn assert_one_complaint(ran: &Ran) {
    let says = "cannot protect this process, all calls pass through: there is no usable libgcc_s.so.1";
    assert!(ran.log.len() == 1 && ran.log[0].contains(says), "{ran:?}");
}

#[test]
fn a_library_that_cannot_wake_says_so_once_and_every_call_passes_through() {
    let Some(lab) = lab() else { return };
    let ran = after(lab, "at-once", |command| {
        command.env("LD_LIBRARY_PATH", without_unwinder(lab));
    });
    assert_eq!(ran.stdout, "early connect -1, asleep\nfailed 0\nasleep\n", "{ran:?}");
    assert_one_complaint(&ran);
    let ran = after(lab, "once", |command| {
        command.env("LD_LIBRARY_PATH", without_unwinder(lab)).env("POINTSMAN", "off");
    });
    assert!(ran.log.is_empty(), "{ran:?}");
}

#[test]
fn a_library_that_cannot_wake_gives_every_caller_its_own_client_library() {
    let Some(lab) = lab() else { return };
    let versioned = concat!("-Wl,--version-script=", env!("CARGO_MANIFEST_DIR"), "/programs/c/unknown_library.map");
    compile::compile("unknown_asleep", "unknown_library", Kind::SharedLibrary, &[versioned]);
    let plugin = compile::compile("plugin_asleep", "unknown_plugin", Kind::SharedLibrary, &["-lunknown_asleep"]);
    let host = compile::compile("plugin_host", "plugin_host", Kind::Program, &["-ldl"]);
    let ran = assert_same(lab, host, |command| {
        command.arg(&plugin).env("LD_LIBRARY_PATH", without_unwinder(lab));
    });
    assert_eq!(ran.status, 3, "{ran:?}");
    assert_one_complaint(&ran);
    let ran = assert_same(lab, compile::mariadb_program("two_libraries"), |command| {
        command.arg(&plugin).args([ENDPOINT, "3306", USER, PASSWORD, DATABASE]);
        command.env("LD_LIBRARY_PATH", without_unwinder(lab));
    });
    assert_eq!(ran.stdout.matches("libmariadb: 0 0, 1 rows").count(), 2, "{}", ran.stdout);
    assert_eq!(ran.stdout.matches("mysql_get_client_version() = 12345").count(), 2, "{}", ran.stdout);
    assert_one_complaint(&ran);
}

/// The library as a file.
struct File(Vec<u8>);

impl File {
    fn number<const N: usize>(&self, at: u64) -> u64 {
        let mut bytes = [0; 8];
        bytes[..N].copy_from_slice(&self.0[at as usize..][..N]);
        u64::from_le_bytes(bytes)
    }

    /// Type, offset, address and size in the file of each program header.
    fn segments(&self) -> Vec<[u64; 4]> {
        let (start, count) = (self.number::<8>(32), self.number::<2>(56));
        let of =
            |at| [self.number::<4>(at), self.number::<8>(at + 8), self.number::<8>(at + 16), self.number::<8>(at + 32)];
        (0..count).map(|header| of(start + 56 * header)).collect()
    }

    fn segment(&self, kind: u64) -> [u64; 4] {
        self.segments().into_iter().find(|segment| segment[0] == kind).expect("a segment of that type")
    }

    /// Tags and values.
    fn dynamic(&self) -> Vec<(u64, u64)> {
        let [_, offset, _, size] = self.segment(2);
        (0..size / 16).map(|at| (self.number::<8>(offset + 16 * at), self.number::<8>(offset + 16 * at + 8))).collect()
    }

    fn value(&self, tag: u64) -> Option<u64> {
        self.dynamic().into_iter().find(|entry| entry.0 == tag).map(|entry| entry.1)
    }

    /// The string at this place of the dynamic section's table.
    fn string(&self, at: u64) -> String {
        let start = (self.value(5).expect("strings") + at) as usize;
        let text = self.0[start..].split(|byte| *byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    /// File and version of whatever is asked of other libraries, those of weak symbols included.
    fn versions(&self) -> Vec<(String, String)> {
        let (mut at, count) =
            (self.value(0x6fff_fffe).expect("versions"), self.value(0x6fff_ffff).expect("their number"));
        let mut versions = vec![];
        for _ in 0..count {
            let file = self.string(self.number::<4>(at + 4));
            let mut version = at + self.number::<4>(at + 8);
            for _ in 0..self.number::<2>(at + 2) {
                versions.push((file.clone(), self.string(self.number::<4>(version + 8))));
                version += self.number::<4>(version + 12);
            }
            at += self.number::<4>(at + 12);
        }
        versions
    }

    /// The addresses of the words that are relocated when the library wakes up.
    fn postponed(&self) -> BTreeSet<u64> {
        // In the first segment, addresses are offsets.
        let (table, size) = (self.value(0x6fff_e000).expect("a table"), self.value(0x6fff_e001).expect("its size"));
        let (mut words, mut at) = (BTreeSet::new(), 0);
        for entry in (0..size / 8).map(|entry| self.number::<8>(table + 8 * entry)) {
            if entry & 1 == 0 {
                words.insert(entry);
                at = entry + 8;
            } else {
                words.extend((0..63).filter(|bit| entry >> (bit + 1) & 1 == 1).map(|bit| at + 8 * bit));
                at += 63 * 8;
            }
        }
        words
    }
}

#[test]
fn the_dynamic_linker_has_next_to_nothing_to_do() {
    const DT_NEEDED: u64 = 1;
    const DT_INIT_ARRAY: u64 = 25;
    const DT_RELACOUNT: u64 = 0x6fff_fff9;
    const DT_RELASZ: u64 = 8;
    const RELA: u64 = 24;
    let file = File(fs::read(library()).unwrap());
    let needed = file.dynamic().iter().filter(|entry| entry.0 == DT_NEEDED).count();
    assert!(needed <= 2, "libc and the dynamic linker itself, which are there anyway; found {needed}");
    assert_eq!(file.value(DT_INIT_ARRAY), None, "a constructor would run with pointers that are not relocated");
    assert_eq!(file.value(DT_RELACOUNT).unwrap_or(0), 0, "relative relocations");
    let others = file.value(DT_RELASZ).unwrap_or(0) / RELA;
    assert!(others <= 40, "{others} relocations: what is new belongs into src/doors/imports.rs");
    assert!(file.postponed().len() > 1000);
}

#[test]
fn every_glibc_from_2_28_on_has_what_the_dynamic_linker_is_asked_for() {
    let versions = File(fs::read(library()).unwrap()).versions();
    assert!(!versions.is_empty());
    for (file, version) in versions {
        let number = version.strip_prefix("GLIBC_2.").and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
        assert!(
            number.is_some_and(|minor| minor <= 28),
            "{version} of {file}: what needs it belongs into src/doors/imports.rs or src/doors/own.rs"
        );
        assert!(file == "libc.so.6" || file.starts_with("ld-linux"), "{file} is not in every process");
    }
}

#[test]
fn no_thread_begins_with_a_pointer_that_is_relocated_later() {
    const PT_TLS: u64 = 7;
    let file = File(fs::read(library()).unwrap());
    let [_, _, start, size] = file.segment(PT_TLS);
    let in_threads: Vec<u64> = file.postponed().range(start..start + size).copied().collect();
    assert!(in_threads.is_empty(), "the loader copies these into each thread before: {in_threads:x?}");
}
