//! Workers that take nothing new.

use contract::{
    JobId, Refusal, Refused, StopCause, WorkerId,
    control::{DrainMode, DrainWorker},
};

use super::{
    Answer, Command, Core,
    desk::Desk,
    job::{Job, Phase},
    view,
};

impl Core {
    /// Has a worker drain, or not any more. What it runs may finish, or is told to stop as if its machine were taken away.
    pub(super) fn drain(&mut self, drain: &DrainWorker) {
        let DrainWorker { worker: id, mode } = drain;
        let is_draining = *mode != DrainMode::Undo;
        let Some(worker) = self.desk.workers.drain(id, is_draining) else {
            let refused = Refused::new(Refusal::NotFound, format!("there is no worker {id}"));
            self.desk.commands.push(Command::Answer(Answer::Refused(refused)));
            return;
        };
        let is_forgotten = self.desk.workers.get(id).is_none();
        self.desk.commands.push(match is_forgotten {
            true => Command::ForgetWorker(id.clone()),
            false => Command::SaveWorker(id.clone()),
        });
        self.desk.count_slots();
        if *mode != DrainMode::Finish {
            self.order_back(id, *mode);
        }
        let view = view::worker(&worker, &self.desk);
        self.desk.commands.push(Command::Answer(Answer::Worker(Box::new(view))));
    }

    /// Has a worker hand back what it runs, or takes that back where it has not heard of it.
    fn order_back(&mut self, worker: &WorkerId, mode: DrainMode) {
        let held: Vec<JobId> = self.desk.index.held_by(worker).cloned().collect();
        for job_id in held {
            let Some(job) = self.jobs.get_mut(&job_id) else { continue };
            match mode {
                DrainMode::Undo => self.desk.countermand(job, StopCause::Preempted),
                DrainMode::Finish | DrainMode::HandBack => self.desk.order(job, StopCause::Preempted),
            }
        }
    }
}

impl Desk {
    /// Whether a worker drains.
    pub(super) fn drains(&self, worker: &WorkerId) -> bool {
        self.workers.get(worker).is_some_and(|worker| worker.draining)
    }

    /// Takes an order for `cause` back.
    pub(super) fn countermand(&mut self, job: &mut Job, cause: StopCause) {
        if let Phase::Running(lease) = &job.phase
            && lease.ordered() == Some(cause)
        {
            let mut lease = lease.clone();
            lease.take_back();
            self.enter(job, Phase::Running(lease));
        }
    }
}
