//! The stories: what happens in each, with its times.

mod disaster;
mod division;
mod flicker;
mod front;
mod handover;
mod misnaming;
mod planned;

pub use flicker::Blip;
pub use handover::Handover;
