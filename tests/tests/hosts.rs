//! Many processes of one host. A server counts wrong passwords and aborted handshakes of all of them together, and locks the
//! account or the host for everybody: what the library tries by itself is counted together, too.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use pointsman_lab::{DATABASE, ENDPOINT, Flavor, Lab, Server, Side};
use pointsman_tests::{
    on_both, pair,
    puppet::Puppet,
    run::Preload,
    server_id, single,
    slow::{Late, Slow},
    wait_for, with_table,
};

const WHO: &str = "SELECT @@server_id";
const WORKERS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
/// As many as lock the account, and one more.
const SIX: &[&str] = &["a", "b", "c", "d", "e", "f"];
/// Each connection in a process of its own, all forked by one.
const FORKED: (&str, &str) = ("PUPPET_FORKS", "1");

on_both! { with_pooled_account;
    six_processes_with_an_old_password_do_not_lock_the_account
    a_server_that_comes_back_is_not_told_an_old_password_by_each_process
    an_old_password_in_one_process_keeps_no_new_one_of_another_process_away
    processes_whose_password_is_right_all_come_back_unseen
}

/// An account of its own, which five wrong passwords lock.
fn with_pooled_account(lab: &Lab) {
    with_table(lab);
    let account = "CREATE USER pooled@'%' IDENTIFIED BY 'one'";
    let rights = format!("GRANT ALL ON {DATABASE}.* TO pooled@'%'");
    if lab.blue().flavor() == Flavor::MySql {
        lab.blue().sql(&format!("{account} FAILED_LOGIN_ATTEMPTS 5 PASSWORD_LOCK_TIME 1; {rights}")).unwrap();
    } else {
        lab.blue().sql(&format!("SET GLOBAL max_password_errors = 5; {account}; {rights}")).unwrap();
    }
    lab.green().wait_caught_up(lab.blue(), Duration::from_secs(20)).unwrap();
}

fn set_password(lab: &Lab, password: &str) {
    lab.blue().sql(&format!("ALTER USER pooled@'%' IDENTIFIED BY '{password}'")).unwrap();
}

fn pool(lab: &Lab, preload: Preload, names: &[&'static str], password: &str, variables: &[(&str, &str)]) -> Puppet {
    let mut program = Puppet::start_as(lab, preload, variables);
    connect(&mut program, names, &format!("pooled {password}"));
    program
}

fn connect(program: &mut Puppet, names: &[&'static str], account: &str) {
    for name in names {
        assert_eq!(program.ask(name, "connect", account), "ok 'connected'", "{}", program.stderr());
        assert!(program.query(name, WHO).starts_with("ok"));
    }
}

/// Logins that a server has refused so far, and some that it has let in. MySQL counts wrong passwords for the account only.
fn wrong_passwords(server: &Server) -> u32 {
    let status = server.sql("SHOW GLOBAL STATUS LIKE 'Access_denied_errors'").unwrap();
    status.split_whitespace().last().map_or(0, |count| count.parse().unwrap())
}

/// What each worker is told, all asked at once.
fn all_ask(program: &mut Puppet, names: &[&'static str]) -> Vec<String> {
    names.iter().for_each(|name| program.begin(name, "query", WHO));
    names.iter().map(|name| program.answer(name)).collect()
}

fn are_lost(told: &[String], program: &Puppet) {
    for told in told {
        // 2026: libmariadb's own word for it under TLS.
        let is_loss = ["error 2006 ", "error 2013 ", "error 2026 "].iter().any(|loss| told.starts_with(loss));
        assert!(is_loss, "{told}: {}", program.stderr());
    }
}

fn directory(place: &Path) -> PathBuf {
    place.join("pointsman-0")
}

mod proofs {
    use super::*;

    pub fn six_processes_with_an_old_password_do_not_lock_the_account(lab: &Lab) {
        for preload in [Preload::Bare, Preload::Preloaded] {
            let mut program = pool(lab, preload, SIX, "one", &[FORKED]);
            set_password(lab, "two");
            let before = wrong_passwords(lab.blue());
            lab.blue().drop_connections("pooled").unwrap();
            let told = all_ask(&mut program, SIX);
            let tried = wrong_passwords(lab.blue()) - before;
            println!("{preload:?}: {told:?} after {tried} logins with the old password");
            are_lost(&told, &program);
            assert!(tried <= 1, "{tried} logins with the old password: {}", program.stderr());
            // What the pool of each worker does, with the password of now.
            connect(&mut program, SIX, "pooled two");
            set_password(lab, "one");
        }
    }

    pub fn a_server_that_comes_back_is_not_told_an_old_password_by_each_process(lab: &Lab) {
        let mut program = pool(lab, Preload::Preloaded, SIX, "one", &[FORKED]);
        set_password(lab, "two");
        lab.blue().kill9();
        SIX.iter().for_each(|name| program.begin(name, "query", WHO));
        program.wait_for_log("holding statements");
        lab.blue().start().unwrap();
        let told: Vec<_> = SIX.iter().map(|name| program.answer(name)).collect();
        are_lost(&told, &program);
        let tried = wrong_passwords(lab.blue());
        assert!(tried <= 1, "{tried} logins with the old password: {}", program.stderr());
        connect(&mut program, SIX, "pooled two");
    }

    pub fn an_old_password_in_one_process_keeps_no_new_one_of_another_process_away(lab: &Lab) {
        let mut old = pool(lab, Preload::Preloaded, &["a"], "one", &[]);
        set_password(lab, "two");
        let mut new = pool(lab, Preload::Preloaded, SIX, "two", &[FORKED]);
        lab.blue().drop_connections("pooled").unwrap();
        are_lost(&all_ask(&mut old, &["a"]), &old);
        for told in all_ask(&mut new, SIX) {
            assert_eq!(told, server_id(lab, Side::Blue), "{}", new.stderr());
        }
        // Programs that know nothing of each other: this one has never been refused anything.
        set_password(lab, "one");
        let mut other = pool(lab, Preload::Preloaded, &["b"], "one", &[]);
        set_password(lab, "two");
        let before = wrong_passwords(lab.blue());
        lab.blue().drop_connections("pooled").unwrap();
        are_lost(&all_ask(&mut other, &["b"]), &other);
        assert_eq!(wrong_passwords(lab.blue()), before, "{}", other.stderr());
        let log = other.stderr();
        let said: Vec<_> = log.lines().filter(|line| line.contains("refuses this login")).collect();
        assert!(said.len() == 1 && said[0].contains("WARN") && said[0].contains("1045"), "{log}");
    }

    pub fn processes_whose_password_is_right_all_come_back_unseen(lab: &Lab) {
        let mut program = pool(lab, Preload::Preloaded, &WORKERS, "one", &[FORKED]);
        for _ in 0..3 {
            lab.blue().drop_connections("pooled").unwrap();
            let began = Instant::now();
            for told in all_ask(&mut program, &WORKERS) {
                assert_eq!(told, server_id(lab, Side::Blue), "{}", program.stderr());
            }
            println!("all were back after {:?}", began.elapsed());
        }
    }
}

/// A host that has aborted ten handshakes without a login in between is refused by this server until its owner intervenes.
fn counting(flavor: Flavor) -> Option<(Lab, Slow)> {
    let lab = single(flavor)?;
    lab.blue().stop().unwrap();
    lab.blue().set_forgives(10);
    lab.blue().start().unwrap();
    let slow = Slow::in_front_of(&lab, lab.blue().address());
    lab.dns().set(ENDPOINT, &[slow.ip()], 1).unwrap();
    Some((lab, slow))
}

/// Eight processes whose application waits three seconds for a connect, at a server that greets after five.
fn greeted_late(preload: Preload, flavor: Flavor) -> Option<(u32, Vec<String>)> {
    let (lab, slow) = counting(flavor)?;
    let variables = [FORKED, ("PUPPET_CONNECT_TIMEOUT", "3"), ("POINTSMAN_HOLD_MAX", "25s")];
    let mut program = Puppet::start_as(&lab, preload, &variables);
    connect(&mut program, &WORKERS, "-");
    slow.is_late(Some((Late::Greeting, Duration::from_secs(5))));
    lab.blue().drop_connections(pointsman_lab::USER).unwrap();
    let told = all_ask(&mut program, &WORKERS);
    println!("{preload:?}, {flavor:?}: {told:?}");
    slow.is_late(None);
    // The server has noticed every connection that was given up.
    wait_for("the forwarder to be done with late greetings", || slow.waiting() == 0);
    thread::sleep(Duration::from_millis(500));
    let unanswered = slow.unanswered();
    let told = WORKERS.iter().map(|name| program.ask(name, "connect", "-")).collect();
    println!("{preload:?}, {flavor:?}: {unanswered} greetings without an answer, then {told:?}\n{}", program.stderr());
    Some((unanswered, told))
}

fn is_let_in_afterwards(flavor: Flavor) {
    for preload in [Preload::Bare, Preload::Preloaded] {
        let Some((unanswered, told)) = greeted_late(preload, flavor) else { return };
        assert!(told.iter().all(|told| told == "ok 'connected'"), "{preload:?}: {told:?}");
        assert!(unanswered < 10, "{unanswered}");
    }
}

#[test]
fn eight_processes_at_a_slow_mariadb_do_not_get_their_host_blocked() {
    is_let_in_afterwards(Flavor::MariaDb);
}

#[test]
fn eight_processes_at_a_slow_mysql_abort_fewer_handshakes_than_block_a_host() {
    is_let_in_afterwards(Flavor::MySql);
}

/// The counterpart of the two above: such a server does refuse a host. (MySQL in its root finds no name for the address, and
/// counts nothing then.)
#[test]
fn a_host_that_aborts_ten_handshakes_is_refused() {
    let Some((lab, slow)) = counting(Flavor::MariaDb) else { return };
    for _ in 0..12 {
        drop(std::net::TcpStream::connect((slow.ip(), lab.port())).unwrap());
    }
    wait_for("the forwarder to see it", || slow.unanswered() == 12);
    let mut bare = Puppet::bare(&lab);
    wait_for("the refusal", || bare.ask("a", "connect", "-").starts_with("error 1129 "));
}

/// Several troubles, each with an old password, of which each costs its connection.
fn has_troubles(lab: &Lab, place: &Path) -> String {
    let place = place.to_str().unwrap();
    set_password(lab, "one");
    let mut program = pool(lab, Preload::Preloaded, &["a", "b", "c"], "one", &[("POINTSMAN_STATE_DIR", place)]);
    set_password(lab, "two");
    lab.blue().drop_connections("pooled").unwrap();
    let before = wrong_passwords(lab.blue());
    are_lost(&all_ask(&mut program, &["a", "b", "c"]), &program);
    assert!(wrong_passwords(lab.blue()) - before <= 1, "{}", program.stderr());
    connect(&mut program, &["a", "b"], "pooled two");
    lab.blue().drop_connections("pooled").unwrap();
    for told in all_ask(&mut program, &["a", "b"]) {
        assert_eq!(told, server_id(lab, Side::Blue), "{}", program.stderr());
    }
    program.stderr()
}

fn lab_with_account() -> Option<Lab> {
    let lab = pair(Flavor::MariaDb)?;
    with_pooled_account(&lab);
    Some(lab)
}

#[test]
fn a_file_that_cannot_be_trusted_or_had_is_left_alone_and_costs_one_line() {
    let Some(lab) = lab_with_account() else { return };
    let place = |name: &str| {
        let place = lab.directory().join(name);
        fs::create_dir(&place).unwrap();
        place
    };
    let closed = |path: &Path| {
        fs::create_dir(path).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
    };
    let of_another_user = place("other-user");
    closed(&directory(&of_another_user));
    chown(directory(&of_another_user), Some(65534), None).unwrap();
    let led_elsewhere = place("link");
    let elsewhere = place("elsewhere");
    symlink(&elsewhere, directory(&led_elsewhere)).unwrap();
    let rubbish = place("rubbish");
    closed(&directory(&rubbish));
    let file = directory(&rubbish).join("budgets");
    fs::write(&file, "a letter to somebody").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    // Nothing can be made in these two.
    let (read_only, missing) = (PathBuf::from("/proc"), lab.directory().join("no-such-place"));
    for place in [&of_another_user, &led_elsewhere, &rubbish, &read_only, &missing] {
        let log = has_troubles(&lab, place);
        let said: Vec<_> = log.lines().filter(|line| line.contains("state_dir")).collect();
        assert!(said.len() == 1 && said[0].contains("WARN"), "{}: {log}", place.display());
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "a letter to somebody");
    for untouched in [&elsewhere, &directory(&of_another_user)] {
        assert_eq!(fs::read_dir(untouched).unwrap().count(), 0);
    }
    assert!(!missing.exists());
}

#[test]
fn what_is_written_down_is_for_the_user_alone_and_holds_no_name_and_no_password() {
    let Some(lab) = lab_with_account() else { return };
    let place = lab.directory().join("state");
    fs::create_dir(&place).unwrap();
    let log = has_troubles(&lab, &place);
    assert!(!log.contains("state_dir"), "{log}");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let file = directory(&place).join("budgets");
    assert_eq!((mode(&directory(&place)), mode(&file)), (0o700, 0o600));
    assert_eq!(fs::read_dir(directory(&place)).unwrap().count(), 1);
    let content = fs::read(&file).unwrap();
    let hash = lab.blue().sql("SELECT SUBSTRING(PASSWORD('one'), 2), SHA1('one'), MD5('one')").unwrap();
    let hashes = hash.split_whitespace().map(|text| {
        let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect::<Vec<_>>()
    });
    let texts = ["one", "two", "pooled", ENDPOINT].map(|text| text.as_bytes().to_vec());
    for secret in hashes.chain(texts) {
        // Any four bytes of a hash would be too much.
        let part = &secret[..secret.len().min(4)];
        assert!(!content.windows(part.len()).any(|bytes| bytes == part), "{secret:?} is in it");
    }
}

#[test]
fn a_process_without_trouble_writes_nothing_down() {
    let Some(lab) = lab_with_account() else { return };
    let place = lab.directory().join("state");
    fs::create_dir(&place).unwrap();
    let variables = [FORKED, ("POINTSMAN_STATE_DIR", place.to_str().unwrap())];
    let mut program = pool(&lab, Preload::Preloaded, SIX, "one", &variables);
    assert!(program.ask("a", "connect", "pooled three").starts_with("error 1045"), "the application's own business");
    for _ in 0..3 {
        connect(&mut program, SIX, "pooled one");
    }
    drop(program);
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0);
}
