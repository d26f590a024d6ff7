//! The checkpoint-store against a real RabbitMQ: in this process, and as a process that is killed.

mod damage;
mod kill;
mod requests;
mod retention;
mod world;
