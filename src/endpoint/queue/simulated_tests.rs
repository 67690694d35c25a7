//! How long threads wait for their turn, in simulated time.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::{connects::Trouble, logins::Login, turn::Claim};
use crate::{
    control::config,
    endpoint::{
        Endpoint,
        prober::Undialled,
        simulation::{Health, World},
    },
    host::interruption::Recall,
};

fn writer() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 3306))
}

fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

/// A known writer that is up.
fn known_writer() -> (&'static World, Arc<Endpoint>) {
    let world = World::new();
    let endpoint = world.endpoint_on("db.shop.example", writer());
    (world, endpoint)
}

#[test]
fn a_connect_that_finds_nobody_is_held_until_the_writer_is_back_or_hold_max_is_over() {
    let (world, endpoint) = known_writer();
    world.becomes(writer(), Health::Dead);
    let (began, mut recall) = (world.elapsed(), Recall::of_no_signal());
    while endpoint.connect_may_try_again(Trouble::Nobody, None, &mut recall) {}
    let held = world.elapsed() - began;
    assert!(endpoint.circuit_open());
    assert!(held >= config().hold_max && held < config().hold_max + millis(500), "{held:?}");
}

#[test]
fn a_connect_waits_no_longer_than_its_own_deadline_and_not_once_the_application_wants_its_thread() {
    let (world, endpoint) = known_writer();
    world.becomes(writer(), Health::Dead);
    let mut recall = Recall::of_no_signal();
    let deadline = world.instant() + Duration::from_secs(7);
    while endpoint.connect_may_try_again(Trouble::Nobody, Some(deadline), &mut recall) {}
    assert_eq!(world.instant(), deadline);
    world.wants_the_thread_back(true);
    assert!(!endpoint.connect_may_try_again(Trouble::Nobody, None, &mut recall));
    assert_eq!(world.instant(), deadline);
}

#[test]
fn statements_wait_for_a_replay_that_hangs_one_second_and_for_one_that_ends_until_then() {
    let (world, endpoint) = known_writer();
    let began = world.elapsed();
    let hangs = endpoint.replay_begins();
    endpoint.after_replays();
    assert_eq!(world.elapsed() - began, millis(1000));
    drop(hangs);
    endpoint.after_replays();
    assert_eq!(world.elapsed() - began, millis(1000), "there is none");
}

#[test]
fn after_a_move_a_transaction_that_has_ids_to_claim_is_waited_for_and_longer_if_its_application_is_in_a_call() {
    for (claim, waited) in [(Some(Claim::Thinking), 200), (Some(Claim::InCall), 500), (None, 0)] {
        let (world, endpoint) = known_writer();
        endpoint.lock().moved_at = Some(world.instant());
        world.claims(claim);
        let began = world.elapsed();
        endpoint.after_replays();
        assert_eq!(world.elapsed() - began, millis(waited), "{claim:?}");
    }
}

#[test]
fn one_login_too_many_waits_until_the_oldest_is_known_to_hang() {
    let (world, endpoint) = known_writer();
    let _under_way: Vec<_> = (0..31).map(|_| endpoint.handshake(None)).collect();
    let began = world.elapsed();
    let soon = world.instant() + millis(700);
    drop(endpoint.handshake(Some(soon)));
    assert_eq!(world.elapsed() - began, millis(700));
    drop(endpoint.handshake(None));
    assert_eq!(world.elapsed() - began, millis(3000));
}

#[test]
fn a_login_waits_for_the_same_login_of_another_connection_until_its_outcome_is_known() {
    let (world, endpoint) = known_writer();
    let login = Login { here: 7, everywhere: 7 };
    let until = world.instant() + Duration::from_secs(5);
    let first = endpoint.may_log_in(writer(), login, until).ok();
    let other = Arc::clone(&endpoint);
    assert!(matches!(other.may_log_in(writer(), login, until), Err(Undialled::NotNow(_))));
    assert_eq!(world.instant(), until);
    first.into_iter().for_each(|attempt| attempt.ends(&Ok(())));
    assert!(endpoint.may_log_in(writer(), login, until).is_ok());
}
