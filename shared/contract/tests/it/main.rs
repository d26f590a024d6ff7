//! The contract, held against its golden examples, its published schemas and hostile bytes.

mod errors;
mod golden;
mod published;
mod roundtrip;
