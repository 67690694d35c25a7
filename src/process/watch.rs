//! DNS is watched for the endpoints of this process; and what endpoints need of the process round them.

use std::net::SocketAddr;

use super::{Process, current, current::current, rounds::on_second};
use crate::{
    control::{
        config,
        log::{Level::*, say},
    },
    endpoint::{Endpoint, silence::Traffic, surroundings::Surroundings, turn::Claim},
    guard::this_thread_is_ours,
    resolve::{Answer, Failure, Pace, Start, Watcher},
};

impl Process {
    /// `None` if its thread could not be started: DNS is not watched then, which was said.
    fn watcher(&self) -> Option<&'static Watcher> {
        let mut slot = self.watcher.lock();
        *slot.get_or_insert_with(|| {
            let start = Start::from_config(config(), this_thread_is_ours, Box::new(on_answer), on_second);
            match Watcher::start(start) {
                // Leaked: its thread may use it at any time, and a child must never drop its runtime.
                Ok(watcher) => Some(Box::leak(Box::new(watcher))),
                Err(error) => {
                    say!(Warn, "the DNS watcher could not be started ({error}): changes of DNS go unnoticed");
                    None
                }
            }
        })
    }

    /// Sees to it that DNS is asked for an endpoint's names at this pace, or at a quicker one that another endpoint wants.
    pub(super) fn set_pace(&self, endpoint: &Endpoint, pace: Pace) {
        endpoint.want(pace);
        let Some(watcher) = self.watcher() else { return };
        for host in endpoint.hosts() {
            let wanted = self.endpoints().filter(|endpoint| endpoint.seeks(&host)).map(Endpoint::wanted).max();
            watcher.set_pace(&host, wanted.unwrap_or(pace));
        }
    }
}

/// On the watcher's thread.
fn on_answer(host: &str, answer: Result<Answer, Failure>) {
    let Some(process) = current() else { return };
    let named = || process.endpoints().filter(|endpoint| endpoint.name.host == host);
    match answer {
        Ok(answer) => {
            for endpoint in process.endpoints() {
                endpoint.on_green_answer(host, &answer.addresses);
                endpoint.on_candidate_answer(host, &answer.addresses);
            }
            named().for_each(|endpoint| endpoint.on_answer(answer.addresses.clone()));
        }
        // A failed lookup says nothing of where the writer is: the last answer stays.
        Err(_) => named().for_each(|endpoint| endpoint.on_no_answer()),
    }
    for endpoint in named() {
        process.look_for_silence(endpoint);
        process.set_pace(endpoint, endpoint.pace());
    }
}

/// The process that is this one at the moment of each question: an endpoint of a parent finds none in a child.
pub(super) struct Around;

impl Surroundings for Around {
    fn watch(&self, endpoint: &Endpoint, pace: Pace) {
        if let Some(process) = current() {
            process.set_pace(endpoint, pace);
        }
    }

    fn traffic(&self, endpoint: &Endpoint, server: SocketAddr) -> Traffic {
        current().map(|process| process.traffic(endpoint, server)).unwrap_or_default()
    }

    fn give_up(&self, endpoint: &Endpoint, server: SocketAddr) {
        if let Some(process) = current() {
            process.cut_connections(endpoint, server);
        }
    }

    fn claims(&self, endpoint: &Endpoint, generation: u64) -> Option<Claim> {
        current()?.front_end.get()?.claims(endpoint, generation)
    }

    fn epoch(&self) -> usize {
        current::identity()
    }
}
