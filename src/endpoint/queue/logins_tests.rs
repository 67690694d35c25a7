//! Many connections, and many processes, that want to log in with one account.

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    thread,
};

use super::*;

fn endpoint() -> Endpoint {
    Endpoint::alone()
}

fn server(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 3306))
}

fn login(number: u64) -> Login {
    Login { here: number, everywhere: number }
}

fn refused() -> Result<(), Undialled> {
    Err(Undialled::Refused(Refusal { whose: Whose::Account, error: 1045, why: "error 1045: no".to_owned() }))
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

#[test]
fn where_too_many_handshakes_were_given_up_a_login_ends_its_hold_and_holds_no_other_one() {
    let endpoint = endpoint();
    let give_up = |number| {
        endpoint.on_ledger(|ledger, now| ledger.end_login(server(1), number, End::Open, true, now));
    };
    (0..6).for_each(give_up);
    for _ in 0..2 {
        let outcome = endpoint.may_log_in(server(1), login(7), soon());
        assert!(outcome.is_err_and(|why| why == Undialled::Spent));
    }
    endpoint.logged_in(server(1), login(7));
    endpoint.on_ledger(|ledger, _| ledger.logged_in(server(1)));
    assert!(endpoint.may_log_in(server(1), login(7), soon()).is_ok());
}

#[test]
fn a_refused_login_is_tried_once_however_many_connections_want_it_at_once() {
    let endpoint = endpoint();
    let tried = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| match endpoint.may_log_in(server(1), login(7), soon()) {
                Ok(attempt) => {
                    tried.fetch_add(1, Relaxed);
                    thread::sleep(Duration::from_millis(20));
                    attempt.ends(&refused());
                }
                Err(why) => assert!(matches!(why, Undialled::Refused(_)), "{why}"),
            });
        }
    });
    assert_eq!(tried.into_inner(), 1);
    assert!(endpoint.may_log_in(server(2), login(7), soon()).is_ok(), "another server may answer otherwise");
    assert!(endpoint.may_log_in(server(1), login(8), soon()).is_ok(), "another login is another matter");
}

#[test]
fn a_login_that_succeeded_a_moment_ago_is_made_by_many_at_once() {
    let endpoint = endpoint();
    endpoint.may_log_in(server(1), login(7), soon()).unwrap_or_else(|why| panic!("{why}")).ends(&Ok(()));
    let attempts: Vec<_> = (0..16).map(|_| endpoint.may_log_in(server(1), login(7), Instant::now()).is_ok()).collect();
    assert!(attempts.into_iter().all(|may| may));
}

#[test]
fn what_one_handle_is_refused_for_its_own_options_is_tried_by_the_next_handle_of_the_account() {
    let endpoint = endpoint();
    for (error, why) in [(1049, "error 1049: Unknown database 'old'"), (2026, "error 2026: no CA file")] {
        let attempt = endpoint.may_log_in(server(1), login(7), soon()).unwrap_or_else(|why| panic!("{why}"));
        attempt.ends(&Err(Undialled::Refused(Refusal { whose: Whose::Handle, error, why: why.to_owned() })));
    }
    let attempt = endpoint.may_log_in(server(1), login(7), Instant::now());
    attempt.unwrap_or_else(|why| panic!("{why}")).ends(&Ok(()));
}

#[test]
fn a_login_of_the_application_itself_that_succeeds_clears_a_refusal() {
    let endpoint = endpoint();
    endpoint.may_log_in(server(1), login(7), soon()).unwrap_or_else(|why| panic!("{why}")).ends(&refused());
    assert!(endpoint.may_log_in(server(1), login(7), soon()).is_err());
    endpoint.logged_in(server(1), login(7));
    assert!(endpoint.may_log_in(server(1), login(7), soon()).is_ok());
}

#[test]
fn an_attempt_that_brought_no_answer_is_made_again_by_the_next() {
    let endpoint = endpoint();
    let attempt = endpoint.may_log_in(server(1), login(7), soon()).unwrap_or_else(|why| panic!("{why}"));
    assert!(endpoint.may_log_in(server(1), login(7), Instant::now()).is_err(), "one at a time");
    drop(attempt);
    assert!(endpoint.may_log_in(server(1), login(7), Instant::now()).is_ok());
}

#[test]
fn a_server_that_is_full_is_not_asked_ten_times_a_second() {
    let endpoint = endpoint();
    let full = Err(Undialled::NotNow("error 1040: Too many connections".to_owned()));
    endpoint.may_log_in(server(1), login(7), soon()).unwrap_or_else(|why| panic!("{why}")).ends(&full);
    assert!(matches!(endpoint.may_log_in(server(1), login(8), soon()), Err(Undialled::NotNow(_))));
    endpoint.lock().logins.full.clear();
    assert!(endpoint.may_log_in(server(1), login(8), soon()).is_ok());
}
