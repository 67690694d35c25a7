//! The reply to one command, packet by packet, to its end.

use super::{
    aside::Aside,
    capabilities::Capabilities,
    commands::{Command, Shape, Unanswered},
    endings::{self, Done, EOF, ERR, OK},
    events::{End, Event, FirstReply},
    fields::Fields,
    packets::{FULL, Head, Packet},
    status::Status,
};

/// As much of an OK, an ERR, a greeting is kept.
pub(super) const KEPT: usize = 16 * 1024;
/// The server asks for a file.
const UPLOAD: u8 = 0xFB;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The first packet, of the reply or of a further result.
    First,
    /// So many definitions of columns.
    Columns(u64),
    /// The EOF behind them, unless the two sides agreed to do without.
    ColumnsEnd,
    Rows,
    /// The file, from the client.
    Upload,
    /// Behind the first packet of COM_STMT_PREPARE's reply: so many definitions, or so many EOFs.
    Prepared {
        definitions: u32,
        ends: u8,
    },
}

/// Who speaks next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Server,
    /// The client sends a file.
    Upload,
    /// The client answers a question of the authentication, if it is one.
    Answer,
    /// The reply is over.
    Over,
    /// The login is refused.
    Refused,
}

/// What a packet is read with, and who hears of it.
pub(super) struct Context<'a> {
    pub(super) capabilities: Capabilities,
    /// What the server said last.
    pub(super) status: &'a mut Status,
    pub(super) tell: &'a mut dyn FnMut(Event<'_>),
}

#[cfg_attr(test, derive(Clone))]
pub(super) struct Reply {
    command: Command,
    wants_cursor: bool,
    stage: Stage,
    /// The sequence number of the next packet.
    next: u8,
    has_begun: bool,
    /// MySQL says of OUT parameters behind their definitions that another result follows, and behind their row that none
    /// does (seen with 9.7, without CLIENT_DEPRECATE_EOF). The OK of the CALL follows.
    has_out_parameters: bool,
}

impl Reply {
    pub(super) fn to(command: Unanswered) -> Self {
        let Unanswered { command, next, wants_cursor } = command;
        let stage = if command.shape() == Shape::Rows { Stage::Rows } else { Stage::First };
        Self { command, wants_cursor, stage, next, has_begun: false, has_out_parameters: false }
    }

    /// The sequence number of the next packet, from whichever side.
    pub(super) fn next(&self) -> u8 {
        self.next
    }

    pub(super) fn is_of_a_login(&self) -> bool {
        self.command == Command::Login
    }

    pub(super) fn has_begun(&self) -> bool {
        self.has_begun
    }

    /// The client sent a packet that belongs to the reply.
    pub(super) fn client_sent(&mut self, packet: &Packet<'_>) {
        self.next = packet.next;
    }

    /// The client has sent the whole file.
    pub(super) fn uploaded(&mut self) {
        self.stage = Stage::First;
    }

    /// May this packet come? Says how much of it is wanted.
    pub(super) fn begin(&self, head: Head) -> Result<usize, Aside> {
        if head.sequence != self.next || self.stage == Stage::Upload {
            return Err(Aside::OutOfSequence);
        }
        let is_passed_over = matches!(self.stage, Stage::Rows | Stage::Columns(_) | Stage::Prepared { .. });
        match head.first {
            // A question may be empty, or a text.
            None if matches!(self.command.shape(), Shape::Authentication | Shape::Text) => Ok(0),
            None => Err(Aside::Unexpected),
            Some(..EOF) if is_passed_over => Ok(0),
            Some(_) if head.length == FULL => Ok(0),
            Some(_) => Ok(KEPT),
        }
    }

    /// Passes over the rows that lie in `bytes` as a whole. Of each, the header and the first byte are looked at.
    pub(super) fn pass_rows(&mut self, bytes: &mut &[u8]) -> Result<(), Aside> {
        if self.stage != Stage::Rows || !self.has_begun {
            return Ok(());
        }
        while let [a, b, c, sequence, first, ..] = **bytes {
            let length = u32::from_le_bytes([a, b, c, 0]);
            if first >= EOF || length == 0 || length == FULL {
                break;
            }
            let Some(rest) = bytes.get(4 + length as usize..) else { break };
            if sequence != self.next {
                return Err(Aside::OutOfSequence);
            }
            self.next = sequence.wrapping_add(1);
            *bytes = rest;
        }
        Ok(())
    }

    /// A packet of the server is complete.
    pub(super) fn packet(&mut self, packet: &Packet<'_>, context: &mut Context<'_>) -> Result<Turn, Aside> {
        self.next = packet.next;
        if packet.head.first == Some(ERR) {
            return self.error(packet, context);
        }
        match self.stage {
            Stage::First => self.first(packet, context),
            Stage::Columns(left) => {
                self.stage = if left > 1 { Stage::Columns(left - 1) } else { behind_columns(context.capabilities) };
                Ok(Turn::Server)
            }
            Stage::ColumnsEnd => {
                if !ends_rows(packet, context) {
                    return Err(Aside::Unexpected);
                }
                let (done, changes) = endings::read_end(packet.kept, context.capabilities)?;
                if self.wants_cursor && done.status.has_cursor() {
                    return Ok(self.result_over(End::Rows(done), done, changes, context));
                }
                self.has_out_parameters = done.status.has_out_parameters();
                self.stage = Stage::Rows;
                Ok(Turn::Server)
            }
            Stage::Rows => {
                self.began(FirstReply::Row, context);
                if !ends_rows(packet, context) {
                    return Ok(Turn::Server);
                }
                let (done, changes) = endings::read_end(packet.kept, context.capabilities)?;
                Ok(self.result_over(End::Rows(done), done, changes, context))
            }
            Stage::Prepared { definitions, ends } => {
                let counts_definitions = context.capabilities.has(Capabilities::DEPRECATE_EOF);
                let (definitions, ends) = if counts_definitions {
                    (definitions.saturating_sub(1), ends)
                } else {
                    (definitions, ends.saturating_sub(u8::from(ends_rows(packet, context))))
                };
                self.stage = Stage::Prepared { definitions, ends };
                Ok(self.prepared(context))
            }
            Stage::Upload => Err(Aside::OutOfSequence),
        }
    }

    fn first(&mut self, packet: &Packet<'_>, context: &mut Context<'_>) -> Result<Turn, Aside> {
        match (self.command.shape(), packet.head.first) {
            (Shape::Authentication, Some(OK)) | (Shape::Results | Shape::Done, Some(OK)) => {
                let (done, changes) = endings::read_ok(packet.kept, context.capabilities)?;
                self.began(FirstReply::Ok, context);
                Ok(self.result_over(End::Ok(done), done, changes, context))
            }
            (Shape::Authentication, _) => {
                self.began(FirstReply::Question, context);
                Ok(Turn::Answer)
            }
            (Shape::Text, _) => {
                self.began(FirstReply::Text, context);
                self.over(End::Silent, context);
                Ok(Turn::Over)
            }
            (Shape::Results | Shape::Done, Some(EOF)) if ends_rows(packet, context) => {
                let (done, changes) = endings::read_end(packet.kept, context.capabilities)?;
                self.began(FirstReply::Ok, context);
                Ok(self.result_over(End::Ok(done), done, changes, context))
            }
            (Shape::Results, Some(UPLOAD)) => {
                self.began(FirstReply::Upload, context);
                self.stage = Stage::Upload;
                Ok(Turn::Upload)
            }
            (Shape::Results, Some(..UPLOAD | 0xFC..=0xFD)) => self.columns(packet, context),
            (Shape::Prepared, Some(OK)) => self.first_of_prepared(packet, context),
            _ => Err(Aside::Unexpected),
        }
    }

    /// The head of a result with rows.
    fn columns(&mut self, packet: &Packet<'_>, context: &mut Context<'_>) -> Result<Turn, Aside> {
        let mut fields = Fields::of(packet.kept);
        let count = fields.number().filter(|count| *count > 0).ok_or(Aside::Malformed)?;
        let capabilities = context.capabilities;
        let may_lack =
            capabilities.has(Capabilities::MARIADB_CACHE_METADATA) || capabilities.has(Capabilities::OPTIONAL_METADATA);
        let has_definitions = !may_lack || fields.byte().ok_or(Aside::Malformed)? != 0;
        self.began(FirstReply::Columns(count), context);
        self.stage = if has_definitions { Stage::Columns(count) } else { behind_columns(capabilities) };
        Ok(Turn::Server)
    }

    fn first_of_prepared(&mut self, packet: &Packet<'_>, context: &mut Context<'_>) -> Result<Turn, Aside> {
        let mut fields = Fields::of(packet.kept);
        let read = (|| {
            fields.byte()?;
            let (statement, columns, parameters) = (fields.four()?, fields.two()?, fields.two()?);
            fields.take(3)?;
            Some((statement, columns, parameters))
        })();
        let (statement, columns, parameters) = read.ok_or(Aside::Malformed)?;
        let may_lack = context.capabilities.has(Capabilities::OPTIONAL_METADATA);
        let has_definitions = !may_lack || fields.byte() != Some(0);
        self.began(FirstReply::Prepared { statement, columns, parameters }, context);
        self.stage = if has_definitions {
            let ends = u8::from(columns > 0) + u8::from(parameters > 0);
            Stage::Prepared { definitions: u32::from(columns) + u32::from(parameters), ends }
        } else {
            Stage::Prepared { definitions: 0, ends: 0 }
        };
        Ok(self.prepared(context))
    }

    /// Are the definitions of a prepared statement over?
    fn prepared(&self, context: &mut Context<'_>) -> Turn {
        let is_over = match self.stage {
            Stage::Prepared { definitions, .. } if context.capabilities.has(Capabilities::DEPRECATE_EOF) => {
                definitions == 0
            }
            Stage::Prepared { ends, .. } => ends == 0,
            _ => false,
        };
        if !is_over {
            return Turn::Server;
        }
        self.over(End::Silent, context);
        Turn::Over
    }

    fn error(&mut self, packet: &Packet<'_>, context: &mut Context<'_>) -> Result<Turn, Aside> {
        let error = endings::read_error(packet.kept)?;
        if error.is_progress() {
            return if context.capabilities.reports_progress() { Ok(Turn::Server) } else { Err(Aside::Unexpected) };
        }
        if self.command == Command::Login {
            (context.tell)(Event::LoginRefused(error));
            return Ok(Turn::Refused);
        }
        self.began(FirstReply::Refused(error), context);
        self.over(End::Error(error), context);
        Ok(Turn::Over)
    }

    fn began(&mut self, with: FirstReply<'_>, context: &mut Context<'_>) {
        if !std::mem::replace(&mut self.has_begun, true) && self.command != Command::Login {
            (context.tell)(Event::FirstReply(with));
        }
    }

    fn over(&self, end: End<'_>, context: &mut Context<'_>) {
        (context.tell)(Event::CommandOver(end));
    }

    fn result_over(&mut self, end: End<'_>, done: Done, changes: &[u8], context: &mut Context<'_>) -> Turn {
        if !changes.is_empty() {
            (context.tell)(Event::SessionChanged(changes));
        }
        let before = std::mem::replace(context.status, done.status);
        if done.status.differs_from(before) {
            (context.tell)(Event::Status(done.status));
        }
        if self.command == Command::Login {
            (context.tell)(Event::LoggedIn(done));
            return Turn::Over;
        }
        let has_more = std::mem::take(&mut self.has_out_parameters) || done.status.has_more_results();
        if self.command.shape() == Shape::Results && has_more {
            (context.tell)(Event::ResultOver(end));
            self.stage = Stage::First;
            return Turn::Server;
        }
        self.over(end, context);
        Turn::Over
    }
}

fn behind_columns(capabilities: Capabilities) -> Stage {
    if capabilities.has(Capabilities::DEPRECATE_EOF) { Stage::Rows } else { Stage::ColumnsEnd }
}

fn ends_rows(packet: &Packet<'_>, context: &Context<'_>) -> bool {
    packet.head.first == Some(EOF) && endings::ends_rows(packet.head.length, context.capabilities)
}
