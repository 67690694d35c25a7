//! What a session holds that cannot be rebuilt elsewhere, and how it is let go again.
//!
//! Pure. Whatever was not provably let go is still held.

use std::collections::BTreeMap;

use super::{Session, journal::Refusal, next::Next, reasons::PinReason};
use crate::sql::{Name, Pin};

#[derive(Clone, Debug, Default)]
pub struct Pins(BTreeMap<Pin, Held>);

#[derive(Clone, Debug, Default)]
struct Held {
    /// Something without a name that we know: held until all of its kind is let go.
    unnamed: bool,
    /// How often each was taken, at most.
    named: BTreeMap<Name, u32>,
}

impl Pins {
    pub fn pin(&mut self, pin: Pin) {
        self.0.entry(pin).or_default().unnamed = true;
    }

    /// All of this kind is gone.
    pub fn unpin(&mut self, pin: Pin) {
        self.0.remove(&pin);
    }

    pub fn hold(&mut self, pin: Pin, name: Name) {
        let times = self.0.entry(pin).or_default().named.entry(name).or_default();
        // A lock that is taken twice is to be released twice; of all others there is one.
        *times = if pin == Pin::UserLock { times.saturating_add(1) } else { 1 };
    }

    pub fn release(&mut self, pin: Pin, name: &Name) {
        let Some(held) = self.0.get_mut(&pin) else { return };
        if let Some(times) = held.named.get_mut(name) {
            *times -= 1;
            if *times == 0 {
                held.named.remove(name);
            }
        }
        if held.named.is_empty() && !held.unnamed {
            self.0.remove(&pin);
        }
    }

    /// What is held of this kind may have another name by now.
    pub fn rename(&mut self, pin: Pin) {
        if let Some(held) = self.0.get_mut(&pin) {
            held.unnamed = true;
        }
    }

    pub fn all(&self, is: impl Fn(Pin) -> bool) -> bool {
        self.0.keys().all(|pin| is(*pin))
    }

    pub fn first(&self) -> Option<Pin> {
        self.0.keys().next().copied()
    }
}

impl Session {
    /// Something happened on this connection that we did not see.
    pub fn pin(&mut self, pin: Pin) {
        self.pins.pin(pin);
    }

    /// What cannot be rebuilt, if anything.
    pub fn pinned(&self) -> Option<PinReason> {
        if let Some(pin) = self.pins.first() {
            return Some(match pin {
                Pin::TemporaryTable => PinReason::TemporaryTable,
                Pin::UserLock => PinReason::UserLock,
                Pin::TableLock => PinReason::TableLock,
                Pin::GlobalLock => PinReason::GlobalLock,
                Pin::Xa => PinReason::Xa,
                Pin::Handler => PinReason::Handler,
                Pin::UserVariable => PinReason::UserVariable,
                Pin::PreparedSql => PinReason::PreparedSql,
                Pin::Call => PinReason::Call,
                Pin::Unclear => match self.journal.refusal() {
                    Some(Refusal::Overflow) => PinReason::JournalOverflow,
                    Some(Refusal::FirstDatabase) => PinReason::FirstDatabase,
                    None => PinReason::Unclear,
                },
            });
        }
        if self.unclear {
            return Some(PinReason::UnclearTransaction);
        }
        if self.leading.are_incomplete() {
            return Some(PinReason::TooManySavepoints);
        }
        if self.next_transaction == Next::Unclear {
            return Some(PinReason::UnclearSetTransaction);
        }
        if !self.named.can_be_restored_in(self.database.as_deref()) {
            return Some(PinReason::PreparedSqlElsewhere);
        }
        self.prepared.pinned(self.database.as_deref())
    }

    /// Does what pins the session outlast a statement that is refused, so that the same statement means the same once more?
    /// (Not `SET insert_id` and `SET TRANSACTION`, which hold for one statement, and not what is unclear.)
    pub fn pins_last(&self) -> bool {
        use Pin::*;
        let lasts = |pin| matches!(pin, TemporaryTable | UserLock | TableLock | UserVariable | PreparedSql | Handler);
        self.pins.first().is_some() && self.pins.all(lasts) && !self.unclear && self.next_transaction == Next::Default
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name { qualifier: None, name: text.into() }
    }

    #[test]
    fn the_last_one_by_name_ends_the_pin() {
        let mut pins = Pins::default();
        for table in ["a", "b", "a"] {
            pins.hold(Pin::TemporaryTable, name(table));
        }
        pins.release(Pin::TemporaryTable, &name("a"));
        pins.release(Pin::TemporaryTable, &name("c"));
        assert_eq!(pins.first(), Some(Pin::TemporaryTable));
        pins.release(Pin::TemporaryTable, &name("b"));
        assert_eq!(pins.first(), None);
    }

    #[test]
    fn a_lock_taken_twice_is_to_be_released_twice() {
        let mut pins = Pins::default();
        pins.hold(Pin::UserLock, name("a"));
        pins.hold(Pin::UserLock, name("a"));
        pins.release(Pin::UserLock, &name("a"));
        assert_eq!(pins.first(), Some(Pin::UserLock));
        pins.release(Pin::UserLock, &name("a"));
        assert_eq!(pins.first(), None);
    }

    #[test]
    fn what_has_no_name_or_may_have_another_by_now_is_not_let_go_by_name() {
        for obscure in
            [|pins: &mut Pins| pins.pin(Pin::TemporaryTable), |pins: &mut Pins| pins.rename(Pin::TemporaryTable)]
        {
            let mut pins = Pins::default();
            pins.hold(Pin::TemporaryTable, name("a"));
            obscure(&mut pins);
            pins.release(Pin::TemporaryTable, &name("a"));
            assert_eq!(pins.first(), Some(Pin::TemporaryTable));
        }
        let mut pins = Pins::default();
        pins.rename(Pin::TemporaryTable);
        assert_eq!(pins.first(), None, "nothing was held");
    }
}
