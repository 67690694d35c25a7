//! Parameters of a prepared statement: what the application has bound, read as values, and values bound again.

use std::{
    ffi::{CStr, c_ulong},
    slice,
};

use super::sys::{MYSQL_BIND, kind};
use crate::session::execution::{Content, Value};

/// What is kept of one execution's values at most, in bytes.
const BYTES: usize = 1024 * 1024;

/// Reads the values that an execution is about to send; `long` gives those that were sent already. `None` if there are
/// too many bytes, or of a type that is not known.
///
/// # Safety
/// The application is inside `mysql_stmt_execute` with these parameters bound, so their addresses are valid.
pub unsafe fn read(binds: &[MYSQL_BIND], time: usize, long: impl Fn(u32) -> Option<Vec<u8>>) -> Option<Vec<Value>> {
    let mut bytes = 0;
    let mut values = Vec::with_capacity(binds.len());
    for (at, bind) in (0..).zip(binds) {
        let content = match long(at) {
            Some(data) => Content::Long(data),
            // SAFETY: as the caller vouches.
            None => unsafe { value(bind, time, BYTES - bytes) }?,
        };
        bytes += match &content {
            Content::Null => 0,
            Content::Bytes(data) | Content::Long(data) => data.len(),
        };
        if bytes > BYTES {
            return None;
        }
        values.push(Value { kind: bind.buffer_type, unsigned: bind.is_unsigned != 0, content });
    }
    Some(values)
}

/// # Safety
/// As for [`read`].
unsafe fn value(bind: &MYSQL_BIND, time: usize, at_most: usize) -> Option<Content> {
    use kind::*;
    let null = bind.is_null as *const u8;
    // SAFETY: null, or the application's flag.
    if bind.buffer_type == NULL || !null.is_null() && unsafe { *null } != 0 {
        return Some(Content::Null);
    }
    let buffer = bind.buffer as *const u8;
    let length = match bind.buffer_type {
        TINY => 1,
        SHORT | YEAR => 2,
        LONG | INT24 | FLOAT => 4,
        LONGLONG | DOUBLE => 8,
        DATE | TIME | DATETIME | TIMESTAMP => time,
        // DECIMAL, VARCHAR, JSON, NEWDECIMAL, and from TINY_BLOB to STRING.
        0 | 15 | 245 | 246 | 249..=254 => {
            let length = bind.length as *const c_ulong;
            // SAFETY: null, or the application's number.
            let length = if length.is_null() { bind.buffer_length } else { unsafe { *length } };
            match length {
                // libmariadb: a string that ends with its NUL byte.
                c_ulong::MAX if buffer.is_null() => return None,
                // SAFETY: as the application says.
                c_ulong::MAX => unsafe { CStr::from_ptr(buffer.cast()) }.count_bytes(),
                length => length as usize,
            }
        }
        _ => return None,
    };
    if length > at_most || buffer.is_null() && length > 0 {
        return None;
    }
    if length == 0 {
        return Some(Content::Bytes(Vec::new()));
    }
    // SAFETY: the buffer has so many bytes: the library is about to send them.
    Some(Content::Bytes(unsafe { slice::from_raw_parts(buffer, length) }.to_vec()))
}

/// Values, bound: they must stay where they are while the statement may be executed.
pub struct Bound {
    pub binds: Vec<MYSQL_BIND>,
    _lengths: Vec<c_ulong>,
}

pub fn bind(values: &[Value]) -> Bound {
    let content = |value: &Value| match &value.content {
        Content::Bytes(bytes) => bytes.len() as c_ulong,
        Content::Null | Content::Long(_) => 0,
    };
    let lengths: Vec<c_ulong> = values.iter().map(content).collect();
    let binds = values.iter().zip(&lengths).map(|(value, length)| {
        let (buffer_type, buffer) = match &value.content {
            Content::Null => (kind::NULL, 0),
            Content::Bytes(bytes) => (value.kind, bytes.as_ptr() as usize),
            Content::Long(_) => (value.kind, 0),
        };
        let is_unsigned = value.unsigned.into();
        let length_at = std::ptr::from_ref(length) as usize;
        MYSQL_BIND { length: length_at, buffer, buffer_length: *length, buffer_type, is_unsigned, ..Default::default() }
    });
    Bound { binds: binds.collect(), _lengths: lengths }
}
