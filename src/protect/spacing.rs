//! How far apart ids are generated in a session: asking its server, and seeing to it that a move changes nothing.

use std::net::SocketAddr;

use super::line::{Answer, Protected};
use crate::{endpoint::spacing::Spacing, verdict::failure::Failure};

impl dyn Protected + '_ {
    /// What holds in this session. It has a connection, and nothing is under way on it.
    pub(super) fn spacing(&self) -> Option<Spacing> {
        let answer = self.asks(|| self.query(b"SELECT @@auto_increment_increment, @@auto_increment_offset"));
        let Ok(Answer::Rows(rows)) = answer else { return None };
        let number = |at: usize| std::str::from_utf8(rows.first()?.get(at)?.as_deref()?).ok()?.parse().ok();
        Some(Spacing { increment: number(0)?, offset: number(1)? })
    }

    /// Remembers what holds on the writer that this connection has just come to, for when it is lost.
    pub fn learn_spacing(&self) {
        let peer = self.state().peer;
        let Some(server) = peer.filter(|server| self.endpoint().misses_spacing(*server)) else { return };
        let otherwise = { self.state().session.increment().is_some() } || self.sets_spacing();
        if otherwise || self.state().session.awaits_transaction() {
            return;
        }
        if let Some(spacing) = self.spacing() {
            self.endpoint().learn_spacing(server, spacing);
        }
    }

    /// What held when the open transaction ran on `server`, to which this handle was connected. `refused`: it still is.
    pub(super) fn spacing_before(&self, server: Option<SocketAddr>, refused: bool) -> Option<Spacing> {
        let concerned = self.state().session.transaction().is_some_and(|log| log.has_several_ids_at_once());
        match () {
            () if !concerned => None,
            () if refused => self.spacing(),
            () if self.sets_spacing() || self.may_lead_to_another() => None,
            () => {
                let spacing = self.endpoint().spacing(server?)?;
                let increment = self.state().session.increment().unwrap_or(spacing.increment);
                Some(Spacing { increment, ..spacing })
            }
        }
    }

    /// The session is about to leave its server.
    pub(super) fn keep_increment(&self) {
        let peer = { self.state().peer }.filter(|_| !self.may_lead_to_another());
        let increment = peer.and_then(|server| self.endpoint().spacing(server)).map(|spacing| spacing.increment);
        self.state().session.leaves(increment);
    }

    /// In a fresh session, before anything else runs in it: generated ids are as far apart as on the server that the session
    /// began on, since the application may have asked for that there. What the application has set by itself comes later.
    pub(super) fn bring_increment(&self) -> Result<(), Failure> {
        let (brought, peer) = {
            let state = self.state();
            (state.session.increment(), state.peer)
        };
        let Some(brought) = brought else { return Ok(()) };
        let here = self.spacing();
        if let Some((server, spacing)) = peer.zip(here).filter(|(server, _)| self.endpoint().misses_spacing(*server)) {
            self.endpoint().learn_spacing(server, spacing);
        }
        if here.is_none_or(|here| here.increment != brought) {
            self.query(format!("SET SESSION auto_increment_increment = {brought}").as_bytes())?;
        }
        Ok(())
    }

    /// May what is remembered of its address be another server's?
    fn may_lead_to_another(&self) -> bool {
        let (server, since) = {
            let state = self.state();
            (state.server, state.since)
        };
        self.endpoint().may_lead_to_another(server, since)
    }

    fn sets_spacing(&self) -> bool {
        self.state().session.sets_spacing()
    }
}
