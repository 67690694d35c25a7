//! One server is asked whether it accepts writes, and dialled first if need be.

use std::{net::SocketAddr, time::Duration};

use super::prober::{ANSWER_WITHIN, Prober, Undialled, Writability};
use crate::endpoint::{Endpoint, life::Phase};

/// A server that is known not to be the writer is looked away from sooner, since others wait for another one.
const UNFIT_ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// A login that failed after this long was waiting for an answer; a refusal comes at once.
const SLOW: Duration = Duration::from_millis(500);

impl Endpoint {
    pub(super) fn try_server(&self, prober: &mut dyn Prober, server: SocketAddr) -> Result<Writability, Undialled> {
        if prober.address() == Some(server) {
            match self.ask(prober, server) {
                Writability::Lost if self.lock().silence.missed_lately(server, self.now()) => {
                    return Err(Undialled::Unreachable("no answer".to_owned()));
                }
                Writability::Lost => {}
                answer => return Ok(answer),
            }
        }
        self.sign_of_life(server)?;
        let began = self.now();
        let dialled = prober.dial(server);
        match &dialled {
            Ok(()) | Err(Undialled::Refused(_)) => self.lock().silence.heard(server),
            Err(Undialled::Unreachable(_)) if self.now().saturating_duration_since(began) >= SLOW => {
                self.lock().silence.missed(server, self.now());
            }
            Err(_) => {}
        }
        dialled?;
        match self.ask(prober, server) {
            Writability::Lost => Err(Undialled::Unreachable("connection lost while asking @@read_only".to_owned())),
            answer => Ok(answer),
        }
    }

    /// Asks the server that the prober is connected to, and ends a question without an answer.
    pub fn ask(&self, prober: &mut dyn Prober, server: SocketAddr) -> Writability {
        let patience = if self.is_switching() { UNFIT_ANSWER_WITHIN } else { ANSWER_WITHIN };
        let question = self.asking(server, Some(prober.fd()), patience);
        let answer = prober.ask();
        drop(question);
        if answer != Writability::Lost {
            self.lock().silence.heard(server);
        }
        answer
    }

    pub(in crate::endpoint) fn is_switching(&self) -> bool {
        self.lock().life.phase() == Phase::Switching
    }
}
