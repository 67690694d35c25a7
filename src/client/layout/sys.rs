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

/// Client-side flag: a failed connect keeps the options.
pub const CLIENT_REMEMBER_OPTIONS: c_ulong = 1 << 31;

/// The functions that we call ourselves. All of them are public API of both libraries.
#[derive(Clone, Copy)]
pub struct Api {
    pub mysql_errno: unsafe extern "C" fn(*mut MYSQL) -> c_uint,
    pub mysql_error: unsafe extern "C" fn(*mut MYSQL) -> *const c_char,
    pub mysql_stmt_errno: unsafe extern "C" fn(*mut MYSQL_STMT) -> c_uint,
    pub mysql_stmt_error: unsafe extern "C" fn(*mut MYSQL_STMT) -> *const c_char,
    pub mysql_sqlstate: unsafe extern "C" fn(*mut MYSQL) -> *const c_char,
    pub mysql_thread_id: unsafe extern "C" fn(*mut MYSQL) -> c_ulong,
    pub mysql_affected_rows: unsafe extern "C" fn(*mut MYSQL) -> u64,
    pub mysql_insert_id: unsafe extern "C" fn(*mut MYSQL) -> u64,
    pub mysql_warning_count: unsafe extern "C" fn(*mut MYSQL) -> c_uint,
    pub mysql_field_count: unsafe extern "C" fn(*mut MYSQL) -> c_uint,
    /// `my_bool` in libmariadb, `bool` in libmysqlclient: one byte either way.
    pub mysql_more_results: unsafe extern "C" fn(*mut MYSQL) -> c_char,
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
