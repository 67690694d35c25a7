//! What was run: a text, or a prepared statement with the values of its parameters, so that it can be run once more.
//!
//! Pure: a value is a type's number and bytes, as the client library takes them.

/// One parameter of an execution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value {
    /// `enum_field_types`.
    pub kind: i32,
    pub unsigned: bool,
    pub content: Content,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Content {
    #[default]
    Null,
    Bytes(Vec<u8>),
    /// Sent in pieces beforehand.
    Long(Vec<u8>),
}

impl Value {
    pub fn size(&self) -> usize {
        match &self.content {
            Content::Null => 0,
            Content::Bytes(bytes) | Content::Long(bytes) => bytes.len(),
        }
    }
}

/// What was just run, borrowed from its caller.
#[derive(Clone, Copy, Debug)]
pub enum Ran<'a> {
    Text(&'a [u8]),
    /// `values`: `None` if they could not be kept.
    Execution {
        text: &'a [u8],
        values: Option<&'a [Value]>,
    },
}

impl<'a> Ran<'a> {
    /// The text, if it says all: nothing was bound to it.
    pub fn whole_text(self) -> Option<&'a [u8]> {
        match self {
            Ran::Text(text) | Ran::Execution { text, values: Some([]) } => Some(text),
            Ran::Execution { .. } => None,
        }
    }

    /// `None` if it cannot be run again.
    pub fn kept(self) -> Option<Act> {
        Some(match self {
            Ran::Text(text) => Act::Text(text.to_vec()),
            Ran::Execution { text, values } => Act::Execution { text: text.to_vec(), values: values?.to_vec() },
        })
    }
}

impl<'a> From<&'a [u8]> for Ran<'a> {
    fn from(text: &'a [u8]) -> Self {
        Ran::Text(text)
    }
}

impl<'a> From<&'a Vec<u8>> for Ran<'a> {
    fn from(text: &'a Vec<u8>) -> Self {
        Ran::Text(text)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Ran<'a> {
    fn from(text: &'a [u8; N]) -> Self {
        Ran::Text(text)
    }
}

/// What was run, kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    Text(Vec<u8>),
    Execution { text: Vec<u8>, values: Vec<Value> },
}

impl Act {
    pub fn text(&self) -> &[u8] {
        match self {
            Act::Text(text) | Act::Execution { text, .. } => text,
        }
    }

    pub fn size(&self) -> usize {
        match self {
            Act::Text(text) => text.len(),
            Act::Execution { text, values } => text.len() + values.iter().map(Value::size).sum::<usize>(),
        }
    }
}
