//! DNS is watched for the endpoints of this process; and what endpoints need of the process round them.

use std::{
    net::SocketAddr,
    time::{Duration, Instant, SystemTime},
};

use super::{Process, current, current::current, rounds::on_second};
use crate::{
    control::{
        config,
        log::{Level::*, say},
    },
    endpoint::{
        Endpoint,
        ledger::{self, Ledger},
        prober::Undialled,
        reach,
        search::greetings::GreetingConnection,
        silence::Traffic,
        surroundings::Surroundings,
        turn::Claim,
    },
    guard::this_thread_is_ours,
    host::{
        event::News,
        interruption::{Recall, process_is_ending},
        socket,
    },
    resolve::{Answer, Failure, Jitter, Pace, Start, Watcher},
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

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn about_now(&self) -> u64 {
        socket::about_now()
    }

    fn wall_clock(&self) -> u64 {
        SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_millis() as u64)
    }

    fn jitter(&self) -> Jitter {
        Jitter::new()
    }

    fn wait(&self, news: &News, known: u32, time: Duration, recall: &mut Recall) {
        recall.wait(news, known, time);
    }

    fn recall(&self) -> Recall {
        Recall::begins()
    }

    fn is_ending(&self) -> bool {
        process_is_ending()
    }

    fn connect_for_greeting(
        &self,
        server: SocketAddr,
        within: Duration,
    ) -> Result<Box<dyn GreetingConnection>, Undialled> {
        reach::connect_for_greeting(server, within)
    }

    fn on_shared_ledger(&self, work: &mut dyn FnMut(&mut Ledger)) -> bool {
        ledger::on_shared_ledger(work)
    }
}
