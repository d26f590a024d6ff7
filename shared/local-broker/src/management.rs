//! RabbitMQ's management interface, as far as it is needed here.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use ureq::{
    Agent,
    http::{Method, Request, StatusCode},
};

use crate::ManagementError;

const LIMIT: Duration = Duration::from_secs(30);

/// What a queue holds, as of a second or so ago.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct QueueState {
    /// Its name.
    pub name: String,
    /// All messages. More than ready and unacknowledged together: some cannot be dead-lettered.
    #[serde(default)]
    pub messages: u64,
    /// Those that wait for a consumer.
    #[serde(default)]
    pub messages_ready: u64,
    /// Those that a consumer has not settled.
    #[serde(default)]
    pub messages_unacknowledged: u64,
    /// How many consume from it.
    #[serde(default)]
    pub consumers: u64,
}

#[derive(Deserialize)]
struct Queue {
    name: String,
    vhost: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Connection {
    name: String,
    vhost: String,
}

/// A client of the management interface. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Management {
    url: Arc<str>,
    agent: Agent,
}

impl Management {
    /// A client for `http://user:password@host:15672`.
    pub fn new(url: &str) -> Self {
        let config = Agent::config_builder().timeout_global(Some(LIMIT)).http_status_as_error(false).build();
        Self { url: url.trim_end_matches('/').into(), agent: config.into() }
    }

    /// Its address, password included.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether it answers.
    pub async fn answers(&self) -> bool {
        self.ask(Method::GET, "/api/overview".into(), None).await.is_ok()
    }

    /// Creates a virtual host. RabbitMQ lets the client's own user do everything in it.
    ///
    /// # Errors
    /// [`ManagementError`] names the request and the answer.
    pub async fn create_vhost(&self, name: &str) -> Result<(), ManagementError> {
        self.ask(Method::PUT, vhost_path(name), Some(json!({}))).await.map(drop)
    }

    /// Deletes a virtual host with everything in it. One that is not there is no error.
    ///
    /// # Errors
    /// [`ManagementError`] names the request and the answer.
    pub async fn delete_vhost(&self, name: &str) -> Result<(), ManagementError> {
        ignore_missing(self.ask(Method::DELETE, vhost_path(name), None).await)
    }

    /// The same, where nothing can be awaited.
    pub(crate) fn delete_vhost_blocking(&self, name: &str) -> Result<(), ManagementError> {
        ignore_missing(self.ask_blocking(Method::DELETE, &vhost_path(name), None))
    }

    /// What the queues of a virtual host hold.
    ///
    /// # Errors
    /// [`ManagementError`] names the request and the answer.
    pub async fn queues(&self, vhost: &str) -> Result<Vec<QueueState>, ManagementError> {
        self.get(format!("/api/queues/{}", escape(vhost))).await
    }

    /// Makes a durable queue, for one who wants to see what passes an exchange.
    ///
    /// # Errors
    /// [`ManagementError`] names the request and the answer.
    pub async fn create_queue(&self, vhost: &str, queue: &str) -> Result<(), ManagementError> {
        let path = queue_path(vhost, queue);
        self.ask(Method::PUT, path, Some(json!({ "durable": true }))).await.map(drop)
    }

    /// Has what an exchange gets under `key` come into a queue too.
    ///
    /// # Errors
    /// [`ManagementError`] names the request and the answer.
    pub async fn bind(
        &self,
        vhost: &str,
        exchange: &str,
        key: &str,
        queue: &str,
    ) -> Result<(), ManagementError> {
        let [vhost, exchange, queue] = [vhost, exchange, queue].map(escape);
        let path = format!("/api/bindings/{vhost}/e/{exchange}/q/{queue}");
        self.ask(Method::POST, path, Some(json!({ "routing_key": key }))).await.map(drop)
    }

    /// Publishes text to an exchange, the default one if it is empty, as any client may: nothing is checked here.
    ///
    /// # Errors
    /// [`ManagementError`] names the request and the answer.
    pub async fn publish(
        &self,
        vhost: &str,
        exchange: &str,
        key: &str,
        payload: &str,
    ) -> Result<(), ManagementError> {
        let exchange = if exchange.is_empty() { "amq.default" } else { exchange };
        let path = format!("/api/exchanges/{}/{}/publish", escape(vhost), escape(exchange));
        let message = json!({
            "properties": {}, "routing_key": key, "payload": payload, "payload_encoding": "string"
        });
        self.ask(Method::POST, path, Some(message)).await.map(drop)
    }

    /// Deletes a queue with everything in it. One that is not there is no error.
    ///
    /// # Errors
    /// [`ManagementError`] names the request and the answer.
    pub async fn delete_queue(&self, vhost: &str, queue: &str) -> Result<(), ManagementError> {
        ignore_missing(self.ask(Method::DELETE, queue_path(vhost, queue), None).await)
    }

    /// The quorum queues of all virtual hosts: the names of host and queue.
    pub(crate) async fn quorum_queues(&self) -> Result<Vec<(String, String)>, ManagementError> {
        let queues: Vec<Queue> = self.get("/api/queues?columns=name,vhost,type".into()).await?;
        let quorum = queues.into_iter().filter(|queue| queue.kind == "quorum");
        Ok(quorum.map(|queue| (queue.vhost, queue.name)).collect())
    }

    /// Closes every connection to a virtual host that the interface knows of, and says how many it closed. It learns of
    /// a connection a second or so after it is made.
    ///
    /// # Errors
    /// [`ManagementError`] names the request and the answer.
    pub async fn close_connections(&self, vhost: &str) -> Result<usize, ManagementError> {
        let connections: Vec<Connection> = self.get("/api/connections".into()).await?;
        let names = connections.into_iter().filter(|connection| connection.vhost == vhost);
        let mut closed = 0;
        for Connection { name, .. } in names {
            let path = format!("/api/connections/{}", escape(&name));
            ignore_missing(self.ask(Method::DELETE, path, None).await)?;
            closed += 1;
        }
        Ok(closed)
    }

    async fn get<T: DeserializeOwned>(&self, path: String) -> Result<T, ManagementError> {
        let request = format!("GET {path}");
        let body = self.ask(Method::GET, path, None).await?;
        serde_json::from_slice(&body).map_err(|error| ManagementError::Unreadable { request, error })
    }

    /// Asks on a thread that may block.
    async fn ask(
        &self,
        method: Method,
        path: String,
        body: Option<Value>,
    ) -> Result<Vec<u8>, ManagementError> {
        let client = self.clone();
        let asked = tokio::task::spawn_blocking(move || client.ask_blocking(method, &path, body));
        asked.await.unwrap_or(Err(ManagementError::Stopped))
    }

    fn ask_blocking(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Vec<u8>, ManagementError> {
        let request = format!("{method} {path}");
        let unreachable =
            |error| ManagementError::Unreachable { request: request.clone(), error: Box::new(error) };
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let message = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .body(body)
            .map_err(|error| unreachable(error.into()))?;
        let mut answer = self.agent.run(message).map_err(unreachable)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(ManagementError::Refused { request, status });
        }
        answer.body_mut().read_to_vec().map_err(unreachable)
    }
}

fn ignore_missing(answer: Result<Vec<u8>, ManagementError>) -> Result<(), ManagementError> {
    match answer {
        Err(ManagementError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(()),
        answer => answer.map(drop),
    }
}

fn queue_path(vhost: &str, queue: &str) -> String {
    format!("/api/queues/{}/{}", escape(vhost), escape(queue))
}

fn vhost_path(name: &str) -> String {
    format!("/api/vhosts/{}", escape(name))
}

/// A name as one segment of a path.
fn escape(name: &str) -> String {
    let mut escaped = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            escaped.push(char::from(byte));
        } else {
            escaped.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
    escaped
}

fn hex(digit: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(digit)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_one_segment() {
        assert_eq!(escape("/"), "%2F");
        assert_eq!(escape("127.0.0.1:5 -> ü"), "127.0.0.1%3A5%20-%3E%20%C3%BC");
    }
}
