//! Where the broker is.

use secrecy::ExposeSecret;

use crate::Settings;

/// Where RabbitMQ answers when it was installed and nothing was changed.
const DEFAULT_URL: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

impl Settings {
    /// The broker's AMQP address, password included: the one set, else RabbitMQ's default on this machine.
    pub fn broker_url(&self) -> String {
        match &self.broker.url {
            Some(url) => url.expose_secret().to_owned(),
            None => DEFAULT_URL.to_owned(),
        }
    }
}
