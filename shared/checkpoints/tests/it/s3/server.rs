//! An S3 server in this process, over a folder.

use std::{net::Ipv4Addr, path::Path, sync::Arc};

use hyper::{Request, body::Incoming, header::IF_NONE_MATCH, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use s3s::{
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use tokio::{net::TcpListener, sync::Mutex, task::JoinSet};

const KEY: &str = "key";
const SECRET: &str = "secret";

/// It runs until this is dropped.
pub(super) struct Server {
    endpoint: String,
    _serving: JoinSet<()>,
}

impl Server {
    /// Starts one that has one bucket.
    pub(super) async fn start(folder: &Path, bucket: &str) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder.join(bucket))?;
        let files = s3s_fs::FileSystem::new(folder).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, builder.build()));
        Ok(Self { endpoint, _serving: serving })
    }

    /// How to reach it.
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT", self.endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ACCESS_KEY_ID", KEY),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }
}

async fn serve(listener: TcpListener, service: S3Service) {
    // The server looks whether an object is there and then writes it; S3 does both at once, so here one waits.
    let conditional = Arc::new(Mutex::new(()));
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let (service, conditional) = (service.clone(), conditional.clone());
        let answer = service_fn(move |request: Request<Incoming>| {
            let (service, conditional) = (service.clone(), conditional.clone());
            async move {
                let _alone = match request.headers().contains_key(IF_NONE_MATCH) {
                    true => Some(conditional.lock().await),
                    false => None,
                };
                hyper::service::Service::call(&service, request).await
            }
        });
        connections.spawn(async move {
            // A client that goes away is no concern of the test's.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), answer).await;
        });
    }
}
