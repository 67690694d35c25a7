//! What the tracker tells its caller. Whatever is borrowed is gone when the call ends.

use super::{
    aside::Aside,
    commands::Command,
    endings::{Done, ServerError},
    greeting::Greeting,
    login::Login,
    status::Status,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The server's first packet.
    Greeting(Greeting<'a>),
    /// The client's first packet.
    Login(Login<'a>),
    LoggedIn(Done),
    /// Nothing follows.
    LoginRefused(ServerError<'a>),
    /// The client's command is complete.
    Command(Sent<'a>),
    /// The first packet of a command's reply is complete. The replies come in the order of the commands.
    FirstReply(FirstReply<'a>),
    /// A result is over, and the reply has another one.
    ResultOver(End<'a>),
    /// The reply is over.
    CommandOver(End<'a>),
    /// "In transaction" or "autocommit" is another one than before.
    Status(Status),
    /// What the server says of the session, as in its packet (MySQL source documentation, "Session State Information").
    SessionChanged(&'a [u8]),
    /// An error that answers no command: the server ends the connection. Nothing follows.
    Farewell(ServerError<'a>),
    /// At the end of the bytes just fed: every command is answered, and no part of a packet is under way.
    Idle,
    /// The tracker gives up. Nothing follows.
    Aside(Aside),
}

/// A command of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent<'a> {
    pub command: Command,
    /// The number of the prepared statement that it is about.
    pub statement: Option<u32>,
    /// Of COM_QUERY and COM_STMT_PREPARE: the statement. Of COM_INIT_DB: the database. Of COM_CHANGE_USER: user,
    /// answer, database and more, as in the packet. Else empty.
    pub text: Text<'a>,
}

/// A text, or its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    pub bytes: &'a [u8],
    /// False: more followed, or it could not be told where the text begins.
    pub is_whole: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstReply<'a> {
    /// An OK (or an EOF in its place).
    Ok,
    Refused(ServerError<'a>),
    /// Of a result with so many columns.
    Columns(u64),
    /// A row or definition, where none stands before it (COM_STMT_FETCH, COM_FIELD_LIST).
    Row,
    /// LOAD DATA LOCAL: the server wants a file.
    Upload,
    Prepared {
        statement: u32,
        columns: u16,
        parameters: u16,
    },
    /// A question of an authentication (COM_CHANGE_USER).
    Question,
    /// The text of COM_STATISTICS.
    Text,
}

/// How a result or a reply ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End<'a> {
    Ok(Done),
    /// Rows are over, or wait in a cursor. What a cursor sends, and definitions, count as rows.
    Rows(Done),
    Error(ServerError<'a>),
    /// A reply without status: of COM_STMT_PREPARE and COM_STATISTICS.
    Silent,
}
