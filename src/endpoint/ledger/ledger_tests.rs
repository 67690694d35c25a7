//! What many processes do to one server, written down in one ledger.

use proptest::prelude::*;

use super::*;

const NOW: Moment = 1_800_000_000_000;

fn server(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 3306))
}

#[test]
fn a_refused_login_is_not_made_again_by_any_process_and_another_one_is() {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.begin_login(server(1), 7, NOW), Turn::Own);
    assert_eq!(ledger.begin_login(server(1), 7, NOW + 10), Turn::Others, "its outcome is waited for");
    ledger.end_login(server(1), 7, End::Refused(1045), false, NOW + 20);
    assert_eq!(ledger.begin_login(server(1), 7, NOW + 30), Turn::Refused(1045));
    assert_eq!(ledger.begin_login(server(1), 8, NOW + 30), Turn::Own, "a new password");
    assert_eq!(ledger.begin_login(server(2), 7, NOW + 30), Turn::Own, "another server may answer otherwise");
    assert_eq!(ledger.begin_login(server(1), 7, NOW + 20 + REMEMBERED), Turn::Own);
}

#[test]
fn a_login_that_succeeded_a_moment_ago_is_made_by_all_processes_at_once() {
    let mut ledger = Ledger::default();
    ledger.begin_login(server(1), 7, NOW);
    ledger.end_login(server(1), 7, End::Accepted, false, NOW + 5);
    for _ in 0..100 {
        assert_eq!(ledger.begin_login(server(1), 7, NOW + 6), Turn::Known);
    }
    assert_eq!(ledger.begin_login(server(1), 7, NOW + 5 + LATELY), Turn::Own);
}

#[test]
fn a_login_without_an_answer_is_made_by_the_next_process_and_so_is_that_of_a_process_that_ended() {
    let mut ledger = Ledger::default();
    ledger.begin_login(server(1), 7, NOW);
    ledger.end_login(server(1), 7, End::Open, false, NOW + 5);
    assert_eq!(ledger.begin_login(server(1), 7, NOW + 6), Turn::Own);
    assert_eq!(ledger.begin_login(server(1), 7, NOW + 6 + UNDER_WAY), Turn::Own);
}

#[test]
fn handshakes_that_many_processes_give_up_are_seven_in_a_minute_and_two_in_a_further_one() {
    let mut ledger = Ledger::default();
    let mut given_up = [0, 0];
    // A hundred processes that look at greetings and log in in vain all the time.
    for second in 0..120 {
        let given_up = &mut given_up[second as usize / 60];
        let now = NOW + 1000 * second;
        for process in 0..100 {
            *given_up += u32::from(ledger.begin_greeting(server(1), now) == Greeting::Own);
            if ledger.begin_login(server(1), process, now) == Turn::Own {
                *given_up += 1;
                ledger.end_login(server(1), process, End::Open, true, now);
            }
        }
    }
    assert_eq!(given_up, [7, 2]);
}

#[test]
fn past_the_budget_what_another_process_has_just_heard_counts_until_a_login_has_succeeded() {
    let mut ledger = Ledger::default();
    for _ in 0..GREETINGS {
        assert_eq!(ledger.begin_greeting(server(1), NOW), Greeting::Own);
    }
    assert_eq!(ledger.begin_greeting(server(1), NOW), Greeting::Spent, "none has come yet");
    ledger.was_greeted(server(1), NOW + 100);
    assert_eq!(ledger.begin_greeting(server(1), NOW + 200), Greeting::Others);
    assert_eq!(ledger.begin_greeting(server(1), NOW + 100 + STILL_TRUE), Greeting::Spent);
    assert!(!ledger.may_be_greeted(server(1), NOW + 200));
    ledger.logged_in(server(1));
    assert_eq!(ledger.begin_greeting(server(1), NOW + 300), Greeting::Own);
}

#[test]
fn a_server_that_is_not_there_costs_no_handshake() {
    let mut ledger = Ledger::default();
    for _ in 0..100 {
        assert_eq!(ledger.begin_greeting(server(1), NOW), Greeting::Own);
        ledger.was_not_connected(server(1), NOW);
    }
}

#[test]
fn a_clock_that_was_set_back_makes_no_record_last_longer() {
    let mut ledger = Ledger::default();
    ledger.begin_login(server(1), 7, NOW);
    ledger.end_login(server(1), 7, End::Refused(1045), false, NOW);
    (0..9).for_each(|_| assert_ne!(ledger.begin_greeting(server(1), NOW), Greeting::Others));
    assert_eq!(ledger.begin_login(server(1), 7, NOW - 1), Turn::Own);
    assert!(ledger.may_be_greeted(server(1), NOW - 1));
}

#[test]
fn a_full_table_forgets_the_oldest_and_keeps_its_size() {
    let mut ledger = Ledger::default();
    for account in 0..1000 {
        ledger.begin_login(server(1), account, NOW + account);
        ledger.end_login(server(1), account, End::Refused(1045), false, NOW + account);
    }
    let read = Ledger::read(&ledger.write()).unwrap();
    assert_eq!((ledger.write().len(), &read), (SIZE, &ledger));
    assert_eq!(ledger.begin_login(server(1), 999, NOW + 1000), Turn::Refused(1045));
    assert_eq!(ledger.begin_login(server(1), 0, NOW + 1000), Turn::Own);
}

#[test]
fn a_table_that_was_cut_off_is_one_and_something_else_is_none() {
    let mut ledger = Ledger::default();
    ledger.begin_login(server(1), 7, NOW);
    let bytes = ledger.write();
    for length in (0..bytes.len()).filter(|length| *length == 0 || *length >= MARK.len()) {
        assert!(Ledger::read(&bytes[..length]).is_some());
    }
    assert_eq!(Ledger::read(b"PK\x03\x04 and so on"), None);
    assert_eq!(Ledger::read(b"ptsman"), None);
}

proptest! {
    /// The worst that follows is that this library makes no login for a while.
    #[test]
    fn no_bytes_keep_a_login_away_for_longer_than_ten_minutes(bytes in any::<Vec<u8>>(), later in 0..u64::MAX / 2) {
        let content = [MARK.to_vec(), bytes].concat();
        let mut ledger = Ledger::read(&content).unwrap();
        ledger.begin_login(server(1), 7, later);
        ledger.begin_greeting(server(1), later);
        let turn = ledger.begin_login(server(1), 7, later + REMEMBERED + 1);
        prop_assert!(matches!(turn, Turn::Own), "{turn:?}");
        prop_assert_eq!(ledger.write().len(), SIZE);
    }
}
