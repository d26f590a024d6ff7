//! A store in memory that stops before and after every operation, so that a test decides who goes on.

use std::{fmt, sync::Mutex};

use futures::{StreamExt, stream::BoxStream};
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, memory::InMemory, path::Path as Location,
};

use crate::{keys, log::Entry};

#[derive(Debug, Default)]
pub(super) struct Stepping {
    pub(super) memory: InMemory,
    written: Mutex<Vec<(u64, Entry)>>,
}

impl Stepping {
    /// Every entry that became the highest of the log, in that order.
    pub(super) fn heads(&self) -> Vec<(u64, Entry)> {
        let mut heads: Vec<(u64, Entry)> = Vec::new();
        for (number, entry) in &*self.written.lock().unwrap() {
            if heads.last().is_none_or(|(highest, _)| highest < number) {
                heads.push((*number, entry.clone()));
            }
        }
        heads
    }
}

impl fmt::Display for Stepping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.memory.fmt(f)
    }
}

#[async_trait::async_trait]
impl ObjectStore for Stepping {
    async fn put_opts(
        &self,
        location: &Location,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        futures::pending!();
        let entry = keys::entry_number(location)
            .zip(serde_json::from_slice(&bytes::Bytes::from(payload.clone())).ok());
        let result = self.memory.put_opts(location, payload, options).await;
        if result.is_ok() {
            self.written.lock().unwrap().extend(entry);
        }
        futures::pending!();
        result
    }

    async fn put_multipart_opts(
        &self,
        location: &Location,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.memory.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Location, options: GetOptions) -> Result<GetResult> {
        futures::pending!();
        let result = self.memory.get_opts(location, options).await;
        futures::pending!();
        result
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Location>>,
    ) -> BoxStream<'static, Result<Location>> {
        let pause = futures::stream::once(async { futures::pending!() }).filter_map(|()| async { None });
        pause.chain(self.memory.delete_stream(locations)).boxed()
    }

    fn list(&self, prefix: Option<&Location>) -> BoxStream<'static, Result<ObjectMeta>> {
        let pause = || futures::stream::once(async { futures::pending!() }).filter_map(|()| async { None });
        pause().chain(self.memory.list(prefix)).chain(pause()).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Location>) -> Result<ListResult> {
        self.memory.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Location, to: &Location, options: CopyOptions) -> Result<()> {
        self.memory.copy_opts(from, to, options).await
    }
}
