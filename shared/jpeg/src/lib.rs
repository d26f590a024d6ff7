//! Photographs as cameras and cameras' programs write them, baseline JPEGs (ITU-T T.81), decoded at their size or at a half,
//! a quarter or an eighth of it: of each block of 8×8 pixels only as many are computed as are asked for.
//!
//! The time goes into the file's bits, which come one code after the other: where the next begins is known when this one
//! has been read. So one look at a table finds as much as it can, two codes with their numbers or several that nobody asks
//! for, and all that it finds is one word.

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
