//! The delay levels: how a message's delay becomes a routing key.
