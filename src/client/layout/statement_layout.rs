//! Where the fields of a `MYSQL_STMT` lie that have no setter, found out on two statements of a real handle.
//!
//! They are linked one behind the other, prepared one after the other, and closed again: a field is whatever behaved as
//! it must have. What does not answer alike in both is not believed.

use std::ffi::{c_char, c_ulong};

use super::{
    calibration::{ERROR_TEXT, FAKE, Fake, SEARCHED, SQLSTATE, only_one},
    sys::*,
};

/// Offsets in bytes from the start of `MYSQL_STMT`, but for the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementLayout {
    /// In `MYSQL`: the list of its statements.
    pub stmts: usize,
    /// `LIST { prev, next, data }`.
    pub list: usize,
    pub mysql: usize,
    /// `unsigned long`.
    pub id: usize,
    /// An `int`.
    pub state: usize,
    /// Its value in a statement that is not prepared; one more is a prepared one.
    pub unprepared: u32,
    pub last_errno: usize,
    pub last_error: usize,
    pub sqlstate: usize,
    /// `MYSQL_BIND *`: what is bound to the parameters. DBD::mysql writes there without a call. `None`: this library sends
    /// something else.
    pub params: Option<usize>,
}

/// Bytes of a `MYSQL` and of a `MYSQL_STMT` that all versions have: fields are searched for in these.
const OF_LIBMARIADB: (usize, usize) = (1272, 832);
const OF_LIBMYSQLCLIENT: (usize, usize) = (1160, 704);
/// Does nothing, has no parameters and no fields.
const NOTHING: &[u8] = b"DO 0";
/// A statement with a parameter.
const OF_ONE: &[u8] = b"DO ?";

/// A connected handle's own statements, of which no other code knows.
struct Pair<'a> {
    api: &'a Api,
    both: [*mut MYSQL_STMT; 2],
}

impl Drop for Pair<'_> {
    fn drop(&mut self) {
        for statement in self.both.into_iter().filter(|statement| !statement.is_null()) {
            // SAFETY: made by `calibrate` and closed nowhere else.
            unsafe { (self.api.mysql_stmt_close)(statement) };
        }
    }
}

/// Fails with what did not answer as expected, or with nothing if the server did not play along.
pub fn calibrate(api: &Api, mysql: *mut MYSQL) -> Result<StatementLayout, Option<&'static str>> {
    let errors = error_fields(api).map_err(Some)?;
    let (handle_size, size) = if api.mariadb_reconnect.is_some() { OF_LIBMARIADB } else { OF_LIBMYSQLCLIENT };
    // SAFETY: the handle is connected, and nothing is under way on it.
    let both = [(), ()].map(|()| unsafe { (api.mysql_stmt_init)(mysql) });
    let pair = Pair { api, both };
    if pair.both.iter().any(|statement| statement.is_null()) {
        return Err(None);
    }
    let [older, newer] = pair.both.map(|statement| statement as usize);
    let fresh = [older, newer].map(|statement| words::<u32>(statement, size));
    let (stmts, list) = lists(words(mysql as usize, handle_size), older, newer, size).ok_or(Some("mysql_stmt_init"))?;
    for statement in pair.both {
        // SAFETY: our own statement; the text's length is given.
        let failed = unsafe { (api.mysql_stmt_prepare)(statement, NOTHING.as_ptr().cast(), NOTHING.len() as c_ulong) };
        if failed != 0 {
            return Err(None);
        }
    }
    let prepared = [older, newer].map(|statement| words::<u32>(statement, size));
    let long = [older, newer].map(|statement| words::<u64>(statement, size));
    let of_mysql = |at: &usize| long[0][*at] == mysql as u64 && long[1][*at] == mysql as u64;
    // Ids are counted up for each connection.
    let ids = |at: &usize| (1..u64::from(u32::MAX)).contains(&long[0][*at]) && long[1][*at] == long[0][*at] + 1;
    let states = |at: &usize| {
        let before = fresh[0][*at];
        before <= 1 && fresh[1][*at] == before && prepared.iter().all(|after| after[*at] == before + 1)
    };
    let mysql = the_one((0..long[0].len()).filter(of_mysql)).ok_or(Some("the statement's handle"))? * 8;
    let id = the_one((0..long[0].len()).filter(ids)).ok_or(Some("the statement's id"))? * 8;
    let state = the_one((0..prepared[0].len()).filter(states)).ok_or(Some("the statement's state"))?;
    let unprepared = fresh[0][state];
    let [last_errno, last_error, sqlstate] = errors;
    let state = state * 4;
    let params = parameters(api, pair.both[0], (mysql, id, state))?;
    if params.is_none() && api.mariadb_reconnect.is_some() {
        return Err(Some("the statement's parameters"));
    }
    Ok(StatementLayout { stmts, list, mysql, id, state, unprepared, last_errno, last_error, sqlstate, params })
}

/// Where the library keeps what is bound. Both have it in their header files (mysql.h, mariadb_stmt.h), close to what was
/// found by its behaviour: nothing is read through it unless that is where it must be.
fn parameters(
    api: &Api,
    statement: *mut MYSQL_STMT,
    (mysql, id, state): (usize, usize, usize),
) -> Result<Option<usize>, Option<&'static str>> {
    let params = match api.mariadb_reconnect {
        Some(_) if id == mysql + 8 && state == id + 16 => id + 48,
        None if id == mysql + 96 && state == id + 40 => mysql + 8,
        _ => return Ok(None),
    };
    // SAFETY: our own statement; the text's length is given.
    let failed = unsafe { (api.mysql_stmt_prepare)(statement, OF_ONE.as_ptr().cast(), OF_ONE.len() as c_ulong) };
    if failed != 0 {
        return Err(None);
    }
    let number = 0i32;
    let buffer = std::ptr::from_ref(&number) as usize;
    let mut bind = MYSQL_BIND { buffer, buffer_type: kind::LONG, ..Default::default() };
    // SAFETY: one parameter, and one is bound; the statement is never executed with it.
    let failed = unsafe { (api.mysql_stmt_bind_param)(statement, &mut bind) };
    // SAFETY: a member of the structure; a pointer to an array of one, if it is what it must be.
    let kept = unsafe { statement.cast::<u8>().add(params).cast::<*const MYSQL_BIND>().read() };
    if failed != 0 || kept.is_null() || !kept.is_aligned() {
        return Ok(None);
    }
    // SAFETY: as above.
    let kept = unsafe { kept.read() };
    Ok((kept.buffer == buffer && kept.buffer_type == kind::LONG).then_some(params))
}

/// Where errno, text and SQL state are, asked from the accessors.
fn error_fields(api: &Api) -> Result<[usize; 3], &'static str> {
    let mut fake = Box::new(Fake([0; FAKE]));
    let base: *mut u8 = fake.0.as_mut_ptr();
    let statement: *mut MYSQL_STMT = base.cast();
    // SAFETY: the accessor reads one scalar of the structure, which is larger than any real one.
    let number = || unsafe { (api.mysql_stmt_errno)(statement) } == 1234;
    let last_errno = only_one(base, 4, 1234u32, number).ok_or("mysql_stmt_errno")?;
    let inside = |pointer: *const c_char, length: usize| {
        let offset = (pointer as usize).wrapping_sub(base as usize);
        (offset + length <= SEARCHED).then_some(offset)
    };
    // SAFETY: the accessors give the address of a member.
    let (text, state) = unsafe { ((api.mysql_stmt_error)(statement), (api.mysql_stmt_sqlstate)(statement)) };
    let text = inside(text, ERROR_TEXT).ok_or("mysql_stmt_error")?;
    let state = inside(state, SQLSTATE).ok_or("mysql_stmt_sqlstate")?;
    let apart = |one: (usize, usize), other: (usize, usize)| one.0 + one.1 <= other.0 || other.0 + other.1 <= one.0;
    let fields = [(last_errno, 4), (text, ERROR_TEXT), (state, SQLSTATE)];
    let all_apart = apart(fields[0], fields[1]) && apart(fields[0], fields[2]) && apart(fields[1], fields[2]);
    if all_apart { Ok([last_errno, text, state]) } else { Err("mysql_stmt_error") }
}

/// The handle's list of statements and its link in each: the newer one is first and knows the older one.
fn lists(of_handle: Vec<u64>, older: usize, newer: usize, size: usize) -> Option<(usize, usize)> {
    let inside = |word: &u64| (newer..newer + size - 16).contains(&(*word as usize));
    let stmts = the_one((0..of_handle.len()).filter(|at| inside(&of_handle[*at])))?;
    let list = of_handle[stmts] as usize - newer;
    if !list.is_multiple_of(8) {
        return None;
    }
    let [old, new] = [older, newer].map(|statement| words::<u64>(statement, size));
    let at = list / 8;
    let links = new[at] == 0
        && new[at + 1] == (older + list) as u64
        && new[at + 2] == newer as u64
        && old[at] == (newer + list) as u64
        && old[at + 2] == older as u64;
    links.then_some((stmts * 8, list))
}

fn the_one(mut found: impl Iterator<Item = usize>) -> Option<usize> {
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// The first `size` bytes of a structure of the library.
fn words<T: Copy>(structure: usize, size: usize) -> Vec<T> {
    let base = structure as *const T;
    // SAFETY: a structure of at least that size, that no other thread uses meanwhile; T is plain data.
    (0..size / size_of::<T>()).map(|at| unsafe { base.add(at).read_unaligned() }).collect()
}
