//! What the two sides agreed on in the login.

/// A set of capabilities, those of MariaDB's own in the upper half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(pub u64);

impl Capabilities {
    /// MySQL's servers have it; one of MariaDB leaves it out, and says capabilities of its own instead.
    pub const MYSQL: Self = Self(1);
    pub const CONNECT_WITH_DB: Self = Self(1 << 3);
    pub const COMPRESS: Self = Self(1 << 5);
    pub const PROTOCOL_41: Self = Self(1 << 9);
    pub const SSL: Self = Self(1 << 11);
    pub const SECURE_CONNECTION: Self = Self(1 << 15);
    pub const PLUGIN_AUTH: Self = Self(1 << 19);
    pub const PLUGIN_AUTH_LENENC: Self = Self(1 << 21);
    pub const SESSION_TRACK: Self = Self(1 << 23);
    pub const DEPRECATE_EOF: Self = Self(1 << 24);
    pub const OPTIONAL_METADATA: Self = Self(1 << 25);
    pub const ZSTD: Self = Self(1 << 26);
    pub const QUERY_ATTRIBUTES: Self = Self(1 << 27);
    /// Progress reports, as MariaDB's older clients ask for them.
    pub const PROGRESS_OLD: Self = Self(1 << 29);
    pub const MARIADB_PROGRESS: Self = Self(1 << 32);
    pub const MARIADB_CACHE_METADATA: Self = Self(1 << 36);

    #[must_use]
    pub const fn has(self, one: Self) -> bool {
        self.0 & one.0 != 0
    }

    /// What both sides have.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) const fn is_compressed(self) -> bool {
        self.has(Self::COMPRESS) || self.has(Self::ZSTD)
    }

    pub(super) const fn reports_progress(self) -> bool {
        self.has(Self::PROGRESS_OLD) || self.has(Self::MARIADB_PROGRESS)
    }
}
