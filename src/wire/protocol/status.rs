//! The status flags of a server's OK and EOF packets.

/// What the server said last. An ERR packet carries no status: after one, the transaction's flag may be out of date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status(pub u16);

impl Status {
    #[must_use]
    pub const fn in_transaction(self) -> bool {
        self.0 & 1 != 0
    }

    #[must_use]
    pub const fn autocommit(self) -> bool {
        self.0 & 1 << 1 != 0
    }

    /// A further result follows.
    #[must_use]
    pub const fn has_more_results(self) -> bool {
        self.0 & 1 << 3 != 0
    }

    /// The rows wait in a cursor for COM_STMT_FETCH.
    #[must_use]
    pub const fn has_cursor(self) -> bool {
        self.0 & 1 << 6 != 0
    }

    #[must_use]
    pub const fn no_backslash_escapes(self) -> bool {
        self.0 & 1 << 9 != 0
    }

    /// The result holds the values of a procedure's OUT parameters, and the procedure's own OK follows it.
    pub(super) const fn has_out_parameters(self) -> bool {
        self.0 & 1 << 12 != 0 && self.has_more_results()
    }

    pub(super) const fn tells_of_the_session(self) -> bool {
        self.0 & 1 << 14 != 0
    }

    /// Whether a caller who wants to know of transactions has to hear of the change.
    pub(super) const fn differs_from(self, other: Self) -> bool {
        (self.0 ^ other.0) & 0b11 != 0
    }
}
