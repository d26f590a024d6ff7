//! The scheduler against a real broker, by its messages alone.

mod full_disk;
mod kill;
mod messages;
mod outages;
mod stories;
mod takeover;
mod trainer;
mod world;
