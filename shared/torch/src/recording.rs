//! Work that is recorded once and repeated from then on.

use tch::Device;

use crate::native::graph::{Graph, on_side_stream};

/// How often work is done before it is recorded. The first time, libraries take what they need: handles, work space, plans.
const WARM_UPS: u32 = 3;

/// The same work again and again. A GPU does it from a recording, a CUDA graph: its kernels are launched together, which
/// costs the processor hardly more than launching one of them. A CPU does the work itself.
///
/// What such work has to keep to:
///
/// - It waits for nothing: it reads no value, and copies nothing between the GPU and main memory.
/// - It uses the same tensors each time, which lie where they lay when it was recorded and live at least as long as the
///   recording. What is different each time is written to them before.
/// - Only what it has the GPU do is repeated, in the same way each time, and nothing else that it does.
///
/// What a recording takes of the GPU's memory it keeps until it is dropped.
#[derive(Debug)]
pub struct Recording<T> {
    device: Device,
    warmed_up: u32,
    /// What the work returned; it lies in the graph's memory, so it goes first.
    results: Option<T>,
    graph: Option<Graph>,
}

impl<T> Recording<T> {
    /// Nothing yet.
    pub fn new(device: Device) -> Self {
        Self { device, warmed_up: 0, results: None, graph: None }
    }

    /// Whether the work is to be done by [`Self::warm_up`] yet.
    pub fn is_warming_up(&self) -> bool {
        self.warmed_up < WARM_UPS
    }

    /// Does the work where it will be recorded, as if there were no recording.
    pub fn warm_up<R>(&mut self, work: impl FnOnce() -> R) -> R {
        self.warmed_up += 1;
        match self.device {
            Device::Cuda(index) => on_side_stream(index as i8, work),
            _ => work(),
        }
    }

    /// Does the work: the first time it is recorded, and then it is replayed each time. The next run overwrites the results.
    ///
    /// # Panics
    /// As the work does, and when it cannot be recorded. Nothing was done then, on a GPU.
    pub fn run(&mut self, work: impl FnOnce() -> T) -> &T {
        let Device::Cuda(index) = self.device else { return self.results.insert(work()) };
        let graph = match &mut self.graph {
            Some(graph) => graph,
            none => {
                let (graph, results) = Graph::record(index as i8, work);
                self.results = Some(results);
                none.insert(graph)
            }
        };
        graph.replay();
        self.results.as_ref().expect("it was recorded with its results")
    }
}
