//! What a lab stands on: addresses, a directory, server programs and ready-made data.

pub(crate) mod directory;
pub(crate) mod roots;
pub(crate) mod slot;
pub(crate) mod template;
