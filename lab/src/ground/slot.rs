//! A slot: the loopback addresses of one lab, guarded against every other lab on the machine.
//!
//! The guard is an abstract Unix socket: the kernel frees it when its owner dies, however it dies.

use crate::error::{Error, Result};
use std::net::{Ipv4Addr, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

/// The second byte of every lab's addresses.
const NET: u8 = 77;
const SLOTS: std::ops::RangeInclusive<u8> = 1..=250;
/// The port of both servers.
pub(crate) const PORT: u16 = 3306;

/// Addresses 127.77.n.x, ours while this value lives.
#[derive(Debug)]
pub(crate) struct Slot {
    number: u8,
    _guard: UnixListener,
}

impl Slot {
    /// Takes the first free slot.
    pub(crate) fn take() -> Result<Self> {
        SLOTS.into_iter().find_map(Self::try_take).ok_or(Error::NoSlot(SLOTS.count() as u32))
    }

    pub(crate) fn blue(&self) -> Ipv4Addr {
        self.host(1)
    }

    pub(crate) fn green(&self) -> Ipv4Addr {
        self.host(2)
    }

    pub(crate) fn dns(&self) -> Ipv4Addr {
        self.host(53)
    }

    pub(crate) fn spare(&self) -> Ipv4Addr {
        self.host(9)
    }

    pub(crate) fn third(&self) -> Ipv4Addr {
        self.host(3)
    }

    pub(crate) fn front(&self) -> Ipv4Addr {
        self.host(11)
    }

    fn host(&self, last: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, NET, self.number, last)
    }

    fn try_take(number: u8) -> Option<Self> {
        let name = SocketAddr::from_abstract_name(format!("pointsman-lab-{NET}-{number}")).ok()?;
        let slot = Self { number, _guard: UnixListener::bind_addr(&name).ok()? };
        // A server of a lab that died a moment ago may still hold its port.
        let free = |address| TcpListener::bind((address, PORT)).is_ok();
        (free(slot.blue()) && free(slot.green())).then_some(slot)
    }
}

/// Whether it is an address of some lab's slot.
pub(crate) fn is_ours(address: Ipv4Addr) -> bool {
    let [class, net, number, _] = address.octets();
    class == 127 && net == NET && SLOTS.contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_labs_never_share_a_slot() {
        let (one, two) = (Slot::take().unwrap(), Slot::take().unwrap());
        assert_ne!(one.blue(), two.blue());
    }
}
