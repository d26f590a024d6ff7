//! Pictures for people.

mod confusion;
mod curves;

pub(crate) use confusion::draw_confusion;
pub(crate) use curves::draw_curves;
