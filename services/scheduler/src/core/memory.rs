//! What running out of memory taught the attempts of a job, so that the next one need not learn it again.

use contract::{GpuClass, MemoryNeed, MemorySource, lease::Progress};

use super::{desk::Desk, job::Job};

impl Desk {
    /// Whether a job that ran out of memory may fit another time: one of its classes has more than the last one, or others
    /// held a part of the same worker's. Else it would end in the same way again.
    pub(super) fn may_fit(&self, job: &Job) -> bool {
        let Some(attempt) = job.attempts.last() else { return true };
        let had = job.class_memory_mib(&attempt.gpu);
        let has_larger = job.terms.candidates.iter().any(|candidate| had < Some(candidate.price.memory_mib));
        has_larger || 1 < self.index.held_by(&attempt.worker).count()
    }
}

impl Job {
    /// Takes note of how many micro-batches the last attempt needs on its class.
    pub(super) fn note_micro_batches(&mut self, progress: &Progress) {
        let Some(gpu) = self.attempts.last().map(|attempt| attempt.gpu.clone()) else { return };
        if let Some(needed) = progress.micro_batches {
            self.micro_batches.insert(gpu, needed);
        }
    }

    /// With how many micro-batches an attempt on `gpu` begins; `None` where nothing is known.
    ///
    /// On a class with more memory than those that did not suffice it begins with whole batches again: they are faster,
    /// and batch normalisation sees in them what the job asked for. If they do not fit either, a step is lost, no more.
    pub(super) fn micro_batches_on(&self, gpu: &GpuClass) -> Option<u32> {
        let memory = |gpu: &GpuClass| self.class_memory_mib(gpu);
        let no_larger = |class: &GpuClass| class == gpu || memory(gpu) <= memory(class);
        let needed =
            self.micro_batches.iter().filter(|(class, _)| no_larger(class)).map(|(_, needed)| *needed);
        needed.max().or((!self.micro_batches.is_empty()).then_some(1))
    }

    /// The memory of one of its classes.
    pub(super) fn class_memory_mib(&self, gpu: &GpuClass) -> Option<u64> {
        let candidate = self.terms.candidates.iter().find(|candidate| candidate.gpu == *gpu)?;
        Some(candidate.price.memory_mib)
    }

    /// What it ran out of, beside what it was thought to need.
    pub(super) fn memory_it_had(&self) -> Option<String> {
        let gpu = &self.attempts.last()?.gpu;
        let had = format!("{gpu} has {} MiB", self.class_memory_mib(gpu)?);
        Some(match &self.terms.memory {
            Some(MemoryNeed { mib, source: MemorySource::Asked, .. }) => {
                format!("{had} and the job asks for {mib} MiB")
            }
            Some(MemoryNeed { mib, source: MemorySource::Estimated, .. }) => {
                format!("{had} and the job was estimated at {mib} MiB")
            }
            None => had,
        })
    }
}
