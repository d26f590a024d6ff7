//! Photographs as cameras and cameras' programs write them, baseline JPEGs (ITU-T T.81), decoded at their size or at a half,
//! a quarter or an eighth of it: of each block of 8×8 pixels only as many are computed as are asked for.
//!
//! The time goes into the file's bits, which come one code after the other. So everything about a code is in one word of
//! a table: how many bits it and its number take, how many zeros precede the number. A code costs a load and a shift, and
//! nothing has to be guessed but where a block ends.

mod bits;
mod color;
mod error;
mod header;
mod huffman;
mod scan;
mod tables;
mod transform;

pub use error::JpegError;
pub use header::Jpeg;
pub use scan::{Reduction, Rgb};
