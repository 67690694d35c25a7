//! What the application's getaddrinfo knows and the library's own DNS watcher does not, or knows otherwise: the library is as
//! good as none there, and follows the application's resolver.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use pointsman_lab::{DnsMood, ENDPOINT, Flavor, Lab, PASSWORD, Side};
use pointsman_tests::{
    compile::{self, Kind},
    library, pair,
    puppet::Puppet,
    server_id, source, with_table,
};

const WHO: &str = "SELECT @@server_id";
const INSERT: &str = "INSERT INTO t (v) VALUES ('x')";

fn lab() -> Option<Lab> {
    let lab = pair(Flavor::MariaDb)?;
    with_table(&lab);
    Some(lab)
}

/// How the application resolves the endpoint's name.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Resolver {
    /// By an NSS module; DNS does not know the name.
    NssOnly,
    /// By TCP, since UDP is filtered.
    OnlyTcp,
    /// The same, by what RES_OPTIONS says and no file.
    OnlyTcpByVariable,
    /// By DNS, and the library cannot start its watcher's thread.
    NoThread,
    /// By a name server that answers late.
    Slow,
}

impl Resolver {
    fn host(self) -> &'static str {
        if self == Resolver::NssOnly { "nss-db" } else { ENDPOINT }
    }

    /// From now on the name means this side.
    fn point(self, lab: &Lab, side: Side) {
        let address = lab.server(side).ip();
        match self {
            Resolver::NssOnly => fs::write(nss_file(lab), address.to_string()).unwrap(),
            _ => lab.dns().set(ENDPOINT, &[address], 1).unwrap(),
        }
    }

    /// A program that resolves names so, with and without the library.
    fn puppets(self, lab: &Lab) -> [Puppet; 2] {
        self.point(lab, Side::Blue);
        let dns = lab.dns().address().ip();
        let resolv = match self {
            Resolver::OnlyTcp => format!("nameserver {dns}\noptions use-vc\n"),
            Resolver::OnlyTcpByVariable => format!("nameserver {dns}\n"),
            _ => format!("nameserver {dns}\noptions timeout:5 attempts:2\n"),
        };
        let nsswitch = if self == Resolver::NssOnly { "hosts: files lab\n" } else { "hosts: files dns\n" };
        match self {
            Resolver::OnlyTcp | Resolver::OnlyTcpByVariable => lab.dns().set_mood(DnsMood::TcpOnly),
            Resolver::Slow => lab.dns().set_mood(DnsMood::Late(1500)),
            _ => {}
        }
        [true, false].map(|preloaded| {
            let mut command = program(lab, &[("resolv.conf", &resolv), ("nsswitch.conf", nsswitch)]);
            command.env("LAB_HOST", self.host());
            if self == Resolver::OnlyTcpByVariable {
                command.env("RES_OPTIONS", "use-vc timeout:2 attempts:2 ndots:3");
            }
            if self == Resolver::NssOnly {
                command.env("LAB_NSS", nss_file(lab)).env("LD_LIBRARY_PATH", nss_module(lab));
            }
            if preloaded {
                let no_threads = compile::compile("no_threads", "no_threads", Kind::SharedLibrary, &["-ldl"]);
                let preload = library().display().to_string();
                let preload = match self {
                    Resolver::NoThread => format!("{preload}:{}", no_threads.display()),
                    _ => preload,
                };
                command.env("LD_PRELOAD", preload);
            }
            Puppet::of(lab, command, &[("POINTSMAN_LOG_LEVEL", "info"), ("POINTSMAN_HOLD_MAX", "25s")])
        })
    }
}

fn program(lab: &Lab, files: &[(&str, &str)]) -> Command {
    let mut command = lab.command_with_names("/usr/bin/python3", files).expect("a sandbox");
    command.arg(source("python/puppet.py"));
    command.env("LAB_PORT", lab.port().to_string()).env("LAB_PASSWORD", PASSWORD);
    command.env_remove("LD_PRELOAD");
    command
}

fn nss_file(lab: &Lab) -> PathBuf {
    lab.directory().join("nss-address")
}

/// The directory with the module under the name by which glibc looks for it.
fn nss_module(lab: &Lab) -> PathBuf {
    let module = compile::plain("nss_lab", Kind::SharedLibrary);
    fs::copy(module, lab.directory().join("libnss_lab.so.2")).unwrap();
    lab.directory().to_owned()
}

fn promote_green(lab: &Lab) {
    lab.green().wait_caught_up(lab.blue(), Duration::from_secs(30)).unwrap();
    lab.green().stop_replication().unwrap();
    lab.green().set_read_only(false).unwrap();
}

fn rows(lab: &Lab, side: Side) -> String {
    lab.server(side).sql("SELECT COUNT(*) FROM shop.t").unwrap().trim().to_owned()
}

/// Sends the statement as a pool does until it succeeds, for 20 s at most.
fn until_it_succeeds(puppet: &mut Puppet, name: &'static str) -> Duration {
    let began = Instant::now();
    while !puppet.pooled(name, INSERT).starts_with("ok") {
        assert!(began.elapsed() < Duration::from_secs(20), "{}", puppet.stderr());
        thread::sleep(Duration::from_millis(100));
    }
    began.elapsed()
}

/// The writer crashes, another one is promoted and named, and the old one comes back writable.
fn a_crash_is_followed(resolver: Resolver) {
    let Some(lab) = lab() else { return };
    let mut puppets = resolver.puppets(&lab);
    for puppet in &mut puppets {
        puppet.connect("a");
        puppet.connect("quiet");
    }
    lab.blue().set_starts_read_only(false);
    lab.green().wait_caught_up(lab.blue(), Duration::from_secs(30)).unwrap();
    lab.blue().kill9();
    promote_green_alone(&lab);
    resolver.point(&lab, Side::Green);
    lab.blue().start().unwrap();
    let mut longest = [Duration::ZERO; 2];
    for (puppet, longest) in puppets.iter_mut().zip(&mut longest) {
        for name in ["a", "quiet"] {
            *longest = until_it_succeeds(puppet, name).max(*longest);
            assert_eq!(puppet.query(name, WHO), server_id(&lab, Side::Green), "{resolver:?}: {}", puppet.stderr());
        }
    }
    println!("{resolver:?}: {longest:?}, protected and bare");
    assert_eq!([rows(&lab, Side::Blue), rows(&lab, Side::Green)], ["0", "4"], "{resolver:?}");
}

fn promote_green_alone(lab: &Lab) {
    lab.green().stop_replication().unwrap();
    lab.green().set_read_only(false).unwrap();
}

/// The writer turns read-only, and another one is promoted and named: no error, and fresh connections stay where
/// getaddrinfo leads them.
fn a_switchover_is_followed(resolver: Resolver) {
    let Some(lab) = lab() else { return };
    let [mut puppet, mut bare] = resolver.puppets(&lab);
    puppet.connect("a");
    bare.connect("a");
    lab.blue().set_read_only(true).unwrap();
    puppet.begin("a", "query", INSERT);
    puppet.wait_for_log("holding statements");
    promote_green(&lab);
    resolver.point(&lab, Side::Green);
    let began = Instant::now();
    assert!(puppet.answer("a").starts_with("ok"), "{resolver:?}: {}", puppet.stderr());
    let held = began.elapsed();
    assert!(held < Duration::from_secs(15), "{resolver:?}: {held:?}: {}", puppet.stderr());
    for puppet in [&mut puppet, &mut bare] {
        puppet.connect("fresh");
        assert_eq!(puppet.query("fresh", WHO), server_id(&lab, Side::Green), "{resolver:?}: {}", puppet.stderr());
    }
    assert_eq!(puppet.query("a", WHO), server_id(&lab, Side::Green), "{resolver:?}: {}", puppet.stderr());
}

macro_rules! with_each {
    ($($name:ident: $rule:ident $resolver:ident;)*) => {$(
        #[test]
        fn $name() {
            $rule(Resolver::$resolver);
        }
    )*};
}

with_each! {
    a_crash_is_followed_by_a_name_that_only_nss_knows: a_crash_is_followed NssOnly;
    a_crash_is_followed_where_udp_is_filtered: a_crash_is_followed OnlyTcp;
    a_crash_is_followed_where_udp_is_filtered_and_a_variable_says_so: a_crash_is_followed OnlyTcpByVariable;
    a_crash_is_followed_where_no_thread_can_be_had: a_crash_is_followed NoThread;
    a_crash_is_followed_with_a_slow_name_server: a_crash_is_followed Slow;
    a_switchover_is_followed_by_a_name_that_only_nss_knows: a_switchover_is_followed NssOnly;
    a_switchover_is_followed_where_udp_is_filtered: a_switchover_is_followed OnlyTcp;
    a_switchover_is_followed_where_udp_is_filtered_and_a_variable_says_so: a_switchover_is_followed OnlyTcpByVariable;
    a_switchover_is_followed_where_no_thread_can_be_had: a_switchover_is_followed NoThread;
    a_switchover_is_followed_with_a_slow_name_server: a_switchover_is_followed Slow;
}

/// The application's name is another one to the watcher, which finds a writable server of another environment there.
fn another_environment(lab: &Lab, files: &[(&str, &str)], variables: &[(&str, &str)], host: &str) {
    let mut command = program(lab, files);
    command.env("LAB_HOST", host).env("LD_PRELOAD", library()).envs(variables.iter().copied());
    let settings = [("POINTSMAN_LOG_LEVEL", "info"), ("POINTSMAN_SETTLE", "2s"), ("POINTSMAN_HOLD_MAX", "4s")];
    let mut puppet = Puppet::of(lab, command, &settings);
    puppet.connect("a");
    puppet.connect("killed");
    puppet.wait_for_log(&format!("DNS answers [{}]", lab.green().ip()));
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        assert_eq!(puppet.query("a", WHO), server_id(lab, Side::Blue), "{variables:?}: {}", puppet.stderr());
        thread::sleep(Duration::from_millis(200));
    }
    puppet.connect("fresh");
    lab.blue().drop_connections(pointsman_lab::USER).unwrap();
    for name in ["a", "killed", "fresh"] {
        assert_eq!(puppet.query(name, WHO), server_id(lab, Side::Blue), "{variables:?}: {}", puppet.stderr());
    }
    // Its own writer is gone: an error is right, another environment's server is not.
    lab.blue().set_read_only(true).unwrap();
    let answer = puppet.query("a", INSERT);
    assert!(answer.starts_with("error 1290"), "{variables:?}: {answer}: {}", puppet.stderr());
    lab.blue().set_read_only(false).unwrap();
}

#[test]
fn no_connection_moves_to_another_environment_that_only_the_watcher_takes_for_the_name() {
    let Some(lab) = lab() else { return };
    lab.green().wait_caught_up(lab.blue(), Duration::from_secs(30)).unwrap();
    promote_green_alone(&lab);
    lab.dns().set("db.staging.lab.test", &[lab.green().ip()], 1).unwrap();
    let dns = lab.dns().address().ip();
    let resolv = format!("nameserver {dns}\nsearch staging.lab.test\n");
    let searching = [("resolv.conf", resolv.as_str())];
    another_environment(&lab, &searching, &[("LOCALDOMAIN", "lab.test")], "db");
    let aliases = lab.directory().join("aliases");
    fs::write(&aliases, format!("db {ENDPOINT}\n")).unwrap();
    another_environment(&lab, &searching, &[("HOSTALIASES", aliases.to_str().unwrap())], "db");
    // A name with fewer dots than that is looked for in the search list first.
    lab.dns().set("db.eu.lab.test", &[lab.green().ip()], 1).unwrap();
    lab.dns().set("db.eu.lab.test.lab.test", &[lab.blue().ip()], 1).unwrap();
    let resolv = format!("nameserver {dns}\nsearch lab.test\n");
    another_environment(&lab, &[("resolv.conf", resolv.as_str())], &[("RES_OPTIONS", "ndots:5")], "db.eu.lab.test");
    // DNS comes before the file.
    let hosts = format!("127.0.0.1 localhost\n{} {ENDPOINT}\n", lab.green().ip());
    another_environment(&lab, &[("hosts", &hosts), ("nsswitch.conf", "hosts: dns files\n")], &[], ENDPOINT);
}
