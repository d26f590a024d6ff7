//! The `rekindle` program against a real RabbitMQ, with a scheduler that says what each test wants.

mod command;
mod jobs;
mod scheduler;
mod sweeps;
mod up;
mod waiting;
