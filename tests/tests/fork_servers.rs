//! Real fork servers through a switchover: the application is loaded once, has a connection, and is forked; master and
//! workers go on without an error.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use pointsman_lab::{ENDPOINT, Flavor, Kept, Lab, PASSWORD, Side, spawn};
use pointsman_tests::{
    offspring::{self, Member, Offspring},
    pair,
    run::{Preload, command, split_log},
    source, switch,
    visitors::{Visitors, get},
    wait_for,
};
use rustix::process::{Pid, Signal, kill_process};

/// More than two workers can serve at a time.
const VISITORS: usize = 6;
const PORT: u16 = 8080;
/// The longest that a server may take to end.
const END: Duration = Duration::from_secs(20);

/// One kind of fork server.
struct Kind {
    program: &'static str,
    arguments: fn(&Ground) -> Vec<String>,
    /// Tells a worker to finish its work and end.
    end_worker: fn(&Running<'_>, u32),
    /// Has another worker forked at once, while the others are held.
    fork_another: fn(&Running<'_>),
    server_ends: Signal,
}

/// Where a server runs.
struct Ground {
    address: SocketAddr,
    directory: PathBuf,
}

impl Ground {
    fn of(lab: &Lab) -> Self {
        let directory = lab.directory().join("fork-server");
        fs::create_dir_all(&directory).unwrap();
        Self { address: SocketAddr::from((lab.spare_address(), PORT)), directory }
    }

    fn inside(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

fn program(name: &str) -> String {
    source(name).display().to_string()
}

/// A fork server that runs, and its log.
struct Running<'a> {
    lab: &'a Lab,
    kind: &'a Kind,
    ground: Ground,
    server: Kept,
    offspring: Offspring,
}

impl<'a> Running<'a> {
    /// `None` if this machine has no such server.
    fn start(lab: &'a Lab, kind: &'a Kind, preload: Preload) -> Option<Self> {
        if !Path::new(kind.program).exists() {
            println!("skipped: {} is not here: run `make setup`", kind.program);
            return None;
        }
        let ground = Ground::of(lab);
        let log = File::create(ground.inside("log")).unwrap();
        let mut server = command(lab, kind.program, preload);
        server.args((kind.arguments)(&ground)).current_dir(&ground.directory);
        server.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        with_lab(&mut server, lab, &ground);
        let server = spawn(server).unwrap();
        let offspring = Offspring::of(server.id());
        let running = Self { lab, kind, ground, server, offspring };
        wait_for("the first answer", || {
            assert!(running.server.ended().is_none(), "{}", running.log());
            get(running.ground.address, "/?seq=0").is_ok()
        });
        Some(running)
    }

    fn visitors(&self) -> Visitors {
        let address = self.ground.address;
        Visitors::come(VISITORS, Arc::new(move |number| get(address, &format!("/?seq={number}"))))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.ground.inside("log")).unwrap_or_default()
    }

    /// Processes that have held a statement or a connect, by the library's own word.
    fn held(&self) -> BTreeSet<u32> {
        let log = self.log();
        let lines = log.lines().filter(|line| line.contains("holding statements until"));
        lines.filter_map(|line| line.split_once("pointsman[")?.1.split_once(']')?.0.parse().ok()).collect()
    }

    fn complaints(&self) -> String {
        fs::read_to_string(self.ground.inside("complaints")).unwrap_or_default()
    }

    fn members(&self) -> Vec<Member> {
        self.offspring.members()
    }

    /// Rows of the master's connection on that side.
    fn beats(&self, side: Side) -> u64 {
        number(self.lab, side, "SELECT COUNT(*) FROM shop.orders WHERE worker = -2")
    }

    fn workers(&self, side: Side) -> BTreeSet<u32> {
        let rows = self.lab.server(side).sql("SELECT DISTINCT note FROM shop.orders WHERE worker = 1").unwrap();
        rows.lines().filter_map(|line| line.trim().parse().ok()).collect()
    }

    /// One of the workers finishes what it does and ends; the server forks another one.
    fn replace_a_worker(&self, side: Side) {
        let before = self.ids();
        // The id of one that has ended may be a stranger's by now.
        let old = self.workers(side).intersection(&before).next().copied().expect("a worker has written");
        (self.kind.end_worker)(self, old);
        wait_for("the end of a worker", || !offspring::is_there(old));
        self.wait_for_a_worker_not_in(&before, side);
    }

    fn ids(&self) -> BTreeSet<u32> {
        self.members().into_iter().map(|member| member.id).collect()
    }

    /// One that was forked since has written there.
    fn wait_for_a_worker_not_in(&self, before: &BTreeSet<u32>, side: Side) {
        wait_for("another worker", || self.workers(side).iter().any(|worker| !before.contains(worker)));
    }
}

fn with_lab(command: &mut Command, lab: &Lab, ground: &Ground) {
    command
        .env("LAB_HOST", ENDPOINT)
        .env("LAB_PORT", lab.port().to_string())
        .env("LAB_PASSWORD", PASSWORD)
        .env("TMPDIR", &ground.directory)
        .env("LAB_LISTEN", ground.address.to_string())
        .env("LAB_COMPLAINTS", ground.inside("complaints"));
}

fn signal(process: u32, signal: Signal) {
    kill_process(Pid::from_raw(process as i32).unwrap(), signal).unwrap();
}

/// What a server would leave behind if a test fails: daemons are in no group of ours.
impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}\n{:?}\n{}", self.log(), self.members(), self.complaints());
        }
        self.server.kill();
        for member in self.members().iter().filter(|member| !member.is_zombie()) {
            let _ = kill_process(Pid::from_raw(member.id as i32).unwrap(), Signal::KILL);
        }
    }
}

fn number(lab: &Lab, side: Side, question: &str) -> u64 {
    lab.server(side).sql(question).unwrap().trim().parse().unwrap()
}

/// Everything that a fork server has to live through.
fn lives_through_a_switchover(kind: &Kind) {
    let Some(lab) = pair(Flavor::MariaDb) else { return };
    let Some(running) = Running::start(&lab, kind, Preload::Preloaded) else { return };
    let visitors = running.visitors();
    let served = |count| {
        let until = visitors.book().succeeded.len() + count;
        wait_for("visitors to be served", || {
            let book = visitors.book();
            assert!(book.failed.is_empty(), "{:?}; {}\n{}", book.failed, running.complaints(), running.log());
            book.succeeded.len() >= until
        });
    };
    wait_for("both workers to have written", || running.workers(Side::Blue).len() >= 2);
    running.replace_a_worker(Side::Blue);
    served(40);

    lab.blue().set_read_only(true).unwrap();
    wait_for("somebody to be held", || !running.held().is_empty());
    let before = running.ids();
    (kind.fork_another)(&running);
    // It has never seen a writer itself.
    wait_for("a worker that was forked in the middle of it to be held", || {
        running.held().iter().any(|member| !before.contains(member))
    });
    switch(&lab);
    served(40);
    running.wait_for_a_worker_not_in(&before, Side::Green);
    // The connection that they inherit is the master's own all the while.
    wait_for("the master to write on green", || running.beats(Side::Green) > running.beats(Side::Blue));
    running.replace_a_worker(Side::Green);
    let beats = running.beats(Side::Green);
    served(40);
    wait_for("the master to write as before", || running.beats(Side::Green) > beats + 3);

    let members = running.members();
    let zombies: Vec<_> = members.iter().filter(|member| member.is_zombie()).collect();
    assert!(zombies.is_empty(), "{zombies:?}");
    let watched: Vec<_> = members.iter().filter(|member| member.watchers() > 0).collect();
    assert!(watched.len() >= 3, "master and workers each ask DNS: {watched:?}");
    assert!(watched.iter().all(|member| member.watchers() == 1), "{watched:?}");
    let book = visitors.leave();
    assert!(book.failed.is_empty(), "{:?}; {}\n{}", book.failed, running.complaints(), running.log());
    println!("{} requests, {} beats, answered by {:?}", book.succeeded.len(), running.beats(Side::Green), book.bodies);

    signal(running.server.id(), kind.server_ends);
    let ended = running.server.wait(END);
    let log = running.log();
    assert!(ended.is_ok(), "{ended:?}; {log}");
    wait_for("the end of all", || members.iter().all(|member| !offspring::is_there(member.id)));
    assert_eq!(running.complaints(), "", "{log}");
    let (ours, others) = split_log(&log);
    let complains = |line: &&str| {
        ["rror", "xception", "imeout", "ailed", "killed", "egfault"].iter().any(|word| line.contains(word))
    };
    assert_eq!(others.lines().filter(complains).collect::<Vec<_>>(), [""; 0], "{log}");
    assert!(ours.iter().all(|line| !line.contains("rror")), "{ours:?}");

    let numbers = "SELECT COUNT(DISTINCT seq) FROM shop.orders WHERE worker = 1 AND seq > 0";
    assert_eq!(number(&lab, Side::Green, numbers), book.succeeded.len() as u64, "each request's row");
    let rows = "SELECT COUNT(*) FROM shop.orders WHERE worker = 1 AND seq > 0";
    assert_eq!(number(&lab, Side::Green, rows), book.succeeded.len() as u64, "each request's row once");
    let beats = "SELECT COUNT(*) - COUNT(DISTINCT seq) FROM shop.orders WHERE worker = -2";
    assert_eq!(number(&lab, Side::Green, beats), 0, "each of the master's rows once");
}

#[test]
fn puma_with_a_preloaded_application_serves_through_a_switchover() {
    lives_through_a_switchover(&Kind {
        program: "/usr/bin/puma",
        arguments: |ground| {
            let bind = format!("tcp://{}", ground.address);
            ["--workers", "2", "--threads", "2:2", "--preload", "--environment", "production", "--bind", &bind]
                .map(str::to_owned)
                .into_iter()
                .chain([program("ruby/fork_server.ru")])
                .collect()
        },
        end_worker: |_, worker| signal(worker, Signal::TERM),
        fork_another: |running| signal(running.server.id(), Signal::TTIN),
        server_ends: Signal::TERM,
    });
}

#[test]
fn unicorn_with_a_preloaded_application_serves_through_a_switchover() {
    lives_through_a_switchover(&Kind {
        program: "/usr/bin/unicorn",
        arguments: |_| {
            let (config, application) = (program("ruby/unicorn.conf.rb"), program("ruby/fork_server.ru"));
            ["--env", "production", "--config-file", &config, &application].map(str::to_owned).into()
        },
        end_worker: |_, worker| signal(worker, Signal::QUIT),
        fork_another: |running| signal(running.server.id(), Signal::TTIN),
        server_ends: Signal::QUIT,
    });
}

#[test]
fn gunicorn_with_a_preloaded_application_serves_through_a_switchover() {
    lives_through_a_switchover(&Kind {
        program: "/usr/bin/gunicorn",
        arguments: |ground| {
            let (bind, directory) = (ground.address.to_string(), program("python"));
            ["--preload", "--workers", "2", "--bind", &bind, "--chdir", &directory, "fork_server:application"]
                .map(str::to_owned)
                .into()
        },
        end_worker: |_, worker| signal(worker, Signal::TERM),
        fork_another: |running| signal(running.server.id(), Signal::TTIN),
        server_ends: Signal::TERM,
    });
}

fn detach(running: &Running<'_>, worker: u32) {
    let mut detach = Command::new("/usr/bin/passenger-config");
    detach.args(["detach-process", &worker.to_string()]);
    detach.env("PASSENGER_INSTANCE_REGISTRY_DIR", running.ground.inside("registry"));
    // Passenger does not let go of a worker that has answered before Passenger counts it among those that can.
    wait_for("Passenger to detach a worker", || {
        detach.output().unwrap().status.success() || !offspring::is_there(worker)
    });
}

#[test]
fn passenger_with_smart_spawning_serves_through_a_switchover() {
    lives_through_a_switchover(&Kind {
        program: "/usr/bin/passenger",
        arguments: |ground| {
            fs::copy(program("ruby/fork_server.ru"), ground.inside("config.ru")).unwrap();
            let (ip, port) = (ground.address.ip().to_string(), ground.address.port().to_string());
            let [directory, registry, pid] =
                ["", "registry", "pid"].map(|name| ground.inside(name).display().to_string());
            fs::create_dir_all(&registry).unwrap();
            [
                "start",
                &directory,
                "--engine=builtin",
                "--spawn-method=smart",
                "--environment=production",
                "--address",
                &ip,
                "--port",
                &port,
                "--min-instances=2",
                "--max-pool-size=2",
                "--instance-registry-dir",
                &registry,
                "--pid-file",
                &pid,
                "--disable-anonymous-telemetry",
                "--disable-security-update-check",
            ]
            .map(str::to_owned)
            .into()
        },
        end_worker: detach,
        // The one that it takes the place of ends when nobody waits for it any more.
        fork_another: |running| {
            let worker = running.workers(Side::Blue).into_iter().find(|worker| offspring::is_there(*worker));
            detach(running, worker.expect("a worker has written"));
        },
        server_ends: Signal::TERM,
    });
}
