//! Who may be adopted, and when anybody is asked: the endpoint's life, told of one event after the other.

use super::*;

const SETTLE: Duration = Duration::from_secs(15);

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 3306))
}

fn steady_on(last: u8, now: Instant) -> Life {
    let mut life = Life::new();
    life.adopt(address(last), now);
    life.on_answer(vec![address(last).ip()], now);
    life
}

fn later(now: Instant, seconds: u64) -> Instant {
    now + Duration::from_secs(seconds)
}

#[test]
fn a_failure_makes_suspect_and_a_writable_incumbent_makes_steady_again() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    life.on_failure(life.generation());
    assert_eq!(life.phase(), Phase::Suspect);
    assert!(life.asks_before_sending(now) && life.unsettled());
    life.on_incumbent_writable(now);
    assert_eq!((life.phase(), life.generation()), (Phase::Steady, 1));
}

#[test]
fn a_writer_that_is_inherited_has_to_be_asked_and_is_left_for_one_that_dns_names_if_it_is_unfit() {
    let now = Instant::now();
    let mut life = Life::new();
    life.inherit(address(1), true);
    assert_eq!((life.phase(), life.incumbent()), (Phase::Suspect, Some(address(1))));
    assert!(life.asks_before_sending(now) && !life.verified_since(now));
    life.on_answer(vec![address(2).ip()], now);
    assert!(!life.may_adopt(address(2), false, Caller::Stays, now, SETTLE), "nobody has asked it yet");
    life.on_incumbent_unfit(now);
    assert!(
        life.may_adopt(address(2), false, Caller::Stays, now, SETTLE)
            && !life.may_adopt(address(3), false, Caller::Stays, now, SETTLE)
    );
}

#[test]
fn a_failure_of_an_older_generation_raises_no_suspicion() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    life.adopt(address(2), now);
    life.on_failure(1);
    assert_eq!(life.phase(), Phase::Steady);
}

#[test]
fn an_answer_that_was_there_before_a_candidate_was_adopted_does_not_lead_back_to_the_old_writer() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    life.on_incumbent_unfit(now);
    life.adopt(address(2), now);
    for second in 1..=40 {
        life.on_answer(vec![address(1).ip()], later(now, second));
        assert!(
            !life.may_adopt(address(1), true, Caller::Stays, later(now, second), SETTLE) && !life.unsettled(),
            "{second}"
        );
    }
    life.on_answer(vec![address(3).ip()], later(now, 41));
    assert_eq!(life.phase(), Phase::Suspect, "another answer is news");
}

#[test]
fn an_incumbent_that_is_heard_again_is_asked_by_the_next_statement() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    assert!(!life.on_heard_again());
    life.on_incumbent_unfit(now);
    assert!(life.on_heard_again() && life.asks_before_sending(now));
    life.on_answer(vec![address(1).ip()], now);
    assert_eq!(life.phase(), Phase::Suspect, "DNS cannot clear it");
}

#[test]
fn a_writer_that_nobody_has_watched_for_long_is_not_relied_on() {
    let now = Instant::now();
    let life = steady_on(1, now);
    assert!(life.is_watched(later(now, 5), SETTLE) && !life.is_watched(later(now, 60), SETTLE));
}

#[test]
fn flapping_dns_never_moves_anyone_off_a_verified_incumbent() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    for second in 0..60 {
        let moment = later(now, second);
        life.on_answer(vec![address(1 + (second % 2) as u8).ip()], moment);
        assert!(!life.may_adopt(address(2), true, Caller::Stays, moment, SETTLE), "second {second}");
    }
}

#[test]
fn a_name_that_moved_for_good_is_followed_after_settle() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    for second in 1..=20 {
        let moment = later(now, second);
        life.on_answer(vec![address(2).ip()], moment);
        let followed = life.may_adopt(address(2), true, Caller::Stays, moment, SETTLE);
        assert_eq!(followed, second >= 16, "second {second}");
        assert_eq!(followed, life.name_has_moved(moment, SETTLE));
    }
}

#[test]
fn writable_alone_is_never_enough() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    life.on_failure(1);
    life.on_incumbent_unfit(now);
    assert!(!life.may_adopt(address(2), false, Caller::Stays, now, SETTLE));
    life.on_answer(vec![address(2).ip()], now);
    assert!(life.may_adopt(address(2), false, Caller::Stays, now, SETTLE));
    assert!(!life.may_adopt(address(3), false, Caller::Stays, later(now, 100), SETTLE));
}

#[test]
fn a_configured_candidate_is_adopted_only_once_the_incumbent_is_known_not_to_be_the_writer() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    assert!(!life.may_adopt_configured(false));
    life.on_failure(1);
    assert!(!life.may_adopt_configured(false), "suspected only");
    life.on_incumbent_unfit(now);
    assert!(life.may_adopt_configured(false) && !life.may_adopt_configured(true));
}

#[test]
fn the_old_writer_coming_back_needs_no_dns() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    life.on_failure(1);
    life.on_incumbent_unfit(now);
    life.on_answer(vec![address(2).ip()], now);
    assert!(life.may_adopt(address(1), false, Caller::Stays, now, SETTLE));
}

#[test]
fn a_changed_answer_asks_the_incumbent_once_a_second_and_a_reverted_one_never() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    assert!(life.on_answer(vec![address(2).ip()], now));
    assert!(life.asks_before_sending(now));
    life.on_incumbent_writable(now);
    assert!(!life.asks_before_sending(now));
    assert!(!life.on_answer(vec![address(2).ip()], now + RECHECK / 2), "the same answer is no news");
    assert!(!life.asks_before_sending(now + RECHECK / 2));
    assert!(life.asks_before_sending(now + RECHECK));
    life.on_answer(vec![address(1).ip()], now + RECHECK);
    assert_eq!(life.phase(), Phase::Steady);
}

#[test]
fn after_failing_open_nobody_is_held_until_a_writer_was_verified() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    life.on_failure(1);
    assert!(life.on_incumbent_unfit(now) && life.unsettled());
    assert!(life.fail_open() && !life.fail_open());
    assert!(!life.unsettled());
    assert!(life.may_look(now) && !life.may_look(now) && life.may_look(later(now, 1)));
    life.on_incumbent_writable(later(now, 2));
    life.on_failure(1);
    assert!(life.unsettled(), "held again");
}

#[test]
fn a_changed_answer_lets_an_open_circuit_look_at_once() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    life.on_failure(1);
    life.on_incumbent_unfit(now);
    life.fail_open();
    assert!(life.may_look(now) && !life.may_look(now));
    life.on_answer(vec![address(2).ip()], now);
    assert!(life.may_look(now));
}

#[test]
fn a_verification_serves_those_who_doubted_before_it() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    life.on_failure(1);
    assert!(!life.verified_since(now));
    life.on_incumbent_writable(later(now, 1));
    assert!(life.verified_since(now) && !life.verified_since(later(now, 2)));
}

#[test]
fn a_name_that_dns_fell_silent_about_has_not_moved_steadily() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    life.on_answer(vec![address(2).ip()], now);
    assert!(!life.may_adopt(address(2), true, Caller::Stays, later(now, 20), SETTLE), "one answer, then none");
    life.on_no_answer(later(now, 15));
    life.on_answer(vec![address(2).ip()], later(now, 21));
    assert!(!life.may_adopt(address(2), true, Caller::Stays, later(now, 22), SETTLE), "a gap begins anew");
}

#[test]
fn a_name_that_moved_while_nobody_asked_may_have_moved_as_soon_as_nobody_did() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    life.on_answer(vec![address(2).ip()], later(now, 14));
    assert!(life.is_watched(later(now, 14), SETTLE) && !life.name_has_moved(later(now, 14), SETTLE));
    assert!(life.name_has_moved(later(now, 15), SETTLE) && !life.is_watched(later(now, 15), SETTLE));
    assert!(life.asks_before_sending(later(now, 14)));
    life.on_answer(vec![address(1).ip()], later(now, 16));
    assert!(life.is_watched(later(now, 16), SETTLE), "and it has come back");
}

#[test]
fn a_process_that_had_no_connection_for_long_believes_the_name() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    life.on_resolved(vec![address(2).ip()], later(now, 5));
    assert!(!life.leaves_out_incumbent(), "the watcher named the incumbent just now");
    assert!(life.leads_elsewhere() && !life.still_names_incumbent(later(now, 1)), "but it may be out of date");
    life.on_resolved(vec![address(2).ip()], later(now, 3600));
    assert!(life.leaves_out_incumbent() && life.may_adopt_led(address(2)));
    assert!(life.may_adopt(address(2), true, Caller::Dials, later(now, 3600), SETTLE));
}

#[test]
fn an_incumbent_that_was_not_heard_of_is_not_replaced() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    life.on_answer(vec![address(2).ip()], now);
    life.on_failure(1);
    assert!(!life.may_adopt(address(2), false, Caller::Stays, now, SETTLE));
    life.on_incumbent_unfit(now);
    assert!(life.may_adopt(address(2), false, Caller::Stays, now, SETTLE));
}

#[test]
fn a_green_that_is_writable_before_the_switchover_is_not_adopted() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    assert!(!life.may_adopt_green(true, false), "nothing is wrong with blue");
    life.on_failure(1);
    life.on_incumbent_unfit(now);
    assert!(!life.may_adopt_green(false, false), "AWS may still cancel");
    assert!(!life.may_adopt_green(true, true), "blue is back");
    assert!(life.may_adopt_green(true, false));
}

/// A life whose incumbent is 1 while the name means 2 since `now`.
fn left_out(now: Instant) -> Life {
    let mut life = steady_on(1, now);
    life.on_answer(vec![address(2).ip()], now);
    life
}

#[test]
fn a_connection_that_has_to_be_dialled_goes_where_the_name_leads_and_an_open_one_stays() {
    let now = Instant::now();
    for (caller, follows) in [(Caller::Dials, true), (Caller::Stays, false)] {
        for writable in [true, false] {
            let life = left_out(now);
            assert_eq!(life.may_adopt(address(2), writable, caller, now, SETTLE), follows, "{caller:?}");
            assert!(!life.may_adopt(address(3), writable, caller, now, SETTLE), "it is not named");
        }
        let life = steady_on(1, now);
        assert!(!life.may_adopt(address(2), false, caller, now, SETTLE), "the name means the incumbent");
    }
}

#[test]
fn an_open_connection_stays_on_the_former_incumbent_until_settle_or_until_it_is_read_only() {
    let now = Instant::now();
    let mut life = left_out(now);
    life.adopt(address(2), later(now, 1));
    assert_eq!((life.phase(), life.generation(), life.unsettled()), (Phase::Steady, 2, true));
    assert_eq!(life.stay(address(1), later(now, 1), SETTLE), Some(Stay::Asks));
    assert_eq!(life.stay(address(1), later(now, 1), SETTLE), Some(Stay::Sends));
    assert_eq!(life.stay(address(1), later(now, 3), SETTLE), Some(Stay::Asks));
    assert_eq!(life.stay(address(1), later(now, 15), SETTLE), Some(Stay::Leaves));
    life.on_kept_unfit(address(1));
    assert!(life.stay(address(1), later(now, 3), SETTLE).is_none() && !life.unsettled());
}

#[test]
fn an_open_connection_stays_on_a_server_that_the_name_means_beside_the_incumbent_whatever_becomes_of_that() {
    let now = Instant::now();
    let ips = |last: &[u8]| last.iter().map(|last| address(*last).ip()).collect::<Vec<_>>();
    let mut life = steady_on(1, now);
    assert_eq!(life.stay(address(2), now, SETTLE), None, "DNS does not name it");
    life.on_answer(ips(&[1, 2, 3]), now);
    life.on_failure(life.generation());
    life.on_incumbent_unfit(now);
    assert_eq!(life.stay(address(1), now, SETTLE), None);
    for server in [2, 3] {
        assert_eq!(life.stay(address(server), now, SETTLE), Some(Stay::Asks));
        assert_eq!(life.stay(address(server), now, SETTLE), Some(Stay::Sends), "one has asked for all");
    }
    life.adopt(address(2), now);
    assert_eq!(life.stay(address(3), later(now, 1), SETTLE), Some(Stay::Asks));
    life.on_kept_unfit(address(3));
    assert_eq!(life.stay(address(3), later(now, 1), SETTLE), Some(Stay::Asks), "each one is told by its own server");
}

#[test]
fn an_open_connection_stays_where_the_name_leads_once_it_has_left_the_incumbent_out() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    life.on_answer(vec![address(2).ip(), address(3).ip()], now);
    assert_eq!(life.stay(address(3), now, SETTLE), Some(Stay::Asks));
    assert!(life.may_adopt_led(address(3)) && life.stay(address(4), now, SETTLE).is_none());
}

#[test]
fn nothing_stays_on_an_incumbent_that_was_found_unfit() {
    let now = Instant::now();
    let mut life = left_out(now);
    life.on_incumbent_unfit(now);
    life.adopt(address(2), now);
    assert!(life.stay(address(1), now, SETTLE).is_none() && !life.unsettled());
}

#[test]
fn a_name_that_flaps_leaves_each_open_connection_where_it_is() {
    let now = Instant::now();
    let mut life = left_out(now);
    life.adopt(address(2), now);
    life.on_answer(vec![address(1).ip()], later(now, 5));
    assert!(life.leaves_out_incumbent() && life.may_adopt(address(1), false, Caller::Dials, later(now, 5), SETTLE));
    life.adopt(address(1), later(now, 5));
    assert_eq!(life.stay(address(2), later(now, 5), SETTLE), Some(Stay::Asks));
    assert_eq!(life.stay(address(2), later(now, 5), SETTLE), Some(Stay::Sends));
    assert_eq!((life.incumbent(), life.stay(address(1), later(now, 5), SETTLE)), (Some(address(1)), None));
}

#[test]
fn an_incumbent_that_was_adopted_without_dns_is_not_left_for_what_dns_said_before() {
    let now = Instant::now();
    let mut life = steady_on(1, now);
    life.on_incumbent_unfit(now);
    life.adopt(address(2), now);
    life.on_resolved(vec![address(1).ip()], now);
    assert!(
        !life.leaves_out_incumbent() && !life.may_adopt_led(address(1)),
        "a new connection landed on the old writer"
    );
    life.on_resolved(vec![address(3).ip()], now);
    assert!(life.may_adopt_led(address(3)) && !life.may_adopt_led(address(1)));
}

#[test]
fn the_applications_resolver_is_asked_by_a_lost_connection_and_before_a_writable_server_is_left() {
    let now = Instant::now();
    let asks = |life: &Life, caller, second| life.asks_resolver(caller, later(now, second), later(now, second), SETTLE);
    let known = || {
        let mut life = Life::new();
        life.adopt(address(1), now);
        life.on_resolved(vec![address(1).ip()], now);
        life.on_answer(vec![address(1).ip()], later(now, 10));
        life
    };
    assert!(!asks(&known(), Caller::Dials, 10), "the watcher has just answered");
    assert!(asks(&known(), Caller::Dials, 11) && !asks(&known(), Caller::Stays, 11));
    let mut failed = known();
    failed.on_no_answer(later(now, 11));
    assert!(!asks(&failed, Caller::Dials, 12), "getaddrinfo would wait for the same name server");
    let mut moved = known();
    moved.on_answer(vec![address(2).ip()], later(now, 11));
    assert!(asks(&moved, Caller::Dials, 11) && !asks(&moved, Caller::Stays, 11));
    moved.on_answer(vec![address(2).ip()], later(now, 20));
    moved.on_answer(vec![address(2).ip()], later(now, 26));
    assert!(asks(&moved, Caller::Stays, 26), "before the writable incumbent is left for good");
    moved.on_resolver_asked(later(now, 26));
    assert!(!asks(&moved, Caller::Stays, 26), "once a second");
}

#[test]
fn a_watcher_without_an_answer_is_no_reason_to_hold_while_getaddrinfo_can_be_asked() {
    let now = Instant::now();
    let mut life = Life::new();
    life.adopt(address(1), now);
    life.on_resolved(vec![address(1).ip()], now);
    life.on_no_answer(later(now, 1));
    assert!(life.asks_resolver(Caller::Dials, now, later(now, 2), SETTLE), "it has never had one");
    assert!(!life.asks_resolver(Caller::Stays, now, later(now, 2), SETTLE), "the incumbent is not known to be unfit");
    life.on_incumbent_unfit(later(now, 2));
    assert!(life.asks_resolver(Caller::Stays, now, later(now, 2), SETTLE));
    life.on_resolved(vec![address(2).ip()], later(now, 2));
    assert!(life.may_adopt(address(2), false, Caller::Stays, later(now, 2), SETTLE));
}

#[test]
fn a_watcher_that_knows_another_name_moves_no_connection() {
    let now = Instant::now();
    let mut life = Life::new();
    life.adopt(address(1), now);
    life.on_resolved(vec![address(1).ip()], now);
    for second in 0..60 {
        life.on_answer(vec![address(9).ip()], later(now, second));
        for caller in [Caller::Stays, Caller::Dials] {
            assert!(!life.may_adopt(address(9), true, caller, later(now, second), SETTLE), "{caller:?} {second}");
        }
    }
    assert!(!life.leaves_out_incumbent());
    life.on_incumbent_unfit(later(now, 60));
    assert!(!life.may_adopt(address(9), false, Caller::Dials, later(now, 60), SETTLE), "another environment's server");
}

#[test]
fn an_open_connection_does_not_ask_what_another_thread_is_just_asking_getaddrinfo() {
    let now = Instant::now();
    let mut life = Life::new();
    life.adopt(address(1), now);
    life.on_resolved(vec![address(1).ip()], now);
    life.on_incumbent_unfit(later(now, 1));
    let asks = |life: &Life, caller, second| life.asks_resolver(caller, now, later(now, second), SETTLE);
    life.on_resolver_asked(later(now, 2));
    assert!(!asks(&life, Caller::Stays, 5), "another thread has been inside getaddrinfo for three seconds");
    assert!(asks(&life, Caller::Dials, 5), "without this library a lost connection would ask, too");
    assert!(asks(&life, Caller::Stays, 32), "that thread does not come back");
    life.on_resolver_through(later(now, 6));
    assert!(!asks(&life, Caller::Stays, 6) && asks(&life, Caller::Stays, 7), "once a second");
}
