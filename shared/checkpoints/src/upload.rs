//! Making files durable: in place for a folder, part by part for a remote store.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use bytes::Bytes;
use contract::{JobId, events::Artifact};
use object_store::{ObjectStoreExt, WriteMultipart, path::Path as Location};

use crate::{
    ObjectStore, Staged, StoreError, Uploaded,
    damage::Digest,
    folder::{self, blocking},
    keys,
};

/// How large a part of a remote upload is at least; S3 takes none below 5 MiB but the last.
const PART: u64 = 8 << 20;
/// S3 takes 10,000 parts, so larger files go in larger parts.
const PARTS: u64 = 9_000;
/// How many parts are on the line at once.
const PARTS_IN_FLIGHT: usize = 4;

impl ObjectStore {
    /// Makes a staged file durable: hashed, synced, and uploaded where the store is elsewhere.
    ///
    /// # Errors
    /// The file is removed then. [`StoreError::Full`] when there is no room for it.
    pub async fn upload(&self, mut staged: Staged) -> Result<Uploaded, StoreError> {
        let Digest { bytes, blake3 } = match self.root() {
            Some(root) => {
                let synced = sync(root, &staged.path).await;
                synced.map_err(|error| StoreError::of("sync", &staged.key, error))?
            }
            None => self.send(&staged.path, &keys::parse(&staged.key)?).await?,
        };
        staged.kept = self.root().is_some();
        Ok(Uploaded { key: staged.key.clone(), bytes, blake3 })
    }

    /// Keeps a file for people, at `jobs/<job>/artifacts/<name>`; a later attempt's replaces it.
    ///
    /// # Errors
    /// When the name is no path, or the file cannot be read or stored.
    pub async fn put_artifact(&self, job: &JobId, name: &str, file: &Path) -> Result<Artifact, StoreError> {
        let location = keys::artifact(job, name)?;
        let digest = self.send(file, &location).await?;
        Ok(Artifact { name: name.into(), key: location.to_string(), bytes: digest.bytes })
    }

    /// Writes a local file to `location`, all or nothing, and hashes it on the way: it is read once.
    async fn send(&self, path: &Path, location: &Location) -> Result<Digest, StoreError> {
        let stored = |error| StoreError::of("upload", location, error);
        let (blocks, first) =
            Blocks::open(path).await.map_err(|error| StoreError::of("read", path.display(), error))?;
        if blocks.are_over() {
            self.objects().put(location, first.into()).await.map_err(stored)?;
            return Ok(Digest::of(&blocks.hasher));
        }
        let upload = self.objects().put_multipart(location).await.map_err(stored)?;
        let mut parts = WriteMultipart::new_with_chunk_size(upload, blocks.part);
        match send_parts(&mut parts, blocks, first).await {
            Ok(digest) => {
                parts.finish().await.map_err(stored)?;
                Ok(digest)
            }
            Err(error) => {
                // What stays of it is for the bucket's own rule on unfinished uploads.
                let _ = parts.abort().await;
                Err(StoreError::of("upload", location, error))
            }
        }
    }
}

/// Hashes a file while its bytes go to the disk, then waits for its name as well.
async fn sync(root: &Path, path: &Path) -> io::Result<Digest> {
    let (written, hashed) = (path.to_owned(), path.to_owned());
    let (digest, ()) = tokio::try_join!(
        blocking(move || Digest::of_file(&hashed)),
        blocking(move || folder::sync_file(&written)),
    )?;
    let (root, folder) = (root.to_owned(), path.parent().unwrap_or(path).to_owned());
    blocking(move || folder::sync_names(&root, &folder)).await?;
    Ok(digest)
}

async fn send_parts(
    parts: &mut WriteMultipart,
    mut blocks: Blocks,
    mut block: Bytes,
) -> object_store::Result<Digest> {
    let unreadable =
        |error: io::Error| object_store::Error::Generic { store: "folder", source: error.into() };
    while !block.is_empty() {
        parts.wait_for_capacity(PARTS_IN_FLIGHT).await?;
        parts.put(block);
        (blocks, block) = blocks.next().await.map_err(unreadable)?;
    }
    Ok(Digest::of(&blocks.hasher))
}

/// A file, read and hashed part by part.
struct Blocks {
    file: File,
    hasher: blake3::Hasher,
    part: usize,
    bytes: u64,
}

impl Blocks {
    /// Opens a file and reads its first part.
    async fn open(path: &Path) -> io::Result<(Self, Bytes)> {
        let path = path.to_owned();
        let blocks = blocking(move || {
            let file = File::open(&path)?;
            let bytes = file.metadata()?.len();
            let part = PART.max(bytes.div_ceil(PARTS)) as usize;
            Ok(Self { file, hasher: blake3::Hasher::new(), part, bytes })
        });
        blocks.await?.next().await
    }

    /// Whether all of the file has been read.
    fn are_over(&self) -> bool {
        self.bytes <= self.hasher.count()
    }

    /// The next part; empty at the end.
    async fn next(mut self) -> io::Result<(Self, Bytes)> {
        blocking(move || {
            let mut block = Vec::with_capacity(self.part);
            (&self.file).take(self.part as u64).read_to_end(&mut block)?;
            self.hasher.update_rayon(&block);
            Ok((self, block.into()))
        })
        .await
    }
}
