//! The address families that a name is asked for. Every question is a packet, and packets are short when all processes
//! of a host hurry at once: see docs/dns.md. Pure.

use super::cadence::Pace;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Families {
    Ipv4,
    Ipv6,
    Both,
}

impl Families {
    /// Both unless exactly one of them is wanted.
    pub fn of(ipv4: bool, ipv6: bool) -> Self {
        match (ipv4, ipv6) {
            (true, false) => Families::Ipv4,
            (false, true) => Families::Ipv6,
            _ => Families::Both,
        }
    }

    /// Those to ask for at `pace` when the last good answer had `known`: in a hurry no others, else all, so that a
    /// family that was added is seen.
    pub fn to_ask(pace: Pace, known: Self) -> Self {
        match pace {
            Pace::Urgent => known,
            Pace::Idle | Pace::Steady => Families::Both,
        }
    }

    pub fn ipv4(self) -> bool {
        self != Families::Ipv6
    }

    pub fn ipv6(self) -> bool {
        self != Families::Ipv4
    }

    /// What is left to ask when these were denied.
    pub fn other(self) -> Option<Self> {
        match self {
            Families::Ipv4 => Some(Families::Ipv6),
            Families::Ipv6 => Some(Families::Ipv4),
            Families::Both => None,
        }
    }

    pub fn and(self, more: Self) -> Self {
        Self::of(self.ipv4() || more.ipv4(), self.ipv6() || more.ipv6())
    }
}

#[cfg(test)]
mod tests {
    use super::Families::{Both, Ipv4, Ipv6};
    use super::*;

    #[test]
    fn only_in_a_hurry_is_a_name_asked_for_no_more_than_it_had() {
        for known in [Ipv4, Ipv6, Both] {
            assert_eq!(Families::to_ask(Pace::Urgent, known), known);
            assert_eq!(Families::to_ask(Pace::Steady, known), Both);
        }
    }

    #[test]
    fn together_they_cover_each_and_alone_each_has_its_other() {
        for (one, more, together) in [(Ipv4, Ipv4, Ipv4), (Ipv6, Ipv6, Ipv6), (Ipv4, Ipv6, Both), (Both, Ipv6, Both)] {
            assert_eq!((one.and(more), more.and(one)), (together, together));
        }
        assert_eq!([Ipv4, Ipv6, Both].map(Families::other), [Some(Ipv6), Some(Ipv4), None]);
    }
}
