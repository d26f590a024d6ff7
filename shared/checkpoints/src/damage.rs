//! Telling whether bytes are those that were committed.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use contract::checkpoints::Manifest;

use crate::StoreError;

/// How much is read at once: enough for every core to hash a part of it.
const BLOCK: usize = 4 << 20;
/// What a disk says of a sector that it cannot read.
const EIO: i32 = 5;

/// What bytes come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) bytes: u64,
    /// BLAKE3, in hexadecimal.
    pub(crate) blake3: String,
}

impl Digest {
    /// What a hasher has seen.
    pub(crate) fn of(hasher: &blake3::Hasher) -> Self {
        Self { bytes: hasher.count(), blake3: hasher.finalize().to_hex().to_string() }
    }

    /// Reads a file once, on all cores.
    ///
    /// It is read, not mapped: a file that shrinks while it is mapped kills the process that looks at it.
    pub(crate) fn of_file(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut hasher = blake3::Hasher::new();
        let mut block = vec![0; BLOCK];
        loop {
            match file.read(&mut block)? {
                0 => return Ok(Self::of(&hasher)),
                read => hasher.update_rayon(&block[..read]),
            };
        }
    }

    /// Compares with what was committed.
    pub(crate) fn expect(&self, manifest: &Manifest) -> Result<(), StoreError> {
        expect_size(manifest, self.bytes)?;
        if self.blake3 == manifest.blake3 {
            return Ok(());
        }
        let problem = format!("its BLAKE3 hash is {}, {} was committed", self.blake3, manifest.blake3);
        Err(StoreError::damaged(&manifest.key, problem))
    }
}

/// Reads a file that should hold a checkpoint; its size is compared before a byte is read.
pub(crate) fn verify_file(path: &Path, manifest: &Manifest) -> Result<(), StoreError> {
    let digest = path.metadata().map(|metadata| metadata.len()).map(|bytes| {
        expect_size(manifest, bytes)?;
        Digest::of_file(path).map_err(|error| unreadable(manifest, error))
    });
    digest.map_err(|error| unreadable(manifest, error))??.expect(manifest)
}

/// Compares a size with what was committed.
pub(crate) fn expect_size(manifest: &Manifest, bytes: u64) -> Result<(), StoreError> {
    if bytes == manifest.bytes {
        return Ok(());
    }
    let what = if bytes < manifest.bytes { "it is truncated, with" } else { "it has grown, with" };
    let problem = format!("{what} {bytes} bytes where {} were committed", manifest.bytes);
    Err(StoreError::damaged(&manifest.key, problem))
}

/// The file is gone.
pub(crate) fn missing(manifest: &Manifest) -> StoreError {
    StoreError::damaged(&manifest.key, "the file is missing")
}

fn unreadable(manifest: &Manifest, error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::NotFound => missing(manifest),
        _ if error.raw_os_error() == Some(EIO) => {
            StoreError::damaged(&manifest.key, "the disk cannot read it")
        }
        _ => StoreError::of("read", &manifest.key, error),
    }
}
