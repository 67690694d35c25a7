//! Parameters of a prepared statement: what the application has bound, read as values, and values bound again.

use std::{
    ffi::{CStr, c_ulong},
    slice,
};

use super::sys::{MYSQL_BIND, kind};
use crate::session::execution::{Content, Value};

/// What is kept of one execution's values at most, in bytes.
const BYTES: usize = 1024 * 1024;
/// Memory that a parameter keeps for its next value, in bytes.
const KEPT: usize = 4096;

/// Reads the values that an execution is about to send into `values`, whose memory is used again; `long` gives those that
/// were sent already. False if there are too many bytes, or of a type that is not known.
///
/// # Safety
/// The application is inside `mysql_stmt_execute` with these parameters bound, so their addresses are valid.
pub unsafe fn read(
    binds: &[MYSQL_BIND],
    time: usize,
    values: &mut Vec<Value>,
    long: impl Fn(u32) -> Option<Vec<u8>>,
) -> bool {
    let mut bytes = 0;
    values.resize_with(binds.len(), Value::default);
    for (at, (bind, value)) in (0..).zip(binds.iter().zip(values)) {
        match long(at) {
            Some(data) => value.content = Content::Long(data),
            // SAFETY: as the caller vouches.
            None => match unsafe { bytes_of(bind, time, BYTES - bytes) } {
                None => return false,
                Some(Some(bytes)) => keep(&mut value.content, bytes),
                Some(None) => value.content = Content::Null,
            },
        }
        (value.kind, value.unsigned) = (bind.buffer_type, bind.is_unsigned != 0);
        bytes += value.size();
        if bytes > BYTES {
            return false;
        }
    }
    true
}

/// In the memory of the value before, if that had any.
fn keep(content: &mut Content, bytes: &[u8]) {
    let Content::Bytes(memory) = content else { return *content = Content::Bytes(bytes.to_vec()) };
    memory.clear();
    memory.shrink_to(KEPT.max(bytes.len()));
    memory.extend_from_slice(bytes);
}

/// What is bound: `Some(None)` is NULL.
///
/// # Safety
/// `bind` is as [`read`] wants it.
unsafe fn bytes_of(bind: &MYSQL_BIND, time: usize, at_most: usize) -> Option<Option<&[u8]>> {
    use kind::*;
    let null = bind.is_null as *const u8;
    // SAFETY: null, or the application's flag.
    if bind.buffer_type == NULL || !null.is_null() && unsafe { *null } != 0 {
        return Some(None);
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
        return Some(Some(&[]));
    }
    // SAFETY: the buffer has so many bytes: the library is about to send them.
    Some(Some(unsafe { slice::from_raw_parts(buffer, length) }))
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
