//! One build of the library on each Debian that it has to start on, with that Debian's own C library, client library,
//! interpreters and drivers: glibc 2.31 and libmariadb 3.1 are the oldest, sid's are the newest.

use pointsman_lab::{DATABASE, ENDPOINT, Flavor, Lab, PASSWORD, Scenario, System, USER, Workload};
use pointsman_tests::{
    dialogue::{Dialogue, Driver},
    pair,
    run::{self, Preload, assert_same_as},
    single,
    story::{DNS_LAG, OUTAGE, PATIENCE, protected},
    switch, wait_for, with_table,
};

/// Of each driver; all of them are in one lab and live through the same story.
const WORKERS: u32 = 2;
const DRIVERS: [Workload; 3] = [Workload::Mysql2, Workload::MySqlDb, Workload::Dbd];

/// Says so if this machine does not have that Debian.
fn is_here(system: System) -> bool {
    let here = system.is_here();
    if !here {
        println!("skipped: no root with Debian {system} and its drivers: run lab/setup/setup.sh systems");
    }
    here
}

fn every_driver_lives_through(system: System, flavor: Flavor, scenario: &Scenario) {
    let Some(lab) = pair(flavor) else { return };
    scenario.prepare(&lab).unwrap();
    // Without transactions, which other programs' inserts may cost the ids that they were told.
    let options = || protected(flavor).threads(WORKERS).on(system).autocommit();
    let running = DRIVERS.map(|driver| driver.start(&lab, options()).unwrap());
    for program in &running {
        program.wait_for_every_worker(PATIENCE, WORKERS).unwrap();
    }
    let timeline = scenario.run(&lab, &mut |_| {}).unwrap();
    let audits = running.map(|program| {
        let resumed = program.wait_for_every_worker(PATIENCE, WORKERS);
        let said = program.stderr();
        resumed.unwrap_or_else(|why| panic!("{why}: {said}"));
        let driver = program.workload();
        (driver, said, program.stop().unwrap().check(lab.green()).unwrap())
    });
    for (driver, said, audit) in audits {
        println!("{system}, {driver}:\n{audit}\n{said}");
        assert!(audit.is_spotless(), "{driver} of {system}: {audit}\n{timeline}");
        assert!(!said.contains("pass through"), "{driver} of {system}: {said}");
    }
}

/// What libmariadb has under its accessors: places of errors, ids and flags of statements and of transactions.
fn statements_and_transactions_move(system: System, lab: &Lab, driver: Driver) {
    let program = match driver {
        Driver::Mysql2 => ("/usr/bin/ruby", "ruby/client.rb"),
        Driver::MySqlDb => ("/usr/bin/python3", "python/client.py"),
        _ => ("/usr/bin/perl", "perl/client.pl"),
    };
    // MySQLdb has none; what it sends is a text.
    let prepares = driver != Driver::MySqlDb;
    let mut client = Dialogue::of(lab, run::system_script(lab, system, program, Preload::Preloaded));
    let mut expect = |command: &str, answer: &str| {
        assert_eq!(client.ask(command), answer, "{command}, {driver:?} of {system}: {}", client.stderr());
    };
    let connect = |handle| format!("connect {handle} {ENDPOINT} {} - {USER} {PASSWORD} {DATABASE}", lab.port());
    expect(&connect(0), "ok");
    expect("query 0 SET @a = 5", "ok 0");
    if prepares {
        expect("prepare 0 INSERT INTO t (v) VALUES (?)", "ok");
        expect("prepare 1 SELECT v FROM t WHERE v = ?", "ok");
    }
    let inserts = |value| {
        if prepares { format!("run 0 {value}") } else { format!("query 0 INSERT INTO t (v) VALUES ('{value}')") }
    };
    let finds = |value| {
        if prepares { format!("run 1 {value}") } else { format!("query 0 SELECT v FROM t WHERE v = '{value}'") }
    };
    expect(&inserts("before"), "ok 1");
    expect(&finds("before"), "rows before");
    expect("query 0 BEGIN", "ok 0");
    expect(&inserts("replayed"), "ok 1");
    expect("query 0 INSERT INTO t (v) VALUES ('too')", "ok 1");
    switch(lab);
    expect(&inserts("after"), "ok 1");
    expect("query 0 SELECT @a, @@in_transaction, @@server_id", "rows 5|1|2");
    expect("query 0 COMMIT", "ok 0");
    expect("query 0 SELECT @@in_transaction", "rows 0");
    expect(&finds("after"), "rows after");
    expect(&inserts("last"), "ok 1");
    let failed = client.ask("query 0 SELECT nothing FROM t");
    assert!(failed.starts_with("error 1054"), "{failed}");
    let rows = lab.green().sql("SELECT GROUP_CONCAT(v ORDER BY id) FROM shop.t").unwrap();
    assert_eq!(rows.trim(), "before,replayed,too,after,last", "{driver:?} of {system}: {}", client.stderr());
    // What the application has prepared is there, and nothing that the library has prepared for itself.
    let count = if prepares { "\t2" } else { "\t0" };
    wait_for("statements of the library to be gone", || {
        lab.green().sql("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'").unwrap().trim().ends_with(count)
    });
    client.finish();
}

/// Programs that do not talk to MySQL, and one that does by a driver with a protocol of its own.
fn other_programs_are_as_without_us(system: System) {
    let Some(lab) = single(Flavor::MariaDb) else { return };
    let php =
        "$c = mysqli_connect(getenv('LAB_HOST'), 'app', getenv('LAB_PASSWORD'), 'shop', (int) getenv('LAB_PORT'));
        echo PHP_MAJOR_VERSION, mysqli_query($c, 'SELECT 1 + 1')->fetch_row()[0], getenv('LD_PRELOAD') ? '' : '';";
    let shell = "cat /etc/debian_version | tr a-z A-Z; (exec 3<&0; exec 3<&-; exec true); getent hosts db.lab.test";
    for (program, arguments, says) in [
        ("/usr/bin/php", ["-r", php], "2"),
        ("/usr/bin/sh", ["-c", shell], "db.lab.test"),
        (
            "/usr/bin/python3",
            ["-c", "import socket; print(socket.create_connection(('db.lab.test', 3306)).recv(1) != b'')"],
            "True",
        ),
        ("/usr/bin/perl", ["-e", "print `uname`, fork ? wait > 0 : exec 'true'"], "Linux"),
        ("/usr/bin/ruby", ["-e", "puts `uname`; Process.wait(fork { exec 'true' }); puts $?.exitstatus"], "Linux"),
    ] {
        let ran = assert_same_as(|preload| {
            let mut command = run::system_command(&lab, system, program, preload);
            command.args(arguments).env("LAB_HOST", ENDPOINT).env("LAB_PASSWORD", PASSWORD);
            command.env("LAB_PORT", lab.port().to_string());
            command
        });
        assert!(ran.status == 0 && ran.stdout.contains(says) && ran.log.is_empty(), "{program} of {system}: {ran:?}");
    }
}

macro_rules! systems {
    ($($module:ident: $system:ident;)*) => {$(
        mod $module {
            use super::*;

            #[test]
            fn programs_that_we_do_not_protect_are_as_without_us() {
                if is_here(System::$system) {
                    other_programs_are_as_without_us(System::$system);
                }
            }

            #[test]
            fn every_driver_rides_through_a_read_only_switchover() {
                if is_here(System::$system) {
                    let story = Scenario::read_only(OUTAGE, DNS_LAG);
                    every_driver_lives_through(System::$system, Flavor::MariaDb, &story);
                }
            }

            #[test]
            fn every_driver_rides_through_a_blue_green_switchover() {
                if is_here(System::$system) {
                    let story = Scenario::blue_green(OUTAGE, DNS_LAG);
                    every_driver_lives_through(System::$system, Flavor::MariaDb, &story);
                }
            }

            #[test]
            fn every_driver_rides_through_a_blue_green_switchover_of_mysql_under_tls() {
                if is_here(System::$system) {
                    let story = Scenario::blue_green(OUTAGE, DNS_LAG);
                    every_driver_lives_through(System::$system, Flavor::MySql, &story);
                }
            }

            #[test]
            fn prepared_statements_and_open_transactions_move_with_their_drivers() {
                for driver in [Driver::Mysql2, Driver::MySqlDb, Driver::Dbd] {
                    if is_here(System::$system)
                        && let Some(lab) = pair(Flavor::MariaDb)
                    {
                        with_table(&lab);
                        statements_and_transactions_move(System::$system, &lab, driver);
                    }
                }
            }
        }
    )*};
}

systems! {
    bullseye: Bullseye;
    bookworm: Bookworm;
    trixie: Trixie;
    sid: Sid;
}
