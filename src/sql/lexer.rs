//! Cuts a text into tokens as the server's own lexer would, without copying a byte.
//!
//! It knows literals, identifiers, variables and comments, and not a single statement. Where servers differ
//! among themselves, it takes the reading that it is told ([`Reading`]) and says which readings would have
//! mattered ([`Lexer::depends_on_conditional`], [`Lexer::depends_on_quotes`]). Where it cannot follow the server
//! at all, it says so too ([`Lexer::doubtful`]).

use super::{
    Server,
    token::{Kind, Token},
};

/// The questions whose answer only the server knows, or the connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// A backslash escapes inside `'…'`.
    pub backslash: bool,
    /// A backslash escapes inside `"…"`: not if ANSI_QUOTES makes that an identifier.
    pub backslash_in_double_quotes: bool,
    /// The server executes what stands in `/*! … */`.
    pub conditional: bool,
    pub server: Server,
}

impl Reading {
    /// What most servers do.
    pub const USUAL: Self =
        Reading { backslash: true, backslash_in_double_quotes: true, conditional: true, server: Server::Unknown };
}

/// Which servers execute a conditional comment. Texts with comments of two sorts are beyond us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    /// No version, or one that every server alive has reached.
    Old,
    Version(u32),
    /// `/*M! … */`
    MariaDb(u32),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Lexer<'a> {
    sql: &'a [u8],
    at: usize,
    reading: Reading,
    inside_conditional: bool,
    condition: Option<Condition>,
    /// Where the last identifier ended: a `.` right there makes an identifier of whatever follows it.
    name_ended: usize,
    after_dot: bool,
    vouched: bool,
    unterminated: bool,
    doubtful: bool,
    depends_on_quotes: bool,
}

impl<'a> Lexer<'a> {
    pub fn new(sql: &'a [u8], reading: Reading) -> Self {
        Lexer {
            sql,
            at: 0,
            reading,
            inside_conditional: false,
            condition: None,
            name_ended: usize::MAX,
            after_dot: false,
            vouched: false,
            unterminated: false,
            doubtful: false,
            depends_on_quotes: false,
        }
    }

    pub fn server(&self) -> Server {
        self.reading.server
    }

    /// A plain comment so far said `pointsman:idempotent`.
    pub fn vouched(&self) -> bool {
        self.vouched
    }

    /// A literal or comment has no end: every server rejects the statement.
    pub fn unterminated(&self) -> bool {
        self.unterminated
    }

    /// Servers would cut this text differently, in ways not worth following.
    pub fn doubtful(&self) -> bool {
        self.doubtful
    }

    /// There was a conditional comment.
    pub fn depends_on_conditional(&self) -> bool {
        self.condition.is_some()
    }

    /// There was a double-quoted text with a backslash in it, which ANSI_QUOTES reads otherwise.
    pub fn depends_on_quotes(&self) -> bool {
        self.depends_on_quotes
    }

    /// The token after this position, without moving.
    pub fn peek(&self) -> Token<'a> {
        let mut ahead = *self;
        ahead.next()
    }

    /// The next token; [`Kind::End`] for ever once the text is used up.
    pub fn next(&mut self) -> Token<'a> {
        self.skip_space_and_comments();
        let start = self.at;
        let Some(&byte) = self.sql.get(start) else {
            if self.inside_conditional {
                self.unterminated = true;
            }
            return Token { kind: Kind::End, text: &[], start };
        };
        let named = std::mem::take(&mut self.after_dot) && is_name_byte(byte);
        let kind = match byte {
            _ if named => self.word(),
            b'0'..=b'9' => self.number_or_word(),
            b'.' if self.name_ended != start && self.byte(1).is_ascii_digit() => self.fraction(),
            b'.' => {
                self.at += 1;
                self.after_dot = self.name_ended == start;
                Kind::Punctuation(b'.')
            }
            b'\'' => self.quoted(b'\'', self.reading.backslash, Kind::Text),
            b'"' => self.double_quoted(Kind::DoubleQuoted),
            b'`' => {
                let kind = self.quoted(b'`', false, Kind::Quoted);
                self.name_ended = self.at;
                kind
            }
            b'@' => self.variable(),
            b':' if self.byte(1) == b'=' => {
                self.at += 2;
                Kind::Assign
            }
            b'\\' if self.byte(1) == b'N' => {
                self.at += 2;
                Kind::Number
            }
            0 => {
                // The server's parser takes a NUL inside the text for its end, or for an error, by version.
                self.doubtful = true;
                self.at += 1;
                Kind::Punctuation(0)
            }
            _ if is_name_byte(byte) => self.word(),
            _ => {
                self.at += 1;
                Kind::Punctuation(byte)
            }
        };
        if self.unterminated {
            self.at = self.sql.len();
            return Token { kind: Kind::End, text: &[], start };
        }
        Token { kind, text: &self.sql[start..self.at], start }
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.sql.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn rest(&self) -> &'a [u8] {
        &self.sql[self.at..]
    }

    fn skip_space_and_comments(&mut self) {
        loop {
            match self.byte(0) {
                b' ' | b'\t'..=b'\r' => self.at += 1,
                b'#' => self.line_comment(1),
                b'-' if self.byte(1) == b'-' && self.opens_line_comment() => self.line_comment(2),
                b'/' if self.byte(1) == b'*' => self.block_comment(),
                b'*' if self.inside_conditional && self.byte(1) == b'/' => {
                    self.inside_conditional = false;
                    self.at += 2;
                }
                _ => return,
            }
            // Nothing but a direct neighbour makes a keyword into a name.
            self.after_dot = false;
        }
    }

    /// `--` opens a comment only before a space, a control character or the end.
    fn opens_line_comment(&self) -> bool {
        self.sql.get(self.at + 2).is_none_or(|byte| *byte == b' ' || byte.is_ascii_control())
    }

    fn line_comment(&mut self, opening: usize) {
        let body = &self.sql[self.at + opening..];
        let length = find_either(body, b'\n', 0).unwrap_or(body.len());
        self.note(&body[..length]);
        self.at += opening + length;
    }

    fn block_comment(&mut self) {
        if self.inside_conditional {
            // Servers disagree about which of the two a following `*/` closes.
            self.doubtful = true;
        }
        let body = &self.sql[self.at + 2..];
        match body {
            [b'!', ..] => self.conditional(3, false),
            [b'M', b'!', ..] => self.conditional(4, true),
            _ => {
                let Some(length) = find_close(body) else { return self.give_up() };
                let content = &body[..length];
                if content.first() == Some(&b'+') && has_odd_quotes(content) {
                    // An optimizer hint whose quoted name may hold the `*/` that we took for its end.
                    self.doubtful = true;
                }
                self.note(content);
                self.at += 2 + length + 2;
            }
        }
    }

    fn conditional(&mut self, opening: usize, mariadb: bool) {
        self.at += opening;
        let digits = self.rest().iter().take(7).take_while(|byte| byte.is_ascii_digit()).count();
        let mut version = 0;
        if digits >= 5 {
            for digit in &self.rest()[..digits] {
                version = version * 10 + u32::from(digit - b'0');
            }
            // Old servers read five digits, newer ones six: harmless only if nothing is glued to the sixth.
            self.doubtful |= digits > 6 || (digits == 6 && is_name_byte(self.byte(6)));
            self.at += digits;
        }
        let condition = match (mariadb, version) {
            (true, _) => Condition::MariaDb(version),
            // MariaDB skips 50700 to 50999; what asks for less is executed by every server alive.
            (false, 0..50_700) => Condition::Old,
            (false, _) => Condition::Version(version),
        };
        self.doubtful |= self.condition.is_some_and(|earlier| earlier != condition);
        self.condition = Some(condition);
        if self.reading.conditional {
            self.inside_conditional = true;
            return;
        }
        // A server that skips the comment looks for its end bytewise, also inside strings.
        let Some(length) = find_close(self.rest()) else { return self.give_up() };
        self.doubtful |= self.rest()[..length].windows(2).any(|pair| pair == b"/*");
        self.at += length + 2;
    }

    fn note(&mut self, comment: &[u8]) {
        self.vouched |= comment.trim_ascii() == b"pointsman:idempotent";
    }

    fn give_up(&mut self) {
        self.unterminated = true;
        self.at = self.sql.len();
    }

    fn word(&mut self) -> Kind {
        let rest = self.rest();
        let (mut length, mut beyond_ascii) = (0, false);
        while let Some(byte) = rest.get(length).filter(|byte| is_name_byte(**byte)) {
            beyond_ascii |= !byte.is_ascii();
            length += 1;
        }
        let word = &rest[..length];
        // Dollar quotes hold any text.
        self.doubtful |= word[0] == b'$' || beyond_ascii && may_be_two_words(word);
        self.at += length;
        self.name_ended = self.at;
        Kind::Word
    }

    fn number_or_word(&mut self) -> Kind {
        let rest = self.rest();
        if let [b'0', radix @ (b'x' | b'b'), ..] = rest {
            let is_digit =
                |byte: &u8| if *radix == b'x' { byte.is_ascii_hexdigit() } else { matches!(byte, b'0' | b'1') };
            let digits = rest[2..].iter().take_while(|byte| is_digit(byte)).count();
            if digits == 0 || rest.get(2 + digits).is_some_and(|byte| is_name_byte(*byte)) {
                return self.word();
            }
            self.at += 2 + digits;
            return Kind::Number;
        }
        let digits = count_digits(rest);
        match rest.get(digits) {
            Some(b'.') => self.fraction(),
            Some(b'e' | b'E') => match exponent(&rest[digits..]) {
                Some(length) => {
                    self.at += digits + length;
                    Kind::Number
                }
                None => self.word(),
            },
            Some(byte) if is_name_byte(*byte) => self.word(),
            _ => {
                self.at += digits;
                Kind::Number
            }
        }
    }

    /// Digits, a point, digits, an exponent.
    fn fraction(&mut self) -> Kind {
        self.at += count_digits(self.rest()) + 1;
        self.at += count_digits(self.rest());
        if matches!(self.byte(0), b'e' | b'E') {
            match exponent(self.rest()) {
                Some(length) => self.at += length,
                // `1.e(` : some servers drop the broken number and go on with what follows it.
                None => self.doubtful = true,
            }
        }
        Kind::Number
    }

    fn double_quoted(&mut self, kind: Kind) -> Kind {
        let start = self.at;
        let escapes = self.reading.backslash && self.reading.backslash_in_double_quotes;
        let kind = self.quoted(b'"', escapes, kind);
        self.depends_on_quotes |= self.reading.backslash && self.sql[start..self.at].contains(&b'\\');
        self.name_ended = self.at;
        kind
    }

    fn quoted(&mut self, quote: u8, backslash: bool, kind: Kind) -> Kind {
        self.at += 1;
        loop {
            let Some(length) = find_either(self.rest(), quote, if backslash { b'\\' } else { quote }) else {
                self.give_up();
                return kind;
            };
            self.at += length + 1;
            if self.sql[self.at - 1] == b'\\' {
                if self.at == self.sql.len() {
                    self.give_up();
                    return kind;
                }
                self.at += 1;
            } else if self.at < self.sql.len() && self.sql[self.at] == quote {
                self.at += 1;
            } else {
                return kind;
            }
        }
    }

    fn variable(&mut self) -> Kind {
        self.at += 1;
        if self.byte(0) == b'@' {
            self.at += 1;
            loop {
                if self.byte(0) == b'`' {
                    self.quoted(b'`', false, Kind::Quoted);
                } else {
                    self.at += self.rest().iter().take_while(|byte| is_name_byte(**byte)).count();
                }
                if self.byte(0) != b'.' {
                    return Kind::SystemVariable;
                }
                self.at += 1;
            }
        }
        match self.byte(0) {
            b'\'' => self.quoted(b'\'', self.reading.backslash, Kind::UserVariable),
            b'"' => self.double_quoted(Kind::UserVariable),
            b'`' => self.quoted(b'`', false, Kind::UserVariable),
            _ => {
                self.at += self.rest().iter().take_while(|byte| is_name_byte(**byte) || **byte == b'.').count();
                Kind::UserVariable
            }
        }
    }
}

/// Every byte of every statement is asked this: one load instead of six comparisons.
fn is_name_byte(byte: u8) -> bool {
    static NAME_BYTES: [bool; 256] = {
        let mut name = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            name[byte] = (byte as u8).is_ascii_alphanumeric() || matches!(byte as u8, b'_' | b'$' | 0x80..);
            byte += 1;
        }
        name
    };
    NAME_BYTES[usize::from(byte)]
}

/// A no-break space separates words in single-byte character sets, and is a piece of a letter in UTF-8. It matters
/// only with ASCII beside it: no keyword and no function that we know has a letter beyond.
fn may_be_two_words(word: &[u8]) -> bool {
    let ascii = |at: Option<&u8>| at.is_some_and(u8::is_ascii);
    word.iter()
        .enumerate()
        .any(|(at, byte)| *byte == 0xA0 && (at == 0 || ascii(word.get(at - 1)) || ascii(word.get(at + 1))))
}

fn count_digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// The length of `e5`, `e+5`, `E-5` at the start of the text.
fn exponent(text: &[u8]) -> Option<usize> {
    let sign = usize::from(matches!(text.get(1), Some(b'+' | b'-')));
    let digits = count_digits(text.get(1 + sign..)?);
    (digits > 0).then_some(1 + sign + digits)
}

fn has_odd_quotes(text: &[u8]) -> bool {
    [b'\'', b'"', b'`'].iter().any(|quote| text.iter().filter(|byte| *byte == quote).count() % 2 == 1)
}

/// Where `*/` stands.
fn find_close(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let star = from + find_either(&text[from..], b'*', b'*')?;
        if text.get(star + 1) == Some(&b'/') {
            return Some(star);
        }
        from = star + 1;
    }
}

/// Where the first of two bytes stands: eight bytes at a step, since literals can be megabytes.
fn find_either(text: &[u8], one: u8, other: u8) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let holds = |word: u64, byte: u8| {
        let difference = word ^ (ONES * u64::from(byte));
        difference.wrapping_sub(ONES) & !difference & (ONES << 7) != 0
    };
    let (chunks, _) = text.as_chunks::<8>();
    let skipped = chunks
        .iter()
        .position(|chunk| {
            let word = u64::from_ne_bytes(*chunk);
            holds(word, one) || holds(word, other)
        })
        .unwrap_or(chunks.len())
        * 8;
    text[skipped..].iter().position(|byte| *byte == one || *byte == other).map(|found| skipped + found)
}
