//! What a statement has to know of its endpoint before it is sent, in one word that is read without a lock.

use super::life::Life;

/// Generation × 4, plus 1 while a statement has to look before it is sent, plus 2 while the circuit is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Pulse(u64);

impl Pulse {
    pub(super) fn of(life: &Life) -> Self {
        Pulse(life.generation() << 2 | u64::from(life.circuit_open()) << 1 | u64::from(life.unsettled()))
    }

    pub(super) fn from_bits(bits: u64) -> Self {
        Pulse(bits)
    }

    pub(super) fn bits(self) -> u64 {
        self.0
    }

    pub fn generation(self) -> u64 {
        self.0 >> 2
    }

    pub fn unsettled(self) -> bool {
        self.0 & 1 != 0
    }

    /// Nothing is held until a writer was verified.
    pub fn circuit_open(self) -> bool {
        self.0 & 2 != 0
    }
}
