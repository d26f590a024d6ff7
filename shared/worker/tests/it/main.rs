//! A worker against a real broker and a real history of checkpoints. The scheduler's side of the protocol is played by
//! the tests, so that each can say what it answers.

mod counterpart;
mod endings;
mod gpu;
mod lines;
mod memory;
mod notices;
mod offers;
mod saving;
mod trainers;
mod world;
