//! Tokens: what the lexer cuts a text into. They borrow from the text and know nothing of statements.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An identifier or keyword without quotes.
    Word,
    /// `` `…` ``
    Quoted,
    /// `'…'`
    Text,
    /// `"…"`: a string, or an identifier under ANSI_QUOTES.
    DoubleQuoted,
    Number,
    /// `@name`, or the host part of an account.
    UserVariable,
    /// `@@name`, `@@scope.name`
    SystemVariable,
    /// `:=`
    Assign,
    Punctuation(u8),
    End,
}

/// One token; `text` is the whole of it, quotes and `@` included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub kind: Kind,
    pub text: &'a [u8],
    pub start: usize,
}

impl<'a> Token<'a> {
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word.as_bytes())
    }

    pub fn is(&self, byte: u8) -> bool {
        self.kind == Kind::Punctuation(byte)
    }

    /// Nothing of the statement follows.
    pub fn ends(&self) -> bool {
        self.kind == Kind::End || self.is(b';')
    }

    pub fn is_name(&self) -> bool {
        matches!(self.kind, Kind::Word | Kind::Quoted | Kind::DoubleQuoted)
    }

    /// The text between the quotes, if there are any; doubled quotes stay doubled.
    pub fn inner(&self) -> &'a [u8] {
        match self.kind {
            Kind::Quoted | Kind::Text | Kind::DoubleQuoted if self.text.len() >= 2 => {
                &self.text[1..self.text.len() - 1]
            }
            _ => self.text,
        }
    }

    /// The name that an identifier stands for.
    pub fn name(&self) -> Vec<u8> {
        let quote = match self.kind {
            Kind::Quoted => b'`',
            Kind::DoubleQuoted => b'"',
            _ => return self.text.to_vec(),
        };
        let mut name = Vec::with_capacity(self.text.len());
        let mut bytes = self.inner().iter().copied();
        while let Some(byte) = bytes.next() {
            name.push(byte);
            if byte == quote {
                bytes.next();
            }
        }
        name
    }
}
