//! Every way in which a client library, and ours, may come into a process: beside other preloads, as plug-ins that are
//! loaded, closed and loaded again, before main and after it, under a program with its own `connect`.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use pointsman_lab::{DATABASE, ENDPOINT, Flavor, Lab, PASSWORD, Side, USER};
use pointsman_tests::{
    Shared,
    compile::{Kind, compile, mariadb},
    dialogue::Driver,
    library, pair,
    run::{self, Preload, Ran},
    single,
    stage::Stage,
    switch,
};

static LAB: Shared = Shared::new();

fn lab() -> Option<&'static Lab> {
    LAB.get(|| single(Flavor::MariaDb))
}

fn multiarch(file: &str) -> PathBuf {
    PathBuf::from(format!("/usr/lib/{}-linux-gnu/{file}", std::env::consts::ARCH))
}

/// What `survivor.c` says, as a part of this program, without and with the library.
fn both(lab: &Lab, program: &Path, arguments: &[&str]) -> [Ran; 2] {
    [Preload::Bare, Preload::Preloaded].map(|preload| {
        let mut command = run::command(lab, program, preload);
        command.args(arguments);
        run::run(with_account(command))
    })
}

fn with_account(mut command: Command) -> Command {
    command.envs([("PLUGIN_HOST", ENDPOINT), ("PLUGIN_USER", USER)]);
    command.envs([("PLUGIN_PASSWORD", PASSWORD), ("PLUGIN_DATABASE", DATABASE)]);
    command
}

/// The same lines and the same end, but for what was lost without us.
#[track_caller]
fn assert_protected([bare, preloaded]: [Ran; 2], times: usize) {
    assert_eq!(bare.stdout.matches("lost").count(), times, "no test: {bare:?}");
    let protected = bare.stdout.replace("lost", "protected");
    assert_eq!((preloaded.status, preloaded.stdout), (bare.status, protected), "{:?}", preloaded.log);
    assert_eq!((preloaded.stderr, preloaded.log.len()), (bare.stderr, 0), "{:?}", preloaded.log);
}

#[test]
fn beside_other_preloads_before_and_after_it_connections_are_protected_and_move() {
    let others = [multiarch("libjemalloc.so.2"), multiarch("faketime/libfaketimeMT.so.1")];
    for other in others {
        assert!(other.exists(), "{}: install libjemalloc2 and libfaketime", other.display());
        let (ours, other) = (library().display().to_string(), other.display().to_string());
        for preload in [format!("{ours}:{other}"), format!("{other} {ours}")] {
            let Some(lab) = pair(Flavor::MariaDb) else { return };
            let mut stage = Stage::set_with(&lab, Driver::LibMariaDb, |command| {
                command.env("LD_PRELOAD", &preload).env("FAKETIME", "-400d");
            });
            let maps = std::fs::read_to_string(stage.client.proc().join("maps")).unwrap();
            assert!(maps.contains(&other) && maps.contains(&ours), "{preload}");
            stage.client.assert_protected(&lab);
            switch(&lab);
            stage.expect("query 0 INSERT INTO orders (worker, seq) VALUES (-8, 1)", "ok 1");
            stage.is_on("query 0", Side::Green);
        }
    }
}

/// The image names one, the system another.
#[test]
fn two_copies_of_the_library_do_no_more_than_one() {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    let copy = lab.directory().join("libpointsman.so");
    std::fs::copy(library(), &copy).unwrap();
    let mut stage = Stage::set_with(&lab, Driver::LibMariaDb, |command| {
        command.env("LD_PRELOAD", format!("{}:{}", library().display(), copy.display()));
    });
    stage.client.assert_protected(&lab);
    stage.expect("query 0 BEGIN", "ok 0");
    stage.expect("query 0 INSERT INTO orders (worker, seq) VALUES (-8, 1)", "ok 1");
    switch(&lab);
    stage.expect("query 0 INSERT INTO orders (worker, seq) VALUES (-8, 2)", "ok 1");
    stage.expect("query 0 COMMIT", "ok 0");
    stage.is_on("query 0", Side::Green);
    let rows = "SELECT COUNT(*) FROM shop.orders WHERE worker = -8";
    assert_eq!(lab.green().sql(rows).unwrap(), "2");
    let moved = stage.client.log().into_iter().filter(|line| line.contains("moved to")).count();
    assert_eq!(moved, 1, "{}", stage.client.stderr());
}

fn host() -> PathBuf {
    compile("plugin_host", "plugin_host", Kind::Program, &["-ldl"])
}

/// libmariadb under another name, and a plug-in with it: for the loader another library.
fn plugin_with_another_library() -> PathBuf {
    let plugin = mariadb("survivor_with_libmariadb", "survivor", Kind::SharedLibrary, &[]);
    let directory = plugin.parent().unwrap();
    let renamed = |original: &Path, name: &str| {
        let mut content = std::fs::read(original).unwrap();
        let (old, new) = (b"libmariadb.so.3\0", b"libmariadx.so.3\0");
        let places: Vec<_> = (0..content.len() - old.len()).filter(|at| content[*at..].starts_with(old)).collect();
        assert!(!places.is_empty(), "{}", original.display());
        places.into_iter().for_each(|at| content[at..at + new.len()].copy_from_slice(new));
        let path = directory.join(name);
        let fresh = path.with_extension(std::process::id().to_string());
        std::fs::write(&fresh, content).unwrap();
        std::fs::rename(&fresh, &path).unwrap();
        path
    };
    renamed(&multiarch("libmariadb.so.3").canonicalize().unwrap(), "libmariadx.so.3");
    renamed(&plugin, "libsurvivor_with_another.so")
}

/// Made once: two tests that make the same files at the same time take them from each other.
fn plugins() -> [&'static str; 2] {
    static MADE: OnceLock<[String; 2]> = OnceLock::new();
    MADE.get_or_init(make_plugins).each_ref().map(String::as_str)
}

fn make_plugins() -> [String; 2] {
    let one = mariadb("survivor_with_libmariadb", "survivor", Kind::SharedLibrary, &[]);
    [one, plugin_with_another_library()].map(|path| path.display().to_string())
}

#[test]
fn plug_ins_that_are_closed_and_loaded_again_are_protected_each_time() {
    let Some(lab) = lab() else { return };
    let [one, other] = plugins();
    let words = [one, "close", one, "close", other, "close", one, "close", other, "again"];
    assert_protected(both(lab, &host(), &words), 6);
}

/// What was found out about a library is true of what lies there for as long as the process lives.
#[test]
fn a_client_library_that_was_used_stays_where_it_is_when_it_is_closed() {
    let Some(lab) = lab() else { return };
    let [one, _] = plugins();
    let [bare, preloaded] = both(lab, &host(), &[one, "close", "look"]);
    assert_eq!((bare.stdout.as_str(), preloaded.stdout.as_str()), ("lost\ngone\n", "protected\nthere\n"));
}

#[test]
fn two_client_libraries_at_once_are_both_protected() {
    let Some(lab) = lab() else { return };
    let [one, other] = plugins();
    assert_protected(both(lab, &host(), &[one, other, "again", one, other]), 5);
}

/// `pointsman doctor --pid` tells; here nobody else can.
#[test]
fn a_plug_in_that_is_loaded_with_rtld_deepbind_behaves_as_without_us() {
    let Some(lab) = lab() else { return };
    let [one, _] = plugins();
    let [bare, preloaded] = both(lab, &host(), &["deep", one, "again", "close"]);
    assert_eq!(preloaded, bare);
    assert_eq!((preloaded.status, preloaded.stdout.as_str()), (3, "lost\nlost\n"));
}

#[test]
fn connections_of_constructors_and_destructors_are_protected() {
    let Some(lab) = lab() else { return };
    mariadb("early_and_late", "survivor", Kind::SharedLibrary, &["-DEARLY_AND_LATE"]);
    let flags = ["-DMAIN", "-Wl,--no-as-needed", "-learly_and_late"];
    let program = mariadb("linked_early_and_late", "survivor", Kind::Program, &flags);
    let ran = both(lab, &program, &["late"]);
    let order = ["early: ", "secure: 0", "atexit: ", "static object: ", "late: "].map(|part| ran[0].stdout.find(part));
    assert!(order.is_sorted() && order[0].is_some(), "{:?}", ran[0]);
    assert_protected(ran, 4);
}

#[test]
fn a_program_that_wraps_connect_and_close_is_protected() {
    let Some(lab) = lab() else { return };
    for (name, more) in [("wrapped", &[][..]), ("wrapped_raw", &["-DRAW"])] {
        let flags = [&["-DMAIN", "-DWRAPPED", "-rdynamic", "-ldl"], more].concat();
        let program = mariadb(name, "survivor", Kind::Program, &flags);
        let [bare, preloaded] = both(lab, &program, &[]);
        assert!(bare.stdout.starts_with("secure: 0\nconnect connect lost"), "{bare:?}");
        // Ours asks DNS by way of the program's functions, too: they come first for everybody.
        let said = preloaded.stdout.replace("connect ", "");
        assert_eq!((preloaded.status, said.as_str()), (3, "secure: 0\nprotected\n"));
        assert!(preloaded.log.is_empty(), "{:?}", preloaded.log);
    }
}
