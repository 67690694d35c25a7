//! The few types and constants of `mysql.h` that both client libraries share.

#![allow(non_camel_case_types)]

use std::ffi::{c_char, c_int, c_uint, c_ulong, c_void};

#[repr(C)]
pub struct MYSQL {
    _opaque: [u8; 0],
}
#[repr(C)]
pub struct MYSQL_RES {
    _opaque: [u8; 0],
}
#[repr(C)]
pub struct MYSQL_STMT {
    _opaque: [u8; 0],
}
pub type MYSQL_ROW = *mut *mut c_char;

/// A parameter, as the application fills it in: the same in both libraries, and in every version of them, since it is
/// the application that allocates it. Addresses are kept as numbers.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct MYSQL_BIND {
    pub length: usize,
    pub is_null: usize,
    pub buffer: usize,
    pub(super) error: usize,
    pub(super) row: usize,
    pub(super) functions: [usize; 3],
    pub buffer_length: c_ulong,
    pub(super) offset: c_ulong,
    pub(super) length_value: c_ulong,
    pub(super) number: c_uint,
    pub(super) pack_length: c_uint,
    pub buffer_type: c_int,
    pub(super) error_value: u8,
    pub is_unsigned: u8,
    pub(super) long_data_used: u8,
    pub(super) is_null_value: u8,
    pub(super) extension: usize,
}
const _: () = assert!(size_of::<MYSQL_BIND>() == 112);

/// A column, as the application reads it.
#[repr(C)]
pub struct MYSQL_FIELD {
    _names: [usize; 7],
    pub length: c_ulong,
    _max_length: c_ulong,
    _lengths: [c_uint; 7],
    pub flags: c_uint,
    pub decimals: c_uint,
    pub charset: c_uint,
    pub kind: c_int,
    _extension: usize,
}
const _: () = assert!(size_of::<MYSQL_FIELD>() == 128);

/// One stored row (`mysql_stmt_row_tell`), public in both libraries.
#[repr(C)]
pub struct MYSQL_ROWS {
    pub next: *const MYSQL_ROWS,
    pub data: *const u8,
    pub length: c_ulong,
}

/// `enum enum_field_types` (MySQL manual, "C API Prepared Statement Type Codes").
pub mod kind {
    pub const TINY: i32 = 1;
    pub const SHORT: i32 = 2;
    pub const LONG: i32 = 3;
    pub const FLOAT: i32 = 4;
    pub const DOUBLE: i32 = 5;
    pub const NULL: i32 = 6;
    pub const TIMESTAMP: i32 = 7;
    pub const LONGLONG: i32 = 8;
    pub const INT24: i32 = 9;
    pub const DATE: i32 = 10;
    pub const TIME: i32 = 11;
    pub const DATETIME: i32 = 12;
    pub const YEAR: i32 = 13;
}

/// `enum enum_stmt_attr_type`.
pub const STMT_ATTR_CURSOR_TYPE: c_int = 1;
/// MariaDB's own attributes begin here.
pub const STMT_ATTR_PREBIND_PARAMS: c_int = 200;
pub const STMT_ATTR_ARRAY_SIZE: c_int = 201;
pub const STMT_ATTR_ROW_SIZE: c_int = 202;

/// `server_status` bits (MySQL manual, "Status Flags").
pub const SERVER_STATUS_IN_TRANS: c_uint = 1;
pub const SERVER_STATUS_AUTOCOMMIT: c_uint = 2;
pub const SERVER_MORE_RESULTS_EXIST: c_uint = 8;
pub const SERVER_STATUS_NO_BACKSLASH_ESCAPES: c_uint = 512;

/// `enum mysql_option`: these are equal in both libraries.
pub const MYSQL_OPT_CONNECT_TIMEOUT: c_int = 0;
pub const MYSQL_OPT_READ_TIMEOUT: c_int = 11;
/// `MYSQL_OPT_RECONNECT` of libmariadb. (libmysqlclient has another number, and prints when it is used.)
pub const MARIADB_OPT_RECONNECT: c_int = 20;
/// A function of the application that waits for the socket (libmariadb).
pub const MARIADB_OPT_IO_WAIT: c_int = 7024;

/// Client-side flag: a failed connect keeps the options.
pub const CLIENT_REMEMBER_OPTIONS: c_ulong = 1 << 31;

/// The functions that we call ourselves. All of them are public API of both libraries.
#[derive(Clone, Copy)]
pub struct Api {
    pub mysql_errno: unsafe extern "C" fn(*mut MYSQL) -> c_uint,
    pub mysql_error: unsafe extern "C" fn(*mut MYSQL) -> *const c_char,
    pub mysql_stmt_errno: unsafe extern "C" fn(*mut MYSQL_STMT) -> c_uint,
    pub mysql_stmt_error: unsafe extern "C" fn(*mut MYSQL_STMT) -> *const c_char,
    pub mysql_stmt_sqlstate: unsafe extern "C" fn(*mut MYSQL_STMT) -> *const c_char,
    pub mysql_stmt_init: unsafe extern "C" fn(*mut MYSQL) -> *mut MYSQL_STMT,
    pub mysql_stmt_prepare: unsafe extern "C" fn(*mut MYSQL_STMT, *const c_char, c_ulong) -> c_int,
    pub mysql_stmt_bind_param: unsafe extern "C" fn(*mut MYSQL_STMT, *mut MYSQL_BIND) -> c_char,
    pub mysql_stmt_send_long_data: unsafe extern "C" fn(*mut MYSQL_STMT, c_uint, *const c_char, c_ulong) -> c_char,
    pub mysql_stmt_execute: unsafe extern "C" fn(*mut MYSQL_STMT) -> c_int,
    pub mysql_stmt_store_result: unsafe extern "C" fn(*mut MYSQL_STMT) -> c_int,
    pub mysql_stmt_row_tell: unsafe extern "C" fn(*mut MYSQL_STMT) -> *const MYSQL_ROWS,
    pub mysql_stmt_affected_rows: unsafe extern "C" fn(*mut MYSQL_STMT) -> u64,
    pub mysql_stmt_insert_id: unsafe extern "C" fn(*mut MYSQL_STMT) -> u64,
    pub mysql_stmt_param_count: unsafe extern "C" fn(*mut MYSQL_STMT) -> c_ulong,
    pub mysql_stmt_field_count: unsafe extern "C" fn(*mut MYSQL_STMT) -> c_uint,
    pub mysql_stmt_result_metadata: unsafe extern "C" fn(*mut MYSQL_STMT) -> *mut MYSQL_RES,
    pub mysql_fetch_fields: unsafe extern "C" fn(*mut MYSQL_RES) -> *mut MYSQL_FIELD,
    pub mysql_stmt_attr_get: unsafe extern "C" fn(*mut MYSQL_STMT, c_int, *mut c_void) -> c_char,
    pub mysql_stmt_close: unsafe extern "C" fn(*mut MYSQL_STMT) -> c_char,
    pub mysql_sqlstate: unsafe extern "C" fn(*mut MYSQL) -> *const c_char,
    pub mysql_thread_id: unsafe extern "C" fn(*mut MYSQL) -> c_ulong,
    pub mysql_affected_rows: unsafe extern "C" fn(*mut MYSQL) -> u64,
    pub mysql_insert_id: unsafe extern "C" fn(*mut MYSQL) -> u64,
    pub mysql_warning_count: unsafe extern "C" fn(*mut MYSQL) -> c_uint,
    pub mysql_field_count: unsafe extern "C" fn(*mut MYSQL) -> c_uint,
    /// `my_bool` in libmariadb, `bool` in libmysqlclient: one byte either way.
    pub mysql_more_results: unsafe extern "C" fn(*mut MYSQL) -> c_char,
    pub mysql_get_server_info: unsafe extern "C" fn(*mut MYSQL) -> *const c_char,
    pub mysql_get_ssl_cipher: unsafe extern "C" fn(*mut MYSQL) -> *const c_char,
    pub mysql_character_set_name: unsafe extern "C" fn(*mut MYSQL) -> *const c_char,
    pub mysql_get_option: unsafe extern "C" fn(*mut MYSQL, c_int, *mut c_void) -> c_int,
    pub mysql_options: unsafe extern "C" fn(*mut MYSQL, c_int, *const c_void) -> c_int,
    pub mysql_ping: unsafe extern "C" fn(*mut MYSQL) -> c_int,
    pub mysql_select_db: unsafe extern "C" fn(*mut MYSQL, *const c_char) -> c_int,
    pub mysql_set_character_set: unsafe extern "C" fn(*mut MYSQL, *const c_char) -> c_int,
    pub mysql_reset_connection: unsafe extern "C" fn(*mut MYSQL) -> c_int,
    pub mysql_set_server_option: unsafe extern "C" fn(*mut MYSQL, c_int) -> c_int,
    pub mysql_real_query: unsafe extern "C" fn(*mut MYSQL, *const c_char, c_ulong) -> c_int,
    pub mysql_store_result: unsafe extern "C" fn(*mut MYSQL) -> *mut MYSQL_RES,
    pub mysql_next_result: unsafe extern "C" fn(*mut MYSQL) -> c_int,
    pub mysql_free_result: unsafe extern "C" fn(*mut MYSQL_RES),
    pub mysql_num_fields: unsafe extern "C" fn(*mut MYSQL_RES) -> c_uint,
    pub mysql_fetch_row: unsafe extern "C" fn(*mut MYSQL_RES) -> MYSQL_ROW,
    pub mysql_fetch_lengths: unsafe extern "C" fn(*mut MYSQL_RES) -> *mut c_ulong,
    pub mysql_data_seek: unsafe extern "C" fn(*mut MYSQL_RES, u64),
    pub mysql_get_client_version: unsafe extern "C" fn() -> c_ulong,
    pub mysql_close: unsafe extern "C" fn(*mut MYSQL),
    pub mysql_init: unsafe extern "C" fn(*mut MYSQL) -> *mut MYSQL,
    /// libmariadb only.
    pub mariadb_reconnect: Option<unsafe extern "C" fn(*mut MYSQL) -> c_char>,
}
