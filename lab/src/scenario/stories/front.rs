//! Stories of a name that leads to one address in front of the servers, and of passwords that change.

use crate::lab::Side::{Blue, Green};
use crate::scenario::{Action, Scenario};
use crate::server::front::Delays;
use std::time::Duration;

/// The password that the application's account gets.
const NEXT_PASSWORD: &str = "the-next-password";

impl Scenario {
    /// A planned switchover behind a balancer: the name means the same address throughout, and new sessions lead to green
    /// `lag` after it takes writes. Old sessions live on, or are `cut` then.
    pub fn balancer(outage: Duration, lag: Duration, cut: bool) -> Self {
        let story = Self::new(if cut { "balancer that cuts sessions" } else { "balancer" })
            .before(Action::Balance(Blue))
            .step(Duration::ZERO, Action::ReadOnly(Blue))
            .step(Duration::ZERO, Action::CatchUp(Green))
            .step(Duration::ZERO, Action::StopReplication(Green))
            .step(outage, Action::Writable(Green))
            .step(outage + lag, Action::Balance(Green));
        if cut { story.step(outage + lag, Action::CutBalanced) } else { story }
    }

    /// Greetings or logins take long for `lasting`, and one connection of the application ends meanwhile.
    pub fn slow_server(delays: Delays, lasting: Duration) -> Self {
        Self::new("slow server")
            .before(Action::Balance(Blue))
            .step(Duration::ZERO, Action::Delay(delays))
            .step(Duration::from_millis(100), Action::DropOne(Blue))
            .step(lasting, Action::Delay(Delays::default()))
    }

    /// The account's password changes, the application's new logins use the new one, and `later` the connections of the
    /// old login end: one, or all.
    pub fn password(later: Duration, all: bool) -> Self {
        let end = if all { Action::DropConnections(Blue) } else { Action::DropOne(Blue) };
        Self::locking("new password").step(later, end).step(later + Duration::from_millis(1500), {
            Action::Note("whoever logs in does so with the new password".into())
        })
    }

    /// The password changes, and then there is a planned switchover.
    pub fn password_switchover(later: Duration, outage: Duration, dns_lag: Duration) -> Self {
        let switchover = Self::read_only(outage, dns_lag);
        let steps = switchover.steps.into_iter().map(|mut step| {
            step.at += later;
            step
        });
        let mut story = Self::locking("new password before a switchover");
        story.steps.extend(steps);
        story
    }

    /// A Galera cluster whose three nodes the name means: green is cut off from the others, which makes it one that takes
    /// logins and refuses all else, and blue shuts down `later`. The third node is all that is left.
    pub fn galera(isolates: bool, stops: bool, later: Duration) -> Self {
        let isolate = "SET GLOBAL wsrep_provider_options = 'gmcast.isolate=1'".to_owned();
        let mut story = Self::new("Galera");
        if isolates {
            story = story.step(Duration::ZERO, Action::Sql { side: Green, statements: isolate });
        }
        if stops {
            story = story.step(later, Action::Stop(Blue));
        }
        story.step(later + Duration::from_millis(3000), Action::Note("what is left of the cluster takes writes".into()))
    }

    /// Too many wrong logins lock the account.
    fn locking(name: &str) -> Self {
        Self::new(name)
            .before(Action::LockAfterWrongLogins)
            .before(Action::CatchUp(Green))
            .step(Duration::ZERO, Action::Password(NEXT_PASSWORD))
            .step(Duration::ZERO, Action::CatchUp(Green))
    }
}
