//! Where the fields without a setter lie inside a library's `MYSQL`, found out by asking the library itself.
//!
//! A zeroed structure is given to local accessor functions with one field after the other set; exactly one offset
//! changes the answer. A library that answers otherwise is not managed.

use std::ffi::c_ulong;

use super::sys::*;

/// Offsets in bytes from the start of `MYSQL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub last_errno: usize,
    /// `NET.error`, one byte; 2 tells libmysqlclient that the socket is of no use.
    pub net_error: usize,
    pub last_error: usize,
    pub sqlstate: usize,
    pub server_status: usize,
    /// `reconnect`, one byte; libmysqlclient only (libmariadb has it in its options and a silent setter).
    pub reconnect: Option<usize>,
}

/// `NET.vio` / `NET.pvio` and `NET.fd`: the first members in every version of both libraries; the drivers rely on it.
pub const NET_VIO: usize = 0;
pub const NET_FD: usize = 40;
/// `MYSQL_ERRMSG_SIZE`, `SQLSTATE_LENGTH` + 1.
pub const ERROR_TEXT: usize = 512;
pub const SQLSTATE: usize = 6;

/// Larger than every known `MYSQL` (1272 bytes).
pub(super) const FAKE: usize = 8192;
/// Fields are searched for in the part that all versions have.
pub(super) const SEARCHED: usize = 1160;
/// `sizeof(MYSQL)` of libmysqlclient 8.0 to 9.7: what it allocates has no more.
const MYSQL_SIZE: usize = 1160;

#[repr(C, align(16))]
pub(super) struct Fake(pub [u8; FAKE]);

/// Fails with what did not answer as expected.
pub fn calibrate(api: &Api) -> Result<Layout, &'static str> {
    let mut fake = Box::new(Fake([0; FAKE]));
    let base: *mut u8 = fake.0.as_mut_ptr();
    let mysql: *mut MYSQL = base.cast();
    macro_rules! says {
        ($accessor:ident) => {
            // SAFETY: the accessor only reads a scalar member of the structure, or gives the address of one. The
            // structure is zeroed but for one scalar, larger than any real one, and never connected.
            unsafe { (api.$accessor)(mysql) }
        };
    }
    let last_errno = only_one(base, 4, 1234u32, || says!(mysql_errno) == 1234).ok_or("mysql_errno")?;
    let more = || says!(mysql_more_results) != 0;
    let server_status = only_one(base, 4, SERVER_MORE_RESULTS_EXIST, more).ok_or("mysql_more_results")?;
    let thread = || says!(mysql_thread_id) == 77 as c_ulong;
    only_one(base, 8, 77u64, thread).ok_or("mysql_thread_id")?;
    // SAFETY: the offset was found inside the structure.
    unsafe { base.add(last_errno).cast::<u32>().write(1) };
    let inside = |pointer: *const std::ffi::c_char, length: usize| {
        let offset = (pointer as usize).wrapping_sub(base as usize);
        (offset > last_errno && offset + length <= SEARCHED).then_some(offset)
    };
    let last_error = inside(says!(mysql_error), ERROR_TEXT).ok_or("mysql_error")?;
    let sqlstate = inside(says!(mysql_sqlstate), SQLSTATE).ok_or("mysql_sqlstate")?;
    if sqlstate < last_error + ERROR_TEXT && last_error < sqlstate + SQLSTATE {
        return Err("mysql_sqlstate overlaps mysql_error");
    }
    // SAFETY: as above.
    unsafe { base.add(last_errno).cast::<u32>().write(0) };
    let reconnect = match api.mariadb_reconnect {
        Some(_) => None,
        None => Some(after_free_me(api, server_status).ok_or("mysql_init")?),
    };
    Ok(Layout { last_errno, net_error: last_errno + 4, last_error, sqlstate, server_status, reconnect })
}

/// `reconnect` of libmysqlclient, the byte after `free_me`. (Its option has a getter, which prints a deprecation
/// warning.) `mysql_init` sets `free_me` in a structure that it allocates itself, and not in one that it is given;
/// the rest of that word is zero in both.
fn after_free_me(api: &Api, server_status: usize) -> Option<usize> {
    let mysql_init = api.mysql_init;
    let mut given = Box::new(Fake([0; FAKE]));
    let given: *mut MYSQL = given.0.as_mut_ptr().cast();
    // SAFETY: the manual's two ways to call mysql_init; the given structure is larger than any real one. Both are
    // closed again without having been connected, and are not read beyond the size that every version has.
    unsafe {
        let allocated = mysql_init(std::ptr::null_mut());
        if allocated.is_null() {
            return None;
        }
        let mut found = None;
        if !mysql_init(given).is_null() {
            let word = |of: *mut MYSQL, offset: usize| of.cast::<u8>().add(offset).cast::<u64>().read_unaligned();
            let sets = |offset: &usize| word(allocated, *offset) == 1 && word(given, *offset) == 0;
            let mut offsets = (server_status.next_multiple_of(8)..MYSQL_SIZE - 8).step_by(8).filter(sets);
            found = offsets.next().filter(|_| offsets.next().is_none());
            (api.mysql_close)(given);
        }
        (api.mysql_close)(allocated);
        found.map(|free_me| free_me + 1)
    }
}

/// The one offset, in steps of `step`, at which `value` makes `answers` true.
pub(super) fn only_one<T: Copy>(base: *mut u8, step: usize, value: T, answers: impl Fn() -> bool) -> Option<usize> {
    let mut found = None;
    for offset in (0..SEARCHED - size_of::<T>()).step_by(step) {
        let mut kept = std::mem::MaybeUninit::<T>::uninit();
        // SAFETY: offset + size_of::<T>() lies inside the fake structure; T is plain data; the kept bytes are put back.
        let hit = unsafe {
            base.add(offset).copy_to(kept.as_mut_ptr().cast(), size_of::<T>());
            base.add(offset).cast::<T>().write_unaligned(value);
            let hit = answers();
            base.add(offset).copy_from(kept.as_ptr().cast(), size_of::<T>());
            hit
        };
        if hit && found.replace(offset).is_some() {
            return None;
        }
    }
    found
}
