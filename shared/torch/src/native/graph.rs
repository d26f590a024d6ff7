//! Work that a GPU recorded, as a CUDA graph.

use std::{
    ffi::c_char,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    ptr::{NonNull, null_mut},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{ALLOCATOR, checked, drop_gpu_cache_now, fail, unwrap};

/// A graph, as C++ knows it.
#[repr(C)]
#[derive(Debug)]
struct Opaque {
    _nothing: [u8; 0],
}

unsafe extern "C" {
    #[cfg(test)]
    fn rekindle_graph_find() -> *mut c_char;
    fn rekindle_side_enter(device: i8, before: *mut i64) -> *mut c_char;
    fn rekindle_side_leave(device: i8, before: i64) -> *mut c_char;
    fn rekindle_graph_begin(device: i8, graph: *mut *mut Opaque) -> *mut c_char;
    fn rekindle_graph_end(graph: *mut Opaque) -> *mut c_char;
    fn rekindle_graph_replay(graph: *mut Opaque) -> *mut c_char;
    fn rekindle_graph_drop(device: i8, graph: *mut Opaque) -> *mut c_char;
}

/// Whether the libtorch that is loaded can record.
///
/// # Errors
/// What it lacks.
#[cfg(test)]
fn find() -> Result<(), String> {
    // SAFETY: takes nothing; an exception comes back as text.
    checked(unsafe { rekindle_graph_find() })
}

/// Held by who gives work to the side stream: what others gave it meanwhile would be recorded too.
static SIDE: Mutex<()> = Mutex::new(());

/// Does `work` on the GPU's side stream: after all that this thread's stream was given before, and before all that it is
/// given afterwards. The GPU is not waited for. Other threads wait until they may do so too; the work must not do it again.
pub(crate) fn on_side_stream<R>(device: i8, work: impl FnOnce() -> R) -> R {
    let _side = Side::enter(device);
    work()
}

/// As long as this lives, this thread gives its work to the side stream.
struct Side {
    device: i8,
    before: i64,
    /// It belongs to this thread, as which stream is used does.
    _only: MutexGuard<'static, ()>,
}

impl Side {
    fn enter(device: i8) -> Self {
        let only = SIDE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = 0;
        // SAFETY: `before` outlives the call.
        unwrap(unsafe { rekindle_side_enter(device, &raw mut before) });
        Self { device, before, _only: only }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // SAFETY: takes numbers, of a stream that there was; an exception comes back as text.
        if let Err(error) = checked(unsafe { rekindle_side_leave(self.device, self.before) }) {
            tracing::error!(error, "the GPU's streams do not wait for each other");
        }
    }
}

/// Work as the GPU recorded it. It belongs to the thread that recorded it.
#[derive(Debug)]
pub(crate) struct Graph {
    device: i8,
    graph: NonNull<Opaque>,
}

impl Graph {
    /// Records `work`, which must only give work to this GPU and never wait for it. Nothing is done yet: what tensors hold
    /// is the same afterwards, and those that `work` returns hold nothing. Memory comes from a pool of the graph's own, which
    /// is kept as long as the graph is.
    ///
    /// # Panics
    /// As `work` does, and as every operation of tch when the work cannot be recorded. Then nothing was recorded.
    pub(crate) fn record<T>(device: i8, work: impl FnOnce() -> T) -> (Self, T) {
        let (graph, worked, ended) = on_side_stream(device, || {
            // Nobody drops the allocator's cache while this records.
            let _lock = ALLOCATOR.lock().unwrap_or_else(PoisonError::into_inner);
            // What is kept elsewhere, the graph's pool cannot use.
            drop_gpu_cache_now();
            let graph = Self::begin(device);
            let worked = catch_unwind(AssertUnwindSafe(work));
            let ended = graph.end();
            (graph, worked, ended)
        });
        match (worked, ended) {
            (Ok(results), Ok(())) => (graph, results),
            (Err(panic), Ok(())) => {
                drop(graph);
                resume_unwind(panic)
            }
            // That is what is wrong then: this process cannot go on as if only memory had run out.
            (_, Err(error)) => fail(error),
        }
    }

    fn begin(device: i8) -> Self {
        let mut graph = null_mut();
        // SAFETY: `graph` outlives the call, which points it to a new graph, whose owner this becomes.
        unwrap(unsafe { rekindle_graph_begin(device, &raw mut graph) });
        Self { device, graph: NonNull::new(graph).expect("there is a graph where there is no exception") }
    }

    fn end(&self) -> Result<(), String> {
        // SAFETY: the graph is live, and this thread has begun it.
        checked(unsafe { rekindle_graph_end(self.graph.as_ptr()) })
    }

    /// Does what was recorded, with the tensors that it was recorded with as they are now, and overwrites those that `work`
    /// returned. The GPU is not waited for.
    pub(crate) fn replay(&self) {
        // SAFETY: the graph is live and was recorded to its end.
        on_side_stream(self.device, || unwrap(unsafe { rekindle_graph_replay(self.graph.as_ptr()) }));
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // The side stream is waited for, which nobody may do while another thread records there.
        let _only = SIDE.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the graph is live, and nobody has it afterwards.
        if let Err(error) = checked(unsafe { rekindle_graph_drop(self.device, self.graph.as_ptr()) }) {
            tracing::warn!(error, "a recording was dropped after the GPU had failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::load_library;

    #[test]
    fn every_member_of_a_graph_is_found_in_the_gpu_half_of_libtorch() {
        if let Err(error) = load_library("libtorch_cuda.so") {
            println!("skipped: {error}");
            return;
        }
        assert_eq!(find(), Ok(()));
    }

    #[test]
    fn nothing_is_recorded_where_there_is_no_gpu() {
        crate::set_up();
        if crate::device().is_cuda() {
            println!("skipped: there is a GPU here");
            return;
        }
        let panic = catch_unwind(|| Graph::record(0, || ())).expect_err("there is no GPU to record on");
        let words = panic.downcast_ref::<String>().expect("libtorch fails with words");
        assert!(words.contains("there is no GPU 0 to record on"), "{words}");
    }
}
