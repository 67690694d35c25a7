//! Money that is moved in transactions, by many at once, while the writer's part goes back and forth: none is lost, none
//! is made, and nearly every transaction that a switchover interrupts is carried over, but for those that hold locks on rows
//! that they have read.
//!
//! `BANK_SWITCHOVERS` says how many switchovers a bank lives through, `BANK_FAULTS` how many other faults come before each
//! of them where there are any, `BANK_SEED` repeats a run as far as chance was ours: the threads' order is the machine's.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use pointsman_lab::{Action, Blip, Dice, Flavor, Handover, Lab, Scenario, Server, Side};
use pointsman_tests::{
    pair,
    scale::{amount, seed},
    teller::{Bank, Record},
};

const WORKERS: u32 = 8;
const MONEY: u32 = 1000;
const CATCH_UP: Duration = Duration::from_secs(30);
/// Hardly ever do two transfers want the same account.
const SPACIOUS: u32 = 20_000;
/// Lock waits and deadlocks all the time.
const CROWDED: u32 = 12;

/// One bank, open from before the first switchover until after the last. Gives what its workers said.
fn bank(flavor: Flavor, accounts: u32, seed: u64, switchovers: u64, faults: u64) -> Option<Record> {
    let lab = pair(flavor)?;
    set_up(&lab, accounts);
    let bank = Bank::open(&lab, WORKERS, accounts, seed);
    let mut dice = Dice::new(seed);
    let mut writer = Side::Blue;
    for number in 0..switchovers {
        for _ in 0..faults {
            bank.wait_for_transfers(dice.number(10..=100));
            let fault = a_fault(&mut dice, writer);
            println!("{}", fault.run(&lab, &mut |_| {}).unwrap().scenario);
        }
        // Each kind in its turn, beginning with any.
        let kind = Handover::ALL[((seed + number) % 3) as usize];
        bank.wait_for_transfers(dice.number(10..=200));
        kind.scenario(writer, dice.time(0..=400)).run(&lab, &mut |_| {}).unwrap();
        writer = writer.other();
    }
    bank.wait_for_transfers(1);
    println!("{}", last_lines(&bank.stderr(), "is gone with its server"));
    let record = bank.close();
    audit(lab.server(writer), &record, accounts);
    lab.server(writer.other()).wait_caught_up(lab.server(writer), CATCH_UP).unwrap();
    audit(lab.server(writer.other()), &record, accounts);
    println!("{flavor}, {accounts} accounts, {switchovers} switchovers: {}", Share::of(&record));
    println!("  carried {:?}, victims {:?}, failures {:?}", record.carried, record.victims, record.failures);
    assert!(!record.carried.contains_key("locked"), "locks are not carried over");
    println!("  answers to COMMIT that were lost: {} stored, {} not", record.unknown[0], record.unknown[1]);
    println!("  counters {:?}", record.counters);
    Some(record)
}

/// What happens to a writer that remains the writer: moments of read_only, its connections end, or it restarts.
fn a_fault(dice: &mut Dice, writer: Side) -> Scenario {
    let now = Duration::ZERO;
    match dice.number(0..=2) {
        0 => {
            let count = dice.number(1..=4);
            let blips: Vec<_> =
                (0..count).map(|_| Blip { after: dice.time(0..=150), lasting: dice.time(50..=300) }).collect();
            Scenario::new(format!("{writer} refuses writes: {blips:?}")).flicker(writer, now, &blips)
        }
        1 => Scenario::new(format!("{writer} ends its connections")).step(now, Action::DropConnections(writer)),
        _ => {
            let outage = dice.time(0..=500);
            let restart = Scenario::new(format!("{writer} restarts after {} ms", outage.as_millis()));
            restart.step(now, Action::Stop(writer)).step(outage, Action::Start(writer))
        }
    }
}

fn set_up(lab: &Lab, accounts: u32) {
    let tables = "CREATE TABLE shop.account (id INT PRIMARY KEY, money INT NOT NULL); \
        CREATE TABLE shop.ledger (id BIGINT AUTO_INCREMENT PRIMARY KEY, transfer VARCHAR(40) NOT NULL UNIQUE, \
        source INT NOT NULL, target INT NOT NULL, amount INT NOT NULL, KEY (source), KEY (target))";
    lab.blue().sql(tables).unwrap();
    let ids: Vec<_> = (1..=accounts).collect();
    // A command line holds only so many.
    for some in ids.chunks(5000) {
        let rows: Vec<_> = some.iter().map(|id| format!("({id}, {MONEY})")).collect();
        lab.blue().sql(&format!("INSERT INTO shop.account VALUES {}", rows.join(", "))).unwrap();
    }
    for server in [lab.blue(), lab.green()] {
        // Somebody who waits for a lock keeps `SET GLOBAL read_only` waiting.
        server.sql("SET GLOBAL innodb_lock_wait_timeout = 2").unwrap();
    }
}

/// Looks into the books, as root.
fn audit(server: &Server, record: &Record, accounts: u32) {
    let number = |question: &str| server.sql(question).unwrap().trim().parse::<u64>().unwrap();
    assert_eq!(number("SELECT SUM(money) FROM shop.account"), u64::from(accounts * MONEY), "{server}: the total");
    let torn = format!(
        "SELECT COUNT(*) FROM shop.account a WHERE money <> {MONEY} \
         - (SELECT COALESCE(SUM(amount), 0) FROM shop.ledger WHERE source = a.id) \
         + (SELECT COALESCE(SUM(amount), 0) FROM shop.ledger WHERE target = a.id)"
    );
    assert_eq!(number(&torn), 0, "{server}: accounts that are not what the ledger says");
    let ledger = server.sql("SELECT transfer FROM shop.ledger").unwrap();
    let stored: BTreeSet<_> = ledger.lines().map(str::to_owned).collect();
    let lost: Vec<_> = record.stored.difference(&stored).collect();
    assert!(lost.is_empty(), "{server}: acknowledged and lost: {lost:?}");
    let undead: Vec<_> = record.failed.intersection(&stored).collect();
    assert!(undead.is_empty(), "{server}: reported failed and stored: {undead:?}");
    // A worker says what became of each attempt.
    assert_eq!(stored.difference(&record.stored).collect::<Vec<_>>(), Vec::<&String>::new(), "{server}: from nowhere");
}

/// What became of the transactions that a switchover interrupted before their COMMIT was sent.
#[derive(Default)]
struct Share {
    carried: u64,
    victims: u64,
    losses: u64,
}

impl Share {
    fn of(record: &Record) -> Self {
        let open = |counts: &std::collections::BTreeMap<String, u64>| counts.get("open").copied().unwrap_or(0);
        Share {
            carried: open(&record.carried),
            victims: open(&record.victims),
            losses: record.failed_open(&[2006, 2013]),
        }
    }

    fn interrupted(&self) -> u64 {
        self.carried + self.victims + self.losses
    }

    fn add(&mut self, other: &Share) {
        self.carried += other.carried;
        self.victims += other.victims;
        self.losses += other.losses;
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = 100.0 * self.carried as f64 / self.interrupted().max(1) as f64;
        let Share { carried, victims, losses } = self;
        write!(
            f,
            "of {} interrupted transactions {carried} were carried over ({percent:.1} %), {victims} ended as victims, \
             {losses} were lost",
            self.interrupted()
        )
    }
}

fn last_lines(log: &str, text: &str) -> String {
    let lines: Vec<_> = log.lines().filter(|line| line.contains(text)).collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[test]
fn no_money_is_lost_or_made_and_interrupted_transactions_are_carried_over() {
    let seed = seed("BANK_SEED");
    let switchovers = amount("BANK_SWITCHOVERS", 3);
    let mut share = Share::default();
    for flavor in [Flavor::MariaDb, Flavor::MySql] {
        let Some(record) = bank(flavor, SPACIOUS, seed, switchovers, 0) else { return };
        share.add(&Share::of(&record));
    }
    println!("together: {share}");
    assert!(share.interrupted() > switchovers, "too few transactions were interrupted: {share}");
    assert!(share.carried * 100 >= share.interrupted() * 95, "{share}");
}

#[test]
fn no_money_is_lost_or_made_where_transactions_wait_for_each_other_and_deadlock() {
    let seed = seed("BANK_SEED");
    for flavor in [Flavor::MariaDb, Flavor::MySql] {
        let Some(record) = bank(flavor, CROWDED, seed, amount("BANK_SWITCHOVERS", 3), 0) else { return };
        assert!(record.failures.contains_key(&("open".to_owned(), 1213)), "no deadlocks: {:?}", record.failures);
    }
}

#[test]
fn no_money_is_lost_or_made_where_the_writer_refuses_restarts_and_ends_connections_in_between() {
    let seed = seed("BANK_SEED");
    for flavor in [Flavor::MariaDb, Flavor::MySql] {
        let (switchovers, faults) = (amount("BANK_SWITCHOVERS", 3), amount("BANK_FAULTS", 2));
        if bank(flavor, SPACIOUS, seed, switchovers, faults).is_none() {
            return;
        }
    }
}
