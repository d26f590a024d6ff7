//! The object store as it is: a folder, a bucket, a disk that is full.

mod behaviour;
mod folder;
mod full;
mod s3;
