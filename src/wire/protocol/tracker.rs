//! One connection: which side may speak, what is under way, and whether the connection is idle.

use super::{
    aside::Aside,
    capabilities::Capabilities,
    commands::{self, Command, KEPT_OF_A_TEXT, Queue, Unanswered},
    endings::{self, ERR},
    events::Event,
    greeting::Greeting,
    login::Login,
    packets::{Head, Packet, Step, Stream},
    replies::{Context, KEPT, Reply, Turn},
    status::Status,
};

/// The most that one tracker can occupy, in bytes, whatever it is fed.
pub const MEMORY: usize = size_of::<Tracker>() + KEPT_OF_A_TEXT + KEPT + Queue::MEMORY;

/// What is kept of a client's first packet: user and database stand at its beginning.
const KEPT_OF_A_LOGIN: usize = 4096;
/// A longer packet is no greeting.
const LONGEST_GREETING: u32 = 4096;
/// How a greeting begins: the version of the protocol.
const GREETING: u8 = 10;

/// Follows one connection. The caller feeds it what the driver sends before it feeds the server's reply to that, and
/// what the driver receives before the driver acts on it. Where several threads use one connection, the caller holds a
/// lock.
#[derive(Default)]
#[cfg_attr(test, derive(Clone))]
pub struct Tracker {
    phase: Phase,
    /// What both sides have; before the login, what the server has.
    capabilities: Capabilities,
    status: Status,
    client: Stream,
    server: Stream,
    client_sends: ClientSends,
    /// The command that the server answers next, or is answering.
    reply: Option<Reply>,
    queue: Queue,
    /// The server's packet under way began when no command waited for a reply.
    is_unsolicited: bool,
    has_quit: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// The server speaks first.
    #[default]
    Greeting,
    /// Then the client.
    Login,
    /// Then questions and answers of the login, and commands.
    Following,
    /// Nothing follows: the client quit, the login is refused, or the server ends the connection.
    Over,
    Aside(Aside),
}

/// What the client's packets are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ClientSends {
    #[default]
    Commands,
    /// Answers to questions of an authentication.
    Answers,
    /// A file.
    File,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

impl Tracker {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The driver sent these bytes.
    pub fn sent(&mut self, bytes: &[u8], tell: &mut dyn FnMut(Event<'_>)) {
        self.feed(Side::Client, bytes, tell);
    }

    /// The driver received these bytes.
    pub fn received(&mut self, bytes: &[u8], tell: &mut dyn FnMut(Event<'_>)) {
        self.feed(Side::Server, bytes, tell);
    }

    /// Logged in, every command is answered in full, and no part of a packet is under way.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Following && self.reply.is_none() && self.is_between_packets()
    }

    /// The next byte from the server begins the first packet of a command's reply.
    #[must_use]
    pub fn awaits_a_first_reply(&self) -> bool {
        let waits = self.reply.as_ref().is_some_and(|reply| !reply.has_begun());
        self.phase == Phase::Following && waits && self.server.is_between_packets()
    }

    /// What the server said last.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// What both sides have; before the login, what the server has.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// Why the connection is not followed any more.
    #[must_use]
    pub fn aside(&self) -> Option<Aside> {
        if let Phase::Aside(reason) = self.phase { Some(reason) } else { None }
    }

    /// The connection came to its end; what is fed now means nothing.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// What it occupies now, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.client.allocated() + self.server.allocated() + self.queue.allocated()
    }

    fn feed(&mut self, side: Side, bytes: &[u8], tell: &mut dyn FnMut(Event<'_>)) {
        if bytes.is_empty() || !self.follows() {
            return;
        }
        if let Err(reason) = self.follow(side, bytes, tell) {
            self.phase = Phase::Aside(reason);
            tell(Event::Aside(reason));
        }
        if !self.follows() {
            self.client.forget();
            self.server.forget();
            (self.queue, self.reply) = (Queue::default(), None);
        } else if self.is_idle() {
            tell(Event::Idle);
        }
    }

    fn follows(&self) -> bool {
        !matches!(self.phase, Phase::Over | Phase::Aside(_))
    }

    fn is_between_packets(&self) -> bool {
        self.client.is_between_packets() && self.server.is_between_packets()
    }

    fn stream(&mut self, side: Side) -> &mut Stream {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    fn follow(&mut self, side: Side, mut bytes: &[u8], tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Aside> {
        while self.follows() {
            if side == Side::Server
                && self.server.is_between_packets()
                && let Some(reply) = &mut self.reply
            {
                reply.pass_rows(&mut bytes)?;
            }
            if let Some((head, payload)) = self.stream(side).whole(&mut bytes) {
                let keep = self.begin(side, head)?;
                let kept = payload.get(..keep).unwrap_or(payload);
                let (is_whole, next) = (kept.len() == payload.len(), head.sequence.wrapping_add(1));
                self.packet(side, &Packet { head, kept, is_whole, next }, tell)?;
                continue;
            }
            match self.stream(side).take(&mut bytes)? {
                Step::Starved => break,
                Step::Begun(head) => {
                    let keep = self.begin(side, head)?;
                    self.stream(side).keep(keep);
                }
                Step::Over => {
                    let released = self.stream(side).release();
                    let result = self.packet(side, &released.packet(), tell);
                    self.stream(side).reuse(released);
                    result?;
                }
            }
        }
        Ok(())
    }

    /// May this packet come? Says how much of it is wanted.
    fn begin(&mut self, side: Side, head: Head) -> Result<usize, Aside> {
        match side {
            Side::Client => self.client_begins(head),
            Side::Server => self.server_begins(head),
        }
    }

    fn packet(&mut self, side: Side, packet: &Packet<'_>, tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Aside> {
        match (side, self.phase) {
            (Side::Client, Phase::Login) => self.login(packet, tell),
            (Side::Client, _) => self.client_sent(packet, tell),
            (Side::Server, Phase::Greeting) => self.greeting(packet, tell),
            (Side::Server, _) => self.server_sent(packet, tell),
        }
    }

    fn client_begins(&self, head: Head) -> Result<usize, Aside> {
        let due = match (self.phase, self.client_sends) {
            (Phase::Greeting, _) => return Err(Aside::NotMySql),
            (Phase::Login, _) => 1,
            (_, ClientSends::Commands) => 0,
            // Question and answer: the client waits for the end of the one before it begins the other.
            _ if !self.server.is_between_packets() => return Err(Aside::OutOfSequence),
            _ => self.reply.as_ref().map_or(0, Reply::next),
        };
        if head.sequence != due || self.has_quit {
            return Err(Aside::OutOfSequence);
        }
        match (self.phase, self.client_sends) {
            (Phase::Login, _) => Ok(KEPT_OF_A_LOGIN),
            (_, ClientSends::Commands) => Ok(Command::of(head.first.ok_or(Aside::Malformed)?)?.keeps()),
            _ => Ok(0),
        }
    }

    fn server_begins(&mut self, head: Head) -> Result<usize, Aside> {
        if self.phase == Phase::Greeting {
            let begins_well = matches!(head.first, Some(GREETING | ERR)) && head.length <= LONGEST_GREETING;
            return if begins_well && head.sequence == 0 { Ok(KEPT) } else { Err(Aside::NotMySql) };
        }
        let is_error = head.first == Some(ERR);
        // The server may have said goodbye before it read the command.
        let answers = |reply: &&Reply| !(is_error && head.sequence == 0 && reply.next() != 0 && !reply.has_begun());
        let reply = self.reply.as_ref().filter(answers);
        self.is_unsolicited = reply.is_none();
        let Some(reply) = reply else { return if is_error { Ok(KEPT) } else { Err(Aside::Unexpected) } };
        if self.client_sends != ClientSends::Commands && !self.client.is_between_packets() {
            return Err(Aside::OutOfSequence);
        }
        reply.begin(head)
    }

    fn greeting(&mut self, packet: &Packet<'_>, tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Aside> {
        if packet.head.first == Some(ERR) {
            tell(Event::LoginRefused(endings::read_error(packet.kept)?));
            self.phase = Phase::Over;
            return Ok(());
        }
        let greeting = Greeting::read(packet.kept).ok_or(Aside::NotMySql)?;
        self.capabilities = greeting.capabilities;
        self.phase = Phase::Login;
        tell(Event::Greeting(greeting));
        Ok(())
    }

    fn login(&mut self, packet: &Packet<'_>, tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Aside> {
        let login = Login::read(packet.kept, self.capabilities)?;
        tell(Event::Login(login));
        if login.begins_tls {
            return Err(Aside::Tls);
        }
        self.capabilities = login.capabilities;
        self.phase = Phase::Following;
        self.client_sends = ClientSends::Answers;
        let answer = Unanswered { command: Command::Login, next: packet.next, wants_cursor: false };
        self.reply = Some(Reply::to(answer));
        Ok(())
    }

    fn client_sent(&mut self, packet: &Packet<'_>, tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Aside> {
        if self.client_sends != ClientSends::Commands {
            let reply = self.reply.as_mut().ok_or(Aside::OutOfSequence)?;
            reply.client_sent(packet);
            // An empty packet ends the file.
            if self.client_sends == ClientSends::File && packet.head.length == 0 {
                reply.uploaded();
                self.client_sends = ClientSends::Commands;
            }
            return Ok(());
        }
        let (sent, unanswered) = commands::read(packet, self.capabilities)?;
        tell(Event::Command(sent));
        if sent.command == Command::Quit {
            self.has_quit = true;
            self.end_if_quit();
        } else if sent.command.is_answered() {
            if self.reply.is_none() {
                self.reply = Some(Reply::to(unanswered));
            } else {
                self.queue.push(unanswered)?;
            }
        }
        Ok(())
    }

    fn server_sent(&mut self, packet: &Packet<'_>, tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Aside> {
        if self.is_unsolicited {
            let error = endings::read_error(packet.kept)?;
            if error.is_progress() {
                return Err(Aside::Unexpected);
            }
            tell(Event::Farewell(error));
            self.phase = Phase::Over;
            return Ok(());
        }
        let reply = self.reply.as_mut().ok_or(Aside::Unexpected)?;
        let mut context = Context { capabilities: self.capabilities, status: &mut self.status, tell };
        match reply.packet(packet, &mut context)? {
            Turn::Server => {}
            Turn::Answer => self.client_must_be_still(ClientSends::Answers)?,
            Turn::Upload => self.client_must_be_still(ClientSends::File)?,
            Turn::Refused => self.phase = Phase::Over,
            Turn::Over => {
                let is_login = reply.is_of_a_login();
                self.client_sends = ClientSends::Commands;
                self.reply = self.queue.pop().map(Reply::to);
                if is_login && self.capabilities.is_compressed() {
                    return Err(Aside::Compression);
                }
                self.end_if_quit();
            }
        }
        Ok(())
    }

    /// The server waits for something else than commands: no command may be on its way.
    fn client_must_be_still(&mut self, for_its: ClientSends) -> Result<(), Aside> {
        if self.has_quit || !self.queue.is_empty() || !self.client.is_between_packets() {
            return Err(Aside::OutOfSequence);
        }
        self.client_sends = for_its;
        Ok(())
    }

    fn end_if_quit(&mut self) {
        if self.has_quit && self.reply.is_none() {
            self.phase = Phase::Over;
        }
    }
}
