//! A client library that nobody knows, alone and beside a known one: its calls reach it unchanged.

use std::path::PathBuf;

use pointsman_lab::{ENDPOINT, Flavor, Lab};
use pointsman_tests::{
    DATABASE, PASSWORD, Shared, USER,
    compile::{self, Kind},
    run::{Ran, assert_same},
    single,
};

static LAB: Shared = Shared::new();

fn lab() -> Option<&'static Lab> {
    LAB.get(|| single(Flavor::MariaDb))
}

/// A client library that nobody knows, as two kinds of application use it.
struct Unknown {
    program: PathBuf,
    plugin: PathBuf,
    complaint: &'static str,
}

/// Real libraries have versioned symbols, by which the loader keeps two of them in one process apart.
const VERSIONED: &str = concat!("-Wl,--version-script=", env!("CARGO_MANIFEST_DIR"), "/programs/c/unknown_library.map");

impl Unknown {
    fn make(name: &str, flags: &[&str], complaint: &'static str) -> Self {
        let library = format!("unknown_{name}");
        compile::compile(&library, "unknown_library", Kind::SharedLibrary, flags);
        let link = format!("-l{library}");
        Self {
            program: compile::compile(&format!("linked_{name}"), "unknown_linked", Kind::Program, &[&link]),
            plugin: compile::compile(&format!("plugin_{name}"), "unknown_plugin", Kind::SharedLibrary, &[&link]),
            complaint,
        }
    }

    /// Without and with the accessors that a known library would have.
    fn both() -> [Self; 2] {
        [
            Self::make("bare", &[VERSIONED], "it has no mysql_errno"),
            Self::make("complete", &[VERSIONED, "-DCOMPLETE"], "version 12345, calibration failed"),
        ]
    }

    fn assert_one_complaint(&self, ran: &Ran) {
        assert_eq!(ran.log.len(), 1, "{:?}", ran.log);
        let line = &ran.log[0];
        let says = ["WARN: ", "libunknown_", self.complaint, "its connections pass through"];
        assert!(says.iter().all(|part| line.contains(part)), "{line}");
    }

    fn run_linked(&self, lab: &Lab) {
        let ran = assert_same(lab, &self.program, |_| {});
        let connect = "mysql_real_connect(1, db.lab.test, user, password, database, 3306, /socket, 0x80000001)";
        assert!(ran.status == 3 && ran.stdout.contains(connect), "{ran:?}");
        self.assert_one_complaint(&ran);
    }

    fn run_beside_libmariadb(&self, lab: &Lab) -> Ran {
        let ran = assert_same(lab, compile::mariadb_program("two_libraries"), |command| {
            command.arg(&self.plugin).args([ENDPOINT, "3306", USER, PASSWORD, DATABASE]);
        });
        assert_eq!(ran.status, 3, "{ran:?}");
        assert_eq!(ran.stdout.matches("libmariadb: 0 0, 1 rows").count(), 2, "{}", ran.stdout);
        ran
    }
}

#[test]
fn every_call_of_a_linked_unknown_library_reaches_it_unchanged_with_one_line_in_the_log() {
    let Some(lab) = lab() else { return };
    for unknown in Unknown::both() {
        unknown.run_linked(lab);
    }
}

#[test]
fn every_call_of_an_unknown_library_behind_a_private_plug_in_reaches_it_unchanged_with_one_line_in_the_log() {
    let Some(lab) = lab() else { return };
    let host = compile::compile("plugin_host", "plugin_host", Kind::Program, &["-ldl"]);
    for unknown in Unknown::both() {
        let ran = assert_same(lab, &host, |command| {
            command.arg(&unknown.plugin);
        });
        assert_eq!(ran.status, 3, "{ran:?}");
        unknown.assert_one_complaint(&ran);
    }
}

#[test]
fn a_yes_of_an_unknown_library_that_is_not_1_reaches_the_application_as_it_is() {
    let Some(lab) = lab() else { return };
    Unknown::make("odd", &[VERSIONED, "-DTRUE=-1"], "it has no mysql_errno").run_linked(lab);
}

#[test]
fn two_client_libraries_in_one_process_each_get_their_own_calls() {
    let Some(lab) = lab() else { return };
    for unknown in Unknown::both() {
        let ran = unknown.run_beside_libmariadb(lab);
        assert_eq!(ran.stdout.matches("mysql_get_client_version() = 12345").count(), 2, "{}", ran.stdout);
        unknown.assert_one_complaint(&ran);
    }
}

#[test]
fn calls_that_the_loader_gives_to_the_global_library_do_not_reach_another_one() {
    let Some(lab) = lab() else { return };
    // Without versions every call of the plug-in is bound to libmariadb, which came first.
    compile::compile("unknown_unversioned", "unknown_library", Kind::SharedLibrary, &[]);
    let plugin =
        compile::compile("careful_unversioned", "careful_plugin", Kind::SharedLibrary, &["-lunknown_unversioned"]);
    let ran = assert_same(lab, compile::mariadb_program("two_libraries"), |command| {
        command.arg(&plugin).args([ENDPOINT, "3306", USER, PASSWORD, DATABASE]);
        command.env("PLUGIN_HOST", ENDPOINT).env("PLUGIN_USER", USER);
        command.env("PLUGIN_PASSWORD", PASSWORD).env("PLUGIN_DATABASE", DATABASE);
    });
    assert_eq!(ran.stdout.matches("plug-in: query 0, ping 0").count(), 2, "{ran:?}");
}
