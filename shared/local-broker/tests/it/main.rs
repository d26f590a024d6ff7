//! The private broker, against the RabbitMQ that is installed here.

mod lifecycle;
mod proxy;
mod shared;
