//! PHP-FPM, whose driver speaks the protocol by itself: it is out of our reach, and left exactly as it is without us.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    net::SocketAddr,
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use pointsman_lab::{ENDPOINT, Flavor, Kept, Lab, PASSWORD, spawn};
use pointsman_tests::{
    fastcgi,
    offspring::{self, Member, Offspring},
    run::{Preload, command},
    single, source,
    visitors::Visitors,
    wait_for,
};
use rustix::process::{Pid, Signal, kill_process};

const WORKERS: usize = 2;
const PORT: u16 = 9000;
const END: Duration = Duration::from_secs(20);

/// Debian's name carries PHP's version.
fn program() -> Option<String> {
    let programs = fs::read_dir("/usr/sbin").into_iter().flatten().flatten().map(|entry| entry.path());
    let found = programs.map(|path| path.display().to_string()).find(|path| path.contains("/php-fpm"));
    if found.is_none() {
        println!("skipped: php-fpm is not here: run `make setup`");
    }
    found
}

/// What can be seen of a server that lived through everything.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// Of workers, before and after a reload.
    answers: [BTreeSet<String>; 2],
    /// When the server's database is read-only.
    refused: Result<String, String>,
    /// Threads and descriptors.
    master: (usize, usize),
    log: String,
}

struct Fpm {
    server: Kept,
    address: SocketAddr,
    offspring: Offspring,
}

impl Fpm {
    fn start(lab: &Lab, program: &str, preload: Preload) -> Self {
        let address = SocketAddr::from((lab.spare_address(), PORT));
        let directory = lab.directory().join("fpm");
        fs::create_dir_all(&directory).unwrap();
        let config = directory.join("fpm.conf");
        let text = format!(
            "[global]\nerror_log = {}\ndaemonize = no\nprocess_control_timeout = 10s\n\
             [shop]\nlisten = {address}\nuser = root\ngroup = root\nclear_env = no\npm = static\npm.max_children = {WORKERS}\n",
            directory.join("log").display()
        );
        fs::write(&config, text).unwrap();
        let mut server = command(lab, program, preload);
        server.args(["--nodaemonize", "--allow-to-run-as-root", "--fpm-config"]).arg(&config);
        server.env("LAB_HOST", ENDPOINT).env("LAB_PORT", lab.port().to_string()).env("LAB_PASSWORD", PASSWORD);
        let _ = fs::remove_file(directory.join("log"));
        let log = File::options().create(true).append(true).open(directory.join("log")).unwrap();
        server.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let server = spawn(server).unwrap();
        let offspring = Offspring::of(server.id());
        let fpm = Self { server, address, offspring };
        wait_for("the first answer", || fpm.ask(0).is_ok());
        fpm
    }

    fn ask(&self, number: u64) -> Result<String, String> {
        ask(self.address, number)
    }

    /// What visitors are told.
    fn serve(&self) -> BTreeSet<String> {
        let address = self.address;
        let visitors = Visitors::come(WORKERS, Arc::new(move |number| ask(address, number)));
        wait_for("visitors to be served", || visitors.book().succeeded.len() >= 50);
        let book = visitors.leave();
        assert_eq!(book.failed, [""; 0]);
        book.bodies
    }

    fn members(&self) -> Vec<Member> {
        self.offspring.members()
    }

    fn workers(&self) -> BTreeSet<u32> {
        self.members().into_iter().map(|member| member.id).filter(|id| *id != self.server.id()).collect()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.server.id() as i32).unwrap(), signal).unwrap();
    }
}

fn ask(address: SocketAddr, number: u64) -> Result<String, String> {
    let script = source("php/fpm.php");
    fastcgi::run(address, &script.display().to_string(), &format!("seq={number}"))
}

fn life(lab: &Lab, program: &str, preload: Preload) -> Seen {
    let fpm = Fpm::start(lab, program, preload);
    let before = fpm.serve();
    let old = fpm.workers();
    fpm.signal(Signal::USR2);
    wait_for("other workers", || {
        let now = fpm.workers();
        now.len() == WORKERS && now.is_disjoint(&old)
    });
    wait_for("an answer after the reload", || fpm.ask(0).is_ok());
    let after = fpm.serve();
    lab.blue().set_read_only(true).unwrap();
    let refused = fpm.ask(1);
    lab.blue().set_read_only(false).unwrap();
    let entries = |what: &str| fs::read_dir(format!("/proc/{}/{what}", fpm.server.id())).unwrap().count();
    let master = (entries("task"), entries("fd"));
    let members = fpm.members();
    assert!(members.iter().all(|member| !member.is_zombie() && member.watchers() == 0), "{members:?}");
    let loaded =
        |member: &Member| fs::read_to_string(format!("/proc/{}/maps", member.id)).unwrap().contains("libpointsman.so");
    assert!(members.iter().all(|member| loaded(member) == (preload == Preload::Preloaded)), "{members:?}");
    fpm.signal(Signal::QUIT);
    assert!(fpm.server.wait(END).unwrap().success());
    wait_for("the end of all", || members.iter().all(|member| !offspring::is_there(member.id)));
    let log = fs::read_to_string(lab.directory().join("fpm/log")).unwrap();
    Seen { answers: [before, after], refused, master, log: without_numbers(&log) }
}

/// Times and process ids are never the same.
fn without_numbers(log: &str) -> String {
    log.replace(|letter: char| letter.is_ascii_digit(), "")
}

#[test]
fn php_fpm_works_reloads_and_ends_as_without_us_and_has_no_thread_or_descriptor_of_ours() {
    let Some(program) = program() else { return };
    let Some(lab) = single(Flavor::MariaDb) else { return };
    let [bare, preloaded] = [Preload::Bare, Preload::Preloaded].map(|preload| life(&lab, &program, preload));
    println!("{preloaded:?}");
    assert!(bare.refused.as_ref().is_ok_and(|answer| answer.starts_with("error 1290, 1 threads")), "{bare:?}");
    assert_eq!(preloaded, bare);
}
