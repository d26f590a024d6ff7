//! Where the broker is.

use std::path::PathBuf;

use local_broker::LocalBroker;
use secrecy::ExposeSecret;

use crate::Settings;

/// Where RabbitMQ answers when it was installed and nothing was changed.
const DEFAULT_URL: &str = "amqp://guest:guest@127.0.0.1:5672/%2f";

impl Settings {
    /// The folder of the private broker that `rekindle up` starts where no address is set.
    pub fn private_broker_folder(&self) -> PathBuf {
        self.data.dir.join("broker")
    }

    /// The broker's AMQP address, password included: the one set, else that of this machine's private broker if there
    /// was ever one (it keeps its address while it is away), else RabbitMQ's default on this machine.
    pub fn broker_url(&self) -> String {
        if let Some(url) = &self.broker.url {
            return url.expose_secret().to_owned();
        }
        let private = LocalBroker::last_known(&self.private_broker_folder());
        private.map_or_else(|| DEFAULT_URL.to_owned(), |address| address.amqp_url)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::load::{BUILT_IN, parse};

    fn settings(base: &Path, url: &str) -> Settings {
        let variables = [("REKINDLE__BROKER__URL".to_owned(), url.to_owned())];
        parse(BUILT_IN, "rekindle.toml", base, variables).unwrap()
    }

    #[test]
    fn the_address_that_is_set_comes_before_the_private_brokers_and_that_before_the_default() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(settings(folder.path(), "").broker_url(), DEFAULT_URL);

        let private = settings(folder.path(), "").private_broker_folder();
        let address = r#"{ "amqp_url": "amqp://me:secret@127.0.0.1:1/%2f", "management_url": "", "process_group": 1,
            "ports": { "amqp": 1, "management": 2, "distribution": 3, "epmd": 4 } }"#;
        fs::create_dir_all(&private).unwrap();
        fs::write(private.join("address.json"), address).unwrap();
        assert_eq!(settings(folder.path(), "").broker_url(), "amqp://me:secret@127.0.0.1:1/%2f");

        assert_eq!(settings(folder.path(), "amqp://elsewhere").broker_url(), "amqp://elsewhere");
    }
}
