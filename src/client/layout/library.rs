//! A client library as it is loaded in this process: which one, its functions, its calibration.

use std::{
    ffi::{CStr, c_char, c_void},
    mem,
    sync::atomic::{AtomicPtr, Ordering::*},
};

use once_cell::race::OnceBox;

use super::{
    calibration::{Layout, calibrate},
    statement_layout::{self, StatementLayout},
    sys::*,
};
use crate::{
    control::log::{Level::*, say},
    host::objects::{self, Object},
};

/// Room for the real functions of every door.
pub const DOORS: usize = 96;

/// A MySQL client library in this process. Lives for ever, like the library that it describes.
pub struct Library {
    pub object: Object,
    real: [AtomicPtr<c_void>; DOORS],
    managed: OnceBox<Option<Managed>>,
}

/// What it takes to manage handles of a library.
pub struct Managed {
    pub api: Api,
    pub layout: Layout,
    /// It polls for an answer that is not there yet, and the kernel is who it asks.
    pub polls: bool,
    /// Found out with the first prepared statement. `Some(None)`: not known, so that prepared statements pin.
    statements: OnceBox<Option<StatementLayout>>,
}

impl Managed {
    /// `None` before the first prepared statement too.
    pub fn statements(&self) -> Option<&StatementLayout> {
        self.statements.get()?.as_ref()
    }

    /// Looks at statements of a connected handle in the middle of nothing. Said once if it does not succeed.
    pub fn examine_statements(&self, mysql: *mut MYSQL) {
        if self.statements.get().is_some() {
            return;
        }
        let found = match statement_layout::calibrate(&self.api, mysql) {
            Ok(layout) => Some(layout),
            // The server's doing: another time perhaps.
            Err(None) => return,
            Err(Some(what)) => {
                say!(
                    Warn,
                    "prepared statements cannot be moved: calibration failed at {what}; they pin their sessions"
                );
                None
            }
        };
        let _ = self.statements.set(Box::new(found));
    }
}

/// An object that calls the client library, and which library its calls mean.
struct Binding {
    caller: Object,
    library: &'static Library,
    /// The caller is the library.
    itself: bool,
}

/// Callers seen so far; append-only, so that the doors' fast path takes no lock.
static BINDINGS: [OnceBox<Binding>; 64] = [const { OnceBox::new() }; 64];
static LIBRARIES: [OnceBox<Library>; 16] = [const { OnceBox::new() }; 16];

/// What [`of_caller`] says, if that caller was asked for before: no lock, no allocation, nothing that could fail.
#[inline]
pub fn of_known_caller(caller: usize) -> Option<(&'static Library, bool)> {
    let known = BINDINGS.iter().map_while(OnceBox::get).find(|binding| binding.caller.contains(caller))?;
    Some((known.library, known.itself))
}

/// The library that code at `caller` means, and whether that code is the library itself.
pub fn of_caller(caller: usize) -> Option<(&'static Library, bool)> {
    let Some(object) = objects::object_of(caller) else {
        // Code made at run time (a JIT's): it belongs to no object, so nothing is remembered of it.
        return Library::anywhere().map(|library| (library, false));
    };
    let library = Library::behind(&object)?;
    let itself = library.is_itself(caller);
    for cell in &BINDINGS {
        if cell.set(Box::new(Binding { caller: object.clone(), library, itself })).is_ok() {
            break;
        }
    }
    Some((library, itself))
}

impl Library {
    /// The library whose `mysql_init` the given object means.
    fn behind(caller: &Object) -> Option<&'static Library> {
        // The loader would have looked in the global scope first, then in the caller's own. A versioned reference
        // passes by a global library that does not have this version: another client library.
        let global = objects::object_of(objects::next(c"mysql_init") as usize);
        let own = objects::object_of(caller.symbol(c"mysql_init") as usize);
        match (own, global) {
            (Some(own), _) if own.versioned => Self::at(own),
            (_, Some(global)) => Self::at(global),
            (Some(own), None) => Self::at(own),
            (None, None) => Self::anywhere(),
        }
    }

    /// Loaded privately by another object: the first object that defines it.
    fn anywhere() -> Option<&'static Library> {
        objects::all()
            .into_iter()
            .filter(|object| !object.path.is_empty())
            .find(|object| object.contains(object.symbol(c"mysql_init") as usize))
            .and_then(Self::at)
    }

    fn at(object: Object) -> Option<&'static Library> {
        LIBRARIES
            .iter()
            .map(|cell| cell.get_or_init(|| Box::new(Library::new(object.clone()))))
            .find(|library| library.object == object)
    }

    fn new(object: Object) -> Self {
        let real = [const { AtomicPtr::new(std::ptr::null_mut()) }; DOORS];
        Library { object, real, managed: OnceBox::new() }
    }

    /// Is the caller the client library itself, calling its own exported functions? A client that is linked into
    /// an extension cannot be told from that extension by address; the handle tells then.
    fn is_itself(&self, caller: usize) -> bool {
        self.object.contains(caller) && self.is_separate()
    }

    /// A library of its own, by its name, and no part of an extension.
    fn is_separate(&self) -> bool {
        let names = [&b"libmariadb"[..], b"libmysqlclient", b"libperconaserverclient"];
        names.iter().any(|name| self.object.file().starts_with(name))
    }

    /// The real function of a door, or null if this library does not have it.
    pub fn real(&self, door: usize, name: &CStr) -> *mut c_void {
        let known = self.real[door].load(Relaxed);
        if !known.is_null() {
            return known;
        }
        let found = self.object.symbol(name);
        self.real[door].store(found, Relaxed);
        found
    }

    /// `None` if this library is not one that we know how to manage: said once, then passed through.
    pub fn managed(&self) -> Option<&Managed> {
        self.managed
            .get_or_init(|| {
                let managed = self.examine();
                if let Err(why) = &managed {
                    say!(
                        Warn,
                        "{}: not a client library that can be protected ({why}); its connections pass through",
                        self.object.path.to_string_lossy()
                    );
                }
                Box::new(managed.ok())
            })
            .as_ref()
    }

    fn examine(&self) -> Result<Managed, String> {
        let api = self.api()?;
        // SAFETY: no arguments.
        let version = unsafe { (api.mysql_get_client_version)() };
        // By how it behaves, not by its number: a release that is newer than this library works on the day it comes out.
        let layout = calibrate(&api).map_err(|what| format!("version {version}, calibration failed at {what}"))?;
        // In an extension, its asynchronous calls cannot be told from others: they call the same functions.
        let polls = api.mariadb_reconnect.is_some()
            && self.is_separate()
            && [c"recv", c"poll"].into_iter().all(objects::is_the_c_librarys);
        Ok(Managed { api, layout, polls, statements: OnceBox::new() })
    }

    #[allow(clippy::missing_transmute_annotations, reason = "the field that it is stored in names the type")]
    fn api(&self) -> Result<Api, String> {
        macro_rules! function {
            ($name:ident) => {{
                const NAME: &str = concat!(stringify!($name), "\0");
                let name = CStr::from_bytes_with_nul(NAME.as_bytes()).map_err(|_| NAME)?;
                let address = self.object.symbol(name);
                if address.is_null() {
                    return Err(format!("it has no {}", stringify!($name)));
                }
                // SAFETY: the function of this name in a MySQL client library has the signature of the field that
                // it is stored in (mysql.h of both libraries).
                unsafe { mem::transmute::<*mut c_void, _>(address) }
            }};
        }
        let reconnect = self.object.symbol(c"mariadb_reconnect");
        Ok(Api {
            mysql_errno: function!(mysql_errno),
            mysql_error: function!(mysql_error),
            mysql_stmt_errno: function!(mysql_stmt_errno),
            mysql_stmt_error: function!(mysql_stmt_error),
            mysql_stmt_sqlstate: function!(mysql_stmt_sqlstate),
            mysql_stmt_init: function!(mysql_stmt_init),
            mysql_stmt_prepare: function!(mysql_stmt_prepare),
            mysql_stmt_bind_param: function!(mysql_stmt_bind_param),
            mysql_stmt_send_long_data: function!(mysql_stmt_send_long_data),
            mysql_stmt_execute: function!(mysql_stmt_execute),
            mysql_stmt_store_result: function!(mysql_stmt_store_result),
            mysql_stmt_row_tell: function!(mysql_stmt_row_tell),
            mysql_stmt_affected_rows: function!(mysql_stmt_affected_rows),
            mysql_stmt_insert_id: function!(mysql_stmt_insert_id),
            mysql_stmt_param_count: function!(mysql_stmt_param_count),
            mysql_stmt_field_count: function!(mysql_stmt_field_count),
            mysql_stmt_result_metadata: function!(mysql_stmt_result_metadata),
            mysql_fetch_fields: function!(mysql_fetch_fields),
            mysql_stmt_attr_get: function!(mysql_stmt_attr_get),
            mysql_stmt_close: function!(mysql_stmt_close),
            mysql_sqlstate: function!(mysql_sqlstate),
            mysql_thread_id: function!(mysql_thread_id),
            mysql_affected_rows: function!(mysql_affected_rows),
            mysql_insert_id: function!(mysql_insert_id),
            mysql_warning_count: function!(mysql_warning_count),
            mysql_field_count: function!(mysql_field_count),
            mysql_more_results: function!(mysql_more_results),
            mysql_get_server_info: function!(mysql_get_server_info),
            mysql_get_ssl_cipher: function!(mysql_get_ssl_cipher),
            mysql_character_set_name: function!(mysql_character_set_name),
            mysql_get_option: function!(mysql_get_option),
            mysql_options: function!(mysql_options),
            mysql_ping: function!(mysql_ping),
            mysql_select_db: function!(mysql_select_db),
            mysql_set_character_set: function!(mysql_set_character_set),
            mysql_reset_connection: function!(mysql_reset_connection),
            mysql_set_server_option: function!(mysql_set_server_option),
            mysql_real_query: function!(mysql_real_query),
            mysql_store_result: function!(mysql_store_result),
            mysql_next_result: function!(mysql_next_result),
            mysql_free_result: function!(mysql_free_result),
            mysql_num_fields: function!(mysql_num_fields),
            mysql_fetch_row: function!(mysql_fetch_row),
            mysql_fetch_lengths: function!(mysql_fetch_lengths),
            mysql_data_seek: function!(mysql_data_seek),
            mysql_close: function!(mysql_close),
            mysql_init: function!(mysql_init),
            mysql_get_client_version: function!(mysql_get_client_version),
            mariadb_reconnect: if reconnect.is_null() {
                None
            } else {
                // SAFETY: as above.
                Some(unsafe { mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut MYSQL) -> c_char>(reconnect) })
            },
        })
    }
}
