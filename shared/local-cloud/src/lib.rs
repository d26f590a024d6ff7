//! The metadata services of three clouds, on this machine, for tests. What a cloud would not answer is answered with an
//! error and kept as a fault.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header::HeaderMap, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// How many questions a token of EC2 is good for here; for ever is not among the things to rely on.
const TOKEN_USES: u32 = 2;

/// Whose service it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// EC2's, version 2.
    Aws,
    /// Compute Engine's.
    Gcp,
    /// Azure's.
    Azure,
}

impl Kind {
    /// As `worker.spot_notice` calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Gcp => "gcp",
            Self::Azure => "azure",
        }
    }
}

/// What a cloud tells its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It stays.
    Stays,
    /// Something is said that does not end the machine.
    Disturbed,
    /// It is taken away.
    Goes,
    /// Whatever is asked, the service is out of order.
    OutOfOrder,
}

#[derive(Debug, Default)]
struct Heard {
    faults: Vec<String>,
    questions: u32,
    tokens: u32,
    token_uses: u32,
}

/// One machine's service. It answers as long as this lives.
#[derive(Debug)]
pub struct Cloud {
    /// Where it is asked: `worker.spot_notice_url`.
    pub url: String,
    service: Arc<Service>,
    _serving: JoinSet<()>,
}

#[derive(Debug)]
struct Service {
    kind: Kind,
    fate: watch::Sender<Fate>,
    heard: Mutex<Heard>,
}

/// A status, a body, and the name of the value.
type Answer = (StatusCode, String, Option<&'static str>);

impl Cloud {
    /// Starts to answer, on a port of its own.
    ///
    /// # Panics
    /// When this machine has no port to give.
    pub async fn start(kind: Kind, fate: Fate) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let url = format!("http://{}", listener.local_addr().expect("a listener has an address"));
        let service = Arc::new(Service { kind, fate: watch::Sender::new(fate), heard: Mutex::default() });
        let mut serving = JoinSet::new();
        let accepted = service.clone();
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a listener goes on listening");
                connections.spawn(accepted.clone().serve(stream));
            }
        });
        Self { url, service, _serving: serving }
    }

    /// Whose it is.
    pub fn kind(&self) -> Kind {
        self.service.kind
    }

    /// Changes what the machine is told.
    pub fn decide(&self, fate: Fate) {
        self.service.fate.send_replace(fate);
    }

    /// What was asked wrongly.
    pub fn faults(&self) -> Vec<String> {
        self.service.heard().faults.clone()
    }

    /// How often it was asked anything.
    pub fn questions(&self) -> u32 {
        self.service.heard().questions
    }

    /// How often EC2 was asked for a token.
    pub fn tokens(&self) -> u32 {
        self.service.heard().tokens
    }
}

impl Service {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().expect("nothing panics while it holds what was heard")
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let cloud = &self;
        let service = service_fn(move |request: Request<Incoming>| async move {
            let (status, body, etag) = cloud.answer(&request).await;
            let mut response = Response::builder().status(status);
            if let Some(etag) = etag {
                response = response.header("etag", etag);
            }
            Ok::<_, Infallible>(response.body(body).expect("status and header are valid"))
        });
        // The other side may go at any time.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    async fn answer(&self, request: &Request<Incoming>) -> Answer {
        self.heard().questions += 1;
        let fate = *self.fate.borrow();
        if fate == Fate::OutOfOrder {
            return (StatusCode::SERVICE_UNAVAILABLE, "out of order".into(), None);
        }
        let path = request.uri().path();
        let query: BTreeSet<&str> = request.uri().query().unwrap_or_default().split('&').collect();
        let answer = match self.kind {
            Kind::Aws => self.aws(request.method(), path, request.headers(), fate),
            Kind::Gcp => self.gcp(request.method(), path, &query, request.headers()).await,
            Kind::Azure => azure(request.method(), path, &query, request.headers(), fate),
        };
        answer.unwrap_or_else(|| {
            let fault = format!("{} {} {:?}", request.method(), request.uri(), request.headers());
            self.heard().faults.push(fault);
            (StatusCode::BAD_REQUEST, String::new(), None)
        })
    }

    fn aws(&self, method: &Method, path: &str, headers: &HeaderMap, fate: Fate) -> Option<Answer> {
        let header = |name: &str| headers.get(name)?.to_str().ok();
        let mut heard = self.heard();
        match (method.as_str(), path) {
            ("PUT", "/latest/api/token") => {
                let life: u32 = header("x-aws-ec2-metadata-token-ttl-seconds")?.parse().ok()?;
                (1..=21_600).contains(&life).then_some(())?;
                heard.tokens += 1;
                heard.token_uses = 0;
                Some((StatusCode::OK, format!("token-{}", heard.tokens), None))
            }
            ("GET", "/latest/meta-data/spot/instance-action") => {
                let token = format!("token-{}", heard.tokens);
                (header("x-aws-ec2-metadata-token")? == token).then_some(())?;
                heard.token_uses += 1;
                Some(match fate {
                    _ if TOKEN_USES < heard.token_uses => {
                        (StatusCode::UNAUTHORIZED, "Unauthorized".into(), None)
                    }
                    Fate::Goes => {
                        let action = r#"{"action": "terminate", "time": "2026-09-18T08:22:00Z"}"#;
                        (StatusCode::OK, action.into(), None)
                    }
                    _ => (StatusCode::NOT_FOUND, "Not Found".into(), None),
                })
            }
            _ => None,
        }
    }

    /// Holds a question back until there is something new, if it is asked to.
    async fn gcp(
        &self,
        method: &Method,
        path: &str,
        query: &BTreeSet<&str>,
        headers: &HeaderMap,
    ) -> Option<Answer> {
        let is_right = method == Method::GET && path == "/computeMetadata/v1/instance/preempted";
        let is_ours = headers.get("metadata-flavor").is_some_and(|flavour| flavour == "Google");
        (is_right && is_ours).then_some(())?;
        let mut fates = self.fate.subscribe();
        if query.contains("wait_for_change=true") {
            let limit: u64 = query.iter().find_map(|part| part.strip_prefix("timeout_sec="))?.parse().ok()?;
            let seen = query.iter().find_map(|part| part.strip_prefix("last_etag="))?;
            let news = fates.wait_for(|fate| preempted(*fate).1 != seen);
            let _ = tokio::time::timeout(Duration::from_secs(limit), news).await;
        }
        let (preempted, etag) = preempted(*self.fate.borrow());
        Some((StatusCode::OK, preempted.into(), Some(etag)))
    }
}

/// The value and its name.
fn preempted(fate: Fate) -> (&'static str, &'static str) {
    if fate == Fate::Goes { ("TRUE", "b1") } else { ("FALSE", "a0") }
}

fn azure(
    method: &Method,
    path: &str,
    query: &BTreeSet<&str>,
    headers: &HeaderMap,
    fate: Fate,
) -> Option<Answer> {
    let is_ours = headers.get("metadata").is_some_and(|value| value == "true");
    (method == Method::GET && is_ours).then_some(())?;
    let body = match path {
        "/metadata/instance/compute/name" => {
            (query.contains("api-version=2021-02-01") && query.contains("format=text")).then_some(())?;
            "gpu_1".into()
        }
        "/metadata/scheduledevents" => {
            query.contains("api-version=2020-07-01").then_some(())?;
            let event = |kind: &str, machine: &str| {
                format!(
                    r#"{{"EventId": "A-1", "EventType": "{kind}", "ResourceType": "VirtualMachine",
                    "Resources": ["{machine}"], "EventStatus": "Scheduled",
                    "NotBefore": "Mon, 19 Sep 2026 18:29:47 GMT", "EventSource": "Platform"}}"#
                )
            };
            let events = match fate {
                Fate::Stays | Fate::OutOfOrder => vec![],
                Fate::Disturbed => vec![event("Freeze", "gpu_1"), event("Preempt", "gpu_2")],
                Fate::Goes => vec![event("Freeze", "gpu_2"), event("Preempt", "gpu_1")],
            };
            format!(r#"{{"DocumentIncarnation": 1, "Events": [{}]}}"#, events.join(","))
        }
        _ => return None,
    };
    Some((StatusCode::OK, body, None))
}
