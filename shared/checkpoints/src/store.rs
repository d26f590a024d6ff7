//! The bytes, and getting at them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use contract::{JobId, checkpoints::Manifest};
use futures::TryStreamExt;
use object_store::{GetResult, ObjectStoreExt, path::Path as Location};
use tokio::io::AsyncWriteExt;

use crate::{
    StoreError,
    damage::{Digest, expect_size, missing, verify_file},
    folder::blocking,
    keys,
    scratch::{Partial, Scratch},
};

/// A folder or a bucket. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ObjectStore {
    objects: Arc<dyn object_store::ObjectStore>,
    /// The folder, where it is one.
    root: Option<Arc<Path>>,
    scratch: Scratch,
}

impl ObjectStore {
    /// The folder `root`, whose files `objects` reads and writes.
    pub(crate) fn folder(objects: Arc<dyn object_store::ObjectStore>, root: &Path, scratch: &Path) -> Self {
        Self { objects, root: Some(root.into()), scratch: Scratch::new(scratch) }
    }

    /// A store that is reached through its own interface alone.
    pub(crate) fn remote(objects: Arc<dyn object_store::ObjectStore>, scratch: &Path) -> Self {
        Self { objects, root: None, scratch: Scratch::new(scratch) }
    }

    /// Reads every byte and compares size and hash.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] says what is wrong with them; any other error, that they could not be looked at.
    pub async fn verify(&self, manifest: &Manifest) -> Result<(), StoreError> {
        match self.local_path(&manifest.key) {
            Some(path) => self.verify_local(path, manifest).await,
            None => self.read(manifest, &mut tokio::io::sink()).await,
        }
    }

    /// Brings a checkpoint to this machine's disk, verified. For a folder store it is where it lies.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when the bytes are not those that were committed.
    pub async fn fetch(&self, manifest: &Manifest) -> Result<PathBuf, StoreError> {
        if let Some(path) = self.local_path(&manifest.key) {
            self.verify_local(path.clone(), manifest).await?;
            return Ok(path);
        }
        // The hash becomes a file's name, so it is looked at first.
        if blake3::Hash::from_hex(&manifest.blake3).is_err() {
            let problem = format!("{:?} is not a BLAKE3 hash", manifest.blake3);
            return Err(StoreError::damaged(&manifest.key, problem));
        }
        let cached = self.scratch.cached(&manifest.blake3);
        if self.verify_local(cached.clone(), manifest).await.is_ok() {
            return Ok(cached);
        }
        let scratch = self.scratch.clone();
        blocking(move || scratch.clear())
            .await
            .map_err(|error| StoreError::of("make room for", &manifest.key, error))?;
        self.fetch_to(manifest, &cached).await?;
        Ok(cached)
    }

    /// Writes an object's bytes to a local file.
    ///
    /// # Errors
    /// When there is no such object, or the file cannot be written; nothing is left of it then.
    pub async fn download(&self, key: &str, to: &Path) -> Result<(), StoreError> {
        let failed = |error| StoreError::of("write", to.display(), error);
        let partial = Partial::beside(to);
        if let Some(from) = self.local_path(key) {
            tokio::fs::metadata(&from).await.map_err(|error| StoreError::of("download", key, error))?;
            tokio::fs::copy(from, partial.path()).await.map_err(failed)?;
        } else {
            let object = self.get(&keys::parse(key)?).await?;
            let mut file = tokio::fs::File::create(partial.path()).await.map_err(failed)?;
            copy(object, key, &mut file).await?;
        }
        partial.finish(to).await.map_err(|error| StoreError::of("write", to.display(), error))
    }

    /// Where an object lies on this machine, when the store is a folder.
    pub fn local_path(&self, key: &str) -> Option<PathBuf> {
        let location = Location::parse(key).ok()?;
        Some(self.root()?.join(location.as_ref()))
    }

    /// Every job that has anything in the store.
    ///
    /// # Errors
    /// When the store cannot be listed.
    pub async fn jobs(&self) -> Result<Vec<JobId>, StoreError> {
        let jobs = self.objects.list_with_delimiter(Some(&keys::jobs())).await;
        let jobs = jobs.map_err(|error| StoreError::of("list", keys::jobs(), error))?;
        let names = jobs.common_prefixes.iter().filter_map(|folder| folder.filename());
        Ok(names.filter_map(|name| JobId::new(name).ok()).collect())
    }

    /// Whether the file of a checkpoint is there, as long as it should be. Its bytes are not read.
    pub(crate) async fn expect_present(&self, manifest: &Manifest) -> Result<(), StoreError> {
        match self.objects.head(&keys::parse(&manifest.key)?).await {
            Ok(found) => expect_size(manifest, found.size),
            Err(object_store::Error::NotFound { .. }) => Err(missing(manifest)),
            Err(error) => Err(StoreError::of("look at", &manifest.key, error)),
        }
    }

    pub(crate) fn objects(&self) -> &dyn object_store::ObjectStore {
        &*self.objects
    }

    pub(crate) fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    pub(crate) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    async fn verify_local(&self, path: PathBuf, manifest: &Manifest) -> Result<(), StoreError> {
        let expected = manifest.clone();
        let verified = blocking(move || Ok(verify_file(&path, &expected))).await;
        verified.map_err(|error| StoreError::of("verify", &manifest.key, error))?
    }

    async fn fetch_to(&self, manifest: &Manifest, to: &Path) -> Result<(), StoreError> {
        let failed = |error| StoreError::of("write", to.display(), error);
        tokio::fs::create_dir_all(to.parent().unwrap_or(to)).await.map_err(failed)?;
        let partial = Partial::beside(to);
        let mut file = tokio::fs::File::create(partial.path()).await.map_err(failed)?;
        self.read(manifest, &mut file).await?;
        partial.finish(to).await.map_err(failed)
    }

    /// Reads a checkpoint into `out`; the last word on whether it is whole comes at the end.
    async fn read(
        &self,
        manifest: &Manifest,
        out: &mut (impl AsyncWriteExt + Unpin),
    ) -> Result<(), StoreError> {
        let object = match self.get(&keys::parse(&manifest.key)?).await {
            Err(StoreError::Io { error: object_store::Error::NotFound { .. }, .. }) => {
                return Err(missing(manifest));
            }
            object => object?,
        };
        expect_size(manifest, object.meta.size)?;
        copy(object, &manifest.key, out).await?.expect(manifest)
    }

    async fn get(&self, location: &Location) -> Result<GetResult, StoreError> {
        self.objects.get(location).await.map_err(|error| StoreError::of("download", location, error))
    }
}

/// Copies an object to `out` and hashes it on the way, piece by piece as they arrive from the line.
async fn copy(
    object: GetResult,
    key: &str,
    out: &mut (impl AsyncWriteExt + Unpin),
) -> Result<Digest, StoreError> {
    let failed = |error| StoreError::of("write", key, error);
    let mut hasher = blake3::Hasher::new();
    let mut pieces = object.into_stream();
    while let Some(piece) = pieces.try_next().await.map_err(|error| StoreError::of("download", key, error))? {
        hasher.update(&piece);
        out.write_all(&piece).await.map_err(failed)?;
    }
    out.flush().await.map_err(failed)?;
    Ok(Digest::of(&hasher))
}
