//! One call of a client library function: who made it, and which library it means.

use std::{
    ffi::{CStr, c_void},
    sync::Arc,
};

use super::{
    handle::{Guest, Handle},
    layout::{
        library::{self, Library},
        native::{Active, Called, Native},
    },
    recent,
    registry::Handles,
};
use crate::{guard, process::current};

#[derive(Clone, Copy)]
pub struct Call {
    library: Option<&'static Library>,
    /// The caller is the client library itself: a nested call.
    nested: bool,
}

impl Call {
    /// `caller`: a return address.
    #[inline]
    pub fn from(caller: usize) -> Self {
        match library::of_known_caller(caller) {
            Some((library, nested)) => Call { library: Some(library), nested },
            None => Self::from_stranger(caller),
        }
    }

    #[cold]
    #[inline(never)]
    fn from_stranger(caller: usize) -> Self {
        let found = guard::decide(|| library::of_caller(caller)).flatten();
        Call { library: found.map(|(library, _)| library), nested: found.is_some_and(|(_, nested)| nested) }
    }

    /// The real function of a door, or null.
    pub fn real(&self, door: usize, name: &CStr) -> *mut c_void {
        self.library.map_or(std::ptr::null_mut(), |library| library.real(door, name))
    }

    /// The client library calls itself.
    pub fn nested(&self) -> bool {
        self.nested
    }

    /// libmariadb: a statement of length 0 is measured by the library.
    pub fn measures_empty_texts(&self) -> bool {
        let managed = self.library.and_then(Library::managed);
        managed.is_some_and(|managed| managed.api.mariadb_reconnect.is_some())
    }

    pub fn library(&self) -> Option<&'static Library> {
        self.library
    }

    /// The protected handle that this call is on, entered; `None` if the call has to pass through.
    pub fn enter(&self, mysql: Active) -> Option<Guest> {
        self.enter_and(mysql, |_| ()).map(|(guest, ())| guest)
    }

    /// The protected handle, entered, and a first decision on it, in which there must be no cancellation point (see `guard::glance`).
    pub fn enter_and<T>(&self, mysql: Active, decision: impl FnOnce(&Guest) -> T) -> Option<(Guest, T)> {
        self.enter_by(mysql, |own| Some((mysql, own.handles.get(mysql.key())?)), decision)
    }

    /// Enters the handle that `owner` finds for what is called.
    pub fn enter_by<T>(
        &self,
        called: impl Called,
        owner: impl FnOnce(&Handles) -> Option<(Active, Arc<Handle>)>,
        decision: impl FnOnce(&Guest) -> T,
    ) -> Option<(Guest, T)> {
        // Most processes that come here have a protected connection; all others leave at the first line.
        let process = current::existing()?;
        guard::first_glance(|| {
            if !process.is_ours() {
                return None;
            }
            let (mysql, handle) = recent::find(process, called, owner)?;
            if self.nested {
                handle.on_nested_call(mysql);
                return None;
            }
            let guest = Handle::enter(handle, mysql)?;
            let decided = decision(&guest);
            Some((guest, decided))
        })
    }

    /// The application stores rows of which nothing has to be noted, on the handle that this thread used last: that is done,
    /// if `stored` says so. `None`, without `real`, if it is not as simple as that.
    pub fn store_plainly<T>(
        &self,
        called: impl Called,
        real: impl FnOnce() -> T,
        stored: impl Fn(&T) -> bool,
    ) -> Option<T> {
        let process = current::existing().filter(|process| !self.nested && process.is_ours())?;
        let rows = recent::last(process, &called)?.plain_rows()?;
        let outcome = real();
        if stored(&outcome) {
            rows.are_stored();
        }
        Some(outcome)
    }

    /// The protected handle on which an asynchronous call is under way that this call goes on with.
    pub fn go_on(&self, mysql: Active) -> Option<Guest> {
        let process = current::existing()?;
        if guard::ourselves() || self.nested {
            return None;
        }
        guard::decide(|| {
            let handle = Handles::of(process)?.handles.get(mysql.key()).filter(|_| process.is_ours())?;
            Handle::go_on(handle, mysql)
        })
        .flatten()
    }

    /// The handle, to read of it or to strike it off, without entering.
    pub fn find(&self, mysql: Active) -> Option<Arc<Handle>> {
        let process = current::existing()?;
        if guard::ourselves() || self.nested {
            return None;
        }
        guard::decide(|| Handles::of(process)?.handles.get(mysql.key()).filter(|_| process.is_ours())).flatten()
    }

    /// The application's handle, for a library that we manage.
    pub fn native(&self, mysql: Active) -> Option<Native> {
        let managed = self.library?.managed()?;
        (mysql.key() != 0).then(|| Native::new(mysql, managed))
    }
}
