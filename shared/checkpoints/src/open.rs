//! From a URL to a store.

use std::{path::Path, sync::Arc, time::Duration};

use object_store::{
    ClientOptions,
    aws::{AmazonS3Builder, S3ConditionalPut},
    local::LocalFileSystem,
    path::Path as Location,
    prefix::PrefixStore,
};
use url::Url;

use crate::{ObjectStore, StoreError};

/// How long a remote store may stay silent in the middle of an answer. The whole of an answer has no limit, because a
/// checkpoint may be of any size.
const SILENCE: Duration = Duration::from_secs(60);

impl ObjectStore {
    /// Opens the store at a folder's path or a URL. `scratch` is where files wait when the store is not a folder.
    ///
    /// # Errors
    /// [`StoreError::Url`] when it is neither, [`StoreError::Io`] when the folder cannot be made.
    pub fn open(url: &str, scratch: &Path) -> Result<Self, StoreError> {
        Self::open_with(url, scratch, std::env::vars())
    }

    /// The same, with the `AWS_…` variables given instead of taken from the environment.
    ///
    /// # Errors
    /// As [`ObjectStore::open`].
    pub fn open_with(
        url: &str,
        scratch: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, StoreError> {
        let bad = |problem: String| StoreError::Url { url: url.into(), problem };
        if url.is_empty() {
            return Err(bad("it is empty".into()));
        }
        if !url.contains("://") {
            return folder(Path::new(url), scratch);
        }
        let parsed = Url::parse(url).map_err(|error| bad(error.to_string()))?;
        match parsed.scheme() {
            "file" => {
                let path = parsed.to_file_path().map_err(|()| bad("it names no local path".into()))?;
                folder(&path, scratch)
            }
            "s3" => Ok(Self::remote(bucket(&parsed, variables).map_err(bad)?, scratch)),
            scheme => Err(bad(format!("{scheme} stores are not built in"))),
        }
    }
}

fn folder(root: &Path, scratch: &Path) -> Result<ObjectStore, StoreError> {
    let failed = |error| StoreError::of("make the folder", root.display(), error);
    std::fs::create_dir_all(root).map_err(failed)?;
    // Links are resolved once, here, so that keys and paths stay the same thing.
    let root = root.canonicalize().map_err(failed)?;
    let files = LocalFileSystem::new_with_prefix(&root)
        .map_err(|error| StoreError::of("open the folder", root.display(), error))?
        .with_fsync(true);
    Ok(ObjectStore::folder(Arc::new(files), &root, scratch))
}

fn bucket(
    url: &Url,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Arc<dyn object_store::ObjectStore>, String> {
    let bucket = url.host_str().filter(|name| !name.is_empty()).ok_or("it names no bucket")?;
    let client = ClientOptions::new().with_timeout_disabled().with_read_timeout(SILENCE);
    let mut builder = AmazonS3Builder::new().with_client_options(client);
    for (name, value) in variables {
        if let Some(Ok(key)) = name.starts_with("AWS_").then(|| name.to_ascii_lowercase().parse()) {
            builder = builder.with_config(key, value);
        }
    }
    let store = builder
        .with_bucket_name(bucket)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .build()
        .map_err(text)?;
    let prefix = Location::parse(url.path()).map_err(text)?;
    Ok(Arc::new(PrefixStore::new(store, prefix)))
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
