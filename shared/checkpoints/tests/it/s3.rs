//! A bucket: that of `REKINDLE_TEST_S3_URL`, with `AWS_…` variables, or one of a server in this process.

mod server;

use checkpoints::ObjectStore;
use tempfile::TempDir;

use crate::behaviour;
use server::Server;

/// An empty bucket, or an empty corner of one.
struct Bucket {
    store: ObjectStore,
    folder: TempDir,
    _server: Option<Server>,
}

impl Bucket {
    async fn new() -> anyhow::Result<Self> {
        let folder = TempDir::new()?;
        let scratch = folder.path().join("scratch");
        if let Ok(url) = std::env::var("REKINDLE_TEST_S3_URL") {
            let corner = folder.path().file_name().unwrap_or_default().to_string_lossy();
            let corner = format!("{}/{}", url.trim_end_matches('/'), corner.trim_start_matches('.'));
            return Ok(Self { store: ObjectStore::open(&corner, &scratch)?, folder, _server: None });
        }
        let server = Server::start(&folder.path().join("server"), "bucket").await?;
        let store = ObjectStore::open_with("s3://bucket/some/prefix", &scratch, server.variables())?;
        Ok(Self { store, folder, _server: Some(server) })
    }
}

#[tokio::test]
async fn a_checkpoint_lives() -> anyhow::Result<()> {
    behaviour::a_checkpoint_lives(&Bucket::new().await?.store).await
}

#[tokio::test]
async fn a_large_file_comes_back() -> anyhow::Result<()> {
    let bucket = Bucket::new().await?;
    behaviour::a_large_file_comes_back(&bucket.store, bucket.folder.path()).await?;
    let waiting = std::fs::read_dir(bucket.folder.path().join("scratch/uploads"))?.count();
    assert_eq!(waiting, 0, "an uploaded file does not stay on this machine");
    Ok(())
}

#[tokio::test]
async fn artifacts_are_kept() -> anyhow::Result<()> {
    let bucket = Bucket::new().await?;
    behaviour::artifacts_are_kept(&bucket.store, bucket.folder.path()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_at_once_follow_each_other() -> anyhow::Result<()> {
    behaviour::attempts_at_once_follow_each_other(&Bucket::new().await?.store).await
}

#[tokio::test]
async fn what_is_not_kept_goes() -> anyhow::Result<()> {
    behaviour::what_is_not_kept_goes(&Bucket::new().await?.store).await
}

#[tokio::test]
async fn a_job_is_removed() -> anyhow::Result<()> {
    let bucket = Bucket::new().await?;
    behaviour::a_job_is_removed(&bucket.store, bucket.folder.path()).await
}
