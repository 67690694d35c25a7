//! How each library is made to connect a handle anew, in place, with the application's own credentials and options.

use std::{
    cell::Cell,
    ffi::{c_char, c_uint},
    time::Duration,
};

use super::{
    native::{Native, on_handle},
    sys::*,
};
use crate::verdict::failure::Failure;

/// As much of an error's text as is looked at.
const TEXT: usize = 256;

/// Why the connect failed that a library made inside of its reconnect.
#[derive(Clone, Copy)]
struct Inner {
    number: u32,
    text: [u8; TEXT],
    length: usize,
}

thread_local! {
    /// `const` and without Drop, as all of the library's thread locals.
    static INNER: Cell<Option<Inner>> = const { Cell::new(None) };
}

/// The connect that a library makes inside of its reconnect, on a structure of its own, has failed. libmysqlclient (9.7,
/// `cli_advanced_command`) tells its caller 2013 whatever the reason was, a refused login too.
pub fn inner_connect_failed(failure: &Failure) {
    let length = failure.text.len().min(TEXT);
    let mut text = [0; TEXT];
    text[..length].copy_from_slice(&failure.text[..length]);
    let _ = INNER.try_with(|inner| inner.set(Some(Inner { number: failure.number, text, length })));
}

/// The reason of the connect inside, if that was noted, instead of the one that the library gives.
fn reason(outer: Failure) -> Failure {
    let inner = INNER.try_with(Cell::take).ok().flatten().filter(|inner| inner.number != 0);
    inner.map_or(outer, |inner| {
        Failure::new(inner.number, b"HY000", &String::from_utf8_lossy(&inner.text[..inner.length]))
    })
}

impl Native {
    /// Logs in again on the same handle; the caller has steered the address. On failure the old connection, if it
    /// was alive, is still there. `patience`: where the application itself would wait longer.
    pub fn reconnect(&self, patience: Duration) -> Result<(), Failure> {
        // Both libraries refuse to reconnect a handle that they believe to be in a transaction.
        self.set_server_status(self.server_status() & !(SERVER_STATUS_IN_TRANS | SERVER_MORE_RESULTS_EXIST));
        self.with_patience(patience, || match (self.api().mariadb_reconnect, self.managed().layout.reconnect) {
            (Some(mariadb_reconnect), _) => self.reconnect_mariadb(mariadb_reconnect),
            (None, Some(flag)) => self.reconnect_mysql(flag),
            // Calibration sees to it that there is one or the other.
            (None, None) => Err(self.failure()),
        })
    }

    /// While `act` runs, a connect waits for a server to accept and to greet as long as the application's own would, and no
    /// longer than `patience`. (The unit of the libraries' options is a second; 0 is no limit at all.)
    fn with_patience<T>(&self, patience: Duration, act: impl FnOnce() -> T) -> T {
        let patience = c_uint::try_from(patience.as_secs()).unwrap_or(c_uint::MAX).max(1);
        let mut own: c_uint = 0;
        on_handle!(self.mysql_get_option(MYSQL_OPT_CONNECT_TIMEOUT, (&raw mut own).cast()));
        let set = |seconds: c_uint| {
            on_handle!(self.mysql_options(MYSQL_OPT_CONNECT_TIMEOUT, (&raw const seconds).cast()));
        };
        set(if own == 0 { patience } else { own.min(patience) });
        let outcome = act();
        set(own);
        outcome
    }

    fn reconnect_mariadb(&self, reconnect: unsafe extern "C" fn(*mut MYSQL) -> c_char) -> Result<(), Failure> {
        let mut before: u8 = 0;
        let set = |flag: u8| on_handle!(self.mysql_options(MARIADB_OPT_RECONNECT, (&raw const flag).cast()));
        on_handle!(self.mysql_get_option(MARIADB_OPT_RECONNECT, (&raw mut before).cast()));
        set(1);
        // SAFETY: the library's own function on a valid handle.
        let failed = unsafe { reconnect(self.mysql()) };
        // Setting an option does not touch the handle's error.
        set(before);
        self.succeeded(failed.into())
    }

    /// libmysqlclient reconnects when it is about to send on a handle whose socket it believes to be of no use. (Its
    /// option would print a warning to stderr.)
    fn reconnect_mysql(&self, flag: usize) -> Result<(), Failure> {
        const UNUSABLE: u8 = 2;
        let (flag, error) = (self.field::<u8>(flag), self.field::<u8>(self.managed().layout.net_error));
        let thread = self.thread_id();
        // SAFETY: two calibrated one-byte fields.
        let before = unsafe { (flag.replace(1), error.replace(UNUSABLE)) };
        let _ = INNER.try_with(Cell::take);
        let failed = on_handle!(self.mysql_ping());
        // SAFETY: as above.
        unsafe {
            flag.write(before.0);
            if failed != 0 && self.thread_id() == thread {
                error.write(before.1);
            }
        }
        self.succeeded(failed).map_err(reason)
    }
}
