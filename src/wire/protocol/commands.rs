//! The commands of the protocol: how each is answered, and the queue of those that are not answered yet.

use std::collections::VecDeque;

use super::{
    aside::Aside,
    attributes,
    capabilities::Capabilities,
    events::{Sent, Text},
    fields::Fields,
    packets::Packet,
};

/// How many commands may wait for replies: some drivers send thousands before they read.
const LONGEST: usize = 16 * 1024;
/// As much of a statement is kept.
pub(super) const KEPT_OF_A_TEXT: usize = 64 * 1024;
/// The command, the statement's number, the flags.
const KEPT_OF_OTHERS: usize = 6;
/// Kinds of cursors in the flags of COM_STMT_EXECUTE; 8 says "the number of parameters follows".
const CURSORS: u8 = 0b111;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// No command, but answered like one: the client's first packet.
    Login,
    Quit,
    InitDb,
    Query,
    FieldList,
    CreateDb,
    DropDb,
    Refresh,
    Shutdown,
    Statistics,
    ProcessInfo,
    ProcessKill,
    Debug,
    Ping,
    ChangeUser,
    Prepare,
    Execute,
    SendLongData,
    CloseStatement,
    ResetStatement,
    SetOption,
    Fetch,
    ResetConnection,
    BulkExecute,
}

/// In what shape a command is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// OK, rows or a wish for a file; and perhaps another result.
    Results,
    /// OK or EOF.
    Done,
    /// The statement's number, then definitions of parameters and columns.
    Prepared,
    /// Rows or definitions without a count before them.
    Rows,
    /// A text.
    Text,
    /// Questions and answers, then OK.
    Authentication,
    /// Not at all.
    Nothing,
}

impl Command {
    pub(super) fn of(code: u8) -> Result<Self, Aside> {
        Ok(match code {
            1 => Self::Quit,
            2 => Self::InitDb,
            3 => Self::Query,
            4 => Self::FieldList,
            5 => Self::CreateDb,
            6 => Self::DropDb,
            7 => Self::Refresh,
            8 => Self::Shutdown,
            9 => Self::Statistics,
            10 => Self::ProcessInfo,
            12 => Self::ProcessKill,
            13 => Self::Debug,
            14 => Self::Ping,
            17 => Self::ChangeUser,
            22 => Self::Prepare,
            23 => Self::Execute,
            24 => Self::SendLongData,
            25 => Self::CloseStatement,
            26 => Self::ResetStatement,
            27 => Self::SetOption,
            28 => Self::Fetch,
            31 => Self::ResetConnection,
            0xFA => Self::BulkExecute,
            // BINLOG_DUMP, TABLE_DUMP, CONNECT_OUT, REGISTER_SLAVE, BINLOG_DUMP_GTID, CLONE.
            18..=21 | 30 | 32 => return Err(Aside::Replication(code)),
            _ => return Err(Aside::UnknownCommand(code)),
        })
    }

    pub(super) fn shape(self) -> Shape {
        match self {
            Self::Query | Self::Execute | Self::BulkExecute | Self::ProcessInfo => Shape::Results,
            Self::Prepare => Shape::Prepared,
            Self::Fetch | Self::FieldList => Shape::Rows,
            Self::Statistics => Shape::Text,
            Self::Login | Self::ChangeUser => Shape::Authentication,
            Self::Quit | Self::SendLongData | Self::CloseStatement => Shape::Nothing,
            Self::InitDb
            | Self::CreateDb
            | Self::DropDb
            | Self::Refresh
            | Self::Shutdown
            | Self::ProcessKill
            | Self::Debug
            | Self::Ping
            | Self::ResetStatement
            | Self::SetOption
            | Self::ResetConnection => Shape::Done,
        }
    }

    pub(super) fn is_answered(self) -> bool {
        self.shape() != Shape::Nothing
    }

    /// How much of its packet is wanted.
    pub(super) fn keeps(self) -> usize {
        if self.has_text() { KEPT_OF_A_TEXT } else { KEPT_OF_OTHERS }
    }

    fn has_text(self) -> bool {
        matches!(self, Self::Query | Self::Prepare | Self::InitDb | Self::ChangeUser)
    }

    fn has_statement(self) -> bool {
        let of_one = matches!(self, Self::Execute | Self::SendLongData | Self::CloseStatement);
        of_one || matches!(self, Self::ResetStatement | Self::Fetch | Self::BulkExecute)
    }
}

/// What a command's packet says.
pub(super) fn read<'a>(packet: &Packet<'a>, capabilities: Capabilities) -> Result<(Sent<'a>, Unanswered), Aside> {
    let command = Command::of(packet.head.first.ok_or(Aside::Malformed)?)?;
    let mut fields = Fields::of(packet.kept);
    fields.byte();
    let mut text = Text { bytes: &[], is_whole: true };
    if command.has_text() {
        text = Text { bytes: fields.rest(), is_whole: packet.is_whole };
        if command == Command::Query && capabilities.has(Capabilities::QUERY_ATTRIBUTES) {
            let behind = attributes::text_behind(text.bytes);
            text = behind.map_or(Text { bytes: &[], is_whole: false }, |bytes| Text { bytes, ..text });
        }
    }
    let statement = if command.has_statement() { fields.four() } else { None };
    let flags = if command == Command::Execute { fields.byte() } else { None };
    let wants_cursor = flags.is_some_and(|flags| flags & CURSORS != 0);
    Ok((Sent { command, statement, text }, Unanswered { command, next: packet.next, wants_cursor }))
}

/// A command whose reply is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unanswered {
    pub(super) command: Command,
    /// The sequence number of the reply's first packet.
    pub(super) next: u8,
    pub(super) wants_cursor: bool,
}

/// Those that wait behind the one that is being answered.
#[derive(Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Queue(VecDeque<Unanswered>);

impl Queue {
    pub(super) const MEMORY: usize = LONGEST * size_of::<Unanswered>();

    pub(super) fn push(&mut self, command: Unanswered) -> Result<(), Aside> {
        if self.0.len() == LONGEST {
            return Err(Aside::TooManyCommands);
        }
        self.0.push_back(command);
        Ok(())
    }

    pub(super) fn pop(&mut self) -> Option<Unanswered> {
        self.0.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn allocated(&self) -> usize {
        self.0.capacity() * size_of::<Unanswered>()
    }
}
