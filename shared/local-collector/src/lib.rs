//! An OTLP collector within a test: takes what services send over HTTP and keeps it to be looked at.

mod http;
mod received;

use std::{
    net::TcpListener,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

pub use received::{Metric, Span};

use http::Post;
use received::{read_metrics, read_spans};

/// Listens on a port of its own until the process ends.
#[derive(Debug)]
pub struct Collector {
    endpoint: String,
    received: Arc<Mutex<Vec<Post>>>,
}

impl Collector {
    /// Starts to listen.
    ///
    /// # Panics
    /// When this machine has no port to give.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = received.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = kept.clone();
                // A sender that breaks off in the middle of a post is none of the collector's business.
                thread::spawn(move || http::serve(stream, |post| lock(&kept).push(post)));
            }
        });
        Self { endpoint: format!("http://{address}"), received }
    }

    /// What services call `telemetry.otlp_endpoint`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Every span so far.
    pub fn spans(&self) -> Vec<Span> {
        self.bodies("/v1/traces").iter().flat_map(|body| read_spans(body)).collect()
    }

    /// Every metric so far, once for each time it was sent.
    pub fn metrics(&self) -> Vec<Metric> {
        self.bodies("/v1/metrics").iter().flat_map(|body| read_metrics(body)).collect()
    }

    fn bodies(&self, path: &str) -> Vec<Vec<u8>> {
        lock(&self.received).iter().filter(|post| post.path == path).map(|post| post.body.clone()).collect()
    }
}

fn lock(received: &Mutex<Vec<Post>>) -> std::sync::MutexGuard<'_, Vec<Post>> {
    received.lock().unwrap_or_else(PoisonError::into_inner)
}
