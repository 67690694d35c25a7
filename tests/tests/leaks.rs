//! What is left of many connections, and of us in a process that has none: nothing.
//!
//! `CONNECTS` says how many connections are opened and closed.

use pointsman_lab::{DATABASE, ENDPOINT, Flavor, Lab, PASSWORD, USER};
use pointsman_tests::{
    compile,
    dialogue::{Dialogue, Driver},
    run::{self, Preload, Ran},
    scale::amount,
    single, wait_for,
};

const THREADS: u64 = 4;
/// What an allocator does not give back at once, in KiB. A record of each of 2,000 connections would be several times that.
const GROWTH: u64 = 512;

fn open_and_close(driver: Driver) {
    let connects = amount("CONNECTS", 2000);
    let Some(lab) = driver.is_available().then(|| single(Flavor::MariaDb)).flatten() else { return };
    let mut command = match driver {
        Driver::LibMySqlClient => {
            let program = compile::mysql_program("connects").expect("available");
            run::sid_command(&lab, &program, Preload::Preloaded)
        }
        _ => run::command(&lab, compile::mariadb_program("connects"), Preload::Preloaded),
    };
    command.args([ENDPOINT, "3306", USER, PASSWORD, DATABASE, &THREADS.to_string()]);
    let mut program = Dialogue::of(&lab, command);
    let mut connect = |number: u64| -> [u64; 2] {
        let answer = program.ask(&format!("connect {number}"));
        let both: Vec<u64> = answer.split(' ').filter_map(|number| number.parse().ok()).collect();
        both.try_into().unwrap_or_else(|_| panic!("{answer}; {}", program.stderr()))
    };
    // Few enough for an answer in good time.
    let step = (connects / 10).min(1000);
    let after: Vec<_> = (0..connects / step).map(|_| connect(step)).collect();
    let tenths: Vec<_> = after.chunks(after.len() / 10).filter_map(|tenth| tenth.last()).collect();
    println!("{driver:?}, {connects} connects: KiB and descriptors after each tenth {tenths:?}");
    let (first, last) = (tenths[0], tenths[tenths.len() - 1]);
    assert!(last[0] < first[0] + GROWTH && last[1] == first[1], "{tenths:?}");
    // With a tag left, DNS would be asked again and again.
    wait_for("DNS to be left alone", || {
        let before = lab.dns().queries(ENDPOINT);
        std::thread::sleep(std::time::Duration::from_millis(2500));
        lab.dns().queries(ENDPOINT) == before
    });
    assert_eq!(program.finish(), Some(3));
}

#[test]
fn many_connects_of_libmariadb_leave_no_memory_no_descriptor_and_no_tag_behind() {
    open_and_close(Driver::LibMariaDb);
}

#[test]
fn many_connects_of_libmysqlclient_leave_no_memory_no_descriptor_and_no_tag_behind() {
    open_and_close(Driver::LibMySqlClient);
}

/// What it said, and how often it asked DNS.
fn bystander(lab: &Lab, interpreter: &str, source: &str, preload: Preload) -> (Ran, u64) {
    let before = lab.dns().queries(ENDPOINT);
    let ran = run::run(run::script(lab, interpreter, source, preload));
    (ran, lab.dns().queries(ENDPOINT) - before)
}

#[test]
fn a_busy_process_without_mysql_has_no_thread_no_descriptor_and_no_dns_query_more() {
    let Some(lab) = single(Flavor::MariaDb) else { return };
    for (interpreter, source) in [("/usr/bin/python3", "python/bystander.py"), ("/usr/bin/ruby", "ruby/bystander.rb")] {
        let bare = bystander(&lab, interpreter, source, Preload::Bare);
        assert_eq!((bare.0.status, bare.0.stderr.as_str()), (0, ""), "{bare:?}");
        assert!(bare.1 > 0, "its own lookup is counted");
        assert_eq!(bystander(&lab, interpreter, source, Preload::Preloaded), bare, "preloaded (left)");
    }
}
