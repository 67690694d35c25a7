//! A program of the other platform, in an emulator of its processor, with that platform's library and libmariadb.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use pointsman_lab::{DATABASE, ENDPOINT, Flavor, Lab, PASSWORD, USER};
use pointsman_tests::{
    compile::{self, Kind},
    dialogue::Dialogue,
    pair,
    run::{self, Preload},
    switch,
};

/// Where that platform's packages and our library are.
struct Platform {
    root: PathBuf,
    library: PathBuf,
}

impl Platform {
    fn emulated() -> Self {
        let variable = |name| env::var_os(name).map(PathBuf::from).expect("`make aarch64` says where it is");
        Platform { root: variable("AARCH64_ROOT"), library: variable("AARCH64_LIBRARY") }
    }

    /// `client.c`, protected.
    fn client(&self, lab: &Lab) -> Dialogue {
        let libmariadb = self.root.join("usr/lib/aarch64-linux-gnu/libmariadb.so.3");
        let flags = ["-I/usr/include/mariadb", &path(&libmariadb), "-Wl,--allow-shlib-undefined"];
        let program = compile::with("aarch64-linux-gnu-gcc", "client_aarch64", "client", Kind::Program, &flags);
        let mut command: Command = run::command(lab, "qemu-aarch64", Preload::Bare);
        let preload = format!("LD_PRELOAD={}", path(&self.library));
        command.arg("-L").arg(&self.root).args(["-E", &preload]).arg(program);
        Dialogue::of(lab, command)
    }
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

#[test]
#[ignore = "needs an emulator: `make aarch64`"]
fn a_program_for_aarch64_is_on_the_new_writer_after_a_switchover_with_its_transaction() {
    let platform = Platform::emulated();
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    lab.blue().sql("CREATE TABLE shop.t (id BIGINT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(99))").unwrap();
    let mut client = platform.client(&lab);
    for (command, answer) in [
        (format!("connect 0 {ENDPOINT} 3306 - {USER} {PASSWORD} {DATABASE}"), "ok"),
        (format!("connect 1 {ENDPOINT} 3306 - {USER} {PASSWORD} {DATABASE}"), "ok"),
        ("query 0 SET @a = 5".into(), "ok 0"),
        ("prepare 0 INSERT INTO t (v) VALUES (?)".into(), "ok"),
        ("bind 0".into(), "ok"),
        ("set 0 0 42".into(), "ok"),
        ("query 1 BEGIN".into(), "ok 0"),
        ("query 1 INSERT INTO t (v) VALUES ('in a transaction')".into(), "ok 1"),
    ] {
        assert_eq!(client.ask(&command), answer, "{command}: {}", client.stderr());
    }
    switch(&lab);
    for (command, answer) in [
        ("commit 1", "ok"),
        ("run 0", "ok 1 2"),
        ("query 0 SELECT v, @a FROM t ORDER BY id", "rows in a transaction|5;42|5"),
    ] {
        assert_eq!(client.ask(command), answer, "{command}: {}", client.stderr());
    }
    let green = lab.green().sql("SELECT @@server_id").unwrap();
    for handle in [0, 1] {
        assert_eq!(client.ask(&format!("query {handle} SELECT @@server_id")), format!("rows {green}"));
    }
    assert_eq!((client.counter("moves"), client.counter("replays")), (2, 1), "{}", client.stderr());
    assert_eq!(client.finish(), Some(0));
}
