//! The handle that this thread's last call was on. A statement takes two or three calls, so it is nearly always the one of
//! the next call too, and need not be looked up under the locks that all threads share.

use std::{cell::Cell, ptr, sync::Arc};

use super::{
    handle::Handle,
    layout::native::{Active, Called},
    registry::Handles,
};
use crate::process::Process;

/// The handle of the object at the address `key`, as of this epoch of the process.
#[derive(Clone, Copy)]
struct Recent {
    process: *const Process,
    /// What the process has.
    handles: Option<&'static Handles>,
    epoch: u64,
    key: usize,
    mysql: Option<Active>,
    handle: *const Handle,
}

thread_local! {
    static RECENT: Cell<Recent> =
        const { Cell::new(Recent { process: ptr::null(), handles: None, epoch: 0, key: 0, mysql: None, handle: ptr::null() }) };
}

impl Recent {
    /// The last handle, if it is that of `called`. The handle is alive: the process keeps it until it is closed, which would be
    /// another epoch, and the application, which is in a call on it, does not close it meanwhile (see `Called`).
    fn of(process: &Process, called: impl Called) -> Option<Recent> {
        let recent = RECENT.try_with(Cell::get).ok()?;
        let still = ptr::eq(recent.process, process) && recent.key == called.key();
        (still && recent.handles?.epoch() == recent.epoch).then_some(recent)
    }
}

/// The handle of what is called: this thread's last one, or what `look_up` finds in the process.
pub fn find(
    process: &'static Process,
    called: impl Called,
    look_up: impl FnOnce(&'static Handles) -> Option<(Active, Arc<Handle>)>,
) -> Option<(Active, Arc<Handle>)> {
    if let Some(Recent { mysql: Some(mysql), handle, .. }) = Recent::of(process, called) {
        // SAFETY: alive, as `of` says, and the address of what an Arc keeps.
        let handle = unsafe {
            Arc::increment_strong_count(handle);
            Arc::from_raw(handle)
        };
        return Some((mysql, handle));
    }
    look_up_and_remember(process, called, look_up)
}

#[cold]
#[inline(never)]
fn look_up_and_remember(
    process: &'static Process,
    called: impl Called,
    look_up: impl FnOnce(&'static Handles) -> Option<(Active, Arc<Handle>)>,
) -> Option<(Active, Arc<Handle>)> {
    let handles = Handles::of(process)?;
    let epoch = handles.epoch();
    let (mysql, handle) = look_up(handles)?;
    let recent = Recent {
        process,
        handles: Some(handles),
        epoch,
        key: called.key(),
        mysql: Some(mysql),
        handle: Arc::as_ptr(&handle),
    };
    let _ = RECENT.try_with(|last| last.set(recent));
    Some((mysql, handle))
}

/// The handle of what is called, if that is this thread's last one.
pub fn last<'c, C: Called>(process: &Process, called: &'c C) -> Option<&'c Handle> {
    // SAFETY: alive as long as `called`, as `of` says.
    Recent::of(process, *called).and_then(|recent| unsafe { recent.handle.as_ref() })
}
